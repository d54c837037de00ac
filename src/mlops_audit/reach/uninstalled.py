"""Imports of libraries that nothing installs: the project lists what it needs, and leaves out what its code imports."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

from mlops_audit.facts import Fact, Kind, Zone, values
from mlops_audit.reach.stated import Stated

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


def uninstalled(stated: Stated) -> list[Fact]:
    """The imports of source files that fail because neither a manifest, a command nor an image brings the library.

    Only where a manifest beside or above the file lists other packages: who lists nothing leaves it to the reader.
    What a job of CI installs to run tests is not there when the code runs elsewhere.
    """
    wanted = [f for f in stated.of(Kind.IMPORT) if f.zone is Zone.SOURCE and _fails(f)]
    if not wanted or has_unread_list(stated):
        return []
    said = _installed(stated)
    absent = {top for top in set(map(_top, wanted)) if not any(name in said for name in ASKED_FOR[top])}
    folders = {f.site.path.rpartition("/")[0] for f in stated.of(Kind.DEPENDENCY) if "lock" not in f.traits}
    return [
        fact
        for fact in wanted
        if _top(fact) in absent
        and any(fact.site.path.startswith(f"{folder}/") or not folder for folder in folders)
    ]


def has_unread_list(stated: Stated) -> bool:
    """Whether there is a list of packages that stated nothing: it may hold what seems to be left out."""
    told = {f.site.path for f in stated.of(Kind.DEPENDENCY, Kind.MANIFEST)}
    return any(f.site.path not in told and LISTS.search(f.site.path.lower()) for f in stated.of(Kind.FILE))


def _fails(fact: Fact) -> bool:
    return (
        _top(fact) in ASKED_FOR
        and fact.site.path.endswith(".py")
        and "dead" not in fact.traits
        and "optional" not in fact.traits
    )


def _top(fact: Fact) -> str:
    return fact.name.partition(".")[0]


def _installed(stated: Stated) -> str:
    """What asks for packages: dependencies, commands that install, images that code runs in, platforms."""
    found = {
        f"{fact.name} {' '.join(values(fact.traits.get('version')))}" for fact in stated.of(Kind.DEPENDENCY)
    }
    tests: dict[str, bool] = defaultdict(bool)
    installs: dict[str, list[str]] = defaultdict(list)
    for fact in stated.of(Kind.COMMAND):
        unit = f"{fact.site.path} {values(fact.traits.get('unit'))}"
        tests[unit] |= bool(TEST_RUNNERS.search(fact.name))
        if INSTALLERS.search(fact.name):
            installs[unit].append(fact.name)
    for unit, commands in installs.items():
        if not tests[unit]:
            found.update(commands)
    found.update(
        fact.name for fact in stated.of(Kind.IMAGE) if "service" not in values(fact.traits.get("role"))
    )
    found.update(
        " ".join(values(fact.traits.get("value")))
        for fact in stated.of(Kind.SETTING)
        if "dependenc" in fact.name.lower()
    )
    for fact in stated.of(Kind.CALL):
        for trait in ASKING & fact.traits.keys():
            found.update(text for text in values(fact.traits[trait]) if "=" in trait or "pip" in text)
    for fact in stated.stating("system"):
        found.update(
            "databricks " + system for system in values(fact.traits["system"]) if system in PLATFORMS
        )
    return "\n".join(found).lower().replace("_", "-")
