"""The two sides of a comparison: revisions and the work tree, read from git objects, or reports written before."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from mlops_audit import catalogue
from mlops_audit.asked import sieve_of
from mlops_audit.audit import MACHINE_LEARNING, Asked, NothingToAudit, report_on
from mlops_audit.budget import RUN_SECONDS, Budget
from mlops_audit.cache import NOTHING_KEPT, Cache
from mlops_audit.changes.compare import Piece, Side, compared
from mlops_audit.changes.identity import Sketch, against, renames, sketch
from mlops_audit.examination import examine
from mlops_audit.facts import Fact, Facts
from mlops_audit.judge import Evidence, answers
from mlops_audit.memory import Memory, Shelf
from mlops_audit.parse.nodes import ParseFailure, decode
from mlops_audit.report import Report, document_of, piece_of
from mlops_audit.repository import Repository, RepositoryError
from mlops_audit.repository.clean_git import clean, resolve
from mlops_audit.rules import Pack
from mlops_audit.tree import Tree

LARGEST_REPORT = 100_000_000
WORK_TREE = "work tree"

Document = dict[str, Any]


class CompareError(ValueError):
    """A report that cannot be compared, in one clear line."""


class _Audited(NamedTuple):
    """A side of which the whole tree is at hand."""

    tree: Tree
    report: Report
    side: Side

    def paths(self) -> set[str]:
        return {file.path for file in self.tree.files}


def compare_trees(
    root: Path, base: str, head: str | None, pack: Pack, asked: Asked,
    exclude: Iterable[str] = (), regressions: Iterable[str] = (), remarks: Sequence[str] = (),
    cache: Cache = NOTHING_KEPT,
) -> Document:  # fmt: skip
    """The comparison of two revisions of the repository at `root`; without `head` that of the work tree.

    Both are judged by the same rules and the same configuration, so that nothing but the content makes a difference.
    Raises RepositoryError, and NothingToAudit when there is no machine learning on either side.
    """
    exclude = tuple(exclude)
    with (
        Tree.open(root, base, exclude) as old,
        Tree.open(root, head, exclude) as new,
        closing(Shelf(cache, str(root.resolve()), sieve_of(pack).digest)) as shelf,
    ):
        memory = Memory(shelf, sieve_of(pack))  # what both sides share is read once
        before = _audited(old, _called(base, old.commit), pack, asked, memory)
        after = _audited(new, WORK_TREE if head is None else _called(head, new.commit), pack, asked, memory)
        if not any(MACHINE_LEARNING & set(one.report.kinds) for one in (before, after)):
            raise NothingToAudit("nothing to compare: neither side shows any machine learning")
        told = after.side._replace(remarks=tuple(remarks))
        return compared(before.side, told, _renamed(before, after), tuple(regressions))


class Ends(NamedTuple):
    """What is compared: two words of the command line (no `head` stands for the work tree), and the bytes of those of
    them that are reports."""

    root: Path
    base: str
    head: str | None
    reports: Mapping[str, bytes]
    exclude: Sequence[str] = ()


def compare_ends(
    ends: Ends, pack: Pack, asked: Asked, regressions: Sequence[str] = (), remarks: Sequence[str] = (),
    cache: Cache = NOTHING_KEPT,
) -> Document:  # fmt: skip
    """The comparison of two revisions, of two reports, or of one with the other.

    A report shows only some of the evidence, so a tree is compared with one by what a report of it would show. Which
    files were renamed is not known of reports.
    """
    if not ends.reports:
        return compare_trees(
            ends.root, ends.base, ends.head, pack, asked, ends.exclude, regressions, remarks, cache
        )
    before, after = (_end(ends, word, pack, asked) for word in (ends.base, ends.head))
    return compared(before, after, {}, regressions)


def _end(ends: Ends, word: str | None, pack: Pack, asked: Asked) -> Side:
    if word is not None and word in ends.reports:
        return side_of_report(ends.reports[word], word)
    with Tree.open(ends.root, word, ends.exclude) as tree:
        name = WORK_TREE if word is None else _called(word, tree.commit)
        return side_of_tree(tree, name, pack, asked)


def fork_of(root: Path, base: str, head: str | None) -> str:
    """The commit at which `head` (without it: HEAD) left `base`. Raises RepositoryError."""
    repository = Repository.at(Path(os.path.realpath(root)))
    if repository is None:
        raise RepositoryError("a revision can only be read from a git repository")
    with clean(repository) as repo:
        commits = [resolve(repository, Path(repo.git_dir), rev) for rev in (base, head or "HEAD")]
        found = repo.merge_base(*commits)
    if not found:
        raise RepositoryError(f"{base!r} and {head or 'HEAD'!r} have no commit in common")
    return str(found[0])


def _called(rev: str, commit: str) -> str:
    """A revision for people: its name, and the beginning of its commit where that is another word."""
    short = commit[:12]
    return short if commit.startswith(rev) else f"{rev} ({short})"


def _audited(tree: Tree, name: str, pack: Pack, asked: Asked, memory: Memory) -> _Audited:
    facts, problems, kinds = examine(tree, pack, memory, Budget(RUN_SECONDS))
    report = report_on(tree, pack, facts, problems, kinds, replace(asked, baseline=None, with_snippets=False))
    return _Audited(tree, report, Side(name, document_of(report), _places(facts, pack)))


def _places(facts: Facts, pack: Pack) -> Callable[[str], Sequence[Piece]]:
    """All places of the whole repository that answer any signal of an aspect, found out when they are asked for."""
    known: dict[str, list[Piece]] = {}

    def places(aspect: str) -> Sequence[Piece]:
        rule = pack.rule(aspect)
        if rule is not None and aspect not in known:
            opposing = against(rule)
            known[aspect] = [
                Piece(aspect, piece_of(Evidence(name, fact)), name in opposing)
                for name, signal in rule.signals.items()
                for fact in _each_line_once(answers(signal, facts))
            ]
        return known.get(aspect, [])

    return places


def _each_line_once(facts: Iterable[Fact]) -> Iterable[Fact]:
    """Of several facts of one line the first by name, the firmest of them."""
    ordered = sorted(facts, key=lambda fact: (fact.name, fact.faint, -fact.strength), reverse=True)
    return {fact.site: fact for fact in ordered}.values()


def _renamed(before: _Audited, after: _Audited) -> dict[str, str]:
    """Files that were renamed: gone from one side, new on the other, and alike."""
    old, new = before.paths(), after.paths()
    return renames(_sketches(before.tree, old - new), _sketches(after.tree, new - old))


def _sketches(tree: Tree, paths: set[str]) -> Mapping[str, Sketch]:
    found: dict[str, Sketch] = {}
    for file in tree.files:
        if file.path in paths and len(found) < 2_000:
            try:
                found[file.path] = sketch(decode(file.read()))
            except ParseFailure:
                continue
    return found


# ------------------------------------------------------------------------------------------------ reports


def side_of_report(data: bytes, name: str) -> Side:
    """The side that a JSON report makes. Raises CompareError for anything else."""
    if len(data) > LARGEST_REPORT:
        raise CompareError(f"{name}: larger than {LARGEST_REPORT} bytes")
    try:
        document = json.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError, MemoryError) as error:
        raise CompareError(f"{name}: no valid JSON: {error}") from error
    if not isinstance(document, dict) or not str(document.get("schema_version", "")).startswith("1."):
        raise CompareError(f"{name}: no report of `mlops-audit audit --format json`")
    try:
        side = Side(name, document, _shown(document), whole=False)
        _touch(side)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise CompareError(f"{name}: a report that is not whole: {error}") from error
    return side


def side_of_tree(tree: Tree, name: str, pack: Pack, asked: Asked) -> Side:
    """The side of a tree that is compared with a report: with what a report of it would show."""
    facts, problems, kinds = examine(tree, pack, budget=Budget(RUN_SECONDS))
    document = document_of(
        report_on(tree, pack, facts, problems, kinds, replace(asked, baseline=None, with_snippets=False))
    )
    return Side(name, document, _shown(document), whole=False)


def _shown(document: Document) -> Callable[[str], Sequence[Piece]]:
    """The places that a report shows of an aspect: its evidence, and its line findings."""
    aspects = {aspect["id"]: aspect for pillar in document["pillars"] for aspect in pillar["aspects"]}
    opposing: dict[str, dict[tuple[object, ...], Document]] = {}
    for row in document.get("line_findings", []):
        rest = {"strength": "used", "faint": False, "chain": []}
        key = (row["signal"], row["path"], row["line"], row["cell"], row["name"])
        opposing.setdefault(row["aspect"], {})[key] = row | rest

    def places(aspect: str) -> Sequence[Piece]:
        keeping = opposing.get(aspect, {})
        signals = {key[0] for key in keeping}
        shown = aspects[aspect]["evidence"] if aspect in aspects else []
        found = [Piece(aspect, row) for row in shown if row["signal"] not in signals]
        return found + [Piece(aspect, {**row, "aspect": aspect}, True) for row in keeping.values()]

    return places


def _touch(side: Side) -> None:
    """Ask a report of foreign origin for all that a comparison will ask of it, so that it fails here or never."""
    document = side.document
    known = {aspect.id for aspect in catalogue.load().aspects}
    numbers = [document["maturity"]["level"], document["maturity"]["levels"][-1]["level"]]
    for pillar in document["pillars"]:
        numbers.append(0 if pillar["score"] is None else pillar["score"])
        _texts(pillar["id"], pillar["title"])
        for aspect in pillar["aspects"]:
            _texts(aspect["id"], aspect["title"], aspect["verdict"], *aspect["lacks"], *aspect["applies_to"])
            numbers += [aspect["weight"], aspect["evidence_left_out"]]
            place = aspect["location"] or {"path": "", "line": 0}
            _texts(place["path"])
            numbers.append(place["line"])
            for piece in side.places(aspect["id"]):
                row = piece.row
                _texts(row["signal"], row["name"], row["path"], row["strength"])
                numbers += [row["line"], row["cell"], piece.firmness[1], len(row["chain"])]
                for link in row["chain"]:
                    _texts(link["path"], link["runs"])
                    numbers += [link["line"], link["cell"]]
    for gate in document["maturity"]["gates"]:
        _texts(gate["needs"], gate["at_least"], *gate["aspects"], *gate["closed_by"])
        numbers += [gate["level"], gate["open"]]
    for claim in document["unsupported_claims"]:
        _texts(claim["aspect"], claim["text"], claim["path"])
        numbers.append(claim["line"])
    _texts(document["project"], document["commit"], document["tool"]["version"], *document["kinds"])
    numbers += [0 if document["score"] is None else document["score"], len(document["problems"])]
    _texts(document["maturity"]["title"])
    if not all(isinstance(number, int | float) for number in numbers):
        raise TypeError("a number is expected")
    if not known & set(side.aspects):
        raise ValueError("it knows none of the aspects")


def _texts(*words: object) -> None:
    if not all(isinstance(word, str) for word in words):
        raise TypeError("a text is expected")
