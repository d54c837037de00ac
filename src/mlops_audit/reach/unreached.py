"""Steps of CI that cannot succeed as committed, and what comes after them: an install that pip refuses, an option of pytest
whose plugin nothing names, a script or folder that is not there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from posixpath import basename, normpath

from mlops_audit.facts import Fact, Kind, Zone, values
from mlops_audit.reach.stated import Stated
from mlops_audit.reach.uninstalled import has_unread_list

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
# Options of pytest that only a plugin knows.
PLUGINS: Mapping[str, str] = {
    "--cov": "pytest-cov", "--cov-report": "pytest-cov", "--cov-fail-under": "pytest-cov", "--timeout": "pytest-timeout",
    "--asyncio-mode": "pytest-asyncio", "--html": "pytest-html", "--reruns": "pytest-rerunfailures", "--nbmake": "nbmake",
    "--nbval": "nbval", "--numprocesses": "pytest-xdist", "--benchmark-only": "pytest-benchmark", "--alluredir": "allure-pytest",
    "--json-report": "pytest-json-report",
}  # fmt: skip
PYTEST = re.compile(r"(?:\S*python3?(?:\.\d+)? -m )?(?:pytest|py\.test)(?=\s)(.*)")
SYSTEMS = frozenset({"github", "gitlab", "azure", "circleci", "bitbucket"})
# A tree of fewer files is an excerpt, in which a file that is not there says nothing.
ENOUGH = 16
# Commands that have nothing to do in a folder without tracked files.
OF_SOURCES = re.compile(
    r"(?:pip3? install (?:-r|-e|\.)|npm (?:ci|install)|yarn install|uv sync|poetry install|pytest|terraform |make )"
)
# Commands that bring files or make whole trees of them.
FETCHES = re.compile(
    r"\b(?:clone|submodule|unzip|tar|curl|wget|cookiecutter|copier|gsutil|aws s3|download|init|generate|create|mkdir|cp|mv|git checkout|"
    r"rsync|scp|dvc|jupyter|nbconvert|jupytext)\b"
)
TO_SPACE = re.compile(r"\bgit (?:push|remote add)\b.*huggingface\.co/spaces")
VARIABLE = re.compile(r"\$[({]\w+[)}]")
ANYWAY = re.compile(r"always\(\)|failure\(\)|!\s*cancelled\(\)")


def unreached(
    stated: Stated, paths: Collection[str], unbuilt: Collection[str] = ()
) -> frozenset[tuple[str, int, str]]:
    """The path, line and name of commands, actions and jobs that CI never reaches, or reaches and fails at.

    A job ends with its first step that fails, and jobs that need it are not begun; what runs `always()` does.
    `unbuilt` are the Dockerfiles that cannot be built.
    """
    stops: dict[tuple[str, str], int] = {}
    for unit, line in (
        *_refused(stated),
        *_unplugged(stated),
        *_misplaced(stated, paths),
        *_unspaced(stated, unbuilt),
    ):
        stops[unit] = min(line, stops.get(unit, line))
    if not stops:
        return frozenset()
    begun = _not_begun(stated, stops)
    return frozenset(
        (fact.site.path, fact.site.line, fact.name)
        for fact in stated.of(Kind.COMMAND, Kind.ACTION, Kind.JOB)
        if (unit := _unit(fact)) in begun or (fact.kind is not Kind.JOB and unit in stops)
        if unit in begun or fact.site.line >= stops[unit]
        if not _runs_anyway(fact)
    )


def _runs_anyway(fact: Fact) -> bool:
    return any(ANYWAY.search(text) for text in values(fact.traits.get("condition")))


def _not_begun(stated: Stated, stops: Mapping[tuple[str, str], int]) -> set[tuple[str, str]]:
    """The jobs of GitHub that need one which fails, directly or not."""
    jobs = [fact for fact in stated.of(Kind.JOB) if "needs" in fact.traits and not _runs_anyway(fact)]
    found: set[tuple[str, str]] = set()
    while True:
        more = {
            _unit(fact)
            for fact in jobs
            for need in values(fact.traits["needs"])
            if (needed := (fact.site.path, f"{fact.site.path}#{need}")) in stops or needed in found
        } - found
        if not more:
            return found
        found |= more


def _is_bound(fact: Fact) -> bool:
    """Whether a command of CI is a step whose failure ends the job."""
    return fact.zone is Zone.SOURCE and {"masked", "condition", "dead", "background"}.isdisjoint(fact.traits)


Stop = tuple[tuple[str, str], int]


def _refused(stated: Stated) -> Iterable[Stop]:
    """Installs of lists whose pins need a newer Python than the one that the job names."""
    failing = _failing(stated)
    pythons = _pythons(stated) if failing else {}
    for fact in stated.of(Kind.COMMAND) if pythons else ():
        python = pythons.get(_unit(fact)) if _is_bound(fact) else None
        if python is not None and any(
            least > python for path in _lists(fact) for least in failing.get(path, ())
        ):
            yield _unit(fact), fact.site.line


def _unplugged(stated: Stated) -> Iterable[Stop]:
    """Commands of CI that give pytest an option of a plugin which nothing in the repository names."""
    asked = [
        (fact, plugin)
        for fact in stated.of(Kind.COMMAND)
        if fact.traits.get("system") in SYSTEMS and _is_bound(fact) and (given := PYTEST.match(fact.name))
        for word in given[1].split()
        if (plugin := PLUGINS.get(word.partition("=")[0]))
    ]
    if not asked or has_unread_list(stated):
        return
    named = {fact.name for fact in stated.of(Kind.DEPENDENCY)}
    texts = [fact.name for fact in stated.of(Kind.COMMAND)]
    images = {
        _unit(fact)
        for fact in stated.of(Kind.IMAGE)
        if fact.traits.get("role") == "job" and not PYTHON.fullmatch(fact.name)
    }
    for fact, plugin in asked:
        if plugin not in named and _unit(fact) not in images and not any(plugin in text for text in texts):
            yield _unit(fact), fact.site.line


def _misplaced(stated: Stated, paths: Collection[str]) -> Iterable[Stop]:
    """Steps of GitHub that start a script, or build in a folder, of which the repository has no trace."""
    files = {path.rpartition("/")[2].lower() for path in paths}
    if len(files) < ENOUGH:
        return
    folders = {part for path in paths for part in path.split("/")[:-1]}
    fetched = {_unit(fact) for fact in stated.of(Kind.ACTION) if _may_fetch(fact)}
    fetched.update(_unit(fact) for fact in stated.of(Kind.COMMAND) if FETCHES.search(fact.name))
    for fact in stated.of(Kind.COMMAND, Kind.ACTION):
        if fact.traits.get("system") != "github" or not _is_bound(fact) or "guard" in fact.traits:
            continue
        if _unit(fact) in fetched or not fact.site.path.startswith(".github/workflows/"):
            continue
        for place in _places(fact):
            folder, _, name = place.rpartition("/")
            parts = [part for part in folder.split("/") if part not in ("", ".")]
            lost = name.lower() not in files if name else parts and parts[0] not in folders
            if lost and not re.search(r"[^\w./-]", place) and not place.startswith(("/", "..")):
                yield _unit(fact), fact.site.line


def _unspaced(stated: Stated, unbuilt: Collection[str]) -> Iterable[Stop]:
    """Uploads of a Hugging Face Space that is made of a Dockerfile which cannot be built."""
    if "Dockerfile" not in unbuilt:
        return
    kinds = {
        "".join(values(fact.traits.get("sdk"))) for fact in stated.of(Kind.RESOURCE) if fact.name == "space"
    }
    if kinds == {"docker"}:
        for fact in stated.of(Kind.COMMAND):
            if TO_SPACE.search(fact.name) and fact.traits.get("system") in SYSTEMS:
                yield _unit(fact), fact.site.line


def _places(fact: Fact) -> Iterable[str]:
    """The script that a command starts, and the folders, each with a slash behind it, in which sources are to lie."""
    if fact.kind is Kind.ACTION:
        if fact.name.startswith("docker/build-push-action@"):
            yield from (f"{context.rstrip('/')}/" for context in values(fact.traits.get("context=")))
        return
    words = fact.name.split()
    if OF_SOURCES.match(fact.name):
        yield from (f"{folder}/" for folder in values(fact.traits.get("directory")) if folder)
    if re.fullmatch(r"python3?", words[0]) and len(words) > 1 and words[1].endswith(".py"):
        yield words[1].rpartition("/")[2] if "/" not in words[1] else words[1]
    elif words[:2] == ["docker", "build"] and not words[-1].startswith("-"):
        yield f"{words[-1].rstrip('/')}/"


def _may_fetch(fact: Fact) -> bool:
    """Whether an action may bring files that the repository does not hold."""
    if fact.name.startswith("actions/checkout@"):
        return not {"repository=", "path=", "submodules=", "ref="}.isdisjoint(fact.traits)
    return not re.match(
        r"(?:actions/setup-|actions/cache|docker/|aws-actions/|google-github-actions/|azure/|astral-sh/)",
        fact.name,
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
    if any(VARIABLE.fullmatch(word) for versions in told.values() for word in versions):
        given: dict[str, set[str]] = defaultdict(set)
        for fact in stated.of(Kind.SETTING):
            if names_python(fact.name):
                given[fact.name.rpartition(".")[2]].update(values(fact.traits.get("value")))
        for unit, versions in told.items():
            meant = [given[word[2:-1]] if VARIABLE.fullmatch(word) else {word} for word in versions]
            told[unit] = set().union(*meant)
    for unit, versions in told.items():
        exact = (
            re.fullmatch(r"3\.(\d+)(?:\.(?:\d+|x))?", next(iter(versions))) if len(versions) == 1 else None
        )
        if exact:
            found[unit] = int(exact[1])
    return found


def names_python(setting: str) -> bool:
    """Whether a setting is a variable of Azure that says with which Python its jobs run."""
    return setting.startswith("variables.") and "python" in setting.lower()


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
