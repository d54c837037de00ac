"""The arguments of a call that makes a construct."""

from __future__ import annotations

from mlops_audit.code.values import Called
from mlops_audit.facts import TraitValue


def held_by(call: Called) -> dict[str, TraitValue]:
    """The arguments given by name."""
    return {name.removesuffix("="): value for name, value in call.arguments.items() if name.endswith("=")}


def text(value: TraitValue | None) -> str:
    """The text of an argument, "" where it is not given."""
    return value if isinstance(value, str) else " ".join(value or ())
