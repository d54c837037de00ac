"""setup.cfg, the declarative manifest of setuptools."""

from __future__ import annotations

import re

from mlops_audit.packages import Manifest, Package, beside, minor_version, requirement, unique
from mlops_audit.parse.nodes import Node


def manifest(path: str, root: Node) -> Manifest:
    """The manifest of a configuration of setuptools."""
    options = root.get("options") or Node({}, 1, keys={})
    packages = _lines(options.get("install_requires"), "main")
    for name, node in (root.get("options.extras_require") or Node("", 0)).items:
        packages += _lines(node, name)
    runtime = minor_version(options.at("python_requires"))
    includes = tuple(
        beside(path, file.strip()) for file in re.findall(r"file:\s*(\S+)", options.at("install_requires"))
    )
    line = options.line_of("python_requires")
    return Manifest(path, "setup", "setuptools", unique(packages), runtime, line, includes=includes)


def _lines(node: Node | None, group: str) -> list[Package | None]:
    if node is None or node.text.startswith("file:"):
        return []
    return [requirement(row, line, group) for line, row in enumerate(node.text.split("\n"), node.line)]
