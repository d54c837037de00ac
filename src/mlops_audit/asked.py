"""Which facts of a file anything can ask for: all others are told in sum and left out."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

from mlops_audit.cache import digest
from mlops_audit.facts import CASELESS, LENT, Fact, Kind, TraitValue, Zone, values
from mlops_audit.globs import MARKS, conditions, globs, holds, longest_literal, pieces_of, sides
from mlops_audit.ignores import MARK
from mlops_audit.literals import finder
from mlops_audit.reach.needs import WHOLE, needed, needs_all
from mlops_audit.reach.told import told
from mlops_audit.rules import Pack, Signal
from mlops_audit.tree import File

# What a fact has only once all files are read; whether it answers cannot be told by its file alone.
LATER = (LENT - {"file"}) | {"unused", "dead", "uncalled", "unset", "sandbox", "trial"}
ENOUGH = 150  # files: fewer are judged sooner than it is found out what can be asked of them
MOST_NAMES = 50_000  # whose questions are remembered, of one kind and zone
LONGEST_NAME = 100  # that is remembered

Test = Callable[[str], bool]


class Question:
    """What a signal asks of a fact, as far as the fact itself can answer."""

    __slots__ = ("_asked", "_fits", "_traits", "files", "name", "needs", "zones")

    def __init__(self, signal: Signal) -> None:
        self.name, self.zones = (signal.patterns, signal.kind in CASELESS), signal.zones
        self._fits: Test | None = None
        asked = [(trait, patterns) for trait, patterns in signal.where.items() if trait not in LATER]
        self.files = next((patterns for trait, patterns in asked if trait == "file"), ())
        self._asked = [(trait, patterns) for trait, patterns in asked if trait != "file"]
        self.needs = [trait for trait, patterns in self._asked if sides(patterns)[0]]  # cannot be absent
        self._traits: list[tuple[str, Test | None, Test | None]] | None = None

    def fits(self, name: str) -> bool:
        if self._fits is None:
            self._fits = globs(*self.name)
        return self._fits(name)

    def holds(self, traits: Mapping[str, TraitValue]) -> bool:
        if self._traits is None:
            self._traits = [(trait, *conditions(patterns)) for trait, patterns in self._asked]
        for trait, wanted, unwanted in self._traits:
            if trait not in traits:
                if wanted is not None:
                    return False
                continue
            found = values(traits[trait])
            if (wanted is not None and not any(map(wanted, found))) or (
                unwanted is not None and any(map(unwanted, found))
            ):
                return False
        return True


class Asked:
    """Tells the facts of a file that something can ask for from those that nothing ever will.

    The first fact, that of the file itself, is given the sum of them all; `left` names the calls that are left out.
    Where a comment takes places out of the judgement, all stay.
    """

    def __init__(self, pack: Pack) -> None:
        self._questions: dict[Kind, list[Question]] = defaultdict(list)
        self._by_name: dict[Kind, _ByName] = {}
        self._told: list[object] = []
        for signals in (*(rule.signals for rule in pack.rules), *(kind.signals for kind in pack.kinds)):
            for signal in signals.values():
                self._ask(signal)
        for rule in pack.rules:
            if rule.claims:
                self._ask(Signal("claims", Kind.SENTENCE, rule.claims, {}, frozenset(Zone)))

    def _ask(self, signal: Signal) -> None:
        if signal.kind in WHOLE:
            return
        question = Question(signal)
        self._told.append(
            (signal.kind.value, signal.patterns, sorted(signal.where.items()), sorted(signal.zones))
        )
        self._questions[signal.kind].append(question)

    @property
    def digest(self) -> bytes:
        """What tells these questions from others."""
        return digest(repr(self._told).encode("utf-8", "surrogatepass"))

    def __call__(self, file: File, data: bytes, facts: list[Fact]) -> list[Fact]:
        first = facts[0]
        sums = told(facts)
        if len(facts) > 1 and self._told and MARK not in data and not needs_all(facts):
            kept = self._kept(facts, _Places(file))
            stays = {fact.name for fact in kept if fact.kind is Kind.CALL}
            left = {fact.name for fact in facts if fact.kind is Kind.CALL} - stays
            if left:
                sums["left"] = "\n".join(sorted(left))
        else:
            kept = facts
        return [Fact(first.kind, first.name, first.site, sums, first.zone), *kept[1:]]

    def _kept(self, facts: list[Fact], places: _Places) -> list[Fact]:
        names: dict[Kind, dict[str, None]] = {}
        for fact in facts:
            if fact.kind not in WHOLE:
                names.setdefault(fact.kind, {})[fact.name] = None
        asked = {kind: self._answered(kind) for kind in names}
        questions = {kind: asked[kind].of(group) for kind, group in names.items()}
        return [
            fact
            for fact in facts
            if fact.kind in WHOLE or asked[fact.kind].asks(fact, questions[fact.kind], places) or needed(fact)
        ]

    def _answered(self, kind: Kind) -> _ByName:
        by_name = self._by_name.get(kind)
        if by_name is None:
            by_name = self._by_name[kind] = _ByName(self._questions.get(kind, ()), kind in CASELESS)
        return by_name


class _Places:
    """The paths under which the facts of a file may be asked for: that of a template's file is where it lands or stands."""

    def __init__(self, file: File) -> None:
        self._paths = tuple(path for path in (file.path, file.placed) if path)
        self._known: dict[tuple[str, ...], bool] = {(): True}

    def hold(self, patterns: tuple[str, ...]) -> bool:
        known = self._known.get(patterns)
        if known is None:
            known = self._known[patterns] = any(holds((path,), patterns) for path in self._paths)
        return known


