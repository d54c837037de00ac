"""Argo, Tekton, Kubeflow and Prefect: pipelines in the YAML or JSON of orchestrators."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mlops_audit.facts import Fact, Kind
from mlops_audit.parse.nodes import Node
from mlops_audit.resources import beside
from mlops_audit.stages import (
    Shapes,
    below,
    container_facts,
    is_yes,
    marked,
    pairs,
    pipeline,
    shaped,
    step,
    texts,
)

# What must stand in a file for a reader of this module to find anything there: nothing else is parsed.
LINES = re.compile(rb"\n(?:deployments:|flow_name:)")
WORDS = (b"argoproj.io", b"tekton.dev", b"kubeflow.org", b"pipelineInfo", b"implementation:")
JSON_MARKS = re.compile(rb'"(?:pipelineInfo|pipelineSpec)"\s*:')


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts that a file of these systems states; nothing for any other document."""
    return shaped(path, marked(path, data, LINES, WORDS, JSON_MARKS), SHAPES)


def _is_argo(document: Node) -> bool:
    kinds = ("Workflow", "CronWorkflow", "WorkflowTemplate", "ClusterWorkflowTemplate")
    return document.at("apiVersion").startswith("argoproj.io/") and document.at("kind") in kinds


def _argo(path: str, document: Node) -> Iterator[Fact]:
    metadata = document.get("metadata")
    name = document.at("metadata", "name") or document.at("metadata", "generateName") or path
    compiled = any("pipelines.kubeflow.org" in key for key, _ in pairs(metadata, "annotations"))
    system, unit = "kubeflow" if compiled else "argo", f"{path}#{name}"
    spec = document.get("spec")
    schedule = ""
    if document.at("kind") == "CronWorkflow" and not is_yes(document.at("spec", "suspend")):
        schedule = document.at("spec", "schedule") or ", ".join(texts(document.get("spec", "schedules")))
        spec = document.get("spec", "workflowSpec")
    elif document.at("kind") == "CronWorkflow":
        spec = document.get("spec", "workflowSpec")
    templates = [t for t in below(spec, "templates") if t.at("name")]
    after: dict[str, tuple[str, ...]] = {}
    for template in templates:
        for task in below(template, "dag", "tasks"):
            names = texts(task.get("dependencies")) or tuple(re.findall(r"[\w-]+", task.at("depends")))
            after[task.at("template")] = names
    bodies = [
        t for t in templates if any(t.get(k) is not None for k in ("container", "script", "containerSet"))
    ]
    runs = tuple(f"{unit}/{t.at('name')}" for t in bodies)
    reference = document.at("spec", "workflowSpec", "workflowTemplateRef", "name") or document.at(
        "spec", "workflowTemplateRef", "name"
    )
    yield pipeline(
        name,
        path,
        document.line,
        system,
        unit=unit,
        schedule=schedule,
        runs=runs or ((reference,) if reference else ()),
    )
    for template in bodies:
        own = f"{unit}/{template.at('name')}"
        typed = any(template.get(way, "artifacts") is not None for way in ("inputs", "outputs"))
        yield step(template.at("name"), path, template.line, system, unit=own, pipeline=name, deps=after.get(template.at("name")),
                   typed="yes" if typed else None)  # fmt: skip
        body = template.get("container") or template.get("script")
        if body is not None:
            # the image is told by the reader of Kubernetes manifests
            found = container_facts(path, body, template.at("name"), system, own)
            yield from (fact for fact in found if fact.kind is not Kind.IMAGE)


def _is_sensor(document: Node) -> bool:
    return document.at("apiVersion").startswith("argoproj.io/") and document.at("kind") == "Sensor"


def _sensor(path: str, document: Node) -> Iterator[Fact]:
    name = document.at("metadata", "name")
    yield pipeline(name, path, document.line, "argo-events", unit=f"{path}#{name}", triggers=("event",))


def _is_tekton(document: Node) -> bool:
    return document.at("apiVersion").startswith("tekton.dev/") and document.at("kind") in (
        "Pipeline",
        "Task",
        "PipelineRun",
    )


