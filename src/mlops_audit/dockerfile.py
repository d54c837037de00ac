"""Dockerfiles as instructions with lines, read line by line as Docker's own parser does."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import NamedTuple

KEYWORDS = frozenset({
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
    "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})  # fmt: skip
MAX_TEXT = 20_000
HEREDOC = re.compile(r"<<-?\s*([\"']?)([A-Za-z_]\w*)\1")
VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?([-+?])([^${}]*))?\}|(\w+))")


class Instruction(NamedTuple):
    """One instruction: its keyword in upper case, its text with continuation lines kept, flags and heredocs.

    `value` is the text after the flags with line ends where continued lines were joined, so that a line inside
    it can still be placed: it stands `value.count("\\n", 0, i)` lines below `line`. `body` is the text of its
    heredocs, which begins at `body_line`.
    """

    keyword: str
    value: str
    line: int
    flags: tuple[str, ...] = ()
    body: str = ""
    body_line: int = 0

    @property
    def words(self) -> tuple[str, ...]:
        """The elements of the exec (JSON) form, () when this is the shell form."""
        return exec_form(self.value)

    def flag(self, name: str) -> str:
        """The value of `--name=value`, "" where it is absent."""
        return next((f.partition("=")[2] for f in self.flags if f.startswith(f"--{name}=")), "")


def exec_form(value: str) -> tuple[str, ...]:
    """The elements of a JSON array of texts, () for anything else."""
    text = value.strip()
    if not text.startswith("["):
        return ()
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    return tuple(words) if isinstance(words, list) and all(isinstance(w, str) for w in words) else ()


def read(text: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile; lines that begin with no keyword are passed over."""
    lines = text.split("\n")
    escape = "\\"
    at = 0
    while at < len(lines) and (directive := re.match(r"#\s*(\w+)\s*=\s*(\S+)\s*$", lines[at])):
        if directive[1].lower() == "escape" and directive[2] in ("\\", "`"):
            escape = directive[2]
        at += 1
    while at < len(lines):
        start = at
        head = re.match(r"\s*([A-Za-z]+)(?:\s+(.*)|$)", lines[at], re.DOTALL)
        keyword = head[1].upper() if head else ""
        if keyword not in KEYWORDS:
            at += 1
            continue
        parts = []
        rest = (head[2] or "") if head else ""
        while True:
            stripped = rest.rstrip()
            if not stripped.endswith(escape) or at + 1 >= len(lines):
                parts.append(rest)
                break
            parts.append(stripped[: -len(escape)])
            at += 1
            while at + 1 < len(lines) and (not lines[at].strip() or lines[at].lstrip().startswith("#")):
                parts.append("")
                at += 1
            rest = "" if lines[at].lstrip().startswith("#") else lines[at]
        at += 1
        flags, value = _flags("\n".join(parts))
        body, body_line = [], at + 1
        if keyword in ("RUN", "COPY", "ADD"):
            for _, word in HEREDOC.findall(value):
                while at < len(lines) and lines[at].strip() != word:
                    body.append(lines[at])
                    at += 1
                at += 1
        yield Instruction(keyword, value.strip(), start + 1, flags, "\n".join(body), body_line if body else 0)


def _flags(value: str) -> tuple[tuple[str, ...], str]:
    """The leading `--name=value` words, and what follows them."""
    flags = []
    at = 0
    while found := re.compile(r"\s*(--[a-z][\w-]*(?:=\S*)?)(?=\s|$)").match(value, at):
        flags.append(found[1])
        at = found.end()
    rest = value[at:]
    # keep the line ends before the text: they place its lines
    return tuple(flags), "\n" * value.count("\n", 0, at) + rest.lstrip(" \t") if "\n" in value[:at] else rest


def pairs(value: str) -> list[tuple[str, str]]:
    """The names and values of ENV, ARG or LABEL, in either of their forms."""
    text = value.replace("\n", " ").strip()
    if not re.match(r"[\w.\"'-]+=", text):
        name, _, rest = text.partition(" ")
        return [(name, rest.strip())] if name else []
    try:
        words = shlex.split(text)
    except ValueError:  # an unclosed quote
        words = text.split()
    return [(name, held) for name, equals, held in (word.partition("=") for word in words) if equals and name]


def substitute(text: str, known: Mapping[str, str]) -> str:
    """The text with variables that have a known value put in, or their default; others stay as they are."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[4]
        held = known.get(name)
        if found[2] == "+":
            return found[3] if held else ""
        if held is not None and (held or found[2] != "-"):
            return held
        return found[3] if found[2] == "-" else found[0]

    return VARIABLE.sub(value, text)[:MAX_TEXT]  # values made of values could double with every line
