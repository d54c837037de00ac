"""GitLab CI: jobs with their rules, commands, images and includes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from posixpath import basename

from mlops_audit import automation, parse
from mlops_audit.automation import Script, kept, literals, merged, script_of, texts
from mlops_audit.facts import Fact, TraitValue
from mlops_audit.parse.nodes import Node, decode

PLACE = re.compile(
    r"(?:.*/)?(?:[^/]*gitlab-ci[^/]*\.ya?ml|\.?gitlab(?:-ci)?/.*\.ya?ml|\.?ci/.*\.ya?ml)", re.IGNORECASE
)
GLOBAL = frozenset({
    "default", "include", "stages", "variables", "workflow", "image", "services", "before_script", "after_script", "cache",
    "spec", "types", "<<",
})  # fmt: skip
MAX_EXTENDS = 12

SOURCES = {
    "push": "push", "schedule": "schedule", "merge_request_event": "pull_request", "web": "manual", "api": "event",
    "trigger": "event", "pipeline": "workflow_run", "parent_pipeline": "workflow_run", "external_pull_request_event": "pull_request",
}  # fmt: skip
REFS = {
    "schedules": "schedule", "tags": "tag", "merge_requests": "pull_request", "web": "manual", "api": "event",
    "triggers": "event", "pipelines": "workflow_run", "chat": "manual", "external": "event", "pushes": "push", "branches": "push",
}  # fmt: skip


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """Facts of the CI file of the root and of files named like includes; `.gitlab-ci.yml` in a folder is dead."""
    if not PLACE.fullmatch(path) or not re.search(rb"\b(?:script|include|trigger)\s*:", data):
        return
    lines = decode(data).split("\n")
    for document in parse.yaml(data):
        jobs = {
            name: body
            for name, body in document.items
            if name not in GLOBAL and isinstance(body.value, dict) and _is_job(body)
        }
        if path == ".gitlab-ci.yml" or jobs:
            dead = basename(path) == ".gitlab-ci.yml" and "/" in path
            yield from _Pipeline(document, path, lines, dead).facts()


def _is_job(body: Node) -> bool:
    return any(body.get(key) is not None for key in ("script", "extends", "trigger", "run", "stage", "<<"))


class _Pipeline:
    """One CI file: its jobs with templates and defaults put in."""

    def __init__(self, document: Node, path: str, lines: list[str], dead: bool) -> None:
        self.document = document
        self.path = path
        self.lines = lines
        default = document.get("default")
        self.default = merged(default) if default is not None else Node({}, 1)
        self.allowed, never = _of_rules(document.get("workflow", "rules"))
        self.dead = dead or never

    def facts(self) -> Iterator[Fact]:
        for name, body in self.document.items:
            if name in GLOBAL or name.startswith(".") or not isinstance(body.value, dict):
                continue
            whole = self.whole(body, 0)
            if any(whole.get(key) is not None for key in ("script", "trigger", "run")):
                yield from self.job(name, whole)
        yield from self.includes()

    def whole(self, body: Node, depth: int) -> Node:
        """A job with `<<` merges and `extends` put in, the nearest last."""
        body = merged(body)
        above: Node | None = None
        for name in texts(body.get("extends")) if depth < MAX_EXTENDS else ():
            template = self.document.get(name)
            if template is not None and template.items:
                above = merged(self.whole(template, depth + 1), above)
        return merged(body, above)

    def job(self, name: str, body: Node) -> Iterator[Fact]:
        starts, never = self.starts(body)
        manual = body.at("when") == "manual" or starts == {"manual"}
        shared = kept({
            "unit": f"{self.path}#{name}",
            "system": "gitlab",
            "triggers": tuple(sorted(starts)),
            "environment": body.at("environment") or body.at("environment", "name"),
            "masked": body.at("allow_failure") == "true",
            "condition": tuple(rule.at("if") for rule in _list(body.get("rules")) if rule.at("if")),
            "dead": self.dead or never,
        })  # fmt: skip
        trigger = body.get("trigger")
        runs = [*texts(trigger.get("include"))] if trigger is not None and trigger.items else []
        runs += [
            i.at("local")
            for i in _list(trigger.get("include") if trigger is not None else None)
            if i.at("local")
        ]
        own = kept({
            "stage": body.at("stage"),
            "needs": tuple(need.text or need.at("job") for need in _list(body.get("needs")) if need.text or need.at("job")),
            "runs": tuple(run.lstrip("/") for run in runs),
            "manual": manual,
            "secrets": tuple(key for key, _ in (body.get("secrets") or Node({}, 1)).items),
        })  # fmt: skip
        yield automation.job(name, self.path, self.document.line_of(name), {**shared, **own})
        yield from self.images(body, shared)
        scripts = [
            *self.scripts(
                body.get("before_script")
                or self.default.get("before_script")
                or self.document.get("before_script"),
                0,
            ),
            *self.scripts(body.get("script"), 0),
        ]
        variables = literals(self.document.get("variables")) | literals(body.get("variables"))
        yield from automation.commands(scripts, self.path, shared, variables=variables)
        after = self.scripts(
            body.get("after_script") or self.default.get("after_script") or self.document.get("after_script"),
            0,
        )
        yield from automation.commands(after, self.path, {**shared, "masked": "yes"}, variables=variables)

    def scripts(self, node: Node | None, depth: int) -> list[Script]:
        """The scripts of a list, nested lists and `!reference` followed."""
        if node is None or depth > MAX_EXTENDS:
            return []
        if node.tag == "!reference":
            job, *keys = texts(node)
            template = self.document.get(job)
            target = self.whole(template, 0).get(*keys) if template is not None and keys else None
            return self.scripts(target, depth + 1)
        if isinstance(node.value, list):
            return [script for item in node.value for script in self.scripts(item, depth + 1)]
        return [script_of(node, self.lines)] if node.text else []

    def starts(self, body: Node) -> tuple[set[str], bool]:
        """What starts a job, and whether nothing ever does."""
        if body.at("when") == "never":
            return set(), True
        if body.get("rules") is not None:
            found, never = _of_rules(body.get("rules"), body.at("when"))
            return (found & self.allowed or found) if self.allowed else found, never
        found = set(self.allowed) or {"push"}
        only, excepted = body.get("only"), body.get("except")
        if only is not None:
            found = _of_refs(only) or found
        if excepted is not None:
            refs = texts(excepted.get("refs") if excepted.items else excepted)
            found -= {REFS[ref] for ref in refs if ref in REFS}
            if not found and only is None:
                found = {"tag"} if "branches" in refs else {"push"} if "tags" in refs else found
        return ({"manual"} if body.at("when") == "manual" else found), False

    def images(self, body: Node, shared: dict[str, TraitValue]) -> Iterator[Fact]:
        node = body.get("image") or self.default.get("image") or self.document.get("image")
        if node is not None and (reference := node.text or node.at("name")):
            yield automation.image(reference, self.path, node.line, shared)
        for service in _list(
            body.get("services") or self.default.get("services") or self.document.get("services")
        ):
            if reference := service.text or service.at("name"):
                yield automation.image(reference, self.path, service.line, {**shared, "role": "service"})

    def includes(self) -> Iterator[Fact]:
        """What else the pipeline consists of: local files, templates, components, files of other projects."""
        shared = kept({"unit": self.path, "system": "gitlab", "dead": self.dead})
        for item in _list(self.document.get("include")):
            for form in ("local", "remote", "template", "component", "project"):
                name = item.at(form)
                if name and form == "project":
                    version = item.at("ref")
                    name = f"{name}/{'+'.join(texts(item.get('file')))}" + (f"@{version}" if version else "")
                if name:
                    inputs = [(key, value.text) for key, value in (item.get("inputs") or Node({}, 1)).items]
                    yield automation.action(name, self.path, item.line, {**shared, "form": form}, inputs)
            if item.text:
                yield automation.action(item.text, self.path, item.line, {**shared, "form": "local"})


def _list(node: Node | None) -> list[Node]:
    return node.list if node is not None else []


def _of_rules(rules: Node | None, default: str = "") -> tuple[set[str], bool]:
    """The triggers that rules let through, and whether they let nothing through at all."""
    found: set[str] = set()
    denied: set[str] = set()
    items = [rule for rule in _list(rules) if rule.items]
    for rule in items:
        asked = _of_condition(rule.at("if"))
        when = rule.at("when") or default
        if when == "never":
            if rule.at("if") and "&&" not in rule.at("if"):
                denied |= asked
            elif not rule.at("if") and rule.get("changes") is None and rule.get("exists") is None:
                break
            continue
        found |= {"manual"} if when == "manual" else (asked or {"push"}) - denied
    never = bool(items) and not found and all((rule.at("when") or default) == "never" for rule in items)
    return found, never


def _of_condition(condition: str) -> set[str]:
    """The triggers that an `if:` of a rule asks for."""
    found = {
        SOURCES.get(source, "event")
        for source in re.findall(r"\$CI_PIPELINE_SOURCE\s*==\s*[\"'](\w+)[\"']", condition)
    }
    for sources in re.findall(r"\$CI_PIPELINE_SOURCE\s*=~\s*/([^/]*)/", condition):
        found |= {trigger for source, trigger in SOURCES.items() if source in sources}
    if not found:
        if re.search(r"\$CI_COMMIT_TAG\b(?!\s*==\s*(?:null|[\"']{2}))", condition):
            found.add("tag")
        if re.search(r"\$CI_MERGE_REQUEST_\w+", condition):
            found.add("pull_request")
        if re.search(r"\$CI_COMMIT_(?:BRANCH|REF_NAME)\b", condition):
            found.add("push")
    return found


def _of_refs(only: Node) -> set[str]:
    refs = texts(only.get("refs") if only.items else only)
    found = {REFS.get(ref, "push") for ref in refs}
    for variable in texts(only.get("variables")):
        found |= _of_condition(variable)
    return found
