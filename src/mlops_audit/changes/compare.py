"""Two audits of one repository compared: what a change does to levels, scores, verdicts and findings, and where."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mlops_audit import __version__
from mlops_audit.changes.identity import CLAIM, Anchor, Mark, Matched, match
from mlops_audit.changes.telling import headline, told_of
from mlops_audit.facts import Site

SCHEMA_VERSION = "1.0"
FORMATS = ("terminal", "markdown", "json")
REGRESSIONS = ("level", "pillar", "aspect")
ORDER = {"missing": 0, "partial": 1, "pass": 2}
RUNGS = ("declared", "used", "automated", "triggered")
LARGEST_COMMENT = 60_000  # bytes; GitHub takes 65,536 characters
SHOWN = 50  # pieces of evidence of one aspect, and places of findings, that a comparison names

Document = dict[str, Any]


class Piece(NamedTuple):
    """A place that answers a signal, as plain data of a report, and whether it speaks against a pass."""

    aspect: str
    row: Mapping[str, Any]
    against: bool = False

    @property
    def anchor(self) -> Anchor:
        return Mark.of(self.aspect, self.row["signal"], self.row["name"], self.site).anchor

    @property
    def site(self) -> Site:
        return Site(self.row["path"], self.row["line"], self.row["cell"])

    @property
    def firmness(self) -> tuple[bool, int]:
        return not self.row["faint"], RUNGS.index(self.row["strength"])


class Side(NamedTuple):
    """One of the two: its name for people, the document of its report, and all places that speak for or against an
    aspect. `whole` tells that the places are all there are, not only those that a report shows."""

    name: str
    document: Document
    places: Callable[[str], Sequence[Piece]]
    whole: bool = True
    remarks: tuple[str, ...] = ()

    @property
    def aspects(self) -> dict[str, Document]:
        return {aspect["id"]: aspect for pillar in self.document["pillars"] for aspect in pillar["aspects"]}


@dataclass(slots=True)
class _Changed:
    """Findings that came or went, while they are collected."""

    new: list[Document] = field(default_factory=list)
    resolved: list[Document] = field(default_factory=list)


def verdict_of(aspect: Document) -> str:
    """The verdict that was found, also where a waiver is shown instead: a waiver is no gain."""
    waiver = aspect.get("waiver")
    return str(waiver["verdict"] if waiver else aspect["verdict"])


def compared(base: Side, head: Side, renamed: Mapping[str, str], asked: Collection[str] = ()) -> Document:
    """What lies between two audits, in the shape of reports/compare.schema.json.

    `renamed` maps paths of the base to those of the head; `asked` are the REGRESSIONS that fail the comparison.
    """
    aspects = [row for row in _aspects(base, head, renamed) if row["direction"]]
    changed = _findings(base, head, renamed, {row["id"]: row for row in aspects})
    gates = _gates(base, head)
    pillars = _pillars(base, head)
    before, after = base.document, head.document
    regressions: Document = {
        "level": after["maturity"]["level"] < before["maturity"]["level"],
        "pillar": [pillar["id"] for pillar in pillars if _fell(pillar)],
        "aspect": [row["id"] for row in aspects if row["direction"] == "lost"],
    }
    document: Document = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "mlops-audit", "version": __version__},
        "project": after["project"],
        "base": _end(base),
        "head": _end(head),
        "headline": "",
        "score": {"before": before["score"], "after": after["score"]},
        "pillars": pillars,
        "aspects": aspects,
        "gates": gates,
        "findings": {"new": changed.new, "resolved": changed.resolved},
        "kinds": {
            "came": sorted(set(after["kinds"]) - set(before["kinds"])),
            "went": sorted(set(before["kinds"]) - set(after["kinds"])),
        },
        "renamed": [{"from": old, "to": new} for old, new in sorted(renamed.items())],
        "regressions": regressions,
        "failed": [what for what in REGRESSIONS if what in asked and regressions[what]],
        "notes": [*base.remarks, *head.remarks, *_caveats(base, head)],
    }
    document["headline"] = headline(document)
    return document


def _end(side: Side) -> Document:
    maturity = side.document["maturity"]
    return {
        "name": side.name,
        "commit": side.document["commit"],
        "level": maturity["level"],
        "title": maturity["title"],
        "top": maturity["levels"][-1]["level"],
    }


def _pillars(base: Side, head: Side) -> list[Document]:
    before = {pillar["id"]: pillar["score"] for pillar in base.document["pillars"]}
    return [
        {"id": p["id"], "title": p["title"], "before": before.get(p["id"]), "after": p["score"]}
        for p in head.document["pillars"]
    ]


def _fell(pillar: Document) -> bool:
    return pillar["before"] is not None and pillar["after"] is not None and pillar["after"] < pillar["before"]


def _gates(base: Side, head: Side) -> Document:
    """The gates that are open in one and closed in the other, each with the aspects that close it."""

    def states(side: Side) -> dict[tuple[object, ...], Document]:
        gates = side.document["maturity"]["gates"]
        return {(g["level"], g["needs"], g["at_least"], *g["aspects"]): g for g in gates}

    before, after = states(base), states(head)
    found: Document = {"closed": [], "opened": []}
    for key, gate in after.items():
        if key in before and before[key]["open"] != gate["open"]:
            shut = before[key] if gate["open"] else gate
            row = {name: gate[name] for name in ("level", "needs", "aspects", "at_least")}
            found["opened" if gate["open"] else "closed"].append(row | {"because": shut["closed_by"]})
    return found


# ------------------------------------------------------------------------------------------------ aspects


def direction_of(before: str, after: str) -> str:
    """Which way a verdict went: lost, gained, asked (it applies now), unasked, changed, or "" for nowhere."""
    if before == after:
        return ""
    if before == "na" or after == "na":
        return "asked" if before == "na" else "unasked"
    if before in ORDER and after in ORDER:
        return "lost" if ORDER[after] < ORDER[before] else "gained"
    if before in ORDER:  # what cannot be told any more is not there any more
        return "lost" if ORDER[before] else "changed"
    return "gained" if ORDER.get(after) else "changed"


def _aspects(base: Side, head: Side, renamed: Mapping[str, str]) -> Iterable[Document]:
    known = base.aspects
    for pillar in head.document["pillars"]:
        for aspect in pillar["aspects"]:
            was = known.get(aspect["id"])
            before, after = verdict_of(was) if was else "na", verdict_of(aspect)
            direction = direction_of(before, after)
            row: Document = {
                "id": aspect["id"],
                "title": aspect["title"],
                "pillar": pillar["id"],
                "weight": aspect["weight"],
                "before": before,
                "after": after,
                "waived": bool(aspect.get("waiver")),
                "direction": direction,
                "applies_to": aspect["applies_to"],
            }
            if direction:
                row |= _evidence(match(base.places(aspect["id"]), head.places(aspect["id"]), renamed))
                row["lacks"] = list(aspect["lacks"])
            yield row


def _evidence(matched: Matched[Piece, Piece]) -> Document:
    """The evidence that went and came, that became weaker and stronger, and how much more of each there is."""
    weaker = [(a, b) for a, b in matched.same if b.firmness < a.firmness]
    stronger = [(a, b) for a, b in matched.same if b.firmness > a.firmness]
    found: Document = {}
    for name, pieces in (("went", matched.went), ("came", matched.came)):
        found[name] = [_row(piece) for piece in sorted(pieces, key=_rank)[:SHOWN]]
    for name, pairs in (("weaker", weaker), ("stronger", stronger)):
        found[name] = [{"before": _row(a), "after": _row(b)} for a, b in pairs[:SHOWN]]
    counts = {"went": matched.went, "came": matched.came, "weaker": weaker, "stronger": stronger}
    found["left_out"] = sum(max(0, len(rows) - SHOWN) for rows in counts.values())
    return found


def _rank(piece: Piece) -> tuple[object, ...]:
    firm, rung = piece.firmness
    return not firm, -rung, piece.site.path, piece.site.cell, piece.site.line


def _row(piece: Piece) -> Document:
    return dict(piece.row) | {"against": piece.against}


# ------------------------------------------------------------------------------------------------ findings


def _findings(base: Side, head: Side, renamed: Mapping[str, str], rows: Mapping[str, Document]) -> _Changed:
    """New and resolved findings: aspects, and single places of aspects that are asked on both sides."""
    changed = _Changed()
    before = base.aspects
    for ident, aspect in head.aspects.items():
        row = rows.get(ident)
        if (
            row
            and row["after"] in ("partial", "missing")
            and row["direction"] in ("lost", "asked", "changed")
        ):
            changed.new.append(_finding(aspect, row["after"]))
        if row and row["before"] in ("partial", "missing") and row["after"] in ("pass", "na"):
            changed.resolved.append(_finding(before[ident], row["before"]))
        was, now = verdict_of(before[ident]) if ident in before else "na", verdict_of(aspect)
        matched = match(_against(base, ident), _against(head, ident), renamed)
        told = base.whole or was not in ("pass", "na")  # a report lists no places of aspects that pass
        if now not in ("pass", "na") and told:
            changed.new.extend(_place(aspect, piece) for piece in matched.came)
        if was not in ("pass", "na") and (head.whole or now not in ("pass", "na")):
            changed.resolved.extend(_place(aspect, piece) for piece in matched.went)
    _claims(base, head, renamed, changed)
    return changed


def _against(side: Side, aspect: str) -> list[Piece]:
    return [piece for piece in side.places(aspect) if piece.against]


def _claims(base: Side, head: Side, renamed: Mapping[str, str], changed: _Changed) -> None:
    """Claims of documents that nothing supports, of aspects that were and are missing."""
    before, after = base.aspects, head.aspects

    def claims(side: Side) -> list[Mark]:
        return [
            Mark.of(claim["aspect"], CLAIM, claim["text"], Site(claim["path"], claim["line"]))
            for claim in side.document["unsupported_claims"]
            if all(ident in sides and verdict_of(sides[ident]) == "missing" for sides in (before, after)
                   for ident in (claim["aspect"],))
        ]  # fmt: skip

    matched = match(claims(base), claims(head), renamed)
    for marks, found in ((matched.came, changed.new), (matched.went, changed.resolved)):
        for mark in marks:
            row = {
                "path": mark.site.path,
                "line": mark.site.line,
                "cell": 0,
                "signal": CLAIM,
                "name": mark.name,
            }
            found.append(
                {"aspect": mark.aspect, "title": after[mark.aspect]["title"], "verdict": "missing"} | row
            )


def _finding(aspect: Document, verdict: str) -> Document:
    place = aspect.get("location") or {"path": "", "line": 0}
    return {
        "aspect": aspect["id"],
        "title": aspect["title"],
        "verdict": verdict,
        "path": place["path"],
        "line": place["line"],
        "cell": 0,
        "signal": "",
        "name": "",
    }


def _place(aspect: Document, piece: Piece) -> Document:
    row = {name: piece.row[name] for name in ("path", "line", "cell", "signal", "name")}
    return {"aspect": aspect["id"], "title": aspect["title"], "verdict": verdict_of(aspect)} | row


def _caveats(base: Side, head: Side) -> list[str]:
    notes = []
    for side in (base, head):
        unread = len(side.document["problems"])
        if unread:
            notes.append(f"{side.name}: {unread} place{'s' if unread != 1 else ''} could not be read")
        if not side.whole and any(aspect["evidence_left_out"] for aspect in side.aspects.values()):
            notes.append(
                f"{side.name}: the report does not show all evidence, so some may be named as new or gone"
            )
    if base.document["tool"]["version"] != head.document["tool"]["version"]:
        notes.append("the two reports were made by different versions of mlops-audit")
    return notes


# ------------------------------------------------------------------------------------------------ formats


def render(
    document: Document, format: str, *, color: bool = False, width: int = 100, unicode: bool = True
) -> str:
    """The comparison as text in one of FORMATS; Markdown stays below what a comment of a pull request may have."""
    if format == "json":
        return json.dumps(document, indent=2) + "\n"
    if format == "markdown":
        from mlops_audit.formats.markdown import filled

        text = ""
        for most in (8, 5, 3, 1, 0):
            text = filled("compare.md.j2", document | {"most": most, "told": told_of(document, most)})
            if len(text.encode("utf-8", "replace")) < LARGEST_COMMENT:
                return text
        return _cut(text)
    if format == "terminal":
        from mlops_audit.changes.terminal import terminal

        return terminal(document, color=color, width=width, unicode=unicode)
    raise ValueError(f"unknown format {format!r}; known: {', '.join(FORMATS)}")


def _cut(text: str) -> str:
    """As many whole lines as a comment may have, and a word that there were more; no block is left open."""
    kept, room = [], LARGEST_COMMENT - 200
    for line in text.splitlines():
        room -= len(line.encode("utf-8", "replace")) + 1
        if room < 0:
            break
        kept.append(line)
    shut = "\n\n</details>" * (sum(line.startswith("<details") for line in kept) - kept.count("</details>"))
    return (
        "\n".join(kept)
        + shut
        + "\n\n*Cut here: a comment holds no more. `--format json` names everything.*\n"
    )
