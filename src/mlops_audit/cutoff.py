"""A change that states nothing new: what was said before it still holds (the early cutoff of build systems).

Judged is what files state. When the few files that changed since an answer was found out state what they stated then, on
lines that nobody is shown, and whatever else of their text was looked at is the same, then so is the answer.
"""

from __future__ import annotations

import os

from mlops_audit.cache import digest
from mlops_audit.question import BLOB

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself is not needed here
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from typing import Any

    from mlops_audit.cache import Cache
    from mlops_audit.question import Question
    from mlops_audit.report import Report

MOST = 50  # files that changed
ENOUGH = 400  # bytes without blanks from a line on: more than make its fingerprint (formats.line_hash)

# The length of a file's beginning, what tells it from others, and the last line that is shown: 0 where any may be.
Head = tuple[int, bytes, int]
Lines = tuple[int, int]  # the last line of a file that is shown, and the last of which a fingerprint is


def remember(cache: Cache, asked: Question, report: Report, told: str) -> None:
    """Keep what the answer to a question stands on: the files as they are, and what of their text it shows."""
    from mlops_audit.report import document_of
    from mlops_audit.scaffold import MARKERS

    blobs = {os.fsdecode(row[0]): row[3] for row in asked.files}
    if not MARKERS.isdisjoint(blobs):
        return  # a template: its files state what they would if they were set up
    shown: dict[str, None] = dict.fromkeys((told, *report.consulted))
    lines: dict[str, Lines] = {}
    for text, path, line, hashed in _said(document_of(report)):
        shown[text] = None
        if path in blobs and path not in report.consulted:
            last, last_hashed = lines.get(path, (0, 0))
            lines[path] = max(line, last), max(line if hashed else 0, last_hashed)
    texts = asked.texts({path: blobs[path] for path in lines})
    heads = {
        path: _head(texts.get(path), path, last, _tell_a_line(shown, path)) for path, last in lines.items()
    }
    listening = tuple(report.listening) if report.listening is not None else None
    cache.put(
        "ground", asked.terms, (asked.files, asked.key, report.files, "\n".join(shown), heads, listening)
    )


def holding(cache: Cache, asked: Question, root: str) -> bytes | None:
    """The key of the question whose answer is also the one to this question; None where it takes an audit to tell."""
    ground = cache.get("ground", asked.terms)
    if ground is None or len(ground[0]) != len(asked.files):
        return None
    files, key, number, shown, heads, listening = ground
    changed: dict[str, tuple[bytes, bytes]] = {}
    for old, new in zip(files, asked.files, strict=True):
        if old == new:
            continue
        path = os.fsdecode(new[0])
        plain = new[1] & 0o170000 == 0o100000 and not new[2] and len(old[3]) == len(new[3]) == BLOB
        if old[:3] != new[:3] or not plain or path in changed or len(changed) == MOST:
            return None
        changed[path] = old[3], new[3]
    shown_to = {path: heads[path][2] if heads.get(path) else 0 for path in changed if path in shown}
    texts = asked.texts({path: blob for path, (_, blob) in changed.items()})
    if len(texts) < len(changed) or not all(_begins(texts[path], heads.get(path)) for path in shown_to):
        return None
    paths = [os.fsdecode(row[0]) for row in asked.files]
    return key if _state_the_same(cache, root, number, changed, texts, shown_to, listening, paths) else None


def _state_the_same(
    cache: Cache,
    root: str,
    number: int,
    changed: Mapping[str, tuple[bytes, bytes]],
    texts: Mapping[str, bytes],
    shown_to: Mapping[str, int],
    listening: tuple[Any, ...] | None,
    paths: Collection[str],
) -> bool:
    """Whether files of a repository of so many state what they did; those that are cited on the very same lines, up to
    the last that is shown where that is known."""
    import math
    from functools import partial

    from mlops_audit.alike import Alike
    from mlops_audit.asked import sieve_of
    from mlops_audit.budget import Budget
    from mlops_audit.ignores import MARK
    from mlops_audit.memory import Memory, Shelf
    from mlops_audit.reach.listening import OFTEN, Listening
    from mlops_audit.shipped import shipped
    from mlops_audit.tree import File, cap_of, zone_of

    pack = shipped(cache)
    sieve = sieve_of(pack, number)
    heard = Listening(*listening) if listening is not None and len(changed) < OFTEN else None
    alike = Alike(pack, heard, paths, alone=len(changed) == 1)
    shelf = Shelf(cache, root, sieve.digest)
    memory = Memory(shelf, sieve)
    for path, (old, new) in changed.items():
        text, zone = texts[path], zone_of(path)
        if MARK in text or len(text) > cap_of(path):
            return False
        memory.extract([File(path, zone, partial(bytes, text), blob=new.hex())], Budget())
        before, after = (shelf.get((path, "", zone.value, blob.hex())) for blob in (old, new))
        moved = alike(path, before, after) if before is not None and after is not None else None
        if moved is None:
            return False
        last = shown_to.get(path, -1) or math.inf
        if any(old != new and min(old.line, new.line) <= last for old, new in moved.items()):
            return False
    return True


def _said(document: object) -> Iterator[tuple[str, str, int, bool]]:
    """Every text of a report's document, with the path and line that it is said of where it is a path, and whether the
    fingerprint of that line is told too."""
    left = [document]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value, "", 0, False
        elif isinstance(value, dict):
            if isinstance(path := value.get("path"), str):
                yield path, path, value.get("line") or 0, "fingerprint" in value
            left += [*value, *value.values()]
        elif isinstance(value, list | tuple):
            left += value


def _tell_a_line(shown: Iterable[str], path: str) -> bool:
    """Whether any text names a line of a file (facts.Site), beside those that stand where lines are expected."""
    return any(f"{path}:" in text for text in shown)


def _head(data: bytes | None, path: str, last: Lines, any_line: bool) -> Head | None:
    """What tells a file's text up to some lines from others; None where what follows could change that too."""
    if data is None or path.lower().endswith(".ipynb") or not _is_utf8(data):
        return None
    if data.count(b"\r") != data.count(b"\r\n"):
        return None
    shown, hashed = last
    ends = _end(data, shown, 0), _end(data, hashed, ENOUGH) if hashed else 0
    if min(ends) < 0:
        return None
    return max(ends), digest(data[: max(ends)]), 0 if any_line else max(last)


def _end(data: bytes, line: int, enough: int) -> int:
    """Where a line of a text ends, or a later one with so many bytes without blanks from that line on; -1 where none does."""
    start = 0
    for _ in range(1, line):
        start = data.find(b"\n", start) + 1
        if not start:
            return -1
    end = start
    while end == start or len(data[start:end].translate(None, b" \t\r\n")) < enough:
        end = data.find(b"\n", end) + 1
        if not end:
            return -1
    return end


def _begins(text: bytes, head: Head | None) -> bool:
    """Whether a text begins as a file did when its head was taken, and is of the same encoding."""
    return head is not None and digest(text[: head[0]]) == head[1] and _is_utf8(text)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
