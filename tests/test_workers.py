"""Several processes give what one gives, and a lost one costs the file that it was at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_audit import extract, workers
from mlops_audit.budget import Budget
from mlops_audit.facts import Fact, Kind
from mlops_audit.memory import Memory, blob_id
from mlops_audit.tree import File, Tree

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts no process like itself")

TEXTS = {
    **{f"src/part{n}.py": f"import mlflow\nmlflow.log_metric('loss{n}', {n})\n" for n in range(40)},
    **{f"docs/page{n}.md": f"# Page {n}\n\nIt does {n} things.\n" for n in range(10)},
    "broken.py": "def f(:\n",
    "config.yaml": "seed: 1\nmodel: {lr: 0.1}\n",
    "picture.png": "no text",
}


def files_of(texts: dict[str, str]) -> tuple[File, ...]:
    return Tree.of(texts).files


def ending_at(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that comes to a file ends there."""
    whole = extract.extract_file

    def ends(file: File, budget: Budget, sieve: extract.Sieve | None) -> workers.Stated:
        if file.path == path:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(file, budget, sieve)

    monkeypatch.setattr(workers, "extract_file", ends)


@pytest.mark.parametrize("jobs", [2, 3, 7])
def test_several_processes_give_the_same_in_the_same_order(jobs: int) -> None:
    files = files_of(TEXTS)
    assert workers.extract(files, jobs=jobs) == extract.extract(files)
    assert len(extract.extract(files)[1]) == 1


def test_a_process_that_ends_costs_the_file_that_it_was_at(monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_of(TEXTS)
    facts, problems = extract.extract(files)
    ending_at("src/part7.py", monkeypatch)
    found, failed = workers.extract(files, jobs=2)
    assert [f"{p.site}: {p.reason}" for p in failed if p not in problems] == [
        "src/part7.py: skipped: reading it ended the process that read it"
    ]
    assert all(problem.unread for problem in failed if problem not in problems)
    assert found == [f for f in facts if f.site.path != "src/part7.py" or f.kind is Kind.FILE]


def test_when_every_file_ends_its_process_the_run_still_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        workers, "extract_file", lambda file, budget, sieve: os.kill(os.getpid(), signal.SIGKILL)
    )
    files = files_of({path: text for path, text in TEXTS.items() if path.endswith(".py")})
    facts, problems = workers.extract(files, jobs=2)
    assert {fact.kind for fact in facts} == {Kind.FILE}
    assert {problem.site.path for problem in problems} == {file.path for file in files}


def test_a_file_out_of_time_is_skipped_by_the_process_that_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(path: str, data: bytes) -> Iterator[Fact]:
        while path == "src/part7.py":
            pass
        return iter(())

    monkeypatch.setattr(extract, "FILE_SECONDS", 0.2)
    monkeypatch.setattr(extract, "_extractors", lambda path: [endless])
    started = time.monotonic()
    _, problems = workers.extract(files_of(TEXTS), Budget(3), jobs=2)
    assert [problem.site.path for problem in problems if problem.unread][:1] == ["src/part7.py"]
    assert time.monotonic() - started < 60


def test_the_system_ends_a_process_whose_reader_hears_no_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(path: str, data: bytes) -> Iterator[Fact]:
        while path == "src/part7.py":
            pass
        return iter(())

    monkeypatch.setattr(workers, "CPU_SECONDS", 1)
    monkeypatch.setattr(extract, "_extractors", lambda path: [endless])
    _, problems = workers.extract(files_of(TEXTS), Budget(600), jobs=2)
    assert [f"{problem.site}: {problem.reason}" for problem in problems] == [
        "src/part7.py: skipped: reading it ended the process that read it"
    ]


def test_a_value_that_is_no_plain_one_is_read_by_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_of(TEXTS)
    expected = extract.extract(files)
    monkeypatch.setattr(workers, "plain_facts", lambda facts, problems: object())
    assert workers.extract(files, jobs=2) == expected


def test_few_files_and_a_system_that_cannot_fork_are_read_by_one_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert workers.jobs_for(5) == 1
    assert workers.jobs_for(1000, 3) == 3
    monkeypatch.setattr(workers, "_can_fork", lambda: False)
    assert workers.jobs_for(1000, 3) == 1


def test_what_processes_read_is_kept_under_the_id_of_what_they_read() -> None:
    files, kept = files_of(TEXTS), {}
    memory = Memory(kept)
    assert memory.extract(files, jobs=2) == extract.extract(files)
    assert {(key[0], key[3]) for key in kept if key[0].endswith(".md")} == {
        (path, blob_id(text.encode())) for path, text in TEXTS.items() if path.endswith(".md")
    }


def test_progress_tells_of_every_file_that_is_read() -> None:
    told: list[tuple[int, int]] = []
    workers.extract(files_of(TEXTS), jobs=2, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (52, 52)


SLOW = """
import os, time
from mlops_audit import workers
from mlops_audit.tree import Tree
def slow(file, budget, sieve):
    print(os.getpid(), flush=True)
    time.sleep(0.1)
    return [], []
workers.extract_file = slow
workers.extract(Tree.of({f"{n}.py": "" for n in range(3000)}).files, jobs=2)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="whether a process runs is not told")
def test_processes_end_with_the_one_that_started_them() -> None:
    parent = subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    reading: set[str] = set()
    for line in parent.stdout:
        reading.add(line.strip())
        if len(reading) == 2:
            break
    assert len(reading) == 2
    assert str(parent.pid) not in reading
    parent.kill()
    parent.wait()
    until = time.monotonic() + 60
    while any(_runs(process) for process in reading) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(_runs(process) for process in reading)


def _runs(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
