"""What nobody looked at, in the words of reports for platforms: a report that is silent about it would say too much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Document = dict[str, Any]

NAMED = 3  # files that are named of those that leave an aspect unknown
SHOWN = 50  # files and places that a report for a platform names


def unknown_aspects(document: Document) -> list[Document]:
    """The aspects that what was not read could have decided."""
    return [a for pillar in document["pillars"] for a in pillar["aspects"] if a["verdict"] == "unknown"]


def because(aspect: Document) -> str:
    """Why an aspect is unknown: `not read: a.py, b.py and 3 more`."""
    more = max(0, len(aspect["unread"]) - NAMED) + aspect["unread_left_out"]
    return f"not read: {', '.join(aspect['unread'][:NAMED])}{f' and {more} more' if more else ''}"


def place(problem: Document) -> str:
    """`path:line` of a problem, with the number of the cell in a notebook."""
    cell = f"#cell{problem['cell']}" if problem["cell"] else ""
    return f"{problem['path']}{cell}{':' + str(problem['line']) if problem['line'] else ''}"


def told(problem: Document) -> str:
    """A problem in a sentence's beginning: not read at all, or broken as it is committed."""
    return f"{'Not read' if skipped(problem) else 'Broken'}: {problem['reason']}"


def skipped(problem: Document) -> bool:
    return bool(problem["reason"].startswith("skipped"))


def shown(document: Document) -> tuple[Sequence[Document], int]:
    """The problems that are named, those that were not read first, and how many more there are."""
    problems = sorted(document["problems"], key=lambda problem: not skipped(problem))
    return problems[:SHOWN], max(0, len(problems) - SHOWN)
