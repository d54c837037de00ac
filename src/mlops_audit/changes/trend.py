"""The way a repository came: audits of chosen commits of its history, and the commits at which aspects came or went."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timezone
from itertools import pairwise
from pathlib import Path

from mlops_audit import catalogue
from mlops_audit.audit import MACHINE_LEARNING, PROFILES, Asked, NothingToAudit, examine, findings
from mlops_audit.memory import Memory
from mlops_audit.repository import Commit, Objects, Repository, RepositoryError, first_parents, tagged
from mlops_audit.rules import Pack
from mlops_audit.score import disable, maturity, pillar_score, score, verdicts, weigh
from mlops_audit.tree import Tree

EVERY = ("month", "week", "commit")
RANKS: Mapping[str, int] = {"na": 0, "missing": 0, "unknown": 0, "partial": 1, "pass": 2}


@dataclass(frozen=True, slots=True)
class State:
    """What the audit of a commit says: `level` and scores are None where there is no machine learning to audit."""

    level: int | None = None
    score: float | None = None
    pillars: Mapping[str, float | None] = field(default_factory=dict)
    verdicts: Mapping[str, str] = field(default_factory=dict)
    files: int = 0

    def rank(self, aspect: str) -> int:
        return RANKS[self.verdicts.get(aspect, "missing")]


@dataclass(frozen=True, slots=True)
class Point:
    """A chosen commit, the tags that name it, and its state."""

    commit: Commit
    tags: tuple[str, ...]
    state: State


@dataclass(frozen=True, slots=True)
class Change:
    """An aspect (or with "" the level) that changed with a commit.

    `exact` is false where only the commit by which it had changed is known, not the one that changed it.
    """

    aspect: str
    was: str
    now: str
    commit: Commit
    exact: bool = True

    @property
    def event(self) -> str:
        """In a word or three: appeared, completed, weakened, lost, no longer asked; of the level: rose, fell."""
        if not self.aspect:
            return "rose" if self.was == "none" or (self.now != "none" and self.now > self.was) else "fell"
        if RANKS[self.now] > RANKS[self.was]:
            return "appeared" if RANKS[self.was] == 0 else "completed"
        if self.now == "na":
            return "no longer asked"
        return "lost" if RANKS[self.now] == 0 else "weakened"


@dataclass(frozen=True, slots=True)
class Trend:
    """The history of a repository at chosen points, oldest first, and what changed between them, in that order."""

    project: str
    head: str
    chosen_by: str
    points: Sequence[Point]
    changes: Sequence[Change]
    commits: int
    audits: int
    shallow: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """Which commits to look at: the last of each period, or tags; of those the last so many, or those since a day."""

    every: str = "month"
    tags: bool = False
    last: int | None = None
    since: date | None = None

    def __str__(self) -> str:
        return "tags" if self.tags else f"every {self.every}"


Progress = Callable[[int, int], None]  # audits done, audits expected so far


def trend(
    root: Path,
    pack: Pack,
    choice: Choice = Choice(),
    *,
    rev: str = "HEAD",
    exclude: Sequence[str] = (),
    asked: Asked = Asked(),  # noqa: B008 (frozen)
    progress: Progress = lambda done, expected: None,
) -> Trend:
    """The history that leads to `rev`, read from git objects along the first parents of merges.

    All commits are audited by the same rules and configuration, so that only the repository changes; waivers and
    baselines change no verdict here. Raises RepositoryError, and NothingToAudit where no chosen commit holds anything.
    """
    root = Path(os.path.realpath(root))
    repository = Repository.at(root)
    if repository is None:
        raise RepositoryError("a history can only be read from a git repository")
    with repository.clean() as repo:
        head = repository.resolve(repo, rev)
        line = first_parents(repo, head)
        names: dict[str, list[str]] = {}
        tags = tagged(repo)
        for name, commit in tags:
            names.setdefault(commit.id, []).append(name)
        chosen = (
            list(dict.fromkeys(commit for _, commit in tags)) if choice.tags else _periods(line, choice.every)
        )
        whole = not choice.tags
        if choice.since is not None:
            start = datetime.combine(choice.since, time(), timezone.utc).timestamp()
            chosen = [commit for commit in chosen if commit.when >= start]
            whole = whole and bool(line) and line[0].when >= start
        if choice.last is not None and len(chosen) > choice.last:
            chosen, whole = chosen[-choice.last :], False
        if not chosen:
            raise NothingToAudit(f"no commit to look at: {choice} gives none")
        audits = _Audits(repo, root.name.removesuffix(".git") or "repository", pack, exclude, asked, progress)
        audits.expected = len(chosen)
        points = [Point(commit, tuple(names.get(commit.id, ())), audits.of(commit)) for commit in chosen]
        if all(point.state.level is None for point in points):
            raise NothingToAudit("nothing to audit: no sign of machine learning at any of the chosen commits")
        changes = _changes(line, chosen, audits, whole)
        return Trend(
            audits.name, head, str(choice), points, changes, len(line), audits.done, repository.shallow
        )


def _periods(line: Sequence[Commit], every: str) -> list[Commit]:
    """The last commit of each period; a commit dated before its parent counts as dated like it."""
    last: dict[object, Commit] = {}
    latest = 0
    for commit in line:
        latest = max(latest, commit.when)
        day = datetime.fromtimestamp(latest, timezone.utc)
        period = {"month": (day.year, day.month), "week": day.isocalendar()[:2]}.get(every, commit.id)
        last[period] = commit
    return list(last.values())


class _Audits:
    """Audits commits of one repository, each tree once, with one memory."""

    def __init__(
        self, repo: Objects, name: str, pack: Pack, exclude: Sequence[str], asked: Asked, progress: Progress
    ) -> None:
        self.name = name
        self.done = self.expected = 0
        self._repo, self._pack, self._exclude, self._asked = repo, pack, exclude, asked
        self._progress = progress
        self._memory = Memory()
        self._known: dict[str, State] = {}

    def of(self, commit: Commit) -> State:
        if commit.tree not in self._known:
            self._progress(self.done, max(self.expected, self.done + 1))
            self._known[commit.tree] = self._audit(commit)
            self.done += 1
            self._progress(self.done, max(self.expected, self.done))
        return self._known[commit.tree]

    def _audit(self, commit: Commit) -> State:
        tree = Tree.of_commit(self._repo, commit.id, self.name, self._exclude)
        facts, _, kinds = examine(tree, self._pack, self._memory)
        if not MACHINE_LEARNING & set(kinds):
            return State(files=len(tree.files))
        if self._asked.profile in PROFILES:
            kinds = {**kinds, PROFILES[self._asked.profile]: ()}
        found = weigh(disable(findings(facts, kinds, self._pack), self._asked.disabled), self._asked.weights)
        standard = catalogue.load()
        return State(
            maturity(verdicts(found), standard.levels).level.level,
            score(found),
            {pillar.id: pillar_score(found, pillar.id) for pillar in standard.pillars},
            {finding.aspect.id: finding.verdict.value for finding in found},
            len(tree.files),
        )


def _changes(line: Sequence[Commit], chosen: Sequence[Commit], audits: _Audits, whole: bool) -> list[Change]:
    """What changed from each chosen commit to the next; before the first of a whole history there was nothing."""
    places = {commit.id: number for number, commit in enumerate(line)}
    found: list[Change] = []
    if whole:
        found.extend(_bisected(line, -1, places[chosen[0].id], audits))
    for before, after in pairwise(chosen):
        here, there = places.get(before.id), places.get(after.id)
        if here is not None and there is not None and here < there:
            found.extend(_bisected(line, here, there, audits))
        else:
            found.extend(_differences(audits.of(before), audits.of(after), after, exact=False))
    return found


def _bisected(line: Sequence[Commit], low: int, high: int, audits: _Audits) -> Iterator[Change]:
    """The changes between two places of the line, each at the commit that made it.

    Halves whose ends agree are taken as unchanged: what came and went again inside one is not seen.
    """
    stack = [(low, high)]
    while stack:
        here, there = stack.pop()
        before = audits.of(line[here]) if here >= 0 else State()
        after = audits.of(line[there])
        differences = _differences(before, after, line[there])
        if there - here == 1:
            yield from differences
        elif differences:
            middle = (here + there) // 2
            audits.expected = max(audits.expected, audits.done + 1 + len(stack))
            stack += [(middle, there), (here, middle)]


def _differences(before: State, after: State, commit: Commit, exact: bool = True) -> list[Change]:
    found = [
        Change(
            aspect.id,
            before.verdicts.get(aspect.id, "missing"),
            after.verdicts.get(aspect.id, "missing"),
            commit,
            exact,
        )
        for aspect in catalogue.load().aspects
        if before.rank(aspect.id) != after.rank(aspect.id)
        and "unknown" not in (before.verdicts.get(aspect.id), after.verdicts.get(aspect.id))
    ]
    if before.level != after.level:
        found.append(Change("", _word(before.level), _word(after.level), commit, exact))
    return found


def _word(level: int | None) -> str:
    return "none" if level is None else str(level)
