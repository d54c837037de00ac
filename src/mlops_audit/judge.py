"""Rule x Facts -> Finding: the only place that makes a verdict."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from mlops_audit.catalogue import Aspect
from mlops_audit.facts import Fact, Facts, Kind, Strength, Zone
from mlops_audit.rules import Clause, KindRule, Rule, Signal


class Verdict(str, enum.Enum):
    PASS = "pass"
    PARTIAL = "partial"
    MISSING = "missing"
    NA = "na"
    UNKNOWN = "unknown"  # what was not read could have decided it

    __str__ = str.__str__
    __hash__ = str.__hash__


class Evidence(NamedTuple):
    """A fact that answers a signal."""

    signal: str
    fact: Fact

    @property
    def strength(self) -> Strength:
        return self.fact.strength


class Finding(NamedTuple):
    """The verdict on one aspect: the evidence for it, strongest first, and the signals that a pass still lacks."""

    aspect: Aspect
    rule: Rule
    verdict: Verdict
    evidence: tuple[Evidence, ...] = ()
    lacks: tuple[str, ...] = ()
    project: str = ""
    unread: tuple[str, ...] = ()  # files that nobody looked at and that could have changed the verdict


Answers = Mapping[str, Sequence[Fact]]  # signal -> the facts that answer it
_PATH = attrgetter("site.path")


def answers(signal: Signal, facts: Facts) -> list[Fact]:
    """The facts that answer a signal, in the order of path and line."""
    return facts.answering(signal.kind, signal.patterns, signal.where, signal.zones)


def kinds_of(facts: Facts, kinds: Sequence[KindRule]) -> dict[str, tuple[Evidence, ...]]:
    """What kinds of project the facts tell of (trains, deep, serves, llm), each with its evidence.

    What a clause asks for as `any` beside an `all` is the circumstance under which the `all` counts, and no evidence:
    a library of machine learning makes a web service one that serves a model, but not every file with it a server.
    """
    told = {}
    for kind in kinds:
        found = {name: answers(signal, facts) for name, signal in kind.signals.items()}
        holding = {name: bool(group) for name, group in found.items()}
        clauses = [clause for clause in kind.when if _any_holds((clause,), holding)]
        if clauses:
            telling = {name for clause in clauses for name in clause.all or clause.any}
            told[kind.id] = _evidence({name: group for name, group in found.items() if name in telling})
    return told


def judge(aspect: Aspect, rule: Rule, facts: Facts, kinds: frozenset[str], project: str = "") -> Finding:
    """The finding for an aspect over all facts."""
    return _judged(aspect, rule, _Asked(rule, facts), kinds, project)


def judge_projects(
    aspect: Aspect,
    rule: Rule,
    facts: Facts,
    kinds: frozenset[str],
    projects: Sequence[str],
    home: Mapping[str, str],
) -> Finding:
    """The finding for an aspect in that of several projects which is best.

    `home` are the projects that files lie in; what lies in none belongs to each. A question is put once to all facts,
    and of the projects that answer none by files of their own one is judged for all.
    """
    if not home or not _applies(aspect, kinds):
        return judge(aspect, rule, facts, kinds, projects[0])
    shared: dict[str, list[Fact]] = {name: [] for name in rule.signals}
    own: dict[str, dict[str, list[Fact]]] = {}
    for name, signal in rule.signals.items():
        for fact in answers(signal, facts):
            project = home.get(fact.site.path)
            of_project = shared if project is None else own.setdefault(project, {})
            of_project.setdefault(name, []).append(fact)
    found = []
    without = next((project for project in projects if project not in own), None)
    for project in projects:
        if project in own:
            added = {name: sorted([*shared[name], *group], key=_PATH) for name, group in own[project].items()}
            found.append(_judged(aspect, rule, {**shared, **added}, kinds, project))
        elif project == without:
            found.append(_judged(aspect, rule, shared, kinds, project))
    return best(found)


def _applies(aspect: Aspect, kinds: frozenset[str]) -> bool:
    return set(aspect.applies_to) <= kinds


def _judged(aspect: Aspect, rule: Rule, asked: Answers, kinds: frozenset[str], project: str) -> Finding:
    """The finding for an aspect by the answers to its signals.

    It passes when a `pass` clause holds over firm evidence; it is partial when a `pass` clause holds over all
    evidence or a `partial` clause holds; else it is missing. Signals under `none` are asked of all evidence.
    """
    if not _applies(aspect, kinds):
        return Finding(aspect, rule, Verdict.NA, project=project)
    sure = _Firm(asked)
    if rule.na and _any_holds(rule.na, asked):
        return Finding(aspect, rule, Verdict.NA, project=project)
    won = next((c for c in rule.passes if _holds(c, _together(c, sure), asked)), None)
    if won is not None:
        together = _together(won, sure)
        evidence = _evidence({name: together[name] for name in (*won.all, *won.any)})
        return Finding(aspect, rule, Verdict.PASS, evidence, project=project)
    found = {name: asked[name] for name in rule.signals}
    firm = {name: sure[name] for name in rule.signals}
    all_of = {name: bool(group) for name, group in found.items()}
    evidence = _evidence(_speaking((*rule.passes, *rule.partial), found, all_of))
    lacks = _lacks(rule.passes, firm)
    if any(_holds(c, _together(c, found), all_of) for c in (*rule.passes, *rule.partial)):
        return Finding(aspect, rule, Verdict.PARTIAL, evidence, lacks, project)
    return Finding(aspect, rule, Verdict.MISSING, (), lacks, project)


def unsupported_claims(findings: Iterable[Finding], facts: Facts) -> list[tuple[str, Fact]]:
    """Sentences of the project's documents that claim a practice of which nothing was found: (aspect, sentence).

    Prose is no evidence; a claim that nothing supports is worth showing. Negations and plans claim nothing.
    """
    found = []
    for finding in findings:
        if finding.verdict is not Verdict.MISSING or not finding.rule.claims:
            continue
        for fact in facts.named(Kind.SENTENCE, finding.rule.claims):
            if fact.zone is Zone.SOURCE and "negated" not in fact.traits:
                found.append((finding.aspect.id, fact))
    return found


def best(findings: Iterable[Finding]) -> Finding:
    """Of one aspect's findings in several projects the best; among equals the one with the most evidence."""
    order = {Verdict.NA: 0, Verdict.MISSING: 1, Verdict.PARTIAL: 2, Verdict.PASS: 3}
    return max(findings, key=lambda f: (order[f.verdict], -len(f.lacks), len(f.evidence)))


