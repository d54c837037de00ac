"""The goals for speed and memory, and how what was measured stands to them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from timing import Run

PASS, STATUS, RUFF = "python -I -c pass", "git status", "ruff check --isolated --no-cache"
DOCTOR, REPROLINT, SEMGREP = "ml-project-doctor", "reprolint", "semgrep"
VERSION, COLD, NO_CACHE = "--version", "audit, cold", "audit --no-cache"
UNCHANGED, EDITED, STATED = "audit, unchanged", "audit, one file edited", "audit, one file states more"
CODED = "audit, one file with a function more"
REVISION, REVISED = "audit --rev, one file edited", "audit --rev, one file states more"


@dataclass
class Measured:
    """One repository: its size, and of each program the runs, those of one round at the same place, and its memory."""

    name: str
    files: int
    python: int
    notebooks: int
    runs: dict[str, list[Run]] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)

    def ratio(self, name: str, beside: str, part: str = "wall") -> float | None:
        """The median, over the rounds, of what one program cost against another in the same round."""
        pairs = list(zip(self.runs.get(name, ()), self.runs.get(beside, ()), strict=False))
        if not pairs:
            return None
        ratios: list[float] = [getattr(one, part) / max(getattr(other, part), 1e-4) for one, other in pairs]
        return statistics.median(ratios)

    def seconds(self, name: str, part: str = "wall") -> float | None:
        runs = self.runs.get(name)
        return statistics.median(getattr(run, part) for run in runs) if runs else None


@dataclass(frozen=True)
class Goal:
    """At most so many times what the other program costs, in the repositories that it is set for."""

    case: str
    program: str
    beside: str
    limit: float
    fits: Callable[[Measured], bool]
    of_memory: bool = False


def small(one: Measured) -> bool:
    return one.files <= 200


def large(one: Measured) -> bool:
    return one.python >= 2_000


def library(one: Measured) -> bool:
    return large(one) and one.python >= 0.9 * one.files


def mixed(one: Measured) -> bool:
    return one.files >= 500 and one.python < 0.9 * one.files


def four_thousand(one: Measured) -> bool:
    return 3_000 <= one.files <= 6_000


GOALS = (
    Goal("`--version`", VERSION, PASS, 3, small),
    Goal("small repository, cold, JSON", COLD, PASS, 10, small),
    Goal("2,000 Python files and more, cold", COLD, RUFF, 1, library),
    Goal("mixed and with many notebooks, cold", COLD, RUFF, 2, mixed),
    Goal("2,000 Python files and more, cold", COLD, DOCTOR, 0.1, large),
    Goal("2,000 Python files and more, cold", COLD, REPROLINT, 0.1, large),
    Goal("nothing changed, about 4,000 files", UNCHANGED, STATUS, 2.5, four_thousand),
    Goal("nothing changed, small repository", UNCHANGED, PASS, 2.5, small),
    Goal("one file edited of about 4,000, a comment", EDITED, STATUS, 4, four_thousand),
    Goal("one file of about 4,000 has a function more", CODED, STATUS, 4, four_thousand),
    Goal("one file of about 4,000 states something new", STATED, STATUS, 4, four_thousand),
    Goal("`--rev` of a commit with one file edited, a comment", REVISION, EDITED, 1.2, four_thousand),
    Goal("peak memory, cold, about 4,000 files", COLD, RUFF, 0.8, four_thousand, of_memory=True),
)
MOST_GROWTH = 1.2  # of the time per 1,000 files, from the smallest of the growing repositories to the largest


def table(measured: Sequence[Measured], growing: Sequence[Measured]) -> list[str]:
    """The goals as rows of Markdown, each with its ratio in every repository that it is set for."""
    rows = ["| case | at most | in | by the clock | by CPU | |", "| --- | --- | --- | --- | --- | --- |"]
    for goal in GOALS:
        limit = f"{goal.limit:g} x {f'`{goal.beside}`' if goal.beside != EDITED else goal.beside}"
        fitting = [one for one in measured if goal.fits(one)]
        for one in fitting:
            rows.append(f"| {goal.case} | {limit} | {one.name} | {_told(goal, one)} |")
        if not fitting:
            rows.append(f"| {goal.case} | {limit} | | | | not measured |")
    if len(growing) > 1:
        rows.append(_growth(growing))
    return rows


def _told(goal: Goal, one: Measured) -> str:
    if goal.of_memory:
        ours, theirs = one.memory.get(goal.program), one.memory.get(goal.beside)
        if not ours or not theirs:
            return "| | not measured"
        return f"{ours:.0f} MiB : {theirs:.0f} MiB = {ours / theirs:.2f} | | {_verdict(ours / theirs, goal.limit)}"
    wall, cpu = one.ratio(goal.program, goal.beside), one.ratio(goal.program, goal.beside, "cpu")
    if wall is None or cpu is None:
        return "| | not measured"
    less = "less than " if any(run.ended for run in one.runs[goal.beside]) else ""
    return f"{less}{wall:.2f} | {less}{cpu:.2f} | {_verdict(wall, goal.limit)}"


def _verdict(found: float, limit: float) -> str:
    return "**reached**" if found <= limit else f"not reached: {found / limit:.1f} times as much"


def _growth(growing: Sequence[Measured]) -> str:
    first, last = min(growing, key=lambda one: one.files), max(growing, key=lambda one: one.files)
    case = f"| growth, {first.files:,} to {last.files:,} files, cold | {MOST_GROWTH} x per 1,000 files |"
    by_part: Mapping[str, tuple[float | None, float | None]] = {
        part: (first.seconds(COLD, part), last.seconds(COLD, part)) for part in ("wall", "cpu")
    }
    ratios = [(b / last.files) / (a / first.files) for a, b in by_part.values() if a and b]
    if len(ratios) < 2:
        return f"{case} | | | not measured |"
    return f"{case} synthetic | {ratios[0]:.2f} | {ratios[1]:.2f} | {_verdict(ratios[0], MOST_GROWTH)} |"


def details(one: Measured) -> list[str]:
    """What was measured in one repository, as Markdown: each program beside those that the goals name."""
    beside = [name for name in (PASS, STATUS, RUFF) if name in one.runs]
    head = f"{one.name}: {one.files:,} files, {one.python:,} of them Python, {one.notebooks:,} notebooks"
    rows = ["", f"### {head}", "", f"| program | s | CPU s | MiB | {' | '.join(f': `{name}`' for name in beside)} |"]
    rows.append(f"| --- | --- | --- | --- | {' | '.join('---' for _ in beside)} |")
    for name, runs in one.runs.items():
        more = "> " if any(run.ended for run in runs) else ""
        cells = [f"{more}{one.seconds(name):.3f}", f"{more}{one.seconds(name, 'cpu'):.3f}"]
        cells.append(f"{one.memory[name]:.0f}" if one.memory.get(name) else "")
        cells += [f"{one.ratio(name, other):.2f} (CPU {one.ratio(name, other, 'cpu'):.2f})" for other in beside]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows
