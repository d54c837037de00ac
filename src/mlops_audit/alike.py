"""Whether a file states what it stated before, as far as any rule or inference asks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from mlops_audit.facts import CASELESS, Fact, Kind, Problem, Site, values
from mlops_audit.globs import conditions, globs, holds, matcher
from mlops_audit.reach.listening import Listening
from mlops_audit.reach.told import SUMS
from mlops_audit.rules import Pack, Signal

State = tuple[Sequence[Fact], Sequence[Problem]]

# The trait that tells what a fact leads to, and those by which rules ask for it.
INSIDE: Mapping[Kind, str] = {Kind.DEFINITION: "calls_inside", Kind.COMPARISON: "leads"}
ASKED_AS = ("calls_inside", "leads", "does")
# Traits that may differ.
LOOSE: Mapping[Kind, Collection[str]] = {
    Kind.FILE: SUMS | {"left"},
    **{kind: (trait,) for kind, trait in INSIDE.items()},
}


class Alike:
    """Compares two states of one file, what nothing asks for left out already.

    The facts must be the same in the same order. Only sums may differ, where nothing listens for the difference, and what
    functions and comparisons lead to, where no rule would answer otherwise for it.
    """

    def __init__(self, pack: Pack, listening: Listening | None) -> None:
        self._listening = listening
        groups = (*(rule.signals for rule in pack.rules), *(kind.signals for kind in pack.kinds))
        signals = [signal for group in groups for signal in group.values()]
        asked = {signal.where["calls"] for signal in signals if "calls" in signal.where}
        self._of_any_call = [patterns for patterns in asked if "*" in patterns]
        self._of_calls = asked.difference(self._of_any_call)
        self._names = matcher(
            tuple({glob.lstrip("!") for patterns in self._of_calls for glob in patterns}), True
        )
        self._of_insides = [
            s for s in signals if s.kind in INSIDE and not s.where.keys().isdisjoint(ASKED_AS)
        ]

    def __call__(self, path: str, before: State, after: State) -> dict[Site, Site] | None:
        """Where each place of a file is now that states the same in the same order; None where it does not."""
        olds, news = _stated(before), _stated(after)
        if [what for _, what in olds] != [what for _, what in news]:
            return None
        differing = [
            (old, new) for old, new in zip(before[0], after[0], strict=True) if old.traits != new.traits
        ]
        if differing and not self._changes_nothing(path, differing, before[0]):
            return None
        moved: dict[Site, Site] = {}
        for (old, _), (new, _) in zip(olds, news, strict=True):
            if moved.setdefault(old, new) != new or old.cell != new.cell or (old.line > 0) != (new.line > 0):
                return None
        places = [moved[old] for old in sorted(moved, key=_order)]
        return moved if places == sorted(set(places), key=_order) else None

    def _changes_nothing(
        self, path: str, differing: Iterable[tuple[Fact, Fact]], stated: Iterable[Fact]
    ) -> bool:
        if self._listening is None:
            return False
        calls = {fact.name for fact in stated if fact.kind is Kind.CALL}
        for old, new in differing:
            if old.kind is Kind.FILE:
                was, now = (
                    calls.union("".join(values(fact.traits.get("left"))).split("\n")) for fact in (old, new)
                )
                asked = (*self._of_any_call, *(self._of_calls if any(map(self._names, was ^ now)) else ()))
                if not all(_hold_alike(patterns, was, now) for patterns in asked):
                    return False
                if self._listening.hears(path, old.traits, new.traits):
                    return False
            elif not self._leads_alike(old, new) or (
                old.kind is Kind.DEFINITION and self._listening.looks_into(path, old.name)
            ):
                return False
        return True

    def _leads_alike(self, old: Fact, new: Fact) -> bool:
        """Whether every signal that a function or comparison may answer sees no difference in what it leads to."""
        was, now = (set(values(fact.traits.get(INSIDE[fact.kind]))) for fact in (old, new))
        assert self._listening is not None
        opens = self._listening.opens(was ^ now)
        return not any(
            (trait != "calls_inside" and opens)
            or not _hold_alike(signal.where[trait], was, now, alone=trait == "calls_inside")
            for signal in self._of_insides
            if _may_answer(old, signal)
            for trait in ASKED_AS
            if trait in signal.where
        )


def _may_answer(fact: Fact, signal: Signal) -> bool:
    return (
        fact.kind is signal.kind
        and fact.zone in signal.zones
        and globs(signal.patterns, signal.kind in CASELESS)(fact.name)
    )


def _hold_alike(
    patterns: tuple[str, ...], was: Collection[str], now: Collection[str], alone: bool = True
) -> bool:
    """Whether globs hold of two sets of values alike; unless they are `alone`, whatever stands beside both."""
    differing = set(was).symmetric_difference(now)
    sides = [side for side in conditions(patterns) if side is not None and any(map(side, differing))]
    if sides and alone:
        return holds(tuple(was), patterns) == holds(tuple(now), patterns)
    return all(any(map(side, was)) == any(map(side, now)) for side in sides)


def _stated(found: State) -> list[tuple[Site, tuple[object, ...]]]:
    """All that a file states that may not differ, and what could not be read of it, each with its place."""
    facts, problems = found
    return [
        *((fact.site, (fact.kind, fact.name, fact.zone, *_firm(fact))) for fact in facts),
        *((problem.site, (problem.reason, problem.unread)) for problem in problems),
    ]


def _firm(fact: Fact) -> Iterable[tuple[str, object]]:
    loose = LOOSE.get(fact.kind)
    if loose is None:
        return fact.traits.items()
    return [(trait, value) for trait, value in fact.traits.items() if trait not in loose]


def _order(site: Site) -> tuple[int, int]:
    return site.cell, site.line
