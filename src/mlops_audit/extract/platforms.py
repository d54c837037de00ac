"""Files that put an application on a platform: Serverless, Vercel, Netlify, Render, Fly, App Engine, Railway ..."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from mlops_audit import parse
from mlops_audit.facts import Fact, Site
from mlops_audit.parse.nodes import Node
from mlops_audit.resources import attributes, beside, command, image, resource
from mlops_audit.shell import commands


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The services that a platform file declares, told by its well-known name and its shape."""
    name = posixpath.basename(path).lower()
    if name.endswith(".json"):
        documents = [parse.json_document(data)]
    elif name.endswith(".toml"):
        documents = [parse.toml(data)]
    elif name.endswith((".yaml", ".yml")):
        if b"{{" in data and b"apiVersion" in data:
            return ()  # a chart's template
        documents = parse.yaml(data)
    else:
        return ()
    return [fact for document in documents for fact in _document(path, name, document)]


def _document(path: str, name: str, document: Node) -> Iterator[Fact]:
    keys = set(dict(document.items))
    if name.startswith("serverless") and "functions" in keys | {"service", "provider"} and "provider" in keys:
        yield from _serverless(path, document)
    elif name in ("vercel.json", "now.json"):
        yield _whole(path, document, "vercel", document.at("name"))
        yield from _crons(path, document)
    elif name == "netlify.toml":
        yield _whole(path, document, "netlify", "")
    elif name.startswith("render.") and keys & {"services", "databases"}:
        yield from _render(path, document)
    elif name.startswith("fly") and keys & {"app", "http_service", "services", "vm", "primary_region"}:
        yield from _fly(path, document)
    elif name.startswith("app.y") or ("/.do/" in f"/{path}" and keys & {"services", "spec"}):
        yield from _app(path, document, keys)
    elif name.startswith("railway."):
        yield _whole(path, document, "railway", "", _start(document.get("deploy", "startCommand")))
        yield from _commands(path, document.get("deploy", "startCommand"), "railway", path)
    elif name == "app.json" and keys & {"buildpacks", "formation", "addons", "dokku"}:
        yield _whole(path, document, "heroku", document.at("name"))
    elif name == "heroku.yml" and keys & {"build", "run", "setup"}:
        yield from _heroku(path, document)
    elif name.startswith("samconfig"):
        yield _whole(path, document, "sam", document.at("default", "deploy", "parameters", "stack_name"))
    elif name == "zappa_settings.json":
        yield from _zappa(path, document)
    elif name == "apprunner.yaml":
        yield _whole(path, document, "apprunner", "")
        yield from _commands(path, document.get("run", "command"), "apprunner", path)


def _whole(path: str, document: Node, system: str, name: str, runs: tuple[str, ...] | None = None) -> Fact:
    line = min((document.line_of(key) for key, _ in document.items), default=1)
    return resource(
        "service",
        Site(path, line),
        system,
        attributes(document),
        id=name,
        unit=path,
        runs=runs,
        triggers="continuous",
    )


def _start(node: Node | None) -> tuple[str, ...] | None:
    return (node.text,) if node is not None and node.text else None


def _commands(
    path: str, node: Node | None, system: str, unit: str, triggers: str = "continuous"
) -> Iterator[Fact]:
    if node is None or not node.text:
        return
    folder = beside(path, ".")
    for found in commands(node.text, node.line, folder):
        yield command(path, found, unit, system, entry="yes", triggers=triggers)


def _serverless(path: str, document: Node) -> Iterator[Fact]:
    runtime = document.at("provider", "runtime")
    service = document.at("service") or document.at("service", "name")
    section = document.get("functions")
    if section is None or not section.items:
        yield _whole(path, document, "serverless", service)
        return
    shared = attributes(document.get("provider") or Node({}, 1), "provider")
    for name, body in section.items:
        handler = body.at("handler")
        suffix = ".js" if (body.at("runtime") or runtime).startswith("node") else ".py"
        runs = []
        if handler and "." in handler:
            runs.append(beside(path, handler.rpartition(".")[0] + suffix))
        held = {**shared, **attributes(body)}
        triggers, schedules = _events(body)
        yield resource(
            "function", Site(path, section.line_of(name)), "serverless", held, id=name, unit=f"{path}#{name}",
            runs=tuple(runs), triggers=triggers, schedule=schedules,
        )  # fmt: skip
        reference = body.at("image") or body.at("image", "uri")
        if reference and "/" in reference:
            yield image(
                reference, Site(path, body.line_of("image")), "pod", "serverless", unit=f"{path}#{name}"
            )


def _events(body: Node) -> tuple[tuple[str, ...], tuple[str, ...]]:
    triggers: dict[str, None] = {}
    schedules: dict[str, None] = {}
    events = body.get("events")
    for event in events.list if events is not None else []:
        for kind, settings in event.items:
            if settings.at("enabled").lower() == "false":
                continue
            if kind == "schedule":
                triggers["schedule"] = None
                rates = settings.get("rate")
                texts = [item.text for item in rates.list] if rates is not None else [settings.text]
                schedules.update((text, None) for text in texts if text)
            elif kind not in ("http", "httpApi", "websocket", "alb"):
                triggers["event"] = None
    return tuple(triggers), tuple(schedules)


