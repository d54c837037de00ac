"""CI systems of smaller grammars: Bitbucket, Buildkite, Woodpecker, Drone, Travis, AppVeyor, pre-commit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mlops_audit import automation, parse
from mlops_audit.automation import Script, kept, literals, merged, script_of, texts
from mlops_audit.facts import Fact, TraitValue
from mlops_audit.parse.nodes import Node, decode


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """Facts of a CI file, by its place; a CI file below the root is dead."""
    for pattern, reader in READERS:
        if re.fullmatch(rf"(?:.*/)?{pattern}", path, re.IGNORECASE):
            dead = re.fullmatch(pattern, path, re.IGNORECASE) is None
            lines = decode(data).split("\n")
            for document in parse.yaml(data):
                yield from reader(document, path, lines, dead)
            return


def _traits(
    path: str, name: str, system: str, triggers: Iterable[str], **more: TraitValue | bool | None
) -> dict[str, TraitValue]:
    return kept(
        {
            "unit": f"{path}#{name}" if name else path,
            "system": system,
            "triggers": tuple(sorted(set(triggers))),
            **more,
        }
    )


def _scripts(node: Node | None, lines: list[str]) -> list[Script]:
    return [script_of(item, lines) for item in (node.list if node is not None else []) if item.text]


# ------------------------------------------------------------------------------------------------- Bitbucket

BITBUCKET = {
    "default": "push",
    "branches": "push",
    "tags": "tag",
    "pull-requests": "pull_request",
    "custom": "manual",
    "bookmarks": "push",
}


def _bitbucket(document: Node, path: str, lines: list[str], dead: bool) -> Iterator[Fact]:
    pipelines = document.get("pipelines")
    for kind, body in pipelines.items if pipelines is not None else ():
        named = [(kind, body)] if kind == "default" else body.items
        for name, steps in named:
            manual = False
            for number, step in enumerate(_bitbucket_steps(steps, 0), 1):
                step = merged(step)
                title = step.at("name") or f"{name} {number}"
                manual = manual or step.at("trigger") == "manual"
                shared = _traits(
                    path,
                    title,
                    "bitbucket",
                    [BITBUCKET.get(kind, "push")],
                    environment=step.at("deployment"),
                    dead=dead,
                )
                yield automation.job(
                    title, path, step.line, {**shared, **kept({"manual": manual, "workflow": name})}
                )
                image = step.get("image") or document.get("image")
                if image is not None and (reference := image.text or image.at("name")):
                    yield automation.image(reference, path, image.line, shared)
                yield from automation.commands(_scripts(step.get("script"), lines), path, shared)
                for item in (step.get("script") or Node([], 1)).list:
                    if pipe := item.at("pipe"):
                        inputs = [
                            (k, v.text)
                            for k, v in (item.get("variables") or item).items
                            if v.text and k != "pipe"
                        ]
                        yield automation.action(pipe, path, item.line, shared, inputs)


def _bitbucket_steps(node: Node, depth: int) -> Iterator[Node]:
    for item in node.list if depth < 6 else ():
        for key, body in item.items:
            if key == "step":
                yield body
            elif key in ("parallel", "stage"):
                yield from _bitbucket_steps(body.get("steps") or body, depth + 1)


# ------------------------------------------------------------------------------------------------- Buildkite


def _buildkite(document: Node, path: str, lines: list[str], dead: bool) -> Iterator[Fact]:
    steps = document.get("steps") or (document if isinstance(document.value, list) else Node([], 1))
    waits_for_person = False
    for number, step in enumerate(_flat(steps, "steps"), 1):
        if step.text == "wait" or step.get("wait") is not None:
            continue
        if step.get("block") is not None or step.get("input") is not None:
            waits_for_person = True
            continue
        name = step.at("key") or step.at("label") or step.at("name") or step.at("trigger") or f"step {number}"
        soft = step.get("soft_fail")
        shared = _traits(
            path, name, "buildkite", ["push"], condition=(step.at("if"), step.at("branches")) if step.at("if") else step.at("branches"),
            masked=soft is not None and soft.text != "false", dead=dead or automation.is_never(step.at("if")) or step.at("skip") == "true",
        )  # fmt: skip
        own = kept({"manual": waits_for_person, "needs": texts(step.get("depends_on"))})
        yield automation.job(name, path, step.line, {**shared, **own})
        variables = literals(document.get("env")) | literals(step.get("env"))
        scripts = _scripts(step.get("command") or step.get("commands"), lines)
        yield from automation.commands(scripts, path, shared, variables=variables)
        for plugin in (step.get("plugins") or Node([], 1)).list:
            for key in [key for key, _ in plugin.items] or [plugin.text]:
                yield automation.action(key.replace("#", "@"), path, plugin.line, shared)


def _flat(steps: Node, key: str, depth: int = 0) -> Iterator[Node]:
    for step in steps.list:
        inner = step.get(key)
        if inner is not None and depth < 5:
            yield from _flat(inner, key, depth + 1)
        else:
            yield step


# --------------------------------------------------------------------------------- Woodpecker, Drone, Harness

EVENTS = {"push": "push", "pull_request": "pull_request", "tag": "tag", "cron": "schedule", "manual": "manual", "deployment": "event",
          "promote": "manual", "release": "release", "custom": "manual", "rollback": "manual"}  # fmt: skip


def _containers(document: Node, path: str, lines: list[str], dead: bool) -> Iterator[Fact]:
    system = "drone" if ".drone" in path else "woodpecker"
    whole = document.get("when") or document.get("trigger")
    steps = document.get("steps") or document.get("pipeline")
    pairs = (
        steps.items
        if steps is not None and steps.items
        else [(s.at("name"), s) for s in (steps.list if steps is not None else [])]
    )
    for name, step in pairs:
        events = _events(step.get("when")) or _events(whole) or {"push"}
        failure = step.at("failure") == "ignore"
        shared = _traits(path, name, system, events, masked=failure, dead=dead)
        needs = texts(step.get("depends_on"))
        yield automation.job(
            name, path, step.line, {**shared, **kept({"needs": needs, "workflow": document.at("name")})}
        )
        if image := step.at("image"):
            yield automation.image(image, path, step.line_of("image"), shared)
        yield from automation.commands(
            _scripts(step.get("commands"), lines), path, shared, variables=literals(step.get("environment"))
        )


def _events(when: Node | None) -> set[str]:
    found: set[str] = set()
    for item in when.list if when is not None else []:
        events = item.get("event")
        included = events.get("include") if events is not None and events.items else events
        found |= {EVENTS.get(name, "event") for name in texts(included)}
        found |= {"schedule"} if item.get("cron") is not None else set()
    return found


# ------------------------------------------------------------------------------------------ Travis, AppVeyor

TRAVIS = (
    "before_install",
    "install",
    "before_script",
    "script",
    "after_success",
    "before_deploy",
    "after_deploy",
)
APPVEYOR = (
    "install",
    "before_build",
    "build_script",
    "after_build",
    "before_test",
    "test_script",
    "after_test",
    "deploy_script",
)


def _travis(document: Node, path: str, lines: list[str], dead: bool) -> Iterator[Fact]:
    yield from _phases("travis", TRAVIS, "job", document, path, lines, dead)
    jobs = document.get("jobs", "include") or document.get("matrix", "include")
    for number, body in enumerate(jobs.list if jobs is not None else [], 1):
        if body.get("script") is not None:
            yield from _phases(
                "travis",
                TRAVIS,
                body.at("name") or body.at("stage") or f"job {number}",
                body,
                path,
                lines,
                dead,
            )
    deploys = document.get("deploy")
    for deploy in deploys.list if deploys is not None else []:
        if provider := deploy.at("provider"):
            shared = _traits(
                path, "job", "travis", ["tag" if deploy.at("on", "tags") == "true" else "push"], dead=dead
            )
            yield automation.action(
                provider, path, deploy.line, shared, [(k, v.text) for k, v in deploy.items if v.text]
            )
            yield from automation.commands(_scripts(deploy.get("script"), lines), path, shared)


def _appveyor(document: Node, path: str, lines: list[str], dead: bool) -> Iterator[Fact]:
    yield from _phases("appveyor", APPVEYOR, "job", document, path, lines, dead)


def _phases(
    system: str, phases: tuple[str, ...], name: str, body: Node, path: str, lines: list[str], dead: bool
) -> Iterator[Fact]:
    shared = _traits(path, name, system, ["push", "pull_request"], dead=dead, condition=body.at("if"))
    found: list[Fact] = []
    for phase in phases:
        masked = {"masked": "yes"} if phase.startswith("after_") else {}
        found += automation.commands(
            _scripts(body.get(phase), lines), path, {**shared, "step": phase, **masked}
        )
    if found:
        yield automation.job(name, path, body.line, shared)
        yield from found


# ------------------------------------------------------------------------------------------------ pre-commit


def _pre_commit(document: Node, path: str, lines: list[str], dead: bool) -> Iterator[Fact]:
    repositories = document.get("repos")
    for repository in repositories.list if repositories is not None else []:
        url, version = repository.at("repo"), repository.at("rev")
        hooks = repository.get("hooks")
        for hook in hooks.list if hooks is not None else []:
            name = hook.at("id")
            shared = _traits(
                path,
                name,
                "pre-commit",
                [],
                dead=dead,
                hook=name,
                version=version,
                stages=texts(hook.get("stages")),
            )
            inputs = [("args", " ".join(texts(hook.get("args")))), ("entry", hook.at("entry"))]
            pinned = f"{url}@{version}" if version else url
            fact = automation.action(url, path, hook.line, shared, inputs)
            yield automation.repinned(fact, automation.pin_of(pinned))
            if url == "local" and hook.at("entry") and hook.at("language") not in ("pygrep", "fail"):
                entry = hook.get("entry")
                scripts = _scripts(entry, lines)
                if scripts and scripts[0].flat:
                    words = " ".join([scripts[0].text, *texts(hook.get("args"))])
                    scripts = [Script(words, scripts[0].line, flat=True)]
                yield from automation.commands(scripts, path, shared)


READERS = (
    (r"bitbucket-pipelines\.ya?ml", _bitbucket),
    (r"\.?buildkite/[^/]*\.ya?ml", _buildkite),
    (r"\.buildkite\.ya?ml", _buildkite),
    (r"\.woodpecker(?:/.*)?\.ya?ml", _containers),
    (r"\.drone\.ya?ml", _containers),
    (r"\.travis\.ya?ml", _travis),
    (r"\.?appveyor\.ya?ml", _appveyor),
    (r"\.pre-commit-config\.ya?ml", _pre_commit),
)
