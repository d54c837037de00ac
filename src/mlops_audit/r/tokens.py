"""R source as tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

TOKEN = re.compile(
    r"""(?P<space>[^\S\n]+)
      | (?P<comment>\#[^\n]*)
      | (?P<newline>[\n;])
      | (?P<raw>[rR](?P<quote>["'])(?P<dashes>-*)(?P<bracket>[(\[{]))
      | (?P<string>"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|'[^'\\]*(?:\\.[^'\\]*)*(?:'|\\?\Z))
      | (?P<name>`[^`\n]*`|(?:[^\W\d_]|\.(?!\d))[\w.]*)
      | (?P<number>0[xX][0-9a-fA-F]+L?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[Li]?)
      | (?P<operator>%[^%\n]*%|<<-|->>|:::?|<-|->|<=|>=|==|!=|\|>|&&|\|\||.)""",
    re.VERBOSE | re.DOTALL,
)
CLOSING = {"(": ")", "[": "]", "{": "}"}


class Token(NamedTuple):
    """A word of R: strings without their quotes and names without backquotes, where they begin and end, and the line."""

    kind: str
    text: str
    start: int
    end: int
    line: int


def tokens(text: str, line: int) -> Iterator[Token]:
    """The tokens of a text whose first line has this number, without white space and comments."""
    position = 0
    while position < len(text):
        found = TOKEN.match(text, position)
        if found is None:  # cannot be: the last alternative takes any character
            return
        kind, end = str(found.lastgroup), found.end()
        if found["raw"]:
            kind = "string"
            closing = CLOSING[found["bracket"]] + found["dashes"] + found["quote"]
            at = text.find(closing, end)
            content = text[end : at if at >= 0 else len(text)]
            end = at + len(closing) if at >= 0 else len(text)
        elif found["string"]:
            content = re.sub(r"\\(.)", _unescaped, found[0][1:].removesuffix(found[0][0]), flags=re.DOTALL)
        else:
            content = found[0].strip("`") if kind == "name" else found[0]
        if kind not in ("space", "comment"):
            yield Token(kind, content, position, end, line)
        line += text.count("\n", position, end)
        position = end


def _unescaped(found: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t"}.get(found[1], found[1])
