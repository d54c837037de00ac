"""Comments `mlops-audit: ignore[aspect] reason`: the place is no evidence, for or against that aspect."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mlops_audit.facts import Fact, Facts, Kind, Site, Zone
from mlops_audit.judge import answers
from mlops_audit.parse.nodes import ParseFailure, decode
from mlops_audit.rules import Pack, Signal
from mlops_audit.tree import File

MARK = b"mlops-audit:"
COMMENT = re.compile(
    r"(?P<opening>#|//|--|;|%|<!--|/\*)\s*mlops-audit:\s*ignore\b(?:\[(?P<aspects>[^\]\n]*)\])?(?P<reason>.*)"
)
CLOSING = re.compile(r"\s*(?:--+>|\*/)\s*$")
LONGEST_REASON = 500


class Ignore(NamedTuple):
    """A comment, the aspects that it names, why, and the places of which it speaks."""

    site: Site
    aspects: tuple[str, ...]
    reason: str
    places: frozenset[Site]


class Note(NamedTuple):
    """A waiver or comment that is not heeded or of no use, and why."""

    site: Site
    what: str


@dataclass(frozen=True, slots=True)
class Ignores:
    """All comments of a tree: those used, with the aspect that each was used for, and what is wrong with the others."""

    used: tuple[tuple[Ignore, str], ...] = ()
    notes: tuple[Note, ...] = ()
    places: Mapping[str, frozenset[Site]] = field(
        default_factory=dict
    )  # aspect -> places that are no evidence of it

    def without(self, aspect: str, facts: Facts) -> Facts:
        """The facts that an aspect may still be judged by."""
        places = self.places.get(aspect)
        return facts.where(lambda fact: fact.site not in places) if places else facts

    def spare(self, claims: Iterable[tuple[str, Fact]]) -> list[tuple[str, Fact]]:
        """The claims that no comment speaks of."""
        return [(aspect, fact) for aspect, fact in claims if fact.site not in self.places.get(aspect, ())]


def ignores_in(files: Iterable[File], facts: Facts, pack: Pack) -> Ignores:
    """The comments of all files that state anything, and of what use they are."""
    states = {fact.site.path for fact in facts if fact.kind is not Kind.FILE}
    known = {rule.id: rule for rule in pack.rules}
    found: list[Ignore] = []
    notes: list[Note] = []
    for file in files:
        if file.path in states and file.zone is not Zone.FOREIGN:
            for site, aspects, reason, places in _comments(file):
                unknown = [aspect for aspect in aspects if aspect not in known]
                if not aspects:
                    notes.append(
                        Note(site, "not heeded: it names no aspect; write ignore[aspect] and the reason")
                    )
                elif unknown:
                    notes.append(Note(site, f"not heeded: there is no aspect {unknown[0]!r}"))
                elif not reason:
                    notes.append(Note(site, f"not heeded: a reason must follow ignore[{', '.join(aspects)}]"))
                else:
                    found.append(Ignore(site, aspects, reason, places))
    used: list[tuple[Ignore, str]] = []
    spoken: dict[str, set[Site]] = {}
    for aspect in sorted({aspect for ignore in found for aspect in ignore.aspects}):
        speaking = _places(known[aspect].signals.values(), facts)
        speaking |= {
            fact.site for fact in facts.named(Kind.SENTENCE, known[aspect].claims) if known[aspect].claims
        }
        for ignore in found:
            if aspect not in ignore.aspects:
                continue
            if ignore.places & speaking:
                used.append((ignore, aspect))
                spoken.setdefault(aspect, set()).update(ignore.places)
            else:
                notes.append(Note(ignore.site, f"unused: nothing there speaks of {aspect}"))
    used.sort(key=lambda pair: (pair[0].site.path, pair[0].site.cell, pair[0].site.line, pair[1]))
    return Ignores(tuple(used), tuple(notes), {aspect: frozenset(sites) for aspect, sites in spoken.items()})


def _places(signals: Iterable[Signal], facts: Facts) -> set[Site]:
    return {fact.site for signal in signals for fact in answers(signal, facts)}


def _comments(file: File) -> Iterator[tuple[Site, tuple[str, ...], str, frozenset[Site]]]:
    """Each comment of a file with its aspects, its reason and the places of which it speaks."""
    try:
        data = file.read()
        if MARK not in data:
            return
        texts = list(_texts(file.path, decode(data)))
    except ParseFailure:
        return
    for cell, text in texts:
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            said = COMMENT.search(line)
            if said is None:
                continue
            reason = CLOSING.sub("", said["reason"]).strip(" \t\r:-")[:LONGEST_REASON]
            aspects = tuple(word.strip() for word in (said["aspects"] or "").split(",") if word.strip())
            alone = not line[: said.start()].strip()
            spoken_of = {_next(lines, number)} if alone else {number}
            if number == 1:
                spoken_of.add(0)  # the file as a whole
            places = frozenset(Site(file.path, line, cell) for line in spoken_of)
            yield Site(file.path, number, cell), aspects, reason, places


def _next(lines: Sequence[str], number: int) -> int:
    """The next line after a comment that stands alone which is neither empty nor such a comment itself."""
    for following in range(number, len(lines)):
        if lines[following].strip() and not COMMENT.search(lines[following]):
            return following + 1
    return number


def _texts(path: str, text: str) -> Iterator[tuple[int, str]]:
    """A file's text as cell 0, or the cells of a Jupyter notebook under their numbers."""
    if not path.lower().endswith(".ipynb"):
        yield 0, text
        return
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError, MemoryError):
        return
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    for number, cell in enumerate(cells if isinstance(cells, list) else (), 1):
        source = cell.get("source", "") if isinstance(cell, dict) else ""
        if isinstance(source, list):
            source = "".join(part for part in source if isinstance(part, str))
        if isinstance(source, str):
            yield number, source
