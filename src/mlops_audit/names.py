"""Which of many names answer to which globs: a glob looks only where it can hold, not at each name."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import accumulate

from mlops_audit.globs import fits, globs, pieces_of

FEW = 16  # names that are sooner tried one by one
MUCH = 20_000  # characters of all names, from which on their words are looked at first
WORD = re.compile(r"\w+")


class Names:
    """Which names of a sort answer to which globs, asked once a name: audits of one repository's history share it.

    Names come in batches, those not known before; of each question only how many batches it has been put to and the
    names that hold are kept, so that it stays small.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, set[str]] = defaultdict(set)
        self._batches: dict[Hashable, list[_Batch]] = defaultdict(list)
        self._answers: dict[tuple[Hashable, tuple[str, ...]], tuple[int, set[str]]] = {}

    def learn(self, sort: Hashable, names: Iterable[str], ignore_case: bool) -> None:
        """Names of one sort, and whether case matters in them."""
        known = self._known[sort]
        fresh = [name for name in names if name not in known]
        if fresh:
            known.update(fresh)
            self._batches[sort].append(_Batch(fresh, ignore_case))

    def answering(self, sort: Hashable, patterns: tuple[str, ...]) -> set[str]:
        """The names of a sort that match any of the globs, of all that were ever learned."""
        asked, found = self._answers.get((sort, patterns), (0, set()))
        batches = self._batches[sort]
        if asked < len(batches):
            for batch in batches[asked:]:
                found |= batch.matching(patterns)
            self._answers[sort, patterns] = (len(batches), found)
        return found


class _Batch:
    """Names in the order of their beginnings, of their ends, and as one text.

    Gives what `globs` does, name by name, in a time that depends on how many names match and not on how many there are.
    """

    def __init__(self, names: Sequence[str], ignore_case: bool) -> None:
        self._names, self._ignore_case = names, ignore_case
        self._found: dict[str, Sequence[str]] = {}
        if len(names) < FEW:
            return
        self._written: dict[str, list[str]] = {}
        for name in names:
            self._written.setdefault(name.lower() if ignore_case else name, []).append(name)
        self._sorted = sorted(self._written)
        self._turned = sorted([text[::-1] for text in self._sorted])
        self._text = "\0".join(self._sorted)
        self._starts: list[int] = []
        self._words = "\0".join(set(WORD.findall(self._text))) if len(self._text) > MUCH else ""

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

    def _one(self, pattern: str) -> Iterable[str]:
        """The names that match one glob; those of the forms `x`, `x*`, `*x` and `*x*`, which most have, without ado."""
        glob = pattern.lower() if self._ignore_case else pattern
        stars = glob.count("*")
        inside = glob.strip("*") if stars else glob
        if "?" in glob or (
            stars and (stars > 2 or "*" in inside or glob.startswith("**") or glob.endswith("**"))
        ):
            found = self._found.get(glob)
            if found is None:
                texts = [t for pieces in pieces_of(glob, False) for t in self._fitting(pieces)]
                found = self._found[glob] = self._named(texts)
            return found
        if not stars:
            return self._written.get(glob, ())
        if not inside:
            return self._names
        if stars == 2:
            return (
                self._named(self._holding(inside))
                if "\0" not in inside
                else self._named([text for text in self._holding(inside) if inside in text])
            )
        return self._named(self._ending(inside) if glob[0] == "*" else self._beginning(inside))

    def _named(self, texts: Sequence[str]) -> Sequence[str]:
        if not texts or not self._ignore_case:
            return texts
        return [name for text in texts for name in self._written[text]]

    def _fitting(self, pieces: tuple[str, ...]) -> Iterable[str]:
        """The names as they are compared that are the pieces in their order with anything between them."""
        first, last = pieces[0], pieces[-1]
        head, tail = first.partition("?")[0], last.rpartition("?")[2]
        candidates: Sequence[str]
        if head:
            candidates = self._beginning(head)
        elif tail:
            candidates = self._ending(tail)
        else:
            literal = max([part for piece in pieces for part in piece.split("?")], key=len)
            candidates = self._holding(literal) if literal else self._sorted
        return [text for text in candidates if fits(text, pieces)] if candidates else ()

    def _beginning(self, head: str) -> Sequence[str]:
        return self._sorted[_range(self._sorted, head)]

    def _ending(self, tail: str) -> Sequence[str]:
        return [text[::-1] for text in self._turned[_range(self._turned, tail[::-1])]]

    def _holding(self, literal: str) -> Sequence[str]:
        """The names in which a text stands, and those at whose end it runs over into the next."""
        if self._words and max(WORD.findall(literal), key=len, default="") not in self._words:
            return ()
        at = self._text.find(literal)
        if at < 0:
            return ()
        if not self._starts:
            self._starts = list(accumulate((len(text) + 1 for text in self._sorted), initial=0))
        return list(self._from(at, literal))

    def _from(self, at: int, literal: str) -> Iterator[str]:
        while at >= 0:
            number = bisect_right(self._starts, at) - 1
            yield self._sorted[number]
            if number + 1 == len(self._sorted):
                return
            at = self._text.find(literal, self._starts[number + 1])


def _range(texts: Sequence[str], head: str) -> slice:
    """Where those of sorted texts stand that begin with another."""
    low = high = bisect_left(texts, head)
    while high < len(texts) and texts[high].startswith(head):
        high += 1
    return slice(low, high)
