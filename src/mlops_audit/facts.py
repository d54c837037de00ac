"""Facts: what a repository states, each with its place. The ground floor: imports nothing of ours."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, NamedTuple, Protocol

from mlops_audit.globs import globs, holds, sides
from mlops_audit.globs import matcher as matcher
from mlops_audit.names import FEW, Names


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
    __hash__ = str.__hash__  # that of Enum is a function of Python, and facts are looked up by their kind


class Zone(str, enum.Enum):
    """Where a fact stands; the catalogue's general rules of evidence live in this one distinction."""

    SOURCE = "source"  # the project's own code, configuration and documents
    NOTEBOOK = "notebook"
    TEST = "test"
    FOREIGN = "foreign"  # examples, code of the documentation, vendored, generated, third-party

    __str__ = str.__str__
    __hash__ = str.__hash__


class Strength(enum.IntEnum):
    """The ladder of evidence, weakest first."""

    DECLARED = 0  # a dependency, an import
    USED = 1  # called or configured in the project's own zone
    AUTOMATED = 2  # reached from a pipeline, CI job or container entry point
    TRIGGERED = 3  # ... that starts by itself: schedule, event, push

    def __str__(self) -> str:
        return self.name.lower()


TraitValue = str | tuple[str, ...]


# Sites and facts are made by the hundred thousand: `Final` keeps them as they are made at a quarter of what it costs to
# make a frozen one.
@dataclass(slots=True, unsafe_hash=True)
class Site:
    """A place: path relative to the root with "/" separators, line from 1 (0: the file as a whole).

    `cell` is the number of a notebook's cell, from 1; `line` then counts inside that cell.
    """

    path: Final[str]
    line: Final[int] = 0
    cell: Final[int] = 0

    def __str__(self) -> str:
        cell = f"#cell{self.cell}" if self.cell else ""
        return f"{self.path}{cell}:{self.line}" if self.line else f"{self.path}{cell}"


class Link(NamedTuple):
    """One step of the chain of automation that runs a fact: where it stands and what it runs there."""

    site: Site
    runs: str


class Reached(NamedTuple):
    """What reach found for a fact: the shortest chain that runs it, the systems and triggers of all chains."""

    chain: tuple[Link, ...] = ()
    systems: frozenset[str] = frozenset()
    triggers: frozenset[str] = frozenset()
    masked: bool = (
        False  # whether every way swallows a failure: `|| true`, continue-on-error, a script without set -e
    )
    heeded: frozenset[str] = frozenset()  # the triggers of the ways that swallow no failure


UNREACHED = Reached()


class Problem(NamedTuple):
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


@dataclass(slots=True, unsafe_hash=True)
class Fact:
    """One thing that the repository states.

    `name` is what the patterns of a signal are matched against; `traits` are further values of it (strings or
    tuples of strings); `reached` is lent by reach. Extractors leave `zone` and `reached` alone: the zone of the
    file is put on by the caller.
    """

    kind: Final[Kind]
    name: Final[str]
    site: Final[Site]
    traits: Final[Mapping[str, TraitValue]] = field(default_factory=dict)
    zone: Final[Zone] = Zone.SOURCE
    reached: Final[Reached] = UNREACHED

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


# Kinds whose names are words for people or paths rather than identifiers.
CASELESS = frozenset({Kind.HEADING,
        Kind.SENTENCE, Kind.FILE, Kind.DEPENDENCY, Kind.COMMAND, Kind.COMPARISON, Kind.STRING,
                      Kind.SETTING, Kind.JOB, Kind.DEFINITION, Kind.STEP, Kind.PIPELINE, Kind.MANIFEST})  # fmt: skip


# Traits that all facts of a file share.
OF_THE_FILE = frozenset({"file", "imports", "calls", "sides", "uses"})
# Traits that a fact may have without stating them.
LENT = OF_THE_FILE | {"zone", "runs", "triggers", "masked", "heeded", "does", "leads", "callers"}

Where = Mapping[str, tuple[str, ...]]  # trait -> globs


