"""GitHub Actions (and Gitea, Forgejo): jobs, commands, actions and images of workflows and composite actions."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import NamedTuple

from mlops_audit import automation, parse
from mlops_audit.automation import Script, is_never, kept, literals, script_of, secrets_in, texts
from mlops_audit.facts import Fact, Kind, Site, TraitValue
from mlops_audit.parse.nodes import Node, decode

# A workflow's place is the root, also that of the project which a template or seed sets up.
SEED = r"seed[-_]?(?:code|project|repo)?|(?:project|repo)[-_]?(?:seed|template)|template|skeleton|scaffold"
WORKFLOW = re.compile(
    rf"(?:.*\{{\{{[^/]*/|(?:[^/]+/)*(?:{SEED})/)?\.(?:github|gitea|forgejo)/workflows/[^/]+\.ya?ml"
)
ACTION = re.compile(r"(?:.*/)?action\.ya?ml")
MAX_VARIANTS = 12  # of a command with matrix values put in

EVENTS = {
    "push": "push", "pull_request": "pull_request", "pull_request_target": "pull_request", "merge_group": "pull_request",
    "schedule": "schedule", "workflow_dispatch": "manual", "workflow_run": "workflow_run", "release": "release",
    "workflow_call": "",
}  # fmt: skip


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """Facts of a workflow or composite action; a workflow outside of its place is dead."""
    in_place = WORKFLOW.fullmatch(path) is not None
    is_action = ACTION.fullmatch(path) is not None
    if not (in_place or is_action or (b"jobs:" in data and (b"runs-on:" in data or b"uses:" in data))):
        return
    for document in parse.yaml(data):
        lines = decode(data).split("\n")
        if is_action and document.get("runs") is not None:
            yield from _composite(document, path, lines)
            continue
        jobs = document.get("jobs")
        if document.get("on") is not None and jobs is not None and jobs.items:
            looks_alike = any(body.get("runs-on") or body.get("uses") for _, body in jobs.items)
            if in_place or looks_alike:
                yield from _workflow(document, path, lines, dead=not in_place)


class Around(NamedTuple):
    """What the steps of a job share: traits, literal `env`, directory, matrix rows and default inputs."""

    traits: dict[str, TraitValue]
    variables: dict[str, str]
    root: str  # of the project that the workflow belongs to
    directory: str
    rows: tuple[Mapping[str, str], ...]
    inputs: Mapping[str, str]
    shell: str


def _workflow(document: Node, path: str, lines: list[str], *, dead: bool) -> Iterator[Fact]:
    events = document.get("on")
    triggers = _triggers(events)
    inputs = _default_inputs(events)
    jobs = document.get("jobs")
    bodies = dict(jobs.items) if jobs is not None else {}
    never = _dead_jobs(bodies)
    root = path.rpartition("/")[0].rpartition("/.")[0] if not dead else ""
    for name, body in bodies.items():
        if jobs is None or not isinstance(body.value, dict):
            continue
        condition = body.at("if")
        starts = tuple(sorted(_narrowed(triggers, condition)))
        environment = body.at("environment") or body.at("environment", "name")
        asked = body.at("defaults", "run", "working-directory") or document.at(
            "defaults", "run", "working-directory"
        )
        shared = kept({
            "unit": f"{path}#{name}", "system": "github", "triggers": starts, "environment": environment,
            "condition": condition, "dead": dead or name in never,
        })  # fmt: skip
        around = Around(
            shared,
            literals(document.get("env")) | literals(body.get("env")),
            root,
            posixpath.join(root, asked.removeprefix("./")).rstrip("/"),
            _matrix(body.get("strategy", "matrix")),
            inputs,
            body.at("defaults", "run", "shell") or document.at("defaults", "run", "shell"),
        )
        facts = [*_steps(body.get("steps"), path, lines, around, body.at("continue-on-error") == "true")]
        uses = body.at("uses")
        runs = [uses.partition("@")[0]] if uses.startswith("./") else []
        runs += [r for r in _runs_of_steps(body.get("steps")) if r not in runs]
        own = kept({
            "workflow": document.at("name"),
            "needs": texts(body.get("needs")),
            "runs": tuple(runs),
            "masked": body.at("continue-on-error") == "true",
            "secrets": secrets_in(body, document.get("env")),
            "inherits": body.at("secrets") == "inherit",
            "permissions": _permissions(body.get("permissions") or document.get("permissions")),
            "schedule": _schedules(events) if "schedule" in starts else (),
            "branches": texts(events.get("push", "branches")) if events else (),
            "paths": texts(events.get("push", "paths")) if events else (),
            "after": texts(events.get("workflow_run", "workflows")) if events else (),
            "approval": bool(environment),
        })  # fmt: skip
        own.pop("approval", None)
        yield automation.job(name, path, jobs.line_of(name), {**shared, **own})
        if uses and not uses.startswith("./"):
            inputs_given = _inputs(body.get("with"), around)
            told = {**shared, **kept({"asks": _asked(inputs_given)})}
            yield automation.action(uses, path, body.line_of("uses"), told, inputs_given)
        yield from _images(body, path, shared)
        yield from facts


def _composite(document: Node, path: str, lines: list[str]) -> Iterator[Fact]:
    """A composite action's steps belong to the unit of its own file; other actions may name an image or a script."""
    runs = document.get("runs")
    if runs is None:
        return
    shared: dict[str, TraitValue] = {"unit": path, "system": "github"}
    inputs = {k: v.at("default") for k, v in (document.get("inputs") or runs).items if v.at("default")}
    around = Around(shared, {}, "", "", (), inputs if document.get("inputs") else {}, "")
    if runs.at("using") == "composite":
        yield from _steps(runs.get("steps"), path, lines, around, False)
    elif runs.at("using") == "docker" and runs.at("image").startswith("docker://"):
        reference = runs.at("image").removeprefix("docker://")
        yield automation.image(reference, path, runs.line_of("image"), shared)


