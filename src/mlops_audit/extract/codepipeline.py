"""Pipelines inside of CloudFormation: CodePipeline's stages, CodeBuild's own commands, Step Functions' states."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from mlops_audit import parse
from mlops_audit.facts import Fact, Kind, Site, TraitValue
from mlops_audit.parse.nodes import Node, ParseFailure
from mlops_audit.resources import attributes, beside, command
from mlops_audit.shell import commands

TYPES = (b"AWS::CodePipeline::Pipeline", b"AWS::CodeBuild::Project", b"StateMachine")
REPOSITORIES = frozenset(
    {"CodeCommit", "CodeStarSourceConnection", "GitHub", "Bitbucket", "GitHubEnterprise"}
)


class Template(NamedTuple):
    """A CloudFormation template: its path and its resources with the line of each."""

    path: str
    resources: dict[str, Node]
    lines: dict[str, int]

    def typed(self, *kinds: str) -> Iterator[tuple[str, Node]]:
        """The names and properties of the resources of some types: the first hundred, more than any real template has."""
        named = ((name, body) for name, body in self.resources.items() if body.at("Type") in kinds)
        for name, body in islice(named, 100):
            yield name, body.get("Properties") or Node({}, body.line)


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The pipelines, jobs, steps and commands of a template, or of a state machine in a file of its own."""
    is_json = path.lower().endswith(".json") or data[:200].lstrip().startswith(b"{")
    if b"StartAt" in data and b"States" in data and b"AWS::" not in data:
        documents = [parse.json_document(data)] if is_json else parse.yaml(data)
        return [fact for document in documents for fact in _machine_file(path, document)]
    if b"Resources" not in data or not any(kind in data for kind in TYPES):
        return ()
    facts: list[Fact] = []
    for document in [parse.json_document(data)] if is_json else parse.yaml(data):
        section = document.get("Resources") or document.get("resources", "Resources")
        if section is not None and isinstance(section.value, dict):
            template = Template(
                path, dict(section.items), {name: section.line_of(name) for name, _ in section.items}
            )
            facts.extend(_pipelines(template))
            facts.extend(_builds(template))
            facts.extend(_machines(template))
    return facts


# ---------------------------------------------------------------------------------------------- CodePipeline


def _pipelines(template: Template) -> Iterator[Fact]:
    for name, properties in template.typed("AWS::CodePipeline::Pipeline"):
        title = properties.at("Name") or name
        unit = f"{template.path}#{name}"
        triggers, schedules = _started_by(template, name, title)
        actions = [
            (stage, action)
            for stage in _items(properties.get("Stages"))
            for action in _items(stage.get("Actions"))
        ]
        for _, action in actions:
            triggers.update(dict.fromkeys(_source_triggers(action)))
        held: dict[str, TraitValue] = {"system": "codepipeline", "unit": unit}
        if triggers:
            held["triggers"] = tuple(triggers)
        if schedules:
            held["schedule"] = tuple(schedules)
        held["runs"] = tuple(f"{unit}/{action.at('Name')}" for _, action in actions)
        yield Fact(Kind.PIPELINE, title, Site(template.path, template.lines[name]), held)
        yield from _actions(template, unit, title, actions, tuple(triggers))


def _actions(
    template: Template, unit: str, title: str, actions: list[tuple[Node, Node]], triggers: tuple[str, ...]
) -> Iterator[Fact]:
    before: list[str] = []
    here: list[str] = []
    stage_before: Node | None = None
    approved = False
    for stage, action in actions:
        if stage is not stage_before:
            before, here, stage_before = here, [], stage
        category, provider = action.at("ActionTypeId", "Category"), action.at("ActionTypeId", "Provider")
        approved = approved or category == "Approval"
        name = action.at("Name")
        traits: dict[str, TraitValue] = {
            "system": "codepipeline", "unit": f"{unit}/{name}", "workflow": title, "stage": stage.at("Name"),
            "category": category, "provider": provider,
        }  # fmt: skip
        if triggers:
            traits["triggers"] = triggers
        if before:
            traits["needs"] = tuple(before)
        if approved:
            traits["manual"] = "yes"
        if category == "Deploy":
            traits["environment"] = stage.at("Name")
        configuration = action.get("Configuration")
        if configuration is not None:
            traits.update({f"{key}=": value for key, value in attributes(configuration).items()})
            runs = _runs(template, configuration)
            if runs:
                traits["runs"] = runs
        line = action.line_of("Name")
        yield Fact(Kind.JOB, name or category, Site(template.path, line), traits)
        here.append(name)


def _items(node: Node | None) -> list[Node]:
    return node.list if node is not None else []


def _runs(template: Template, configuration: Node) -> tuple[str, ...]:
    """What an action runs: the build specification of its project, or the template that it deploys."""
    found: list[str] = []
    project = _reference(configuration.get("ProjectName"))
    if project in template.resources:
        properties = template.resources[project].get("Properties") or Node({}, 0)
        found.append(f"{template.path}#{project}")
        specification = properties.at("Source", "BuildSpec")
        if "\n" not in specification:
            found.append(specification or "buildspec.yml")
    elif project:
        found.append("buildspec.yml")
    deployed = configuration.at("TemplatePath").partition("::")[2]
    if deployed:
        found.append(beside(template.path, deployed))
    return tuple(found)


def _reference(node: Node | None) -> str:
    """The logical name that `!Ref Name`, `{Ref: Name}` or `!GetAtt Name.Arn` refers to, else the text."""
    if node is None:
        return ""
    return (node.text or node.at("Ref") or node.at("Fn::GetAtt")).partition(".")[0]


