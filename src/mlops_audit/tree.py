"""Tracked files of a work tree or of a commit, read safely, each with its zone."""

from __future__ import annotations

import errno
import mmap
import os
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from mlops_audit.facts import Problem, Site, Zone
from mlops_audit.globs import globs
from mlops_audit.index import MAX_ENTRIES, stamp_of
from mlops_audit.parse.nodes import NotRead, ParseFailure
from mlops_audit.repository import (
    LINK_MODE,
    MAX_PATH_BYTES,
    SUBMODULE_MODE,
    Entry,
    Repository,
    RepositoryError,
)
from mlops_audit.repository.regular_files import read_regular
from mlops_audit.repository.work_tree import tracked
from mlops_audit.scaffold import filled, placed

if TYPE_CHECKING:
    from mlops_audit.repository.clean_git import Objects

MAX_FILE_BYTES = 2_000_000
MAX_NOTEBOOK_BYTES = 10_000_000
MAX_PATH_DEPTH = 64
MAX_LINK_BYTES = 4096
MAX_TOTAL_BYTES = 1_000_000_000

FOREIGN_FOLDERS = frozenset({
    "example", "examples", "sample", "samples", "demo", "demos", "tutorial", "tutorials",
    "vendor", "vendored", "third_party", "third-party", "thirdparty", "3rdparty", "extern", "external", "externals",
    "node_modules", "bower_components", "site-packages", "dist-packages", ".venv", "venv", "virtualenv", ".tox", ".nox",
    ".ipynb_checkpoints", "__pycache__", ".eggs", "mlruns", "packrat", "generated", "_build", "cdk.out", "cdktf.out",
})  # fmt: skip
RENDERED = re.compile(r"(^|[-_])rendered($|[-_])")  # what a chart of somebody else came out as
OWN_FILES = frozenset(
    {".mlops-audit.toml", ".mlops-audit-baseline.json"}
)  # they name practices and show none
DOCUMENTATION_FOLDERS = frozenset({"doc", "docs", "documentation", "website", "wiki", "slides"})
TEST_FOLDERS = frozenset({"test", "tests", "testing", "e2e", "spec", "specs", "__tests__", "integration_tests",
                          "unit_tests", "integration-tests", "integraton-test", "test_suite"})  # fmt: skip
# Folders of what tests read; a data set may lie in them too, but a program or configuration is one of the tests.
TEST_DATA_FOLDERS = re.compile(
    r"(test[-_]?(data|resources|fixtures|assets|utils)|fixtures|mocks?|__mocks__|mock[-_].*)"
)
CODE_SUFFIXES = frozenset(
    {".py", ".ipynb", ".r", ".sh", ".go", ".js", ".ts", ".tsx", ".java", ".yaml", ".yml", ".toml", ".tf"}
)
# What tells a programming assistant how to behave: advice, and no practice of the project.
ASSISTANTS_FOLDERS = frozenset(
    {".cursor", ".claude", ".windsurf", ".clinerules", ".roo", ".agents", ".gemini"}
)
ASSISTANTS_FILES = frozenset({"agents.md", "claude.md", "gemini.md", "copilot-instructions.md", ".cursorrules", ".windsurfrules",
                              ".clinerules", ".cursor.rules.md"})  # fmt: skip
PROSE_SUFFIXES = frozenset({".md", ".markdown", ".rst", ".txt", ".adoc", ".mdx"})
NOTEBOOK_SUFFIXES = frozenset({".ipynb", ".rmd", ".qmd"})


