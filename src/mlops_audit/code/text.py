"""Python source as a syntax tree and a text that gives back any node's own words."""

from __future__ import annotations

import ast
import gc
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate, islice
from typing import Any

from mlops_audit.code.newer import in_older_words
from mlops_audit.parse.nodes import NotRead, ParseFailure, decode

MAX_BYTES = 1_000_000
MAX_WORDS = 200_000  # names, numbers and signs: a megabyte of `x=1` makes a tree of 600 MB, one of prose a tenth of it
MAX_FORMATTED = 2_000_000_000  # braces x characters: before 3.12 the time for f-strings grows like that

# What CPython says of the commonest sentences of Python 2.
_PYTHON_2 = re.compile(
    r"Missing parentheses in call to '(?:print|exec)'|multiple exception types must be parenthesized"
    r"|leading zeros in decimal integer|invalid (?:octal|decimal) literal|inconsistent use of tabs"
)
_PYTHON_2_LINE = re.compile(
    r"\s*(?:print\s+[\"'\w]|print\s*>>|exec\s+[\"'\w]|raise\s+[\w.]+\s*,|except\s+[\w.]+\s*,\s*\w+\s*:)|.*(?:`\w|<>|\bur[\"'])"
)
_WORD = re.compile(r"\w+|[^\w\s]")
_FORMATTED = re.compile(r"\b[rR]?[fF][rR]?[\"']")
_CONFLICT = re.compile(r"^(?:<{7} |={7}$|>{7} )", re.MULTILINE)


class Text:
    """A text whose parts are asked for by the positions that syntax trees give: lines and UTF-8 offsets."""

    __slots__ = ("_letters", "_starts")

    def __init__(self, text: str) -> None:
        # Offsets count bytes, which in a text of nothing but ASCII are its letters.
        self._letters: Any = text if text.isascii() else text.encode("utf-8", "replace")
        line_end: Any = "\n" if text.isascii() else b"\n"
        lines = self._letters.split(line_end)
        self._starts = list(accumulate(map(len, lines), initial=0))  # without the line ends

    def of(self, node: Any, limit: int) -> str:
        """The source text of a node, white space around line ends folded, at most `limit` characters."""
        first, last = node.lineno - 1, node.end_lineno - 1
        begin = self._starts[first] + first + node.col_offset
        end = self._starts[last] + last + node.end_col_offset
        text = self._letters[begin : end if end - begin <= limit else min(end, begin + 4 * limit)]
        if type(text) is bytes:
            text = text.decode("utf-8", "ignore")
        if "\n" in text:
            text = " ".join(text.split())
        return text[:limit]  # type: ignore[no-any-return]


def without_magics(text: str) -> str:
    """The text of a script that a notebook server runs as a notebook, its bare `%` and `!` lines left empty.

    Databricks takes them in files that begin with its mark; elsewhere they are no Python.
    """
    if not text.startswith("# Databricks notebook source"):
        return text
    return re.sub(r"^[%!].*$", "", text, flags=re.MULTILINE)


def tree_of(text: str) -> ast.Module:
    """The syntax tree of a text, with the garbage collector and the compiler's warnings switched off.

    Raises ParseFailure for what is no Python of this interpreter, and says so when it looks like Python 2.
    """
    _check_density(text)
    try:
        with quiet():
            try:
                return ast.parse(text)
            except SyntaxError as error:
                if (older := in_older_words(text)) == text:
                    raise
                return _tree_of_older(older, error)
    except SyntaxError as error:
        raise _failure(text, error) from None
    except (ValueError, UnicodeError) as error:
        raise ParseFailure(f"no Python: {error}") from None
    except (RecursionError, MemoryError):
        raise NotRead("nested too deeply to be read") from None


def _tree_of_older(text: str, reason: SyntaxError) -> ast.Module:
    """The tree of a text of a newer Python in older words; what still cannot be read fails for the first reason."""
    try:
        return ast.parse(text)
    except SyntaxError:
        raise reason from None


