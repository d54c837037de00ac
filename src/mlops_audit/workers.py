"""Extraction by several processes: the same results in the same order as by one, and a lost process costs one file."""

from __future__ import annotations

import marshal
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import FileIO
from typing import NamedTuple

from mlops_audit.budget import ENDLESS, Budget
from mlops_audit.extract import Sieve, extract_file, load, readable, skipped, uncollected
from mlops_audit.facts import Fact, Problem, Site
from mlops_audit.parse.nodes import ParseFailure
from mlops_audit.records import facts_of, plain_facts
from mlops_audit.tree import File

# Files that an extractor reads: fewer are read sooner than a second process has loaded its parsers.
ENOUGH = 150
MOST_JOBS = 16
MOST_LOST = 20  # processes; what is then left is read by this one no more
CPU_SECONDS = 30  # of one file, in a reader that no alarm stops
READ_AT_ONCE = 1 << 20

Progress = Callable[[int, int], None]
Stated = tuple[list[Fact], list[Problem]]


class Read(NamedTuple):
    """What one file states, and the id of the bytes that this was read from, "" where none were."""

    facts: list[Fact]
    problems: list[Problem]
    content: str = ""


Identify = Callable[[bytes, int], str]


def jobs_for(files: int, wanted: int = 0) -> int:
    """How many processes read so many files; `wanted` is the number that was asked for, 0 for as many as pay."""
    if not _can_fork() or files < 2:
        return 1
    if wanted > 0:
        return min(wanted, files, MOST_JOBS)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(processors, 8, max(1, files // (ENOUGH // 2))) if files >= ENOUGH else 1


def extracted(
    files: Sequence[File],
    budget: Budget = ENDLESS,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
    identify: Identify | None = None,
    sieve: Sieve | None = None,
) -> list[Read]:
    """What each of the files states, in their order, and of that what the sieve lets pass."""
    work = [number for number, file in enumerate(files) if readable(file)]
    jobs = jobs_for(len(work), jobs)
    found: dict[int, Read] = {}
    if jobs > 1:
        load(files[number] for number in work[:ENOUGH])
        found = _Pool(files, budget, identify, sieve, progress, len(work)).read(work, jobs)
    read = []
    with uncollected() as swept:
        for number, file in enumerate(files):
            known = found.pop(number, None)
            read.append(known if known is not None else _read(file, budget, identify, sieve))
            if known is None:
                swept()
                if progress is not None and jobs == 1:
                    progress(number + 1, len(files))
    return read


def extract(
    files: Sequence[File],
    budget: Budget = ENDLESS,
    jobs: int = 1,
    progress: Progress | None = None,
    sieve: Sieve | None = None,
) -> Stated:
    """What `extract.extract` gives."""
    read = extracted(files, budget, jobs=jobs, progress=progress, sieve=sieve)
    problems = dict.fromkeys(problem for one in read for problem in one.problems)
    return [fact for one in read for fact in one.facts], list(problems)


def _read(file: File, budget: Budget, identify: Identify | None, sieve: Sieve | None) -> Read:
    """What one file states, read by this process."""
    if budget.over:
        return Read(*skipped(file, budget))
    if identify is None or not readable(file):
        return Read(*extract_file(file, budget, sieve))
    try:
        data = file.read()
    except ParseFailure:
        return Read(*extract_file(file, budget, sieve))
    facts, problems = extract_file(file._replace(read=lambda: data), budget, sieve)
    return Read(facts, problems, identify(data, len(file.blob)))


def _can_fork() -> bool:
    """Whether this process can be doubled safely: not on Windows or macOS, nor while it has other threads."""
    return hasattr(os, "fork") and sys.platform != "darwin" and threading.active_count() == 1


@dataclass()
class _Worker:
    """A process, the end of the pipe on which it tells, and the file that it is at."""

    process: int
    end: int
    at: int = -1
    told: bytearray = field(default_factory=bytearray)


class _Pool:
    """Hands out the numbers of files through one pipe and gathers what processes tell of them through another each."""

    def __init__(
        self,
        files: Sequence[File],
        budget: Budget,
        identify: Identify | None,
        sieve: Sieve | None,
        progress: Progress | None,
        total: int,
    ) -> None:
        self._files, self._budget = files, budget
        self._identify, self._sieve, self._progress, self._total = identify, sieve, progress, total
        self._found: dict[int, Read] = {}

    def read(self, numbers: Sequence[int], jobs: int) -> dict[int, Read]:
        """What the files of these numbers state. Each process that is lost costs the file that it was at."""
        left, lost = list(numbers), 0
        while left:
            if lost >= MOST_LOST:
                for number in left:
                    self._lose(number, "too many processes that read files ended")
                break
            ended = self._round(left, min(jobs, len(left)))
            for number in ended:
                self._lose(number, "reading it ended the process that read it")
            lost += len(ended)
            left = [number for number in left if number not in self._found]
            if not ended:
                break  # what is left is read by this process
        return self._found

    def _lose(self, number: int, reason: str) -> None:
        file = self._files[number]
        problem = Problem(Site(file.path), f"skipped: {reason}", True)
        self._found[number] = Read(skipped(file, self._budget)[0], [problem])

    def _round(self, numbers: Sequence[int], jobs: int) -> list[int]:
        """One start of the processes; gives the files at which some of them ended."""
        tasks, feed = os.pipe()
        workers: list[_Worker] = []
        try:
            for _ in range(jobs):
                worker = self._start(tasks, feed, [other.end for other in workers])
                if worker is not None:
                    workers.append(worker)
            os.close(tasks)
            with os.fdopen(feed, "wb", buffering=0) as hand:
                return self._gather(numbers, hand, workers)
        finally:
            for worker in workers:
                os.close(worker.end)
                _end(worker.process)

    def _start(self, tasks: int, feed: int, others: Sequence[int]) -> _Worker | None:
        end, tell = os.pipe()
        parent = os.getpid()
        try:
            process = os.fork()
        except OSError:
            os.close(end)
            os.close(tell)
            return None
        if process == 0:
            status = 1
            try:
                for handle in (feed, end, *others):
                    os.close(handle)
                self._work(tasks, tell, parent)
                status = 0
            finally:
                os._exit(status)
        os.close(tell)
        return _Worker(process, end)

    def _work(self, tasks: int, tell: int, parent: int) -> None:
        """What a process does: read one file after the other until no more are handed out or nobody listens."""
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, signal.SIG_DFL)
        with uncollected() as swept:
            while len(task := os.read(tasks, 4)) == 4 and os.getppid() == parent:
                number = int.from_bytes(task, "big")
                _write(tell, b"", number)
                if self._budget.seconds is not None:
                    _limit_processor_time()
                read = _read(self._files[number], self._budget, self._identify, self._sieve)
                try:
                    record = marshal.dumps((plain_facts(read.facts, read.problems), read.content))
                except ValueError:
                    record = marshal.dumps(None)  # a value that is no plain one: read again by who asked
                _write(tell, record, number)
                swept()

    def _gather(self, numbers: Sequence[int], feed: FileIO, workers: Sequence[_Worker]) -> list[int]:
        """Hands out numbers while processes take them, and takes what they tell until the last one has ended."""
        waiting = b"".join(number.to_bytes(4, "big") for number in numbers)
        by_end = {worker.end: worker for worker in workers}
        ended: list[int] = []
        os.set_blocking(feed.fileno(), False)
        while by_end:
            ready, writable, _ = select.select(list(by_end), [] if feed.closed else [feed], [])
            if writable:
                try:
                    waiting = waiting[feed.write(waiting[:AT_ONCE]) or 0 :]
                except BrokenPipeError:
                    waiting = b""
                if not waiting:
                    feed.close()
            for end in ready:
                worker = by_end[end]
                data = os.read(end, READ_AT_ONCE)
                if data:
                    worker.told += data
                    self._take(worker)
                    continue
                del by_end[end]
                if worker.at >= 0:
                    ended.append(worker.at)
        return ended

    def _take(self, worker: _Worker) -> None:
        """Takes what a process has told to its end."""
        told, at = worker.told, 0
        while len(told) - at >= HEAD:
            number = int.from_bytes(told[at : at + 4], "big")
            length = int.from_bytes(told[at + 4 : at + HEAD], "big")
            if len(told) - at - HEAD < length:
                break
            at += HEAD
            if length:
                record = marshal.loads(bytes(told[at : at + length]))
                worker.at = -1
                if record is not None:
                    facts, content = record
                    self._found[number] = Read(*facts_of(facts), content)
                else:
                    self._found[number] = _read(
                        self._files[number], self._budget, self._identify, self._sieve
                    )
                if self._progress is not None:
                    self._progress(len(self._found), self._total)
            else:
                worker.at = number
            at += length
        del told[:at]


HEAD = 8  # bytes before a record: the number of its file and its length
AT_ONCE = 4096  # bytes of numbers: a multiple of four, and few enough to be written whole


def _write(tell: int, record: bytes, number: int) -> None:
    left = memoryview(number.to_bytes(4, "big") + len(record).to_bytes(4, "big") + record)
    while left:
        left = left[os.write(tell, left) :]


def _limit_processor_time() -> None:
    """The system ends this process when a reader computes on and on where no alarm is heard."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard < 0 else min(soft, hard), hard))


def _end(process: int) -> None:
    """Ends a process of ours, if it has not ended, and takes leave of it."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(process, 0)
