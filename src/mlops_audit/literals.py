"""Which of many words stand in a text: in one pass where ahocorasick_rs is installed, else word by word."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Finder = Callable[
    [str], "list[tuple[int, int]]"
]  # text -> (number of the word, where it begins), overlapping ones too


def finder(words: Sequence[str]) -> Finder:
    """Finds words, none of them empty, in texts."""
    try:
        from ahocorasick_rs import AhoCorasick
    except ImportError:
        return plain_finder(words)
    search = AhoCorasick(words).find_matches_as_indexes
    return lambda text: [(number, start) for number, start, _ in search(text, overlapping=True)]


def plain_finder(words: Sequence[str]) -> Finder:
    """The same without a library."""
    numbered = list(enumerate(words))

    def find(text: str) -> list[tuple[int, int]]:
        found = []
        for number, word in numbered:
            if word in text:
                at = text.find(word)
                while at >= 0:
                    found.append((number, at))
                    at = text.find(word, at + 1)
        return found

    return find
