"""Changed files, each by itself: can it be read, and what evidence did it take away. Never a score, never a verdict."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mlops_audit.extract import extract_file
from mlops_audit.facts import Facts, Problem, Site, Zone
from mlops_audit.globs import globs
from mlops_audit.judge import answers
from mlops_audit.parse.nodes import NotRead, ParseFailure
from mlops_audit.repository import RepositoryError
from mlops_audit.repository.regular_files import read_regular
from mlops_audit.rule_packs import rule_pack
from mlops_audit.rules import Pack, Rule
from mlops_audit.tree import File, Tree, cap_of, zones_of

TEMPLATE_FILES = ("cookiecutter.json", "copier.yml", "copier.yaml")  # their presence changes zones
NOTHING, FAINT, FIRM = 0, 1, 2

Standing = Mapping[tuple[str, str], int]  # (aspect, signal) -> NOTHING, FAINT or FIRM


@dataclass(frozen=True, slots=True)
class Loss:
    """Signals of one aspect that a file answered at HEAD and answers no longer, or only with faint evidence."""

    path: str
    aspect: str
    gone: tuple[str, ...]
    faint: tuple[str, ...]

    def __str__(self) -> str:
        gone = f"no longer {', '.join(self.gone)}" if self.gone else ""
        faint = f"now only as dead or declared code: {', '.join(self.faint)}" if self.faint else ""
        return f"{self.path}: note: {'; '.join(filter(None, (gone, faint)))} ({self.aspect})"


class Checked(NamedTuple):
    """What a check found: files that cannot be read, and evidence that went away since HEAD."""

    faults: tuple[Problem, ...]
    losses: tuple[Loss, ...]


def check(root: Path, paths: Iterable[str], exclude: Iterable[str] = ()) -> Checked:
    """Check files of the repository at `root` as they stand in the work tree; `paths` are relative to it.

    Third-party code, examples, links and what `exclude` names are left alone, and so is what only a look at the whole
    repository can tell.
    """
    left_out = globs(tuple(exclude), True) if (exclude := tuple(exclude)) else lambda path: False
    files = [
        file
        for file in _files(root, sorted(set(paths)))
        if file.zone is not Zone.FOREIGN and not left_out(file.path)
    ]
    faults: list[Problem] = []
    now: dict[str, Facts] = {}
    for file in files:
        facts, problems = extract_file(file)
        now[file.path] = Facts(facts)
        faults.extend(problem for problem in problems if not problem.unread)
        faults.extend(_conflict(file))
    told = {(fault.site.path, fault.site.line): fault for fault in reversed(faults)}
    return Checked(tuple(told[place] for place in sorted(told)), _losses(root, files, now))


def _files(root: Path, paths: list[str]) -> Iterator[File]:
    templates = [name for name in TEMPLATE_FILES if (root / name).is_file()]
    zones = zones_of([*paths, *templates])
    for path in paths:
        yield File(path, zones[path], partial(_read, root, path))


def _read(root: Path, path: str) -> bytes:
    try:
        return read_regular(root / path, cap_of(path))
    except OSError as error:
        raise NotRead(str(error.strerror or error)) from error


def _conflict(file: File) -> Iterator[Problem]:
    """The first merge marker of a file, whatever its format."""
    try:
        data = file.read()
    except ParseFailure:
        return
    start = re.search(rb"^<<<<<<< ", data, re.MULTILINE)
    if (
        start
        and re.search(rb"^=======\r?$", data, re.MULTILINE)
        and re.search(rb"^>>>>>>> ", data, re.MULTILINE)
    ):
        yield Problem(Site(file.path, data.count(b"\n", 0, start.start()) + 1), "a merge marker")


def _losses(root: Path, files: list[File], now: Mapping[str, Facts]) -> tuple[Loss, ...]:
    """What the files answered at HEAD and none of them answers as firmly any more."""
    before = dict(_at_head(root, files))
    if not before:
        return ()
    pack = rule_pack()
    standing = {path: _standing(now[path], pack) for path in now}
    best: dict[tuple[str, str], int] = {}
    for found in standing.values():
        for answered, level in found.items():
            best[answered] = max(level, best.get(answered, NOTHING))
    losses: list[Loss] = []
    for path, facts in before.items():
        lost: dict[str, tuple[list[str], list[str]]] = {}
        for (aspect, signal), level in _standing(facts, pack).items():
            if best.get((aspect, signal), NOTHING) < level:
                gone, faint = lost.setdefault(aspect, ([], []))
                (faint if standing[path].get((aspect, signal)) else gone).append(signal)
        losses.extend(Loss(path, aspect, tuple(gone), tuple(faint)) for aspect, (gone, faint) in lost.items())
    return tuple(sorted(losses, key=lambda loss: (loss.path, loss.aspect)))


def _at_head(root: Path, files: list[File]) -> Iterator[tuple[str, Facts]]:
    """The facts of those files that changed since HEAD, as they were there. None without a commit."""
    try:
        with Tree.open(root, "HEAD") as tree:
            known = {file.path: file for file in tree.files}
            for file in files:
                if file.path in known and not _same(file, known[file.path]):
                    yield file.path, Facts(extract_file(known[file.path])[0])
    except RepositoryError:
        return


def _same(one: File, other: File) -> bool:
    try:
        return one.read() == other.read()
    except ParseFailure:
        return True


def _standing(facts: Facts, pack: Pack) -> Standing:
    """How firmly the facts of one file answer each signal that speaks for an aspect."""
    found: dict[tuple[str, str], int] = {}
    for rule in pack.rules:
        for name in _speaking_for(rule):
            if answering := answers(rule.signals[name], facts):
                found[rule.id, name] = FAINT if all(fact.faint for fact in answering) else FIRM
    return found


def _speaking_for(rule: Rule) -> list[str]:
    """The signals of a rule, without those that speak against a verdict."""
    against = {name for clause in (*rule.passes, *rule.partial) for name in clause.none}
    return [name for name in rule.signals if name not in against]
