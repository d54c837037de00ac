"""Words and numbers that people write, and the hint at the right word where one is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable

from mlops_audit import catalogue


def score_of(text: str) -> tuple[str, float]:
    """`5` and `total=5` as ("total", 5.0), `data=5` as ("data", 5.0). Raises ValueError in one clear line."""
    name, equals, number = text.rpartition("=")
    name = name.strip() if equals else "total"
    known = ("total", *(pillar.id for pillar in catalogue.load().pillars))
    if name not in known:
        raise ValueError(f"unknown pillar {name!r}{near(name, known)}")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 10:
        raise ValueError(f"a score is a number from 0 to 10, not {number.strip()!r}")
    return name, value


def near(word: str, known: Iterable[str]) -> str:
    """The hint at the nearest right word, else at all of them when they are few."""
    from difflib import get_close_matches

    known = list(known)
    tails: dict[str, str] = {}
    for right in known:
        tails.setdefault(right.rpartition("/")[2], right)
    close = get_close_matches(word, known, 1, 0.6)
    close = close or [tails[tail] for tail in get_close_matches(word.rpartition("/")[2], list(tails), 1, 0.6)]
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(known)}" if len(known) <= 8 else ""


def with_contents(patterns: Iterable[str]) -> list[str]:
    """Globs of paths where a folder's name means everything below it too: `legacy` and `legacy/` cover `legacy/a.py`."""
    found: list[str] = []
    for pattern in patterns:
        bare = pattern.removeprefix("./").rstrip("/")
        found.extend((bare, f"{bare}/*"))
    return found
