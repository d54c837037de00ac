"""Findings made by hand over the real catalogue, with rules that say no more than a test needs."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_audit import catalogue
from mlops_audit.facts import Fact, Kind, Link, Reached, Site, Zone
from mlops_audit.judge import Evidence, Finding, Verdict
from mlops_audit.rules import Risk, Rule

CATALOGUE = catalogue.load()


def rule_of(aspect: str, effort: str = "quick", fix: str = "Add `it`.", why: str = "It matters.") -> Rule:
    return Rule(
        id=aspect,
        path=f"rules/{aspect}.yaml",
        why=why,
        fix=fix,
        references=("https://example.org/docs",),
        effort=effort,
        risk=Risk(f"{aspect} fails", "medium", "high", "Do it"),
        signals={},
        passes=(),
        partial=(),
        na=(),
        examples=(),
    )


def evidence(
    signal: str, path: str, line: int, *, cell: int = 0, name: str = "f", chain: tuple[Link, ...] = ()
) -> Evidence:
    reached = Reached(chain, frozenset({"github"}), frozenset({"push"})) if chain else Reached()
    zone = Zone.NOTEBOOK if cell else Zone.SOURCE
    return Evidence(signal, Fact(Kind.CALL, name, Site(path, line, cell), {}, zone, reached))


def findings(
    verdicts: Mapping[str, str],
    default: str = "missing",
    efforts: Mapping[str, str] | None = None,
    found: Mapping[str, tuple[Evidence, ...]] | None = None,
    lacks: Mapping[str, tuple[str, ...]] | None = None,
    rules: Mapping[str, Rule] | None = None,
) -> list[Finding]:
    """A finding for each aspect of the catalogue; a pillar's id stands for all its aspects."""
    made = []
    for aspect in CATALOGUE.aspects:
        verdict = verdicts.get(aspect.id, verdicts.get(aspect.pillar, default))
        rule = (rules or {}).get(aspect.id) or rule_of(aspect.id, (efforts or {}).get(aspect.id, "quick"))
        made.append(
            Finding(
                aspect,
                rule,
                Verdict(verdict),
                (found or {}).get(aspect.id, ()),
                (lacks or {}).get(aspect.id, ()),
            )
        )
    return made