def _started_by(template: Template, name: str, title: str) -> tuple[dict[str, None], dict[str, None]]:
    """What the event rules and schedules of the template that aim at a pipeline or machine start it on."""
    triggers: dict[str, None] = {}
    schedules: dict[str, None] = {}
    aims = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    for _, rule in template.typed("AWS::Events::Rule", "AWS::Scheduler::Schedule"):
        targets = rule.get("Targets") or rule.get("Target")
        if targets is None or rule.at("State").upper() == "DISABLED":
            continue
        values = attributes(targets, "target").values()
        if not any(
            aims.search(text) for value in values for text in ((value,) if isinstance(value, str) else value)
        ):
            continue
        if rule.get("ScheduleExpression") is not None:
            triggers["schedule"] = None
            schedules[rule.at("ScheduleExpression")] = None
        pattern = rule.get("EventPattern")
        if pattern is not None:
            sources = attributes(pattern).get("source", "")
            triggers["push" if "codecommit" in str(sources) else "event"] = None
    return triggers, schedules


def _source_triggers(action: Node) -> Iterator[str]:
    if action.at("ActionTypeId", "Category") != "Source":
        return
    provider = action.at("ActionTypeId", "Provider")
    polls = (
        action.at("Configuration", "PollForSourceChanges") or action.at("Configuration", "DetectChanges")
    ).lower()
    if provider in REPOSITORIES and (polls != "false" or provider in ("GitHub", "GitHubEnterprise")):
        yield "push"
    elif provider in ("S3", "ECR") and polls != "false":
        yield "event"


# ------------------------------------------------------------------------------------------------- CodeBuild


def _builds(template: Template) -> Iterator[Fact]:
    """The commands of build specifications that stand in the template itself."""
    for name, properties in template.typed("AWS::CodeBuild::Project"):
        specification = properties.get("Source", "BuildSpec")
        if specification is None or "\n" not in specification.text:
            continue
        try:
            documents = parse.yaml(specification.text.encode())
        except ParseFailure:
            continue
        triggers = "push" if properties.at("Triggers", "Webhook").lower() == "true" else None
        for document in documents:
            phases = document.get("phases")
            for phase, body in phases.items if phases is not None else []:
                lines = body.get("commands")
                for item in lines.list if lines is not None else []:
                    line = specification.line + item.line
                    for found in commands(item.text, line):
                        yield command(
                            template.path,
                            found,
                            f"{template.path}#{name}",
                            "codebuild",
                            step=phase,
                            triggers=triggers,
                        )


# -------------------------------------------------------------------------------------------- Step Functions


def _machines(template: Template) -> Iterator[Fact]:
    for name, properties in template.typed(
        "AWS::StepFunctions::StateMachine", "AWS::Serverless::StateMachine"
    ):
        title = properties.at("StateMachineName") or properties.at("Name") or name
        triggers, schedules = _started_by(template, name, title)
        events = properties.get("Events")
        for _, event in events.items if events is not None else []:
            if (
                event.at("Properties", "Enabled").lower() == "false"
                or event.at("Properties", "State").upper() == "DISABLED"
            ):
                continue
            if event.at("Type") in ("Schedule", "ScheduleV2"):
                triggers["schedule"] = None
                schedules[
                    event.at("Properties", "Schedule") or event.at("Properties", "ScheduleExpression")
                ] = None
            elif event.at("Type") not in ("Api", ""):
                triggers["event"] = None
        definition = properties.get("Definition")
        text = properties.get("DefinitionString")
        offset = 0
        if text is not None:
            source = text.text or text.at("Fn::Sub")
            if source.lstrip().startswith("{"):
                definition = parse.json_document(source.encode())
                offset = text.line if "\n" in source else text.line - 1
        uri = properties.at("DefinitionUri")
        runs = (beside(template.path, uri),) if re.fullmatch(r"[\w./-]+\.\w+", uri) else ()
        site = Site(template.path, template.lines[name])
        yield from _machine(
            site,
            title,
            f"{template.path}#{name}",
            definition,
            tuple(triggers),
            tuple(schedules),
            runs,
            offset,
        )


def _machine_file(path: str, document: Node) -> Iterator[Fact]:
    if document.at("StartAt") and document.get("States") is not None:
        name = posixpath.basename(path).partition(".")[0]
        yield from _machine(Site(path, document.line_of("StartAt")), name, path, document, (), (), ())


def _machine(
    site: Site, title: str, unit: str, definition: Node | None, triggers: tuple[str, ...],
    schedules: tuple[str, ...], runs: tuple[str, ...], offset: int = 0,
) -> Iterator[Fact]:  # fmt: skip
    traits: dict[str, TraitValue] = {"system": "stepfunctions", "unit": unit}
    for key, value in (("triggers", triggers), ("schedule", schedules), ("runs", runs)):
        if value:
            traits[key] = value
    yield Fact(Kind.PIPELINE, title, site, traits)
    stack = [definition] if definition is not None else []
    for _ in range(2_000):
        if not stack:
            return
        states = stack.pop().get("States")
        for name, state in states.items if states is not None else []:
            held = attributes(state)
            held.update({"system": "stepfunctions", "unit": unit, "pipeline": title})
            if state.at("Resource"):
                held["command"] = state.at("Resource")
            line = states.line_of(name) + offset if states is not None else site.line
            yield Fact(Kind.STEP, name, Site(site.path, line), held)
            branches = state.get("Branches")
            stack.extend(branches.list if branches is not None else [])
            stack.extend(
                child for key in ("Iterator", "ItemProcessor") if (child := state.get(key)) is not None
            )
