"""Runs programs and tells what they cost: time by the clock and of computing, and memory of all their processes together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLED = 0.003  # seconds between two looks at the memory


@dataclass(frozen=True)
class Run:
    """What one run cost; a run that was ended by its time box cost more."""

    wall: float
    cpu: float
    ended: bool = False
    code: int = 0  # with which the program ended by itself

    @property
    def failed(self) -> bool:
        """Whether the program says that it did not do its work: linters end with 1 when they find something."""
        return not self.ended and self.code not in (0, 1)


def timed(command: Sequence[str], folder: Path, environment: Mapping[str, str], box: float = 600) -> Run:
    """Runs a program, its output thrown away, and ends it with all its processes when the box is over."""
    started = time.perf_counter()
    process = _started(command, folder, environment)
    boxed = threading.Event()

    def end() -> None:
        boxed.set()
        _kill(process.pid)

    timer = threading.Timer(box, end)
    timer.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(wall, usage.ru_utime + usage.ru_stime, boxed.is_set(), process.returncode)


def memory(command: Sequence[str], folder: Path, environment: Mapping[str, str], box: float = 600) -> float:
    """The most memory, in MiB, that a program and the processes it starts hold at one time.

    What they share is counted once (Linux tells so). The program is looked at while it runs, so it is not timed.
    """
    process = _started(command, folder, environment)
    most, until = 0, time.perf_counter() + box
    while process.poll() is None:
        if time.perf_counter() > until:
            _kill(process.pid)
        most = max(most, sum(_held(pid) for pid in _family(process.pid)))
        time.sleep(SAMPLED)
    return most / 1024


def _started(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    nothing = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=folder, stdin=nothing, stdout=nothing, stderr=nothing, env=environment, start_new_session=True)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _family(pid: int) -> list[int]:
    """A process and those it started."""
    found = [pid]
    for one in found:
        for told in Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, told.read_text().split())
    return found


def _held(pid: int) -> int:
    """KiB that a process holds: its own pages, and its part of those that it shares."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
