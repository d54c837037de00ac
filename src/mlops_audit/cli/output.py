"""What the command line says: the only writer to stdout, to stderr and to the files of reports."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_audit.answer import of_commit
from mlops_audit.cli.words import Misuse

if TYPE_CHECKING:
    from mlops_audit.report import Report

PROGRAM = "mlops-audit"


@dataclass(slots=True)
class Answer:
    """What this process has said so far, and whether it would say the same again to the same question.

    Where the commit is named, `said` has a stand-in that no repository can hold: what is said of one commit is said of
    every other one with the same files. `report` is what was said last.
    """

    said: bytearray = field(default_factory=bytearray)
    told: list[str] = field(default_factory=list)
    lasting: bool = False
    report: Report | None = None
    stand_in: str = field(default_factory=lambda: os.urandom(20).hex())


ANSWER = Answer()


def say(text: str) -> None:
    """Each line on stderr under the program's name."""
    from mlops_audit.safe import plain

    for line in text.splitlines():
        ANSWER.told.append(f"{PROGRAM}: {plain(line)}\n")
        sys.stderr.write(ANSWER.told[-1])


def write(text: str, utf8: bool = False, commit: str = "") -> None:
    """Text on stdout: as UTF-8 for machines, else in the terminal's encoding. A closed pipe is no error.

    It may have the stand-in where it names the commit.
    """
    encoding = "utf-8" if utf8 else sys.stdout.encoding or "utf-8"
    ANSWER.said += text.encode(encoding, "backslashreplace")
    if commit:
        text = of_commit(text, ANSWER.stand_in, commit)
    data = text.encode(encoding, "backslashreplace")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        forget_stdout()


def write_lines(lines: Sequence[str]) -> None:
    from mlops_audit.safe import plain

    write("".join(f"{plain(line)}\n" for line in lines))


def forget_stdout() -> None:
    """Nobody reads any more: what is still buffered must not fail again when the interpreter ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())


def counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def progress(quiet: bool) -> Callable[[int, int], None]:
    """Draws a bar on stderr, where a terminal shows it."""
    if quiet or not sys.stderr.isatty():
        return lambda done, expected: None

    def draw(done: int, expected: int) -> None:
        full = 24 * done // max(expected, 1)
        sys.stderr.write(f"\r[{'#' * full}{'.' * (24 - full)}] {done} of about {expected} audits\x1b[K")
        sys.stderr.flush()

    return draw


def reading_progress(quiet: bool) -> Callable[[int, int], None] | None:
    """Tells on stderr how far the reading of files is, where a terminal shows it and it takes longer than a moment."""
    if quiet or not sys.stderr.isatty():
        return None
    from time import monotonic

    shown = monotonic() + 1.0

    def draw(done: int, expected: int) -> None:
        nonlocal shown
        now = monotonic()
        if now >= shown:
            shown = now + 0.1
            sys.stderr.write(f"\r{done} of {expected} files read\x1b[K")
            sys.stderr.flush()

    return draw


def end_progress(quiet: bool) -> None:
    if not quiet and sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


def colored(wanted: str) -> bool:
    """--color, then NO_COLOR, then FORCE_COLOR, then whether stdout is a terminal that can."""
    if wanted != "auto":
        return wanted == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def width() -> int:
    """The terminal's columns; 100 where there is no terminal, so that files do not depend on the window."""
    if not sys.stdout.isatty():
        return 100
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def check_output(target: Path, root: Path) -> None:
    """Refuse what cannot be written, and ways out of the audited folder that the folder itself lays by a link."""
    if not target.parent.is_dir():
        raise Misuse(f"--output: there is no folder {str(target.parent)!r}")
    if target.is_dir():
        raise Misuse(f"--output: {str(target)!r} is a folder")
    inside = os.path.abspath(root)
    for place in _places_between(Path(os.path.abspath(target)), Path(inside)):
        if place.is_symlink():
            raise Misuse(f"--output: {str(place)!r} is a symbolic link of the audited folder; not followed")


def _places_between(target: Path, root: Path) -> Iterator[Path]:
    if target.is_relative_to(root):
        for place in (target, *target.parents):
            if place == root:
                return
            yield place


def write_file(target: Path, text: str, what: str = "--output") -> None:
    """The whole text or nothing: written beside the target and put in its place. Devices and pipes are written to."""
    data = text.encode("utf-8", "backslashreplace")
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        place = Path(os.path.realpath(target))
        fresh = place.with_name(f".{place.name}.{os.getpid()}.tmp")
        try:
            with open(fresh, "xb") as stream:
                stream.write(data)
            os.replace(fresh, place)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise Misuse(f"{what}: {str(target)!r} cannot be written: {error.strerror}") from error
