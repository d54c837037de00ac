"""The words that the command line takes: an error is one line that names the nearest right word."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

FORMATS = (
    "terminal", "markdown", "json", "sarif", "html", "junit", "gitlab", "github", "badge", "badge-json", "csv",
)  # fmt: skip
PERIODS = ("month", "week", "commit")
TREND_FORMATS = ("terminal", "markdown", "json", "csv", "svg", "html")
SEVERITIES = ("critical", "major", "minor")
PROFILES = ("poc", "standard", "regulated", "uk-gov")


class Misuse(click.ClickException):
    """A wrong word, configuration, rule or revision: one line for each fault, exit code 2."""

    exit_code = 2


def near(word: str, known: Sequence[str]) -> str:
    from mlops_audit import config

    return config.near(word, known)


class Word(click.ParamType):  # type: ignore[type-arg]
    """One of some words; an error names the nearest. Words that are dear to find out come from a function."""

    name = "word"

    def __init__(self, what: str, words: Sequence[str] | Callable[[], Sequence[str]]) -> None:
        self.what = what
        self._words = words

    def words(self) -> Sequence[str]:
        return self._words() if callable(self._words) else self._words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        word = str(value)
        if word not in self.words():
            raise Misuse(f"unknown {self.what} {word!r}{near(word, self.words())}")
        return word

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str | None:
        return None if callable(self._words) else f"[{'|'.join(self._words)}]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(word) for word in self.words() if word.startswith(incomplete)]


class Output(click.ParamType):  # type: ignore[type-arg]
    """FORMAT=PATH."""

    name = "FORMAT=PATH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Path]:
        if isinstance(value, tuple):
            return value
        format, equals, path = str(value).partition("=")
        if not equals or not path:
            raise Misuse(f"--output takes FORMAT=PATH, not {value!r}")
        return Word("format", FORMATS).convert(format, param, ctx), Path(path)


class Day(click.ParamType):  # type: ignore[type-arg]
    """A day such as 2027-03-31."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from datetime import date

        try:
            return value if isinstance(value, date) else date.fromisoformat(str(value))
        except ValueError:
            raise Misuse(f"a day is written YYYY-MM-DD, not {str(value)!r}") from None


class Score(click.ParamType):  # type: ignore[type-arg]
    """A score for the total, or PILLAR=SCORE."""

    name = "[PILLAR=]SCORE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        from mlops_audit.config import score_of

        try:
            return score_of(str(value))
        except ValueError as error:
            raise Misuse(f"--fail-below-score: {error}") from error


class Level(click.ParamType):  # type: ignore[type-arg]
    """The number of a maturity level."""

    name = "N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if str(value) not in ("0", "1", "2", "3", "4"):
            raise Misuse(f"--fail-below-maturity: a level is a whole number from 0 to 4, not {str(value)!r}")
        return int(value)


class Folder(click.ParamType):  # type: ignore[type-arg]
    """A folder that is there."""

    name = "PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if path.is_dir():
            return path
        if path.exists():
            raise Misuse(f"{str(value)!r} is a file; give a folder")
        parent = path.parent
        beside = (
            sorted(entry.name for entry in os.scandir(parent) if entry.is_dir()) if parent.is_dir() else []
        )
        import difflib

        close = difflib.get_close_matches(path.name, beside, 1)
        hint = f"; did you mean {str(parent / close[0])!r}?" if close else ""
        raise Misuse(f"there is no folder {str(value)!r}{hint}")

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="dir")]


class ExistingFile(click.ParamType):  # type: ignore[type-arg]
    """A file that is there."""

    name = "FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if path.is_dir():
            raise Misuse(f"{str(value)!r} is a folder; give files, or audit the folder")
        if not os.path.lexists(path):
            raise Misuse(f"there is no file {str(value)!r}")
        return path


def aspects() -> list[str]:
    from mlops_audit import catalogue

    return [aspect.id for aspect in catalogue.load().aspects]


def kinds() -> list[str]:
    from mlops_audit.facts import Kind

    return [kind.value for kind in Kind]
