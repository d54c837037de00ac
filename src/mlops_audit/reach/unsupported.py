"""Installs that cannot succeed: they pin a package that needs a newer Python than that of the job or image."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from posixpath import basename, normpath

from mlops_audit.facts import Fact, Kind, Zone, values
from mlops_audit.reach.stated import Stated

Version = tuple[int, ...]

# Package -> from which of its versions on which minor version of Python 3 is the least, the newest first.
LEAST: Mapping[str, tuple[tuple[Version, int], ...]] = {
    "numpy": (((2, 3), 11), ((2, 1), 10), ((1, 25), 9), ((1, 22), 8)),
    "pandas": (((2, 1), 9), ((1, 4), 8)),
    "scikit-learn": (((1, 7), 10), ((1, 4), 9), ((1, 1), 8)),
    "scipy": (((1, 16), 11), ((1, 14), 10), ((1, 11), 9), ((1, 8), 8)),
    "matplotlib": (((3, 10), 10), ((3, 8), 9), ((3, 6), 8)),
    "networkx": (((3, 3), 10), ((3, 2), 9)),
    "ipython": (((8, 19), 10), ((8, 14), 9)),
    "joblib": (((1, 5), 9),),
    "xgboost": (((3, 0), 10),),
}
SETS_UP = re.compile(r"actions/setup-python@.*|UsePythonVersion@0")
PYTHON = re.compile(r"(?:(?:docker\.io/)?(?:library/)?python|cimg/python):(3\.\d+)(?:[.-].*)?")
INSTALL = re.compile(r"(?:\S*python3?(?:\.\d+)? -m )?pip3? install\s(.*)")
ANYWAY = re.compile(r"always\(\)|failure\(\)|!\s*cancelled\(\)")


def unsupported(stated: Stated) -> frozenset[tuple[str, int, str]]:
    """The path, line and name of the commands that are never reached in a job of CI, and of the install before them.

    Only a job whose one version of Python is known counts, and a list of requirements that is installed as it is.
    """
    failing = _failing(stated)
    if not failing:
        return frozenset()
    pythons = _pythons(stated)
    stops: dict[tuple[str, str], int] = {}
    for fact in stated.of(Kind.COMMAND):
        unit = _unit(fact)
        if unit not in pythons or "masked" in fact.traits or "condition" in fact.traits:
            continue
        if any(least > pythons[unit] for path in _lists(fact) for least in failing.get(path, ())):
            stops[unit] = min(fact.site.line, stops.get(unit, fact.site.line))
    return frozenset(
        (fact.site.path, fact.site.line, fact.name)
        for fact in stated.of(Kind.COMMAND)
        if _unit(fact) in stops
        and fact.site.line >= stops[_unit(fact)]
        and not any(ANYWAY.search(text) for text in values(fact.traits.get("condition")))
    )


def of_old_python(stated: Stated) -> frozenset[str]:
    """The Dockerfiles that install a list of requirements whose pins their Python cannot meet."""
    failing = _failing(stated)
    if not failing:
        return frozenset()
    named: dict[str, list[str]] = defaultdict(list)
    for fact in stated.of(Kind.MANIFEST):
        named[basename(fact.site.path)].append(fact.site.path)
    pythons: dict[tuple[str, str], int] = {}
    for fact in stated.of(Kind.IMAGE):
        if fact.traits.get("system") == "docker" and (image := PYTHON.fullmatch(fact.name)):
            pythons[fact.site.path, "".join(values(fact.traits.get("stage")))] = int(
                image[1].partition(".")[2]
            )
    found = set()
    for fact in stated.of(Kind.COMMAND):
        python = pythons.get((fact.site.path, "".join(values(fact.traits.get("stage")))))
        if python is None or not {"masked", "entry", "guard"}.isdisjoint(fact.traits):
            continue
        for path in _lists(fact):
            lists = named[basename(path)]
            if lists and all(any(least > python for least in failing.get(one, ())) for one in lists):
                found.add(fact.site.path)
    return frozenset(found)


def _failing(stated: Stated) -> Mapping[str, set[int]]:
    """By list of requirements: the minor versions of Python that what it pins needs at least."""
    found: dict[str, set[int]] = defaultdict(set)
    for fact in stated.of(Kind.DEPENDENCY):
        if fact.name in LEAST and "when" not in fact.traits and fact.traits.get("manager") == "pip":
            pin = re.fullmatch(r"==\s*(\d+(?:\.\d+)+)", "".join(values(fact.traits.get("version"))))
            version = tuple(map(int, pin[1].split("."))) if pin else ()
            least = next((minor for start, minor in LEAST[fact.name] if version >= start), 0)
            if least:
                found[fact.site.path].add(least)
    return found


def _pythons(stated: Stated) -> Mapping[tuple[str, str], int]:
    """By job of CI: the minor version of Python 3 in which it runs, where it names only one."""
    told: dict[tuple[str, str], set[str]] = defaultdict(set)
    for fact in stated.of(Kind.ACTION):
        if SETS_UP.fullmatch(fact.name):
            named = (*values(fact.traits.get("python-version=")), *values(fact.traits.get("versionSpec=")))
            told[_unit(fact)].update(named or ("?",))
    for fact in stated.of(Kind.IMAGE):
        if fact.traits.get("role") == "job" and (image := PYTHON.fullmatch(fact.name)):
            told[_unit(fact)].add(image[1])
    found = {}
    for unit, versions in told.items():
        exact = (
            re.fullmatch(r"3\.(\d+)(?:\.(?:\d+|x))?", next(iter(versions))) if len(versions) == 1 else None
        )
        if exact:
            found[unit] = int(exact[1])
    return found


def _unit(fact: Fact) -> tuple[str, str]:
    return fact.site.path, "".join(values(fact.traits.get("unit")))


def _lists(fact: Fact) -> Iterable[str]:
    """The lists of requirements that a command installs, as paths."""
    found = INSTALL.fullmatch(fact.name) if fact.zone is Zone.SOURCE else None
    folder = "".join(values(fact.traits.get("directory")))
    if found is None or "?" in folder:
        return
    words = found[1].split()
    for option, name in pairwise(words):
        if option in ("-r", "--requirement"):
            yield normpath(f"{folder}/{name}" if folder else name)
