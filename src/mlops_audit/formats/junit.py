"""The report as JUnit XML: a suite for each pillar, a case for each aspect."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from mlops_audit.formats.markdown import site
from mlops_audit.formats.not_read import because, place, shown, told
from mlops_audit.safe import plain

Document = dict[str, Any]


def junit(document: Document) -> str:
    """XML 1.0 that test reporters read: a finding is a failure; what does not apply, is held back or is unknown is
    skipped, and so is each file that was not read.

    XML 1.0 cannot hold control characters, not even escaped, so they are spelled out like everywhere else.
    """
    suites = [pillar for pillar in document["pillars"] if pillar["aspects"]]
    body = "".join(_suite(pillar, document) for pillar in suites)
    everything = [aspect for pillar in suites for aspect in pillar["aspects"]]
    unread = _unread(document)
    counts = _counts(everything, len(unread))
    if unread:
        head = f'  <testsuite name="Not read, or broken as committed"{_counts([], len(unread))}>\n'
        body += f"{head}{''.join(unread)}  </testsuite>\n"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="mlops-audit"{counts}>\n{body}</testsuites>\n'


def _unread(document: Document) -> list[str]:
    """A case that is skipped for each file or place that was not read or is broken."""
    problems, more = shown(document)
    rows = [(place(problem), told(problem)) for problem in problems]
    rows += [(f"and {more} more", "named in the other reports")] if more else []
    return [
        f'    <testcase name={_attribute(name)} classname="mlops-audit.files">\n'
        f"      <skipped message={_attribute(reason)}/>\n    </testcase>\n"
        for name, reason in rows
    ]


def _suite(pillar: Document, document: Document) -> str:
    properties = f'    <property name="score" value={_attribute(_points(pillar["score"]))}/>\n'
    cases = "".join(_case(aspect, document) for aspect in pillar["aspects"])
    return (
        f"  <testsuite name={_attribute(pillar['title'])}{_counts(pillar['aspects'])}>\n"
        f"    <properties>\n  {properties}    </properties>\n{cases}  </testsuite>\n"
    )


def _counts(aspects: list[Document], unread: int = 0) -> str:
    failures = sum(bool(aspect["severity"]) for aspect in aspects)
    skipped = unread + sum(bool(_reason_to_skip(aspect)) for aspect in aspects)
    return f' tests="{len(aspects) + unread}" failures="{failures}" errors="0" skipped="{skipped}"'


def _case(aspect: Document, document: Document) -> str:
    pillar = aspect["id"].partition("/")[0]
    head = f"    <testcase name={_attribute(aspect['title'])} classname={_attribute(f'mlops-audit.{pillar}')}"
    spot = aspect["location"]
    if aspect["severity"] and spot and spot["exists"]:
        head += f" file={_attribute(spot['path'])} line={_attribute(str(spot['line']))}"
    if aspect["severity"]:
        words = "is only begun" if aspect["verdict"] == "partial" else "is missing"
        message = _attribute(f"{aspect['title']} {words}")
        return (
            f"{head}>\n      <failure type={_attribute(aspect['severity'])} message={message}>"
            f"{escape(_details(aspect))}</failure>\n    </testcase>\n"
        )
    reason = _reason_to_skip(aspect)
    if reason:
        off = {row["aspect"]: row["reason"] for row in document["disabled"]}
        reason = f"disabled: {off[aspect['id']]}" if aspect["id"] in off else reason
        return f"{head}>\n      <skipped message={_attribute(reason)}/>\n    </testcase>\n"
    return f"{head}/>\n"


def _reason_to_skip(aspect: Document) -> str:
    """Why a case neither passes nor fails; "" for one that does."""
    if aspect["verdict"] == "na":
        return "does not apply"
    if aspect["verdict"] == "waived":
        return f"waived: {aspect['waiver']['reason']}"
    if aspect["verdict"] == "unknown":
        return f"unknown, because {because(aspect)}"
    if aspect["verdict"] != "pass" and not aspect["severity"]:
        return "known: held back by the baseline"
    return ""


def _details(aspect: Document) -> str:
    lines = [f"id: {aspect['id']}"]
    lines += [
        f"found: {piece['signal']}, {site(piece)} ({piece['strength']})" for piece in aspect["evidence"]
    ]
    lines += [f"lacks: {lack}" for lack in aspect["lacks"]]
    lines.append(f"fix: {aspect['fix']}")
    return "\n".join(map(plain, lines))


def _points(score: float | None) -> str:
    return "n/a" if score is None else f"{score:.1f}"


def _attribute(text: str) -> str:
    return quoteattr(plain(text))
