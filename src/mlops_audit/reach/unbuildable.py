"""Dockerfiles whose build fails as committed: they install the project without a file that its build reads."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch

from mlops_audit.facts import Fact, Kind, Zone, values
from mlops_audit.reach.stated import Stated

# The packages of a Python of another version than that of the image into which they are copied are not found there.
PACKAGES = re.compile(r"/python(\d+\.\d+)/(?:site|dist)-packages/?(?:\s|$)")
PYTHON = re.compile(r"(?:.*/)?python:(\d+\.\d+)(?![\d])")
OPENS = frozenset({"open", "io.open", "codecs.open"})
INNER = frozenset({"function", "guard", "dead"})  # traits of calls that not every build makes
# Backends that stop where the readme that the project names is not there; setuptools only warns.
STRICT_BACKENDS = ("hatchling", "poetry.core", "flit", "uv_build", "pdm.backend")
README = ("project.readme", "project.readme.file", "tool.poetry.readme")
BACKEND = "build-system.build-backend"
READ_OF_PROJECTS = frozenset({BACKEND, *README})
# A tree of fewer files is an excerpt, in which a file that is not there says nothing.
ENOUGH = 16
# Files that a person writes and tracks: a build that copies one of which there is no trace has nothing to copy.
WRITTEN_BY_HAND = re.compile(r"(?:requirements[^/]*\.(?:txt|in)|setup\.(?:py|cfg)|pyproject\.toml|pipfile|environment\.ya?ml|[^/]+\.py)$", re.IGNORECASE)  # fmt: skip
OF_SOURCES = re.compile(
    r"package\.json|requirements[^/]*\.txt|pyproject\.toml|setup\.py|go\.mod|cargo\.toml", re.IGNORECASE
)


def unbuildable(stated: Stated) -> frozenset[str]:
    """The Dockerfiles of the sources that install the project in a stage which lacks a file that `setup.py` opens or
    that a strict backend reads, or that copy a file of code or requirements of which the repository has no trace.
    """
    installs = [f for f in stated.of(Kind.COMMAND) if "holds" in f.traits and f.zone is Zone.SOURCE]
    found = _without_files(stated, installs) if installs else set()
    return frozenset(found | _without_sources(stated) | _of_another_python(stated))


def _without_files(stated: Stated, installs: Sequence[Fact]) -> set[str]:
    read = _read_by_builds(stated)
    mounted = {
        (fact.site.path, fact.site.line)
        for fact in stated.of(Kind.INSTRUCTION)
        if fact.name == "RUN" and "mount=" in fact.traits
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


def _read_by_builds(stated: Stated) -> Mapping[str, set[tuple[str, str]]]:
    """By folder: the manifest of a project there with a file that its build reads and cannot do without."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    backends: dict[str, str] = {}
    readmes: dict[str, str] = {}
    for fact in stated.of(Kind.CALL):
        folder, _, name = fact.site.path.rpartition("/")
        if name == "setup.py" and fact.name in OPENS and INNER.isdisjoint(fact.traits):
            opened = next(iter(values(fact.traits.get("1"))), "")
            if re.fullmatch(r"[\w-]+\.(?:txt|md|rst|in|cfg)", opened):
                found[folder].add((fact.site.path, f"{folder}/{opened}".lstrip("/")))
    for fact in stated.of(Kind.SETTING):
        folder, _, name = fact.site.path.rpartition("/")
        if name == "pyproject.toml" and fact.name in READ_OF_PROJECTS:
            told = backends if fact.name == BACKEND else readmes
            told[folder] = next(iter(values(fact.traits.get("value"))), "")
    for folder, readme in readmes.items():
        if backends.get(folder, "").startswith(STRICT_BACKENDS):
            found[folder].add((f"{folder}/pyproject.toml".lstrip("/"), f"{folder}/{readme}".lstrip("/")))
    return found


def _is_held(path: str, held: Iterable[str]) -> bool:
    return any(
        source in ("", ".") or path == source or path.startswith(f"{source}/") or fnmatch(path, source)
        for source in held
    )


def _without_sources(stated: Stated) -> set[str]:
    tracked = {fact.name.rpartition("/")[2].lower() for fact in stated.of(Kind.FILE)}
    if len(tracked) < ENOUGH:
        return set()
    copied = [
        (fact.site.path, source)
        for fact in stated.of(Kind.INSTRUCTION)
        if fact.zone is Zone.SOURCE and "from=" not in fact.traits
        for source in values(fact.traits.get("copies"))
    ]
    folders = {part for fact in stated.of(Kind.FILE) for part in fact.name.split("/")[:-1]}
    said = [fact.name for fact in stated.of(Kind.COMMAND) if fact.traits.get("system") != "docker"]
    asked = {
        (path, name)
        for path, source in copied
        if WRITTEN_BY_HAND.match(name := source.rpartition("/")[2]) and name.lower() not in tracked
    }
    if ".gitmodules" not in tracked:  # the folder itself is lost, with a file in it that a person writes
        asked |= {
            (path, folder)
            for path, source in copied
            if (OF_SOURCES.fullmatch(source.rpartition("/")[2]))
            and (folder := source.removeprefix("./").partition("/")[0]) != source.removeprefix("./")
            and folder not in folders
        }
    return {
        path
        for path, name in asked
        if not re.search(r"[$*?\[]", name) and not any(name in text for text in said)
    }


def _of_another_python(stated: Stated) -> set[str]:
    """The Dockerfiles that copy packages to where only a Python of another version than their image's looks for them."""
    versions: dict[tuple[str, str], str] = {}
    copied: list[tuple[str, str, str]] = []
    for fact in stated.of(Kind.IMAGE, Kind.INSTRUCTION):
        if fact.zone is Zone.SOURCE and "stage" in fact.traits:
            stage = next(iter(values(fact.traits["stage"])), "")
            if fact.kind is Kind.IMAGE and (python := PYTHON.match(fact.name)):
                versions[fact.site.path, stage] = python[1]
            elif fact.kind is Kind.INSTRUCTION and "from=" in fact.traits:
                target = next(iter(values(fact.traits.get("value"))), "").split()[-1:]
                if target and (packages := PACKAGES.search(target[0])):
                    copied.append((fact.site.path, stage, packages[1]))
    return {path for path, stage, version in copied if versions.get((path, stage), version) != version}
