"""Switches that nothing sets: parameters that are off unless they are given, and that no call in the project gives."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from mlops_audit.facts import Fact, Kind, Site, Zone, values

NAME = re.compile(r"[A-Za-z_]\w*")


def unset(facts: Sequence[Fact]) -> frozenset[Site]:
    """The places of source calls that stand under a bare parameter of their function which no call of it passes.

    A function that is decorated, handed over by its name or never called may be given it elsewhere, and so may one that
    is called with an unpacked list or mapping.
    """
    asked = [
        fact for fact in facts if fact.kind is Kind.CALL and fact.zone is Zone.SOURCE and _switches(fact)
    ]
    if not asked:
        return frozenset()
    functions = {name.rpartition(".")[2]: name for fact in asked for name in values(fact.traits["function"])}
    classes = {name.split(".")[-2]: name for name in functions.values() if name.endswith(".__init__")}
    taken: dict[tuple[str, str], Fact] = {}
    calls: dict[str, list[Fact]] = defaultdict(list)
    handed: set[str] = set()
    for fact in facts:
        if fact.kind is Kind.DEFINITION and fact.name.rpartition(".")[2] in functions:
            if "decorators" not in fact.traits and "off" in fact.traits:
                taken[fact.site.path, fact.name] = fact
        elif fact.kind is Kind.CALL and fact.zone is not Zone.TEST:
            last = fact.name.rpartition(".")[2]
            if last in functions or last in classes:
                calls[last].append(fact)
            for trait, value in fact.traits.items():
                if trait[-1:] == "=" or trait.isdigit():
                    handed.update(functions.keys() & set(values(value)))
    found = set()
    for fact in asked:
        name = values(fact.traits["function"])[0]
        definition = taken.get((fact.site.path, name))
        if definition is None:
            continue
        last = name.rpartition(".")[2]
        made = calls[name.split(".")[-2] if last == "__init__" else last]
        own = tuple(p for p in values(definition.traits.get("parameters")) if p not in ("self", "cls"))
        switches = _switches(fact).intersection(values(definition.traits["off"]))
        if made and last not in handed and any(not _is_passed(s, own, made) for s in switches):
            found.add(fact.site)
    return frozenset(found)


def _switches(fact: Fact) -> set[str]:
    if "function" not in fact.traits:
        return set()
    return {guard for guard in values(fact.traits.get("guard")) if NAME.fullmatch(guard)}


def _is_passed(switch: str, parameters: Sequence[str], calls: Sequence[Fact]) -> bool:
    place = str(parameters.index(switch) + 1)
    return any(
        f"{switch}=" in fact.traits
        or place in fact.traits
        or "**=" in fact.traits
        or any(trait.isdigit() and str(value)[:1] == "*" for trait, value in fact.traits.items())
        for fact in calls
    )
