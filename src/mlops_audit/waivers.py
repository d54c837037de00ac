"""Waivers of the configuration, applied: what somebody answers for is shown as waived, never as gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from mlops_audit.changes.identity import CLAIM, Mark
from mlops_audit.facts import Fact, Site
from mlops_audit.globs import globs
from mlops_audit.ignores import Ignore, Ignores, Note
from mlops_audit.judge import Finding, Verdict
from mlops_audit.quiet import place_of, quiet

SCORED = ("as-found", "missing", "na", "pass")
NOWHERE = Site("")
TO_WAIVE = (Verdict.PARTIAL, Verdict.MISSING)

Again = Callable[
    [str, Callable[[Fact], bool]], Finding
]  # an aspect judged again over the facts that are kept


class Waiver(NamedTuple):
    """Somebody's word, until the end of a day, that an aspect (or its places under a path) may stay as it is."""

    aspect: str
    reason: str
    owner: str
    expires: date
    path: tuple[str, ...] = ()  # globs; () stands for the whole aspect
    approved_by: str = ""
    site: Site = NOWHERE

    def covers(self, path: str) -> bool:
        return globs(self.path, True)(path)


class Waiving(NamedTuple):
    """The waivers of an audit, the day on which they are read, and how what is waived is scored."""

    waivers: tuple[Waiver, ...] = ()
    today: date = date.min
    scored: str = "as-found"
    needs_approval: bool = False


@dataclass(frozen=True, slots=True)
class Waived:
    """What was waived: aspects with the verdict that they were found to have, places, and notes."""

    aspects: tuple[tuple[Waiver, Verdict], ...] = ()
    places: tuple[tuple[Waiver, Mark], ...] = ()
    ignored: tuple[tuple[Ignore, str], ...] = ()
    notes: tuple[Note, ...] = ()
    scored: str = "as-found"
    marks: frozenset[Mark] = field(default_factory=frozenset)  # the places again, to be asked

    def __contains__(self, aspect: str) -> bool:
        return any(waiver.aspect == aspect for waiver, _ in self.aspects)


def waive(
    findings: Sequence[Finding],
    line_findings: Sequence[Mark],
    waiving: Waiving,
    ignores: Ignores,
    again: Again,
) -> tuple[list[Finding], Waived]:
    """The findings with the verdicts that they are scored by, and what was waived.

    A waiver without a path waives an aspect. One with a path waives the places of the aspect below it, and the aspect
    where the project that decides it lies below it, or where it would pass without those places.
    """
    by_aspect = {finding.aspect.id: finding for finding in findings}
    aspects: dict[str, tuple[Waiver, Verdict]] = {}
    places: list[tuple[Waiver, Mark]] = []
    notes: list[Note] = list(ignores.notes)
    for waiver in waiving.waivers:
        refused = _refused(waiver, waiving)
        if refused:
            notes.append(Note(waiver.site, refused))
            continue
        finding = by_aspect.get(waiver.aspect)
        covered = [
            mark for mark in line_findings if mark.aspect == waiver.aspect and waiver.covers(mark.site.path)
        ]
        places.extend((waiver, mark) for mark in covered if waiver.path)
        waived = finding is not None and finding.verdict in TO_WAIVE and _waives(waiver, finding, again)
        if finding is not None and waived:
            aspects.setdefault(waiver.aspect, (waiver, finding.verdict))
        elif not (waiver.path and covered):
            notes.append(
                Note(waiver.site, f"the waiver of {waiver.aspect} is unused: {_unused(waiver, finding)}")
            )
    scored = [
        _scored(finding, waiving.scored) if finding.aspect.id in aspects else finding for finding in findings
    ]
    return scored, Waived(
        tuple(aspects[aspect] for aspect in by_aspect if aspect in aspects),
        tuple(places),
        tuple(ignores.used),
        tuple(sorted(notes, key=lambda note: (note.site.path, note.site.line, note.what))),
        waiving.scored,
        frozenset(mark for _, mark in places),
    )


def _refused(waiver: Waiver, waiving: Waiving) -> str:
    """Why a waiver does not hold today, "" when it does."""
    if waiver.expires < waiving.today:
        return f"the waiver of {waiver.aspect} by {waiver.owner} expired on {waiver.expires}"
    if waiving.needs_approval and not waiver.approved_by:
        return (
            f"the waiver of {waiver.aspect} by {waiver.owner} does not hold: it names nobody in approved-by"
        )
    return ""


def _waives(waiver: Waiver, finding: Finding, again: Again) -> bool:
    if not waiver.path or (finding.project and waiver.covers(finding.project)):
        return True
    without = again(waiver.aspect, lambda fact: not waiver.covers(fact.site.path))
    return without.verdict is Verdict.PASS


def _unused(waiver: Waiver, finding: Finding | None) -> str:
    if finding is None or finding.verdict not in TO_WAIVE:
        verdict = "is in place" if finding and finding.verdict is Verdict.PASS else "is not asked here"
        return f"the aspect {verdict}"
    return f"no finding of the aspect lies under {', '.join(waiver.path)}"


def _scored(finding: Finding, scored: str) -> Finding:
    return finding if scored == "as-found" else finding._replace(verdict=Verdict(scored))


def kept(marks: Iterable[Mark], waived: Waived | None) -> list[Mark]:
    """The places that no waiver of a path covers."""
    return [mark for mark in marks if waived is None or mark not in waived.marks]


def shown(document: dict[str, Any], waived: Waived) -> None:
    """Put into the document of a report what was waived: the verdict `waived`, with its reason, and no severity."""
    places = {mark for _, mark in waived.places}
    by_aspect = {waiver.aspect: (waiver, verdict) for waiver, verdict in waived.aspects}
    for pillar in document["pillars"]:
        for aspect in pillar["aspects"]:
            if aspect["id"] in by_aspect:
                waiver, verdict = by_aspect[aspect["id"]]
                aspect["verdict"] = "waived"
                aspect["waiver"] = _plain(waiver) | {"verdict": verdict.value, "scored": waived.scored}
    quiet(document, set(by_aspect))
    document["unsupported_claims"] = [
        claim
        for claim in document["unsupported_claims"]
        if Mark.of(claim["aspect"], CLAIM, claim["text"], Site(claim["path"], claim["line"])) not in places
    ]
    document["waivers"] = {
        "places": [_plain(w) | place_of(mark) for w, mark in waived.places],
        "ignored": [
            {
                "aspect": aspect,
                "path": i.site.path,
                "line": i.site.line,
                "cell": i.site.cell,
                "reason": i.reason,
            }
            for i, aspect in waived.ignored
        ],
        "notes": [{"path": n.site.path, "line": n.site.line, "what": n.what} for n in waived.notes],
    }


def _plain(waiver: Waiver) -> dict[str, Any]:
    return {
        "aspect": waiver.aspect,
        "reason": waiver.reason,
        "owner": waiver.owner,
        "expires": waiver.expires.isoformat(),
        "approved_by": waiver.approved_by,
    }
