"""What to do next: each fix with its exact effect, and the cheapest set of fixes that reaches the next level."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from mlops_audit.catalogue import Level
from mlops_audit.judge import Finding, Verdict
from mlops_audit.rules import EFFORTS
from mlops_audit.score import ORDER, Maturity, maturity, pillar_score, score, verdicts

WEEKS = {"quick": 2, "medium": 12, "long": 26}  # the longest that a fix of each term may take


class Opened(NamedTuple):
    """How many of the closed gates of a level a fix opens."""

    level: int
    gates: int
    closed: int


class Effect(NamedTuple):
    """What changes when one aspect passes and everything else stays: scores as they would be printed."""

    pillar_before: float
    pillar_after: float
    total_before: float
    total_after: float
    opens: tuple[Opened, ...]
    level_before: int
    level_after: int

    @property
    def pillar_gain(self) -> float:
        return round(self.pillar_after - self.pillar_before, 1)

    @property
    def total_gain(self) -> float:
        return round(self.total_after - self.total_before, 1)


class Step(NamedTuple):
    """A finding to fix and what it brings."""

    finding: Finding
    effect: Effect


def roadmap(findings: Sequence[Finding], levels: Sequence[Level]) -> list[Step]:
    """Every finding that is no pass, by term of effort (quick, medium, long) and in each by effect, greatest first."""
    before = maturity(verdicts(findings), levels)
    open_findings = [f for f in findings if f.verdict in (Verdict.PARTIAL, Verdict.MISSING)]
    steps = [Step(finding, effect(finding, findings, levels, before)) for finding in open_findings]
    place = {finding.aspect.id: number for number, finding in enumerate(findings)}

    def rank(step: Step) -> tuple[float, ...]:
        next_level = before.next.level if before.next else 0
        return (
            EFFORTS.index(step.finding.rule.effort),
            step.effect.level_before - step.effect.level_after,
            -sum(opened.gates for opened in step.effect.opens if opened.level == next_level),
            -_gain(step.finding),
            -sum(opened.gates for opened in step.effect.opens),
            place[step.finding.aspect.id],
        )

    return sorted(steps, key=rank)


def effect(
    finding: Finding, findings: Sequence[Finding], levels: Sequence[Level], before: Maturity
) -> Effect:
    """The audit computed again with this one aspect passed."""
    fixed = [f._replace(verdict=Verdict.PASS) if f.aspect.id == finding.aspect.id else f for f in findings]
    after = maturity(verdicts(fixed), levels)
    opens = []
    for level in levels:
        gates = [(a, b) for a, b in zip(before.gates, after.gates, strict=True) if a.level == level.level]
        closed = sum(not state.open for state, _ in gates)
        opened = closed - sum(not state.open for _, state in gates)
        if opened:
            opens.append(Opened(level.level, opened, closed))
    pillar = finding.aspect.pillar
    return Effect(
        pillar_score(findings, pillar) or 0.0,
        pillar_score(fixed, pillar) or 0.0,
        score(findings) or 0.0,
        score(fixed) or 0.0,
        tuple(opens),
        before.level.level,
        after.level.level,
    )


def _gain(finding: Finding) -> int:
    """Half points that a pass would add."""
    return finding.aspect.weight * (2 - ORDER[finding.verdict])


def cheapest_way_up(findings: Sequence[Finding], levels: Sequence[Level]) -> list[Finding]:
    """The cheapest set of findings whose fixes open every gate of the next level; [] at the top, and when a gate asks
    for an aspect that has no finding, or one of which nothing is known.

    Each closed `all` gate needs all the aspects that close it, each closed `any` gate one of them, and an aspect may
    serve several gates. Cheapest is the least effort in weeks, then the fewest fixes, then what has been begun, then
    the greater weight; every choice is tried, so that the answer is exact.
    """
    state = maturity(verdicts(findings), levels)
    if state.next is None:
        return []
    closed = [gate for gate in state.gates if gate.level == state.next.level and not gate.open]
    by_id = {finding.aspect.id: finding for finding in findings if finding.verdict is not Verdict.UNKNOWN}
    place = {finding.aspect.id: number for number, finding in enumerate(findings)}
    forced = {aspect for gate in closed if gate.gate.needs == "all" for aspect in gate.closed_by}
    choices = [
        [aspect for aspect in gate.closed_by if aspect in by_id]
        for gate in closed
        if gate.gate.needs == "any"
    ]

    def cost(chosen: frozenset[str]) -> tuple[object, ...]:
        fixes = [by_id[aspect] for aspect in chosen]
        return (
            sum(WEEKS[fix.rule.effort] for fix in fixes),
            len(fixes),
            sum(fix.verdict is Verdict.MISSING for fix in fixes),
            -sum(fix.aspect.weight for fix in fixes),
            sorted(place[aspect] for aspect in chosen),
        )

    if not all(choices) or not forced <= set(by_id):
        return []
    sets = {frozenset(forced | set(picked)) for picked in product(*choices)}
    best = min(sets, key=cost)
    return sorted((by_id[a] for a in best), key=lambda f: (WEEKS[f.rule.effort], place[f.aspect.id]))