def _check_density(text: str) -> None:
    """Raise NotRead for a text whose syntax tree would take gigabytes or minutes, whatever its size in bytes."""
    if len(text) > MAX_WORDS and any(islice(_WORD.finditer(text), MAX_WORDS, None)):
        raise NotRead(f"more than {MAX_WORDS} words of code")
    if sys.version_info < (3, 12) and text.count("{") * len(text) > MAX_FORMATTED and _FORMATTED.search(text):
        raise NotRead("too many braces beside formatted strings")


def text_of(data: bytes) -> str:
    """The text of a Python file. Raises ParseFailure for files that are too large or no text."""
    if len(data) > MAX_BYTES:
        raise NotRead(f"larger than {MAX_BYTES} bytes")
    text = decode(data)
    if "\0" in text:
        raise ParseFailure("contains NUL bytes", text.count("\n", 0, text.index("\0")) + 1)
    return text


@contextmanager
def quiet() -> Iterator[None]:
    """No garbage collection (syntax trees have no cycles worth looking for) and no warnings meanwhile."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if collecting:
            gc.enable()


def _failure(text: str, error: SyntaxError) -> ParseFailure:
    line = error.lineno or 0
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        return ParseFailure("merge conflict markers", text.count("\n", 0, conflict.start()) + 1)
    lines = text.split("\n", line)
    words = lines[line - 1] if 0 < line <= len(lines) else ""
    if _PYTHON_2.search(error.msg or "") or _PYTHON_2_LINE.match(words):
        return ParseFailure(f"Python 2, which can no longer be read: {error.msg}", line)
    return ParseFailure(f"no Python {ast_version()}: {error.msg}", line)


def is_python_2(failure: ParseFailure) -> bool:
    """Whether a text could not be read because it is Python 2."""
    return failure.reason.startswith("Python 2")


def ast_version() -> str:
    """The version of the grammar that this interpreter reads, e.g. 3.11."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


# Sentences of Python 2, and the same in Python 3 on the same line.
_PYTHON_3 = tuple(
    (re.compile(pattern, re.MULTILINE), replacement)
    for pattern, replacement in (
        (r"^([ \t]*|.*[:;][ \t]*)print[ \t]*>>[ \t]*[\w.]+[ \t]*,?[ \t]*(.*?)[ \t]*$", r"\1print(\2)"),
        (
            r"^([ \t]*|[ \t]*(?:if|else|for|while|try)\b.*:[ \t]*)print[ \t]+(?![ \t(=])(.*?)[ \t]*$",
            r"\1print(\2)",
        ),
        (r"^([ \t]*)exec[ \t]+(?![ \t(=])(.*?)[ \t]*$", r"\1exec(\2)"),
        (r"\bexcept[ \t]+([\w.]+|\([^)\n]*\))[ \t]*,[ \t]*(\w+)[ \t]*:", r"except \1 as \2:"),
        (r"^([ \t]*)raise[ \t]+([\w.]+)[ \t]*,[ \t]*(.*?)[ \t]*$", r"\1raise \2(\3)"),
        (r"<>", "!="),
        (r"\b0([0-7]+)\b(?![.\w])", r"0o\1"),
        (r"\b(\d+)[lL]\b", r"\1"),
        (r"\bur([\"'])", r"r\1"),
    )
)
MAX_REPAIRS = 10


def repaired(text: str, python_2: bool) -> str | None:
    """A text of the same lines that can be read, of one that cannot; None when a few lines left out are not enough.

    Sentences of Python 2 are turned into Python 3; other lines that the parser stops at are left out.
    """
    if len(text) > MAX_BYTES // 4:
        return None
    if python_2:
        for pattern, replacement in _PYTHON_3:
            text = pattern.sub(replacement, text)
    lines = text.split("\n")
    left_out: set[int] = set()
    for _ in range(MAX_REPAIRS):
        try:
            tree_of("\n".join(lines))
        except ParseFailure as failure:
            at = failure.line - 1
            if not 0 <= at < len(lines) or at in left_out:
                return None
            left_out.add(at)
            line = lines[at]
            indent = line[: len(line) - len(line.lstrip())]
            lines[at] = indent + ("if True:" if line.rstrip().endswith(":") else "pass")
        else:
            return "\n".join(lines)
    return None
