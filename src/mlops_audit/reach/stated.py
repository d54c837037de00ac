"""What a repository states, by kind: gone through once, asked often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlops_audit.facts import Fact, Kind


class Stated:
    """Facts in the order in which they were read, and those of some kinds, or with a trait."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self.all = facts
        self._of: dict[Kind, list[Fact]] = {kind: [] for kind in Kind}
        for fact in facts:
            self._of[fact.kind].append(fact)

    def of(self, *kinds: Kind) -> Iterator[Fact]:
        """Those of some kinds, kind by kind."""
        for kind in kinds:
            yield from self._of[kind]

    def stating(self, trait: str) -> list[Fact]:
        """Those of any kind that state a trait."""
        return [fact for fact in self.all if trait in fact.traits]
