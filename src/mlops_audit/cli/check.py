"""The command `check`: single changed files, before they are committed."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mlops_audit.cli.codes import FAILED, PASSED
from mlops_audit.cli.output import write_lines
from mlops_audit.cli.surroundings import configured
from mlops_audit.cli.words import ExistingFile, Misuse


@click.command()
@click.argument("files", type=ExistingFile(), nargs=-1, metavar="[FILES]...")
def check(files: tuple[Path, ...]) -> int:
    """Check changed FILES, each by itself: can it be read, which evidence does it no longer give. No score.

    Exits 1 when a file cannot be read: an audit would not see what it states. Evidence that went away since HEAD is a
    note and fails nothing.
    """
    from mlops_audit.check import check as check_files
    from mlops_audit.config import ConfigError
    from mlops_audit.repository import RepositoryError

    root = _root_of(Path.cwd())
    paths = [_inside(file, root) for file in files]
    try:
        checked = check_files(root, paths, configured(root, None, False).exclude)
    except (ConfigError, RepositoryError) as error:
        raise Misuse(str(error)) from error
    lines = [f"{fault.site}: {fault.reason}" for fault in checked.faults]
    write_lines([*lines, *map(str, checked.losses)])
    return FAILED if checked.faults else PASSED


def _root_of(folder: Path) -> Path:
    """The nearest folder at or above this one that holds a repository, else this one; no variable of git is asked."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)


def _inside(file: Path, root: Path) -> str:
    path = Path(os.path.abspath(file))
    if not path.is_relative_to(root):
        raise Misuse(f"{str(file)!r} lies outside the repository {str(root)!r}")
    return path.relative_to(root).as_posix()


COMMANDS = (check,)
