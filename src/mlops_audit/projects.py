"""Monorepos: which folders are projects of their own, so that two half-done ones never add up to a pass."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mlops_audit.facts import Fact, Facts, Kind, Zone

# Manifests that declare no project of their own: locks and files that only name a runtime.
BESIDE = frozenset({"lock", "runtime"})


class NoProject(ValueError):
    """No project lies at the path that was asked for; in one line, with those that there are."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project of a repository: its folder ("" for the root) and its facts, those of the root included."""

    folder: str
    facts: Facts


def split(facts: Facts, training: Iterable[str]) -> list[Project]:
    """The projects of a repository, in the order of their folders.

    `training` are the paths of the files that train. A folder with its own manifest and its own training code is a
    project; there are several only when at least two such folders stand beside each other. What stands in none of
    them belongs to each, and is a project too when it trains.
    """
    paths = set(training)
    folders = _outermost(_folders_with_manifest(facts.of(Kind.MANIFEST)), paths)
    if len(folders) < 2:
        return [Project("", facts)]
    home: dict[str, str] = {}
    for fact in facts.of(Kind.FILE):
        home[fact.site.path] = _home(fact.site.path, folders)
    parts = [Project(folder, _part(facts, home, folder)) for folder in folders]
    if any(home.get(path, "") == "" for path in paths):
        parts.insert(0, Project("", _part(facts, home, "")))
    return parts


def chosen(projects: Sequence[Project], path: str) -> Project:
    """The project at a path relative to the root of the repository, "." for the root's own; NoProject when none is."""
    wanted = posixpath.normpath(path.replace("\\", "/"))
    found = next((project for project in projects if (project.folder or ".") == wanted), None)
    if found is not None:
        return found
    if len(projects) < 2:
        raise NoProject(f"no project at {path!r}: this repository is one project as a whole")
    raise NoProject(
        f"no project at {path!r}; the projects here are {', '.join(p.folder or '.' for p in projects)}"
    )


def only(facts: Facts, folder: str, others: Sequence[str] = ()) -> Facts:
    """The facts of one project of a repository: those of its folder and of what stands in no other project."""
    folders = sorted({folder, *others})
    return _part(facts, {f.site.path: _home(f.site.path, folders) for f in facts.of(Kind.FILE)}, folder)


def _folders_with_manifest(manifests: Iterable[Fact]) -> list[str]:
    found = {
        fact.site.path.rpartition("/")[0]
        for fact in manifests
        if fact.zone is Zone.SOURCE
        and fact.traits.get("form") not in BESIDE
        and fact.traits.get("role") != "dev"
    }
    return sorted(found - {""})


def _outermost(folders: Sequence[str], training: set[str]) -> list[str]:
    """The folders with training code below them that lie in no other such folder."""
    kept: list[str] = []
    for folder in folders:
        if any(folder.startswith(f"{above}/") for above in kept):
            continue
        if any(path.startswith(f"{folder}/") for path in training):
            kept.append(folder)
    return kept


def _home(path: str, folders: Sequence[str]) -> str:
    return next((folder for folder in folders if path.startswith(f"{folder}/")), "")


def _part(facts: Facts, home: Mapping[str, str], folder: str) -> Facts:
    return facts.where(lambda fact: home.get(fact.site.path, "") in ("", folder))
