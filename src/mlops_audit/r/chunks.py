"""The chunks of R in documents of R Markdown and Quarto."""

from __future__ import annotations

import re
from collections.abc import Iterator

FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*\{[ \t]*r\b([^}\n]*)\}[ \t]*$", re.IGNORECASE)
UNEVALUATED = re.compile(r"\beval\s*=\s*(?:FALSE|F)\b")
UNEVALUATED_OPTION = re.compile(r"^\s*#\|\s*eval\s*:\s*false\b", re.IGNORECASE)


def chunks(text: str) -> Iterator[tuple[int, str, bool]]:
    """The R chunks of a document: line of the first line of code, code, whether it is never evaluated."""
    fence, start, dead = "", 0, False
    lines: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not fence:
            if opened := FENCE.match(line):
                fence, start, dead, lines = opened[1], number + 1, bool(UNEVALUATED.search(opened[2])), []
        elif line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            yield start, "\n".join(lines), dead
            fence = ""
        else:
            dead = dead or bool(UNEVALUATED_OPTION.match(line))
            lines.append(line)
