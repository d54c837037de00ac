"""Environments in YAML: of conda, of MLflow, of clusters of Ray."""

from __future__ import annotations

import posixpath
import re

from mlops_audit import parse
from mlops_audit.packages import (
    FREEZE,
    Manifest,
    Package,
    beside,
    development,
    minor_version,
    normalised,
    requirement,
    requirements,
    unique,
)
from mlops_audit.parse.nodes import Node

INTERPRETERS = frozenset({"python", "r-base", "openjdk"})  # their names as conda packages


def manifest(path: str, data: bytes) -> Manifest | None:
    """A conda environment, or one of the small formats like it; None for any other YAML."""
    documents = parse.yaml(data)
    root = documents[0] if len(documents) == 1 else Node("", 0)
    dependencies = root.get("dependencies")
    role = development(posixpath.basename(path).rpartition(".")[0])
    if root.get("python") is not None and (root.get("build_dependencies") or dependencies):  # of MLflow
        items = dependencies.list if dependencies else []
        includes = [beside(path, i.text[2:].strip()) for i in items if i.text.startswith("-r")]
        found = unique(requirement(i.text, i.line) for i in items if not i.text.startswith("-"))
        runtime, line = minor_version(root.at("python")), root.line_of("python")
        return Manifest(path, "python_env", "pip", found, runtime, line, includes=tuple(includes))
    if ray := root.get("python", "pip_packages"):  # an Anyscale or Ray cluster environment
        found = unique(requirements(ray, "main"))
        return Manifest(path, "cluster_env", "pip", found)
    if dependencies is None or not isinstance(dependencies.value, list):
        return None
    if not all(item.text or item.get("pip") is not None for item in dependencies.list):
        return None
    if not any(root.get(key) for key in ("channels", "name", "prefix")) and dependencies.get("pip") is None:
        return None
    return _conda(path, dependencies, role)


def _conda(path: str, dependencies: Node, role: str) -> Manifest:
    packages: list[Package | None] = []
    includes: list[str] = []
    runtime, runtime_line = "", 0
    for item in dependencies.list:
        if (nested := item.get("pip")) is not None:
            for entry in nested.list:
                if option := re.match(r"(?:-r|-c|--requirement)[\s=]+(\S+)", entry.text):
                    includes.append(beside(path, option[1].removeprefix("file:")))
                elif not entry.text.startswith("-"):
                    packages.append(requirement(entry.text.split(" #")[0], entry.line, role or "main"))
            continue
        found = re.fullmatch(r"(?:[\w./-]+::)?([\w.-]+)\s*(?:\[[^\]]*\])?\s*(.*)", item.text.strip())
        if found is None:
            continue
        name, version = normalised(found[1]), found[2].strip()
        if name in INTERPRETERS:
            runtime = runtime or minor_version(re.sub(r"(?<=[\d*])[=\s].*", "", version).lstrip("= "))
            runtime = runtime or minor_version(version)
            runtime_line = item.line
            continue
        packages.append(Package(name, version, _exact_match(version), role or "main", item.line))
    found_packages = unique(packages)
    built = sum(1 for p in found_packages if re.search(r"\d=\w+_?\d*$", p.version))
    if (
        len(found_packages) >= FREEZE
        and all(p.pinned for p in found_packages)
        and built * 2 > len(found_packages)
    ):
        found_packages = tuple(package._replace(transitive=True) for package in found_packages)
    return Manifest(
        path, "conda", "conda", found_packages, runtime, runtime_line, role, includes=tuple(includes)
    )


def _exact_match(version: str) -> bool:
    """Whether a conda match specification allows one version: `==1.2`, `=1.2.3`, `=1.2=build`, `1.2 build`."""
    if "*" in version or re.search(r"[<>!~,|]", version):
        return False
    if re.fullmatch(r"==\s*[\w.+!]+", version):
        return True
    parts = re.fullmatch(r"=?\s*([\w.+!]+)(?:[=\s]\s*(\S+))?", version)
    if parts is None or not parts[1][0].isdigit():
        return False
    return bool(parts[2]) or not version.startswith("=") or parts[1].count(".") >= 2
