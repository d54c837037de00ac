"""The report: one value, one document made of it, and that document in every format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlops_audit import __version__, waivers
from mlops_audit.catalogue import Catalogue
from mlops_audit.changes import baseline
from mlops_audit.changes.identity import CLAIM, Mark, Sketch
from mlops_audit.facts import Fact, Problem, Site
from mlops_audit.formats.json_text import json_text
from mlops_audit.formats.location import Location
from mlops_audit.judge import Evidence, Finding, Verdict
from mlops_audit.quiet import place_of
from mlops_audit.reach.listening import Listening
from mlops_audit.redact import redacted
from mlops_audit.roadmap import Step, cheapest_way_up, roadmap
from mlops_audit.score import (
    SEVERITIES,
    AntiPattern,
    GateState,
    Maturity,
    Outcome,
    anti_patterns,
    maturity,
    pillar_score,
    score,
    severity,
    verdicts,
)

SCHEMA_VERSION = "1.0"
FORMATS = (
    "terminal", "markdown", "json", "sarif", "html", "junit", "gitlab", "github", "badge", "badge-json", "csv",
)  # fmt: skip
NAMING_THE_COMMIT = ("terminal", "markdown", "json", "html")  # that an answer can be kept for another commit
PER_SIGNAL, PER_ASPECT = 5, 20  # pieces of evidence that a report shows
UNREAD = 5  # files that an aspect names as not read

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """All that an audit found out. Scores are None where no aspect applies; `locations` are by aspect, for findings."""

    project: str
    commit: str
    kinds: Mapping[str, Sequence[Evidence]]
    findings: Sequence[Finding]
    locations: Mapping[str, Location]
    score: float | None
    pillars: Mapping[str, float | None]
    maturity: Maturity
    way_up: Sequence[Finding]
    anti_patterns: Sequence[tuple[AntiPattern, tuple[str, ...]]]
    roadmap: Sequence[Step]
    problems: Sequence[Problem]
    files: int
    catalogue: Catalogue
    claims: Sequence[tuple[str, Fact]] = ()  # (aspect, sentence) of documents that nothing supports
    disabled: Mapping[str, str] = field(default_factory=dict)
    excluded: Sequence[str] = ()
    thresholds: Sequence[Outcome] = ()
    line_findings: Sequence[
        Mark
    ] = ()  # places that keep aspects from passing, and claims that nothing supports
    waived: waivers.Waived | None = None
    held: baseline.Held | None = None
    sketches: Mapping[str, Sketch] = field(default_factory=dict)  # of the files that line findings stand in
    sources: Sequence[str] = ()  # the configurations that disabled, excluded and thresholds come from
    snippets: Mapping[Site, str] = field(default_factory=dict)
    consulted: Sequence[str] = ()  # files whose text told more than the facts that are kept of them
    listening: Listening | None = None  # what was listened for in the sums of files
    schema_version: str = SCHEMA_VERSION


def report_of(
    findings: Sequence[Finding],
    catalogue: Catalogue,
    *,
    project: str = "",
    commit: str = "",
    kinds: Mapping[str, Sequence[Evidence]] | None = None,
    locations: Mapping[str, Location] | None = None,
    problems: Sequence[Problem] = (),
    files: int = 0,
    claims: Sequence[tuple[str, Fact]] = (),
    disabled: Mapping[str, str] | None = None,
) -> Report:
    """The report that findings amount to: scores, maturity, anti-patterns and roadmap are all derived from them."""
    found = verdicts(findings)
    return Report(
        project=project,
        commit=commit,
        kinds=kinds or {},
        findings=findings,
        locations=locations or {},
        score=score(findings),
        pillars={pillar.id: pillar_score(findings, pillar.id) for pillar in catalogue.pillars},
        maturity=maturity(found, catalogue.levels),
        way_up=cheapest_way_up(findings, catalogue.levels),
        anti_patterns=anti_patterns(found),
        roadmap=roadmap(findings, catalogue.levels),
        problems=sorted(problems, key=lambda p: (p.site.path, p.site.cell, p.site.line, p.reason)),
        files=files,
        catalogue=catalogue,
        claims=claims,
        disabled=disabled or {},
    )


def render(
    report: Report,
    format: str,
    *,
    color: bool = False,
    width: int = 100,
    unicode: bool = True,
    trend: Document | None = None,
) -> str:
    """The report as text in one of FORMATS. Colour, width and Unicode matter to the terminal, a trend to the page.

    Raises ValueError for another format. The same report always gives the same text.
    """
    document = document_of(report)
    if format == "json":
        return json_text(document)
    if format == "sarif":
        from mlops_audit.formats.sarif import sarif

        return json_text(sarif(document))
    if format == "markdown":
        from mlops_audit.formats.markdown import filled

        return filled("report.md.j2", document)
    if format == "terminal":
        from mlops_audit.formats.terminal import terminal

        return terminal(document, color=color, width=width, unicode=unicode)
    if format == "html":
        from mlops_audit.formats.page import page

        return page(document, trend)
    text = _for_platform(document, format)
    if text is not None:
        return text
    raise ValueError(f"unknown format {format!r}; known: {', '.join(FORMATS)}")


def _for_platform(document: Document, format: str) -> str | None:
    """The text that a platform reads; None for a format that is none of theirs."""
    if format == "junit":
        from mlops_audit.formats.junit import junit

        return junit(document)
    if format == "gitlab":
        from mlops_audit.formats.code_quality import code_quality

        return json_text(code_quality(document))
    if format == "github":
        from mlops_audit.formats.job_log import workflow_commands

        return workflow_commands(document)
    if format in ("badge", "badge-json"):
        from mlops_audit.formats.badge import badge, badge_json

        return badge(document) if format == "badge" else json_text(badge_json(document))
    if format == "csv":
        from mlops_audit.formats.spreadsheet import spreadsheet

        return spreadsheet(document)
    return None


def document_of(report: Report) -> Document:
    """The report as plain data, the shape of reports/report.schema.json; every format is made from it."""
    document = _document(report)
    if report.waived is not None:
        waivers.shown(document, report.waived)
    if report.held is not None:
        baseline.shown(document, report.held)
    return document


def _document(report: Report) -> Document:
    """The same before anything is waived or held back."""
    active = [finding for finding in report.findings if severity(finding)]
    verdicts_of = Counter(finding.verdict for finding in report.findings)
    severities = Counter(map(severity, active))
    places = waivers.kept(report.line_findings, report.waived)
    return {
        "schema_version": report.schema_version,
        "tool": {"name": "mlops-audit", "version": __version__},
        "project": report.project,
        "commit": report.commit,
        "files": report.files,
        "kinds": list(report.kinds),
        "kind_evidence": {kind: _pieces(found, report)[0] for kind, found in report.kinds.items()},
        "score": report.score,
        "maturity": _maturity(report),
        "counts": {
            "verdicts": {v.value: verdicts_of[v] for v in Verdict} | {"waived": 0},
            "severities": {s: severities[s] for s in SEVERITIES},
        },
        "thresholds": [
            {"threshold": o.threshold, "wanted": o.wanted, "found": o.found, "held": o.held}
            for o in report.thresholds
        ],
        "configured_by": list(report.sources),
        "pillars": [
            {
                "id": pillar.id,
                "title": pillar.title,
                "score": report.pillars[pillar.id],
                "aspects": [_aspect(f, report) for f in report.findings if f.aspect.pillar == pillar.id],
            }
            for pillar in report.catalogue.pillars
        ],
        "anti_patterns": [
            {"id": pattern.id, "title": pattern.title, "meaning": pattern.meaning, "because": list(because)}
            for pattern, because in report.anti_patterns
        ],
        "unsupported_claims": [
            {"aspect": aspect, "path": fact.site.path, "line": fact.site.line, "text": redacted(fact.name)}
            for aspect, fact in report.claims
        ],
        "line_findings": [place_of(mark) for mark in places if mark.signal != CLAIM],
        "waivers": {"places": [], "ignored": [], "notes": []},
        "baseline": None,
        "risks": _risks(active),
        "roadmap": [_step(step) for step in report.roadmap],
        "problems": [
            {"path": p.site.path, "line": p.site.line, "cell": p.site.cell, "reason": redacted(p.reason)}
            for p in report.problems
        ],
        "disabled": [
            {"aspect": aspect, "reason": redacted(reason)}
            for aspect, reason in sorted(report.disabled.items())
        ],
        "excluded": list(report.excluded),
    }


def _aspect(finding: Finding, report: Report) -> Document:
    aspect, rule = finding.aspect, finding.rule
    shown, rest = _pieces(finding.evidence, report)
    location = report.locations.get(aspect.id)
    return {
        "id": aspect.id,
        "title": aspect.title,
        "verdict": finding.verdict.value,
        "weight": aspect.weight,
        "severity": severity(finding) or None,
        "evidence": shown,
        "evidence_left_out": rest,
        "lacks": list(finding.lacks),
        "unread": list(finding.unread[:UNREAD]),
        "unread_left_out": max(0, len(finding.unread) - UNREAD),
        "fix": rule.fix,
        "why": rule.why,
        "effort": rule.effort,
        "applies_to": list(aspect.applies_to),
        "passes_when": " ".join(aspect.meaning.get("pass", "").split()),
        "references": list(rule.references),
        "project": finding.project,
        "waiver": None,
        "known": False,
        "location": location
        and {
            "path": location.path,
            "line": location.line,
            "end_column": location.end_column,
            "exists": location.exists,
            "line_hash": location.line_hash,
            "fingerprint": location.fingerprint,
        },
    }


def shown_sites(report: Report) -> list[Site]:
    """The places of all evidence that the report shows."""
    groups = (*report.kinds.values(), *(finding.evidence for finding in report.findings))
    return [evidence.fact.site for found in groups for evidence in _evidence_of(found)]


def _pieces(found: Sequence[Evidence], report: Report) -> tuple[list[Document], int]:
    """The evidence that a report shows, and how much more there is."""
    shown = _evidence_of(found)
    return [piece_of(e, report.snippets.get(e.fact.site, "")) for e in shown], len(found) - len(shown)


def _evidence_of(found: Sequence[Evidence]) -> list[Evidence]:
    """The evidence that a report shows, strongest first."""
    shown: list[Evidence] = []
    per_signal: Counter[str] = Counter()
    for evidence in found:
        if len(shown) < PER_ASPECT and per_signal[evidence.signal] < PER_SIGNAL:
            per_signal[evidence.signal] += 1
            shown.append(evidence)
    return shown


def piece_of(evidence: Evidence, snippet: str = "") -> Document:
    """A piece of evidence as plain data."""
    fact = evidence.fact
    return {
        "path": fact.site.path,
        "line": fact.site.line,
        "cell": fact.site.cell,
        "strength": str(evidence.strength),
        "faint": fact.faint,
        "signal": evidence.signal,
        "name": redacted(fact.name[:300]),
        "snippet": snippet,
        "chain": [
            {
                "path": link.site.path,
                "line": link.site.line,
                "cell": link.site.cell,
                "runs": redacted(link.runs),
            }
            for link in fact.reached.chain
        ],
    }


def _maturity(report: Report) -> Document:
    reached, next_level = report.maturity.level, report.maturity.next
    return {
        "level": reached.level,
        "title": reached.title,
        "meaning": reached.meaning,
        "levels": [
            {
                "level": level.level,
                "title": level.title,
                "meaning": level.meaning,
                "reached": level.level <= reached.level,
            }
            for level in report.catalogue.levels
        ],
        "gates": [_gate(state) for state in report.maturity.gates],
        "next": next_level
        and {
            "level": next_level.level,
            "title": next_level.title,
            "blocked_by": list(report.maturity.blocked_by),
            "fixes": [finding.aspect.id for finding in report.way_up],
        },
    }


def _gate(state: GateState) -> Document:
    return {
        "level": state.level,
        "needs": state.gate.needs,
        "aspects": list(state.gate.aspects),
        "at_least": state.gate.at_least,
        "open": state.open,
        "closed_by": list(state.closed_by),
    }


def _risks(active: Sequence[Finding]) -> list[Document]:
    """The risk of each aspect that is missing, gravest first."""
    missing = [finding for finding in active if finding.verdict is Verdict.MISSING]
    missing.sort(key=lambda finding: SEVERITIES.index(severity(finding)))
    return [
        {
            "aspect": finding.aspect.id,
            "severity": severity(finding),
            "risk": finding.rule.risk.risk,
            "probability": finding.rule.risk.probability,
            "impact": finding.rule.risk.impact,
            "mitigation": finding.rule.risk.mitigation,
        }
        for finding in missing
    ]


def _step(step: Step) -> Document:
    finding, effect = step.finding, step.effect
    return {
        "aspect": finding.aspect.id,
        "title": finding.aspect.title,
        "severity": severity(finding),
        "term": finding.rule.effort,
        "fix": finding.rule.fix,
        "effect": {
            "pillar": finding.aspect.pillar,
            "pillar_gain": effect.pillar_gain,
            "pillar_after": effect.pillar_after,
            "total_gain": effect.total_gain,
            "total_after": effect.total_after,
            "opens": [{"level": o.level, "gates": o.gates, "closed": o.closed} for o in effect.opens],
            "level_before": effect.level_before,
            "level_after": effect.level_after,
        },
    }
