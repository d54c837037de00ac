"""Facts of Python files: what they import, call, define, compare, say, set and run."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from mlops_audit import code, shell
from mlops_audit.facts import Fact, Kind, Site, TraitValue
from mlops_audit.parse.nodes import ParseFailure, decode

_MAGIC = re.compile(r"^# MAGIC[ \t]+%(run|pip|conda|sh)\b[ \t]*(.*)$", re.MULTILINE)


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of a Python file. Raises ParseFailure for what cannot be read.

    A file that fails as committed gives the facts of its readable lines first, as dead ones: it cannot run. One of
    Python 2 gives its facts as they are.
    """
    try:
        found = code.read(path, data)
    except ParseFailure as failure:
        rest = code.read_broken(path, data, failure)
        if rest is not None:
            for fact in code.facts(rest, lambda line: Site(path, line)):
                yield (
                    fact
                    if code.is_python_2(failure)
                    else replace(fact, traits={**fact.traits, "dead": "yes"})
                )
        raise
    yield from code.facts(found, lambda line: Site(path, line))
    if data[:200].lstrip(b"\xef\xbb\xbf \r\n").startswith(b"# Databricks notebook source"):
        yield from _magics(path, decode(data))


def _magics(path: str, text: str) -> Iterator[Fact]:
    """The commands of a Databricks notebook kept as Python: `# MAGIC %run ./features` and the like."""
    for magic in _MAGIC.finditer(text):
        line = text.count("\n", 0, magic.start()) + 1
        word, rest = magic.group(1), magic.group(2).strip()
        if word == "run":
            target = rest.split(" $")[0].strip().strip("\"'")
            if not target:
                continue
            traits: dict[str, TraitValue] = {
                "unit": path,
                "system": "databricks",
                "directory": posixpath.dirname(path),
            }
            if not target.startswith("/"):
                below = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
                traits["runs"] = (
                    (below,) if below.endswith((".py", ".ipynb")) else (f"{below}.py", f"{below}.ipynb")
                )
            yield Fact(Kind.COMMAND, f"%run {target}", Site(path, line), traits)
            continue
        for command in shell.commands(rest if word == "sh" else f"{word} {rest}", line):
            yield code.command_fact(command, "databricks", Site(path, line), {})
