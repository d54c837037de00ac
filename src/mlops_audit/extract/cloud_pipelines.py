"""Azure ML, Data Factory, SageMaker and Vertex: pipelines and jobs in the files of clouds."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from mlops_audit.facts import Fact, Site, TraitValue
from mlops_audit.parse.nodes import Node
from mlops_audit.resources import attributes, beside, image, resource
from mlops_audit.stages import (
    Shapes,
    below,
    commands,
    container_facts,
    keys,
    marked,
    pairs,
    pipeline,
    shaped,
    step,
    texts,
)

# What must stand in a file for a reader of this module to find anything there: nothing else is parsed.
LINES = re.compile(rb"\n(?:type:\s*pipeline|command:)")
WORDS = (b"azureml", b"script_name", b"create_job", b"create_monitor", b"workerPoolSpecs")
JSON_MARKS = re.compile(rb'"(?:activities|typeProperties|Steps|workerPoolSpecs)"\s*:|azureml')


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts that a file of these systems states; nothing for any other document."""
    return shaped(path, marked(path, data, LINES, WORDS, JSON_MARKS), SHAPES)


def _is_azureml(document: Node) -> bool:
    if "azureml" in document.at("$schema").lower():
        return True
    if document.at("type") == "pipeline" and document.get("jobs") is not None:
        return True
    if (
        document.get("trigger") is not None
        and (document.get("create_job") or document.get("create_monitor")) is not None
    ):
        return True
    return (
        bool(document.at("command")) and bool(document.at("code")) and document.get("environment") is not None
    )


def _azureml(path: str, document: Node) -> Iterator[Fact]:
    name = document.at("name") or document.at("display_name") or document.at("experiment_name") or path
    if document.get("create_job") is not None or document.get("create_monitor") is not None:
        yield from _azureml_schedule(path, document, name)
    elif document.get("jobs") is not None:
        jobs = pairs(document, "jobs")
        units = tuple(f"{path}#{key}" for key, _ in jobs)
        yield pipeline(name, path, document.line_of("jobs"), "azureml", runs=units)
        for key, job in jobs:
            yield from _azureml_job(path, key, job, f"{path}#{key}", name)
    elif (
        document.get("command") is not None
        or document.get("task") is not None
        or document.get("trial") is not None
    ):
        yield from _azureml_job(path, name, document, path, "")


def _azureml_schedule(path: str, document: Node, name: str) -> Iterator[Fact]:
    trigger = document.get("trigger")
    cron = trigger.at("expression") if trigger is not None else ""
    every = (
        " ".join(filter(None, (trigger.at("interval"), trigger.at("frequency"))))
        if trigger is not None
        else ""
    )
    job = document.at("create_job") or document.at("create_job", "job")
    monitor = document.get("create_monitor")
    runs = (_local(path, job),) if job and not job.startswith("azureml:") else None
    yield pipeline(name, path, document.line, "azureml", schedule=cron or every, runs=runs)
    if monitor is not None:
        known: dict[str, TraitValue | None] = {
            "schedule": cron or every,
            "triggers": ("schedule",) if cron or every else None,
        }
        yield resource(
            "monitor",
            Site(path, document.line_of("create_monitor")),
            "azureml",
            attributes(document),
            id=name,
            **known,
        )


def _local(path: str, name: str) -> str:
    return beside(path, name.removeprefix("file:"))


def _azureml_job(path: str, name: str, job: Node, unit: str, within: str) -> Iterator[Fact]:
    inner = job.get("component") if job.get("component") is not None and job.at("component") == "" else None
    body = inner or job.get("trial") or job.get("task") or job
    component = job.at("component") or job.at("trial")
    typed = any(leaf.at("type") not in ("", "string", "number", "integer", "boolean")
                for way in ("inputs", "outputs") for _, leaf in pairs(body, way))  # fmt: skip
    code = body.at("code") or body.at("code_configuration", "code")
    local = not code.startswith(("http", "azureml:", "git+"))
    runs: list[str] = []
    if component and not component.startswith("azureml:"):
        runs.append(_local(path, component))
    script = (
        body.at("entry_script") or body.at("entry", "file") or body.at("code_configuration", "scoring_script")
    )
    if script:
        runs.append(beside(path, posixpath.join(code, script)))
    yield step(name, path, job.line, "azureml", unit=unit, pipeline=within, runs=tuple(runs), command=body.at("command"),
               typed="yes" if typed else None, deps=keys(body.get("inputs")), outs=keys(body.get("outputs")))  # fmt: skip
    if body.at("command"):
        directory = beside(path, code or ".") if local else "?"
        yield from commands(
            body.at("command"), path, body.line_of("command"), "azureml", unit, directory, step=name
        )