class _Asked(dict[str, Sequence[Fact]]):
    """The answers to the signals of a rule, each found out when it is first looked at."""

    def __init__(self, rule: Rule, facts: Facts) -> None:
        super().__init__()
        self._rule, self._facts = rule, facts

    def __missing__(self, name: str) -> Sequence[Fact]:
        self[name] = found = answers(self._rule.signals[name], self._facts)
        return found


class _Firm(dict[str, Sequence[Fact]]):
    """The firm ones of answers."""

    def __init__(self, found: Answers) -> None:
        super().__init__()
        self._found = found

    def __missing__(self, name: str) -> Sequence[Fact]:
        self[name] = firm = [fact for fact in self._found[name] if not fact.faint]
        return firm


def _any_holds(clauses: Iterable[Clause], held: Mapping[str, object]) -> bool:
    return any(_holds(clause, held, held) for clause in clauses)


def _holds(clause: Clause, held: Mapping[str, object], all_of: Mapping[str, object]) -> bool:
    return (
        all(held[name] for name in clause.all)
        and (not clause.any or sum(bool(held[name]) for name in clause.any) >= clause.at_least)
        and not any(all_of[name] for name in clause.none)
    )


def _speaking(clauses: Iterable[Clause], found: Answers, all_of: Mapping[str, bool]) -> Answers:
    """The answers that speak for an aspect; what is asked of one file or place speaks only where it is found there."""
    speaking: dict[str, Sequence[Fact]] = {}
    for clause in clauses:
        together = _together(clause, found)
        if not clause.same or _holds(clause, together, all_of):
            for name in (*clause.all, *clause.any):
                speaking[name] = max(speaking.get(name, ()), together[name], key=len)
    return speaking


def _together(clause: Clause, found: Answers) -> Answers:
    """The answers that count for a clause: all, or those of the one file or place that answers most of it."""
    if not clause.same:
        return found
    asked = (*clause.all, *clause.any)
    answered: dict[tuple[object, ...], dict[str, list[Fact]]] = {}
    for name in asked:
        for fact in found[name]:
            answered.setdefault(_place(fact, clause.same), {}).setdefault(name, []).append(fact)
    most = max(
        answered.values(),
        key=lambda group: (
            sum(name in group for name in clause.all),
            sum(name in group for name in clause.any),
        ),
        default={},
    )
    return {name: most.get(name, []) for name in asked}


def _place(fact: Fact, same: str) -> tuple[object, ...]:
    site = fact.site
    return (site.path,) if same == "file" else (site.path, site.cell, site.line)


def _lacks(clauses: Sequence[Clause], found: Answers) -> tuple[str, ...]:
    """What the nearest clause still needs: the one that lacks least, then the one that has most.

    Alternatives are one need: `A, B or C`.
    """
    options = []
    for clause in clauses:
        firm = {name: bool(group) for name, group in _together(clause, found).items()}
        needs = [name for name in clause.all if not firm[name]]
        held = sum(firm[name] for name in (*clause.all, *clause.any))
        for _ in range(max(0, clause.at_least - sum(firm[name] for name in clause.any)) if clause.any else 0):
            needs.append(_alternatives([name for name in clause.any if not firm[name]]))
        options.append((len(needs), -held, tuple(dict.fromkeys(needs))))
    return min(options, key=lambda option: option[:2], default=(0, 0, ()))[2]


def _alternatives(names: Sequence[str]) -> str:
    """A few alternatives in words; a long list is cut, since any of them would do."""
    shown = list(names[:3])
    if len(names) > 3:
        return f"{', '.join(shown)} or another of {len(names)}"
    return " or ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _evidence(found: Mapping[str, Iterable[Fact]]) -> tuple[Evidence, ...]:
    """Each fact once a signal, strongest first, then by path and line."""
    rows = {
        (name, fact.site, fact.name): Evidence(name, fact) for name, group in found.items() for fact in group
    }
    return tuple(
        sorted(
            rows.values(),
            key=lambda e: (e.fact.faint, -e.strength, e.fact.site.path, e.fact.site.cell, e.fact.site.line),
        )
    )
