"""The level and the scores of a repository over time as an SVG chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from mlops_audit.safe import plain

Document = dict[str, Any]

WIDTH, HEIGHT = 760, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 716, 28, 214
INK, SCORE, LEVEL, GRID = "#6b7686", "#0e8296", "#b7791f", "#8a94a3"


def chart(trend: Document) -> str:
    """A chart of the score (a line, out of 10) and the level (steps, 0 to 4), and a small one for each pillar.

    Colours show on light and dark; points stand in the order of time at equal distances.
    """
    points = trend["points"]
    rows = (len(trend["pillars"]) + 2) // 3
    height = HEIGHT + 84 * rows
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label={quoteattr(_told(trend))} font-family="system-ui,Segoe UI,Helvetica,Arial,sans-serif" font-size="11">',
        _axes(points),
        _steps(points),
        _line([p["score"] for p in points], LEFT, RIGHT, TOP, BOTTOM, 2.5),
        f'<text x="{LEFT}" y="16" class="score" fill="{SCORE}" font-weight="700">Score out of 10</text>',
        f'<text x="{RIGHT}" y="16" text-anchor="end" fill="{LEVEL}" font-weight="700">Maturity level</text>',
    ]
    for number, pillar in enumerate(trend["pillars"]):
        scores = [p["pillars"].get(pillar["id"]) for p in points]
        parts.append(_small(pillar["title"], scores, number))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _told(trend: Document) -> str:
    first, last = trend["points"][0], trend["points"][-1]
    return plain(
        f"From {first['date']} to {last['date']}: level {_word(first['level'])} to {_word(last['level'])}, "
        f"score {_word(first['score'])} to {_word(last['score'])}"
    )


def _word(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _axes(points: Sequence[Document]) -> str:
    parts = []
    for level in range(5):
        y = BOTTOM - (BOTTOM - TOP) * level / 4
        parts.append(
            f'<line x1="{LEFT}" y1="{y:g}" x2="{RIGHT}" y2="{y:g}" stroke="{GRID}" stroke-opacity=".3"/>'
        )
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 4:g}" text-anchor="end" class="label" fill="{INK}">{level * 2.5:g}</text>'
        )
        parts.append(f'<text x="{RIGHT + 8}" y="{y + 4:g}" class="label" fill="{INK}">{level}</text>')
    shown = range(0, len(points), max(1, -(-len(points) // 8)))
    for number in shown:
        x = _across(number, len(points), LEFT, RIGHT)
        anchor = "start" if number == 0 and len(points) > 1 else "middle"
        parts.append(
            f'<text x="{x:g}" y="{BOTTOM + 18}" text-anchor="{anchor}" class="label" fill="{INK}">{escape(plain(points[number]["label"])[:12])}</text>'
        )
    return "\n".join(parts)


def _across(number: int, count: int, left: float, right: float) -> float:
    return round(left + (right - left) * (number / (count - 1) if count > 1 else 0.5), 1)


def _steps(points: Sequence[Document]) -> str:
    """The level as steps; nothing where there was nothing to audit."""
    path, drawing = [], False
    for number, point in enumerate(points):
        level = point["level"]
        if level is None:
            drawing = False
            continue
        x, y = _across(number, len(points), LEFT, RIGHT), BOTTOM - (BOTTOM - TOP) * level / 4
        path.append(f"H{x:g} V{y:g}" if drawing else f"M{x:g} {y:g}")
        drawing = True
    return (
        f'<path d="{" ".join(path)}" fill="none" stroke="{LEVEL}" stroke-width="2" stroke-dasharray="6 3"/>'
    )


def _line(
    scores: Sequence[float | None], left: float, right: float, top: float, bottom: float, width: float
) -> str:
    path, dots, drawing = [], [], False
    for number, score in enumerate(scores):
        if score is None:
            drawing = False
            continue
        x, y = _across(number, len(scores), left, right), round(bottom - (bottom - top) * score / 10, 1)
        path.append(f"{'L' if drawing else 'M'}{x:g} {y:g}")
        dots.append(f'<circle cx="{x:g}" cy="{y:g}" r="{width}" fill="{SCORE}"/>')
        drawing = True
    shown = "".join(dots if len(dots) <= 40 else dots[-1:])
    return f'<path d="{" ".join(path)}" fill="none" stroke="{SCORE}" stroke-width="{width}" stroke-linejoin="round"/>{shown}'


def _small(title: str, scores: Sequence[float | None], number: int) -> str:
    left, top = LEFT + (number % 3) * 232, HEIGHT + (number // 3) * 84
    last = next((score for score in reversed(scores) if score is not None), None)
    shown = "n/a" if last is None else f"{last:.1f}"
    return (
        f'<text x="{left}" y="{top + 12}" class="label" fill="{INK}">{escape(plain(title))}</text>'
        f'<text x="{left + 208}" y="{top + 12}" text-anchor="end" class="label" fill="{INK}" font-weight="700">{shown}</text>'
        f'<line x1="{left}" y1="{top + 64}" x2="{left + 208}" y2="{top + 64}" stroke="{GRID}" stroke-opacity=".4"/>'
        + _line(scores, left, left + 208, top + 22, top + 64, 1.5)
    )
