"""Compose files: services, their images, builds and commands."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterable, Iterator

from mlops_audit import parse
from mlops_audit.dockerfile import substitute
from mlops_audit.facts import Fact, Site, TraitValue
from mlops_audit.parse.nodes import Node
from mlops_audit.resources import attributes, beside, command, image, resource
from mlops_audit.shell import commands


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of a compose file: whatever it is called, it has services that name an image or a build."""
    if b"services" not in data:
        return ()
    return [fact for document in parse.yaml(data) for fact in _document(path, document)]


def _document(path: str, document: Node) -> Iterator[Fact]:
    services = document.get("services")
    if services is None or not isinstance(services.value, dict):
        return
    for name, service in services.items:
        if isinstance(service.value, dict) and (
            {"image", "build", "extends", "command", "<<"} & service.value.keys()
        ):
            yield from _service(path, name, service, services.line_of(name))


def _service(path: str, name: str, service: Node, line: int) -> Iterator[Fact]:
    unit = f"{path}#{name}"
    context, dockerfile = _build(path, service)
    always = service.at("restart") in ("always", "unless-stopped") or (
        service.at("deploy", "restart_policy", "condition") in ("any", "on-failure")
    )
    off = service.at("scale") == "0" or service.at("deploy", "replicas") == "0"
    triggers = "continuous" if always else None
    yield resource(
        "service", Site(path, line), "compose", {**_environment(service), **attributes(service)}, id=name, unit=unit,
        runs=(dockerfile,) if dockerfile else None, triggers=triggers, enabled="no" if off else None,
    )  # fmt: skip
    reference = substitute(service.at("image"), {})
    if reference:
        yield image(
            reference, Site(path, service.line_of("image")), "service", "compose", unit=unit, service=name,
            own="yes" if dockerfile else None,
        )  # fmt: skip
    script, key = _script(service)
    if script:
        directory = _directory(path, service, context)
        for found in commands(script, service.line_of(key), directory):
            yield command(path, found, unit, "compose", entry="yes", triggers=triggers)


def _environment(service: Node) -> dict[str, TraitValue]:
    """The variables that a list of `NAME=value` sets, under the paths that a mapping of them has."""
    given = service.get("environment")
    pairs = [item.text.partition("=") for item in (given.list if given is not None else []) if item.text]
    return {f"environment.{name.strip()}": value for name, sign, value in pairs if sign and name.strip()}


def _build(path: str, service: Node) -> tuple[str, str]:
    """The build context and the Dockerfile of a service, relative to the root; "" for a service without a build."""
    build = service.get("build")
    if build is None or (not build.items and not build.text):
        return "", ""
    context = substitute(build.text or build.at("context") or ".", {})
    if "://" in context or context.startswith("git@") or build.get("dockerfile_inline") is not None:
        return "", ""
    inside = posixpath.join(context, substitute(build.at("dockerfile") or "Dockerfile", {}))
    return beside(path, context), beside(path, inside)


def _words(node: Node | None) -> list[str]:
    """A command of compose as words: a list as it stands, a text split as a shell would."""
    if node is None:
        return []
    if isinstance(node.value, list):
        return [substitute(item.text, {}) for item in node.value]
    try:
        return shlex.split(substitute(node.text, {}))
    except ValueError:  # an unclosed quote
        return node.text.split()


def _script(service: Node) -> tuple[str, str]:
    """The shell text that the container starts and the key that names it; "" where only arguments are given."""
    entry, given = _words(service.get("entrypoint")), _words(service.get("command"))
    words = entry + given
    if not words or words[0].startswith("-"):
        return "", ""
    key = "entrypoint" if entry else "command"
    return shlex.join(words).replace("$$", "$"), key


def _directory(path: str, service: Node, context: str) -> str:
    """Where the command runs in the repository: the mounted folder of `working_dir`, else the build context."""
    inside = service.at("working_dir")
    volumes = service.get("volumes")
    best = ""
    found = context if service.get("build") is not None else beside(path, ".")
    for volume in volumes.list if volumes is not None else []:
        host, _, rest = volume.text.partition(":")
        host, target = volume.at("source") or host, volume.at("target") or rest.partition(":")[0]
        target = target.rstrip("/")
        if not inside or not target or not host.startswith((".", "/")) or len(target) <= len(best):
            continue
        if inside == target or inside.startswith(target + "/"):
            best, found = target, beside(path, posixpath.join(host, posixpath.relpath(inside, target)))
    return "" if found.startswith("..") else found
