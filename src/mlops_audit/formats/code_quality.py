"""The report as a GitLab Code Quality artifact."""

from __future__ import annotations

import hashlib
from typing import Any

from mlops_audit.safe import plain, shortened

Document = dict[str, Any]

SEVERITIES = {"critical": "critical", "major": "major", "minor": "minor", "note": "info"}


def code_quality(document: Document) -> list[Document]:
    """One entry for each finding; entries of the same fingerprint would be shown as one, so each has its own."""
    return [
        {
            "description": shortened(_description(aspect), 1000),
            "check_name": aspect["id"],
            "fingerprint": _fingerprint(aspect),
            "severity": SEVERITIES[aspect["severity"]],
            "location": {
                "path": plain(aspect["location"]["path"]),
                "lines": {"begin": max(aspect["location"]["line"], 1)},
            },
        }
        for pillar in document["pillars"]
        for aspect in pillar["aspects"]
        if aspect["severity"] and aspect["location"]
    ]


def _description(aspect: Document) -> str:
    words = "is only begun" if aspect["verdict"] == "partial" else "is missing"
    lacks = f" Lacks: {', '.join(aspect['lacks'])}." if aspect["lacks"] else ""
    return plain(f"{aspect['title']} {words}.{lacks} Fix: {aspect['fix']}")


def _fingerprint(aspect: Document) -> str:
    return hashlib.sha256(f"{aspect['id']}\0{aspect['location']['fingerprint']}".encode()).hexdigest()[:32]