def _is_azureml_1(document: Node) -> bool:
    return document.get("pipeline", "steps") is not None and any(
        node.get("script_name") is not None for _, node in pairs(document, "pipeline", "steps")
    )


def _azureml_1(path: str, document: Node) -> Iterator[Fact]:
    name = document.at("pipeline", "name") or path
    yield pipeline(name, path, document.line, "azureml")
    for key, node in pairs(document, "pipeline", "steps"):
        script = posixpath.join(node.at("source_directory"), node.at("script_name"))
        yield step(
            key,
            path,
            node.line,
            "azureml",
            pipeline=name,
            runs=(posixpath.normpath(script),) if script else None,
        )


def _is_data_factory(document: Node) -> bool:
    held = document.get("properties")
    return held is not None and (
        held.get("activities") is not None
        or (held.at("type").endswith("Trigger") and held.get("typeProperties") is not None)
    )


def _data_factory(path: str, document: Node) -> Iterator[Fact]:
    name, held = document.at("name") or path, document.get("properties")
    if held is None:
        return
    if held.get("activities") is not None:
        yield pipeline(name, path, document.line, "data-factory")
        for node in below(held, "activities"):
            yield step(node.at("name"), path, node.line, "data-factory", pipeline=name, form=node.at("type"),
                       deps=tuple(d.at("activity") for d in below(node, "dependsOn") if d.at("activity")))  # fmt: skip
        return
    runs = tuple(p.at("pipelineReference", "referenceName") for p in below(held, "pipelines"))
    every = held.get("typeProperties", "recurrence")
    on = held.at("runtimeState").lower() != "stopped"
    timed = held.at("type") in ("ScheduleTrigger", "TumblingWindowTrigger")
    schedule = (
        f"{every.at('interval')} {every.at('frequency')}".strip() if every is not None else held.at("type")
    )
    yield pipeline(name, path, document.line, "data-factory", schedule=schedule if on and timed else "",
                   triggers=("event",) if on and not timed else (), runs=runs)  # fmt: skip


def _is_sagemaker(document: Node) -> bool:
    return bool(document.at("Version")) and any(
        s.at("Name") and s.at("Type") for s in below(document, "Steps")
    )


def _sagemaker(path: str, document: Node) -> Iterator[Fact]:
    yield pipeline(path, path, document.line, "sagemaker")
    for node in below(document, "Steps"):
        yield step(node.at("Name"), path, node.line, "sagemaker", pipeline=path, form=node.at("Type"), typed="yes",
                   deps=texts(node.get("DependsOn")))  # fmt: skip


def _is_vertex_job(document: Node) -> bool:
    return bool(below(document, "workerPoolSpecs") or below(document, "jobSpec", "workerPoolSpecs"))


def _vertex_job(path: str, document: Node) -> Iterator[Fact]:
    name = document.at("displayName") or path
    yield step(name, path, document.line, "vertex")
    for pool in below(document, "workerPoolSpecs") or below(document, "jobSpec", "workerPoolSpecs"):
        container = pool.get("containerSpec")
        if container is not None:
            if container.at("imageUri"):
                yield image(container.at("imageUri"), Site(path, container.line), "job", "vertex", unit=path)
            yield from container_facts(path, container, name, "vertex", path)


SHAPES: Shapes = (
    (_is_azureml, _azureml),
    (_is_azureml_1, _azureml_1),
    (_is_data_factory, _data_factory),
    (_is_sagemaker, _sagemaker),
    (_is_vertex_job, _vertex_job),
)