def zone_of(path: str) -> Zone:
    """The zone of a path relative to the root, by the general rules of evidence of the catalogue.

    Documents in the documentation are the project's own, code there is not. Folders of tests hold tests; so do
    files named test_*, *_test and conftest.py wherever they stand, and programs and configuration among test data.
    """
    pure = PurePosixPath(path)
    folders = [folder.lower() for folder in pure.parts[:-1]]
    name, suffix = pure.name.lower(), pure.suffix.lower()
    if name in OWN_FILES or any(
        folder in FOREIGN_FOLDERS or "{{" in folder or RENDERED.search(folder) for folder in folders
    ):
        return Zone.FOREIGN
    if folders and folders[0] in DOCUMENTATION_FOLDERS and suffix not in PROSE_SUFFIXES:
        return Zone.FOREIGN
    if name in ASSISTANTS_FILES or not ASSISTANTS_FOLDERS.isdisjoint(folders):
        return Zone.FOREIGN
    if any(folder in TEST_FOLDERS for folder in folders):
        return Zone.TEST
    if suffix in CODE_SUFFIXES and any(map(TEST_DATA_FOLDERS.fullmatch, folders)):
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


class File(NamedTuple):
    """A tracked file: path relative to the root with "/" separators, its zone, and its bytes when asked.

    `read` raises ParseFailure when the bytes cannot be had: absent, no regular file, larger than the cap.
    """

    path: str
    zone: Zone
    read: Callable[[], bytes]
    placed: str = ""  # in a template of projects: where it lands in the project that is set up
    blob: str = ""  # the id of its content, known in a commit and where a work tree's file is as git saw it


class Tree(NamedTuple):
    """The files to audit, in the order of their paths, and what was skipped and why."""

    name: str
    files: tuple[File, ...]
    skipped: tuple[Problem, ...] = ()
    commit: str = ""
    apart: bool = False  # whether several processes may read its files at the same time

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
            from mlops_audit.repository.clean_git import clean, resolve

            with clean(repository) as repo:
                yield cls.of_commit(repo, resolve(repository, Path(repo.git_dir), rev), name, exclude)
            return
        commit, cut = "", False
        if repository is None:
            from mlops_audit.repository.plain_folder import untracked

            entries, cut = untracked(root)
        else:
            commit = repository.head()
            entries = tracked(repository)
        if len(entries) > MAX_ENTRIES:
            entries, cut = entries[:MAX_ENTRIES], True
        reader = _WorkTree(root)
        found = _tree(name, entries, reader.reader, reader.target, exclude, commit, cut, reader.blob)
        yield found._replace(apart=True)

    @classmethod
    def of_commit(cls, repo: Objects, commit: str, name: str, exclude: Iterable[str] = ()) -> Tree:
        """The files of a commit, seen from a clean git directory (`clean_git.clean`) and readable while that lasts."""
        from mlops_audit.repository.objects import blob, entries_of

        def from_blob(entry: Entry) -> Callable[[], bytes]:
            def read() -> bytes:
                try:
                    return blob(repo, entry, cap_of(entry.path))
                except RepositoryError as error:
                    raise NotRead(str(error)) from error

            return read

        def target(entry: Entry) -> str:
            try:
                return os.fsdecode(blob(repo, entry, MAX_LINK_BYTES))
            except RepositoryError:
                return ""

        entries, cut = entries_of(repo, commit)
        return _tree(name, entries, from_blob, target, exclude, commit, cut, lambda entry: entry.blob)


