"""Imports of libraries that nothing installs: the project lists what it needs, and leaves out what its code imports."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from mlops_audit.facts import Fact, Kind, Zone, values

# Modules that no base image, platform or other library brings along, so that they must be asked for -> how the
# packages that bring them are called. A text that holds such a name anywhere counts as asking for it.
ASKED_FOR: Mapping[str, tuple[str, ...]] = {
    "mlflow": ("mlflow", "dagshub", "zenml", "pycaret", "databricks"), "wandb": ("wandb",), "neptune": ("neptune",),
    "comet_ml": ("comet",), "clearml": ("clearml",), "aim": ("aim",), "dvclive": ("dvclive",),
    "evidently": ("evidently",), "nannyml": ("nannyml",), "alibi_detect": ("alibi",),
    "great_expectations": ("great-expectations",), "pandera": ("pandera",), "prefect": ("prefect",),
    "zenml": ("zenml",), "feast": ("feast",), "bentoml": ("bentoml",), "ragas": ("ragas",), "langfuse": ("langfuse",),
    "ibm_watson_openscale": ("openscale",), "ibm_ai_openscale": ("openscale",), "whylogs": ("whylogs",),
    "deepchecks": ("deepchecks",), "arize": ("arize",), "giskard": ("giskard",), "aif360": ("aif360",), "aequitas": ("aequitas",),
    "datarobot": ("datarobot",), "hopsworks": ("hopsworks",), "hsml": ("hsml", "hopsworks"), "opik": ("opik",),
    "deepeval": ("deepeval",), "fairlearn": ("fairlearn",), "langsmith": ("langsmith", "langchain", "langgraph"),
}  # fmt: skip
# Platforms whose runtimes hold such libraries, or whose jobs install them in ways of their own.
PLATFORMS = ("databricks", "sagemaker", "azureml", "anyscale")
# Arguments by which code defines images and environments.
ASKING = frozenset({"packages_to_install=", "pip_install=", "requirements=", "pip_packages=", "1"})
TEST_RUNNERS = re.compile(r"\b(pytest|unittest|tox|nox)\b")
LISTS = re.compile(
    r"(^|/)([^/]*requirements[^/]*\.(txt|in)|environment\.ya?ml|conda\.ya?ml|pipfile|setup\.py)$"
)
INSTALLERS = re.compile(r"\b(pip3?|uv|conda|mamba|micromamba|poetry|pdm|pipx|integration|pixi|add|with)\b")


def uninstalled(facts: Sequence[Fact]) -> list[Fact]:
    """The imports of source files that fail because neither a manifest, a command nor an image brings the library.

    Only where a manifest beside or above the file lists other packages: who lists nothing leaves it to the reader.
    What a job of CI installs to run tests is not there when the code runs elsewhere.
    """
    wanted = [f for f in facts if f.kind is Kind.IMPORT and f.zone is Zone.SOURCE and _fails(f)]
    if not wanted or _has_unread_list(facts):
        return []
    texts = _installed(facts)
    folders = {
        f.site.path.rpartition("/")[0] for f in facts if f.kind is Kind.DEPENDENCY and "lock" not in f.traits
    }
    return [
        fact
        for fact in wanted
        if any(fact.site.path.startswith(f"{folder}/") or not folder for folder in folders)
        and not any(name in text for name in ASKED_FOR[_top(fact)] for text in texts)
    ]


def _has_unread_list(facts: Sequence[Fact]) -> bool:
    """Whether there is a list of packages that stated nothing: it may hold what seems to be left out."""
    told = {f.site.path for f in facts if f.kind in (Kind.DEPENDENCY, Kind.MANIFEST)}
    return any(
        f.kind is Kind.FILE and f.site.path not in told and LISTS.search(f.site.path.lower()) for f in facts
    )


def _fails(fact: Fact) -> bool:
    return (
        _top(fact) in ASKED_FOR
        and fact.site.path.endswith(".py")
        and not {"dead", "optional"} & set(fact.traits)
    )


def _top(fact: Fact) -> str:
    return fact.name.partition(".")[0]


def _installed(facts: Sequence[Fact]) -> list[str]:
    """Texts that ask for packages: dependencies, commands that install, images that code runs in, platforms."""
    found: dict[str, None] = {}
    tests: dict[str, bool] = defaultdict(bool)
    installs: dict[str, list[str]] = defaultdict(list)
    for fact in facts:
        if fact.kind is Kind.DEPENDENCY:
            found.setdefault(f"{fact.name} {' '.join(values(fact.traits.get('version')))}")
        elif fact.kind is Kind.COMMAND:
            unit = f"{fact.site.path} {values(fact.traits.get('unit'))}"
            tests[unit] |= bool(TEST_RUNNERS.search(fact.name))
            if INSTALLERS.search(fact.name):
                installs[unit].append(fact.name)
        elif fact.kind is Kind.IMAGE and "service" not in values(fact.traits.get("role")):
            found.setdefault(fact.name)
        elif fact.kind is Kind.SETTING and "dependenc" in fact.name.lower():
            found.setdefault(" ".join(values(fact.traits.get("value"))))
        elif fact.kind is Kind.CALL and not ASKING.isdisjoint(fact.traits):
            for trait in ASKING:
                found.update(
                    dict.fromkeys(v for v in values(fact.traits.get(trait)) if "=" in trait or "pip" in v)
                )
        for system in values(fact.traits["system"]) if "system" in fact.traits else ():
            if system in PLATFORMS:
                found.setdefault("databricks " + system)
    for unit, commands in installs.items():
        if not tests[unit]:
            found.update(dict.fromkeys(commands))
    return [text.lower().replace("_", "-") for text in found]
