"""Whether a file states what it stated before, as far as any rule or inference asks."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence

from mlops_audit.asked import Question
from mlops_audit.facts import Fact, Kind, Problem, Site, values
from mlops_audit.globs import conditions, holds, matcher
from mlops_audit.reach.listening import Listening
from mlops_audit.reach.told import SUMS
from mlops_audit.rules import Pack, Signal

State = tuple[Sequence[Fact], Sequence[Problem]]

# The trait that tells what a fact leads to, and those by which rules ask for it.
INSIDE: Mapping[Kind, str] = {Kind.DEFINITION: "calls_inside", Kind.COMPARISON: "leads"}
ASKED_AS = ("calls_inside", "leads", "does")
ADDABLE = (Kind.DEFINITION, Kind.IMPORT)
# Traits of definitions that others may find without saying their names.
TAKEN_OUT = frozenset({"bases", "decorators", "off"})
# Traits that may differ.
LOOSE: Mapping[Kind, Collection[str]] = {
    Kind.FILE: SUMS | {"left"},
    **{kind: (trait,) for kind, trait in INSIDE.items()},
}


class Alike:
    """Compares two states of one file, what nothing asks for left out already.

    The facts must be the same in the same order. Only sums may differ, where nothing listens for the difference, and what
    functions and comparisons lead to, where no rule would answer otherwise for it. In the only file that changed, definitions
    of names that nobody says and imports of Python's own modules may be added, where no rule asks for them. `paths` are
    those of all files.
    """

    def __init__(
        self, pack: Pack, listening: Listening | None, paths: Collection[str] = (), alone: bool = False
    ) -> None:
        self._listening, self._paths, self._alone = listening, paths, alone
        groups = (*(rule.signals for rule in pack.rules), *(kind.signals for kind in pack.kinds))
        self._signals = [signal for group in groups for signal in group.values()]
        asked = {signal.where["calls"] for signal in self._signals if "calls" in signal.where}
        self._of_any_call = [patterns for patterns in asked if "*" in patterns]
        self._of_calls = asked.difference(self._of_any_call)
        self._names = matcher(
            tuple({glob.lstrip("!") for patterns in self._of_calls for glob in patterns}), True
        )
        self._of_insides = [
            (signal, Question(signal._replace(where=_without(signal.where, ASKED_AS))))
            for signal in self._signals
            if signal.kind in INSIDE and not signal.where.keys().isdisjoint(ASKED_AS)
        ]

    def __call__(self, path: str, before: State, after: State) -> dict[Site, Site] | None:
        """Where each place of a file is now that states the same in the same order; None where it does not."""
        pairs, added = _paired(before[0], after[0])
        if pairs is None or [_of_problem(p) for p in before[1]] != [_of_problem(p) for p in after[1]]:
            return None
        if added and not self._may_be_added(path, added, before[0]):
            return None
        differing = [(old, new) for old, new in pairs if old.traits != new.traits]
        if differing and not self._changes_nothing(path, differing, before[0], added):
            return None
        sites = [(old.site, new.site) for old, new in pairs]
        sites += [(old.site, new.site) for old, new in zip(before[1], after[1], strict=True)]
        moved: dict[Site, Site] = {}
        for old, new in sites:
            if moved.setdefault(old, new) != new or old.cell != new.cell or (old.line > 0) != (new.line > 0):
                return None
        places = [moved[old] for old in sorted(moved, key=_order)]
        return moved if places == sorted(set(places), key=_order) else None

    def _may_be_added(self, path: str, added: Sequence[Fact], before: Sequence[Fact]) -> bool:
        """Whether nothing comes of facts that a file states beside those from before."""
        listening = self._listening
        if listening is None or not self._alone or len(added) > listening.room:
            return False
        defined = any(fact.kind is Kind.DEFINITION for fact in before)
        for fact in added:
            if fact.kind is Kind.DEFINITION:
                if not defined or not TAKEN_OUT.isdisjoint(fact.traits) or listening.knows(fact.name):
                    return False
            elif fact.kind is not Kind.IMPORT or not self._is_of_python(path, fact):
                return False
        names = {fact.name for fact in before if fact.kind is Kind.IMPORT}
        more = names.union(fact.name for fact in added if fact.kind is Kind.IMPORT)
        asked = [(signal.kind, Question(signal)) for signal in self._signals if signal.kind in ADDABLE]
        return not any(
            fact.kind is kind
            and fact.zone in question.zones
            and question.fits(fact.name)
            and question.holds(fact.traits)
            for fact in added
            for kind, question in asked
        ) and all(
            _hold_alike(patterns, names, more)
            for patterns in {signal.where["imports"] for signal in self._signals if "imports" in signal.where}
        )

    def _is_of_python(self, path: str, fact: Fact) -> bool:
        """Whether an import is of a module of Python's own that no file or folder of the project is called like."""
        top = fact.name.partition(".")[0]
        own = any(part in (top, f"{top}.py") for place in self._paths for part in place.split("/"))
        assert self._listening is not None
        return (
            top in sys.stdlib_module_names and not own and not self._listening.knows_import(path, fact.name)
        )

    def _changes_nothing(
        self,
        path: str,
        differing: Iterable[tuple[Fact, Fact]],
        before: Sequence[Fact],
        added: Sequence[Fact],
    ) -> bool:
        """Whether nothing comes of what may differ in facts that are the same otherwise."""
        if self._listening is None:
            return False
        calls = {fact.name for fact in before if fact.kind is Kind.CALL}
        names = _outermost(added) - _outermost(before)
        for old, new in differing:
            if old.kind is Kind.FILE:
                was, now = (
                    calls.union("".join(values(fact.traits.get("left"))).split("\n")) for fact in (old, new)
                )
                asked = (*self._of_any_call, *(self._of_calls if any(map(self._names, was ^ now)) else ()))
                if not all(_hold_alike(patterns, was, now) for patterns in asked):
                    return False
                if self._listening.hears(path, old.traits, new.traits, names):
                    return False
            elif not self._leads_alike(old, new, {fact.name.rpartition(".")[2] for fact in added}) or (
                old.kind is Kind.DEFINITION and self._listening.looks_into(path, old.name)
            ):
                return False
        return True

    def _leads_alike(self, old: Fact, new: Fact, added: Collection[str]) -> bool:
        """Whether every signal that a function or comparison may answer sees no difference in what it leads to."""
        was, now = (set(values(fact.traits.get(INSIDE[fact.kind]))) for fact in (old, new))
        assert self._listening is not None
        opens = self._listening.opens(was ^ now) or any(
            name.rpartition(".")[2] in added for name in was ^ now
        )
        return not any(
            (trait != "calls_inside" and opens)
            or not _hold_alike(signal.where[trait], was, now, alone=trait == "calls_inside")
            for signal, question in self._of_insides
            if _may_answer(old, signal, question)
            for trait in ASKED_AS
            if trait in signal.where
        )