class Bodies(Protocol):
    """What is known of the insides of the project's functions; reach finds it out."""

    def beyond(self, names: Iterable[str], path: str) -> tuple[str, ...]:
        """What functions of the project call inside, under names as they are called in a file."""
        ...

    def callers(self, name: str, path: str, sides: Mapping[str, str]) -> str:
        """The side on which a definition of a file is called."""
        ...


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
        does      what the function of the project that it calls (or is) calls inside, through helpers
        callers   (of a definition) `trains`, `serves` or `both`: the side on which it is called
        leads     (of a comparison) also what the project's functions call inside that it leads to
    """

    def __init__(
        self,
        facts: Iterable[Fact],
        sides: Mapping[str, str] | None = None,
        uses: Mapping[str, tuple[str, ...]] | None = None,
        known: Names | None = None,
    ) -> None:
        self._index(sorted(facts, key=_IN_ORDER), sides, uses, known)

    def _index(
        self,
        in_order: list[Fact],
        sides: Mapping[str, str] | None,
        uses: Mapping[str, tuple[str, ...]] | None,
        known: Names | None,
        bodies: Bodies | None = None,
    ) -> None:
        self.bodies = bodies
        self._known = known or Names()
        self.sides = sides or {}
        self.uses = uses or {}
        self._all = in_order
        self._by_kind: dict[Kind, list[Fact]] = {}
        self._sorts: dict[Kind, _Sort] = {}
        self._of_files: dict[tuple[str, tuple[str, ...]], dict[str, bool]] = {}
        for fact in in_order:
            of_kind = self._by_kind.get(fact.kind)
            if of_kind is None:
                self._by_kind[fact.kind] = [fact]
            else:
                of_kind.append(fact)
        self._names_by_path: dict[Kind, dict[str, tuple[str, ...]]] = {}

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def where(self, kept: Callable[[Fact], bool]) -> Facts:
        """Those facts that a condition keeps."""
        return self._made([fact for fact in self._all if kept(fact)], self.sides, self.uses, self.bodies)

    def told(
        self, sides: Mapping[str, str], uses: Mapping[str, tuple[str, ...]], bodies: Bodies | None = None
    ) -> Facts:
        """The same facts where it is known which sides and which files use a file, and what functions do inside."""
        told = self._made(self._all, sides, uses, bodies)
        told._sorts = self._sorts
        return told

    def _made(
        self,
        in_order: list[Fact],
        sides: Mapping[str, str],
        uses: Mapping[str, tuple[str, ...]],
        bodies: Bodies | None,
    ) -> Facts:
        made = Facts.__new__(Facts)
        made._index(in_order, sides, uses, self._known, bodies)
        return made

    def of(self, kind: Kind) -> Sequence[Fact]:
        """All facts of a kind, in the order of path and line."""
        return self._by_kind.get(kind, ())

    def named(self, kind: Kind, patterns: tuple[str, ...]) -> list[Fact]:
        """The facts of a kind whose name matches any of the globs; a pattern that begins with `!` excludes."""
        return self.answering(kind, patterns, {}, EVERYWHERE)

    def answering(
        self, kind: Kind, patterns: tuple[str, ...], where: Where, zones: frozenset[Zone]
    ) -> list[Fact]:
        """The facts of a kind in some zones whose name and traits answer to globs, in the order of path and line.

        A trait that no fact of the kind states is found out before any name is looked at.
        """
        sort = self._sorts.get(kind)
        if sort is None:
            sort = self._sorts[kind] = _Sort(self.of(kind), kind, self._known)
        stated = [trait for trait, asked in where.items() if trait not in LENT and sides(asked)[0]]
        candidates = sort.stating(stated) if stated else sort.all
        if len(candidates) <= SOME and len(sort.all) > MANY:  # their traits tell them apart sooner than names
            for trait in stated:
                candidates = self._holding(candidates, trait, where[trait])
            where = {trait: asked for trait, asked in where.items() if trait not in stated}
        found = [fact for fact in sort.among(candidates, patterns) if fact.zone in zones]
        for trait, asked in where.items():
            if not found:
                break
            found = self._holding(found, trait, asked)
        return found

    def _holding(self, facts: Sequence[Fact], trait: str, patterns: tuple[str, ...]) -> list[Fact]:
        """Those facts of which a trait answers to globs; what a file or a value answers is found out once."""
        if trait in OF_THE_FILE:
            of_files = self._of_files.setdefault((trait, patterns), {})
            for fact in facts:
                if fact.site.path not in of_files:
                    of_files[fact.site.path] = holds(self.trait(fact, trait), patterns)
            return [fact for fact in facts if of_files[fact.site.path]]
        if trait in LENT:
            return [fact for fact in facts if holds(self.trait(fact, trait), patterns)]
        known: dict[TraitValue | None, bool] = {}
        kept = []
        for fact in facts:
            value = fact.traits.get(trait)
            held = known.get(value)
            if held is None:
                held = known[value] = holds(values(value), patterns)
            if held:
                kept.append(fact)
        return kept

    def trait(self, fact: Fact, name: str) -> tuple[str, ...]:
        """The values of a trait of a fact, its own or one that it has through its file or reach."""
        if name not in LENT:
            return values(fact.traits.get(name))
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
        if name == "masked":
            return ("yes",) if fact.reached.masked else values(fact.traits.get("masked"))
        if name == "imports":
            return self._names_in(fact.site.path, Kind.IMPORT)
        if name == "calls":
            return self._names_in(fact.site.path, Kind.CALL)
        if name == "sides":
            return values(self.sides.get(fact.site.path))
        if name == "callers":
            side = self.sides.get(fact.site.path)
            if side != "both" or self.bodies is None:
                return values(side)
            called = self.bodies.callers(fact.name, fact.site.path, self.sides)
            return (called,) if called else ()
        if name in ("does", "leads"):
            stated = values(fact.traits.get("calls_inside" if name == "does" else "leads"))
            if self.bodies is None:
                return stated
            asked = (fact.name,) if name == "does" and fact.kind is Kind.CALL else stated
            return (*stated, *self.bodies.beyond(asked, fact.site.path)) if asked else ()
        return self.uses.get(fact.site.path, ())

    def _names_in(self, path: str, kind: Kind) -> tuple[str, ...]:
        """The names of all facts of a kind in a file, each once."""
        names = self._names_by_path.get(kind)
        if names is None:
            found: dict[str, dict[str, None]] = {}
            for fact in self.of(kind):
                found.setdefault(fact.site.path, {})[fact.name] = None
            if kind is Kind.CALL:
                for fact in self.of(Kind.FILE):  # of calls that are not kept one by one
                    if "left" in fact.traits:
                        left = "".join(values(fact.traits["left"])).split("\n")
                        found.setdefault(fact.site.path, {}).update(dict.fromkeys(left))
            names = self._names_by_path[kind] = {path: tuple(group) for path, group in found.items()}
        return names.get(path, ())


class _Sort:
    """The facts of one kind by their names and by the traits that they state."""

    def __init__(self, facts: Sequence[Fact], kind: Kind, known: Names) -> None:
        self.all, self._kind, self._known = facts, kind, known
        self._names: dict[str, list[int]] | None = None
        self._stating: dict[str, list[Fact]] | None = None

    def stating(self, traits: Sequence[str]) -> Sequence[Fact]:
        """Those that state the rarest of some traits, in order."""
        if self._stating is None:
            self._stating = {}
            for fact in self.all:
                for trait in fact.traits:
                    group = self._stating.get(trait)
                    if group is None:
                        self._stating[trait] = [fact]
                    else:
                        group.append(fact)
        return min([self._stating.get(trait, ()) for trait in traits], key=len)

    def among(self, facts: Sequence[Fact], patterns: tuple[str, ...]) -> Sequence[Fact]:
        """Those of some of them whose name matches any of the globs, in order.

        Of more than SOME that share a trait others come along, where names tell sooner: the trait is still to be asked.
        """
        if not facts or patterns == ("*",):
            return facts
        if len(facts) <= FEW and len(self.all) > MANY:
            matches = globs(patterns, self._kind in CASELESS)
            return [fact for fact in facts if matches(fact.name)]
        names = self._by_name()
        answering = self._known.answering(self._kind, patterns)
        if facts is not self.all and len(facts) <= max(SOME, len(answering)):
            return [fact for fact in facts if fact.name in answering]
        fewer, more = (names, answering) if len(names) < len(answering) else (answering, names)
        found = [number for name in fewer if name in more for number in names[name]]
        found.sort()
        return [self.all[number] for number in found]

    def _by_name(self) -> dict[str, list[int]]:
        if self._names is None:
            self._names = {}
            for number, fact in enumerate(self.all):
                group = self._names.get(fact.name)
                if group is None:
                    self._names[fact.name] = [number]
                else:
                    group.append(number)
            self._known.learn(self._kind, self._names, self._kind in CASELESS)
        return self._names


EVERYWHERE = frozenset(Zone)
SOME = 64  # facts
MANY = 4_000  # facts of a kind, from which on names cost more to look at than the traits of some
_IN_ORDER = attrgetter("site.path", "site.cell", "site.line", "kind", "name")
