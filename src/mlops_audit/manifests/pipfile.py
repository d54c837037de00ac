"""Pipfile, the manifest of Pipenv."""

from __future__ import annotations

from mlops_audit.manifests.version_tables import version_table
from mlops_audit.packages import Manifest, minor_version, unique
from mlops_audit.parse.nodes import Node


def manifest(path: str, root: Node) -> Manifest:
    """The manifest of a Pipfile."""
    packages = [*version_table(root.get("packages"), "main"), *version_table(root.get("dev-packages"), "dev")]
    requires = root.get("requires") or Node({}, 1, keys={})
    key = "python_full_version" if requires.get("python_full_version") else "python_version"
    runtime = minor_version(requires.at(key))
    return Manifest(path, "pipfile", "pipenv", unique(packages), runtime, requires.line_of(key))
