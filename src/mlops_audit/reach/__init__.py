"""The one inference: which automation runs which code, through commands, imports and entry points."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mlops_audit.facts import SELF_STARTING, Fact, Kind, Link, Reached, Site, Zone, values
from mlops_audit.reach.failures import failures
from mlops_audit.reach.launch import targets_of_command, targets_of_name
from mlops_audit.reach.listening import Listening, listened_for
from mlops_audit.reach.needs import SCRIPT, STARTERS
from mlops_audit.reach.places import Repository, is_module_name
from mlops_audit.reach.stated import Stated
from mlops_audit.reach.trials import is_trial, makes_cluster, sandboxed, without_recurring
from mlops_audit.reach.uncalled import uncalled
from mlops_audit.reach.unloaded import unasked_alerts, unloaded
from mlops_audit.reach.unset import unset
from mlops_audit.reach.unused import unused

# Systems whose commands are steps of a chain but no automation by themselves: a person starts them.
BY_HAND = frozenset({"notebook", "python", "console-script", "pre-commit"})
AUTOMATION = frozenset({Kind.JOB, Kind.PIPELINE, Kind.STEP, Kind.COMMAND, Kind.RESOURCE})


class Edge(NamedTuple):
    """From one unit to another, with the place that says so and what it runs there."""

    target: str
    link: Link
    masked: bool = False  # whether a failure of what it runs is swallowed there
    trial: bool = False  # whether it is only tried there


@dataclass(slots=True)
class Inside:
    """The top-level definitions of a file, and pairs of them of which the first names the second."""

    defined: dict[str, None] = field(default_factory=dict)
    naming: tuple[str, ...] = ()


class Reach:
    """The graph of units (files and named pieces of automation) and what runs what.

    A unit is a path, or `path#name` for a job, target, stage or service in it. Edges come from commands, from
    the trait `runs`, and from imports of modules of the repository. Running a Python file runs all of it; importing
    a name from it runs its top level and the definition of that name with those that this one uses.
    """

    def __init__(
        self, facts: Sequence[Fact], text_of: Callable[[str], str | None] = lambda path: None
    ) -> None:
        stated = Stated(facts)
        self._repository = Repository.of(stated)
        self.failures = failures(stated, self._repository, text_of)
        self._imports: dict[str, dict[str, None]] = defaultdict(dict)
        self._edges: dict[str, dict[str, Edge]] = defaultdict(dict)
        self._systems: dict[str, set[str]] = defaultdict(set)
        self._triggers: dict[str, set[str]] = defaultdict(set)
        self._roots: dict[str, None] = {}
        self._vain: set[tuple[Site, str]] = set()  # commands that start nothing but files that fail
        self._tries = False  # whether any command only tries what it starts
        making = {unit_of(fact) for fact in facts if makes_cluster(fact)}
        for fact in facts:
            if fact.kind is Kind.IMPORT:
                self._add_import(fact)
            elif fact.kind in AUTOMATION and "dead" not in fact.traits and not self.failures.holds(fact):
                self._add_automation(fact)
        self._insides = _insides(stated)
        self._scripts = self._named_scripts(stated)
        self._tests = frozenset(fact.site.path for fact in facts if fact.zone is Zone.TEST)
        self._foreign = frozenset(fact.site.path for fact in facts if fact.zone is Zone.FOREIGN)
        self._reached = self._walk()
        starting = sorted(unit for unit in self._roots if self._triggers[unit])
        self._sandboxed = sandboxed(
            making, starting, lambda unit: [edge.target for edge in self._followed(unit)]
        )
        run = frozenset(_path(unit) for unit in self._reached) - self._tests
        imports = {path: used for path, used in self._imports.items() if path not in self.failures.files}
        self._unused = unused(stated, imports, run) | unloaded(stated) | unasked_alerts(stated)
        self._uncalled = uncalled(stated)
        self._idle = {
            (fact.site.path, fact.name)
            for fact in facts
            if fact.kind is Kind.DEFINITION and fact.site in self._uncalled
        }
        self._unset = unset(stated)

    def _add_import(self, fact: Fact) -> None:
        path, module = fact.site.path, values(fact.traits.get("module"))
        targets = [target for target in self._repository.module(fact.name, path, module) if target != path]
        if not targets:
            return
        self._imports[path].update(dict.fromkeys(targets))
        link = Link(fact.site, f"import {fact.name}")
        name = fact.name.rpartition(".")[2] if module and fact.name != module[0] else ""
        top = self._edges[_part(path, _definition(fact))]
        for target in targets:
            whole = not name or is_module_name(target, name)
            for unit in (target,) if whole else (_part(target), _part(target, name)):
                if unit not in top:
                    top[unit] = Edge(unit, link)

    def _add_automation(self, fact: Fact) -> None:
        unit = unit_of(fact)
        system = next(iter(values(fact.traits.get("system"))), "")
        starts = values(fact.traits.get("triggers"))
        if fact.kind is Kind.RESOURCE and not (starts or "runs" in fact.traits):
            return
        for name in values(fact.traits.get("runs")):
            for target in targets_of_name(name, fact, self._repository):
                self._connect(unit, target, fact, name)
        if fact.kind is Kind.COMMAND:
            targets = targets_of_command(fact, self._repository)
            started = [path for path in map(_path, targets) if not path.endswith("__init__.py")]
            if started and self.failures.files.issuperset(started):
                self._vain.add((fact.site, fact.name))
            for target in targets:
                self._connect(unit, target, fact, fact.name)
        if system and system not in BY_HAND and fact.zone is Zone.SOURCE:
            self._roots.setdefault(unit)
            self._systems[unit].add(system)
            self._triggers[unit].update(starts)

    def _named_scripts(self, stated: Stated) -> dict[str, list[tuple[str, Fact]]]:
        """By file: scripts that a program names in a text and starts by a command that it puts together itself."""
        starters = {fact.site.path for fact in stated.of(Kind.CALL) if fact.name in STARTERS}
        found: dict[str, list[tuple[str, Fact]]] = defaultdict(list)
        for fact in stated.of(Kind.STRING):
            if fact.site.path in starters and SCRIPT.fullmatch(fact.name):
                for target in targets_of_name(fact.name, fact, self._repository):
                    found[fact.site.path].append((target, fact))
        return found

    def _connect(self, unit: str, target: str, fact: Fact, what: str) -> None:
        if unit == fact.site.path and "function" in fact.traits:
            unit = _part(unit, _definition(fact))
        if target != unit:
            link = Link(fact.site, " ".join(what.split())[:160])
            masked = bool({"masked", "unchecked"} & set(fact.traits))
            trial = is_trial(fact, unit)
            self._tries |= trial
            known = self._edges[unit].get(target)
            if known is None:
                self._edges[unit][target] = Edge(target, link, masked, trial)
            elif (known.masked and not masked) or (known.trial and not trial):
                self._edges[unit][target] = Edge(target, link, known.masked and masked, known.trial and trial)

    def _edges_from(self, unit: str) -> Mapping[str, Edge]:
        """What a unit runs. How the inside of a file hangs together is found out when something comes to that file."""
        path = unit.partition("\0")[0]
        inside = self._insides.pop(path, None)
        if inside is not None:
            self._add_definitions(path, inside)
        for target, fact in self._scripts.pop(path, ()):
            self._connect(path, target, fact, fact.name)
        return self._edges.get(unit, {})

    def _add_definitions(self, path: str, inside: Inside) -> None:
        """Inside a file: the whole runs its top level and every definition; a definition runs those that it names."""
        here = Link(Site(path), "")
        for name in ("", *inside.defined):
            self._edges[path].setdefault(_part(path, name), Edge(_part(path, name), here))
        for pair in inside.naming:
            name, _, other = pair.partition("\n")
            self._edges[_part(path, name)].setdefault(_part(path, other), Edge(_part(path, other), here))

    def _walk(self) -> dict[str, Reached]:
        """What every unit is reached by: the chain of the strongest, then shortest, way and the union of all ways."""
        chains: dict[str, tuple[Link, ...]] = {}
        best: dict[str, tuple[int, int]] = {}  # the rank and the length of a unit's chain
        ranks = {root: _rank(self._triggers[root]) for root in self._roots}
        followed: dict[str, list[Edge]] = {}
        for root in sorted(self._roots, key=lambda root: (ranks[root], root)):
            rank = ranks[root]
            parents: dict[str, tuple[str, Link] | None] = {root: None}
            lengths = {root: 0}
            queue = deque([root])
            while queue:
                unit = queue.popleft()
                length = lengths[unit]
                if unit not in best or (rank, length) < best[unit]:
                    best[unit] = rank, length
                    chains[unit] = _chain(unit, parents)
                if unit not in followed:
                    followed[unit] = self._followed(unit)
                for edge in followed[unit]:
                    if edge.target not in parents:
                        parents[edge.target] = (unit, edge.link)
                        lengths[edge.target] = length + bool(edge.link.runs)
                        queue.append(edge.target)
        systems = self._handed_on(self._systems, followed.__getitem__)
        triggers = self._handed_on(self._triggers, followed.__getitem__)
        if self._tries:
            lasting = self._handed_on(
                self._triggers, lambda unit: [edge for edge in followed[unit] if not edge.trial]
            )
            tried = self._handed_on(without_recurring(self._triggers), followed.__getitem__)
            triggers = {unit: lasting.get(unit, frozenset()) | tried[unit] for unit in triggers}
        heeded = self._handed_on(
            self._triggers, lambda unit: [edge for edge in self._edges_from(unit).values() if not edge.masked]
        )
        return {
            unit: Reached(
                chain, systems[unit], triggers[unit], unit not in heeded, heeded.get(unit, frozenset())
            )
            for unit, chain in chains.items()
        }

    def _followed(self, unit: str) -> list[Edge]:
        """What a unit leads on to: a test that calls training does not make it a pipeline."""
        edges = self._edges_from(unit).values()
        if _path(unit) in self._tests:
            return [edge for edge in edges if _path(edge.target) in self._tests]
        return list(edges)

    def _handed_on(
        self, told: Mapping[str, set[str]], followed: Callable[[str], Iterable[Edge]]
    ) -> dict[str, frozenset[str]]:
        """What is told of roots, for every unit that they run: the union of all ways."""
        alike: dict[frozenset[str], list[str]] = defaultdict(list)
        for root in self._roots:
            alike[frozenset(told[root])].append(root)
        found: dict[str, frozenset[str]] = {}
        for words, roots in alike.items():
            seen, stack = set(roots), roots
            while stack:
                unit = stack.pop()
                found[unit] = found.get(unit, words) | words
                for edge in followed(unit):
                    if edge.target not in seen:
                        seen.add(edge.target)
                        stack.append(edge.target)
        return found

    def lend(self, facts: Iterable[Fact]) -> list[Fact]:
        """The facts, each with the chain, systems and triggers that run it; those of code that fails are dead,
        and those of modules that nothing uses, of functions that nothing calls and of configuration that nothing loads,
        are unused."""
        units = {unit.partition("\0")[0] for unit in self._reached}
        told = {
            *units,
            *(unit.rpartition("#")[0] for unit in units),
            *self._unused,
            *(site.path for site in (*self._uncalled, *self._unset)),
            *(site.path for site, _ in self._vain),
            *self.failures.paths,
        }
        return [
            self._lent(fact) if fact.site.path in told or "unit" in fact.traits else fact for fact in facts
        ]

    def _lent(self, fact: Fact) -> Fact:
        path, traits = fact.site.path, fact.traits
        unit = unit_of(fact)
        reached = self._reached.get(unit)
        if reached is None and unit == path:
            reached = self._reached.get(_part(unit, _definition(fact)))
        if fact.kind is not Kind.FILE:
            if "dead" not in traits and (self.failures.holds(fact) or (fact.site, fact.name) in self._vain):
                traits = {**traits, "dead": "yes"}
            if path in self._unused:
                traits = {**traits, "unused": "yes"}
            if unit in self._sandboxed and fact.kind in (Kind.COMMAND, Kind.ACTION):
                traits = {**traits, "sandbox": "yes"}
            if self._tries and is_trial(fact, unit):
                traits = {**traits, "trial": "yes"}
            if fact.kind is Kind.DEFINITION and fact.site in self._uncalled:
                traits = {**traits, "uncalled": "yes"}
            elif "function" in traits and (path, values(traits["function"])[0]) in self._idle:
                traits = {**traits, "unused": "yes"}
            if fact.kind is Kind.CALL and fact.site in self._unset:
                traits = {**traits, "unset": "yes"}
        if reached is None and traits is fact.traits:
            return fact
        return Fact(fact.kind, fact.name, fact.site, traits, fact.zone, reached or fact.reached)

    def listening(self, facts: Sequence[Fact]) -> Listening:
        """What is listened for in the sums of the files that state these facts, but for what rules look up in bodies."""
        unbound = (fact.name for fact in self.failures.unbound)
        return listened_for(Stated(facts), self._repository.paths, unbound)

    def sides(self, training: Iterable[str], serving: Iterable[str]) -> Mapping[str, str]:
        """For each file whether it belongs to the training side, the serving side, or `both`, by imports."""
        trains, serves = self._closure(training), self._closure(serving)
        return {
            path: "both" if path in trains and path in serves else "trains" if path in trains else "serves"
            for path in sorted(trains | serves)
        }

    def uses(self) -> Mapping[str, tuple[str, ...]]:
        """For each file the project's own files that it imports or starts; tests do so by their helpers too."""
        found: dict[str, tuple[str, ...]] = {}
        for path in {*self._imports, *self._tests}:
            seen, stack = {path}, [path]
            while stack:
                here = stack.pop()
                for target in self._used_by(here):
                    if target not in seen:
                        seen.add(target)
                        if target in self._tests and path in self._tests:
                            stack.append(target)
            own = seen - self._tests - self._foreign - {path}
            if own:
                found[path] = tuple(sorted(own))
        return found

    def _used_by(self, path: str) -> set[str]:
        """What a file imports or starts; a test is given what its folder's conftest.py prepares."""
        used = {*self._imports.get(path, ()), *map(_path, self._edges.get(path, ()))}
        used.update(
            _path(target) for target, fact in self._scripts.get(path, ()) if "function" not in fact.traits
        )
        if path in self._tests:
            above = [path[:at] for at, sign in enumerate(path) if sign == "/"]
            used.update(
                p for folder in ["", *above] if (p := f"{folder}/conftest.py".lstrip("/")) in self._tests
            )
        return used

    def _closure(self, paths: Iterable[str]) -> set[str]:
        seen = set(paths)
        stack = list(seen)
        while stack:
            for target in self._imports.get(stack.pop(), {}):
                if target not in seen:
                    seen.add(target)
                    stack.append(target)
        return seen