# -------------------------------------------------------------------------------------------------- triggers


def _triggers(events: Node | None) -> frozenset[str]:
    """What starts a workflow, from `on:` as a word, a list or a mapping."""
    if events is None:
        return frozenset()
    if not events.items:
        return frozenset(EVENTS.get(name, "event") for name in texts(events)) - {""}
    found = set()
    for name, body in events.items:
        if name == "push":
            tags = body.get("tags") is not None or body.get("tags-ignore") is not None
            branches = body.get("branches") is not None or body.get("branches-ignore") is not None
            found |= ({"tag"} if tags else set()) | ({"push"} if branches or not tags else set())
        elif name == "schedule":
            found |= {"schedule"} if any(item.at("cron") for item in body.list) else set()
        else:
            found.add(EVENTS.get(name, "event"))
    return frozenset(found) - {""}


def _schedules(events: Node | None) -> tuple[str, ...]:
    schedule = events.get("schedule") if events is not None else None
    return tuple(item.at("cron") for item in schedule.list if item.at("cron")) if schedule is not None else ()


_EVENT_IS = re.compile(r"github\.event_name\s*(==|!=)\s*['\"](\w+)['\"]")


def _narrowed(triggers: frozenset[str], condition: str) -> frozenset[str]:
    """The triggers that remain under a condition that asks for the event or the kind of ref."""
    if "||" in condition:
        asked = _EVENT_IS.findall(condition)
        parts = [part for part in condition.split("||") if part.strip()]
        if len(asked) != len(parts) or any(sign == "!=" for sign, _ in asked) or "&&" in condition:
            return triggers
        return triggers & {EVENTS.get(name, "event") for _, name in asked}
    for sign, name in _EVENT_IS.findall(condition):
        trigger = EVENTS.get(name, "event")
        triggers = (
            triggers & {trigger, "tag" if name == "push" else trigger}
            if sign == "=="
            else triggers - {trigger}
        )
    if re.search(r"(?<!!)\bstartsWith\(\s*github\.ref\s*,\s*['\"]refs/tags", condition):
        triggers = triggers - {"push", "pull_request", "schedule"} | (
            {"tag"} & triggers or ({"tag"} if "push" in triggers else set())
        )
    return triggers


def _dead_jobs(bodies: Mapping[str, Node]) -> frozenset[str]:
    """Jobs that can never run: by their own condition, or because one that they need never does."""
    dead = {name for name, body in bodies.items() if is_never(body.at("if"))}
    changed = bool(dead)
    while changed:
        more = {
            name
            for name, body in bodies.items()
            if name not in dead
            and dead & set(texts(body.get("needs")))
            and not re.search(r"always\(\)|cancelled\(\)|failure\(\)|\.result", body.at("if"))
        }
        dead |= more
        changed = bool(more)
    return frozenset(dead)


