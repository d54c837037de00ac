"""Measure audits against other programs, side by side: `python benchmarks/measure.py [REPOSITORY...]`.

Lays out synthetic repositories and the given ones (folders, or addresses that git can clone), runs all programs in turn, round
after round, so that a busy machine is busy for all of them, and prints as Markdown what each cost and how that stands to the
goals: ratios are medians over the pairs of a round. Programs that are not installed are left out; `--peers` names a folder
with some. What takes longer than the time box is ended, and counts for what it took until then.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from generate import git, lay_out
from goals import (
    CODED,
    COLD,
    DOCTOR,
    EDITED,
    NO_CACHE,
    PASS,
    REPROLINT,
    REVISED,
    REVISION,
    RUFF,
    SEMGREP,
    STATED,
    STATUS,
    UNCHANGED,
    VERSION,
    Measured,
    details,
    table,
)
from timing import memory, timed

SYNTHETIC = (("synthetic small", 100, "mixed"), ("synthetic library", 2_200, "python"), ("synthetic notebooks", 1_000, "notebooks"), ("synthetic mixed", 4_000, "mixed"))
GROWING = (2_000, 4_000, 8_000, 16_000)
PEERS = {DOCTOR: [], REPROLINT: [], SEMGREP: ["--metrics=off", "--disable-version-check", "-q", "--config", str(Path(__file__).with_name("semgrep.yaml"))]}


class Bench:
    """One copy of a repository with a cache of its own, and the programs that are run on it."""

    def __init__(self, root: Path, place: Path, peers: Sequence[str], box: float) -> None:
        self.root, self.place, self.box = root, place, box
        self.kept = place / "kept"
        self.environment: Mapping[str, str] = {**os.environ, "XDG_CACHE_HOME": str(self.kept), "XDG_CONFIG_HOME": str(place / "none")}
        tracked = git(root, "ls-files").splitlines()
        of_python = [name for name in tracked if name.endswith(".py")]
        coded = [name for name in of_python if b"\ndef " in (root / name).read_bytes()] or of_python
        self.edited, self.stating, self.committed = root / coded[0], root / coded[len(coded) // 2], root / of_python[-1]
        self.measured = Measured(root.name, len(tracked), len(of_python), sum(name.endswith(".ipynb") for name in tracked))
        self.beside = {PASS: [sys.executable, "-I", "-c", "pass"], STATUS: ["git", "-C", str(root), "status", "--porcelain"]}
        if ruff := found("ruff", peers):
            self.beside[RUFF] = [ruff, "check", "--isolated", "--no-cache", "-q", "--exit-zero", str(root)]
        self.peers = {name: [program, *words, str(root)] for name, words in PEERS.items() if (program := found(name, peers))}

    def ours(self, *words: str) -> list[str]:
        return [*OURS, "audit", str(self.root), "--format", "json", *words]

    def run(self, name: str, command: Sequence[str]) -> None:
        """One run more; a program that fails has measured nothing."""
        run = timed(command, self.place, self.environment, self.box)
        if run.failed:
            say(f"{name} failed with exit code {run.code} in {self.measured.name}: left out")
        else:
            self.measured.runs.setdefault(name, []).append(run)

    def forget(self) -> None:
        """Everything but the compiled rules: what they follow from is no repository."""
        for file in (self.kept / "mlops-audit").glob("*"):
            if not file.name.startswith("rules-"):
                file.unlink()

    def warm(self) -> None:
        """All files are in memory and the rules are compiled. Tells when the audit does not get to its end."""
        for command in self.beside.values():
            timed(command, self.place, self.environment, self.box)
        said = subprocess.run(self.ours(), cwd=self.place, env=self.environment, check=False, capture_output=True).stdout
        if b"skipped: the time limit" in said:
            self.measured.name += " (cut by the audit's own time limit)"

    def cold(self, *words: str) -> None:
        self.forget()
        self.run(COLD, self.ours(*words))

    def round(self, with_peers: bool) -> None:
        for name, command in self.beside.items():
            self.run(name, command)
        self.run(VERSION, [*OURS, "--version"])
        self.cold()
        self.run(UNCHANGED, self.ours())
        self.run(NO_CACHE, self.ours("--no-cache"))
        changed(self.edited)
        self.run(EDITED, self.ours())
        changed(self.edited, CODE)
        self.run(CODED, self.ours())
        changed(self.stating, STATING)
        self.run(STATED, self.ours())
        self.commit()
        self.run(REVISED, self.ours("--rev", "HEAD"))
        changed(self.committed)
        self.commit()
        self.run(REVISION, self.ours("--rev", "HEAD"))
        if with_peers:
            for name, command in self.peers.items():
                self.run(name, command)

    def commit(self) -> None:
        """A commit of what was edited, of which git has seen every file."""
        git(self.root, "commit", "-aqm", "edited")
        git(self.root, "status", "--porcelain")

    def remember(self) -> None:
        """The memory of each program, in runs that are not timed."""
        if sys.platform != "linux":
            return
        self.forget()
        for name, command in {RUFF: self.beside.get(RUFF), COLD: self.ours(), NO_CACHE: self.ours("--no-cache")}.items():
            if command:
                self.measured.memory[name] = memory(command, self.place, self.environment, self.box)


def ours() -> list[str]:
    """The program as it is installed beside this Python, else as a module."""
    program = Path(sys.executable).with_name("mlops-audit")
    return [str(program)] if program.is_file() else [sys.executable, "-m", "mlops_audit"]


OURS = ours()


def found(name: str, folders: Sequence[str]) -> str | None:
    return shutil.which(name, path=os.pathsep.join([*folders, str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


COMMENT = "# {}\n"
CODE = "\n\ndef added_{}(rows):\n    return sorted(rows)\n"
STATING = 'import mlflow\n\nmlflow.log_metric("loss_{}", 1)\n'


def changed(file: Path, text: str = COMMENT) -> None:
    """A little more at the end of a file, which no version of it had before."""
    with file.open("a") as stream:
        stream.write(text.format(time.time_ns()))


def copied(given: str, place: Path) -> Path:
    """A clone of an address, or a copy of a folder, that may be changed."""
    root = place / (given.rstrip("/").rpartition("/")[2].removesuffix(".git") or "repository")
    if not Path(given).is_dir():
        subprocess.run(["git", "clone", "-q", "--depth", "1", "--", given, root], check=True)
        return root
    shutil.copytree(given, root, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    git(root, "init", "-q")
    git(root, "add", "-A", "-f")
    git(root, "commit", "-qm", "all")
    return root


def measure(name: str, lay: Callable[[Path], Path], asked: argparse.Namespace, growth: bool = False) -> Measured:
    say(f"{name} ...")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        bench = Bench(lay(place), place, asked.peers, asked.box)
        bench.warm()
        for number in range(asked.runs):
            if growth:
                bench.cold("--time-limit", "3600")
            else:
                bench.round(number < asked.runs_of_peers)
        if not growth:
            bench.remember()
        return bench.measured


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def versions(peers: Sequence[str]) -> str:
    told = [f"{platform.python_implementation()} {platform.python_version()}", f"{os.cpu_count()} cores"]
    commands = {"git": "git", "mlops-audit": OURS[0], **{name: found(name, peers) for name in ("ruff", SEMGREP)}}
    for name, program in commands.items():
        if not program:
            told.append(f"no {name}")
            continue
        words = [program, "--version"] if name != "mlops-audit" else [*OURS, "--version"]
        said = subprocess.run(words, check=False, capture_output=True, text=True).stdout.split()
        told.append(f"{name} {said[-1]}" if said else f"no {name}")
    for name in (DOCTOR, REPROLINT):
        told.append(f"{name} {_installed(found(name, peers), name)}".strip())
    return ", ".join(told)


def _installed(program: str | None, name: str) -> str:
    """The version of a package, asked of the Python beside its program."""
    if program is None:
        return "not installed"
    question = f"import importlib.metadata; print(importlib.metadata.version({name!r}))"
    python = Path(program).with_name("python")
    return subprocess.run([python, "-c", question], check=False, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="*", help="folders, or addresses that git can clone")
    parser.add_argument("--runs", type=int, default=5, help="rounds (5)")
    parser.add_argument("--runs-of-peers", type=int, default=1, help=f"rounds with {', '.join(PEERS)} (1)")
    parser.add_argument("--peers", action="append", default=[], help="a folder with programs to measure against")
    parser.add_argument("--box", type=float, default=90, help="seconds after which a program is ended (90)")
    parser.add_argument("--scale", type=float, default=1, help="the size of the synthetic repositories, 0 for none (1)")
    parser.add_argument("--no-growth", action="store_true", help="leave out the growing repositories")
    parser.add_argument("--growth-only", action="store_true", help="measure nothing but the growing repositories")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    measured = []
    for name, files, shape in SYNTHETIC if asked.scale and not asked.growth_only else ():
        count = max(20, round(files * asked.scale))
        measured.append(measure(name, lambda place, n=name, c=count, s=shape: lay_out(place / n, c, s), asked))  # type: ignore[misc]
    for given in asked.repositories:
        measured.append(measure(given, lambda place, g=given: copied(g, place), asked))  # type: ignore[misc]
    growing = []
    for files in GROWING if asked.scale and not asked.no_growth else ():
        count = max(20, round(files * asked.scale))
        growing.append(measure(f"growth, {count} files", lambda place, c=count: lay_out(place / f"{c}", c), asked, growth=True))  # type: ignore[misc]
    lines = [f"{versions(asked.peers)}. {asked.runs} rounds; load before: {load:.1f}.", "", *table(measured, growing)]
    for one in measured:
        lines += details(one)
    lines += ["", "### Growth", "", "| files | cold, s | CPU s | s per 1,000 files |", "| --- | --- | --- | --- |"] if growing else []
    for one in growing:
        wall, cpu = one.seconds(COLD) or 0, one.seconds(COLD, "cpu") or 0
        lines.append(f"| {one.files:,} | {wall:.2f} | {cpu:.2f} | {1000 * wall / one.files:.2f} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
