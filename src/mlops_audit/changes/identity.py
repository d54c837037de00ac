"""Who is who in two audits: places keep their identity while lines move, code is reformatted and files are renamed.

A place is known by what stands there (aspect, signal and the name of the fact, which no formatting changes) and by the
history of its path. It is matched one to one: what was copied is new, since its original still takes the only match.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from mlops_audit.facts import Fact, Facts, Site
from mlops_audit.judge import Finding, Verdict, answers
from mlops_audit.rules import Rule

CLAIM = "claims it in a document"
SKETCHED = 32  # hashes that a sketch keeps: likeness is told to about a tenth
LONGEST = 400_000  # characters of a text that make its sketch
ALIKE = 0.5  # files are one renamed file from this likeness on, as in git
LONGEST_NAME = 300
MOST = 500  # files on either side that are asked for a rename

Sketch = tuple[int, ...]
Anchor = tuple[str, str, str]


class Mark(NamedTuple):
    """A place with a meaning: which signal of which aspect is answered there, and by what."""

    aspect: str
    signal: str
    name: str
    site: Site

    @classmethod
    def of(cls, aspect: str, signal: str, name: str, site: Site) -> Mark:
        """A mark whose name is brought to one form: breaks of lines and what is beyond 300 characters do not count."""
        return cls(aspect, signal, " ".join(name.split())[:LONGEST_NAME], site)

    @property
    def anchor(self) -> Anchor:
        """What the place is known by, wherever it stands."""
        return self.aspect, self.signal, self.name


class Anchored(Protocol):
    """What can be matched: a mark, or anything else that has an anchor and a site."""

    @property
    def anchor(self) -> Anchor: ...

    @property
    def site(self) -> Site: ...


Old = TypeVar("Old", bound=Anchored)
New = TypeVar("New", bound=Anchored)


@dataclass(frozen=True, slots=True)
class Matched(Generic[Old, New]):
    """Places of two audits: the pairs that are the same, what went and what came."""

    same: tuple[tuple[Old, New], ...]
    went: tuple[Old, ...]
    came: tuple[New, ...]


# ------------------------------------------------------------------------------------------------ line findings


def against(rule: Rule) -> tuple[str, ...]:
    """The signals that keep a rule from passing where they are answered, and never help it to pass."""
    helping = {name for clause in rule.passes for name in (*clause.all, *clause.any)}
    keeping = {name: None for clause in rule.passes for name in clause.none if name not in helping}
    return tuple(keeping)


def line_findings(
    findings: Iterable[Finding], facts: Facts, claims: Iterable[tuple[str, Fact]] = ()
) -> list[Mark]:
    """The findings that have a line: what keeps an aspect from passing, and the claims that nothing supports."""
    found: list[Mark] = []
    for finding in findings:
        if finding.verdict not in (Verdict.PASS, Verdict.NA):
            for name in against(finding.rule):
                signal = finding.rule.signals[name]
                found.extend(marks(finding.aspect.id, name, answers(signal, facts)))
    for aspect, fact in claims:
        found.extend(marks(aspect, CLAIM, [fact]))
    return sorted(found, key=lambda m: (m.aspect, m.signal, m.site.path, m.site.cell, m.site.line, m.name))


def marks(aspect: str, signal: str, facts: Iterable[Fact]) -> Iterable[Mark]:
    """The places of facts that answer a signal, each once: of several facts of one line the first by name."""
    found: dict[Site, Mark] = {}
    for fact in sorted(facts, key=lambda fact: fact.name):
        found.setdefault(fact.site, Mark.of(aspect, signal, fact.name, fact.site))
    return found.values()


# ------------------------------------------------------------------------------------------------ matching


def match(before: Sequence[Old], after: Sequence[New], renamed: Mapping[str, str]) -> Matched[Old, New]:
    """Match the places of two audits one to one: same anchor in the same file, `renamed` (old path -> new) included.

    Of several alike in one file those nearest to each other are one.
    """
    groups: dict[tuple[Anchor, str], tuple[list[Old], list[New]]] = defaultdict(lambda: ([], []))
    for was in before:
        path = was.site.path
        groups[was.anchor, renamed.get(path, path)][0].append(was)
    for now in after:
        groups[now.anchor, now.site.path][1].append(now)
    same: list[tuple[Old, New]] = []
    for old, new in groups.values():
        same.extend(_nearest(old, new))
    stayed = {id(old) for old, _ in same}, {id(new) for _, new in same}
    return Matched(
        tuple(same),
        tuple(place for place in before if id(place) not in stayed[0]),
        tuple(place for place in after if id(place) not in stayed[1]),
    )


def _nearest(old: list[Old], new: list[New]) -> Iterable[tuple[Old, New]]:
    """As many pairs as there can be, in the order of lines; where one side has more, the nearest lines pair."""
    if len(old) == len(new) or not old or not new:
        return zip(_in_order(old), _in_order(new), strict=False)
    apart = [
        (abs(_line(a) - _line(b)), number, other)
        for number, a in enumerate(old)
        for other, b in enumerate(new)
    ]
    taken: tuple[set[int], set[int]] = (set(), set())
    pairs = []
    for _, number, other in sorted(apart) if len(apart) <= 250_000 else ():
        if number not in taken[0] and other not in taken[1]:
            taken[0].add(number)
            taken[1].add(other)
            pairs.append((old[number], new[other]))
    return pairs or zip(_in_order(old), _in_order(new), strict=False)


def _in_order(places: Iterable[Old]) -> list[Old]:
    return sorted(places, key=_line)


def _line(place: Anchored) -> int:
    return place.site.cell * 100_000 + place.site.line


# ------------------------------------------------------------------------------------------------ history of paths


def sketch(text: str) -> Sketch:
    """What tells a text among others, whatever its formatting: the least hashes of its runs of three words."""
    words = re.findall(r"\w+", text[:LONGEST])
    if len(words) < 3:
        return ()
    runs = {
        zlib.crc32(" ".join(run).encode("utf-8", "surrogatepass"))
        for run in zip(words, words[1:], words[2:], strict=False)
    }
    return tuple(sorted(runs)[:SKETCHED])


def likeness(one: Sketch, other: Sketch) -> float:
    """The share, from 0 to 1, of runs of words that two texts have in common, as their sketches estimate it."""
    least = sorted({*one, *other})[:SKETCHED]
    return len({*one} & {*other} & {*least}) / len(least) if least else 0.0


def renames(gone: Mapping[str, Sketch], appeared: Mapping[str, Sketch]) -> dict[str, str]:
    """Which of the paths that are gone is which of those that appeared; each is at most one.

    A file that is still there is none of either, so a copy is never taken for a rename.
    """
    found: dict[str, str] = {}
    left = dict(sorted(appeared.items()))
    exact: dict[Sketch, list[str]] = defaultdict(list)
    for path, known in left.items():
        exact[known].append(path)
    for path, known in sorted(gone.items()):
        twins = [twin for twin in exact.get(known, ()) if twin in left] if known else []
        if twins:
            found[path] = min(twins, key=lambda twin: (-_common_end(path, twin), twin))
            del left[found[path]]
    alike = sorted(
        (-likeness(known, other), -_common_end(path, twin), path, twin)
        for path, known in [pair for pair in sorted(gone.items()) if pair[0] not in found][:MOST]
        for twin, other in list(left.items())[:MOST]
    )
    for unlike, _, path, twin in alike:
        if -unlike >= ALIKE and path not in found and twin in left:
            found[path] = twin
            del left[twin]
    return found


def _common_end(one: str, other: str) -> int:
    """How many of the last parts of two paths are the same."""
    parts = list(zip(reversed(one.split("/")), reversed(other.split("/")), strict=False))
    return next((number for number, (a, b) in enumerate(parts) if a != b), len(parts))