def _outermost(facts: Iterable[Fact]) -> set[str]:
    """The names of top-level definitions, and of the classes of methods."""
    return {fact.name.partition(".")[0] for fact in facts if fact.kind is Kind.DEFINITION}


def _may_answer(fact: Fact, signal: Signal, question: Question) -> bool:
    """Whether a fact may answer a signal, by all but what it leads to and what is known of it only later."""
    return (
        fact.kind is signal.kind
        and fact.zone in signal.zones
        and question.fits(fact.name)
        and question.holds(fact.traits)
    )


def _without(where: Mapping[str, tuple[str, ...]], traits: Collection[str]) -> dict[str, tuple[str, ...]]:
    return {trait: patterns for trait, patterns in where.items() if trait not in traits}


def _hold_alike(
    patterns: tuple[str, ...], was: Collection[str], now: Collection[str], alone: bool = True
) -> bool:
    """Whether globs hold of two sets of values alike; unless they are `alone`, whatever stands beside both."""
    differing = set(was).symmetric_difference(now)
    sides = [side for side in conditions(patterns) if side is not None and any(map(side, differing))]
    if sides and alone:
        return holds(tuple(was), patterns) == holds(tuple(now), patterns)
    return all(any(map(side, was)) == any(map(side, now)) for side in sides)


def _paired(
    before: Sequence[Fact], after: Sequence[Fact]
) -> tuple[list[tuple[Fact, Fact]] | None, list[Fact]]:
    """The facts that are the same but for what may differ, in order, and those that came between; None where any is gone."""
    pairs: list[tuple[Fact, Fact]] = []
    added: list[Fact] = []
    for fact in after:
        if len(pairs) < len(before) and _is_the_same(before[len(pairs)], fact):
            pairs.append((before[len(pairs)], fact))
        else:
            added.append(fact)
    return (pairs if len(pairs) == len(before) else None), added


def _is_the_same(old: Fact, new: Fact) -> bool:
    return (
        old.kind is new.kind
        and old.name == new.name
        and old.zone is new.zone
        and (old.traits == new.traits or (old.kind in LOOSE and [*_firm(old)] == [*_firm(new)]))
    )


def _of_problem(problem: Problem) -> tuple[str, bool]:
    return problem.reason, problem.unread


def _firm(fact: Fact) -> Iterable[tuple[str, object]]:
    loose = LOOSE.get(fact.kind)
    if loose is None:
        return fact.traits.items()
    return [(trait, value) for trait, value in fact.traits.items() if trait not in loose]


def _order(site: Site) -> tuple[int, int]:
    return site.cell, site.line
