"""Polyaxon, Valohai, Pachyderm, Determined, Ray and SkyPilot: jobs and services of training platforms."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from mlops_audit.facts import Fact, Site
from mlops_audit.parse.nodes import Node
from mlops_audit.resources import attributes, image, module_file, resource
from mlops_audit.stages import (
    Shapes,
    below,
    commands,
    container_facts,
    keys,
    marked,
    pipeline,
    shaped,
    spoken,
    step,
    texts,
)

# What must stand in a file for a reader of this module to find anything there: nothing else is parsed.
LINES = re.compile(
    rb"\n(?:version:\s*1|- (?:step|pipeline|endpoint):|transform:|searcher:|ray_serve_config|run:)"
)
WORDS = (b"entrypoint:", b"import_path")
JSON_MARKS = re.compile(rb'"(?:transform|entrypoint|import_path)"\s*:')


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts that a file of these systems states; nothing for any other document."""
    return shaped(path, marked(path, data, LINES, WORDS, JSON_MARKS), SHAPES)


def _is_polyaxon(document: Node) -> bool:
    return document.at("kind") in ("component", "operation") and document.at("version") in (
        "1.1",
        "1.05",
        "1",
    )


def _polyaxon(path: str, document: Node) -> Iterator[Fact]:
    name = document.at("name") or path
    timing = document.get("schedule")
    schedule = (timing.at("cron") or timing.at("frequency")) if timing is not None else ""
    yield pipeline(name, path, document.line, "polyaxon", schedule=schedule)
    run = document.get("run") or document.get("component", "run")
    for node in below(run, "operations") or ([run] if run is not None else []):
        yield step(
            node.at("name") or name,
            path,
            node.line,
            "polyaxon",
            pipeline=name,
            deps=texts(node.get("dependencies")),
        )
        container = node.get("container")
        if container is not None:
            yield from container_facts(path, container, name, "polyaxon", path)


def _is_valohai(document: Node) -> bool:
    return isinstance(document.value, list) and any(
        item.at(form, "name") for item in document.list for form in ("step", "pipeline", "endpoint")
    )


def _valohai(path: str, document: Node) -> Iterator[Fact]:
    for item in document.list:
        body = item.get("step")
        if body is not None:
            unit = f"{path}#{body.at('name')}"
            lines = "\n".join(texts(body.get("command")))
            yield step(body.at("name"), path, body.line, "valohai", unit=unit, command=lines,
                       params=tuple(p.at("name") for p in below(body, "parameters")),
                       deps=tuple(p.at("name") for p in below(body, "inputs")))  # fmt: skip
            if body.at("image"):
                yield image(body.at("image"), Site(path, body.line), "job", "valohai", unit=unit)
            yield from commands(lines, path, body.line_of("command"), "valohai", unit, step=body.at("name"))
        flow = item.get("pipeline")
        if flow is not None:
            units = tuple(f"{path}#{node.at('step')}" for node in below(flow, "nodes") if node.at("step"))
            yield pipeline(
                flow.at("name"), path, flow.line, "valohai", unit=f"{path}#{flow.at('name')}", runs=units
            )
        served = item.get("endpoint")
        if served is not None:
            yield resource(
                "endpoint", Site(path, served.line), "valohai", attributes(served), id=served.at("name")
            )


def _is_pachyderm(document: Node) -> bool:
    return document.get("pipeline", "name") is not None and document.get("transform") is not None


def _pachyderm(path: str, document: Node) -> Iterator[Fact]:
    name = document.at("pipeline", "name")
    source = document.get("input")
    given = list(source.leaves()) if source is not None else []
    cron = next((node.text for key, node in given if key.endswith("cron.spec")), "")
    repositories = tuple(node.text for key, node in given if key.endswith("pfs.repo"))
    unit = f"{path}#{name}"
    yield pipeline(
        name,
        path,
        document.line,
        "pachyderm",
        unit=unit,
        schedule=cron,
        triggers=("event",) if repositories else (),
    )
    yield step(name, path, document.line, "pachyderm", unit=unit, pipeline=name, deps=repositories, outs=name)
    body = document.get("transform")
    if body is not None:
        if body.at("image"):
            yield image(body.at("image"), Site(path, body.line), "pod", "pachyderm", unit=unit)
        text = "\n".join((spoken(body.get("cmd")), *texts(body.get("stdin"))))
        yield from commands(text, path, body.line, "pachyderm", unit, step=name)


