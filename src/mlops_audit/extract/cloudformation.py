"""CloudFormation and SAM templates in YAML or JSON: resources with their attributes, schedules and handlers."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from mlops_audit import parse
from mlops_audit.facts import Fact, Site
from mlops_audit.parse.nodes import Node
from mlops_audit.resources import attributes, beside, image, resource

SUFFIXES = {"python": ".py", "nodejs": ".js", "ruby": ".rb", "java": ".java", "go": ".go"}
SCHEDULED_EVENTS = frozenset({"Schedule", "ScheduleV2"})
NO_EVENTS = frozenset({"Api", "HttpApi", "Cognito", "WebSocket", "FunctionUrl"})
CONTINUOUS = frozenset({
    "AWS::ECS::Service", "AWS::SageMaker::Endpoint", "AWS::AppRunner::Service", "AWS::ElasticBeanstalk::Environment",
    "AWS::EKS::Nodegroup",
})  # fmt: skip
FILE_KEYS = ("DefinitionUri", "TemplateURL", "Source.BuildSpec", "ScriptLocation", "BuildSpec")


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The resources of a template: a document with `Resources` of types `AWS::...`, at the top or in serverless.yml."""
    if b"AWS::" not in data or b"Resources" not in data:
        return ()
    is_json = path.lower().endswith(".json") or data[:200].lstrip().startswith(b"{")
    documents = [parse.json_document(data)] if is_json else parse.yaml(data)
    return [fact for document in documents for fact in _template(path, document)]


def _template(path: str, document: Node) -> Iterator[Fact]:
    for place in (("Resources",), ("resources", "Resources")):
        section = document.get(*place)
        for name, body in section.items if section is not None else []:
            kind = body.at("Type")
            if section is not None and re.match(r"(AWS|Alexa|Custom)::", kind):
                yield from _resource(path, Site(path, section.line_of(name)), name, kind, body, document)


def _resource(path: str, site: Site, name: str, kind: str, body: Node, document: Node) -> Iterator[Fact]:
    properties = body.get("Properties") or Node({}, site.line)
    held = attributes(properties)
    for key in ("DeletionPolicy", "Metadata", "UpdatePolicy", "CreationPolicy", "DependsOn"):
        node = body.get(key)
        if node is not None:
            held.update(attributes(node, key))
    triggers, schedule, off = _triggers(kind, properties)
    yield resource(
        kind, site, "cloudformation", held, id=name, unit=f"{path}#{name}", runs=_runs(path, properties, body, document) or None,
        triggers=None if off else triggers or None, schedule=schedule or None, enabled="no" if off else None,
        condition=body.at("Condition"),
    )  # fmt: skip
    for key, value in held.items():
        if key.split(".")[-1] in ("Image", "ImageUri"):
            for reference in (value,) if isinstance(value, str) else value:
                if re.fullmatch(r"[a-z0-9][\w.${}-]*[/:][\w.${}/:@-]+", reference):
                    role = "job" if kind.startswith("AWS::CodeBuild") else "pod"
                    yield image(reference, site, role, "cloudformation", unit=f"{path}#{name}")


def _triggers(kind: str, properties: Node) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """What starts a resource, its schedules, and whether it is switched off."""
    triggers: dict[str, None] = {}
    schedules: dict[str, None] = {}
    off = (
        properties.at("State").upper() in ("DISABLED", "PAUSED")
        or properties.at("Enabled").lower() == "false"
    )
    for place in (
        ("ScheduleExpression",), ("MonitoringScheduleConfig", "ScheduleConfig", "ScheduleExpression"),
        ("Schedule", "ScheduleExpression"),
    ):  # fmt: skip
        node = properties.get(*place)
        if node is not None and node.value != "" and "ScalingPolicy" not in kind:
            triggers["schedule"] = None
            schedules[node.text] = None
    if kind in ("AWS::Glue::Trigger", "AWS::Glue::Crawler") and properties.at("Schedule"):
        triggers["schedule"] = None
        schedules[properties.at("Schedule")] = None
    if properties.get("EventPattern") is not None or kind in (
        "AWS::Lambda::EventSourceMapping",
        "AWS::S3::BucketNotification",
    ):
        triggers["event"] = None
    events = properties.get("Events")
    for _, event in events.items if events is not None else []:
        form = event.at("Type")
        if (
            event.at("Properties", "Enabled").lower() == "false"
            or event.at("Properties", "State").upper() == "DISABLED"
        ):
            continue
        if form in SCHEDULED_EVENTS:
            triggers["schedule"] = None
            text = event.at("Properties", "Schedule") or event.at("Properties", "ScheduleExpression")
            schedules[text] = None
        elif form and form not in NO_EVENTS:
            triggers["event"] = None
    if kind in CONTINUOUS:
        triggers["continuous"] = None
    return tuple(triggers), tuple(text for text in schedules if text), off


def _runs(path: str, properties: Node, body: Node, document: Node) -> tuple[str, ...]:
    """Files that a resource runs: the module of its handler below its code folder, its definition, its Dockerfile."""
    found: dict[str, None] = {}
    shared = document.get("Globals", "Function")
    code, runtime = properties.at("CodeUri"), properties.at("Runtime")
    if shared is not None:
        code, runtime = code or shared.at("CodeUri"), runtime or shared.at("Runtime")
    handler = properties.at("Handler") or (shared.at("Handler") if shared is not None else "")
    if handler and re.fullmatch(r"[\w./-]+\.\w+", handler) and "://" not in code:
        suffix = next((s for start, s in SUFFIXES.items() if runtime.startswith(start)), ".py")
        module = handler.rpartition(".")[0].replace(".", "/") + suffix
        found[beside(path, posixpath.join(code, module))] = None
    for key in FILE_KEYS:
        text = properties.at(*key.split("."))
        if text and re.fullmatch(r"[\w./-]+\.\w+", text):
            # a build specification is a path of the repository, everything else stands relative to the template
            found[text if key.endswith("BuildSpec") else beside(path, text)] = None
    metadata = body.get("Metadata")
    if metadata is not None and metadata.at("DockerContext"):
        dockerfile = metadata.at("Dockerfile") or "Dockerfile"
        found[beside(path, posixpath.join(metadata.at("DockerContext"), dockerfile))] = None
    return tuple(found)