def _tree(
    name: str,
    entries: Iterable[Entry],
    reader: Callable[[Entry], Callable[[], bytes]],
    target: Callable[[Entry], str],
    exclude: Iterable[str],
    commit: str,
    cut: bool,
    blob_of: Callable[[Entry], str],
) -> Tree:
    """The tree of entries; `blob_of` gives the id of the blob that is read for one, "" where it is not known."""
    left_out = globs(tuple(exclude), True) if (exclude := tuple(exclude)) else lambda path: False
    limits = f"skipped: what lies beyond {MAX_ENTRIES} files, {MAX_PATH_DEPTH} folders of depth or {MAX_PATH_BYTES} characters"
    skipped = [Problem(Site("."), f"{limits} of path", True)] if cut else []
    kept: dict[str, Entry] = {}
    links: list[Entry] = []
    for entry in entries:
        path = entry.path
        if not path or path.startswith(("/", "../", ".git/")) or "/../" in path:
            skipped.append(Problem(Site(path or "."), "skipped: a path that leads outside the repository"))
        elif path.count("/") > MAX_PATH_DEPTH or len(path) > MAX_PATH_BYTES:
            skipped.append(Problem(Site(path[:200]), f"skipped: deeper than {MAX_PATH_DEPTH} folders", True))
        elif left_out(path):
            continue
        elif entry.mode == SUBMODULE_MODE and not entry.blob and not path.endswith("/"):
            skipped.append(Problem(Site(path), "skipped: the folder is absent from this clone", True))
        elif path.endswith("/") or entry.mode == SUBMODULE_MODE:
            skipped.append(Problem(Site(path), "skipped: another repository (submodule)"))
        elif entry.mode & 0o170000 == LINK_MODE:
            links.append(entry)
        elif entry.left_out:
            skipped.append(
                Problem(Site(path), "skipped: left out of the work tree by a sparse checkout", True)
            )
        else:
            kept[path] = entry
    skipped.extend(
        Problem(Site(link.path), reason)
        for link in links
        if (reason := _link_reason(link, target(link), kept))
    )
    meter = _Meter()
    files = _files(kept, lambda path: meter.over(path, reader(kept[path])))
    files = tuple(file._replace(blob=blob_of(kept[file.path])) for file in files)
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


def _link_reason(link: Entry, target: str, kept: Mapping[str, Entry]) -> str:
    """Why a symbolic link is not read; "" where what it leads to is, under its own path."""
    place = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), target)) if target else ""
    if not target or target.startswith("/") or place.startswith(".."):
        return "skipped: a symbolic link that leads outside the repository"
    if place == "." or place in kept or any(path.startswith(f"{place}/") for path in kept):
        return ""
    return "skipped: a symbolic link to nothing that is tracked"


class _Meter:
    """Counts the bytes that are read, each file once, and refuses more of them than any repository needs.

    Processes that come from this one count together with it.
    """

    def __init__(self) -> None:
        self._room = memoryview(mmap.mmap(-1, 8)).cast("q")
        self._room[0] = MAX_TOTAL_BYTES
        self._counted: set[str] = set()

    def over(self, path: str, read: Callable[[], bytes]) -> Callable[[], bytes]:
        def metered() -> bytes:
            if self._room[0] < 0 and path not in self._counted:
                raise NotRead(f"more than {MAX_TOTAL_BYTES} bytes in all")
            data = read()
            if path not in self._counted:
                self._counted.add(path)
                self._room[0] -= len(data)
            return data

        return metered


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

    def blob(self, entry: Entry) -> str:
        """The id of what the file holds, when it is the very file, unchanged, that git compared with its index."""
        if not entry.stamp:
            return ""
        try:
            now = os.lstat(self._root / entry.path)
        except (OSError, ValueError):
            return ""
        return entry.blob if stamp_of(now) == entry.stamp else ""

    def target(self, entry: Entry) -> str:
        """The text of a symbolic link, "" where there is none."""
        try:
            return os.readlink(self._root / entry.path)
        except OSError:
            return ""

    def _read(self, path: str) -> bytes:
        place = path.rpartition("/")[0]
        if place not in self._inside:
            real = os.path.realpath(self._root / place)
            self._inside[place] = real == os.path.normpath(self._root / place)
        if not self._inside[place]:
            raise NotRead("a folder on its path is a symbolic link")
        try:
            return read_regular(self._root / path, cap_of(path))
        except FileNotFoundError as error:
            raise ParseFailure("skipped: tracked, but absent from the work tree") from error
        except OSError as error:
            reason = (
                "a symbolic link in the place of a file" if error.errno == errno.ELOOP else error.strerror
            )
            raise NotRead(str(reason or error)) from error
        except ValueError as error:
            raise NotRead(str(error)) from error
