"""The report as CSV, a row for each aspect, in which no text is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from mlops_audit.formats.markdown import site
from mlops_audit.formats.not_read import because, place, skipped
from mlops_audit.safe import csv_cell

Document = dict[str, Any]

COLUMNS = (
    "pillar", "aspect", "title", "verdict", "severity", "weight", "place", "strength", "evidence", "lacks", "fix",
    "effort", "project", "not_read",
)  # fmt: skip


def spreadsheet(document: Document) -> str:
    """Comma-separated values with a head row; evidence is the strongest of each signal.

    Rows without an aspect are files and places that were not read or are broken as committed.
    """
    rows = [_row(a, pillar) for pillar in document["pillars"] for a in pillar["aspects"]]
    return written(COLUMNS, [*rows, *map(_problem, document["problems"])])


def _problem(problem: Document) -> list[object]:
    verdict = "not read" if skipped(problem) else "broken"
    values = {"title": problem["reason"], "verdict": verdict, "place": place(problem)}
    return [values.get(column) for column in COLUMNS]


def written(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV (RFC 4180, but with line feeds): texts are made harmless, numbers stay numbers, None is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([csv_cell(value) if isinstance(value, str) else value for value in row])
    return stream.getvalue()


def _row(aspect: Document, pillar: Document) -> list[object]:
    spot, first = aspect["location"], {p["signal"]: p for p in reversed(aspect["evidence"])}
    pieces = [first[signal] for signal in dict.fromkeys(p["signal"] for p in aspect["evidence"])]
    return [
        pillar["title"],
        aspect["id"],
        aspect["title"],
        aspect["verdict"],
        aspect["severity"],
        aspect["weight"],
        f"{spot['path']}:{spot['line']}" if spot else site(pieces[0]) if pieces else None,
        pieces[0]["strength"] if pieces else None,
        "; ".join(f"{piece['signal']}: {site(piece)}" for piece in pieces),
        "; ".join(aspect["lacks"]),
        aspect["fix"],
        aspect["effort"],
        aspect["project"],
        because(aspect).removeprefix("not read: ") if aspect["verdict"] == "unknown" else None,
    ]
