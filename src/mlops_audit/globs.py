"""Globs: what a text answers to, without regular expressions. The ground floor, as facts are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache


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
    others: list[tuple[str, tuple[str, ...]]] = []  # with a text that must stand anywhere in them
    for pattern in patterns:
        for pieces in pieces_of(pattern, ignore_case):
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
                others.append((max([part for piece in pieces for part in piece.split("?")], key=len), pieces))
    starts, ends = tuple(prefixes), tuple(suffixes)

    def matches(text: str) -> bool:
        text = text.lower() if ignore_case else text
        if text in exact or text.startswith(starts) or text.endswith(ends):
            return True
        for infix in infixes:
            if infix in text:
                return True
        for literal, pieces in others:
            if literal in text and fits(text, pieces):
                return True
        for pieces in (*by_head.get(text[:2], ()), *by_tail.get(text[-2:], ())):  # noqa: SIM110 (less than a generator)
            if fits(text, pieces):
                return True
        return False

    return matches


def pieces_of(pattern: str, ignore_case: bool) -> Iterator[tuple[str, ...]]:
    """What stands between the `*` of a glob; of one that begins with `**/` also without that."""
    written = pattern.lower() if ignore_case else pattern
    for glob in (written[3:], f"*/{written[3:]}") if written.startswith("**/") else (written,):
        yield tuple((re.sub(r"\*+", "*", glob) if "**" in glob else glob).split("*"))


def fits(text: str, pieces: tuple[str, ...]) -> bool:
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


@cache
def sides(patterns: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The patterns that are wanted, and without their `!` those that are not."""
    return (
        tuple([pattern for pattern in patterns if pattern[:1] != "!"]),
        tuple([pattern[1:] for pattern in patterns if pattern[:1] == "!"]),
    )


@cache
def globs(patterns: tuple[str, ...], ignore_case: bool = False) -> Callable[[str], bool]:
    """Like `matcher`, with patterns that begin with `!` taking away from what the others match."""
    plain, taking = sides(patterns)
    wanted, unwanted = matcher(plain or ("*",), ignore_case), matcher(taking, ignore_case)
    return lambda text: wanted(text) and not unwanted(text)


def holds(found: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    """Whether the values of a trait answer to globs: any value matches a plain one, and none a `!` one.

    With `!` patterns alone an absent trait holds too: `{masked: "!*"}` reads "is not masked".
    """
    wanted, unwanted = conditions(patterns)
    if wanted is not None and not any(map(wanted, found)):
        return False
    return unwanted is None or not any(map(unwanted, found))


@cache
def conditions(
    patterns: tuple[str, ...],
) -> tuple[Callable[[str], bool] | None, Callable[[str], bool] | None]:
    """What any value must match, and what none may; None where nothing is asked."""
    wanted, unwanted = sides(patterns)
    return matcher(wanted, True) if wanted else None, matcher(unwanted, True) if unwanted else None
