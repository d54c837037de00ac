"""Console scripts that a package installs: a name and the function behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mlops_audit import automation, parse
from mlops_audit.facts import Fact
from mlops_audit.parse.nodes import decode

POINT = re.compile(r"([\w.-]+)\s*=\s*([\w.]+(?::[\w.]+)?)\s*(?:\[[^\]]*\])?")


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """A job for every console script that pyproject.toml, setup.cfg or setup.py declares."""
    name = path.rpartition("/")[2]
    if name == "pyproject.toml":
        return _pyproject(path, data)
    if name == "setup.cfg":
        return _listed(path, decode(data), r"console_scripts\s*=", r"\n(?=\S)|\n\s*\n")
    if name == "setup.py":
        return _listed(path, decode(data), r"[\"']?console_scripts[\"']?\s*[:=]\s*\[", r"\]")
    return ()


def _script(path: str, name: str, target: str, line: int) -> Fact:
    return automation.job(
        name, path, line, {"unit": f"{path}#{name}", "system": "console-script", "runs": (target,)}
    )


def _pyproject(path: str, data: bytes) -> Iterator[Fact]:
    if b"scripts" not in data:
        return
    document = parse.toml(data)
    for keys in (
        ("project", "scripts"),
        ("project", "gui-scripts"),
        ("tool", "poetry", "scripts"),
        ("tool", "flit", "scripts"),
    ):
        table = document.get(*keys)
        for name, body in table.items if table is not None else ():
            target = body.text or body.at("reference") or body.at("callable")
            if table is not None and POINT.fullmatch(f"x={target}"):
                yield _script(path, name, target.partition("[")[0].strip(), table.line_of(name))


def _listed(path: str, text: str, begin: str, end: str) -> Iterator[Fact]:
    """The points of a list in setup.cfg or setup.py, comments left out."""
    for opened in re.finditer(begin, text):
        closed = re.compile(end).search(text, opened.end())
        body = text[opened.end() : closed.start() if closed else len(text)][:20_000]
        first = text.count("\n", 0, opened.end()) + 1
        for number, line in enumerate(body.split("\n"), first):
            for point in POINT.finditer(line.partition("#")[0]):
                if ":" in point[2]:
                    yield _script(path, point[1], point[2], number)
