"""Shell text as simple commands, each with its line, directory and whether its failure is swallowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from mlops_audit.shell.reader import Reader, Record
from mlops_audit.shell.tokens import tokens
from mlops_audit.shell.words import ROOT, Words

_SHEBANG_STOPS = re.compile(r"#!.*\s-[a-z]*e[a-z]*\b")

_SET_STOPS = re.compile(
    r"^[^#\n]*\bset\s+(?:-[a-z]+\s+)*(?:-[a-df-z]*e[a-z]*\b|-[a-z]*o\s+errexit)", re.MULTILINE
)


class Command(NamedTuple):
    """One simple command.

    `text` has its white space folded, known variables put in and prefixes such as `sudo` left out; `words` are the
    same, without quotes. `directory` is relative to the root ("" the root itself), "?" stands for a part that is not
    known, an absolute path for a place outside. `masked`: its failure is swallowed. `unchecked`: the script goes on
    when it fails, because nothing stops at errors there. `guards` are the texts of the shell conditions it stands
    under, innermost first. `launcher` is what was left out in front when it was an environment's `run` command.
    `document` is the here-document that it reads, which begins at `document_line`.
    """

    text: str
    line: int
    directory: str = ""
    masked: bool = False
    background: bool = False
    unchecked: bool = False
    guards: tuple[str, ...] = ()
    launcher: str = ""
    words: tuple[str, ...] = ()
    document: str = ""
    document_line: int = 0


def commands(
    script: str,
    line: int = 1,
    directory: str = "",
    variables: Mapping[str, str] | None = None,
    path: str = "",
) -> list[Command]:
    """The simple commands of a POSIX shell text in their order, those inside of `$(...)` and `sh -c` too.

    `line` is the line of the text's first line, `directory` where it starts, `variables` are values known from
    outside, `path` is the script's own path, so that `cd "$(dirname "$0")"` is understood. Pure assignments, `cd`,
    `set` and the like give no command. Never fails, whatever the text.
    """
    known = dict(variables or {})
    if path:
        known.setdefault("0", f"{ROOT}/{path}")
        known.setdefault("BASH_SOURCE", f"{ROOT}/{path}")
    read = _short if len(script) <= SHORT else _commands
    return list(read(script, line, directory, tuple(known.items())))


def _commands(
    script: str, line: int, directory: str, variables: tuple[tuple[str, str], ...]
) -> tuple[Command, ...]:
    reader = Reader(dict(variables), directory, stops=bool(_SHEBANG_STOPS.match(script)))
    records = reader.read(script, line)
    if records:
        records[-1].unchecked = False
    return tuple(_command(record) for record in records if record.shown)


SHORT = 2_000  # characters
_short = lru_cache(maxsize=512)(_commands)  # jobs and notebooks of one project begin with the same lines


def stops_on_error(script: str) -> bool:
    """Whether a script stops at the first command that fails: `set -e` or a shebang with `-e`."""
    return bool(_SHEBANG_STOPS.match(script) or _SET_STOPS.search(script))


def words(text: str) -> tuple[str, ...]:
    """The words of one command without their quotes."""
    reader = Words({}, "")
    return tuple(reader.expand(token.text)[1] for token in tokens(text, 1) if token.kind == "word")


def _command(record: Record) -> Command:
    return Command(
        record.text, record.line, record.directory, record.masked, record.background, record.unchecked, record.guards,
        record.launcher, record.words, record.document, record.document_line,
    )  # fmt: skip
