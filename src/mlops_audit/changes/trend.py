"""The way a repository came: audits of chosen commits of its history, and the commits at which aspects came or went."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timezone
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from mlops_audit import catalogue
from mlops_audit.audit import Asked, NothingToAudit
from mlops_audit.budget import ENDLESS, Budget
from mlops_audit.cache import NOTHING_KEPT, Cache
from mlops_audit.changes.states import RANKS, State, States
from mlops_audit.repository import Repository, RepositoryError
from mlops_audit.repository.clean_git import clean, resolve
from mlops_audit.repository.history import Commit, first_parents, tagged
from mlops_audit.rules import Pack

EVERY = ("month", "week", "commit")


class Point(NamedTuple):
    """A chosen commit, the tags that name it, and its state."""

    commit: Commit
    tags: tuple[str, ...]
    state: State


class Change(NamedTuple):
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


class LeftOut(NamedTuple):
    """What the time was too short for: chosen commits (the oldest of them) that nobody looked at, and stretches of the
    history inside which a change was not searched for."""

    seconds: float
    points: int = 0
    stretches: int = 0


class Trend(NamedTuple):
    """The history of a repository at chosen points, oldest first, and what changed between them, in that order.

    `audits` are the commits whose state was asked for, by an audit now or one that was kept.
    """

    project: str
    head: str
    chosen_by: str
    points: Sequence[Point]
    changes: Sequence[Change]
    commits: int
    audits: int
    shallow: bool
    left_out: LeftOut | None = None


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
    budget: Budget = ENDLESS,
    cache: Cache = NOTHING_KEPT,
) -> Trend:
    """The history that leads to `rev`, read from git objects along the first parents of merges.

    All commits are audited by the same rules and configuration, so that only the repository changes; waivers and
    baselines change no verdict here. Once the budget is spent nothing more is audited; what was found out stays in the
    cache, so that the next run goes on from there. Raises RepositoryError, and NothingToAudit where no chosen commit holds anything.
    """
    root = Path(os.path.realpath(root))
    repository = Repository.at(root)
    if repository is None:
        raise RepositoryError("a history can only be read from a git repository")
    with clean(repository) as repo:
        head = resolve(repository, Path(repo.git_dir), rev)
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
        name = root.name.removesuffix(".git") or "repository"
        search = _Search(States(repo, root, name, pack, exclude, asked, cache), budget, progress)
        try:
            seen = search.last_of(chosen)
            points = [Point(commit, tuple(names.get(commit.id, ())), search.state(commit)) for commit in seen]
            if all(point.state.level is None for point in points):
                raise NothingToAudit(
                    "nothing to audit: no sign of machine learning at any of the chosen commits"
                )
            changes = search.changes(line, seen, whole and len(seen) == len(chosen))
        finally:
            search.states.close()
        missed = len(chosen) - len(seen)
        left_out = (
            LeftOut(budget.seconds or 0, missed, search.stretches) if missed or search.stretches else None
        )
        return Trend(
            name,
            head,
            str(choice),
            points,
            changes,
            len(line),
            search.states.known,
            repository.shallow,
            left_out,
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


class _Search:
    """Looks at commits while there is time: first the chosen ones, from the latest on, then those between them."""

    def __init__(self, states: States, budget: Budget, progress: Progress) -> None:
        self.states, self._budget, self._progress = states, budget, progress
        self.stretches = 0
        self._waiting = 0

    def state(self, commit: Commit) -> State:
        self._progress(self.states.known, self.states.known + max(self._waiting, 1))
        return self.states.of(commit)

    def last_of(self, chosen: Sequence[Commit]) -> list[Commit]:
        """Those of the chosen commits that there is time for, oldest first; the latest is looked at in any case."""
        found: list[Commit] = []
        for commit in reversed(chosen):
            if found and not self.states.has(commit) and self._budget.over:
                break
            self._waiting = len(chosen) - len(found)
            self.state(commit)
            found.append(commit)
        return found[::-1]

    def changes(self, line: Sequence[Commit], chosen: Sequence[Commit], whole: bool) -> list[Change]:
        """What changed from each chosen commit to the next; before the first of a whole history there was nothing."""
        places = {commit.id: number for number, commit in enumerate(line)}
        found: list[list[Change]] = []
        for before, after in reversed(list(pairwise(chosen))):  # the latest first, while there is time
            here, there = places.get(before.id), places.get(after.id)
            if here is not None and there is not None and here < there:
                found.append(self._bisected(line, here, there))
            else:
                found.append(_differences(self.state(before), self.state(after), after, exact=False))
        if whole:
            found.append(self._bisected(line, -1, places[chosen[0].id]))
        return [change for changes in reversed(found) for change in changes]

    def _bisected(self, line: Sequence[Commit], low: int, high: int) -> list[Change]:
        """The changes between two places of the line, each at the commit that made it.

        Halves whose ends agree are taken as unchanged: what came and went again inside one is not seen.
        """
        found: list[tuple[int, list[Change]]] = []
        stack = [(low, high)]
        while stack:
            here, there = stack.pop()
            before = self.state(line[here]) if here >= 0 else State()
            after = self.state(line[there])
            middle = (here + there) // 2
            if there - here == 1:
                found.append((there, _differences(before, after, line[there])))
            elif not (differences := _differences(before, after, line[there], exact=False)):
                continue
            elif not self.states.has(line[middle]) and self._budget.over:
                self.stretches += 1
                found.append((there, differences))
            else:
                self._waiting = 1 + len(stack)
                stack += [(here, middle), (middle, there)]
        return [change for _, changes in sorted(found, key=lambda pair: pair[0]) for change in changes]


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
