"""Time audits against other programs, side by side: `python benchmarks/measure.py [--runs N] REPOSITORY...`.

All programs are run in turn, over and over, so that a busy machine is busy for all of them; what is told is the median of
the ratios of each round, by CPU time (user and system, children counted) and by the clock, and the largest memory.
Programs that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

AUDIT = [sys.executable, "-m", "mlops_audit", "audit", "--format", "json"]


@dataclass(frozen=True)
class Run:
    wall: float
    cpu: float
    memory: int  # KiB, the largest process


def timed(command: list[str], folder: Path, environment: dict[str, str]) -> Run:
    started = time.perf_counter()
    with open(os.devnull, "wb") as nothing:
        process = subprocess.Popen(command, cwd=folder, stdout=nothing, stderr=nothing, env=environment)
        _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return Run(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def programs(repository: Path) -> dict[str, list[str]]:
    """What is timed beside us, by name."""
    place = str(repository)
    found = {"python -I -c pass": [sys.executable, "-I", "-c", "pass"], "git status": ["git", "-C", place, "status", "--porcelain"]}
    for name, words in {
        "ruff": ["check", "--isolated", "--no-cache", "-q", "--exit-zero", place],
        "ml-project-doctor": ["scan", place],
        "reprolint": [place],
        "semgrep": ["--metrics=off", "-q", "--config", str(Path(__file__).with_name("semgrep.yaml")), place],
    }.items():
        program = shutil.which(name, path=os.path.dirname(sys.executable)) or shutil.which(name)
        if program and (name != "semgrep" or Path(__file__).with_name("semgrep.yaml").is_file()):
            found[name] = [program, *words]
    return found


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def edit(repository: Path) -> None:
    """One tracked Python file changed by a comment."""
    listed = subprocess.run(["git", "-C", repository, "ls-files", "*.py"], check=True, capture_output=True, text=True)
    name = listed.stdout.splitlines()[0]
    with open(repository / name, "a") as file:
        file.write(f"# {time.time_ns()}\n")


def measure(original: Path, runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        repository = place / "repository"
        shutil.copytree(original, repository, symlinks=True)
        subprocess.run(["git", "-C", repository, "status", "--porcelain"], check=True, capture_output=True)
        environment = {**os.environ, "XDG_CACHE_HOME": str(place / "kept"), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        results: dict[str, list[Run]] = {}

        def ours(name: str, words: list[str], before: Callable[[], object] = lambda: None) -> None:
            before()
            results.setdefault(name, []).append(timed([*AUDIT, str(repository), *words], place, environment))

        def forget(*parts: str) -> None:
            for part in parts:
                for file in (place / "kept").glob(f"mlops-audit/{part}-*"):
                    file.unlink()

        timed([*AUDIT, str(repository)], place, environment)
        for _ in range(runs):
            for name, command in programs(repository).items():
                results.setdefault(name, []).append(timed(command, place, environment))
            words = [sys.executable, "-m", "mlops_audit", "--version"]
            results.setdefault("mlops-audit --version", []).append(timed(words, place, environment))
            ours("audit --no-cache", ["--no-cache"])
            ours("audit, cold (rules compiled)", [], lambda: forget("facts", "report"))
            ours("audit, unchanged", [])
            ours("audit, one file edited", [], lambda: edit(repository))
        count = subprocess.run(["git", "-C", repository, "ls-files"], check=True, capture_output=True).stdout.count(b"\n")
        beside = list(programs(repository))
        tell(f"\n### {original.name}: {count} files\n")
        tell(f"| program | CPU s | wall s | MiB | {' | '.join(f'CPU / {name} (wall)' for name in beside)} |")
        tell(f"| --- | --- | --- | --- | {' | '.join('---' for _ in beside)} |")
        for name, found in results.items():
            cells = [f"{statistics.median(getattr(run, part) for run in found):.3f}" for part in ("cpu", "wall")]
            cells.append(f"{max(run.memory for run in found) / 1024:.0f}")
            for other in beside:
                by_part = [
                    statistics.median(getattr(a, part) / max(getattr(b, part), 1e-4) for a, b in zip(found, results[other], strict=True))
                    for part in ("cpu", "wall")
                ]
                cells.append(f"{by_part[0]:.2f} ({by_part[1]:.2f})")
            tell(f"| {name} | {' | '.join(cells)} |")


def versions() -> str:
    git = subprocess.run(["git", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    told = [f"{platform.python_implementation()} {platform.python_version()}", git, f"{os.cpu_count()} cores"]
    for name in ("mlops-audit", "ruff", "ml-project-doctor", "reprolint", "semgrep"):
        try:
            told.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            told.append(f"no {name}")
    return ", ".join(told)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("repositories", nargs="+", type=Path)
    asked = parser.parse_args()
    tell(versions())
    for path in asked.repositories:
        measure(path.resolve(), asked.runs)
