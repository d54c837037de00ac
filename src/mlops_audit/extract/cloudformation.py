"""In the making."""

from __future__ import annotations

from collections.abc import Iterable

from mlops_audit.facts import Fact


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """Nothing yet."""
    return ()
