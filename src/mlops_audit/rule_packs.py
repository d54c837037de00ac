"""The rules that an audit asks: those that ship with the program, and packs of further ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlops_audit import catalogue, rules
from mlops_audit.cache import NOTHING_KEPT, Cache
from mlops_audit.rules import Pack, RuleError, nearest
from mlops_audit.shipped import exemplified, shipped


def rule_pack(folders: Sequence[Path] = (), cache: Cache = NOTHING_KEPT, *, examples: bool = False) -> Pack:
    """The rules that ship with the program, with those of the folders in the place of any of the same aspect.

    Those of the program are without their `examples` unless these are asked for. Raises RuleError with all faults of all folders.
    """
    pack = exemplified() if examples else shipped(cache)
    if not folders:
        return pack
    folder_of_all = catalogue.data_folder("rules")
    aspects = {aspect.id for aspect in catalogue.load().aspects}
    faults: list[str] = []
    for folder in folders:
        try:
            further = rules.load(folder, shared=folder_of_all)
        except RuleError as error:
            faults.extend(error.faults)
            continue
        if not further.rules and not further.kinds:
            faults.append(f"{folder}: no rules: a pack has files <pillar>/<aspect>.yaml")
        for rule in further.rules:
            if rule.id not in aspects:
                near = nearest(rule.id, sorted(aspects))
                hint = f"; did you mean {near[0]!r}?" if near else ""
                faults.append(f"{rule.path}:1: the catalogue has no aspect {rule.id!r}{hint}")
        pack = _merged(pack, further)
    if faults:
        raise RuleError(faults)
    return pack


def _merged(pack: Pack, further: Pack) -> Pack:
    by_rule = {rule.id: rule for rule in (*pack.rules, *further.rules)}
    by_kind = {kind.id: kind for kind in (*pack.kinds, *further.kinds)}
    return Pack(tuple(by_rule[aspect] for aspect in sorted(by_rule)), tuple(by_kind.values()))