def _crons(path: str, document: Node) -> Iterator[Fact]:
    crons = document.get("crons")
    for item in crons.list if crons is not None else []:
        if item.at("schedule"):
            site = Site(path, item.line_of("schedule"))
            yield resource(
                "cron", site, "vercel", attributes(item), id=item.at("path"), triggers="schedule",
                schedule=item.at("schedule"),
            )  # fmt: skip


def _render(path: str, document: Node) -> Iterator[Fact]:
    services = document.get("services")
    for item in services.list if services is not None else []:
        name, kind = item.at("name"), item.at("type")
        unit = f"{path}#{name}"
        cron = kind in ("cron", "cron_job")
        docker = item.at("runtime") == "docker" or item.at("env") == "docker"
        dockerfile = item.at("dockerfilePath") or ("Dockerfile" if docker else "")
        runs = (posixpath.normpath(posixpath.join(item.at("rootDir"), dockerfile)),) if dockerfile else None
        trigger = "schedule" if cron else "continuous"
        yield resource(
            "service", Site(path, item.line), "render", attributes(item), id=name, unit=unit, runs=runs,
            triggers=trigger, schedule=item.at("schedule") if cron else None,
        )  # fmt: skip
        start = item.get("startCommand") or item.get("dockerCommand")
        if start is not None and start.text:
            folder = posixpath.normpath(item.at("rootDir") or ".")
            for found in commands(start.text, start.line, "" if folder == "." else folder):
                yield command(path, found, unit, "render", entry="yes", triggers=trigger)


def _fly(path: str, document: Node) -> Iterator[Fact]:
    dockerfile = document.at("build", "dockerfile")
    runs = (beside(path, dockerfile or "Dockerfile"),) if not document.at("build", "image") else None
    yield _whole(path, document, "fly", document.at("app"), runs)
    reference = document.at("build", "image")
    if reference:
        site = Site(path, document.get("build", "image").line)  # type: ignore[union-attr]
        yield image(reference, site, "service", "fly", unit=path)
    processes = document.get("processes")
    for name, node in processes.items if processes is not None else []:
        yield from _commands(path, node, "fly", f"{path}#{name}")


def _app(path: str, document: Node, keys: set[str]) -> Iterator[Fact]:
    """App Engine's app.yaml, Databricks' and DigitalOcean's: one name, three shapes."""
    if keys & {"runtime", "env"} and keys & {
        "runtime",
        "entrypoint",
        "automatic_scaling",
        "handlers",
        "instance_class",
    }:
        yield _whole(path, document, "appengine", document.at("service") or "default")
        yield from _commands(path, document.get("entrypoint"), "appengine", path)
        return
    start = document.get("command")
    if start is not None and start.list and keys <= {"command", "env", "resources", "permissions"}:
        yield _whole(path, document, "databricks", "app")
        text = " ".join(item.text for item in start.list)
        for found in commands(text, document.line_of("command"), beside(path, ".")):
            yield command(path, found, path, "databricks", entry="yes", triggers="continuous")
        return
    body = document.get("spec") or document
    if not re.search(r"(^|/)\.do/", path) and not ({"region", "services"} <= keys):
        return
    for section, trigger in (
        ("services", "continuous"),
        ("workers", "continuous"),
        ("jobs", None),
        ("functions", None),
    ):
        for item in node.list if (node := body.get(section)) is not None else []:
            dockerfile = item.at("dockerfile_path")
            yield resource(
                "service", Site(path, item.line), "digitalocean", attributes(item), id=item.at("name"),
                unit=f"{path}#{item.at('name')}", runs=(dockerfile,) if dockerfile else None, triggers=trigger,
            )  # fmt: skip
            yield from _commands(path, item.get("run_command"), "digitalocean", f"{path}#{item.at('name')}")


def _heroku(path: str, document: Node) -> Iterator[Fact]:
    docker = document.get("build", "docker")
    built = {name: node.text for name, node in (docker.items if docker is not None else [])}
    runs = tuple(beside(path, dockerfile) for dockerfile in built.values() if dockerfile)
    yield _whole(path, document, "heroku", "", runs or None)
    section = document.get("run")
    for name, node in section.items if section is not None else []:
        yield from _commands(path, node, "heroku", f"{path}#{name}")


def _zappa(path: str, document: Node) -> Iterator[Fact]:
    for name, body in document.items:
        handler = body.at("app_function")
        module = handler.rpartition(".")[0].replace(".", "/")
        events = body.get("events")
        schedules = tuple(
            e.at("expression") for e in (events.list if events is not None else []) if e.at("expression")
        )
        if handler or body.get("s3_bucket") is not None:
            yield resource(
                "function", Site(path, document.line_of(name)), "zappa", attributes(body), id=name, unit=f"{path}#{name}",
                runs=(beside(path, module + ".py"),) if module else None, schedule=schedules,
                triggers="schedule" if schedules else None,
            )  # fmt: skip
