"""Globs: what a text answers to, without regular expressions. The ground floor, as facts are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache

MARKS = re.compile("[?&]")  # what stands for any character, and for the edge of a word


@cache
def matcher(patterns: tuple[str, ...], ignore_case: bool = False) -> Callable[[str], bool]:
    """A test whether a whole text matches any of the globs.

    `*` stands for any run of characters, dots, slashes and line ends included, `?` for one character, `&` for the
    edge of a word and no character; `**/` at the beginning of a pattern also matches nothing. There are no other
    special characters and nothing is compiled to a regular expression: building a matcher costs little, and matching
    never backtracks.
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
            plain = not any("?" in piece or "&" in piece for piece in pieces)
            if len(pieces) == 1 and plain:
                exact.add(first)
            elif len(pieces) == 2 and not (first and last) and plain:
                (suffixes if last else prefixes).append(first or last)
            elif len(pieces) == 3 and not (first or last) and plain:
                infixes.append(pieces[1])
            elif len(first) >= 2 and not {"?", "&"} & {*first[:2]}:
                by_head.setdefault(first[:2], []).append(pieces)
            elif len(last) >= 2 and not {"?", "&"} & {*last[-2:]}:
                by_tail.setdefault(last[-2:], []).append(pieces)
            else:
                others.append((longest_literal(pieces), pieces))
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


def longest_literal(pieces: Iterable[str]) -> str:
    """The longest text that stands in whatever some pieces match."""
    return max([part for piece in pieces for part in MARKS.split(piece)], key=len)


def fits(text: str, pieces: tuple[str, ...]) -> bool:
    """Whether a text is the pieces in their order with anything between them."""
    first, last = pieces[0], pieces[-1]
    if not _stands(text, first, 0):
        return False
    at, end = _width(first), len(text) - _width(last)
    if len(pieces) == 1:
        return at == len(text)
    if end < at or not _stands(text, last, end):
        return False
    for piece in pieces[1:-1]:
        at = _find(text, piece, at, end)
        if at < 0:
            return False
        at += _width(piece)
    return True


def _width(piece: str) -> int:
    return len(piece) - piece.count("&") if "&" in piece else len(piece)


def _stands(text: str, piece: str, at: int) -> bool:
    """Whether a piece with `?` for any character and `&` for the edge of a word stands at a place of a text."""
    if "?" not in piece and "&" not in piece:
        return text.startswith(piece, at)
    for mark in piece:
        if mark == "&":
            if not _is_edge(text, at):
                return False
            continue
        if at >= len(text) or mark not in ("?", text[at]):
            return False
        at += 1
    return True


def _is_edge(text: str, at: int) -> bool:
    """Whether a word begins or ends there: not between two letters, save in `camelCase`."""
    if at <= 0 or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    return not (before.isalpha() and after.isalpha()) or (before.islower() and after.isupper())


def _find(text: str, piece: str, start: int, end: int) -> int:
    """Where a piece first stands between two places of a text, -1 for nowhere."""
    if "?" not in piece and "&" not in piece:
        return text.find(piece, start, end)
    literal = longest_literal((piece,))
    offset, width = _width(piece[: piece.index(literal)]) if literal else 0, _width(piece)
    at = text.find(literal, start + offset, end)
    while at >= 0 and at - offset + width <= end:
        if _stands(text, piece, at - offset):
            return at - offset
        at = text.find(literal, at + 1, end)
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
