"""What a tree states, and what reach makes of it: the facts that rules are asked of, and the kinds of project."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from mlops_audit import workers
from mlops_audit.asked import EVERYTHING, sieve_of
from mlops_audit.budget import Budget
from mlops_audit.facts import Fact, Facts, Problem, Site, values
from mlops_audit.judge import Evidence, kinds_of
from mlops_audit.memory import Memory
from mlops_audit.names import Names
from mlops_audit.parse.nodes import ParseFailure, decode
from mlops_audit.reach import Reach
from mlops_audit.reach.bodies import Bodies
from mlops_audit.reach.brought import COMMON
from mlops_audit.reach.uninstalled import ASKED_FOR
from mlops_audit.rules import Pack
from mlops_audit.tree import Tree


class Reading(NamedTuple):
    """By how many processes files are read (0: as many as pay), and who is told how far that is."""

    jobs: int = 0
    progress: workers.Progress | None = None


ALONE = Reading(jobs=1)


def examine(
    tree: Tree,
    pack: Pack,
    memory: Memory | None = None,
    budget: Budget | None = None,
    reading: Reading = ALONE,
    whole: bool = False,
) -> tuple[Facts, list[Problem], dict[str, tuple[Evidence, ...]]]:
    """What a tree states, what could not be read, and the kinds of project it is with the evidence of each.

    Which files train and which serve also tells reach which modules both sides share. `memory` is what audits of other
    commits of the same repository have read already; without a budget only single files are under an alarm. Facts that no
    rule asks for are left out unless the `whole` is wanted.
    """
    jobs, limit = reading.jobs if tree.apart else 1, budget or Budget(math.inf)
    if memory is not None:
        extracted, problems = memory.extract(tree.files, limit, jobs, reading.progress)
    else:
        sieve = EVERYTHING if whole else sieve_of(pack, len(tree.files))
        extracted, problems = workers.extract(tree.files, limit, jobs, reading.progress, sieve)
    known = memory.names if memory else Names()
    reach = Reach(extracted, _texts(tree, memory.consulted if memory is not None else set()))
    listening = reach.listening(extracted) if memory is not None else None
    home = {file.placed: file.path for file in tree.files if file.placed}
    lent = relocated(reach.lend(extracted), home)
    facts = Facts(lent, known=known)
    kinds = kinds_of(facts, pack.kinds)
    places = {file.path: file.placed or file.path for file in tree.files}
    training, serving = (
        {places[e.fact.site.path] for e in kinds.get(side, ())} for side in ("trains", "serves")
    )
    sides = {home.get(path, path): side for path, side in reach.sides(training, serving).items()}
    uses = {home.get(path, path): used for path, used in reach.uses().items()}
    own = ({home.get(path, path) for path in paths} for paths in (training, serving))
    problems += [_absent_module(fact) for fact in relocated(reach.failures.imports, home)]
    problems += [_absent_name(fact) for fact in relocated(reach.failures.unbound, home)]
    bodies = Bodies(lent, *own)
    if listening is not None and memory is not None:
        memory.listening = partial(listening.beside, bodies)
    return facts.told(sides, uses, bodies), problems, kinds


def relocated(facts: Iterable[Fact], home: Mapping[str, str]) -> list[Fact]:
    """The facts of a template's files back at the paths where those files stand in the repository."""
    if not home:
        return list(facts)

    def back(site: Site) -> Site:
        return replace(site, path=home.get(site.path, site.path))

    return [
        replace(
            fact,
            site=back(fact.site),
            reached=fact.reached._replace(
                chain=tuple(link._replace(site=back(link.site)) for link in fact.reached.chain)
            ),
        )
        for fact in facts
    ]


def _texts(tree: Tree, consulted: set[str]) -> Callable[[str], str | None]:
    """The text of a file by the path at which its facts stand; None for what cannot be read.

    The paths that are asked for are added to those consulted.
    """
    files = {file.placed or file.path: file for file in tree.files}

    def text_of(path: str) -> str | None:
        consulted.add(path)
        try:
            return decode(files[path].read())
        except (KeyError, ParseFailure):
            return None

    return text_of


def _absent_name(fact: Fact) -> Problem:
    module, _, name = fact.name.rpartition(".")
    return Problem(
        fact.site, f"imports {name} from {module}, which holds none: code that fails is partial at best"
    )


def _absent_module(fact: Fact) -> Problem:
    module = next(iter(values(fact.traits.get("module"))), fact.name)
    top = module.partition(".")[0]
    lacks = "nothing installs where it runs" if top in ASKED_FOR or top in COMMON else "the repository lacks"
    return Problem(fact.site, f"imports {module}, which {lacks}: code that fails is partial at best")
