"""Tracked files of a work tree or of a commit, read safely, each with its zone."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from mlops_audit.facts import Problem, Site, Zone, globs
from mlops_audit.parse import ParseFailure
from mlops_audit.repository import (
    LINK_MODE,
    MAX_ENTRIES,
    SUBMODULE_MODE,
    Entry,
    Repository,
    RepositoryError,
    blob,
    entries_of,
    read_regular,
    untracked_listing,
)
from mlops_audit.scaffold import filled, placed

MAX_FILE_BYTES = 2_000_000
MAX_NOTEBOOK_BYTES = 10_000_000
MAX_PATH_DEPTH = 64

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
    if re.fullmatch(
        r"(test_.*|.*_test|conftest|.*\.test|.*\.spec)\.(py|r|js|ts|jsx|tsx|ipynb|go|java|scala|sh)", name
    ):
        return Zone.TEST
    return Zone.NOTEBOOK if suffix in NOTEBOOK_SUFFIXES else Zone.SOURCE


def zones_of(paths: Collection[str]) -> dict[str, Zone]:
    """The zone of each path of a repository.

    A template of projects is judged as the project that it sets up: its own tooling is foreign, its documents are not.
    """
    places = placed(paths)
    zones = {path: zone_of(places.get(path, path)) for path in paths}
    if places:
        for path in zones.keys() - places.keys():
            if PurePosixPath(path).suffix.lower() not in PROSE_SUFFIXES:
                zones[path] = Zone.FOREIGN
    return zones


@dataclass(frozen=True, slots=True)
class File:
    """A tracked file: path relative to the root with "/" separators, its zone, and its bytes when asked.

    `read` raises ParseFailure when the bytes cannot be had: absent, no regular file, larger than the cap.
    """

    path: str
    zone: Zone
    read: Callable[[], bytes]
    placed: str = ""  # in a template of projects: where it lands in the project that is set up


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
        texts = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        return cls(name, _files(texts, lambda path: partial(bytes, texts[path])))

    @classmethod
    @contextmanager
    def open(cls, root: Path, rev: str | None = None, exclude: Iterable[str] = ()) -> Iterator[Tree]:
        """The tracked files of a work tree, or those of the commit `rev`, readable inside the `with` block.

        A folder that is no repository is taken as it stands, minus what its .gitignore names. `exclude` are globs of
        paths to leave out. Raises RepositoryError, in one clear line, for what cannot be opened.
        """
        root = Path(os.path.realpath(root))
        repository = Repository.at(root)
        name = root.name.removesuffix(".git") or "repository"
        if rev is None and repository is not None and repository.bare:
            rev = "HEAD"
        if rev is not None:
            if repository is None:
                raise RepositoryError("a revision can only be read from a git repository")
            with repository.clean() as repo:
                commit = repository.resolve(repo, rev)
                entries, cut = entries_of(repo, commit)

                def from_blob(entry: Entry) -> Callable[[], bytes]:
                    def read() -> bytes:
                        try:
                            return blob(repo, entry, cap_of(entry.path))
                        except RepositoryError as error:
                            raise ParseFailure(str(error)) from error

                    return read

                yield _tree(name, entries, from_blob, exclude, commit, cut)
            return
        commit, cut = "", False
        if repository is None:
            entries = [Entry(path, 0o100644, "") for path in untracked_listing(root)]
        else:
            commit = repository.head()
            entries = repository.tracked()
        if len(entries) > MAX_ENTRIES:
            entries, cut = entries[:MAX_ENTRIES], True
        reader = _WorkTree(root)
        yield _tree(name, entries, reader.reader, exclude, commit, cut)


def _tree(
    name: str,
    entries: Iterable[Entry],
    reader: Callable[[Entry], Callable[[], bytes]],
    exclude: Iterable[str],
    commit: str,
    cut: bool,
) -> Tree:
    left_out = globs(tuple(exclude), True) if (exclude := tuple(exclude)) else lambda path: False
    skipped = [Problem(Site("."), f"skipped: more than {MAX_ENTRIES} files")] if cut else []
    kept: dict[str, Entry] = {}
    for entry in entries:
        path = entry.path
        if path.endswith("/") or entry.mode == SUBMODULE_MODE:
            skipped.append(Problem(Site(path), "skipped: another repository (submodule)"))
        elif entry.mode & 0o170000 == LINK_MODE:
            skipped.append(
                Problem(Site(path), "skipped: a symbolic link; what it leads to is read under its own path")
            )
        elif path.count("/") > MAX_PATH_DEPTH:
            skipped.append(Problem(Site(path[:200]), f"skipped: deeper than {MAX_PATH_DEPTH} folders"))
        elif path.startswith(("/", "../", ".git/")) or "/../" in path:
            skipped.append(Problem(Site(path), "skipped: a path that leads outside the repository"))
        elif not left_out(path):
            kept[path] = entry
    files = _files(kept, lambda path: reader(kept[path]))
    return Tree(name, files, tuple(skipped), commit)


def _files(paths: Collection[str], reader: Callable[[str], Callable[[], bytes]]) -> tuple[File, ...]:
    """The files of a tree in the order of their paths; those of a template are read as they will be set up."""
    zones, places = zones_of(paths), placed(paths)
    found = []
    for path in sorted(paths):
        read, place = reader(path), places.get(path, "")
        found.append(File(path, zones[path], partial(_filled, read) if place else read, place))
    return tuple(found)


def _filled(read: Callable[[], bytes]) -> bytes:
    return filled(read())


def cap_of(path: str) -> int:
    """The most bytes that a file may have to be read."""
    return MAX_NOTEBOOK_BYTES if path.lower().endswith(".ipynb") else MAX_FILE_BYTES


class _WorkTree:
    """Reads files of a work tree: regular ones only, inside the root only, never blocking."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._inside: dict[str, bool] = {}

    def reader(self, entry: Entry) -> Callable[[], bytes]:
        return lambda: self._read(entry.path)

    def _read(self, path: str) -> bytes:
        place = path.rpartition("/")[0]
        if place not in self._inside:
            real = os.path.realpath(self._root / place)
            self._inside[place] = real == os.path.normpath(self._root / place)
        if not self._inside[place]:
            raise ParseFailure("skipped: a folder on its path is a symbolic link")
        try:
            return read_regular(self._root / path, cap_of(path))
        except FileNotFoundError as error:
            raise ParseFailure("skipped: tracked, but absent from the work tree") from error
        except OSError as error:
            raise ParseFailure(f"skipped: {error.strerror or error}") from error
