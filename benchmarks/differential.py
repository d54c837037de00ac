"""Compare fast audits with full ones: `python benchmarks/differential.py FOLDER...`.

A full audit keeps every fact of every file and reads with one process. A fast one leaves out where a file is read what no rule
and no inference asks for, and reads with several processes; a kept one reads no file, but what the cache holds of a fast one.
All three must report the same of every repository. Exits with 1 when any does not, and names where.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from mlops_audit import asked
from mlops_audit.audit import NothingToAudit, audit
from mlops_audit.cache import NOTHING_KEPT, Cache
from mlops_audit.examination import ALONE, Reading
from mlops_audit.report import document_of

LIMIT = 600.0  # seconds for one audit
MOST = 5  # differences that are named


def main(places: list[str]) -> int:
    """Print a row of Markdown for every repository; gives the exit code."""
    say("| repository | files | fast | kept |\n| --- | --- | --- | --- |")
    compared = files = different = 0
    for place in places:
        full, fast, kept = reports(Path(place))
        told = [", ".join(islice(differing(full, other), MOST)) or "the same" for other in (fast, kept)]
        say(f"| {Path(place).name} | {full['files']:,} | {' | '.join(told)} |")
        compared, files = compared + 1, files + full["files"]
        different += told != ["the same", "the same"]
    say(f"\n{different} of {compared} repositories with {files:,} files differ.")
    return 1 if different else 0


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def reports(place: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """What a full, a fast and a kept audit of a folder report."""
    with tempfile.TemporaryDirectory() as folder:
        full = report(place, sys.maxsize, ALONE)
        fast = report(place, 0, Reading(jobs=2), Cache(folder))
        return full, fast, report(place, 0, ALONE, Cache(folder))


def report(place: Path, enough: int, reading: Reading, cache: Cache = NOTHING_KEPT) -> dict[str, Any]:
    """The report of an audit that leaves facts out of repositories of so many files or more."""
    asked.ENOUGH = enough
    try:
        found = audit(place, time_limit=LIMIT, reading=reading, cache=cache)
    except NothingToAudit as nothing:
        return {"files": 0, "nothing": str(nothing)}
    document: dict[str, Any] = json.loads(json.dumps(document_of(found)))
    return {**document, "files": found.files}


def differing(one: object, other: object, at: str = "") -> Iterator[str]:
    """The places at which two documents differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from differing(one.get(key), other.get(key), f"{at}.{key}" if at else key)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other, strict=True)):
            name = pair[0].get("id", number) if isinstance(pair[0], dict) else number
            yield from differing(*pair, f"{at}.{name}")
    elif one != other:
        yield at


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
