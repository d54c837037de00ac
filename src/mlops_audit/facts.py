"""Facts: what a repository states, each with its place. The ground floor: imports nothing of ours."""

from __future__ import annotations

import enum
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate


class Kind(str, enum.Enum):
    """What sort of thing a fact is. docs/facts.md describes each kind, its name and its traits."""

    FILE = "file"
    IMPORT = "import"
    CALL = "call"
    BASE = "base"
    DEFINITION = "definition"
    COMPARISON = "comparison"
    STRING = "string"
    SETTING = "setting"
    DEPENDENCY = "dependency"
    MANIFEST = "manifest"
    COMMAND = "command"
    ACTION = "action"
    JOB = "job"
    PIPELINE = "pipeline"
    STEP = "step"
    IMAGE = "image"
    INSTRUCTION = "instruction"
    RESOURCE = "resource"
    HEADING = "heading"
    SENTENCE = "sentence"

    __str__ = str.__str__


class Zone(str, enum.Enum):
    """Where a fact stands; the catalogue's general rules of evidence live in this one distinction."""

    SOURCE = "source"  # the project's own code, configuration and documents
    NOTEBOOK = "notebook"
    TEST = "test"
    FOREIGN = "foreign"  # examples, code of the documentation, vendored, generated, third-party

    __str__ = str.__str__


class Strength(enum.IntEnum):
    """The ladder of evidence, weakest first."""

    DECLARED = 0  # a dependency, an import
    USED = 1  # called or configured in the project's own zone
    AUTOMATED = 2  # reached from a pipeline, CI job or container entry point
    TRIGGERED = 3  # ... that starts by itself: schedule, event, push

    def __str__(self) -> str:
        return self.name.lower()


TraitValue = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Site:
    """A place: path relative to the root with "/" separators, line from 1 (0: the file as a whole).

    `cell` is the number of a notebook's cell, from 1; `line` then counts inside that cell.
    """

    path: str
    line: int = 0
    cell: int = 0

    def __str__(self) -> str:
        cell = f"#cell{self.cell}" if self.cell else ""
        return f"{self.path}{cell}:{self.line}" if self.line else f"{self.path}{cell}"


@dataclass(frozen=True, slots=True)
class Link:
    """One step of the chain of automation that runs a fact: where it stands and what it runs there."""

    site: Site
    runs: str


@dataclass(frozen=True, slots=True)
class Reached:
    """What reach found for a fact: the shortest chain that runs it, the systems and triggers of all chains."""

    chain: tuple[Link, ...] = ()
    systems: frozenset[str] = frozenset()
    triggers: frozenset[str] = frozenset()
    masked: bool = (
        False  # whether every way swallows a failure: `|| true`, continue-on-error, a script without set -e
    )
    heeded: frozenset[str] = frozenset()  # the triggers of the ways that swallow no failure


UNREACHED = Reached()


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read, and why, in one line; the audit went on without it.

    `unread` tells what nobody has looked at (over a cap, out of time, absent from the clone, no regular file) from what
    is broken as committed.
    """

    site: Site
    reason: str
    unread: bool = False


# Triggers by which automation starts without a person; "manual" and reuse by others are not among them.
SELF_STARTING = frozenset({
    "schedule", "push", "pull_request", "tag", "release", "event", "workflow_run", "continuous",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that the repository states.

    `name` is what the patterns of a signal are matched against; `traits` are further values of it (strings or
    tuples of strings); `reached` is lent by reach. Extractors leave `zone` and `reached` alone: the zone of the
    file is put on by the caller.
    """

    kind: Kind
    name: str
    site: Site
    traits: Mapping[str, TraitValue] = field(default_factory=dict)
    zone: Zone = Zone.SOURCE
    reached: Reached = UNREACHED

    @property
    def strength(self) -> Strength:
        """The rung of the ladder on which this evidence stands."""
        if self.kind in (Kind.DEPENDENCY, Kind.IMPORT):
            return Strength.DECLARED
        if not self.reached.systems:
            return Strength.USED
        return Strength.TRIGGERED if self.reached.triggers & SELF_STARTING else Strength.AUTOMATED

    @property
    def faint(self) -> bool:
        """Faint evidence can make a partial, never a pass: declared, in a notebook that nothing runs, dead, unused."""
        if self.kind in (Kind.DEPENDENCY, Kind.IMPORT) or "dead" in self.traits or "unused" in self.traits:
            return True
        return self.zone is Zone.NOTEBOOK and not self.reached.systems


