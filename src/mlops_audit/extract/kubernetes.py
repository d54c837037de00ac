"""Kubernetes manifests, plain or as Helm templates: resources, their images and the commands of their containers."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from itertools import islice

from mlops_audit import parse
from mlops_audit.facts import Fact, Site
from mlops_audit.parse.nodes import MAX_BYTES, Node, NotRead, ParseFailure, decode
from mlops_audit.resources import MAX_STEPS, attributes, collapse, command, image, resource
from mlops_audit.shell import commands
from mlops_audit.templates import Masked, is_template, mask

# The key of the first level that tells what a document is; definitions of types are no resources of the project.
KIND = re.compile(r"^ {0,2}[\"']?kind[\"']?:[ \t]*[\"']?([A-Za-z]\w*)", re.MULTILINE)
API = re.compile(r"^ {0,2}[\"']?apiVersion[\"']?:[ \t]*[\"']?([\w./{}<>-]+)", re.MULTILINE)
SKIPPED_KINDS = frozenset({"CustomResourceDefinition", "CustomResourceDefinitionList", "Kustomization"})
NOT_KUBERNETES = re.compile(r"(backstage\.io|kustomize\.config\.k8s\.io|dagger\.io|pulumi|zenml)")
OWN_SYSTEMS = (
    ("skaffold/", "skaffold"),
    ("openslo/", "openslo"),
    ("eksctl.io/", "eksctl"),
    ("kind.x-k8s.io/", "kind"),
)
CONTINUOUS = frozenset({
    "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "DeploymentConfig", "Rollout",
    "InferenceService", "InferenceGraph", "SeldonDeployment", "Model", "Pipeline", "RayService", "BentoDeployment",
    "LLMInferenceService", "ServingRuntime", "PredictiveUnit", "OpenTelemetryCollector", "Prometheus",
})  # fmt: skip
SCHEDULED = frozenset(
    {"CronJob", "ScheduledSparkApplication", "CronWorkflow", "ScheduledWorkflow", "ScheduledJob"}
)
STARTED_BY_EVENTS = frozenset(
    {"ScaledJob", "Sensor", "EventSource", "TriggerTemplate", "Trigger", "EventListener"}
)
SHELL_NAMES = re.compile(r"(.*/)?(ba|z|da|a)?sh")


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of every document that has an apiVersion and a kind.

    Documents are told apart and looked at before they are parsed: most bytes of manifests are definitions of types.
    """
    if b"apiVersion" not in data or b"kind" not in data:
        return ()
    if path.lower().endswith(".json"):
        return _json(path, data)
    if len(data) > 16 * MAX_BYTES:
        raise NotRead(f"larger than {16 * MAX_BYTES} bytes")
    return _yaml(path, decode(data))


def _json(path: str, data: bytes) -> list[Fact]:
    head = data[:4_000].decode("utf-8", errors="replace") + data[-4_000:].decode("utf-8", errors="replace")
    if not re.search(r'"apiVersion"\s*:', head) or not re.search(r'"kind"\s*:', head):
        return []
    return list(_resources(path, parse.json_document(data), 0, None))


def _yaml(path: str, text: str) -> list[Fact]:
    facts: list[Fact] = []
    failure: ParseFailure | None = None
    helm = is_template(text) and bool(
        re.search(r"\.Values\b|\.Release\b|\.Chart\b|\binclude\b|\{\{-|\{%", text)
    )
    masked = mask(text) if helm else None
    for piece, before in _documents(masked.text if masked is not None else text):
        kind = KIND.search(piece)
        if kind is None or API.search(piece) is None or kind[1] in SKIPPED_KINDS:
            continue
        try:
            for document in parse.yaml(piece.encode()):
                facts.extend(_resources(path, document, before, masked))
        except ParseFailure as error:
            if masked is not None:
                facts.extend(_by_text(path, piece, before, masked))
            elif is_template(piece):
                facts.extend(_masked_document(path, piece, before))
            elif failure is None:
                failure = ParseFailure(error.reason, error.line + before if error.line else 0)
    if failure is not None and not facts:
        raise failure
    return facts


def _documents(text: str) -> Iterator[tuple[str, int]]:
    """The documents of a YAML text, each with the number of lines before it."""
    at = line = 0
    for mark in re.finditer(r"^---(?=\s|$)[^\n]*", text, re.MULTILINE):
        piece = text[at : mark.start()]
        if piece.strip():
            yield piece, line
        line += text.count("\n", at, mark.end())
        at = mark.end()
    yield text[at:], line


def _masked_document(path: str, piece: str, before: int) -> list[Fact]:
    """The facts of a document with templates that YAML alone cannot read; what else is wrong with it is told once."""
    masked = mask(piece)
    shifted = Masked(masked.text, tuple(line + before for line in masked.lines), masked.conditions)
    try:
        return [
            fact
            for document in parse.yaml(masked.text.encode())
            for fact in _resources(path, document, before, shifted)
        ]
    except ParseFailure:
        return _by_text(path, masked.text, before, shifted)


