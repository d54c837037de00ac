"""Switches that nothing sets: parameters that are off unless they are given, and that no call in the project gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from mlops_audit.facts import Fact, Kind, Site, Zone, values
from mlops_audit.reach.stated import Stated
from mlops_audit.reach.told import FAR, SWITCH


def unset(stated: Stated) -> frozenset[Site]:
    """The places of source calls that stand under a bare parameter of their function which no call of it passes.

    Only parameters that are called like a switch to go on from earlier work, and that hardly anybody passes by their
    place. A function that is decorated, handed over by its name or never called may be given it elsewhere, and so may
    one that is called with an unpacked list or mapping.
    """
    asked = [fact for fact in stated.of(Kind.CALL) if fact.zone is Zone.SOURCE and _switches(fact)]
    if not asked:
        return frozenset()
    defined = {(fact.site.path, fact.name): fact for fact in _switchable(stated)}
    called, handed = set(), set()
    given: dict[str, set[str]] = defaultdict(set)  # the switches with which something of that name is called
    for fact in stated.of(Kind.FILE):
        if fact.zone is not Zone.TEST:
            called.update([_last(site.rpartition("\n")[2]) for site in values(fact.traits.get("sites"))])
            for words in values(fact.traits.get("handed")):
                handed.update(words.partition("\n")[2].split())
            for call in values(fact.traits.get("gives")):
                name, _, switches = call.partition("\n")
                given[name].update(switches.split())
    return frozenset(
        fact.site
        for fact in asked
        for name in values(fact.traits["function"])
        if (definition := defined.get((fact.site.path, name))) is not None
        and (started := _started(name)) in called
        and started not in handed
        and _is_off(_switches(fact), definition, given[started])
    )


def names_of_switchable(stated: Stated) -> set[str]:
    """The words under which functions with switches are called."""
    return {_started(fact.name) for fact in _switchable(stated)}


def _switchable(stated: Stated) -> Iterator[Fact]:
    return (
        fact
        for fact in stated.of(Kind.DEFINITION)
        if "off" in fact.traits and "decorators" not in fact.traits
    )


def _started(name: str) -> str:
    """What is called to start a function: of an initialiser the class."""
    return name.split(".")[-2] if name.endswith(".__init__") else _last(name)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _switches(fact: Fact) -> set[str]:
    if "function" not in fact.traits:
        return set()
    return {
        guard for guard in values(fact.traits.get("guard")) if guard.isidentifier() and SWITCH.search(guard)
    }


def _is_off(switches: Collection[str], definition: Fact, given: Collection[str]) -> bool:
    own = [p for p in values(definition.traits.get("parameters")) if p not in ("self", "cls")]
    off = values(definition.traits["off"])
    return "*" not in given and any(
        switch in off and switch in own and own.index(switch) >= FAR and switch not in given
        for switch in switches
    )
