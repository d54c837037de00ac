"""Helm charts, helmfiles and Kustomize overlays: what puts manifests together."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from mlops_audit import parse
from mlops_audit.facts import Fact, Site
from mlops_audit.parse.nodes import Node, decode
from mlops_audit.resources import attributes, beside, resource
from mlops_audit.templates import is_template, mask


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The chart, releases or kustomization that a file declares by its well-known name."""
    name = posixpath.basename(path).lower()
    if name.startswith("chart."):
        return [fact for document in parse.yaml(data) for fact in _chart(path, document)]
    if name.startswith("kustomization."):
        return [fact for document in parse.yaml(data) for fact in _kustomization(path, document)]
    if name.startswith("requirements."):
        return [fact for document in parse.yaml(data) for fact in _dependencies(path, document)]
    text = decode(data)
    masked = mask(text).text.encode() if is_template(text) else data
    return [fact for document in parse.yaml(masked) for fact in _releases(path, document)]


def _chart(path: str, document: Node) -> Iterator[Fact]:
    name = document.at("name")
    if not name:
        return
    templates = beside(path, "templates")
    yield resource(
        "chart", Site(path, document.line_of("name")), "helm", attributes(document), id=name, unit=path,
        runs=(templates,), api=document.at("apiVersion"),
    )  # fmt: skip
    yield from _dependencies(path, document)


def _dependencies(path: str, document: Node) -> Iterator[Fact]:
    """Charts that a chart brings along, each a resource of its own: a cluster gets what they install."""
    dependencies = document.get("dependencies")
    for item in dependencies.list if dependencies is not None else []:
        name = item.at("name")
        if name and item.at("repository") + item.at("version"):
            off = "no" if item.at("enabled").lower() == "false" else None
            yield resource(
                "chart", Site(path, item.line), "helm", attributes(item), id=name, unit=path, form="dependency",
                enabled=off, condition=item.at("condition"),
            )  # fmt: skip


def _releases(path: str, document: Node) -> Iterator[Fact]:
    releases = document.get("releases")
    for item in releases.list if releases is not None else []:
        chart = item.at("chart")
        if chart:
            off = "no" if item.at("installed").lower() == "false" else None
            runs = (beside(path, chart),) if chart.startswith(".") else None
            yield resource(
                "release", Site(path, item.line), "helmfile", attributes(item), id=item.at("name"), unit=path,
                runs=runs, enabled=off,
            )  # fmt: skip


def _kustomization(path: str, document: Node) -> Iterator[Fact]:
    found: list[str] = []
    for key in ("resources", "bases", "components", "patchesStrategicMerge", "configurations", "crds"):
        node = document.get(key)
        found.extend(item.text for item in (node.list if node is not None else []) if item.text)
    patches = document.get("patches")
    found.extend(item.at("path") for item in (patches.list if patches is not None else []) if item.at("path"))
    runs = tuple(
        dict.fromkeys(beside(path, name) for name in found if "://" not in name and "?ref=" not in name)
    )
    folder = posixpath.dirname(path)
    line = min((document.line_of(key) for key, _ in document.items), default=1)
    yield resource(
        "kustomization", Site(path, line), "kustomize", attributes(document), id=posixpath.basename(folder),
        runs=runs, unit=path,
    )  # fmt: skip