def _by_text(path: str, piece: str, before: int, masked: Masked) -> list[Fact]:
    """What plain text patterns tell of a template that is no YAML even without its actions."""
    kind, api = KIND.search(piece), API.search(piece)
    if kind is None or api is None:
        return []
    line = before + piece.count("\n", 0, kind.start()) + 1
    name = re.search(
        r"^metadata:[^\n]*\n(?:[ \t][^\n]*\n|\n){0,20}?[ \t]+name:[ \t]*(\S+)", piece, re.MULTILINE
    )
    known = name[1].strip("\"'") if name else ""
    held: dict[str, dict[str, None]] = {}
    for found in re.finditer(
        r"^[ \t]*(?:- )?([A-Za-z][\w./-]*):[ \t]+([^\s#|>&*][^\n]*)", piece, re.MULTILINE
    ):
        held.setdefault(found[1], {})[found[2].strip().strip("\"'")] = None
    unit = f"{path}#{kind[1]}/{known}"
    facts = [
        resource(
            kind[1], Site(path, line), "helm", collapse(held), id=known, api=api[1], unit=unit, weak="yes",
            condition=masked.condition(line), triggers=_triggers(kind[1], api[1]),
        )
    ]  # fmt: skip
    images = re.finditer(r"^[ \t]*(?:- )?image:[ \t]*[\"']?([^\s\"'#]+)", piece, re.MULTILINE)
    for found in islice(images, 100):
        site = Site(path, before + piece.count("\n", 0, found.start()) + 1)
        facts.append(image(found[1], site, "pod", "helm", unit=unit, weak="yes"))
    return facts


def _resources(path: str, document: Node, before: int, masked: Masked | None) -> Iterator[Fact]:
    kind, api = document.at("kind"), document.at("apiVersion")
    if not kind or not api or kind in SKIPPED_KINDS or NOT_KUBERNETES.match(api):
        return
    if kind == "List" or (kind.endswith("List") and document.get("items") is not None):
        items = document.get("items")
        for item in items.list if items is not None else []:
            yield from _resources(path, item, before, masked)
        return
    system = next((name for start, name in OWN_SYSTEMS if api.startswith(start)), "kubernetes")
    line = document.line_of("kind") + before
    condition = ""
    if masked is not None:
        system, condition = "helm", masked.condition(line)
    name = document.at("metadata", "name") or document.at("metadata", "generateName")
    unit = f"{path}#{kind}/{name}"
    triggers, schedule = _triggers(kind, api), _schedule(kind, document)
    if kind == "ScheduledWorkflow" and not schedule:
        triggers = None
    suspended = (
        document.at("spec", "suspend").lower() == "true" or document.at("spec", "enabled").lower() == "false"
    )
    dead = "yes" if suspended and kind in SCHEDULED | {"Job", "Workflow", "ScaledJob"} else None
    held = attributes(document)
    yield resource(
        kind, Site(path, line), system, held, id=name, api=api, unit=unit, condition=condition,
        triggers=None if dead else triggers, schedule=schedule, enabled="no" if suspended else None, dead=dead,
    )  # fmt: skip
    if kind in ("ConfigMap", "Secret"):
        return
    for place in _containers(document):
        yield from _container(path, place, before, unit, system, None if dead else triggers, dead, condition)


def _triggers(kind: str, api: str) -> str | None:
    if kind in SCHEDULED:
        return "schedule"
    if kind in STARTED_BY_EVENTS:
        return "event"
    if kind in CONTINUOUS or (kind in ("Service", "Configuration") and "knative" in api):
        return "continuous"
    return None


def _schedule(kind: str, document: Node) -> tuple[str, ...] | None:
    if kind not in SCHEDULED:
        return None
    found = [
        document.at("spec", "schedule"), document.at("spec", "trigger", "cronSchedule", "cron"),
        document.at("spec", "trigger", "periodicSchedule", "intervalSecond"),
    ]  # fmt: skip
    several = document.get("spec", "schedules")
    found.extend(item.text for item in (several.list if several is not None else []))
    return tuple(text for text in found if text) or None


def _containers(document: Node) -> Iterator[Node]:
    """Every mapping that names an image, and every Tekton or Argo step with a script."""
    stack = [document]
    for _ in range(MAX_STEPS):
        if not stack:
            return
        here = stack.pop()
        if isinstance(here.value, dict):
            if here.at("image") or (here.at("script") and here.at("name")):
                yield here
            stack.extend(child for _, child in reversed(here.items))
        elif isinstance(here.value, list):
            stack.extend(reversed(here.value))


def _container(
    path: str, container: Node, before: int, unit: str, system: str, triggers: str | None, dead: str | None,
    condition: str,
) -> Iterator[Fact]:  # fmt: skip
    reference = container.at("image")
    if reference and not re.search(r"\s", reference):
        line = container.line_of("image") + before
        yield image(
            reference,
            Site(path, line),
            "pod",
            system,
            unit=unit,
            container=container.at("name"),
            condition=condition,
        )
    script, line = _script(container)
    for found in commands(script, line + before) if script else ():
        yield command(
            path, found, unit, system, entry="yes", triggers=triggers, dead=dead, condition=condition
        )


def _script(container: Node) -> tuple[str, int]:
    """The shell text that a container starts and its line; "" where its image decides or only options are given."""
    program, given = container.get("command"), container.get("args")
    source = container.at("source") or container.at("script")
    words = [node.text for part in (program, given) if part is not None for node in part.list]
    if source:
        if (words and not SHELL_NAMES.fullmatch(words[0])) or re.match(
            r"#!.*(python|node|perl|ruby)", source
        ):
            return "", 0
        key = "source" if container.at("source") else "script"
        node = container.get(key)
        inside = container.line_of(key) + (1 if node is not None and "\n" in node.text else 0)
        return source, inside
    if not words or words[0].startswith("-") or not words[0]:
        return "", 0
    key = "command" if program is not None and program.list else "args"
    text = words[0] if len(words) == 1 and " " in words[0] else shlex.join(words)
    return re.sub(r"\$\((\w+)\)", r"${\1}", text) if "$(" in text and not SHELL_NAMES.fullmatch(
        words[0]
    ) else text, (container.line_of(key))