def _is_determined(document: Node) -> bool:
    return document.get("searcher", "name") is not None and document.get("entrypoint") is not None


def _determined(path: str, document: Node) -> Iterator[Fact]:
    name, text = document.at("name") or path, spoken(document.get("entrypoint"))
    module = module_file(path, text) if re.fullmatch(r"[\w.]+:\w+", text) else None
    yield step(
        name,
        path,
        document.line,
        "determined",
        command=text,
        runs=module,
        params=keys(document.get("hyperparameters")),
    )
    if module is None:
        yield from commands(
            text, path, document.line_of("entrypoint"), "determined", path, posixpath.dirname(path)
        )


def _is_ray_service(document: Node) -> bool:
    applications = below(document, "applications")
    served = document.get("ray_serve_config") is not None or document.get("rollout_strategy") is not None
    return served or any(item.at("import_path") for item in applications) or (
        bool(document.at("import_path")) and document.get("deployments") is not None
    )  # fmt: skip


def _ray_service(path: str, document: Node) -> Iterator[Fact]:
    handlers = [node.text for key, node in document.leaves() if key.endswith("import_path") and node.text]
    # a service is started from the root of the repository, as its import path shows
    runs = tuple(dict.fromkeys(run for handler in handlers for run in module_file("", handler)))
    yield resource("service", Site(path, document.line), "ray", attributes(document), id=document.at("name") or path,
                   runs=runs, unit=path, triggers=("continuous",))  # fmt: skip
    if document.at("entrypoint"):
        yield from commands(document.at("entrypoint"), path, document.line_of("entrypoint"), "ray", path)


def _is_ray_job(document: Node) -> bool:
    job = document.get("job_config") or document
    marks = (
        "compute_config",
        "cluster_env",
        "runtime_env",
        "image_uri",
        "build_id",
        "containerfile",
        "project_id",
        "working_dir",
    )
    return bool(job.at("entrypoint")) and sum(job.get(key) is not None for key in marks) >= 1


def _ray_job(path: str, document: Node) -> Iterator[Fact]:
    job = document.get("job_config") or document
    name = document.at("name") or job.at("name") or path
    yield pipeline(
        name,
        path,
        document.line,
        "ray",
        schedule=document.at("cron_expression") or document.at("schedule", "cron_expression"),
    )
    yield from commands(job.at("entrypoint"), path, job.line_of("entrypoint"), "ray", path, step=name)


def _is_skypilot(document: Node) -> bool:
    return bool(document.at("run")) and document.get("resources") is not None and (
        document.get("resources", "accelerators") is not None or document.get("setup") is not None
    )  # fmt: skip


def _skypilot(path: str, document: Node) -> Iterator[Fact]:
    name = document.at("name") or path
    if document.get("service") is not None:
        yield resource("service", Site(path, document.line_of("service")), "skypilot", attributes(document), id=name, unit=path,
                       triggers=("continuous",))  # fmt: skip
    else:
        yield step(
            name, path, document.line_of("run"), "skypilot", command=" ".join(document.at("run").split())
        )
    for key in ("setup", "run"):
        yield from commands(document.at(key), path, document.line_of(key), "skypilot", path, step=key)


SHAPES: Shapes = (
    (_is_polyaxon, _polyaxon),
    (_is_valohai, _valohai),
    (_is_pachyderm, _pachyderm),
    (_is_determined, _determined),
    (_is_ray_service, _ray_service),
    (_is_ray_job, _ray_job),
    (_is_skypilot, _skypilot),
)
