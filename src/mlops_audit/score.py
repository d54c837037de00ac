"""Points out of 10, severities, the maturity level with its gates, and anti-patterns: all from verdicts alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mlops_audit.catalogue import Gate, Level
from mlops_audit.judge import Finding, Verdict

SEVERITIES = ("critical", "major", "minor", "note")
SEVERITY_OF_WEIGHT = {3: 0, 2: 1, 1: 2}
HALVES = {
    Verdict.PASS: 2,
    Verdict.PARTIAL: 1,
    Verdict.MISSING: 0,
    Verdict.UNKNOWN: 0,
}  # half points, so that sums stay whole
ORDER = {Verdict.MISSING: 0, Verdict.UNKNOWN: 0, Verdict.PARTIAL: 1, Verdict.PASS: 2}

Verdicts = Mapping[str, Verdict]  # aspect -> verdict


def verdicts(findings: Iterable[Finding]) -> dict[str, Verdict]:
    """The verdict of each aspect."""
    return {finding.aspect.id: finding.verdict for finding in findings}


def disable(findings: Iterable[Finding], disabled: Mapping[str, str]) -> list[Finding]:
    """The findings with the disabled aspects (aspect -> reason) set to `na`."""
    return [
        f._replace(verdict=Verdict.NA, evidence=(), lacks=()) if f.aspect.id in disabled else f
        for f in findings
    ]


def weigh(findings: Iterable[Finding], weights: Mapping[str, int]) -> list[Finding]:
    """The findings with the weights that a profile gives to aspects (3 essential, 2 important, 1 advanced)."""
    return [
        f._replace(aspect=f.aspect._replace(weight=weights[f.aspect.id])) if f.aspect.id in weights else f
        for f in findings
    ]


def score(findings: Iterable[Finding]) -> float | None:
    """10 x sum(weight x {1, 0.5, 0}) / sum(weight) of the aspects that apply, to one decimal, halves rounded up.

    What is unknown earns nothing. None when no aspect applies.
    """
    points = weight = 0
    for finding in findings:
        if finding.verdict is not Verdict.NA:
            points += finding.aspect.weight * HALVES[finding.verdict]
            weight += finding.aspect.weight
    if weight == 0:
        return None
    tenths = (200 * points + 2 * weight) // (4 * weight)  # 100 x points / (2 x weight), rounded
    return tenths / 10


def pillar_score(findings: Iterable[Finding], pillar: str) -> float | None:
    """The score of one pillar."""
    return score(finding for finding in findings if finding.aspect.pillar == pillar)


def severity(finding: Finding) -> str:
    """How grave a finding is: missing essential is critical, important major, advanced minor; partial is one step
    lower; "" for a pass and for what does not apply."""
    if finding.verdict not in (Verdict.PARTIAL, Verdict.MISSING):
        return ""
    return SEVERITIES[SEVERITY_OF_WEIGHT[finding.aspect.weight] + (finding.verdict is Verdict.PARTIAL)]


# -------------------------------------------------------------------------------------------------- maturity


class GateState(NamedTuple):
    """A gate of a level, whether it is open, and the aspects that close it."""

    level: int
    gate: Gate
    open: bool
    closed_by: tuple[str, ...]


class Maturity(NamedTuple):
    """The highest level whose gates, and all gates below it, are open; all gates of all levels; the next level."""

    level: Level
    gates: tuple[GateState, ...]
    next: Level | None

    @property
    def blocked_by(self) -> tuple[str, ...]:
        """The aspects that close gates of the next level."""
        if self.next is None:
            return ()
        closed = (a for state in self.gates if state.level == self.next.level for a in state.closed_by)
        return tuple(dict.fromkeys(closed))


def maturity(found: Verdicts, levels: Sequence[Level]) -> Maturity:
    """The maturity that the verdicts amount to."""
    gates = tuple(_state(level.level, gate, found) for level in levels for gate in level.gates)
    reached = levels[0]
    for level in levels[1:]:
        if not all(state.open for state in gates if state.level == level.level):
            return Maturity(reached, gates, level)
        reached = level
    return Maturity(reached, gates, None)


def _state(level: int, gate: Gate, found: Verdicts) -> GateState:
    """A gate whose aspects are all `na` is open; an aspect without a verdict counts as missing."""
    asked = [aspect for aspect in gate.aspects if found.get(aspect) is not Verdict.NA]
    short = tuple(a for a in asked if ORDER[found.get(a, Verdict.MISSING)] < ORDER[Verdict(gate.at_least)])
    opened = not short or (gate.needs == "any" and len(short) < len(asked))
    return GateState(level, gate, opened, () if opened else short)


# -------------------------------------------------------------------------------------------------- anti-patterns

MISSING_ONLY = frozenset({Verdict.MISSING})
NOT_PASSED = frozenset({Verdict.MISSING, Verdict.PARTIAL})
BEGUN = frozenset({Verdict.PARTIAL, Verdict.PASS})


class AntiPattern(NamedTuple):
    """A known way to fail. It is there when every aspect that applies has one of the verdicts, and at least one
    applies; `given` are aspects that must have been begun for it to mean anything."""

    id: str
    title: str
    meaning: str
    aspects: tuple[str, ...]
    verdicts: frozenset[Verdict]
    given: tuple[str, ...] = ()


ANTI_PATTERNS = (
    AntiPattern(
        "notebook-to-production",
        "Notebook to production",
        "The model comes out of notebooks that somebody ran by hand, in an order that nobody recorded.",
        ("model/training-pipeline",),
        MISSING_ONLY,
    ),
    AntiPattern(
        "no-versioning",
        "No versioning of data and models",
        "Neither the data nor the model that came of it can be restored, compared or explained later.",
        ("data/versioning", "model/registry"),
        MISSING_ONLY,
    ),
    AntiPattern(
        "train-serve-skew",
        "Training/serving skew",
        "Serving prepares its inputs apart from training, so that the two drift apart without an error.",
        ("data/train-serve-parity",),
        NOT_PASSED,
    ),
    AntiPattern(
        "no-monitoring",
        "No monitoring",
        "Once released, the model may decay and nobody would see it before its users do.",
        ("monitor/model-performance", "monitor/data-drift", "monitor/alerting", "monitor/llm-usage"),
        MISSING_ONLY,
    ),
    AntiPattern(
        "manual-deployment",
        "Manual deployment",
        "A person carries each release to its environment, each time a little differently.",
        ("cicd/continuous-delivery",),
        NOT_PASSED,
        given=("deploy/serving",),
    ),
)


def anti_patterns(found: Verdicts) -> list[tuple[AntiPattern, tuple[str, ...]]]:
    """The anti-patterns that the verdicts tell of, each with the aspects that say so."""
    named = []
    for pattern in ANTI_PATTERNS:
        because = tuple(a for a in pattern.aspects if found.get(a, Verdict.NA) is not Verdict.NA)
        given = all(found.get(a) in BEGUN for a in pattern.given)
        if because and given and all(found[a] in pattern.verdicts for a in because):
            named.append((pattern, because))
    return named


# -------------------------------------------------------------------------------------------------- thresholds


class Thresholds(NamedTuple):
    """What an audit must reach: a maturity level, scores (pillar or "total" -> at least), no finding this grave."""

    maturity: int | None = None
    scores: tuple[tuple[str, float], ...] = ()
    severity: str = ""


class Outcome(NamedTuple):
    """One threshold: what was wanted, what was found, and whether it held."""

    threshold: str
    wanted: str
    found: str
    held: bool


def outcomes(
    thresholds: Thresholds, findings: Sequence[Finding], level: int, severities: Iterable[str] | None = None
) -> list[Outcome]:
    """Each threshold with what was found; a score that nothing applies to holds.

    `severities` are those of the findings that count, where a waiver or a baseline holds some of them back.
    """
    checked = []
    if thresholds.maturity is not None:
        held = level >= thresholds.maturity
        checked.append(Outcome("maturity", f"at least {thresholds.maturity}", str(level), held))
    for name, least in thresholds.scores:
        points = score(findings) if name == "total" else pillar_score(findings, name)
        shown = "n/a" if points is None else f"{points:.1f}"
        checked.append(
            Outcome(f"score {name}", f"at least {least:g}", shown, points is None or points >= least)
        )
    if thresholds.severity:
        grave = SEVERITIES[: SEVERITIES.index(thresholds.severity) + 1]
        found = map(severity, findings) if severities is None else severities
        count = sum(one in grave for one in found)
        wanted = f"no finding that is {' or '.join(grave)}"
        checked.append(Outcome("severity", wanted, str(count), count == 0))
    return checked
