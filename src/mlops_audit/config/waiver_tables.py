"""The tables `[[waivers]]` of a configuration."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Protocol

from mlops_audit import catalogue
from mlops_audit.config.words import near, with_contents
from mlops_audit.facts import Site
from mlops_audit.parse.nodes import Node
from mlops_audit.waivers import Waiver

KEYS = ("aspect", "path", "reason", "owner", "expires", "approved-by")


class Faults(Protocol):
    """Who reads the file: its name, and the faults that were found in it so far."""

    file: str
    faults: list[str]

    def fault(self, line: int, what: str) -> None: ...


def waivers_in(reader: Faults, node: Node | None) -> Iterable[Waiver]:
    """The waivers of `[[waivers]]`."""
    if node is None:
        return
    if not isinstance(node.value, list) or any(not isinstance(item.value, dict) for item in node.list):
        reader.fault(node.line, "'waivers' are tables: write [[waivers]] above each")
        return
    for item in node.list:
        before = len(reader.faults)
        waiver = _waiver(reader, item)
        if len(reader.faults) == before:
            yield waiver


def _waiver(reader: Faults, node: Node) -> Waiver:
    """A waiver: it has an aspect, a reason, an owner and a day on which it ends."""
    known = [aspect.id for aspect in catalogue.load().aspects]
    for key, value in node.items:
        if key not in KEYS:
            reader.fault(node.line_of(key), f"unknown key {key!r} of a waiver{near(key, KEYS)}")
        elif key not in ("expires", "path") and not (value.quoted and value.text.strip()):
            reader.fault(node.line_of(key), f"{key!r} of a waiver is a text that is not empty")
    absent = [key for key in ("aspect", "reason", "owner", "expires") if node.get(key) is None]
    if absent:
        reader.fault(node.line, f"a waiver without {', '.join(map(repr, absent))}")
    aspect, paths = node.at("aspect"), node.get("path")
    if aspect and aspect not in known:
        reader.fault(node.line_of("aspect"), f"unknown aspect {aspect!r}{near(aspect, known)}")
    globs = [] if paths is None else paths.value if isinstance(paths.value, list) else [paths]
    if paths is not None and not (globs and all(item.quoted and item.text.strip("/. ") for item in globs)):
        reader.fault(paths.line, "'path' of a waiver is a path, or a list of paths")
    expires = date.min
    try:
        expires = date.fromisoformat(node.at("expires") or date.min.isoformat())
    except ValueError:
        reader.fault(
            node.line_of("expires"), f"'expires' is a day such as 2027-03-31, not {node.at('expires')!r}"
        )
    reason, owner = (" ".join(node.at(key).split()) for key in ("reason", "owner"))
    covered = tuple(with_contents(item.text for item in globs))
    return Waiver(
        aspect, reason, owner, expires, covered, node.at("approved-by"), Site(reader.file, node.line)
    )