EVERYTHING = Asked(Pack((), ()))
_LAST: list[tuple[Pack, Asked]] = []


def sieve_of(pack: Pack, files: int | None = None) -> Asked:
    """What a pack asks of so many files, or of any number; that of the last pack is remembered, by its identity.

    One without rules leaves nothing out: whoever reads without rules looks at the facts themselves.
    """
    if files is not None and files < ENOUGH:
        return EVERYTHING
    if not _LAST or _LAST[0][0] is not pack:
        _LAST[:] = [(pack, Asked(pack))]
    return _LAST[0][1]


class _ByName:
    """The questions of a kind, by a literal part of the names that they ask for. Those that any name may answer are found
    by a trait that they need."""

    def __init__(self, questions: Sequence[Question], ignore_case: bool) -> None:
        self._ignore_case = ignore_case
        self._by_trait: dict[str, list[Question]] = defaultdict(list)
        self._always: list[Question] = []
        self._by_literal: dict[str, list[Question]] = defaultdict(list)
        self._known: dict[str, tuple[Question, ...]] = {}
        for question in questions:
            literals = [_literal(glob, ignore_case) for glob in question.name[0] if not glob.startswith("!")]
            if literals and all(literals):
                for literal in dict.fromkeys(literals):
                    self._by_literal[literal].append(question)
            elif question.needs:
                self._by_trait[max(question.needs, key=lambda trait: (trait.endswith("="), trait))].append(
                    question
                )
            else:
                self._always.append(question)
        self._literals = list(self._by_literal)
        self._find = finder(self._literals)

    def of(self, names: Iterable[str]) -> dict[str, tuple[Question, ...]]:
        """For each name the questions that it answers, but for those found by a trait."""
        known = self._known
        found = {name: known[name] for name in names if name in known}
        unknown = [name for name in names if name not in found]
        if not unknown:
            return found
        if len(known) >= MOST_NAMES:
            known.clear()
        texts = [name.lower() if self._ignore_case else name for name in unknown]
        ends = list(accumulate(len(text) + 1 for text in texts))
        candidates: dict[int, dict[Question, None]] = {}
        for number, start in self._find("\0".join(texts)):
            group = candidates.setdefault(bisect_right(ends, start), {})
            group.update(dict.fromkeys(self._by_literal[self._literals[number]]))
        for place, name in enumerate(unknown):
            asked = (*candidates.get(place, ()), *self._always)
            found[name] = tuple([question for question in asked if question.fits(name)])
            if len(name) <= LONGEST_NAME:
                known[name] = found[name]
        return found

    def asks(self, fact: Fact, questions: Mapping[str, tuple[Question, ...]], places: _Places) -> bool:
        """Whether a fact answers any question."""
        traits = fact.traits
        for question in questions[fact.name]:
            if fact.zone in question.zones and question.holds(traits) and places.hold(question.files):
                return True
        if self._by_trait:
            for trait in traits:
                for question in self._by_trait.get(trait, ()):
                    if (
                        fact.zone in question.zones
                        and question.holds(traits)
                        and question.fits(fact.name)
                        and places.hold(question.files)
                    ):
                        return True
        return False


def _literal(glob: str, ignore_case: bool) -> str:
    """The longest text that stands in whatever a glob matches, "" where anything may."""
    if glob[:3] != "**/" and not MARKS.search(glob):
        core = max(glob.split("*"), key=len)
        return core.lower() if ignore_case else core
    return min((longest_literal(pieces) for pieces in pieces_of(glob, ignore_case)), key=len)
