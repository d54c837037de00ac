"""A trend in every format: sparklines for a terminal, tables, CSV, a chart, a page."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from mlops_audit import __version__, catalogue
from mlops_audit.changes.chart import chart
from mlops_audit.changes.trend import Change, Point, Trend
from mlops_audit.safe import plain, shortened

Document = dict[str, Any]

SCHEMA_VERSION = "1.0"
FORMATS = ("terminal", "markdown", "json", "csv", "svg", "html")
BLOCKS, ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "_.-~=+*#"
SHOWN_POINTS, SHOWN_CHANGES = 12, 40  # rows of a terminal
SIGNS = {
    "appeared": "+",
    "completed": "+",
    "rose": "+",
    "weakened": "-",
    "lost": "-",
    "fell": "-",
    "no longer asked": "·",
}


def document_of(trend: Trend) -> Document:
    """The trend as plain data, the shape of reports/trend.schema.json."""
    standard = catalogue.load()
    titles = {aspect.id: aspect.title for aspect in standard.aspects}
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "mlops-audit", "version": __version__},
        "project": trend.project,
        "commit": trend.head,
        "chosen_by": trend.chosen_by,
        "shallow": trend.shallow,
        "commits": trend.commits,
        "audits": trend.audits,
        "left_out": None
        if trend.left_out is None
        else {
            "seconds": trend.left_out.seconds,
            "points": trend.left_out.points,
            "stretches": trend.left_out.stretches,
        },
        "pillars": [{"id": pillar.id, "title": pillar.title} for pillar in standard.pillars],
        "points": [_point(point, trend.chosen_by) for point in trend.points],
        "changes": [_change(change, titles) for change in trend.changes],
    }


def _point(point: Point, chosen_by: str) -> Document:
    date, state = _date(point.commit.when), point.state
    if chosen_by == "tags" and point.tags:
        label = point.tags[0]
    else:
        label = date[:7] if chosen_by == "every month" else date
    return {
        "commit": point.commit.id,
        "date": date,
        "label": label,
        "tags": list(point.tags),
        "files": state.files,
        "level": state.level,
        "score": state.score,
        "pillars": dict(state.pillars),
        "verdicts": dict(state.verdicts),
    }


def _change(change: Change, titles: dict[str, str]) -> Document:
    return {
        "aspect": change.aspect or None,
        "title": titles.get(change.aspect, "Maturity level"),
        "event": change.event,
        "was": change.was,
        "now": change.now,
        "commit": change.commit.id,
        "date": _date(change.commit.when),
        "author": change.commit.author,
        "exact": change.exact,
    }


def _date(when: int) -> str:
    return datetime.fromtimestamp(when, timezone.utc).date().isoformat()


def render(trend: Trend, format: str, *, color: bool = False, width: int = 100, unicode: bool = True) -> str:
    """The trend as text in one of FORMATS. Raises ValueError for another."""
    document = document_of(trend)
    if format == "json":
        return json.dumps(document, indent=2) + "\n"
    if format == "csv":
        return _table(document)
    if format == "svg":
        return chart(document)
    if format == "markdown":
        from mlops_audit.formats.markdown import filled

        return filled("trend.md.j2", {**document, "notes": notes(document)})
    if format == "html":
        from markupsafe import Markup

        from mlops_audit.formats import page

        values = {
            **document,
            "notes": notes(document),
            "steps": _steps(document),
            "chart": Markup(chart(document)),
        }
        return page.filled("trend.html.j2", values)
    if format == "terminal":
        return _terminal(document, color, min(max(width, 60), 120), unicode)
    raise ValueError(f"unknown format {format!r}; known: {', '.join(FORMATS)}")


def _steps(document: Document) -> list[Document]:
    """The changes by the commit that made them, the latest first."""
    found: dict[tuple[str, bool], list[Document]] = {}
    for change in reversed(document["changes"]):
        found.setdefault((change["commit"], change["exact"]), []).append(change)
    return [
        {"changes": changes} | {key: changes[0][key] for key in ("commit", "date", "author", "exact")}
        for changes in found.values()
    ]


def read(data: bytes) -> Document:
    """A trend that was written as JSON. Raises ValueError, in a few words, for anything else."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError("no JSON") from error
    if not isinstance(found, dict) or found.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"no schema_version {SCHEMA_VERSION!r}")
    try:
        pillars = [{"id": str(pillar["id"]), "title": str(pillar["title"])} for pillar in found["pillars"]]
        points = [
            {
                "date": str(point["date"]),
                "label": str(point["label"]),
                "level": None if point["level"] is None else min(max(int(point["level"]), 0), 4),
                "score": _number(point["score"]),
                "pillars": {str(name): _number(value) for name, value in point["pillars"].items()},
            }
            for point in found["points"]
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not of the shape of a trend ({error})") from error
    if not points:
        raise ValueError("it has no points")
    return {"pillars": pillars, "points": points, "chosen_by": str(found.get("chosen_by", ""))}


def _number(value: object) -> float | None:
    return None if value is None else min(max(float(str(value)), 0.0), 10.0)


def notes(document: Document) -> list[str]:
    """What the reader must know of where the history comes from."""
    told = [
        f"{len(document['points'])} of {document['commits']} commits looked at ({document['chosen_by']}), "
        f"{document['audits']} audited to find where things changed"
    ]
    if document["shallow"]:
        told.append(
            "This is a shallow clone: what happened before its first commit is not known. Fetch the whole history "
            "(`git fetch --unshallow`, or `fetch-depth: 0` in a workflow)"
        )
    left_out = document["left_out"]
    if left_out is not None:
        points, stretches = left_out["points"], left_out["stretches"]
        parts = [
            f"the {points} oldest of the chosen commits were not looked at" if points > 1 else
            "the oldest of the chosen commits was not looked at" if points else "",
            f"in {stretches} stretch{'es' if stretches > 1 else ''} of the history the commit that made a change was "
            "not searched for, so the one by which it had happened is named" if stretches else "",
        ]  # fmt: skip
        told.append(
            f"The time limit of {left_out['seconds']:g} seconds was over: {' and '.join(filter(None, parts))}. Another "
            "run goes on from here (unless nothing is kept: --no-cache); --time-limit gives it more time"
        )
    elif any(not change["exact"] for change in document["changes"]):
        told.append("Some of the commits do not lie on one line: their changes are named by the later of two")
    return told


def _table(document: Document) -> str:
    from mlops_audit.formats.spreadsheet import written

    pillars = [pillar["id"] for pillar in document["pillars"]]
    columns = [
        "date",
        "commit",
        "tags",
        "files",
        "level",
        "score",
        *pillars,
        "pass",
        "partial",
        "missing",
        "na",
    ]

    def row(point: Document) -> list[object]:
        counts = [
            list(point["verdicts"].values()).count(verdict)
            for verdict in ("pass", "partial", "missing", "na")
        ]
        head = [
            point["date"],
            point["commit"],
            " ".join(point["tags"]),
            point["files"],
            point["level"],
            point["score"],
        ]
        return [*head, *(point["pillars"].get(pillar) for pillar in pillars), *counts]

    return written(columns, map(row, document["points"]))


# -------------------------------------------------------------------------------------------------- terminal


def sparkline(values: Sequence[float | None], top: float, cells: int, blocks: str = BLOCKS) -> str:
    """One sign for each value from 0 to `top`, a blank for None; more values than cells are thinned out evenly."""
    if len(values) > cells:
        values = [values[round(n * (len(values) - 1) / (cells - 1))] for n in range(cells)]
    last = len(blocks) - 1
    return "".join(" " if value is None else blocks[round(min(value, top) / top * last)] for value in values)


def _terminal(document: Document, color: bool, width: int, unicode: bool) -> str:
    from rich.console import Console
    from rich.text import Text

    console = Console(
        file=io.StringIO(), force_terminal=color, force_interactive=False, color_system="standard" if color else None,
        width=width, markup=False, emoji=False, highlight=False, legacy_windows=False, _environ={},
    )  # fmt: skip
    blocks = BLOCKS if unicode else ASCII_BLOCKS

    def line(*parts: tuple[str, str]) -> None:
        text = Text()
        for content, style in parts:
            text.append(plain(content), style)
        if text.cell_len > width:
            text.truncate(width - 3)
            text.append("...")
        console.print(text, soft_wrap=True)

    points, changes = document["points"], document["changes"]
    line(("MLOps trend of ", "bold"), (document["project"], "bold cyan"))
    for note in notes(document):
        for row in Text(plain(note) + ".").wrap(console, width):
            console.print(Text(row.plain.rstrip(), "bright_black"), soft_wrap=True)
    console.print()
    rows: list[tuple[str, list[float | None], float]] = [
        ("Maturity level", [point["level"] for point in points], 4),
        ("Score", [point["score"] for point in points], 10),
    ]
    rows += [
        (pillar["title"], [point["pillars"].get(pillar["id"]) for point in points], 10)
        for pillar in document["pillars"]
    ]
    room = width - 36
    for title, values, top in rows:
        known = [value for value in values if value is not None]
        told = f"{known[0]:g} to {known[-1]:g}" if known else "n/a"
        style = (
            "cyan" if len(known) < 2 or known[0] == known[-1] else "green" if known[-1] > known[0] else "red"
        )
        line((f"{title:<18} ", "bold"), (sparkline(values, top, room, blocks), style), (f"  {told}", ""))
    line((f"{'':<18} {points[0]['label']} to {points[-1]['label']}", "bright_black"))
    console.print()
    if len(points) > SHOWN_POINTS:
        line(
            (f"The last {SHOWN_POINTS} of {len(points)} points; the other formats name all", "bold underline")
        )
    for point in points[-SHOWN_POINTS:]:
        level = (
            "nothing to audit"
            if point["level"] is None
            else f"level {point['level']}  score {point['score']:.1f}"
        )
        tags = f"  {', '.join(point['tags'])}" if point["tags"] else ""
        line(
            (f"{point['date']} {point['commit'][:9]}  ", "cyan"),
            (f"{level:<18}", ""),
            (f"  {point['files']} files{tags}", "bright_black"),
        )
    console.print()
    line(("What changed, latest first" if changes else "No aspect changed", "bold underline"))
    for change in list(reversed(changes))[:SHOWN_CHANGES]:
        style = {"+": "green", "-": "red"}.get(SIGNS[change["event"]], "bright_black")
        line(
            (f"{change['date']} {change['commit'][:9]} ", "cyan"), (SIGNS[change["event"]] if unicode else SIGNS[change["event"]].replace("·", "."), style),
            (f" {shortened(change['title'], 34)} {change['event']}", style), (f" ({change['was']} to {change['now']})", ""),
            (f", {'by' if change['exact'] else 'at the latest by'} {shortened(plain(change['author']), 40)}", "bright_black"),
        )  # fmt: skip
    if len(changes) > SHOWN_CHANGES:
        line((f"and {len(changes) - SHOWN_CHANGES} more; the other formats name them", "bright_black"))
    assert isinstance(console.file, io.StringIO)
    text = "\n".join(row.rstrip() for row in console.file.getvalue().split("\n")).strip("\n") + "\n"
    return text if unicode else text.encode("ascii", "backslashreplace").decode("ascii")
