"""Configuration that nothing loads: settings of no known tool, in a file that no code, command or other file names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlops_audit.facts import Fact, Kind, Zone, matcher, values
from mlops_audit.reach.told import every

FORMATS = (".yaml", ".yml", ".json")
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


def unloaded(facts: Sequence[Fact]) -> frozenset[str]:
    """The files of settings below the root that state nothing but settings and are named nowhere.

    A name counts wherever it stands in a text of code, a command or another file's settings, whole, without its
    suffix, or as the end of a name that is put together (`$ENV-compute.yml`); a folder that is named by itself is
    loaded whole (`config_path="configs"`, `"configs/" + name`).
    """
    asked = [
        fact.site.path
        for fact in facts
        if fact.kind is Kind.FILE
        and fact.zone is Zone.SOURCE
        and fact.site.path.endswith(FORMATS)
        and "/" in fact.site.path
        and fact.traits.get("states") == (Kind.SETTING.value,)
        and not FOUND_BY_TOOLS(fact.site.path)
        and not SPACE.search(fact.site.path)
    ]
    if not asked:
        return frozenset()
    others = [fact for fact in facts if fact.site.path not in frozenset(asked)]
    lines = every(others, "lines")
    said = "\n".join(lines | every(others, "words"))
    folders = {line.removeprefix("../").strip("./") for line in lines}
    return frozenset(path for path in asked if not _is_named(path, said) and not _folders(path) & folders)


def _folders(path: str) -> set[str]:
    """The folders above a file, from the root and by their last names."""
    parts = path.split("/")[:-1]
    return {"/".join(parts[:end]) for end in range(1, len(parts) + 1)} | set(parts)


def unasked_alerts(facts: Sequence[Fact]) -> frozenset[str]:
    """The files of Prometheus rules that no `rule_files` of the repository's own Prometheus takes in.

    Only where such a Prometheus is configured here: one that stands elsewhere may take them.
    """
    scraping = {
        fact.site.path
        for fact in facts
        if fact.kind is Kind.SETTING and fact.zone is Zone.SOURCE and fact.name.startswith("scrape_configs")
    }
    if not scraping:
        return frozenset()
    taken = [
        value.rpartition("/")[2]
        for fact in facts
        if fact.kind is Kind.SETTING and fact.site.path in scraping and fact.name == "rule_files"
        for value in values(fact.traits.get("value"))
    ]
    takes = matcher(tuple(taken))
    rules = {
        fact.site.path for fact in facts if fact.kind is Kind.SETTING and fact.name == "groups.rules.alert"
    }
    return frozenset(path for path in rules if not takes(path.rpartition("/")[2]))


def _is_named(path: str, said: str) -> bool:
    stem = path.rpartition("/")[2].rpartition(".")[0]
    if stem in said:
        return True
    _, dash, ending = stem.partition("-")
    ending = f"{dash}{ending}."
    if not dash or ending not in said:
        return False
    return re.search(rf"(?:[)}}]|[$%]\w{{1,40}}){re.escape(ending)}", said) is not None
