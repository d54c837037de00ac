"""Which of many names answer to which globs: a glob looks only where it can hold, not at each name."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import accumulate

from mlops_audit.globs import MARKS, fits, longest_literal, pieces_of, sides

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
        self._written: dict[str, list[str]] = {}
        for name in names:
            self._written.setdefault(name.lower() if ignore_case else name, []).append(name)
        self._sorted = sorted(self._written)
        self._text = "\0".join(self._sorted)
        self._turned: list[str] = []
        self._starts: list[int] = []
        self._words = "\0".join(set(WORD.findall(self._text))) if len(self._text) > MUCH else ""

    def matching(self, patterns: tuple[str, ...]) -> set[str]:
        wanted, unwanted = sides(patterns)
        found = self._all(wanted) if wanted else set(self._names)
        return found - self._all(unwanted) if found and unwanted else found

    def _all(self, patterns: Iterable[str]) -> set[str]:
        """The names that match any of some globs; each glob is tried once, however many questions share it."""
        known = self._found
        found: set[str] = set()
        for pattern in patterns:
            glob = pattern.lower() if self._ignore_case else pattern
            texts = known.get(glob)
            if texts is None:
                texts = known[glob] = self._one(glob)
            if texts:
                found.update(texts)
        return {name for text in found for name in self._written[text]} if self._ignore_case else found

    def _one(self, glob: str) -> Sequence[str]:
        """The texts that match one glob; those of the forms `x`, `x*`, `*x` and `*x*`, which most have, without ado."""
        head, star, rest = glob.partition("*")
        if "?" not in glob and "&" not in glob:
            if not star:
                return (glob,) if glob in self._written else ()
            if head:
                texts = _beginning(self._sorted, head)
                return (
                    [text for text in texts if fits(text, (*glob.split("*"),))] if texts and rest else texts
                )
            inside, star, tail = rest.partition("*")
            if not star:
                return self._ending(inside)
            if inside and not tail:
                texts = self._holding(inside)
                return texts if "\0" not in inside else [text for text in texts if inside in text]
        return [text for pieces in pieces_of(glob, False) for text in self._fitting(pieces)]

    def _fitting(self, pieces: tuple[str, ...]) -> Iterable[str]:
        """The names as they are compared that are the pieces in their order with anything between them."""
        first, last = pieces[0], pieces[-1]
        head, tail = MARKS.split(first, maxsplit=1)[0], MARKS.split(last)[-1]
        candidates: Sequence[str]
        if head:
            candidates = _beginning(self._sorted, head)
        elif tail:
            candidates = self._ending(tail)
        else:
            literal = longest_literal(pieces)
            candidates = self._holding(literal) if literal else self._sorted
        return [text for text in candidates if fits(text, pieces)] if candidates else ()

    def _ending(self, tail: str) -> Sequence[str]:
        if not self._turned:
            self._turned = sorted([text[::-1] for text in self._sorted])
        return [text[::-1] for text in _beginning(self._turned, tail[::-1])]

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


def _beginning(texts: Sequence[str], head: str) -> Sequence[str]:
    """Those of sorted texts that begin with another."""
    low = high = bisect_left(texts, head)
    while high < len(texts) and texts[high].startswith(head):
        high += 1
    return texts[low:high]
