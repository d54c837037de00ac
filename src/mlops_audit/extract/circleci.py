"""CircleCI: jobs as its workflows run them, with commands, orbs, images and approvals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mlops_audit import automation, parse
from mlops_audit.automation import Script, kept, literals, merged, script_of, texts
from mlops_audit.facts import Fact, TraitValue
from mlops_audit.parse.nodes import Node, decode

PLACE = re.compile(r"\.circleci/(?:config|continue[-_]?config)\.ya?ml")
MAX_DEPTH = 6


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """Facts of `.circleci/config.yml`; one in a folder below the root is dead, and so is a job of no workflow."""
    if not re.search(r"(?:^|/)\.circleci/[^/]+\.ya?ml$", path):
        return
    for document in parse.yaml(data):
        yield from _Config(document, path, decode(data).split("\n"), PLACE.fullmatch(path) is None).facts()


@dataclass(slots=True)
class _Use:
    """How workflows use a job."""

    triggers: set[str] = field(default_factory=set)
    needs: list[str] = field(default_factory=list)
    manual: bool = False
    condition: str = ""
    line: int = 0
    schedules: list[str] = field(default_factory=list)
    alive: bool = False  # whether any of the workflows can run


@dataclass(slots=True)
class _Config:
    document: Node
    path: str
    lines: list[str]
    dead: bool

    def facts(self) -> Iterator[Fact]:
        uses = self.uses()
        dead = self.dead or not any(use.alive for use in uses.values())
        shared = kept({"unit": self.path, "system": "circleci", "dead": dead})
        orbs = self.document.get("orbs")
        for name, orb in orbs.items if orbs is not None else ():
            if orb.text:
                yield automation.action(orb.text, self.path, orb.line, {**shared, "orb": name})
        jobs = self.document.get("jobs")
        for name, body in jobs.items if jobs is not None else ():
            if body.items and jobs is not None:
                yield from self.job(name, merged(body), jobs.line_of(name), uses)
        known = {name for name, _ in jobs.items} if jobs is not None else set()
        for name, use in uses.items():
            if name not in known:  # an approval, or the job of an orb
                traits = kept({
                    "unit": f"{self.path}#{name}", "system": "circleci", "triggers": tuple(sorted(use.triggers)),
                    "needs": tuple(use.needs), "manual": use.manual, "condition": use.condition,
                    "dead": self.dead or not use.alive,
                })  # fmt: skip
                yield automation.job(name, self.path, use.line, traits)
                if "/" in name:
                    yield automation.action(name, self.path, use.line, traits)

    def uses(self) -> dict[str, _Use]:
        found: dict[str, _Use] = {}
        workflows = self.document.get("workflows")
        for _, workflow in workflows.items if workflows is not None else ():
            if not workflow.items or workflow.get("jobs") is None:
                continue
            condition = " ".join(
                leaf.text
                for key in ("when", "unless")
                for _, leaf in (workflow.get(key) or Node("", 1)).leaves()
            )
            triggers, crons = _workflow_triggers(workflow, condition)
            alive = workflow.at("when") != "false" and workflow.at("unless") != "true"
            needs: dict[str, list[str]] = {}
            gates: set[str] = set()
            names: dict[str, str] = {}
            jobs = workflow.get("jobs")
            for item in jobs.list if jobs is not None else ():
                for name, body in item.items or [(item.text, Node("", item.line))]:
                    alias = body.at("name") or name
                    use = found.setdefault(name, _Use(line=item.line))
                    asked = list(texts(body.get("requires")))
                    needs.setdefault(alias, []).extend(asked)
                    names[alias] = name
                    use.needs.extend(asked)
                    use.alive |= alive
                    use.condition = use.condition or condition
                    use.schedules.extend(crons)
                    tags = body.get("filters", "tags") is not None
                    ignored = body.at("filters", "branches", "ignore") in ("/.*/", ".*")
                    starts = ({"tag"} if tags else set()) | (set() if tags and ignored else triggers)
                    use.triggers |= {"tag"} if tags and ignored else starts
                    if body.at("type") == "approval":
                        gates.add(alias)
            for alias in automation.behind(needs, gates):
                if alias in names:
                    found[names[alias]].manual = True
        if workflows is None or not found:
            found["build"] = _Use({"push"}, alive=True)
        return found

    def job(self, name: str, body: Node, line: int, uses: dict[str, _Use]) -> Iterator[Fact]:
        use = uses.get(name)
        shared = kept({
            "unit": f"{self.path}#{name}", "system": "circleci",
            "triggers": tuple(sorted(use.triggers)) if use is not None else (),
            "condition": use.condition if use is not None else "",
            "dead": self.dead or use is None or not use.alive,
        })  # fmt: skip
        own = kept({
            "needs": tuple(dict.fromkeys(use.needs)) if use is not None else (),
            "manual": use is not None and use.manual,
            "schedule": tuple(use.schedules) if use is not None else (),
        })  # fmt: skip
        yield automation.job(name, self.path, line, {**shared, **own})
        executor = self.document.get("executors", body.at("executor") or body.at("executor", "name")) or Node(
            {}, line
        )
        for number, image in enumerate((body.get("docker") or executor.get("docker") or Node([], line)).list):
            if image.at("image"):
                role = {"role": "service"} if number else {}
                yield automation.image(
                    image.at("image"), self.path, image.line_of("image"), {**shared, **role}
                )
        variables = literals(body.get("environment")) | literals(executor.get("environment"))
        place = body.at("working_directory") or executor.at("working_directory")
        yield from self.steps(body.get("steps"), shared, variables, _folder(place), 0)

    def steps(
        self,
        steps: Node | None,
        shared: dict[str, TraitValue],
        variables: dict[str, str],
        place: str,
        depth: int,
    ) -> Iterator[Fact]:
        for step in steps.list if steps is not None else ():
            for name, body in step.items or [(step.text, Node("", step.line))]:
                if name == "run":
                    yield from self.run(body, shared, variables, place)
                elif name in ("when", "unless") and depth < MAX_DEPTH:
                    yield from self.steps(body.get("steps"), shared, variables, place, depth + 1)
                elif (command := self.document.get("commands", name)) is not None and depth < MAX_DEPTH:
                    given = {
                        k: v.at("default")
                        for k, v in (command.get("parameters") or step).items
                        if v.at("default")
                    }
                    given |= {k: v.text for k, v in body.items if v.text}
                    yield from self.steps(
                        command.get("steps"), {**shared, "step": name}, variables | given, place, depth + 1
                    )
                elif "/" in name:
                    inputs = [(k, v.text) for k, v in body.items if v.text]
                    yield automation.action(name, self.path, step.line, shared, inputs)

    def run(
        self, body: Node, shared: dict[str, TraitValue], variables: dict[str, str], place: str
    ) -> Iterator[Fact]:
        command = body if body.text else body.get("command")
        if command is None or not command.text:
            return
        found = script_of(command, self.lines)
        text = re.sub(
            r"<<\s*(?:parameters|pipeline\.parameters)\.(\w+)\s*>>",
            lambda m: variables.get(m[1], f"${{{m[1]}}}"),
            found.text,
        )
        text = re.sub(r"<<\s*([\w.]+)\s*>>", r"${\1}", text)
        traits = {**shared, **kept({"step": body.at("name"), "background": body.at("background") == "true"})}
        folder = _folder(body.at("working_directory")) if body.at("working_directory") else place
        known = variables | literals(body.get("environment"))
        yield from automation.commands(
            Script(text, found.line, found.flat), self.path, traits, directory=folder, variables=known
        )


def _folder(text: str) -> str:
    """`~/project` and `~/repo` are where the code is checked out to."""
    found = re.sub(r"^~/[^/]+/?", "", text).removeprefix("./").rstrip("/")
    return (
        "?"
        if found.startswith(("~", "/")) or "<<" in found or "$" in found
        else ""
        if found == "."
        else found
    )


def _workflow_triggers(workflow: Node, condition: str) -> tuple[set[str], list[str]]:
    triggers: set[str] = set()
    crons: list[str] = []
    listed = workflow.get("triggers")
    for item in listed.list if listed is not None else ():
        if item.at("schedule", "cron"):
            triggers.add("schedule")
            crons.append(item.at("schedule", "cron"))
    if re.search(r"scheduled_pipeline|pipeline\.schedule\.", condition) and workflow.get("when") is not None:
        triggers.add("schedule")
    return triggers or {"push"}, crons
