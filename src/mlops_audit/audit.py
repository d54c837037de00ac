"""The audit, whole: the only module that knows extractors and rules."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_audit import catalogue
from mlops_audit.extract import extract
from mlops_audit.facts import Facts, Problem
from mlops_audit.judge import Evidence, Finding, best, judge, kinds_of
from mlops_audit.projects import split
from mlops_audit.reach import Reach
from mlops_audit.rules import Pack
from mlops_audit.tree import Tree


def examine(tree: Tree, pack: Pack) -> tuple[Facts, list[Problem], dict[str, tuple[Evidence, ...]]]:
    """What a tree states, what could not be read, and the kinds of project it is with the evidence of each.

    Which files train and which serve also tells reach which modules both sides share.
    """
    extracted, problems = extract(tree.files)
    reach = Reach(extracted)
    lent = reach.lend(extracted)
    kinds = kinds_of(Facts(lent), pack.kinds)
    training, serving = ({e.fact.site.path for e in kinds.get(side, ())} for side in ("trains", "serves"))
    facts = Facts(lent, reach.sides(training, serving))
    return facts, problems, kinds


def findings(facts: Facts, kinds: Mapping[str, tuple[Evidence, ...]], pack: Pack) -> list[Finding]:
    """The finding for every aspect that has a rule, in the order of the catalogue: the best of any project's."""
    rules = {rule.id: rule for rule in pack.rules}
    told = frozenset(kinds)
    projects = split(facts, (evidence.fact.site.path for evidence in kinds.get("trains", ())))
    return [
        best(judge(aspect, rules[aspect.id], project.facts, told, project.folder) for project in projects)
        for aspect in catalogue.load().aspects
        if aspect.id in rules
    ]
