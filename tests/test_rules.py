"""Every example of every rule, and the laws over every passing example: what `mlops-audit verify` runs."""

from __future__ import annotations

from functools import lru_cache

import pytest

from mlops_audit import catalogue, rules
from mlops_audit.catalogue import Aspect
from mlops_audit.rules import Example, Pack, Rule
from mlops_audit.verify import LAWS, Law, example_fault


@lru_cache(maxsize=1)
def pack() -> Pack:
    return rules.load(catalogue.data_folder("rules"))


def aspect_of(rule: Rule) -> Aspect:
    return next(aspect for aspect in catalogue.load().aspects if aspect.id == rule.id)


def examples(verdict: str = "") -> list[object]:
    return [
        pytest.param(rule, example, id=f"{rule.id}:{example.verdict}:{example.title}")
        for rule in pack().rules
        for example in rule.examples
        if verdict in ("", example.verdict)
    ]


@pytest.mark.parametrize(("rule", "example"), examples())
def test_an_example_gets_its_verdict_and_its_marked_lines(rule: Rule, example: Example) -> None:
    assert example_fault(example, aspect_of(rule), rule, pack()) == ""


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize(("rule", "example"), examples("pass"))
def test_a_passing_example_obeys_the_law(rule: Rule, example: Example, law: Law) -> None:
    assert law(example, aspect_of(rule), rule, pack()) == ""


def test_every_aspect_of_the_catalogue_has_a_rule_and_no_rule_lacks_an_aspect() -> None:
    assert {rule.id for rule in pack().rules} == {aspect.id for aspect in catalogue.load().aspects}


@pytest.mark.parametrize("verdict", ["pass", "partial", "missing"])
@pytest.mark.parametrize("rule", pack().rules, ids=lambda rule: rule.id)
def test_a_rule_has_an_example_of_every_verdict(rule: Rule, verdict: str) -> None:
    assert any(example.verdict == verdict for example in rule.examples)
