"""Facts of Python files: what they import, call, define, compare, say, set and run."""

from __future__ import annotations

from collections.abc import Iterable

from mlops_audit import code
from mlops_audit.facts import Fact, Site


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of a Python file. Raises ParseFailure for what cannot be read."""
    return code.facts(code.read(path, data), lambda line: Site(path, line))
