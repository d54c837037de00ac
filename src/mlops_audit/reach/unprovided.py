"""Imports of libraries that no image in which the code runs installs: what the container starts fails at its import."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from posixpath import basename, dirname, normpath

from mlops_audit.facts import Fact, Kind, Zone, values
from mlops_audit.reach.launch import targets_of_command
from mlops_audit.reach.places import Repository
from mlops_audit.reach.stated import Stated
from mlops_audit.reach.uninstalled import ASKED_FOR

# Images that bring none of the libraries that must be asked for; of any other nobody knows what it holds.
PLAIN = re.compile(
    r"(?:.*/)?(?:python|airflow|spark|ubuntu|debian|alpine|cuda|pytorch|tensorflow|slim|uv|miniconda3|miniforge3)(?::[^/]*|@.*)?"
)
# What may install more than a reader of the Dockerfile sees.
OPEN = re.compile(
    r"\b(?:poetry|conda|mamba|micromamba|pipenv|pdm|pixi|hatch|rye|make|easy_install)\b|\buv (?:sync|run)\b|\.sh\b|setup\.py"
)
INSTALLS = re.compile(r"(?:^|\s)(?:\S*pip3?(?:\.\d+)?|uv pip) install\s(.*)")
# A variable by which the containers of Airflow install more when they start.
ADDED = "_PIP_ADDITIONAL_REQUIREMENTS"
WITH_VALUE = re.compile(
    r"(?:-r|-c|-i|-f|-t|--requirement|--constraint|--(?:extra-)?index-url|--find-links|--prefix|--target|--trusted-host)"
)
IN_CONTAINERS = re.compile(r"(?:docker|docker-compose|podman|kubectl|oc)\b")
CONTAINERS = frozenset({"docker", "compose", "kubernetes", "helm", "airflow", "notebook", "python"})
STARTING = frozenset({Kind.JOB, Kind.STEP, Kind.PIPELINE, Kind.RESOURCE})
# Tasks of Airflow that run their code elsewhere than in its own image.
ELSEWHERE = re.compile(r"virtualenv|external_?python|docker|kubernetes|pyspark|databricks|ssh", re.IGNORECASE)


def unprovided(stated: Stated, repository: Repository) -> list[Fact]:
    """The imports at the top of source files, started by images alone, of which none installs the library.

    Only images whose base and installs are all known count; a file that anything else starts, or that an unknown image
    starts as well, is left to the reader. Modules that tasks of Airflow import inside their functions run in its image.
    """
    wanted = [fact for fact in stated.of(Kind.IMPORT) if _is_asked(fact)]
    images = _images(stated) if wanted else {}
    if not any(_lacks(installed, fact) for installed in images.values() for fact in wanted):
        return []
    imports = _Imports(stated, repository)
    running: dict[str, set[str]] = defaultdict(set)
    for image, files in _started(stated, images, repository).items():
        for path in imports.reached(files):
            running[path].add(image)
    found = [
        fact
        for fact in wanted
        if running[fact.site.path] and all(_lacks(images[image], fact) for image in running[fact.site.path])
    ]
    outside = imports.reached(_outside(stated, repository)) if found else set()
    return [fact for fact in found if fact.site.path not in outside]


class _Imports:
    """Which files of the project a file imports; found out for those that are asked for."""

    def __init__(self, stated: Stated, repository: Repository) -> None:
        self._repository = repository
        self._of: dict[str, list[Fact]] = defaultdict(list)
        for fact in stated.of(Kind.IMPORT):
            if not {"dead", "optional"} & set(fact.traits):
                self._of[fact.site.path].append(fact)

    def reached(self, paths: Iterable[str]) -> set[str]:
        """Some files and all that they import, directly or not."""
        seen = set(paths)
        stack = list(seen)
        while stack:
            here = stack.pop()
            for fact in self._of.get(here, ()):
                module = values(fact.traits.get("module"))
                for target in self._repository.module(fact.name, here, module)[:1]:
                    if target not in seen:
                        seen.add(target)
                        stack.append(target)
        return seen


def _is_asked(fact: Fact) -> bool:
    return (
        fact.kind is Kind.IMPORT
        and fact.zone is Zone.SOURCE
        and fact.name.partition(".")[0] in ASKED_FOR
        and fact.site.path.endswith(".py")
        and not {"dead", "optional", "function"} & set(fact.traits)
    )


def _lacks(installed: str | None, fact: Fact) -> bool:
    return installed is not None and not any(
        name in installed for name in ASKED_FOR[fact.name.partition(".")[0]]
    )


def _images(stated: Stated) -> Mapping[str, str | None]:
    """What each Dockerfile with a base image installs, as one text; None where that is not all known."""
    listed: dict[str, list[str]] = defaultdict(list)
    for fact in stated.all:
        if fact.kind is Kind.DEPENDENCY:
            listed[fact.site.path].append(fact.name)
    told: dict[str, list[str] | None] = {}
    stages: dict[str, set[str]] = defaultdict(set)
    bases: dict[str, str] = defaultdict(str)
    asked: dict[str, set[str]] = defaultdict(set)  # the lists that each names in its installs
    for fact in stated.all:
        if fact.kind is Kind.COMMAND and (found := INSTALLS.search(fact.name)):
            asked[fact.site.path].update(basename(word) for word in found[1].split())
    for fact in stated.all:
        if fact.kind is Kind.IMAGE and fact.traits.get("system") == "docker" and fact.zone is Zone.SOURCE:
            told.setdefault(fact.site.path, [])
            bases[fact.site.path] += f" {fact.name}"
            stages[fact.site.path].update(values(fact.traits.get("stage")))
            if not PLAIN.fullmatch(fact.name) and fact.name not in stages[fact.site.path]:
                told[fact.site.path] = None
    for fact in stated.all:
        texts = told.get(fact.site.path)
        if texts is None:
            continue
        if fact.kind is Kind.INSTRUCTION and fact.name in ("COPY", "ADD"):
            if "from=" in fact.traits and fact.traits["from="] not in stages[fact.site.path]:
                told[fact.site.path] = None
            named = tuple(source for source in values(fact.traits.get("copies")) if source not in ("", "."))
            for path in listed:
                listing = basename(path) in asked[fact.site.path] or (named and path.endswith(named))
                if listing and _is_copied(path, fact):
                    texts.extend(listed[path])
        elif fact.kind is Kind.COMMAND and "entry" not in fact.traits:
            found = INSTALLS.search(fact.name)
            if OPEN.search(fact.name) or (found and _is_open(found[1].split())):
                told[fact.site.path] = None
            elif found:
                texts.append(found[1])
    if any(fact.kind is Kind.SETTING and fact.name.endswith(ADDED) for fact in stated.all):
        told.update({path: None for path in told if "airflow" in bases[path]})
    return {
        path: None if texts is None else " ".join(texts).lower().replace("_", "-")
        for path, texts in told.items()
    }


def _is_open(words: Sequence[str]) -> bool:
    """Whether an install names anything but packages and lists of them: a path, an address or a variable."""
    named, after = [], ""
    for word in words:
        if not WITH_VALUE.fullmatch(after) and not word.startswith("-"):
            named.append(word.strip("'\""))
        after = word
    return any(re.match(r"[./$]|git\+|https?:|file:", word) or "$" in word for word in named) or "-e" in words


def _is_copied(path: str, fact: Fact) -> bool:
    here = dirname(fact.site.path)
    for source in values(fact.traits.get("copies")):
        if source in ("", "."):
            return True
        for place in {source, normpath(f"{here}/{source}"), normpath(f"{dirname(here)}/{source}")}:
            if (
                path == place
                or path.startswith(f"{place}/")
                or ("*" in place and dirname(path) == dirname(place))
            ):
                return True
    return False


def looks_for_places(stated: Stated) -> bool:
    """Whether it matters that a task runs its code elsewhere."""
    return bool(_images_of_airflow(stated))


def _images_of_airflow(stated: Stated) -> set[str]:
    return {fact.site.path for fact in stated.of(Kind.IMAGE) if "airflow" in fact.name}


def _started(
    stated: Stated, images: Mapping[str, str | None], repository: Repository
) -> Mapping[str, set[str]]:
    """The files that the containers of each Dockerfile start: its own entry, that of its services, the DAGs of Airflow."""
    units = {path: path for path in images}
    airflow = _images_of_airflow(stated) & images.keys()
    elsewhere = set()
    for fact in stated.all:
        if fact.kind is Kind.RESOURCE and fact.traits.get("system") == "compose":
            for target in values(fact.traits.get("runs")):
                if target in images:
                    units.update(dict.fromkeys(values(fact.traits.get("unit")), target))
        elif (
            airflow
            and fact.kind is Kind.FILE
            and ELSEWHERE.search("\n".join(values(fact.traits.get("sites"))))
        ):
            elsewhere.add(fact.site.path)
    found: dict[str, set[str]] = defaultdict(set)
    for fact in stated.all:
        if fact.kind is Kind.COMMAND and "entry" in fact.traits:
            unit = next(iter(values(fact.traits.get("unit"))), fact.site.path)
            if unit in units:
                found[units[unit]].update(_files(targets_of_command(fact, repository)))
        elif fact.kind is Kind.PIPELINE and fact.traits.get("system") == "airflow":
            at_home = fact.zone is Zone.SOURCE and fact.site.path not in elsewhere
            for image in airflow if at_home else ():
                found[image].add(fact.site.path)
    return found


def _outside(stated: Stated, repository: Repository) -> set[str]:
    """The files that anything but a container starts, and those that notebooks import."""
    found = set()
    for fact in stated.all:
        if fact.kind is Kind.COMMAND:
            system = fact.traits.get("system")
            if fact.zone is Zone.SOURCE and system not in CONTAINERS and not IN_CONTAINERS.match(fact.name):
                found.update(_files(targets_of_command(fact, repository)))
        elif fact.kind in STARTING and fact.traits.get("system") not in CONTAINERS:
            found.update(_files(values(fact.traits.get("runs"))))
        elif fact.zone is Zone.NOTEBOOK and fact.kind is Kind.IMPORT:
            found.add(fact.site.path)
    return found


def _files(units: Iterable[str]) -> set[str]:
    return {unit.partition("#")[0].partition("\0")[0] for unit in units}
