"""What surrounds a command: configuration, rules, baseline and cache, each from where it may come."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_audit.cli.output import PROGRAM
from mlops_audit.cli.words import Misuse

if TYPE_CHECKING:
    from datetime import date

    from mlops_audit.cache import Cache
    from mlops_audit.changes.baseline import Baseline
    from mlops_audit.config import Config
    from mlops_audit.rules import Pack
    from mlops_audit.waivers import Waiving


def effective(
    given: Config,
    path: Path,
    rev: str | None,
    isolated: bool,
    base: str | None = None,
    presets: Sequence[str] = (),
) -> Config:
    """What holds: the command line, then the repository, then --extends, then the user, then the profile."""
    from mlops_audit import config

    below = config.Config()
    for preset in presets:
        below = config.of_preset(preset).over(below)
    found = given.over(configured(path, rev, isolated, base, below))
    return found.over(config.of_profile(found.profile))


def configured(
    path: Path, rev: str | None, isolated: bool, base: str | None = None, preset: Config | None = None
) -> Config:
    """The repository's configuration, of the commit when one is asked for, on top of a preset and the user's own.

    `base` is a commit to take it from instead: a pull request cannot lower its own gate.
    """
    from mlops_audit import config

    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    own = config.of_user(Path(home) / PROGRAM / "config.toml")
    own = own if preset is None else preset.over(own)
    if isolated and base:
        raise Misuse("--isolated and --config-from exclude each other")
    if isolated:
        return own
    with reading(path, base or rev) as read:
        found = config.of_repository(read)
    if base and found.source:
        found = replace(found, source=f"{found.source} at {base}")
    return found.over(own)


@contextmanager
def reading(path: Path, rev: str | None) -> Iterator[Callable[[str], bytes | None]]:
    """How files of the repository are read, from the work tree or a commit; no link is followed out of it."""
    from mlops_audit.config import ConfigError
    from mlops_audit.parse.nodes import ParseFailure
    from mlops_audit.repository.regular_files import read_regular
    from mlops_audit.tree import Tree

    root = Path(os.path.realpath(path))

    def from_disk(name: str) -> bytes | None:
        place = root / name
        if os.path.realpath(place.parent) != os.path.normpath(place.parent):
            raise ConfigError([f"{name}:1: cannot be read: a folder on its path is a symbolic link"])
        try:
            return read_regular(place, 50_000_000)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError([f"{name}:1: cannot be read: {error.strerror}"]) from error

    if rev is None:
        yield from_disk
        return
    with Tree.open(path, rev) as tree:
        files = {file.path: file for file in tree.files}

        def from_commit(name: str) -> bytes | None:
            try:
                return files[name].read() if name in files else None
            except ParseFailure as failure:
                raise ConfigError([f"{name}:1: cannot be read: {failure.reason}"]) from failure

        yield from_commit


def _bytes_inside(path: Path, rev: str | None, name: str) -> bytes | None:
    """The bytes of a file of the repository, in the work tree or in a commit; None where there is none."""
    with reading(path, rev) as read:
        return read(name)


def rules_of(packs: Sequence[Path], examples: bool = False) -> Pack:
    from mlops_audit.rule_packs import rule_pack
    from mlops_audit.rules import RuleError

    try:
        return rule_pack(packs, examples=examples)
    except RuleError as error:
        raise Misuse(str(error)) from error


def waiving_of(config: Config, today: date | None) -> Waiving:
    from datetime import date

    from mlops_audit.waivers import Waiving

    scored = config.waived or "as-found"
    return Waiving(config.waivers, today or date.today(), scored, bool(config.needs_approval))


def baseline_of(
    config: Config, path: Path, rev: str | None, known: Path | None
) -> tuple[Baseline | None, str]:
    """The baseline that an option names, else that of the configuration, read where the configuration is read."""
    from mlops_audit.changes import baseline

    if known is None and not config.baseline:
        return None, ""
    name = known.as_posix() if known is not None else config.baseline
    try:
        data = known.read_bytes() if known is not None else _bytes_inside(path, rev, name)
    except OSError as error:
        raise Misuse(f"{name}:1: cannot be read: {error.strerror}") from error
    if data is None:
        raise Misuse(f"there is no baseline {name!r}; `{PROGRAM} baseline write` records one")
    return baseline.read(data, name), name


def cache_of(audited: Path | None) -> Cache:
    """What is kept between runs: in the user's cache folder, unless that lies in what is audited."""
    from mlops_audit.cache import NOTHING_KEPT, Cache, user_folder

    folder = user_folder(os.environ)
    if (
        audited is None
        or not folder
        or Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(audited))
    ):
        return NOTHING_KEPT
    return Cache(folder)
