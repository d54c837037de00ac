"""A comparison for a terminal: what was lost first, each with the lines responsible."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

from mlops_audit.changes.telling import GROUPS, WORDS, decisive, place_of
from mlops_audit.safe import plain, shortened

Document = dict[str, Any]
Part = str | tuple[str, str]

NARROWEST, WIDEST = 60, 120
MOST = 6  # places that an aspect names
STYLES = {"pass": "green", "partial": "yellow", "missing": "red", "na": "bright_black"}
HEADINGS = {"lost": "red", "asked": "yellow", "gained": "green", "unasked": "bright_black"}
FAILED = {"level": "the level fell", "pillar": "a pillar's score fell", "aspect": "an aspect lost ground"}


def terminal(document: Document, *, color: bool, width: int, unicode: bool) -> str:
    """The comparison as text of at most `width` columns (60 to 120), with ANSI colours when asked."""
    from rich.console import Console

    stream = io.StringIO()
    console = Console(
        file=stream, force_terminal=color, force_interactive=False, color_system="standard" if color else None,
        width=min(max(width, NARROWEST), WIDEST), markup=False, emoji=False, highlight=False, legacy_windows=False,
        _environ={},
    )  # fmt: skip
    arrow = "→" if unicode else "->"
    for indent, parts in _lines(document, arrow):
        _print(console, indent, parts)
    text = "\n".join(line.rstrip() for line in stream.getvalue().split("\n")).strip("\n") + "\n"
    return text if unicode else text.encode("ascii", "backslashreplace").decode("ascii")


def _print(console: Any, indent: int, parts: Sequence[Part]) -> None:
    """One paragraph of plain parts and (text, style) parts; lines after the first are indented two more."""
    from rich.text import Text

    text = Text()
    for part in parts:
        content, style = (part, "") if isinstance(part, str) else part
        text.append(plain(content), style)
    for number, row in enumerate(text.wrap(console, console.width - indent - 2) or [Text()]):
        row.rstrip()
        console.print(Text(" " * (indent + 2 if number else indent)) + row, soft_wrap=True)


def _lines(document: Document, arrow: str) -> Iterable[tuple[int, Sequence[Part]]]:
    base, head = document["base"], document["head"]
    worse = document["regressions"]["level"] or document["regressions"]["aspect"]
    yield 0, [(document["headline"], "bold red" if worse else "bold")]
    yield 0, [(f"{document['project']}: {base['name']} {arrow} {head['name']}", "bright_black")]
    yield 0, []
    levels = [f"{end['level']} {end['title']}" for end in (base, head)]
    yield 0, [("Level  ", "bold"), f" {arrow} ".join(dict.fromkeys(levels))]
    widest = max((len(pillar["title"]) for pillar in document["pillars"]), default=5)
    rows = [{"title": "Score", **document["score"]}, *document["pillars"]]
    for row in rows:
        yield 0, [f"{row['title']:<{widest}}  ", *_change(row["before"], row["after"], arrow)]
    kinds = document["kinds"]
    for word, found in (("now also", kinds["came"]), ("no longer", kinds["went"])):
        if found:
            yield 0, [f"The project {word}: {', '.join(found)}"]
    for direction, title in GROUPS:
        aspects = [row for row in document["aspects"] if row["direction"] == direction]
        if aspects:
            yield from _titled(title, HEADINGS.get(direction, ""))
        absent = [row for row in aspects if direction == "asked" and row["after"] == "missing"]
        for row in aspects:
            if row not in absent:
                yield from _aspect(row, arrow)
        if absent:
            yield 2, [("missing", "red"), f": {', '.join(row['title'] for row in absent)}"]
    yield from _gates(document)
    for title, found in (("New findings in lines", "new"), ("Resolved findings in lines", "resolved")):
        places = [row for row in document["findings"][found] if row["signal"]]
        if places:
            yield from _titled(f"{title}: {len(places)}", "red" if found == "new" else "green")
        for row in places[: MOST * 2]:
            yield 2, [(place_of(row), "cyan"), f" {_what(row)}", (f" ({row['aspect']})", "bright_black")]
        if len(places) > MOST * 2:
            yield 2, [(f"and {len(places) - MOST * 2} more", "bright_black")]
    if document["notes"]:
        yield from _titled("Notes", "")
        for note in document["notes"]:
            yield 2, [note]
    if document["failed"]:
        yield 0, []
        yield 0, [(f"Failed: {', '.join(FAILED[what] for what in document['failed'])}", "bold red")]


def _titled(title: str, style: str) -> Iterable[tuple[int, Sequence[Part]]]:
    yield 0, []
    yield 0, [(title, f"bold underline {style}".strip())]


def _change(before: float | None, after: float | None, arrow: str) -> list[Part]:
    if before == after:
        return [(_points(after), "bright_black")]
    style = "" if before is None or after is None else "red" if after < before else "green"
    return [_points(before), f" {arrow} ", (_points(after), style)]


def _aspect(row: Document, arrow: str) -> Iterable[tuple[int, Sequence[Part]]]:
    before, after = str(row["before"]), str(row["after"])
    states: list[Part] = [(WORDS.get(before, before), STYLES.get(before, "")), f" {arrow} "]
    states.append((WORDS.get(after, after), STYLES.get(after, "")))
    yield 2, [(row["title"], "bold"), ": ", *states, " (waived)" if row["waived"] else ""]
    told = list(decisive(row))
    for one in told[:MOST]:
        places = f"{', '.join(one.labels)}{f' and {one.more} more' if one.more else ''}"
        name = f" ({shortened(plain(one.name), 50)})" if one.name else ""
        note = f"; {one.note}" if one.note else ""
        yield 4, [f"{one.word}: {one.signal}{name}, ", (places, "cyan"), note]
    if len(told) > MOST:
        yield 4, [(f"and {len(told) - MOST} more", "bright_black")]
    if row["after"] in ("partial", "missing") and row["lacks"]:
        rest = f" and {len(row['lacks']) - 3} more" if len(row["lacks"]) > 3 else ""
        yield 4, [(f"lacks: {', '.join(row['lacks'][:3])}{rest}", "bright_black")]


def _gates(document: Document) -> Iterable[tuple[int, Sequence[Part]]]:
    gates = document["gates"]
    titles = {row["id"]: row["title"] for row in document["aspects"]}
    if gates["closed"] or gates["opened"]:
        yield from _titled("Gates", "")
    for word, style in (("closed", "red"), ("opened", "green")):
        for gate in gates[word]:
            names = (" or " if gate["needs"] == "any" else ", ").join(
                titles.get(a, a) for a in gate["aspects"]
            )
            state = "in place" if gate["at_least"] == "pass" else "at least begun"
            yield 2, [(word, style), f" level {gate['level']}: needs {names} {state}"]


def _what(piece: Document) -> str:
    name = piece["name"] if piece["name"] != piece["path"] else ""
    return f"{piece['signal']}{f' ({shortened(plain(name), 50)})' if name else ''}"


def _points(score: float | None) -> str:
    return "n/a" if score is None else f"{score:.1f}"
