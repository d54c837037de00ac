"""Imports of libraries that no image in which the code runs installs: what the container starts fails at its import."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from posixpath import basename, dirname, normpath
from typing import NamedTuple

from mlops_audit.facts import Fact, Kind, Zone, values
from mlops_audit.reach.brought import COMMON, OF_PYTHON, brought, harmless, package
from mlops_audit.reach.launch import targets_of_command
from mlops_audit.reach.places import Repository
from mlops_audit.reach.stated import Stated
from mlops_audit.reach.uninstalled import ASKED_FOR

# Images that bring none of the libraries that must be asked for; of any other nobody knows what it holds.
PLAIN = re.compile(
    r"(?:.*/)?(?:python|airflow|spark|ubuntu|debian|alpine|cuda|pytorch|tensorflow|slim|uv|miniconda3|miniforge3)(?::[^/]*|@.*)?"
)
# Those that bring none of the common libraries either.
BARE = re.compile(
    r"(?:(?:(?:[\w.-]+/)*library/|docker\.io/)?(?:python|ubuntu|debian|alpine)|(?:docker\.io/)?nvidia/cuda)(?::[^/]*|@.*)?"
)
SYSTEM_INSTALLS = re.compile(r"(?:apt-get|apt|apk|yum|dnf|microdnf)\s")
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
BUILDS = re.compile(r"(?:docker|podman|buildah|nerdctl)\s(?:.*\s)?(?:build|bud)\s")
TAG = re.compile(r"\s(?:-t|--tag)[ =](\S+)")
IN_CONTAINERS = re.compile(r"(?:docker|docker-compose|podman|kubectl|oc)\b")
CONTAINERS = frozenset({"docker", "compose", "kubernetes", "helm", "airflow", "notebook", "python"})
STARTING = frozenset({Kind.JOB, Kind.STEP, Kind.PIPELINE, Kind.RESOURCE})
# Tasks of Airflow that run their code elsewhere than in its own image.
ELSEWHERE = re.compile(r"virtualenv|external_?python|docker|kubernetes|pyspark|databricks|ssh", re.IGNORECASE)


class Installed(NamedTuple):
    """What an image holds: all that it installs as one text, and its packages where every one of them is known."""

    text: str
    packages: frozenset[str] | None


def unprovided(stated: Stated, repository: Repository) -> list[Fact]:
    """The imports at the top of source files, started by images alone, of which none installs the library.

    Only images whose base and installs are all known count; a file that anything else starts, or that an unknown image
    starts as well, is left to the reader. Modules that tasks of Airflow import inside their functions run in its image.
    """
    built = any(fact.traits.get("system") == "docker" for fact in stated.of(Kind.IMAGE))
    wanted = [fact for fact in stated.of(Kind.IMPORT) if _is_asked(fact)] if built else []
    images = _images(stated) if wanted else {}
    tops = {fact.name.partition(".")[0] for fact in wanted}
    lacking = {
        top: {path for path, installed in images.items() if installed is not None and _lacks(installed, top)}
        for top in tops
    }
    if not any(lacking.values()):
        return []
    imports = _Imports(stated, repository)
    started = _started(stated, images, repository)
    running: dict[str, set[str]] = defaultdict(set)
    for image, files in started.items():
        for path in imports.reached(files):
            running[path].add(image)
    found = [
        fact
        for fact in wanted
        if running[fact.site.path] and running[fact.site.path] <= lacking[fact.name.partition(".")[0]]
    ]
    outside = imports.reached(_outside(stated, repository)) if found else set()
    return [fact for fact in found if fact.site.path not in outside]


class _Imports:
    """Which files of the project a file imports; found out for those that are asked for."""

    def __init__(self, stated: Stated, repository: Repository) -> None:
        self._repository = repository
        self._of: dict[str, list[Fact]] = defaultdict(list)
        for fact in stated.of(Kind.IMPORT):
            if "dead" not in fact.traits:
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
        and ((top := fact.name.partition(".")[0]) in ASKED_FOR or top in COMMON)
        and fact.site.path.endswith(".py")
        and not {"dead", "optional", "function"} & set(fact.traits)
        and not (top in COMMON and "relative" in fact.traits)
    )


def _lacks(installed: Installed, top: str) -> bool:
    if top in COMMON:
        return installed.packages is not None and installed.packages.isdisjoint(COMMON[top])
    return not any(name in installed.text for name in ASKED_FOR[top])


def _images(stated: Stated) -> Mapping[str, Installed | None]:
    """What each Dockerfile with a base image installs; None where that is not all known."""
    found: dict[str, _Build] = {}
    for fact in stated.of(Kind.IMAGE):
        if fact.traits.get("system") == "docker" and fact.zone is Zone.SOURCE:
            begun = found.setdefault(fact.site.path, _Build())
            begun.stages.update(values(fact.traits.get("stage")))
            begun.bases.add(fact.name)
            if fact.name not in begun.stages:
                begun.known &= PLAIN.fullmatch(fact.name) is not None
                begun.bare &= BARE.fullmatch(fact.name) is not None
    lists = _Lists(stated)
    for fact in stated.of(Kind.COMMAND):
        if (build := found.get(fact.site.path)) and (install := INSTALLS.search(fact.name)):
            build.asked.update(basename(word) for word in install[1].split())
    for fact in stated.of(Kind.INSTRUCTION):
        if fact.name in ("COPY", "ADD") and (build := found.get(fact.site.path)):
            build.copy(fact, lists)
    for fact in stated.of(Kind.COMMAND):
        if build := found.get(fact.site.path):
            build.run(fact)
    added = any(fact.name.endswith(ADDED) for fact in stated.of(Kind.SETTING))
    return {path: build.installed(added, lists) for path, build in found.items()}


class _Lists:
    """The packages that each manifest declares, with those of the manifests that it includes."""

    def __init__(self, stated: Stated) -> None:
        self._names: dict[str, list[str]] = defaultdict(list)
        self._unsure: set[str] = set()
        self._includes = {
            fact.site.path: values(fact.traits.get("includes")) for fact in stated.of(Kind.MANIFEST)
        }
        for fact in stated.of(Kind.DEPENDENCY):
            self._names[fact.site.path].append(fact.name)
            if not harmless(" ".join(values(fact.traits.get("extras")))):
                self._unsure.add(fact.site.path)
        self.paths = tuple({**self._includes, **self._names})

    def names(self, path: str) -> tuple[list[str], bool]:
        """The packages of a manifest, and whether nothing else can come with them: an extra, a list that is not there."""
        names: list[str] = []
        seen: set[str] = set()
        sure, stack = True, [path]
        while stack:
            here = stack.pop()
            if here not in seen:
                seen.add(here)
                names += self._names.get(here, ())
                sure &= here in self._includes and here not in self._unsure
                stack += self._includes.get(here, ())
        return names, sure


class _Build:
    """A Dockerfile that is read: its bases and stages, the lists that its installs name, what it installs."""

    def __init__(self) -> None:
        self.bases: set[str] = set()
        self.stages: set[str] = set()
        self.asked: set[str] = set()
        self.known = self.bare = True  # whether it holds nothing unseen, and nothing of its base images
        self._texts: list[str] = []
        self._packages: set[str] = set()
        self._lists: set[str] = set()

    def copy(self, fact: Fact, lists: _Lists) -> None:
        """Add what a COPY brings."""
        if "from=" in fact.traits and fact.traits["from="] not in self.stages:
            self.known = False
        named = tuple(source for source in values(fact.traits.get("copies")) if source not in ("", "."))
        for path in lists.paths:
            if (basename(path) in self.asked or (named and path.endswith(named))) and _is_copied(path, fact):
                self._lists.add(path)

    def run(self, fact: Fact) -> None:
        """Add what a command of the build installs; one that installs when the container starts makes it unknown."""
        found = INSTALLS.search(fact.name)
        if "entry" in fact.traits:
            self.known &= found is None
        elif OPEN.search(fact.name) or (found and _is_open(found[1].split())):
            self.known = False
        elif found:
            self._texts.append(found[1])
            words = list(_packages_of(found[1].split()))
            self._packages.update(map(package, words))
        elif SYSTEM_INSTALLS.match(fact.name):
            of_python = (word for word in fact.name.split() if re.match(r"(?:lib)?py", word))
            self.bare &= all(OF_PYTHON.fullmatch(word) for word in of_python)
        elif "pip" in fact.name.split():
            self.bare = False

    def installed(self, added: bool, lists: _Lists) -> Installed | None:
        """What it holds; `added` where containers of Airflow install more when they start."""
        if not self.known or (added and any("airflow" in base for base in self.bases)):
            return None
        bare = self.bare and self.asked_lists() <= {basename(path) for path in self._lists}
        for path in self._lists:
            names, sure = lists.names(path)
            bare &= sure
            self._texts += names
            self._packages.update(names)
        text = " ".join(self._texts).lower().replace("_", "-")
        return Installed(text, brought(self._packages) if bare else None)

    def asked_lists(self) -> set[str]:
        """The names of the lists that its installs name."""
        return {name for name in self.asked if name.endswith((".txt", ".in", ".toml", ".cfg", ".lock"))}


def _packages_of(words: Sequence[str]) -> Iterable[str]:
    """The packages that an install names."""
    after = ""
    for word in words:
        if not WITH_VALUE.fullmatch(after) and not word.startswith("-"):
            yield word
        after = word


def _is_open(words: Sequence[str]) -> bool:
    """Whether an install names anything but packages and lists of them: a path, an address or a variable."""
    named = (word.strip("'\"") for word in _packages_of(words))
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
    stated: Stated, images: Mapping[str, Installed | None], repository: Repository
) -> Mapping[str, set[str]]:
    """The files that the containers of each Dockerfile start: its own entry, that of its services, the DAGs of Airflow,
    and the pods that these start. A pod whose image no build names may be of any that holds code of the project."""
    units = {path: path for path in images}
    airflow = _images_of_airflow(stated) & images.keys()
    own = {fact.site.path for fact in stated.of(Kind.IMAGE) if "own" in fact.traits} & images.keys() - airflow
    tagged = _tagged(stated, images, repository) if own else {}
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
        elif fact.kind is Kind.COMMAND and _is_of_pod(fact):
            name = _name(values(fact.traits["image"])[0])
            for image in tagged.get(name) or own:
                found[image].update(_files(targets_of_command(fact, repository)))
        elif fact.kind is Kind.PIPELINE and fact.traits.get("system") == "airflow":
            at_home = fact.zone is Zone.SOURCE and fact.site.path not in elsewhere
            for image in airflow if at_home else ():
                found[image].add(fact.site.path)
    return found


def _is_of_pod(fact: Fact) -> bool:
    """Whether a command is what a task of Airflow starts in an image that the project may build."""
    image = next(iter(values(fact.traits.get("image"))), "") if fact.traits.get("system") == "airflow" else ""
    return bool(image) and not PLAIN.fullmatch(image)


def _name(reference: str) -> str:
    """The last part of the name of an image, without its version."""
    return re.split(r"[:@]", reference.rpartition("/")[2])[0]


def _tagged(stated: Stated, images: Mapping[str, object], repository: Repository) -> Mapping[str, set[str]]:
    """The Dockerfiles by the names that commands and services give to what they build of them."""
    found: dict[str, set[str]] = defaultdict(set)
    for fact in stated.of(Kind.COMMAND):
        for tag in TAG.findall(fact.name) if BUILDS.search(fact.name) else ():
            found[_name(tag)].update(images.keys() & _files(targets_of_command(fact, repository)))
    for fact in stated.of(Kind.RESOURCE):
        if fact.traits.get("system") == "compose":
            for tag in values(fact.traits.get("image")):
                found[_name(tag)].update(
                    target for target in values(fact.traits.get("runs")) if target in images
                )
    return found


def _outside(stated: Stated, repository: Repository) -> set[str]:
    """The files that anything but a container starts, and those that notebooks import."""
    found = set()
    for fact in stated.all:
        if fact.kind is Kind.COMMAND:
            system = fact.traits.get("system")
            seen = system in CONTAINERS and (system != "airflow" or _is_of_pod(fact))
            if fact.zone is Zone.SOURCE and not seen and not IN_CONTAINERS.match(fact.name):
                found.update(_files(targets_of_command(fact, repository)))
        elif fact.kind in STARTING and fact.traits.get("system") not in CONTAINERS:
            found.update(_files(values(fact.traits.get("runs"))))
        elif fact.zone is Zone.NOTEBOOK and fact.kind is Kind.IMPORT:
            found.add(fact.site.path)
    return found


def _files(units: Iterable[str]) -> set[str]:
    return {unit.partition("#")[0].partition("\0")[0] for unit in units}