def _tekton(path: str, document: Node) -> Iterator[Fact]:
    name = document.at("metadata", "name") or document.at("metadata", "generateName")
    unit = f"{path}#{name}"
    tasks = below(document, "spec", "tasks") or below(document, "spec", "pipelineSpec", "tasks")
    if document.at("kind") != "Task":
        names = tuple(task.at("taskRef", "name") or task.at("name") for task in tasks)
        yield pipeline(name, path, document.line, "tekton", unit=unit, runs=names)
    else:
        tasks = [document]
    for task in tasks:
        for body in below(task, "spec", "steps") or below(task, "taskSpec", "steps"):
            yield step(body.at("name") or name, path, body.line, "tekton", unit=unit, pipeline=name)
            yield from container_facts(path, body, body.at("name"), "tekton", unit)


def _is_scheduled_workflow(document: Node) -> bool:
    return document.at("kind") == "ScheduledWorkflow" and "kubeflow" in document.at("apiVersion")


def _scheduled_workflow(path: str, document: Node) -> Iterator[Fact]:
    name = document.at("metadata", "name")
    on = document.at("spec", "enabled").lower() != "false"
    cron = document.at("spec", "trigger", "cronSchedule", "cron")
    every = document.at("spec", "trigger", "periodicSchedule", "intervalSecond")
    yield pipeline(
        name, path, document.line, "kubeflow", unit=f"{path}#{name}", schedule=(cron or every) if on else ""
    )


def _is_compiled(document: Node) -> bool:
    spec = document.get("pipelineSpec") or document
    return spec.get("pipelineInfo") is not None and spec.get("root") is not None


def _compiled(path: str, document: Node) -> Iterator[Fact]:
    spec = document.get("pipelineSpec") or document
    name = spec.at("pipelineInfo", "name")
    executors = spec.get("deploymentSpec", "executors")
    unit = f"{path}#{name}"
    yield pipeline(name, path, spec.line_of("pipelineInfo"), "kubeflow", unit=unit)
    components = pairs(spec, "components")
    for key, component in components:
        label = component.at("executorLabel")
        if not label:
            continue
        typed = any(
            component.get(way, "artifacts") is not None for way in ("inputDefinitions", "outputDefinitions")
        )
        yield step(key.removeprefix("comp-"), path, component.line, "kubeflow", unit=unit, pipeline=name,
                   typed="yes" if typed else None)  # fmt: skip
        container = executors.get(label, "container") if executors is not None else None
        if container is not None:
            yield from container_facts(path, container, key, "kubeflow", unit)


def _is_component(document: Node) -> bool:
    return document.get("implementation", "container") is not None


def _component(path: str, document: Node) -> Iterator[Fact]:
    name = document.at("name") or path
    typed = document.get("inputs") is not None or document.get("outputs") is not None
    yield step(name, path, document.line, "kubeflow", typed="yes" if typed else None,
               deps=tuple(item.at("name") for item in below(document, "inputs") if item.at("name")),
               outs=tuple(item.at("name") for item in below(document, "outputs") if item.at("name")))  # fmt: skip
    container = document.get("implementation", "container")
    if container is not None:
        yield from container_facts(path, container, name, "kubeflow", path)


def _is_prefect(document: Node) -> bool:
    return any(
        d.at("entrypoint") or d.get("work_pool") is not None for d in below(document, "deployments")
    ) or (bool(document.at("flow_name")) and bool(document.at("entrypoint")))


def _prefect(path: str, document: Node) -> Iterator[Fact]:
    for item in below(document, "deployments") or [document]:
        name = item.at("name") or item.at("flow_name") or path
        off = (
            any(is_yes(item.at(key)) for key in ("paused",))
            or item.at("is_schedule_active").lower() == "false"
        )
        found = []
        for schedule in [*below(item, "schedule"), *below(item, "schedules")]:
            inner = schedule.get("schedule") if schedule.get("schedule") is not None else schedule
            text = (
                inner.text or next((inner.at(k) for k in ("cron", "interval", "rrule") if inner.at(k)), "")
                if inner
                else ""
            )
            if text and schedule.at("active").lower() != "false":
                found.append(text)
        script = item.at("entrypoint").partition(":")[0]
        triggers = ("event",) if below(item, "triggers") and not off else ()
        yield pipeline(name, path, item.line, "prefect", unit=f"{path}#{name}", schedule="" if off else ", ".join(found),
                       triggers=triggers, runs=(beside(path, script),) if script else None, flow=item.at("entrypoint"))  # fmt: skip


SHAPES: Shapes = (
    (_is_argo, _argo),
    (_is_sensor, _sensor),
    (_is_tekton, _tekton),
    (_is_scheduled_workflow, _scheduled_workflow),
    (_is_compiled, _compiled),
    (_is_component, _component),
    (_is_prefect, _prefect),
)
