"""The pages of the documentation that are made from the rules: one for each aspect, and their index."""

from __future__ import annotations

from mlops_audit.catalogue import Aspect, Catalogue
from mlops_audit.formats.explain import explain
from mlops_audit.formats.markdown import KIND_WORDS
from mlops_audit.rules import Pack

WEIGHTS = {3: "essential", 2: "important", 1: "advanced"}
INDEX = "index.md"
MADE = "<!-- Made by `mlops-audit rules --write-docs docs/rules` from the rule files; do not edit. -->\n\n"


def pages(pack: Pack, catalogue: Catalogue) -> dict[str, str]:
    """Every page by its path: `index.md` and `<pillar>/<aspect>.md`."""
    known = {rule.id: rule for rule in pack.rules}
    aspects = [aspect for aspect in catalogue.aspects if aspect.id in known]
    made = {f"{aspect.id}.md": MADE + explain(known[aspect.id], catalogue, "markdown") for aspect in aspects}
    return {INDEX: MADE + _index(aspects, catalogue), **made}


def _index(aspects: list[Aspect], catalogue: Catalogue) -> str:
    lines = ["# Rules", "", f"The {len(aspects)} aspects that an audit asks about, pillar by pillar.", ""]
    for pillar in catalogue.pillars:
        lines += [
            f"## {pillar.title}",
            "",
            "| Aspect | Id | Weight | Asked of a project that |",
            "| --- | --- | --- | --- |",
        ]
        for aspect in aspects:
            if aspect.pillar == pillar.id:
                kinds = " and ".join(KIND_WORDS.get(kind, kind) for kind in aspect.applies_to) or "(always)"
                weight = f"{aspect.weight}, {WEIGHTS[aspect.weight]}"
                lines.append(f"| [{aspect.title}]({aspect.id}.md) | `{aspect.id}` | {weight} | {kinds} |")
        lines.append("")
    return "\n".join(lines)
