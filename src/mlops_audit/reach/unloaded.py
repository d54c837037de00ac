"""Configuration that nothing loads: settings of no known tool, in a file that no code, command or other file names."""

from __future__ import annotations

import re

from mlops_audit.facts import Kind, Zone, matcher, values
from mlops_audit.reach.stated import Stated
from mlops_audit.reach.told import every

FORMATS = (".yaml", ".yml", ".json")
LONGEST = 41  # characters of a variable before what is put together with it
VARIABLE = re.compile(r"(?:[)}]|[$%]\w{1,40})\Z")
SPACE = re.compile(r"\s")  # texts are known word by word: whether one names such a file is not
# Tools find these by their own rules, in hidden folders, beside a manifest or in a folder of a framework; people read
# cards, records and policies.
FOUND_BY_TOOLS = matcher((
    ".*", "*/.*", "*provisioning/*", "*package.json", "*tsconfig*", "*angular.json", "*vercel.json", "*mkdocs*", "*values*.y*ml",
    "*Chart.y*ml", "*kustomization*", "*conf/*", "*hydra*", "*cluster_*", "*environment*", "*conda*", "*mlproject*", "*serverless*",
    "*docker-compose*", "*compose*.y*ml", "*cdk.json", "*host.json", "*function.json", "*appsettings*", "*feature_store*",
    "*great_expectations/*", "*gx/*", "*prometheus*", "*grafana*", "*loki*", "*otel*", "*alert*", "*rules*", "*dashboard*",
    "*litellm*", "*promptfoo*", "*parameters*.json", "*params*", "*config.json", "*renovate*", "*dependabot*", "*codecov*",
    "*card*", "*governance/*", "*docs/*", "*polic*", "*atrs*", "*ansible*", "*playbook*", "*inventory*", "*group_vars*", "*roles/*", "*definition*.json", "*swagger*", "*openapi*",
), True)  # fmt: skip


READ_OF_PROMETHEUS = frozenset({"rule_files", "groups.rules.alert"})


def unloaded(stated: Stated) -> frozenset[str]:
    """The files of settings below the root that state nothing but settings and are named nowhere.

    A name counts wherever it stands in a text of code, a command or another file's settings, whole, without its
    suffix, or as the end of a name that is put together (`$ENV-compute.yml`); a folder that is named by itself is
    loaded whole (`config_path="configs"`, `"configs/" + name`).
    """
    asked = _asked(stated)
    if not asked:
        return frozenset()
    others = [file for file in stated.of(Kind.FILE) if file.site.path not in asked]
    lines = every(others, "lines")
    said = "\n".join(lines | every(others, "words"))
    folders = {line.strip("./") for line in lines}
    return frozenset(path for path in asked if not _folders(path) & folders and not _is_named(path, said))


def names_of_settings(stated: Stated) -> tuple[set[str], set[str]]:
    """What stands in a text that may name such a file, and the folders that a text may name by themselves."""
    stems: set[str] = set()
    folders: set[str] = set()
    for path in _asked(stated):
        stem = _stem(path)
        stems.update((stem, f"-{stem.partition('-')[2]}.") if "-" in stem else (stem,))
        folders |= _folders(path)
    return stems, folders


def _asked(stated: Stated) -> set[str]:
    return {
        fact.site.path
        for fact in stated.of(Kind.FILE)
        if fact.zone is Zone.SOURCE
        and fact.site.path.endswith(FORMATS)
        and "/" in fact.site.path
        and fact.traits.get("states") == (Kind.SETTING.value,)
        and not FOUND_BY_TOOLS(fact.site.path)
        and not SPACE.search(fact.site.path)
    }


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0]


def _folders(path: str) -> set[str]:
    """The folders above a file, from the root and by their last names."""
    parts = path.split("/")[:-1]
    return {"/".join(parts[:end]) for end in range(1, len(parts) + 1)} | set(parts)


def unasked_alerts(stated: Stated) -> frozenset[str]:
    """The files of Prometheus rules that no `rule_files` of the repository's own Prometheus takes in.

    Only where such a Prometheus is configured here: one that stands elsewhere may take them.
    """
    rules = {fact.site.path for fact in stated.of(Kind.SETTING) if fact.name == "groups.rules.alert"}
    if not rules:
        return frozenset()
    scraping = {
        fact.site.path
        for fact in stated.of(Kind.SETTING)
        if fact.zone is Zone.SOURCE and fact.name.startswith("scrape_configs")
    }
    if not scraping:
        return frozenset()
    taken = [
        value.rpartition("/")[2]
        for fact in stated.of(Kind.SETTING)
        if fact.name == "rule_files" and fact.site.path in scraping
        for value in values(fact.traits.get("value"))
    ]
    takes = matcher(tuple(taken))
    return frozenset(path for path in rules if not takes(path.rpartition("/")[2]))


def _is_named(path: str, said: str) -> bool:
    stem = _stem(path)
    if stem in said:
        return True
    _, dash, ending = stem.partition("-")
    return bool(dash) and _is_put_together(f"-{ending}.", said)


def _is_put_together(ending: str, said: str) -> bool:
    """Whether a text stands anywhere behind a variable."""
    at = said.find(ending)
    while at >= 0:
        if VARIABLE.search(said, max(0, at - LONGEST), at):
            return True
        at = said.find(ending, at + 1)
    return False
