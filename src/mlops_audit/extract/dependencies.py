"""Manifests of Python and conda environments: which packages they declare, pinned or not, and which runtime."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from mlops_audit import parse
from mlops_audit.facts import Fact
from mlops_audit.packages import Manifest, declared
from mlops_audit.parse.nodes import decode

RUNTIMES = frozenset({".python-version", "runtime.txt", ".tool-versions", "mise.toml", ".mise.toml"})


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of one manifest; nothing for a file that only looks like one by its name."""
    manifest = _manifest(path, posixpath.basename(path).lower(), data)
    if manifest is not None and (manifest.packages or manifest.runtime or manifest.includes):
        return declared(manifest)
    return ()


def _manifest(path: str, name: str, data: bytes) -> Manifest | None:
    """The manifest of a file, by its name; the module of a format is imported when a file has it."""
    if name == "pyproject.toml":
        from mlops_audit.manifests import pyproject

        return pyproject.manifest(path, parse.toml(data))
    if name == "setup.cfg":
        from mlops_audit.manifests import setup_cfg

        return setup_cfg.manifest(path, parse.ini(data))
    if name == "setup.py":
        from mlops_audit.manifests import setup_py

        return setup_py.manifest(path, data)
    if name == "pipfile":
        from mlops_audit.manifests import pipfile

        return pipfile.manifest(path, parse.toml(data))
    if name.endswith(("conda-lock.yml", "conda-lock.yaml")):
        return None
    if name.endswith((".yml", ".yaml")):
        from mlops_audit.manifests import environments

        return environments.manifest(path, data)
    if name in RUNTIMES:
        from mlops_audit.manifests import runtimes

        return runtimes.manifest(path, name, data)
    from mlops_audit.manifests import requirements_files

    return requirements_files.manifest(path, decode(data))