def _insides(stated: Stated) -> dict[str, Inside]:
    """By file, where it defines or imports anything."""
    found: dict[str, Inside] = defaultdict(Inside)
    for fact in stated.of(Kind.DEFINITION):
        found[fact.site.path].defined.setdefault(fact.name.partition(".")[0])
    for fact in stated.of(Kind.IMPORT):
        found[fact.site.path]
    for fact in stated.of(Kind.FILE):
        if "inside" in fact.traits and fact.site.path in found:
            found[fact.site.path].naming = values(fact.traits["inside"])
    return found


def unit_of(fact: Fact) -> str:
    """The unit that a fact belongs to: its own, else its file. What a container runs when started is a unit apart
    from what its build runs."""
    traits = fact.traits
    unit = next(iter(values(traits["unit"])), fact.site.path) if "unit" in traits else fact.site.path
    return f"{fact.site.path}#entry" if "entry" in traits and "#" not in unit else unit


def _path(unit: str) -> str:
    """The file of a unit."""
    return unit.partition("#")[0].partition("\0")[0]


def _part(path: str, name: str = "") -> str:
    """The unit of a definition in a file, or of its top level."""
    return f"{path}\0{name}"


def _definition(fact: Fact) -> str:
    """The top-level definition in which a fact stands, "" for the top level itself."""
    inside = (
        fact.name if fact.kind is Kind.DEFINITION else next(iter(values(fact.traits.get("function"))), "")
    )
    return inside.partition(".")[0]


def _rank(triggers: Iterable[str]) -> int:
    """Chains that start by themselves come first, a schedule before all."""
    found = set(triggers)
    if "schedule" in found:
        return 0
    return 1 if found & SELF_STARTING else 2


def _chain(unit: str, parents: Mapping[str, tuple[str, Link] | None]) -> tuple[Link, ...]:
    links = []
    step = parents[unit]
    while step is not None:
        above, link = step
        if link.runs:
            links.append(link)
        step = parents[above]
    return tuple(reversed(links))
