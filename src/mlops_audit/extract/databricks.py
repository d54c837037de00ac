"""Databricks bundles, jobs and the deployment files of dbx."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mlops_audit.facts import Fact, Site
from mlops_audit.parse.nodes import Node
from mlops_audit.resources import attributes, beside, resource
from mlops_audit.stages import Shapes, below, is_yes, marked, pairs, pipeline, shaped, step

# What must stand in a file for a reader of this module to find anything there: nothing else is parsed.
LINES = re.compile(rb"\n(?:bundle:|resources:|targets:)")
WORDS = (b"_task:",)
JSON_MARKS = re.compile(rb'"\w+_task"\s*:')
OPEN = re.compile(r"^\$\{workspace\.(?:file_path|root_path)\}/(?:files/)?|^file(?::fuse)?://")


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts that a file of these systems states; nothing for any other document."""
    return shaped(path, marked(path, data, LINES, WORDS, JSON_MARKS), SHAPES)


TASKS = {
    "notebook_task": ("notebook_path",),
    "spark_python_task": ("python_file",),
    "sql_task": ("file.path",),
    "dbt_task": ("project_directory",),
    "pipeline_task": (),
    "python_wheel_task": (),
    "spark_jar_task": (),
    "run_job_task": (),
    "condition_task": (),
    "for_each_task": (),
}


def _is_databricks_job(document: Node) -> bool:
    job = document.get("settings") or document
    tasks = below(job, "tasks")
    return any(job.get(key) is not None for key in TASKS) or any(
        t.get(key) is not None for t in tasks for key in TASKS
    )


def _databricks_job(path: str, document: Node) -> Iterator[Fact]:
    job = document.get("settings") or document
    yield from _job(path, job.at("name") or path, job, job.line, "")


def _is_bundle(document: Node) -> bool:
    if document.get("bundle", "name") is not None:
        return True
    kinds = {"jobs", "pipelines", "models", "registered_models", "experiments", "model_serving_endpoints", "quality_monitors",
             "schemas", "clusters", "apps", "volumes"}  # fmt: skip
    held = document.get("resources")
    overrides = any(node.get("resources") is not None for _, node in pairs(document, "targets"))
    return (held is not None and bool(held.items) and {key for key, _ in held.items} <= kinds) or overrides


def _bundle(path: str, document: Node) -> Iterator[Fact]:
    if document.get("bundle") is not None:
        kept = {k: v for k, v in attributes(document).items() if not k.startswith("resources.")}
        yield resource(
            "bundle",
            Site(path, document.line_of("bundle")),
            "databricks",
            kept,
            id=document.at("bundle", "name"),
        )
    yield from _bundled(path, document.get("resources"), "")
    for target, node in pairs(document, "targets"):
        yield from _bundled(
            path, node.get("resources"), "development" if node.at("mode") == "development" else target
        )


def _bundled(path: str, held: Node | None, target: str) -> Iterator[Fact]:
    for key, job in pairs(held, "jobs"):
        # what is deployed in the development mode has its schedules paused
        yield from _job(path, job.at("name") or key, job, job.line, key, paused=target == "development")
    for kind, group in held.items if held is not None else ():
        if kind == "jobs":
            continue
        for key, node in group.items:
            cron = node.at("schedule", "quartz_cron_expression")
            schedule = cron if node.at("schedule", "pause_status").upper() != "PAUSED" else ""
            yield resource(kind.removesuffix("s"), Site(path, node.line), "databricks", attributes(node), id=node.at("name") or key,
                           schedule=schedule, triggers=("schedule",) if schedule else None)  # fmt: skip
            if kind == "pipelines":
                files = tuple(_databricks_path(path, text) for library in below(node, "libraries")
                              for text in (library.at("notebook", "path"), library.at("file", "path")) if text)  # fmt: skip
                triggers = ("continuous",) if is_yes(node.at("continuous")) else ()
                yield pipeline(
                    node.at("name") or key,
                    path,
                    node.line,
                    "databricks",
                    unit=f"{path}#{key}",
                    runs=files,
                    triggers=triggers,
                )


def _databricks_path(path: str, text: str) -> str:
    bare = OPEN.sub("", text)
    return bare.lstrip("/") if bare != text or text.startswith("/") else beside(path, text)


def _job(path: str, name: str, job: Node, line: int, key: str, paused: bool = False) -> Iterator[Fact]:
    unit = f"{path}#{key or name}"
    tasks = [t for t in below(job, "tasks") if t.items] or (
        [job] if any(job.get(k) is not None for k in TASKS) else []
    )
    triggers: list[str] = []
    schedule = ""
    for form, trigger in (
        ("schedule", job.get("schedule")),
        ("trigger", job.get("trigger")),
        ("continuous", job.get("continuous")),
    ):
        if trigger is None or not trigger.items or paused or trigger.at("pause_status").upper() == "PAUSED":
            continue
        if form == "schedule":
            schedule = trigger.at("quartz_cron_expression") or trigger.at("cron_expression")
        elif trigger.get("periodic") is not None:
            schedule = f"every {trigger.at('periodic', 'interval')} {trigger.at('periodic', 'unit')}"
        else:
            triggers.append("continuous" if form == "continuous" else "event")
    runs: list[str] = []
    steps: list[Fact] = []
    for task in tasks:
        own: list[str] = []
        task_name = task.at("task_key") or name
        body = task.get("for_each_task", "task") or task
        for form, attributes_of_task in TASKS.items():
            for attribute in attributes_of_task:
                if text := body.at(form, *attribute.split(".")):
                    own.append(_databricks_path(path, text))
        if entry := body.at("python_wheel_task", "entry_point"):
            own.append(f"{body.at('python_wheel_task', 'package_name')}:{entry}")
        form = next((form for form in TASKS if task.get(form) is not None), "")
        steps.append(step(task_name, path, task.line, "databricks", unit=unit, pipeline=name, runs=tuple(own), form=form,
                          deps=tuple(d.at("task_key") for d in below(task, "depends_on") if d.at("task_key"))))  # fmt: skip
        runs.extend(own)
    yield pipeline(
        name,
        path,
        line,
        "databricks",
        unit=unit,
        schedule=schedule,
        triggers=triggers,
        runs=tuple(dict.fromkeys(runs)),
    )
    yield from steps


def _is_dbx(document: Node) -> bool:
    environments = document.get("environments") or document
    return any(
        below(node, "workflows") or below(node, "jobs") for _, node in environments.items if node.items
    ) and any(leaf.startswith("environments") or "_task." in leaf for leaf, _ in document.leaves())


def _dbx(path: str, document: Node) -> Iterator[Fact]:
    environments = document.get("environments") or document
    for _, node in environments.items:
        for job in [*below(node, "workflows"), *below(node, "jobs")]:
            if job.at("name") and (
                job.get("tasks") is not None or any(job.get(key) is not None for key in TASKS)
            ):
                yield from _job(path, job.at("name"), job, job.line, "")


SHAPES: Shapes = (
    (_is_bundle, _bundle),
    (_is_databricks_job, _databricks_job),
    (_is_dbx, _dbx),
)
