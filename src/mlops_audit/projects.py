"""Monorepos: which folders are projects of their own, so that two half-done ones never add up to a pass."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mlops_audit.facts import Fact, Facts, Kind, Zone

# Manifests that declare no project of their own: locks and files that only name a runtime.
BESIDE = frozenset({"lock", "runtime"})


class NoProject(ValueError):
    """No project lies at the path that was asked for; in one line, with those that there are."""


@dataclass(frozen=True, slots=True)
class Projects:
    """The projects of a repository: their folders in order, "" for the root, and the folder that each file lies in.

    A file that is not named lies in none of them and belongs to each.
    """

    folders: tuple[str, ...] = ("",)
    home: Mapping[str, str] = field(default_factory=dict)


def split(facts: Facts, training: Iterable[str]) -> Projects:
    """The projects of a repository.

    `training` are the paths of the files that train. A folder with its own manifest and its own training code is a
    project; there are several only when at least two such folders stand beside each other. What stands in none of
    them belongs to each, and is a project too when it trains.
    """
    paths = set(training)
    folders = _outermost(_folders_with_manifest(facts.of(Kind.MANIFEST)), paths)
    if len(folders) < 2:
        return Projects()
    home = {}
    for fact in facts.of(Kind.FILE):
        for above in _above(fact.site.path):
            if above in folders:
                home[fact.site.path] = above
    root = ("",) if any(path not in home for path in paths) else ()
    return Projects((*root, *folders), home)


def part(facts: Facts, projects: Projects, folder: str) -> Facts:
    """The facts of one project: those of its folder and those that belong to each."""
    return facts.where(lambda fact: projects.home.get(fact.site.path, folder) == folder)


def chosen(projects: Projects, path: str) -> str:
    """The folder of the project at a path relative to the root of the repository, "." for the root's own.

    Raises NoProject when none lies there.
    """
    wanted = posixpath.normpath(path.replace("\\", "/"))
    found = next((folder for folder in projects.folders if (folder or ".") == wanted), None)
    if found is not None:
        return found
    if len(projects.folders) < 2:
        raise NoProject(f"no project at {path!r}: this repository is one project as a whole")
    raise NoProject(
        f"no project at {path!r}; the projects here are {', '.join(f or '.' for f in projects.folders)}"
    )


def _folders_with_manifest(manifests: Iterable[Fact]) -> list[str]:
    found = {
        fact.site.path.rpartition("/")[0]
        for fact in manifests
        if fact.zone is Zone.SOURCE
        and fact.traits.get("form") not in BESIDE
        and fact.traits.get("role") != "dev"
    }
    return sorted(found - {""})


def _outermost(folders: Sequence[str], training: Iterable[str]) -> dict[str, None]:
    """The folders with training code below them that lie in no other such folder."""
    train = {above for path in training for above in _above(path)}
    kept: dict[str, None] = {}
    for folder in folders:
        if folder in train and not any(above in kept for above in _above(folder)):
            kept[folder] = None
    return kept


def _above(path: str) -> Iterator[str]:
    """The folders that a path lies in, the innermost first, the root not among them."""
    while path := path.rpartition("/")[0]:
        yield path
