"""A comparison in words, for the people who decide on a change: one sentence, and of each aspect the lines that count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

Document = dict[str, Any]

WORDS = {"pass": "in place", "partial": "begun", "missing": "missing", "na": "not asked"}
GROUPS = (
    ("lost", "Lost"), ("asked", "Asked for the first time"), ("gained", "Gained"), ("changed", "Changed"),
    ("unasked", "No longer asked"),
)  # fmt: skip
PLACES = 5  # places of one signal that are named
MOST = 3  # aspects that a headline names


def headline(document: Document) -> str:
    """What a change does: to the level, else to verdicts, else to nothing; losses come first."""
    before, after = document["base"], document["head"]
    levels = f"level {before['level']} to {after['level']}"
    rows = {row["id"]: row for row in document["aspects"]}
    if after["level"] < before["level"]:
        causes = [rows[a] for a in _of(document["gates"]["closed"], before["level"]) if a in rows]
        return f"This change {_losses(causes) or 'closes gates'}: {levels}"
    if after["level"] > before["level"]:
        causes = [rows[a] for a in _of(document["gates"]["opened"], after["level"]) if a in rows]
        causes = [row for row in causes if row["direction"] == "gained"]
        return f"This change {f'brings {_listed(map(_name, causes))}' if causes else 'opens gates'}: {levels}"
    stays = f"level {after['level']} of {after['top']} stays"
    told = [_tally(document["aspects"], *words) for words in (("lost", "loses"), ("gained", "gains"))]
    if any(told):
        return f"This change {' and '.join(filter(None, told))}; {stays}"
    asked = [row for row in document["aspects"] if row["direction"] == "asked"]
    if asked:
        return f"This change makes {len(asked)} more aspect{_s(asked)} apply: {_listed(map(_name, asked))}; {stays}"
    new = document["findings"]["new"]
    if document["aspects"] or new:
        places = (
            f"adds {len(new)} finding{_s(new)}" if new else f"changes {len(document['aspects'])} verdicts"
        )
        return f"This change {places}; {stays}"
    return f"This change alters no verdict; {stays}"


def _of(gates: Iterable[Document], level: int) -> list[str]:
    """The aspects behind the gates up to a level, each once."""
    return list(dict.fromkeys(a for gate in gates if gate["level"] <= level for a in gate["because"]))


def _losses(causes: Sequence[Document]) -> str:
    gone = [row for row in causes if row["direction"] == "lost" and row["after"] == "missing"]
    less = [row for row in causes if row["direction"] in ("lost", "changed") and row["after"] != "missing"]
    asked = [row for row in causes if row["direction"] == "asked"]
    parts = [
        f"removes the only {_listed(map(_name, gone))}" if gone else "",
        f"weakens {_listed(map(_name, less))}" if less else "",
        f"makes {_listed(map(_name, asked))} necessary and does not bring {'them' if len(asked) > 1 else 'it'}"
        if asked
        else "",
    ]
    return " and ".join(filter(None, parts))


def _tally(rows: Iterable[Document], direction: str, verb: str) -> str:
    found = [row for row in rows if row["direction"] == direction]
    if not found:
        return ""
    return f"{verb} ground in {_listed(map(_name, found))}"


def _name(row: Document) -> str:
    """The title of an aspect inside a sentence: without what stands in brackets, small where it is no acronym."""
    title = str(row["title"]).partition(" (")[0]
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    if len(listed) > MOST:
        return f"{', '.join(listed[:MOST])} and {len(listed) - MOST} more"
    return " and ".join(filter(None, [", ".join(listed[:-1]), listed[-1] if listed else ""]))


def _s(things: Sequence[object]) -> str:
    return "" if len(things) == 1 else "s"


# ------------------------------------------------------------------------------------------------ lines that count


class Told(NamedTuple):
    """One signal of an aspect whose places decided which way its verdict went: a word for what became of it, the
    places (at most PLACES) and how many more there are, and what else is to be said of them."""

    word: str
    signal: str
    name: str
    places: tuple[Document, ...]
    more: int
    note: str = ""

    @property
    def labels(self) -> list[str]:
        """The places in words: a path that was just named is not named again."""
        found, last = [], None
        for piece in self.places:
            label = place_of(piece)
            known = piece["path"] == last and (piece["cell"] or piece["line"])
            found.append(label.removeprefix(piece["path"]) if known else label)
            last = piece["path"]
        return found


def told_of(document: Document, most: int) -> dict[str, tuple[list[Told], int]]:
    """Of each aspect the most important signals, and how many more there are."""
    found = {}
    for row in document["aspects"]:
        told = list(decisive(row))
        found[row["id"]] = told[:most], max(0, len(told) - most)
    return found


def decisive(row: Document) -> Iterable[Told]:
    """The places that speak for the way that a verdict went, and not those that speak against it; one row a signal."""
    if row["direction"] in ("lost", "changed"):
        yield from _grouped("went", (piece for piece in row["went"] if not piece["against"]))
        yield from _paired("weaker", _unnamed(row["weaker"], row["went"]))
        yield from _grouped("in the way", (piece for piece in row["came"] if piece["against"]))
    if row["direction"] in ("gained", "asked"):
        yield from _grouped("came", (piece for piece in row["came"] if not piece["against"]))
        yield from _paired("stronger", _unnamed(row["stronger"], row["came"]))
        yield from _grouped("no longer in the way", (piece for piece in row["went"] if piece["against"]))


def _unnamed(pairs: Iterable[Document], named: Iterable[Document]) -> list[Document]:
    """The pairs at places that no signal of the same aspect has named already."""
    known = {(piece["path"], piece["cell"], piece["line"]) for piece in named}
    ends = ("before", "after")
    return [p for p in pairs if not any((p[e]["path"], p[e]["cell"], p[e]["line"]) in known for e in ends)]


def _grouped(word: str, pieces: Iterable[Document], note: str = "") -> Iterable[Told]:
    signals: dict[str, list[Document]] = {}
    for piece in pieces:
        signals.setdefault(piece["signal"], []).append(piece)
    for signal, found in signals.items():
        names = {piece["name"] for piece in found if piece["name"] != piece["path"]}
        name = names.pop() if len(names) == 1 else ""
        yield Told(word, signal, name, tuple(found[:PLACES]), max(0, len(found) - PLACES), note)


def _paired(word: str, pairs: Iterable[Document]) -> Iterable[Told]:
    notes: dict[str, list[Document]] = {}
    for pair in pairs:
        notes.setdefault(_firmness(pair), []).append(pair["after"])
    for note, pieces in notes.items():
        yield from _grouped(word, pieces, note)


def _firmness(pair: Document) -> str:
    """How the firmness of evidence changed, and which automation ran it or runs it now."""
    before, after = pair["before"], pair["after"]
    if before["strength"] == after["strength"]:
        return "now faint" if after["faint"] else "now firm"
    by = [f" by {place_of(piece['chain'][0])}" if piece["chain"] else "" for piece in (before, after)]
    weaker = by[0] if not after["chain"] else ""
    return f"was {before['strength']}{weaker}, now {after['strength']}{by[1]}"


def place_of(piece: Document) -> str:
    """`path:line` of a place, with the number of the cell in a notebook."""
    cell = f"#cell{piece['cell']}" if piece["cell"] else ""
    return f"{piece['path']}{cell}:{piece['line']}" if piece["line"] else f"{piece['path']}{cell}"
