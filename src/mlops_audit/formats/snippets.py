"""The line of source that a piece of evidence stands on, for people who read reports elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from mlops_audit.facts import Site
from mlops_audit.parse.nodes import ParseFailure, decode
from mlops_audit.redact import redacted
from mlops_audit.safe import shortened
from mlops_audit.tree import File, Tree

LONGEST = 160  # characters


def snippets(sites: Iterable[Site], tree: Tree) -> dict[Site, str]:
    """The line at each site, without white space around it, secrets blacked out, at most 160 characters.

    Sites without a line, and those in files that cannot be read again, have none. Each file is read once.
    """
    by_path: dict[str, set[Site]] = {}
    for site in sites:
        if site.line:
            by_path.setdefault(site.path, set()).add(site)
    files = {file.path: file for file in tree.files if file.path in by_path}
    found = {}
    for path in sorted(by_path):
        texts = _texts(files[path]) if path in files else {}
        for site in sorted(by_path[path], key=lambda site: (site.cell, site.line)):
            lines = texts.get(site.cell, [])
            if site.line <= len(lines) and (line := lines[site.line - 1].strip()):
                found[site] = shortened(redacted(" ".join(line[: 4 * LONGEST].split())), LONGEST)
    return found


def _texts(file: File) -> Mapping[int, list[str]]:
    """The lines of a file under 0, and those of a notebook's cells under their numbers."""
    try:
        data = file.read()
    except ParseFailure:
        return {}
    if file.path.lower().endswith(".ipynb"):
        return _cells(data)
    return {0: decode(data).split("\n")}


def _cells(data: bytes) -> dict[int, list[str]]:
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError, MemoryError):
        return {}
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    texts = {}
    for number, cell in enumerate(cells if isinstance(cells, list) else [], 1):
        source = cell.get("source") if isinstance(cell, dict) else None
        parts = source if isinstance(source, list) else [source]
        texts[number] = "".join(part for part in parts if isinstance(part, str)).split("\n")
    return texts
