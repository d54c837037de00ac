"""A long fuzz run over every reader of files: `python tests/fuzz/fuzz_readers.py [libFuzzer options] [CORPUS]`.

The first byte of an input chooses the path, and so the extractors; the rest is the file. Whatever stands in it, a file
gives facts and problems, soon. Needs atheris, which is no dependency of the project.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mlops_audit"]):
    from mlops_audit.budget import FILE_SECONDS, Budget
    from mlops_audit.extract import EXTRACTORS, extract_file
    from mlops_audit.tree import Tree

    for module, _ in EXTRACTORS:  # they are imported when they are first needed: too late to be instrumented
        import_module(f"mlops_audit.extract.{module}")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from monsters import PUMPED_PATHS

BUDGET = Budget(1e9)
slowest = 0.0


def one_input(data: bytes) -> None:
    """Read one file; anything raised is a crash, anything slow a hang."""
    global slowest
    if len(data) < 2:
        return
    path = PUMPED_PATHS[data[0] % len(PUMPED_PATHS)]
    (file,) = Tree.of({path: data[1:]}).files
    started = time.process_time()
    facts, _ = extract_file(file, BUDGET)
    taken = time.process_time() - started
    if not facts:
        raise AssertionError("a file is always a fact")
    if taken > FILE_SECONDS + 1:
        raise AssertionError(f"{path}: {taken:.1f} seconds")
    if taken > max(slowest, 0.5):
        slowest = taken
        sys.stderr.write(f"slowest so far: {path}, {len(data)} bytes, {taken:.1f} seconds\n")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
