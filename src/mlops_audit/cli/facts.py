"""The command `facts`: what a repository states, for authors of rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_audit.cli.codes import PASSED
from mlops_audit.cli.output import say, write
from mlops_audit.cli.surroundings import rules_of
from mlops_audit.cli.words import Folder, Misuse, Word, kinds
from mlops_audit.reach.told import SUMS

if TYPE_CHECKING:
    from mlops_audit.facts import Fact


@click.command()
@click.argument("path", type=Folder(), default=".")
@click.option("--rev", help="Read this commit, branch or tag instead of the work tree.")
@click.option("--kind", type=Word("kind of fact", kinds), help="Only facts of this kind.")
def facts(path: Path, rev: str | None, kind: str | None) -> int:
    """Print the facts of a repository as JSON lines, for authors of rules."""
    import json

    from mlops_audit.examination import examine
    from mlops_audit.repository import RepositoryError
    from mlops_audit.tree import Tree

    try:
        with Tree.open(path, rev) as tree:
            found, problems, _ = examine(tree, rules_of(()), whole=True)
    except RepositoryError as error:
        raise Misuse(str(error)) from error
    lines = (json.dumps(_plain(fact)) + "\n" for fact in found if kind in (None, fact.kind.value))
    write("".join(lines), utf8=True)
    for problem in problems:
        say(f"{'not read' if problem.unread else 'broken'}: {problem.site}: {problem.reason}")
    return PASSED


def _plain(fact: Fact) -> dict[str, object]:
    return {
        "kind": fact.kind.value,
        "name": fact.name,
        "path": fact.site.path,
        "line": fact.site.line,
        "cell": fact.site.cell,
        "zone": fact.zone.value,
        "strength": str(fact.strength),
        "faint": fact.faint,
        "traits": {name: fact.traits[name] for name in sorted(fact.traits) if name not in SUMS},
        "runs": sorted(fact.reached.systems),
        "triggers": sorted(fact.reached.triggers),
        "chain": [{"at": str(link.site), "runs": link.runs} for link in fact.reached.chain],
    }


COMMANDS = (facts,)
