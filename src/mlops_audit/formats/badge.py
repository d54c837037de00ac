"""The maturity level as a badge: an SVG, or the JSON from which shields.io draws one."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

LABEL = "MLOps"
COLORS = (
    "#b0413e",
    "#b8672b",
    "#8a7a1f",
    "#4d7d2e",
    "#1f7a4d",
)  # by level; white text on each is readable (WCAG AA)
WIDE, NARROW = frozenset("MWmw@%"), frozenset("iljtf.,:;|!'() 1")


def badge(document: Document) -> str:
    """An SVG of 20 pixels height; the message is made of numbers and of the standard's own words only."""
    message = _message(document)
    left, right = _width(LABEL) + 12, _width(message) + 12
    total = left + right
    color = COLORS[document["maturity"]["level"]]
    title = f"{LABEL}: {message}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" aria-label="{title}">\n'
        f"<title>{title}</title>\n"
        f'<clipPath id="round"><rect width="{total}" height="20" rx="3"/></clipPath>\n'
        f'<g clip-path="url(#round)"><rect width="{left}" height="20" fill="#3b4252"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{color}"/></g>\n'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">\n'
        f'<text x="{left / 2:g}" y="14" textLength="{left - 12}">{LABEL}</text>\n'
        f'<text x="{left + right / 2:g}" y="14" textLength="{right - 12}">{message}</text>\n'
        "</g>\n</svg>\n"
    )


def badge_json(document: Document) -> Document:
    """What https://shields.io/badges/endpoint-badge takes."""
    return {
        "schemaVersion": 1,
        "label": LABEL,
        "message": _message(document),
        "color": COLORS[document["maturity"]["level"]].removeprefix("#"),
    }


def _message(document: Document) -> str:
    level, top = document["maturity"]["level"], document["maturity"]["levels"][-1]["level"]
    score = "" if document["score"] is None else f" · {document['score']:.1f}/10"
    unknown = document["counts"]["verdicts"].get("unknown", 0)
    return f"level {level} of {top}{score}{f' · {unknown} unknown' if unknown else ''}"


def _width(text: str) -> int:
    """About the width of a text in pixels, in Verdana of 11 pixels."""
    return round(sum(10.5 if sign in WIDE else 4.5 if sign in NARROW else 7.0 for sign in text))
