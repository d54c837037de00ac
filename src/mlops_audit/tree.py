"""Tracked files of a work tree or of a commit, read safely, each with its zone."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from mlops_audit.facts import Problem, Zone

FOREIGN_FOLDERS = frozenset({
    "example", "examples", "sample", "samples", "demo", "demos", "tutorial", "tutorials",
    "vendor", "vendored", "third_party", "third-party", "thirdparty", "3rdparty", "extern", "external", "externals",
    "node_modules", "bower_components", "site-packages", "dist-packages", ".venv", "venv", "virtualenv", ".tox", ".nox",
    ".ipynb_checkpoints", "__pycache__", ".eggs", "mlruns", "packrat", "generated", "_build",
})  # fmt: skip
DOCUMENTATION_FOLDERS = frozenset({"doc", "docs", "documentation", "website", "wiki", "slides"})
TEST_FOLDERS = frozenset({"test", "tests", "testing", "e2e", "spec", "specs", "__tests__", "integration_tests",
                          "unit_tests", "integration-tests", "integraton-test", "test_suite"})  # fmt: skip
PROSE_SUFFIXES = frozenset({".md", ".markdown", ".rst", ".txt", ".adoc", ".mdx"})
NOTEBOOK_SUFFIXES = frozenset({".ipynb", ".rmd", ".qmd"})


def zone_of(path: str) -> Zone:
    """The zone of a path relative to the root, by the general rules of evidence of the catalogue.

    Documents in the documentation are the project's own, code there is not. Folders of tests hold tests; so do
    files named test_*, *_test and conftest.py wherever they stand.
    """
    pure = PurePosixPath(path)
    folders = [folder.lower() for folder in pure.parts[:-1]]
    name, suffix = pure.name.lower(), pure.suffix.lower()
    if any(folder in FOREIGN_FOLDERS or "{{" in folder for folder in folders):
        return Zone.FOREIGN
    if folders and folders[0] in DOCUMENTATION_FOLDERS and suffix not in PROSE_SUFFIXES:
        return Zone.FOREIGN
    if any(folder in TEST_FOLDERS for folder in folders):
        return Zone.TEST
    if re.fullmatch(r"(test_.*|.*_test|conftest|.*\.test|.*\.spec)\.(py|r|js|ts|jsx|tsx|ipynb|go|java|scala|sh)", name):
        return Zone.TEST
    return Zone.NOTEBOOK if suffix in NOTEBOOK_SUFFIXES else Zone.SOURCE


class File(Protocol):
    """A tracked file: path relative to the root with "/" separators, its zone, and its bytes when asked."""

    @property
    def path(self) -> str: ...
    @property
    def zone(self) -> Zone: ...
    def read(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class MemoryFile:
    path: str
    data: bytes
    zone: Zone

    def read(self) -> bytes:
        return self.data


@dataclass(frozen=True, slots=True)
class DiskFile:
    root: Path
    path: str
    zone: Zone

    def read(self) -> bytes:
        return (self.root / self.path).read_bytes()


@dataclass(frozen=True, slots=True)
class Tree:
    """The files to audit, in the order of their paths, and what was skipped and why."""

    name: str
    files: tuple[File, ...]
    skipped: tuple[Problem, ...] = ()
    commit: str = ""

    @classmethod
    def of(cls, files: Mapping[str, str | bytes], name: str = "memory") -> Tree:
        """A tree of texts given in memory: examples of rules and tests are audited like this."""
        found = (
            MemoryFile(path, text.encode() if isinstance(text, str) else text, zone_of(path))
            for path, text in sorted(files.items())
        )
        return cls(name, tuple(found))

    @classmethod
    def open(cls, root: Path, rev: str | None = None, exclude: Iterable[str] = ()) -> Tree:
        """The tracked files of a work tree, or those of the commit `rev`."""
        # PROVISIONAL: repository.py takes this over
        listing = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=False)
        if listing.returncode == 0:
            paths = [os.fsdecode(p) for p in listing.stdout.split(b"\0") if p]
        else:
            paths = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
        keep = [p for p in sorted(set(paths)) if (root / p).is_file() and not (root / p).is_symlink()]
        return cls(root.resolve().name, tuple(DiskFile(root, p, zone_of(p)) for p in keep))
