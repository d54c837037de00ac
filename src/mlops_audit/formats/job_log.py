"""The report as workflow commands of GitHub Actions, and the summary of its job, both within GitHub's limits."""

from __future__ import annotations

import re
from typing import Any

from mlops_audit.formats.not_read import place, skipped, unknown_aspects
from mlops_audit.formats.not_read import shown as shown_problems
from mlops_audit.safe import plain, shortened

Document = dict[str, Any]

COMMANDS = {"critical": "error", "major": "warning", "minor": "notice", "note": "notice"}
PER_COMMAND = 10  # annotations of each kind that GitHub shows of a step; it drops the rest without a word
SUMMARY_BYTES = 1_000_000  # a job summary over 1 MiB is dropped whole
CUT = "\n\n*The report is cut here: GitHub shows no longer summary. Write it to a file with `--output markdown=PATH`.*\n"


def workflow_commands(document: Document) -> str:
    """A workflow command for each finding, gravest first, and a plain line that counts those left out.

    What is unknown and what was not read is one warning, before any other.
    """
    findings = [a for pillar in document["pillars"] for a in pillar["aspects"] if a["severity"]]
    findings.sort(key=lambda aspect: (list(COMMANDS).index(aspect["severity"]), -aspect["weight"]))
    shown = dict.fromkeys(COMMANDS.values(), 0)
    lines = _unknown(document)
    shown["warning"] += len(lines)
    for aspect in findings:
        command = COMMANDS[aspect["severity"]]
        shown[command] += 1
        if shown[command] <= PER_COMMAND:
            lines.append(_command(command, aspect))
    left_out = sum(max(0, count - PER_COMMAND) for count in shown.values())
    if left_out:
        lines.append(
            f"{left_out} more findings are not annotated: GitHub shows {PER_COMMAND} of a kind for each step."
        )
    maturity = document["maturity"]
    score = "n/a" if document["score"] is None else f"{document['score']:.1f}"
    broken = len(document["problems"])
    if broken:
        lines.append(
            f"{broken} place{'s' if broken > 1 else ''} could not be read, or {'are' if broken > 1 else 'is'} broken as committed."
        )
    lines.append(f"Maturity level {maturity['level']} ({maturity['title']}), score {score}/10.")
    return "\n".join(lines) + "\n"


def _unknown(document: Document) -> list[str]:
    unknown, (problems, more) = unknown_aspects(document), shown_problems(document)
    unread = [problem for problem in problems if skipped(problem)]
    if not unknown and not unread:
        return []
    parts = []
    if unknown:
        told = ", ".join(aspect["title"] for aspect in unknown)
        parts.append(f"Unknown, because files were not read: {told}.")
    if unread:
        rows = [f"{place(problem)}: {problem['reason']}" for problem in unread[:PER_COMMAND]]
        left = len(unread) - len(rows) + more
        parts.append(f"Not read: {'; '.join(rows)}{f'; and {left} more' if left else ''}.")
    count = len(unknown) or len(unread)
    title = f"{count} {'aspect' if unknown else 'file'}{'s are' if count > 1 else ' is'} "
    title += "unknown" if unknown else "not read"
    return [f"::warning title={_property(title)}::{_data(shortened(plain(' '.join(parts)), 2000))}"]


def _command(command: str, aspect: Document) -> str:
    properties = {"title": f"{aspect['title']} ({aspect['severity']})"}
    spot = aspect["location"]
    if spot and spot["exists"]:
        properties = {"file": spot["path"], "line": str(max(spot["line"], 1)), **properties}
    words = "is only begun" if aspect["verdict"] == "partial" else "is missing"
    lacks = f" Lacks: {', '.join(aspect['lacks'])}." if aspect["lacks"] else ""
    message = f"{aspect['title']} {words}.{lacks} Fix: {aspect['fix']}"
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{command} {written}::{_data(shortened(plain(message), 2000))}"


def _data(text: str) -> str:
    return plain(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(markdown: str, room: int = SUMMARY_BYTES) -> str:
    """The report in Markdown for a job summary of at most `room` bytes, cut before a heading where it is longer.

    "" when there is no room at all.
    """
    if len(markdown.encode()) <= room:
        return markdown
    left = room - len(CUT.encode())
    ends = [match.start() for match in re.finditer(r"^#{1,3} ", markdown, re.MULTILINE)]
    fitting = [end for end in ends if end and len(markdown[:end].encode()) <= left]
    return markdown[: fitting[-1]].rstrip() + CUT if fitting else ""
