"""Azure Pipelines: stages, jobs and deployments with their commands, tasks, templates and approvals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mlops_audit import automation, parse
from mlops_audit.automation import Script, is_never, kept, literals, script_of, texts
from mlops_audit.facts import Fact, TraitValue
from mlops_audit.parse.nodes import Node, decode

NAMED = re.compile(
    r"(?:.*/)?(?:azure[-_]?pipelines?[^/]*\.ya?ml|\.(?:azure-?pipelines|pipelines|azuredevops|ado|azdo|vsts)/.*\.ya?ml)",
    re.I,
)
TEMPLATE = re.compile(r"template", re.IGNORECASE)
STEP_KEYS = frozenset(
    {"script", "bash", "pwsh", "powershell", "task", "checkout", "template", "publish", "download"}
)
HOOKS = ("preDeploy", "deploy", "routeTraffic", "postRouteTraffic")
SHELL_WORDS = frozenset({"pwd", "date", "whoami", "hostname", "nproc", "uname"})
MAX_DEPTH = 12


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """Facts of a pipeline or template; templates have no triggers of their own."""
    if not re.search(rb"^(?:-\s+)?(?:steps|stages|jobs|extends)\s*:", data, re.MULTILINE):
        return
    for document in parse.yaml(data):
        if _is_pipeline(document, path):
            yield from _Pipeline(document, path, decode(data).split("\n")).facts()


def _is_pipeline(document: Node, path: str) -> bool:
    """Whether the shape is one of Azure Pipelines and of no other system that knows stages, jobs or steps."""
    bodies = [document.get(key) for key in ("stages", "jobs", "steps")]
    found = [body for body in bodies if body is not None and isinstance(body.value, list)]
    if NAMED.fullmatch(path):
        return bool(found) or document.get("extends") is not None
    marks = sum(
        document.get(key) is not None
        for key in ("trigger", "pool", "pr", "schedules", "parameters", "resources")
    )
    if document.get("extends", "template") is not None and marks:
        return True
    inner = [key for body in found for item in body.list[:20] for key, _ in item.items]
    if any(key in ("stage", "job", "deployment") for key in inner):
        return bool(marks) or any(
            "$" not in key and key in ("dependsOn", "displayName", "pool", "steps", "strategy")
            for key in inner
        )
    return bool(STEP_KEYS & set(inner)) and ("task" in inner or bool(marks))


@dataclass(slots=True)
class _Job:
    name: str
    line: int
    body: Node
    traits: dict[str, TraitValue]
    needs: tuple[str, ...]
    stage: str
    manual: bool = False
    conditions: tuple[str, ...] = ()
    runs: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Pipeline:
    document: Node
    path: str
    lines: list[str]
    variables: dict[str, str] = field(default_factory=dict)
    triggers: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()

    def facts(self) -> Iterator[Fact]:
        self.variables = _variables(self.document.get("variables")) | _parameters(
            self.document.get("parameters")
        )
        self.triggers, self.schedules = _triggers(self.document, self.path)
        yield from self.containers()
        stages = self.document.get("stages")
        jobs: list[_Job] = []
        loose: list[str] = []  # templates of stages and jobs, which stand beside the jobs of this file
        if stages is not None:
            before: tuple[str, ...] = ()
            for stage, condition in _flat(stages):
                before = self.stage(stage, condition, before, jobs, loose)
        elif (body := self.document.get("jobs")) is not None:
            self.jobs(body, "", (), {}, jobs, loose)
        elif (steps := self.document.get("steps")) is not None:
            yield from self.lone_steps(steps)
        extends = self.document.get("extends")
        if extends is not None and extends.at("template"):
            loose.append(self.local(extends.at("template")))
        yield from self.finished(jobs)
        if loose:
            shared = self.shared(self.path, {})
            yield automation.job(
                "templates", self.path, 1, {**shared, **kept({"runs": tuple(filter(None, loose))})}
            )

    def shared(self, unit: str, more: Mapping[str, TraitValue | bool | None]) -> dict[str, TraitValue]:
        return kept({"unit": unit, "system": "azure", "triggers": self.triggers, **more})

    # ---- stages and jobs

    def stage(
        self, stage: Node, condition: str, before: tuple[str, ...], jobs: list[_Job], loose: list[str]
    ) -> tuple[str, ...]:
        """Collect the jobs of a stage; gives what the next stage needs unless it says otherwise."""
        if stage.at("template"):
            loose.append(self.local(stage.at("template")))
            return before
        name = stage.at("stage") or stage.at("displayName")
        asked = stage.get("dependsOn")
        needs = texts(asked) if asked is not None else before
        around: dict[str, str] = {
            "condition": " and ".join(c for c in (condition, stage.at("condition")) if c)
        }
        inner = stage.get("jobs")
        if inner is not None:
            self.jobs(inner, name, tuple(f"stage {need}" for need in needs), around, jobs, loose)
        return (name,)

    def jobs(
        self,
        body: Node,
        stage: str,
        needs: tuple[str, ...],
        around: dict[str, str],
        jobs: list[_Job],
        loose: list[str],
    ) -> None:
        for number, (job, condition) in enumerate(_flat(body), 1):
            if job.at("template"):
                loose.append(self.local(job.at("template")))
                continue
            key = "deployment" if job.get("deployment") is not None else "job"
            name = job.at(key) or job.at("displayName") or f"{stage or 'job'}{number if number > 1 else ''}"
            conditions = tuple(c for c in (job.at("condition"), condition, around.get("condition", "")) if c)
            environment = self.known(job.at("environment") or job.at("environment", "name"))
            strategy = job.get("strategy")
            kind = (
                next((k for k, _ in strategy.items if k in ("runOnce", "canary", "rolling")), "")
                if strategy
                else ""
            )
            shared = self.shared(f"{self.path}#{name}", {
                "environment": environment.partition(".")[0],
                "condition": conditions,
                "dead": any(map(is_never, conditions)),
                "masked": job.at("continueOnError") == "true",
                "strategy": kind,
            })  # fmt: skip
            line = job.line_of(key) if job.get(key) is not None else job.line
            jobs.append(
                _Job(
                    name,
                    line,
                    job,
                    shared,
                    (*texts(job.get("dependsOn")), *needs),
                    stage,
                    conditions=conditions,
                )
            )

    def finished(self, jobs: list[_Job]) -> Iterator[Fact]:
        """The jobs as facts, once it is known which stand behind an approval."""
        needs: dict[str, set[str]] = {}
        gates = set()
        for job in jobs:
            needs.setdefault(job.name, set()).update(job.needs)
            needs.setdefault(f"stage {job.stage}", set()).add(job.name)
            if any(step.at("task").startswith("ManualValidation@") for step, _ in self.steps_of(job.body)):
                gates.add(job.name)
        manual = automation.behind(needs, gates)
        for job in jobs:
            found = [
                fact
                for step, condition in self.steps_of(job.body)
                for fact in self.step(step, condition, job)
            ]
            own = kept({
                "workflow": self.document.at("name"), "stage": job.stage, "needs": tuple(n.removeprefix("stage ") for n in job.needs),
                "manual": job.name in manual, "runs": tuple(dict.fromkeys(job.runs)), "schedule": self.schedules,
            })  # fmt: skip
            yield automation.job(job.name, self.path, job.line, {**job.traits, **own})
            container = job.body.get("container")
            if (
                container is not None
                and (reference := container.text or container.at("image"))
                and re.search(r"[:/]", reference)
            ):
                yield automation.image(reference, self.path, container.line, job.traits)
            yield from found

    def lone_steps(self, steps: Node) -> Iterator[Fact]:
        """A pipeline of one job, or a template of steps: then they belong to the file itself."""
        is_template = not self.triggers
        name = "" if is_template else "job"
        unit = self.path if is_template else f"{self.path}#job"
        body = Node({"steps": steps}, steps.line, keys={"steps": steps.line})
        job = _Job(name, steps.line, body, self.shared(unit, {}), (), "")
        found = [fact for step, condition in self.steps_of(body) for fact in self.step(step, condition, job)]
        own = kept(
            {
                "workflow": self.document.at("name"),
                "runs": tuple(dict.fromkeys(job.runs)),
                "schedule": self.schedules,
            }
        )
        if not is_template or job.runs:
            yield automation.job(
                name or "steps", self.path, self.document.line_of("steps"), {**job.traits, **own}
            )
        yield from found

    def steps_of(self, body: Node) -> list[tuple[Node, str]]:
        steps = body.get("steps")
        found = _flat(steps) if steps is not None else []
        strategy = body.get("strategy")
        for _, way in strategy.items if strategy is not None else ():
            hooks = [way.get(hook, "steps") for hook in HOOKS]
            hooks += [way.get("on", outcome, "steps") for outcome in ("success", "failure")]
            found += [step for hook in hooks if hook is not None for step in _flat(hook)]
        return found

    # ---- steps

    def step(self, step: Node, condition: str, job: _Job) -> Iterator[Fact]:
        own = tuple(c for c in (step.at("condition"), condition) if c)
        traits = {**job.traits, **kept({
            "step": step.at("displayName"), "condition": (*own, *job.conditions),
            "masked": step.at("continueOnError") == "true" or "masked" in job.traits,
            "dead": "dead" in job.traits or any(map(is_never, own)) or step.at("enabled") == "false",
        })}  # fmt: skip
        if step.at("template"):
            if "dead" not in traits:
                job.runs.append(self.local(step.at("template")))
            return
        for key in ("script", "bash", "pwsh", "powershell"):
            if (body := step.get(key)) is not None and body.text:
                yield from self.script(body, step, step.at("workingDirectory"), traits)
        if task := step.at("task"):
            given = step.get("inputs") or Node({}, step.line)
            inputs = [(k, self.known(v.text)) for k, v in given.items if v.text]
            yield automation.action(task, self.path, step.line_of("task"), traits, inputs)
            yield from self.task(task, step, given, traits, job)

    def task(
        self, task: str, step: Node, given: Node, traits: dict[str, TraitValue], job: _Job
    ) -> Iterator[Fact]:
        """What a task runs: inline scripts, script files, Dockerfiles."""
        place = given.at("workingDirectory") or given.at("workingFolder") or given.at("cwd")
        lower = {key.lower(): value for key, value in given.items}
        inline = lower.get("inlinescript") or (
            lower.get("script") if given.at("targetType") != "filePath" else None
        )
        if inline is not None and inline.text and not re.match(r"(?i)python", task):
            yield from self.script(inline, step, place, traits)
            return
        file = next(
            (
                v
                for k in ("scriptpath", "filepath", "scriptsource")
                if (v := lower.get(k)) is not None and "." in v.text
            ),
            None,
        )
        if file is not None:
            program = (
                "python "
                if re.match(r"(?i)python", task)
                else "bash "
                if re.match(r"(?i)bash|azurecli|shell", task)
                else ""
            )
            arguments = given.at("arguments") or given.at("scriptArguments")
            text = Script(
                f"{program}{self.known(file.text)} {' '.join(self.known(arguments).split())}",
                file.line,
                flat=True,
            )
            yield from automation.commands(
                text, self.path, traits, directory=self.folder(place), variables=self.variables
            )
        if re.match(r"(?i)docker@", task) and re.search(r"(?i)build", given.at("command") or "buildAndPush"):
            name = next((v.text for k, v in lower.items() if k == "dockerfile"), "") or "**/Dockerfile"
            job.runs.append(self.local(name.replace("**/", "")))

    def script(self, body: Node, step: Node, place: str, traits: dict[str, TraitValue]) -> Iterator[Fact]:
        found = script_of(body, self.lines)
        text = Script(self.known(found.text), found.line, found.flat)
        variables = self.variables | literals(step.get("env"))
        yield from automation.commands(
            text, self.path, traits, directory=self.folder(place), variables=variables
        )

    def known(self, text: str) -> str:
        """The text with variables and parameters put in; the others become holes of the shell."""

        def macro(match: re.Match[str]) -> str:
            name = match[1]
            if name in SHELL_WORDS:
                return match[0]
            if name.lower() in (
                "build.sourcesdirectory",
                "system.defaultworkingdirectory",
                "build.repository.localpath",
            ):
                return "."
            return self.variables.get(name, f"${{{name}}}")

        text = re.sub(r"\$\(([A-Za-z_][\w.-]*)\)", macro, text)
        return re.sub(
            r"\$\{\{\s*(?:parameters|variables)\.(\w+)\s*\}\}", lambda m: self.variables.get(m[1], m[0]), text
        )

    def folder(self, text: str) -> str:
        found = self.known(text).replace("\\", "/").removeprefix("./").rstrip("/")
        return "?" if "$" in found else "" if found == "." else found

    def local(self, reference: str) -> str:
        """The path of a template of this repository, "" for one of another."""
        return (
            ""
            if "@" in reference and not reference.endswith("@self")
            else reference.removesuffix("@self").lstrip("/")
        )

    def containers(self) -> Iterator[Fact]:
        containers = self.document.get("resources", "containers")
        for item in containers.list if containers is not None else ():
            if item.at("image"):
                yield automation.image(
                    item.at("image"), self.path, item.line_of("image"), self.shared(self.path, {})
                )
        container = self.document.get("container")
        if container is not None and re.search(r"[:/]", reference := container.text or container.at("image")):
            yield automation.image(reference, self.path, container.line, self.shared(self.path, {}))


def _flat(items: Node, condition: str = "", depth: int = 0) -> list[tuple[Node, str]]:
    """The items of a list with those under `${{ if }}` and `${{ each }}` put in, each with its conditions."""
    found: list[tuple[Node, str]] = []
    for item in items.list:
        wrapped = [(key, body) for key, body in item.items if key.startswith("${{")]
        if not wrapped:
            found.append((item, condition))
        for key, body in wrapped if depth < MAX_DEPTH else ():
            test = re.sub(r"^\$\{\{\s*(?:if|elseif)?\s*(.*?)\s*\}\}$", r"\1", key)
            inner = Node(body.list, body.line)
            found += _flat(inner, " and ".join(part for part in (test, condition) if part), depth + 1)
    return found


def _variables(node: Node | None) -> dict[str, str]:
    if node is None:
        return {}
    if node.items:
        return literals(node)
    pairs = {item.at("name"): item.at("value") for item in node.list if item.at("name")}
    return {k: v for k, v in pairs.items() if v and "$" not in v}


def _parameters(node: Node | None) -> dict[str, str]:
    if node is None:
        return {}
    if node.items:
        return {k: v for k, v in literals(node).items() if v}
    return {
        i.at("name"): i.at("default") for i in node.list if i.at("default") and "$" not in i.at("default")
    }


def _triggers(document: Node, path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What starts a pipeline, and its schedules; nothing for a template, which others include."""
    marked = any(
        document.get(key) is not None
        for key in ("trigger", "pr", "schedules", "resources", "pool", "extends")
    )
    named = re.search(r"azure[-_]?pipelines?[^/]*\.ya?ml$", path, re.IGNORECASE)
    name = path.rpartition("/")[2]
    if TEMPLATE.search(path) and document.get("trigger") is None and document.get("schedules") is None:
        return (), ()
    if not marked and not (named and not TEMPLATE.search(name)):
        return (), ()
    found = set()
    trigger, pull = document.get("trigger"), document.get("pr")
    if trigger is None:
        found.add("push")
    elif trigger.text != "none" and trigger.value != "":
        tags = trigger.get("tags") is not None
        found |= {"tag"} if tags else set()
        found |= {"push"} if trigger.get("branches") is not None or not tags else set()
    if pull is not None and pull.text != "none" and pull.value != "":
        found.add("pull_request")
    schedules = document.get("schedules")
    crons = (
        tuple(item.at("cron") for item in schedules.list if item.at("cron")) if schedules is not None else ()
    )
    if crons:
        found.add("schedule")
    for kind, meaning in (
        ("pipelines", "workflow_run"),
        ("containers", "event"),
        ("repositories", "push"),
        ("webhooks", "event"),
        ("packages", "event"),
    ):
        resources = document.get("resources", kind)
        for item in resources.list if resources is not None else ():
            asked = item.get("trigger")
            if kind == "webhooks" or (
                (asked is not None and asked.text not in ("none", "false", ""))
                or (asked is not None and asked.items)
            ):
                found.add(meaning)
    return tuple(sorted(found)) or ("manual",), crons
