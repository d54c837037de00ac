"""The report as a GitLab Code Quality artifact."""

from __future__ import annotations

import hashlib
from typing import Any

from mlops_audit.formats.not_read import because, shown, told, unknown_aspects
from mlops_audit.safe import plain, shortened

Document = dict[str, Any]

SEVERITIES = {"critical": "critical", "major": "major", "minor": "minor", "note": "info"}


def code_quality(document: Document) -> list[Document]:
    """One entry for each finding, for each aspect that nobody can know, and for each file that was not read.

    Entries of the same fingerprint would be shown as one, so each has its own.
    """
    findings = [
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
    unknown = [
        _note(
            aspect["id"],
            f"{aspect['title']} is unknown: {because(aspect)}.",
            next(iter(aspect["unread"]), "."),
            1,
        )
        for aspect in unknown_aspects(document)
    ]
    problems = [
        _note("mlops-audit/not-read", f"{told(problem)}.", problem["path"], problem["line"])
        for problem in shown(document)[0]
    ]
    return list({entry["fingerprint"]: entry for entry in (*findings, *unknown, *problems)}.values())


def _note(check: str, text: str, path: str, line: int) -> Document:
    """An entry that is no finding; its fingerprint knows no line."""
    known = hashlib.sha256(f"note\0{check}\0{path}\0{text}".encode("utf-8", "surrogateescape")).hexdigest()[
        :32
    ]
    return {
        "description": shortened(plain(text), 1000),
        "check_name": check,
        "fingerprint": known,
        "severity": "info",
        "location": {"path": plain(path), "lines": {"begin": max(line, 1)}},
    }


def _description(aspect: Document) -> str:
    words = "is only begun" if aspect["verdict"] == "partial" else "is missing"
    lacks = f" Lacks: {', '.join(aspect['lacks'])}." if aspect["lacks"] else ""
    return plain(f"{aspect['title']} {words}.{lacks} Fix: {aspect['fix']}")


def _fingerprint(aspect: Document) -> str:
    return hashlib.sha256(f"{aspect['id']}\0{aspect['location']['fingerprint']}".encode()).hexdigest()[:32]
