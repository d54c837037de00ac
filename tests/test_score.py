"""Points, severities, gates, anti-patterns, and what each fix would bring."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest
from made_findings import CATALOGUE, findings

from mlops_audit.judge import Verdict
from mlops_audit.roadmap import WEEKS, cheapest_way_up, roadmap
from mlops_audit.score import (
    Thresholds,
    anti_patterns,
    disable,
    maturity,
    outcomes,
    pillar_score,
    score,
    severity,
    verdicts,
)

LEVELS = CATALOGUE.levels
LEVEL_1 = {
    "model/training-pipeline": "pass",
    "model/environment": "partial",
    "data/lineage": "partial",
    "model/prompt-management": "na",
}
LEVEL_2 = {
    **LEVEL_1,
    "deploy/serving": "pass",
    "deploy/orchestration": "partial",
    "cicd/automated-testing": "pass",
    "cicd/continuous-delivery": "pass",
    "model/registry": "partial",
    "cicd/llm-evaluation": "na",
}


def level_of(given: dict[str, str]) -> int:
    return maturity(verdicts(findings(given)), LEVELS).level.level


def test_nothing_scores_nothing_and_everything_ten() -> None:
    assert score(findings({})) == 0.0
    assert score(findings({}, "pass")) == 10.0
    assert score(findings({}, "partial")) == 5.0


def test_a_pillar_of_which_nothing_applies_has_no_score() -> None:
    made = findings({"data": "na"})
    assert pillar_score(made, "data") is None
    assert score(findings({}, "na")) is None


def test_weights_count_and_what_does_not_apply_is_left_out() -> None:
    # weights 3 3 1 2 2 2 2; without rag-index 13: versioning 3, validation 1.5, feature store 1 -> 5.5 of 13
    made = findings({
        "data/versioning": "pass", "data/validation": "partial", "data/feature-store": "pass", "data/rag-index": "na",
    })  # fmt: skip
    assert pillar_score(made, "data") == 4.2


def test_scores_are_rounded_to_one_decimal_and_halves_up() -> None:
    def of(given: dict[str, str], asked: set[str]) -> float | None:
        return score(finding for finding in findings(given) if finding.aspect.id in asked)

    assert of({"data/privacy": "pass"}, {"data/privacy", "data/feature-store"}) == 6.7  # 2 of 3
    heavy = {a.id for a in CATALOGUE.aspects if a.weight == 3}
    light = {"data/feature-store", "deploy/model-format"}
    twenty = set(sorted(heavy)[:6]) | light
    assert of({"data/feature-store": "partial"}, twenty) == 0.3  # 0.5 of 20 is 0.25


@pytest.mark.parametrize(
    ("aspect", "verdict", "expected"),
    [
        ("data/versioning", "missing", "critical"),
        ("data/versioning", "partial", "major"),
        ("data/lineage", "missing", "major"),
        ("data/lineage", "partial", "minor"),
        ("data/feature-store", "missing", "minor"),
        ("data/feature-store", "partial", "note"),
        ("data/versioning", "pass", ""),
        ("data/versioning", "na", ""),
    ],
)
def test_severity_follows_weight_and_partial_is_one_step_lower(
    aspect: str, verdict: str, expected: str
) -> None:
    (finding,) = [f for f in findings({aspect: verdict}) if f.aspect.id == aspect]
    assert severity(finding) == expected


def test_no_practice_is_level_0_and_all_of_them_level_4() -> None:
    assert level_of({}) == 0
    state = maturity(verdicts(findings({}, "pass")), LEVELS)
    assert (state.level.level, state.next, state.blocked_by) == (4, None, ())


def test_each_level_needs_all_its_gates() -> None:
    assert level_of(LEVEL_1) == 1
    for aspect in ("model/training-pipeline", "model/environment", "data/lineage"):
        assert level_of({**LEVEL_1, aspect: "missing"}) == 0, aspect
    assert level_of({**LEVEL_1, "model/training-pipeline": "partial"}) == 0
    assert level_of(LEVEL_2) == 2
    assert level_of({**LEVEL_2, "model/registry": "missing"}) == 1


def test_a_gate_whose_aspects_all_do_not_apply_is_open() -> None:
    assert level_of({**LEVEL_1, "model/prompt-management": "missing"}) == 0
    off = {"model/experiment-tracking": "na", "data/versioning": "na", "data/lineage": "na"}
    assert level_of({**LEVEL_1, **off}) == 1


def test_an_any_gate_opens_by_one_and_closed_names_all_that_could() -> None:
    state = maturity(verdicts(findings({**LEVEL_1, "data/lineage": "missing"})), LEVELS)
    assert state.blocked_by == ("model/experiment-tracking", "data/versioning", "data/lineage")
    assert level_of({**LEVEL_1, "data/lineage": "missing", "data/versioning": "partial"}) == 1


def test_higher_gates_are_told_even_when_a_lower_level_is_closed() -> None:
    state = maturity(verdicts(findings({"deploy/rollback": "pass"})), LEVELS)
    rollback = [g for g in state.gates if g.gate.aspects == ("deploy/rollback",)]
    assert state.level.level == 0
    assert [g.open for g in rollback] == [True]


def test_an_aspect_without_a_verdict_closes_its_gate() -> None:
    state = maturity({}, LEVELS)
    assert not any(gate.open for gate in state.gates)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, {"notebook-to-production", "no-versioning", "train-serve-skew", "no-monitoring"}),
        ({"deploy/serving": "partial"}, {"notebook-to-production", "no-versioning", "train-serve-skew", "no-monitoring", "manual-deployment"}),
        ({"model/training-pipeline": "partial", "model/registry": "partial", "data/train-serve-parity": "na", "monitor/alerting": "partial"}, set()),
        ({"model": "na", "data": "na", "monitor": "na", "cicd": "na"}, set()),
        ({"data/train-serve-parity": "partial"}, {"notebook-to-production", "no-versioning", "train-serve-skew", "no-monitoring"}),
    ],
)  # fmt: skip
def test_anti_patterns_are_named_when_their_aspects_say_so(given: dict[str, str], named: set[str]) -> None:
    assert {pattern.id for pattern, _ in anti_patterns(verdicts(findings(given)))} == named


def test_disabled_aspects_count_as_not_applying() -> None:
    made = disable(findings({}, "pass"), {"data/versioning": "no data of our own"})
    off = [f for f in made if f.verdict is Verdict.NA]
    assert [f.aspect.id for f in off] == ["data/versioning"]


def test_thresholds_hold_at_the_very_value_and_fail_below() -> None:
    made = findings({}, "partial")
    wanted = Thresholds(1, (("total", 5.0), ("data", 5.1)), "critical")
    assert [(o.threshold, o.held) for o in outcomes(wanted, made, 1)] == [
        ("maturity", True), ("score total", True), ("score data", False), ("severity", True),
    ]  # fmt: skip
    assert [o.held for o in outcomes(Thresholds(2, (), "major"), made, 1)] == [False, False]


# -------------------------------------------------------------------------------------------------- roadmap


def test_the_roadmap_holds_every_finding_and_nothing_else() -> None:
    made = findings({"data/versioning": "pass", "data/validation": "na", "data/lineage": "partial"})
    steps = roadmap(made, LEVELS)
    assert {s.finding.aspect.id for s in steps} == {a.id for a in CATALOGUE.aspects} - {
        "data/versioning",
        "data/validation",
    }


def test_an_effect_is_what_the_audit_says_with_that_one_aspect_passed() -> None:
    random = Random(7)
    for _ in range(20):
        given = {a.id: random.choice(["pass", "partial", "missing", "na"]) for a in CATALOGUE.aspects}
        for step in roadmap(findings(given), LEVELS):
            aspect = step.finding.aspect
            fixed = findings({**given, aspect.id: "pass"})
            assert step.effect.pillar_after == pillar_score(fixed, aspect.pillar)
            assert step.effect.total_after == score(fixed)
            before, after = (maturity(verdicts(f), LEVELS) for f in (findings(given), fixed))
            assert step.effect.level_after == after.level.level
            opened = sum(b.open and not a.open for a, b in zip(before.gates, after.gates, strict=True))
            assert sum(o.gates for o in step.effect.opens) == opened


def test_the_last_gate_is_said_to_reach_the_level() -> None:
    made = findings({**LEVEL_2, "cicd/automated-testing": "partial"})
    (step,) = [s for s in roadmap(made, LEVELS) if s.finding.aspect.id == "cicd/automated-testing"]
    assert (step.effect.level_before, step.effect.level_after) == (1, 2)
    assert [(o.level, o.gates, o.closed) for o in step.effect.opens] == [(2, 1, 1)]
    assert roadmap(made, LEVELS)[0] == step


def test_terms_come_in_order_of_effort() -> None:
    efforts = {"data/versioning": "long", "data/validation": "medium", "data/lineage": "quick"}
    made = findings({}, "pass") and findings(dict.fromkeys(efforts, "missing"), "pass", efforts)
    assert [s.finding.rule.effort for s in roadmap(made, LEVELS)] == ["quick", "medium", "long"]


def test_the_way_up_takes_all_of_an_all_gate_and_the_cheapest_of_an_any_gate() -> None:
    efforts = {"model/experiment-tracking": "medium", "data/versioning": "quick", "data/lineage": "long"}
    made = findings({"model/environment": "partial", "model/prompt-management": "na"}, "missing", efforts)
    assert [f.aspect.id for f in cheapest_way_up(made, LEVELS)] == [
        "data/versioning",
        "model/training-pipeline",
    ]


def test_the_way_up_prefers_what_is_begun() -> None:
    given = {**LEVEL_2, "cicd/retraining-trigger": "pass", "cicd/validation-gate": "pass", "monitor/alerting": "pass",
             "monitor/data-drift": "partial"}  # fmt: skip
    assert [f.aspect.id for f in cheapest_way_up(findings(given), LEVELS)] == ["monitor/data-drift"]


def test_there_is_no_way_above_the_top() -> None:
    assert cheapest_way_up(findings({}, "pass"), LEVELS) == []


def test_no_way_up_is_told_when_a_gate_asks_for_what_has_no_finding() -> None:
    made = findings({"model/environment": "partial", "model/prompt-management": "na"})
    tracked = {"model/experiment-tracking", "data/versioning", "data/lineage"}
    assert cheapest_way_up([f for f in made if f.aspect.id != "model/training-pipeline"], LEVELS) == []
    assert cheapest_way_up([f for f in made if f.aspect.id not in tracked], LEVELS) == []


def test_the_way_up_reaches_the_next_level_and_no_cheaper_set_does() -> None:
    random = Random(3)
    for _ in range(40):
        given = {a.id: random.choice(["pass", "partial", "missing", "na"]) for a in CATALOGUE.aspects}
        efforts = {a.id: random.choice(["quick", "medium", "long"]) for a in CATALOGUE.aspects}
        made = findings(given, efforts=efforts)
        state = maturity(verdicts(made), LEVELS)
        way = cheapest_way_up(made, LEVELS)
        if state.next is None:
            continue
        assert level_of({**given, **{f.aspect.id: "pass" for f in way}}) >= state.next.level
        cost = sum(WEEKS[f.rule.effort] for f in way)
        options = list(state.blocked_by)
        for size in range(len(options) + 1):
            for chosen in combinations(options, size):
                if sum(WEEKS[efforts[a]] for a in chosen) < cost:
                    assert level_of({**given, **dict.fromkeys(chosen, "pass")}) < state.next.level
