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
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace(" ", "").replace("\t", "") + END
    text = re.sub("[\U00010000-\U0010ffff]", _surrogates, text)
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    if not 1 <= line <= len(starts):
        return ""
    window = text[starts[line - 1] : starts[line - 1] + WINDOW]
    value = 0
    for unit in window.ljust(WINDOW, "\0"):
        value = (value * MULTIPLIER + ord(unit)) % MODULUS
    same = sum(text.startswith(window, start) for start in starts[:line])
    return f"{value:x}:{same}"


def _surrogates(match: re.Match[str]) -> str:
    code = ord(match[0]) - 0x10000
    return chr(0xD800 + (code >> 10)) + chr(0xDC00 + (code & 0x3FF))