def _default_inputs(events: Node | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for event in ("workflow_dispatch", "workflow_call"):
        inputs = events.get(event, "inputs") if events is not None else None
        for name, body in inputs.items if inputs is not None else ():
            if body.at("default"):
                found[name] = body.at("default")
    return found


def _permissions(node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    return tuple(f"{k}: {v.text}" for k, v in node.items) or ((node.text,) if node.text else ())


def _matrix(node: Node | None) -> tuple[Mapping[str, str], ...]:
    """The rows of a literal matrix, `include` put in; () where an expression makes it."""
    if node is None or not node.items:
        return ()
    axes = {
        key: [item.text for item in axis.list if isinstance(item.value, str)]
        for key, axis in node.items
        if key not in ("include", "exclude") and isinstance(axis.value, list)
    }
    axes = {key: found for key, found in axes.items() if found}
    count = 1
    for found in axes.values():
        count *= len(found)
    if count > 500:
        return ()
    rows: list[dict[str, str]] = (
        [dict(zip(axes, row, strict=True)) for row in product(*axes.values())] if axes else []
    )
    include = node.get("include")
    for item in include.list[:100] if include is not None else []:
        extra = {k: v.text for k, v in item.items if isinstance(v.value, str)}
        fitting = [row for row in rows if all(row.get(k) == v for k, v in extra.items() if k in axes)]
        if axes and fitting and any(k in axes for k in extra):
            for row in fitting:
                row.update(extra)
        elif extra:
            rows.append(extra)
    return tuple(rows)


# ----------------------------------------------------------------------------------------------------- steps


def _steps(steps: Node | None, path: str, lines: list[str], around: Around, masked: bool) -> Iterator[Fact]:
    for step in steps.list if steps is not None else ():
        if not isinstance(step.value, dict):
            continue
        condition = step.at("if")
        traits = {
            **around.traits,
            **kept({
                "step": step.at("name"),
                "condition": tuple(c for c in (condition, around.traits.get("condition")) if isinstance(c, str) and c),
                "masked": masked or step.at("continue-on-error") == "true",
                "dead": "dead" in around.traits or is_never(condition),
                "secrets": secrets_in(step),
            }),
        }  # fmt: skip
        starts = around.traits.get("triggers")
        if condition and isinstance(starts, tuple) and starts:
            narrowed = tuple(sorted(_narrowed(frozenset(starts), condition)))
            traits["triggers"] = narrowed
            if not narrowed:
                del traits["triggers"]
        variables = around.variables | literals(step.get("env"))
        if uses := step.at("uses"):
            yield from _uses(step, uses, path, lines, traits, around, variables)
        elif (run := step.get("run")) is not None:
            yield from _run(run, step, path, lines, traits, around, variables)


def _run(
    run: Node,
    step: Node,
    path: str,
    lines: list[str],
    traits: dict[str, TraitValue],
    around: Around,
    variables: dict[str, str],
) -> Iterator[Fact]:
    shell = step.at("shell") or around.shell
    asked = step.at("working-directory")
    directory = posixpath.join(around.root, asked.removeprefix("./")) if asked else around.directory
    program = shell.split()[0] if shell else ""
    if program.startswith("python") or program in ("node", "perl", "Rscript"):
        yield Fact(
            Kind.COMMAND,
            program,
            Site(path, run.line),
            {**traits, "directory": _directory(directory, around, {})},
        )
        return
    goes_on = "{0}" in shell and not re.search(r"\s-\w*e|errexit", shell)
    for row in _rows(f"{run.text} {directory}", around.rows):
        script = script_of(run, lines)
        text = _filled(script.text, around, row, variables)
        known = {k: _filled(v, around, row, {}) for k, v in variables.items()}
        yield from automation.commands(
            Script(text, script.line, script.flat), path, traits,
            directory=_directory(directory, around, row), variables=known, goes_on=goes_on,
        )  # fmt: skip


# Actions that run a shell text: a part of their name -> the input that holds it.
RUNNERS = (
    ("azure/cli", "inlineScript"), ("azure/powershell", "inlineScript"), ("retry", "command"), ("ssh-action", "script"),
    ("docker-run-action", "run"), ("ssh-execute", "command"), ("remote-ssh", "command"), ("wait-on-check", "command"),
)  # fmt: skip

# Values by which an input asks for nothing.
OFF = frozenset({"false", "no", "none", "null", "0", "off", "skip", "''", "[]", "{}"})
LEAVING_OUT = re.compile(r"(?:no|skip|disable|ignore|exclude|without)[-_]", re.IGNORECASE)
# A local action with an input of such a name runs what it is given.
LOCAL_RUNNERS = tuple(("./", name) for name in ("command", "commands", "cmd", "run", "script"))


def _uses(
    step: Node,
    uses: str,
    path: str,
    lines: list[str],
    traits: dict[str, TraitValue],
    around: Around,
    variables: dict[str, str],
) -> Iterator[Fact]:
    given = step.get("with")
    if uses.startswith("docker://"):
        yield automation.image(uses.removeprefix("docker://"), path, step.line_of("uses"), traits)
    yield automation.action(uses, path, step.line_of("uses"), traits, _inputs(given, around))
    for part, name in LOCAL_RUNNERS if uses.startswith("./") else RUNNERS:
        script = given.get(name) if given is not None and part in uses.lower() else None
        if script is not None and script.text:
            found = script_of(script, lines)
            text = Script(_filled(found.text, around, {}, variables), found.line, found.flat)
            directory = "?" if "ssh" in part else around.directory
            yield from automation.commands(text, path, traits, directory=directory, variables=variables)


def _inputs(given: Node | None, around: Around) -> list[tuple[str, str]]:
    row = around.rows[0] if len(around.rows) == 1 else {}
    return (
        [(k, _filled(v.text, around, row, around.variables)) for k, v in given.items if v.text]
        if given
        else []
    )


def _asked(inputs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The names of the inputs that ask a workflow for something: neither switched off nor to leave something out."""
    return tuple(
        name for name, value in inputs if value.strip().lower() not in OFF and not LEAVING_OUT.match(name)
    )


def _runs_of_steps(steps: Node | None) -> Iterator[str]:
    """Local actions, and the Dockerfile that a build action builds."""
    for step in steps.list if steps is not None else ():
        uses = step.at("uses")
        if is_never(step.at("if")):
            continue
        if uses.startswith("./"):
            yield uses
        elif "build-push-action" in uses or "docker-build" in uses:
            context = step.at("with", "context") or step.at("with", "path") or "."
            file = step.at("with", "file") or step.at("with", "dockerfile")
            if context.startswith(("http", "git@")) or "{{" in f"{context}{file}":
                context = "."
            yield file.removeprefix("./") or f"{context.rstrip('/')}/Dockerfile".removeprefix("./")


def _images(body: Node, path: str, shared: dict[str, TraitValue]) -> Iterator[Fact]:
    container = body.get("container")
    if container is not None and (reference := container.text or container.at("image")):
        node = container.get("image") or container
        yield automation.image(reference, path, node.line, shared)
    services = body.get("services")
    for name, service in services.items if services is not None else ():
        if reference := service.at("image"):
            line = service.line_of("image")
            yield automation.image(reference, path, line, {**shared, "role": "service", "stage": name})


# ----------------------------------------------------------------------------------------------- expressions

_EXPRESSION = re.compile(
    r"\$\{\{\s*(matrix|env|inputs|github\.event\.inputs)\.([\w-]+)\s*\}\}|\$\{\{\s*github\.workspace\s*\}\}"
)


def _rows(text: str, rows: tuple[Mapping[str, str], ...]) -> list[Mapping[str, str]]:
    """The distinct matrix rows as far as a text asks for them."""
    asked = {name for scope, name in _EXPRESSION.findall(text) if scope == "matrix"}
    if not asked or not rows:
        return [{}]
    found = {tuple((k, row[k]) for k in sorted(asked) if k in row): None for row in rows}
    return [dict(row) for row in list(found)[:MAX_VARIANTS]]


def _filled(text: str, around: Around, row: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """The text with expressions of known literal value replaced."""

    def value(match: re.Match[str]) -> str:
        if match[1] is None:
            return "."
        scope: Mapping[str, str] = {"matrix": row, "env": variables}.get(match[1], around.inputs)
        return scope.get(match[2], match[0]) if "\n" not in scope.get(match[2], "") else match[0]

    return _EXPRESSION.sub(value, text)


def _directory(text: str, around: Around, row: Mapping[str, str]) -> str:
    filled = _filled(text, around, row, around.variables).removeprefix("./").rstrip("/")
    return "?" if "${{" in filled else "" if filled == "." else filled
