"""The audit, whole: the only module that knows extractors and rules."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_audit import catalogue
from mlops_audit.extract import extract
from mlops_audit.facts import Facts, Problem
from mlops_audit.judge import Finding, judge, kinds_of
from mlops_audit.reach import reach
from mlops_audit.rules import Pack
from mlops_audit.tree import Tree


def examine(tree: Tree, pack: Pack) -> tuple[Facts, list[Problem], frozenset[str]]:
    """What a tree states, what could not be read, and the kinds of project it is."""
    extracted, problems = extract(tree.files)
    facts = Facts(reach(extracted))
    return facts, problems, kinds_of(facts, pack.kinds)


def findings(facts: Facts, kinds: frozenset[str], pack: Pack) -> Sequence[Finding]:
    """The finding for every aspect that has a rule, in the order of the catalogue."""
    rules = {rule.id: rule for rule in pack.rules}
    return [judge(a, rules[a.id], facts, kinds) for a in catalogue.load().aspects if a.id in rules]
