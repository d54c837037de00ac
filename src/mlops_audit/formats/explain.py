"""One aspect explained: what it checks, why, what passes, how to fix it; and the list of all rules."""

from __future__ import annotations

import io
import json
from typing import Any

from mlops_audit.catalogue import Catalogue
from mlops_audit.rules import Clause, Pack, Rule

FORMATS = ("terminal", "markdown", "json")


def explanation(rule: Rule, catalogue: Catalogue) -> dict[str, Any]:
    """All that is known of an aspect, as plain data."""
    aspect = next(aspect for aspect in catalogue.aspects if aspect.id == rule.id)
    pillar = next(pillar for pillar in catalogue.pillars if pillar.id == aspect.pillar)
    return {
        "id": aspect.id,
        "title": aspect.title,
        "pillar": pillar.title,
        "weight": aspect.weight,
        "applies_to": list(aspect.applies_to),
        "why": rule.why,
        "meaning": {verdict: " ".join(text.split()) for verdict, text in aspect.meaning.items()},
        "fix": rule.fix,
        "effort": rule.effort,
        "references": list(rule.references),
        "risk": {
            "risk": rule.risk.risk,
            "probability": rule.risk.probability,
            "impact": rule.risk.impact,
            "mitigation": rule.risk.mitigation,
        },
        "signals": [
            {
                "name": signal.name,
                "kind": signal.kind.value,
                "patterns": list(signal.patterns),
                "where": {trait: list(globs) for trait, globs in signal.where.items()},
                "in": sorted(zone.value for zone in signal.zones),
            }
            for signal in rule.signals.values()
        ],
        "passes": [_clause(clause) for clause in rule.passes],
        "partial": [_clause(clause) for clause in rule.partial],
        "examples": [
            {"verdict": example.verdict, "title": example.title, "files": dict(example.files)}
            for example in rule.examples
        ],
    }


def _clause(clause: Clause) -> dict[str, Any]:
    return {
        "all": list(clause.all),
        "any": list(clause.any),
        "none": list(clause.none),
        "at_least": clause.at_least,
        "same": clause.same,
    }


def explain(rule: Rule, catalogue: Catalogue, format: str, *, color: bool = False, width: int = 100) -> str:
    """The explanation of a rule's aspect in one of FORMATS."""
    told = explanation(rule, catalogue)
    if format == "json":
        return json.dumps(told, indent=2) + "\n"
    from mlops_audit.formats.markdown import filled

    text = filled("explain.md.j2", told)
    return text if format == "markdown" else _shown(text, color, width)


def _shown(text: str, color: bool, width: int) -> str:
    """Markdown laid out for a terminal."""
    from rich.console import Console
    from rich.markdown import Markdown

    stream = io.StringIO()
    console = Console(
        file=stream,
        force_terminal=color,
        color_system="standard" if color else None,
        width=min(max(width, 60), 120),
        legacy_windows=False,
        _environ={},
    )
    console.print(Markdown(text, code_theme="ansi_dark", hyperlinks=False))
    return "\n".join(line.rstrip() for line in stream.getvalue().split("\n")).strip("\n") + "\n"


def rule_list(pack: Pack, catalogue: Catalogue, format: str) -> str:
    """All aspects that have a rule, in the order of the catalogue."""
    rules = {rule.id: rule for rule in pack.rules}
    rows = [
        {
            "id": aspect.id,
            "title": aspect.title,
            "weight": aspect.weight,
            "applies_to": list(aspect.applies_to),
            "effort": rules[aspect.id].effort,
            "signals": list(rules[aspect.id].signals),
            "why": rules[aspect.id].why,
            "fix": rules[aspect.id].fix,
        }
        for aspect in catalogue.aspects
        if aspect.id in rules
    ]
    if format == "json":
        return json.dumps(rows, indent=2) + "\n"
    widest = max((len(str(row["id"])) for row in rows), default=0)
    lines = []
    for row in rows:
        kinds = ", ".join(row["applies_to"]) if isinstance(row["applies_to"], list) else ""
        lines.append(
            f"{row['id']:<{widest}}  {row['weight']}  {row['title']}" + (f"  ({kinds})" if kinds else "")
        )
    return "\n".join(lines) + "\n"
