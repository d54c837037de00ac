"""The fingerprint of a line as GitHub code scanning computes it."""

from __future__ import annotations

import re

WINDOW = 100  # characters that make a fingerprint, blanks left out
MULTIPLIER = 37
MODULUS = 2**64
END = "\uffff"  # stands for the end of the file


def line_hash(text: str, line: int) -> str:
    """`primaryLocationLineHash` of a line (from 1) of a text, "" for a line that the text does not have.

    The definition is that of github/codeql-action, src/fingerprints.ts: the polynomial with base 37 modulo 2^64 over
    the 100 UTF-16 units from the line's first on, spaces and tabs left out and every line end counted as one
    line feed, in hexadecimal, and after a colon how often this value has come up to that line.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if line < 1 or len(above := text.split("\n", line - 1)) < line:
        return ""
    window = _window(above[-1])
    value = 0
    for unit in window.ljust(WINDOW, "\0"):
        value = (value * MULTIPLIER + ord(unit)) % MODULUS
    return f"{value:x}:{_times(window, _units(text[: len(text) - len(above[-1])]))}"


def _window(rest: str) -> str:
    """What makes the fingerprint of the line with which a text begins."""
    length = 2 * WINDOW
    while len(window := _units(rest[:length])) < WINDOW and length < len(rest):
        length *= 2
    return (window + END)[:WINDOW]


def _times(window: str, above: str) -> int:
    """How many lines up to this one begin with its window; a window of a line above ends inside this one's."""
    lines = f"\n{above}{window}"
    count, at = 0, lines.find(f"\n{window}")
    while at >= 0:
        count += 1
        at = lines.find(f"\n{window}", at + 1)
    return count


def _units(text: str) -> str:
    """A text in UTF-16 units without blanks."""
    text = text.replace(" ", "").replace("\t", "")
    return text if text.isascii() else re.sub("[\U00010000-\U0010ffff]", _surrogates, text)


def _surrogates(match: re.Match[str]) -> str:
    code = ord(match[0]) - 0x10000
    return chr(0xD800 + (code >> 10)) + chr(0xDC00 + (code & 0x3FF))
