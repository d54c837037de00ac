"""What the document of a report holds back: findings that are waived or known keep their verdict and say no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from mlops_audit.changes.identity import Mark


def quiet(document: dict[str, Any], aspects: Collection[str]) -> None:
    """Take the findings of some aspects out of all lists of things to do: severities, places, risks, roadmap."""
    found = [aspect for pillar in document["pillars"] for aspect in pillar["aspects"]]
    for aspect in found:
        if aspect["id"] in aspects:
            aspect["severity"] = aspect["location"] = None
    counts = document["counts"]
    counts["severities"] = {s: sum(a["severity"] == s for a in found) for s in counts["severities"]}
    verdicts = Counter(aspect["verdict"] for aspect in found)
    counts["verdicts"] = {v: verdicts[v] for v in counts["verdicts"]}
    for section in ("risks", "roadmap"):
        document[section] = [row for row in document[section] if row["aspect"] not in aspects]


def place_of(mark: Mark) -> dict[str, Any]:
    """A mark as plain data."""
    site = mark.site
    return {
        "aspect": mark.aspect,
        "signal": mark.signal,
        "path": site.path,
        "line": site.line,
        "cell": site.cell,
        "name": mark.name,
    }
