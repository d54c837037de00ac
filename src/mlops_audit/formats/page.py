"""The report as one HTML page: no script, nothing loaded from elsewhere, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mlops_audit import safe
from mlops_audit.catalogue import data_folder
from mlops_audit.formats.markdown import KIND_WORDS, site
from mlops_audit.formats.pipeline import drawn

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

Document = dict[str, Any]

VERDICTS = ("missing", "partial", "unknown", "pass", "waived", "na")
VERDICT_WORDS = {
    "pass": "In place",
    "partial": "Begun",
    "missing": "Missing",
    "na": "Not asked",
    "unknown": "Unknown",
    "waived": "Waived",
}
TERMS = {
    "quick": "Quick wins, 1-2 weeks",
    "medium": "Medium term, 1-3 months",
    "long": "Long term, 3-6 months",
}
GRADES = ("low", "medium", "high")
STRENGTHS = ("declared", "used", "automated", "triggered")


def page(document: Document, trend: Document | None = None) -> str:
    """The page, with the history of the repository where its trend is given.

    Its Content-Security-Policy allows this one style sheet, by its hash, and nothing else: no script at all, no image,
    font, frame, form or base. Filters are radio buttons and selectors.
    """
    chart = _chart(trend) if trend else None
    used = {a["verdict"] for pillar in document["pillars"] for a in pillar["aspects"]}
    return filled(
        "report.html.j2",
        {
            **document,
            "aspects": {a["id"]: a for pillar in document["pillars"] for a in pillar["aspects"]},
            "pillar_titles": {pillar["id"]: pillar["title"] for pillar in document["pillars"]},
            "stages": drawn(document),
            "radar": _radar(document["pillars"]),
            "risk_grid": _risk_grid(document["risks"]),
            "shown_verdicts": [verdict for verdict in VERDICTS if verdict in used],
            "trend": trend,
            "chart": chart,
        },
        _filter_rules(document["pillars"]),
    )


def filled(name: str, values: Mapping[str, object], further_style: str = "") -> str:
    """A template of reports/ filled with values, under the policy of its style sheet."""
    from markupsafe import Markup

    sheet = (data_folder("reports") / "report.css").read_text("utf-8")
    style = re.sub(r"/\*.*?\*/\s*", "", sheet, flags=re.DOTALL) + further_style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    template = _environment().get_template(name)
    text = template.render(**values, style=Markup(style), policy=Markup(policy))
    return re.sub(r"\n\s*\n+", "\n", text).strip() + "\n"


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    """Every value is shown as plain text, escaped; only what a filter below has made of one is markup."""
    import jinja2
    from markupsafe import Markup, escape

    def finalize(value: object) -> object:
        return value if isinstance(value, Markup | jinja2.Undefined) else safe.plain(str(value))

    def prose(text: object) -> Markup:
        """A sentence of a rule: its `code` stays code."""
        parts = re.split(r"(?<!`)`([^`]+)`(?!`)", safe.plain(" ".join(str(text).split())))
        made = [
            Markup("<code>{}</code>").format(part) if n % 2 else escape(part) for n, part in enumerate(parts)
        ]
        return Markup("").join(made)

    def highlighted(piece: Document) -> Markup:
        """The line of a piece of evidence, with the last word of what was found there marked."""
        line, word = (
            safe.plain(piece["snippet"]),
            re.split(r"[\s./:@=]", safe.plain(piece["name"]).rstrip())[-1],
        )
        before, found, after = line.partition(word) if word else (line, "", "")
        return Markup("{}<mark>{}</mark>{}").format(before, found, after) if found else escape(line)

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(data_folder("reports")),
        autoescape=True,
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "prose": prose,
        "highlighted": highlighted,
        "site": site,
        "points": lambda value: "n/a" if value is None else f"{value:.1f}",
        "web_link": lambda text: safe.web_link(str(text)),
        "shortened": lambda text, length: safe.shortened(safe.plain(str(text)), length),
        "strength": lambda name: STRENGTHS.index(name) + 1,
    }
    environment.globals |= {
        "kind_words": KIND_WORDS,
        "verdict_words": VERDICT_WORDS,
        "terms": TERMS,
        "grades": GRADES,
    }
    return environment


def _filter_rules(pillars: Sequence[Document]) -> str:
    """Selectors that hide what is not asked for, and that show a line where a choice leaves nothing."""
    rules = []
    for verdict in VERDICTS:
        rules.append(f"#aspects:has(#verdict-{verdict}:checked) .aspect:not(.is-{verdict}){{display:none}}")
    for pillar in pillars:
        chosen = f"#aspects:has(#pillar-{pillar['id']}:checked)"
        rules.append(f"{chosen} .group:not(.of-{pillar['id']}){{display:none}}")
        for verdict in VERDICTS:
            count = sum(aspect["verdict"] == verdict for aspect in pillar["aspects"])
            if not count:
                both = f"#aspects:has(#pillar-{pillar['id']}:checked):has(#verdict-{verdict}:checked)"
                rules.append(f"{both} .nothing{{display:block}}")
                rules.append(f"#aspects:has(#verdict-{verdict}:checked) .of-{pillar['id']}{{display:none}}")
        if not pillar["aspects"]:
            rules.append(f"{chosen} .nothing{{display:block}}")
    return "\n".join(rules) + "\n"


def _radar(pillars: Sequence[Document]) -> Document:
    """The corners of a radar of the pillars' scores, in a square of 240; pillars that are not asked are at 0."""

    def corner(number: int, points: float) -> tuple[float, float]:
        angle = 2 * math.pi * number / len(pillars) - math.pi / 2
        return round(120 + 9 * points * math.cos(angle), 1), round(120 + 9 * points * math.sin(angle), 1)

    def outline(points: Sequence[float]) -> str:
        return " ".join(f"{x:g},{y:g}" for x, y in (corner(n, p) for n, p in enumerate(points)))

    return {
        "rings": [outline([grade] * len(pillars)) for grade in (2.5, 5, 7.5, 10)],
        "shape": outline([pillar["score"] or 0 for pillar in pillars]),
        "spokes": [corner(n, 10) for n in range(len(pillars))],
        "dots": [corner(n, pillar["score"] or 0) for n, pillar in enumerate(pillars)],
        "names": [
            (*corner(n, 11.4), pillar["title"].split()[-1 if pillar["id"] in ("deploy", "model") else 0])
            for n, pillar in enumerate(pillars)
        ],
    }


def _risk_grid(risks: Sequence[Document]) -> list[Document]:
    """The risks by probability (rows, high first) and impact (columns, low first)."""
    return [
        {
            "probability": probability,
            "cells": [
                {
                    "impact": impact,
                    "grade": GRADES.index(probability) + GRADES.index(impact),
                    "risks": [r for r in risks if (r["probability"], r["impact"]) == (probability, impact)],
                }
                for impact in GRADES
            ],
        }
        for probability in reversed(GRADES)
    ]


def _chart(trend: Document) -> Markup:
    from markupsafe import Markup

    from mlops_audit.changes.chart import chart

    return Markup(chart(trend))
