"""Facts and rules as plain values and back, to be kept in a file or handed from process to process.

Rules and the catalogue come back the same from JSON, which knows no tuples.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, TypeAlias

from mlops_audit.catalogue import Aspect, Catalogue, Gate, Level, Pillar
from mlops_audit.facts import Fact, Kind, Problem, Site, Zone
from mlops_audit.rules import Clause, KindRule, Pack, Risk, Rule, Signal

Record: TypeAlias = tuple[Any, ...]

_BETWEEN = "\x7f"  # between the words of a list: no YAML holds it, and JSON writes it as it is
_KINDS = {kind.value: kind for kind in Kind}
_ZONES = {zone.value: zone for zone in Zone}


def plain_facts(facts: list[Fact], problems: list[Problem]) -> Record:
    """What one file states, as extracted: before reach lends anything."""
    return (
        [
            (f.kind.value, f.name, f.site.path, f.site.line, f.site.cell, dict(f.traits), f.zone.value)
            for f in facts
        ],
        [(p.site.path, p.site.line, p.site.cell, p.reason, p.unread) for p in problems],
    )


def facts_of(record: Record) -> tuple[list[Fact], list[Problem]]:
    facts, problems = record
    return (
        [
            Fact(_KINDS[kind], name, Site(path, line, cell), traits, _ZONES[zone])
            for kind, name, path, line, cell, traits, zone in facts
        ],
        [Problem(Site(path, line, cell), reason, unread) for path, line, cell, reason, unread in problems],
    )


def plain_pack(pack: Pack) -> Record:
    """The rules of a folder without their examples."""
    return (
        [_plain_rule(rule) for rule in pack.rules],
        [(kind.id, _plain_signals(kind.signals.values()), _plain_clauses(kind.when)) for kind in pack.kinds],
    )


def pack_of(record: Record, folder: str) -> Pack:
    """The rules that lie in a folder, without their examples."""
    rules, kinds = record
    return Pack(
        tuple([_rule(rule, folder) for rule in rules]),
        tuple([KindRule(name, _signals(signals), _clauses(when)) for name, signals, when in kinds]),
    )


def plain_catalogue(standard: Catalogue) -> Record:
    return (
        [
            (
                p.id,
                p.title,
                [(a.id, a.title, a.weight, a.applies_to, a.meaning, a.document) for a in p.aspects],
            )
            for p in standard.pillars
        ],
        [
            (level.level, level.title, level.meaning, [(g.aspects, g.needs, g.at_least) for g in level.gates])
            for level in standard.levels
        ],
    )


def catalogue_of(record: Record) -> Catalogue:
    pillars, levels = record
    return Catalogue(
        tuple(
            [Pillar(name, title, tuple([_aspect(*a) for a in aspects])) for name, title, aspects in pillars]
        ),
        tuple(
            [
                Level(n, title, text, tuple([Gate(tuple(aspects), *rest) for aspects, *rest in gates]))
                for n, title, text, gates in levels
            ]
        ),
    )


def _aspect(name: str, title: str, weight: int, applies_to: Iterable[str], *rest: Any) -> Aspect:
    return Aspect(name, title, weight, tuple(applies_to), *rest)


def _plain_rule(rule: Rule) -> Record:
    risk = rule.risk
    return (
        (rule.id, rule.why, rule.fix, rule.references, rule.effort),
        (risk.risk, risk.probability, risk.impact, risk.mitigation),
        _plain_signals(rule.signals.values()),
        [_plain_clauses(clauses) for clauses in (rule.passes, rule.partial, rule.na)],
        rule.claims,
    )


def _rule(record: Record, folder: str) -> Rule:
    (name, why, fix, references, effort), risk, signals, (passes, partial, na), claims = record
    return Rule(
        name, f"{folder}/{name}.yaml", why, fix, tuple(references), effort, Risk(*risk), _signals(signals),
        _clauses(passes), _clauses(partial), _clauses(na), (), tuple(claims),
    )  # fmt: skip


def _plain_signals(signals: Any) -> list[Record]:
    """Signals with their zones as one text and each list of words as one, since many are the same."""
    return [
        (
            s.name,
            s.kind.value,
            _BETWEEN.join(s.patterns),
            {trait: _BETWEEN.join(words) for trait, words in s.where.items()},
            " ".join(sorted(zone.value for zone in s.zones)),
        )
        for s in signals
    ]


def _signals(records: list[Record]) -> dict[str, Signal]:
    return {
        name: Signal(
            name,
            _KINDS[kind],
            _words(patterns),
            {trait: _words(globs) for trait, globs in where.items()},
            _zones(zones),
        )
        for name, kind, patterns, where, zones in records
    }


@cache
def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(_BETWEEN)) if text else ()


@cache
def _zones(text: str) -> frozenset[Zone]:
    return frozenset(_ZONES[word] for word in text.split())


def _plain_clauses(clauses: tuple[Clause, ...]) -> list[Record]:
    return [(clause.all, clause.any, clause.none, clause.at_least, clause.same) for clause in clauses]


def _clauses(records: list[Record]) -> tuple[Clause, ...]:
    return tuple(
        [
            Clause(tuple(every), tuple(some), tuple(none), at_least, same)
            for every, some, none, at_least, same in records
        ]
    )