def values(value: TraitValue | None) -> tuple[str, ...]:
    """The values of a trait as a tuple, () for an absent one."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


@cache
def matcher(patterns: tuple[str, ...], ignore_case: bool = False) -> Callable[[str], bool]:
    """A test whether a whole text matches any of the globs.

    `*` stands for any run of characters, dots, slashes and line ends included, `?` for one character; `**/` at
    the beginning of a pattern also matches nothing. There are no other special characters and nothing is compiled
    to a regular expression: building a matcher costs little, and matching never backtracks.
    """
    exact: set[str] = set()
    prefixes: list[str] = []
    suffixes: list[str] = []
    infixes: list[str] = []
    # Patterns with a `*` between, to be looked at only where the text begins or ends as they do.
    by_head: dict[str, list[tuple[str, ...]]] = {}
    by_tail: dict[str, list[tuple[str, ...]]] = {}
    others: list[tuple[str, ...]] = []
    for pattern in patterns:
        for pieces in _pieces(pattern, ignore_case):
            first, last = pieces[0], pieces[-1]
            plain = not any("?" in piece for piece in pieces)
            if len(pieces) == 1 and plain:
                exact.add(first)
            elif len(pieces) == 2 and not (first and last) and plain:
                (suffixes if last else prefixes).append(first or last)
            elif len(pieces) == 3 and not (first or last) and plain:
                infixes.append(pieces[1])
            elif len(first) >= 2 and "?" not in first[:2]:
                by_head.setdefault(first[:2], []).append(pieces)
            elif len(last) >= 2 and "?" not in last[-2:]:
                by_tail.setdefault(last[-2:], []).append(pieces)
            else:
                others.append(pieces)
    starts, ends = tuple(prefixes), tuple(suffixes)

    def matches(text: str) -> bool:
        text = text.lower() if ignore_case else text
        if text in exact or text.startswith(starts) or text.endswith(ends):
            return True
        for infix in infixes:
            if infix in text:
                return True
        for pieces in (*by_head.get(text[:2], ()), *by_tail.get(text[-2:], ()), *others):
            if _fits(text, pieces):
                return True
        return False

    return matches


def _pieces(pattern: str, ignore_case: bool) -> Iterator[tuple[str, ...]]:
    """What stands between the `*` of a glob; of one that begins with `**/` also without that."""
    written = pattern.lower() if ignore_case else pattern
    for glob in (written[3:], f"*/{written[3:]}") if written.startswith("**/") else (written,):
        yield tuple((re.sub(r"\*+", "*", glob) if "**" in glob else glob).split("*"))


def _fits(text: str, pieces: tuple[str, ...]) -> bool:
    """Whether a text is the pieces in their order with anything between them."""
    first, last = pieces[0], pieces[-1]
    if ("?" not in first and not text.startswith(first)) or ("?" not in last and not text.endswith(last)):
        return False
    if len(pieces) == 1:
        return len(text) == len(first) and _find(text, first, 0) == 0
    end = len(text) - len(last)
    if end < len(first) or _find(text[: len(first)], first, 0) != 0 or _find(text[end:], last, 0) != 0:
        return False
    at = len(first)
    for piece in pieces[1:-1]:
        at = _find(text[:end], piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True


def _find(text: str, piece: str, start: int) -> int:
    """Where a piece with `?` for any character first stands in a text, -1 for nowhere."""
    if "?" not in piece:
        return text.find(piece, start)
    literal = max(piece.split("?"), key=len)
    offset = piece.index(literal) if literal else 0
    at = text.find(literal, start + offset)
    while at >= 0 and at - offset + len(piece) <= len(text):
        begin = at - offset
        if all(mark in ("?", text[begin + n]) for n, mark in enumerate(piece)):
            return begin
        at = text.find(literal, at + 1)
    return -1


class Names:
    """Which names of facts answer to which globs, asked once a name: audits of one repository's history share it.

    Names come in batches, those not known before; of each question only how many batches it has been put to and the
    names that hold are kept, so that it stays small.
    """

    def __init__(self) -> None:
        self._known: dict[Kind, set[str]] = defaultdict(set)
        self._batches: dict[Kind, list[_Batch]] = defaultdict(list)
        self._answers: dict[tuple[Kind, tuple[str, ...]], tuple[int, set[str]]] = {}

    def learn(self, kind: Kind, names: Iterable[str]) -> None:
        known = self._known[kind]
        fresh = [name for name in names if name not in known]
        if fresh:
            known.update(fresh)
            self._batches[kind].append(_Batch(fresh, kind in CASELESS))

    def answering(self, kind: Kind, patterns: tuple[str, ...]) -> set[str]:
        """The names of a kind that match any of the globs, of all that were ever learned."""
        asked, found = self._answers.get((kind, patterns), (0, set()))
        batches = self._batches[kind]
        if asked < len(batches):
            for batch in batches[asked:]:
                found |= batch.matching(patterns)
            self._answers[kind, patterns] = (len(batches), found)
        return found


FEW = 16  # names that are sooner tried one by one


class _Batch:
    """Names in the order of their beginnings, of their ends, and as one text: a glob looks only where it can hold.

    Gives what `globs` does, name by name, in a time that depends on how many names match and not on how many there are.
    """

    def __init__(self, names: Sequence[str], ignore_case: bool) -> None:
        self._names, self._ignore_case = names, ignore_case
        self._found: dict[str, tuple[str, ...]] = {}
        if len(names) < FEW:
            return
        self._written: dict[str, list[str]] = {}
        for name in names:
            self._written.setdefault(name.lower() if ignore_case else name, []).append(name)
        self._sorted = sorted(self._written)
        self._backwards = sorted(text[::-1] for text in self._sorted)
        self._text = "\0".join(self._sorted)
        self._starts = list(accumulate((len(text) + 1 for text in self._sorted), initial=0))

    def matching(self, patterns: tuple[str, ...]) -> set[str]:
        if len(self._names) < FEW:
            return set(filter(globs(patterns, self._ignore_case), self._names))
        found: set[str] = set()
        unwanted: set[str] = set()
        positive = False
        for pattern in patterns:
            if pattern.startswith("!"):
                unwanted.update(self._one(pattern[1:]))
            else:
                positive = True
                found.update(self._one(pattern))
        return (found if positive else set(self._names)) - unwanted

    def _one(self, pattern: str) -> tuple[str, ...]:
        found = self._found.get(pattern)
        if found is None:
            texts = [text for pieces in _pieces(pattern, self._ignore_case) for text in self._fitting(pieces)]
            found = self._found[pattern] = tuple(name for text in texts for name in self._written[text])
        return found

    def _fitting(self, pieces: tuple[str, ...]) -> Iterator[str]:
        """The names as they are compared that are the pieces in their order with anything between them."""
        first, last = pieces[0], pieces[-1]
        if len(pieces) == 1 and "?" not in first:
            return iter((first,) if first in self._written else ())
        candidates: Iterator[str]
        if head := first.partition("?")[0]:
            candidates = self._beginning(head)
        elif tail := last.rpartition("?")[2]:
            candidates = self._ending(tail)
        else:
            literal = max((part for piece in pieces for part in piece.split("?")), key=len)
            candidates = self._holding(literal) if literal else iter(self._sorted)
        return (text for text in candidates if _fits(text, pieces))

    def _beginning(self, head: str) -> Iterator[str]:
        for at in range(bisect_left(self._sorted, head), len(self._sorted)):
            if not self._sorted[at].startswith(head):
                return
            yield self._sorted[at]

    def _ending(self, tail: str) -> Iterator[str]:
        written = tail[::-1]
        for at in range(bisect_left(self._backwards, written), len(self._backwards)):
            if not self._backwards[at].startswith(written):
                return
            yield self._backwards[at][::-1]

    def _holding(self, literal: str) -> Iterator[str]:
        """The names in which a text stands, and those at whose end it runs over into the next."""
        at = self._text.find(literal)
        while at >= 0:
            number = bisect_right(self._starts, at) - 1
            yield self._sorted[number]
            if number + 1 == len(self._sorted):
                return
            at = self._text.find(literal, self._starts[number + 1])


class Facts:
    """All facts of a project, indexed by kind, with the traits that a fact has through its file.

    Beside its own traits every fact answers to
        file      its path
        zone      its zone
        runs      the systems that run it (github, make, dvc, docker ...), by reach
        triggers  what starts those (schedule, push, manual ...), by reach
        masked    `yes` when every way that runs it swallows its failure, by reach
        heeded    what starts the ways that do not swallow its failure, by reach
        imports   the modules that its file imports
        calls     the names that its file calls
        sides     `trains`, `serves` or `both`: which side's files import its file, itself counted
        uses      the project's own files that its file imports or starts
    """

    def __init__(
        self,
        facts: Iterable[Fact],
        sides: Mapping[str, str] | None = None,
        uses: Mapping[str, tuple[str, ...]] | None = None,
        known: Names | None = None,
    ) -> None:
        self._known = known or Names()
        self._asked: dict[tuple[str, str, tuple[str, ...]], bool] = {}
        self.sides = sides or {}
        self.uses = uses or {}
        self._all = sorted(facts, key=lambda f: (f.site.path, f.site.cell, f.site.line, f.kind, f.name))
        self._by_kind: dict[Kind, list[Fact]] = defaultdict(list)
        self._names: dict[Kind, dict[str, list[int]]] = {}
        self._imports: dict[str, set[str]] = defaultdict(set)
        self._calls: dict[str, set[str]] = defaultdict(set)
        for fact in self._all:
            self._by_kind[fact.kind].append(fact)
            if fact.kind is Kind.IMPORT:
                self._imports[fact.site.path].add(fact.name)
            elif fact.kind is Kind.CALL:
                self._calls[fact.site.path].add(fact.name)

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def where(self, kept: Callable[[Fact], bool]) -> Facts:
        """Those facts that a condition keeps."""
        return Facts(filter(kept, self._all), self.sides, self.uses, self._known)

    def of(self, kind: Kind) -> Sequence[Fact]:
        """All facts of a kind, in the order of path and line."""
        return self._by_kind.get(kind, ())

    def named(self, kind: Kind, patterns: tuple[str, ...]) -> list[Fact]:
        """The facts of a kind whose name matches any of the globs; a pattern that begins with `!` excludes."""
        names = self._names.get(kind)
        if names is None:
            names = self._names[kind] = {}
            for number, fact in enumerate(self.of(kind)):
                names.setdefault(fact.name, []).append(number)
            self._known.learn(kind, names)
        answering = self._known.answering(kind, patterns)
        fewer, more = (names, answering) if len(names) < len(answering) else (answering, names)
        found = [number for name in fewer if name in more for number in names[name]]
        of_kind = self.of(kind)  # in order already
        return [of_kind[number] for number in sorted(found)]

    def holds(self, fact: Fact, trait: str, patterns: tuple[str, ...]) -> bool:
        """Whether a trait of a fact answers to globs; what a whole file answers is found out once a file."""
        if trait not in OF_THE_FILE:
            return holds(self.trait(fact, trait), patterns)
        asked = (fact.site.path, trait, patterns)
        known = self._asked.get(asked)
        if known is None:
            known = self._asked[asked] = holds(self.trait(fact, trait), patterns)
        return known

    def trait(self, fact: Fact, name: str) -> tuple[str, ...]:
        """The values of a trait of a fact, its own or one that it has through its file or reach."""
        if name == "file":
            return (fact.site.path,)
        if name == "zone":
            return (fact.zone.value,)
        if name == "runs":
            return tuple(fact.reached.systems)
        if name == "triggers":
            return (*fact.reached.triggers, *values(fact.traits.get("triggers")))
        if name == "heeded":
            if "masked" in fact.traits:
                return ()
            return (*sorted(fact.reached.heeded), *values(fact.traits.get("triggers")))
        if name == "masked" and fact.reached.masked:
            return ("yes",)
        if name == "imports":
            return tuple(self._imports.get(fact.site.path, ()))
        if name == "calls":
            return tuple(self._calls.get(fact.site.path, ()))
        if name == "sides":
            return values(self.sides.get(fact.site.path))
        if name == "uses":
            return self.uses.get(fact.site.path, ())
        return values(fact.traits.get(name))


# Traits that all facts of a file share.
OF_THE_FILE = frozenset({"file", "imports", "calls", "sides", "uses"})

# Kinds whose names are words for people or paths rather than identifiers.
CASELESS = frozenset({Kind.HEADING,
        Kind.SENTENCE, Kind.FILE, Kind.DEPENDENCY, Kind.COMMAND, Kind.COMPARISON, Kind.STRING,
                      Kind.SETTING, Kind.JOB, Kind.DEFINITION, Kind.STEP, Kind.PIPELINE, Kind.MANIFEST})  # fmt: skip


@cache
def globs(patterns: tuple[str, ...], ignore_case: bool = False) -> Callable[[str], bool]:
    """Like `matcher`, with patterns that begin with `!` taking away from what the others match."""
    wanted = matcher(tuple(p for p in patterns if not p.startswith("!")) or ("*",), ignore_case)
    unwanted = matcher(tuple(p[1:] for p in patterns if p.startswith("!")), ignore_case)
    return lambda text: wanted(text) and not unwanted(text)


def holds(found: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    """Whether the values of a trait answer to globs: any value matches a plain one, and none a `!` one.

    With `!` patterns alone an absent trait holds too: `{masked: "!*"}` reads "is not masked".
    """
    wanted, unwanted = _conditions(patterns)
    if wanted is not None and not any(map(wanted, found)):
        return False
    return unwanted is None or not any(map(unwanted, found))


@cache
def _conditions(
    patterns: tuple[str, ...],
) -> tuple[Callable[[str], bool] | None, Callable[[str], bool] | None]:
    """What any value must match, and what none may; None where nothing is asked."""
    wanted = tuple(p for p in patterns if not p.startswith("!"))
    unwanted = tuple(p[1:] for p in patterns if p.startswith("!"))
    return matcher(wanted, True) if wanted else None, matcher(unwanted, True) if unwanted else None
