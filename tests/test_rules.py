"""Every example of every rule: its verdict, and exactly the marked lines."""

from __future__ import annotations

import re
from functools import lru_cache

import pytest

from mlops_audit import catalogue, rules
from mlops_audit.audit import examine
from mlops_audit.judge import judge
from mlops_audit.rules import Example, Pack, Rule
from mlops_audit.tree import Tree

MARK = re.compile(r"evidence:\s*([^#\n]+?)\s*(?:-->|\*/)?\s*$")


@lru_cache(maxsize=1)
def pack() -> Pack:
    return rules.load(catalogue.data_folder("rules"))


def examples() -> list[object]:
    return [
        pytest.param(rule, example, id=f"{rule.id}:{example.verdict}:{example.title}")
        for rule in pack().rules
        for example in rule.examples
    ]


def marked(example: Example) -> set[tuple[str, int, str]]:
    """The marks of an example: (path, line, signal); a mark on a line of its own points at the next line."""
    found = set()
    for path, text in example.files.items():
        for number, line in enumerate(text.split("\n"), 1):
            if mark := MARK.search(line):
                alone = not line[: mark.start()].strip(" \t#/<!-*")
                for name in mark[1].split(" + "):
                    found.add((path, number + 1 if alone else number, name.strip()))
    return found


@pytest.mark.parametrize(("rule", "example"), examples())
def test_an_example_gets_its_verdict_and_its_marked_lines(rule: Rule, example: Example) -> None:
    aspect = next(a for a in catalogue.load().aspects if a.id == rule.id)
    facts, _, _ = examine(Tree.of(example.files), pack())
    finding = judge(aspect, rule, facts, frozenset(aspect.applies_to))
    shown = [f"{e.signal}: {e.fact.site} {e.fact.name}" for e in finding.evidence]
    assert finding.verdict.value == example.verdict, (shown, finding.lacks)
    found = {(e.fact.site.path, e.fact.site.line, e.signal) for e in finding.evidence}
    unmet = marked(example) - found
    assert not unmet, f"marked, not found: {unmet}; found: {found}"
    if marked(example):
        unmarked = {(p, n) for p, n, _ in found} - {(p, n) for p, n, _ in marked(example)}
        assert not unmarked, f"found, not marked: {unmarked}"


def test_every_aspect_of_the_catalogue_has_a_rule_and_no_rule_lacks_an_aspect() -> None:
    assert {rule.id for rule in pack().rules} == {aspect.id for aspect in catalogue.load().aspects}
