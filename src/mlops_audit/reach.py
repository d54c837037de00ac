"""The one inference: which automation runs which code. (In the making: lends nothing yet.)"""

from __future__ import annotations

from collections.abc import Iterable

from mlops_audit.facts import Fact


def reach(facts: Iterable[Fact]) -> list[Fact]:
    """The facts, each with the chain, systems and triggers that run it."""
    return list(facts)
