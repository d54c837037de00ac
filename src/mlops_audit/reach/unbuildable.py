"""Dockerfiles whose build fails as committed: they install the project without a file that its build reads."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch

from mlops_audit.facts import Fact, Kind, Zone, values

# The packages of a Python of another version than that of the image into which they are copied are not found there.
PACKAGES = re.compile(r"/python(\d+\.\d+)/(?:site|dist)-packages/?(?:\s|$)")
PYTHON = re.compile(r"(?:.*/)?python:(\d+\.\d+)(?![\d])")
OPENS = frozenset({"open", "io.open", "codecs.open"})
# Backends that stop where the readme that the project names is not there; setuptools only warns.
STRICT_BACKENDS = ("hatchling", "poetry.core", "flit", "uv_build", "pdm.backend")
README = ("project.readme", "project.readme.file", "tool.poetry.readme")
BACKEND = "build-system.build-backend"
READ_OF_PROJECTS = frozenset({BACKEND, *README})
# A tree of fewer files is an excerpt, in which a file that is not there says nothing.
ENOUGH = 16
# Files that a person writes and tracks: a build that copies one of which there is no trace has nothing to copy.
WRITTEN_BY_HAND = re.compile(r"(?:requirements[^/]*\.(?:txt|in)|setup\.(?:py|cfg)|pyproject\.toml|pipfile|environment\.ya?ml|[^/]+\.py)$", re.IGNORECASE)  # fmt: skip


def unbuildable(facts: Sequence[Fact]) -> frozenset[str]:
    """The Dockerfiles of the sources that install the project in a stage which lacks a file that `setup.py` opens or
    that a strict backend reads, or that copy a file of code or requirements of which the repository has no trace.
    """
    installs = [f for f in facts if f.kind is Kind.COMMAND and "holds" in f.traits and f.zone is Zone.SOURCE]
    found = _without_files(facts, installs) if installs else set()
    return frozenset(found | _without_sources(facts) | _of_another_python(facts))


def _without_files(facts: Sequence[Fact], installs: Sequence[Fact]) -> set[str]:
    read = _read_by_builds(facts)
    mounted = {
        (fact.site.path, fact.site.line)
        for fact in facts
        if fact.kind is Kind.INSTRUCTION and fact.name == "RUN" and "mount=" in fact.traits
    }
    found = set()
    for fact in installs:
        if (fact.site.path, fact.site.line) in mounted:
            continue
        held = values(fact.traits["holds"])
        folder = next(iter(values(fact.traits.get("directory"))), "")
        needs = [*read.get(folder, ()), *(read.get("", ()) if folder not in read else ())]
        if any(_is_held(manifest, held) and not _is_held(needed, held) for manifest, needed in needs):
            found.add(fact.site.path)
    return found


def _read_by_builds(facts: Iterable[Fact]) -> Mapping[str, set[tuple[str, str]]]:
    """By folder: the manifest of a project there with a file that its build reads and cannot do without."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    backends: dict[str, str] = {}
    readmes: dict[str, str] = {}
    for fact in facts:
        path = fact.site.path
        folder, _, name = path.rpartition("/")
        if name == "setup.py" and fact.kind is Kind.CALL and fact.name in OPENS:
            if not {"function", "guard", "dead"} & set(fact.traits):
                opened = next(iter(values(fact.traits.get("1"))), "")
                if re.fullmatch(r"[\w-]+\.(?:txt|md|rst|in|cfg)", opened):
                    found[folder].add((path, f"{folder}/{opened}".lstrip("/")))
        elif name == "pyproject.toml" and fact.kind is Kind.SETTING:
            value = next(iter(values(fact.traits.get("value"))), "")
            if fact.name == BACKEND:
                backends[folder] = value
            elif fact.name in README:
                readmes[folder] = value
    for folder, readme in readmes.items():
        if backends.get(folder, "").startswith(STRICT_BACKENDS):
            found[folder].add((f"{folder}/pyproject.toml".lstrip("/"), f"{folder}/{readme}".lstrip("/")))
    return found


def _is_held(path: str, held: Iterable[str]) -> bool:
    return any(
        source in ("", ".") or path == source or path.startswith(f"{source}/") or fnmatch(path, source)
        for source in held
    )


def _without_sources(facts: Iterable[Fact]) -> set[str]:
    tracked: set[str] = set()
    copied: list[tuple[str, str]] = []
    said: list[str] = []
    for fact in facts:
        if fact.kind is Kind.FILE:
            tracked.add(fact.name.rpartition("/")[2].lower())
        elif fact.kind is Kind.INSTRUCTION and fact.zone is Zone.SOURCE and "from=" not in fact.traits:
            copied += [(fact.site.path, source) for source in values(fact.traits.get("copies"))]
        elif fact.kind is Kind.COMMAND and fact.traits.get("system") != "docker":
            said.append(fact.name)
    if len(tracked) < ENOUGH:
        return set()
    asked = {
        (path, name)
        for path, source in copied
        if WRITTEN_BY_HAND.match(name := source.rpartition("/")[2]) and name.lower() not in tracked
    }
    return {
        path
        for path, name in asked
        if not re.search(r"[$*?\[]", name) and not any(name in text for text in said)
    }


def _of_another_python(facts: Iterable[Fact]) -> set[str]:
    """The Dockerfiles that copy packages to where only a Python of another version than their image's looks for them."""
    versions: dict[tuple[str, str], str] = {}
    copied: list[tuple[str, str, str]] = []
    for fact in facts:
        if fact.zone is Zone.SOURCE and "stage" in fact.traits:
            stage = next(iter(values(fact.traits["stage"])), "")
            if fact.kind is Kind.IMAGE and (python := PYTHON.match(fact.name)):
                versions[fact.site.path, stage] = python[1]
            elif fact.kind is Kind.INSTRUCTION and "from=" in fact.traits:
                target = next(iter(values(fact.traits.get("value"))), "").split()[-1:]
                if target and (packages := PACKAGES.search(target[0])):
                    copied.append((fact.site.path, stage, packages[1]))
    return {path for path, stage, version in copied if versions.get((path, stage), version) != version}
