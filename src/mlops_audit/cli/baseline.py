"""The commands `baseline write` and `baseline update`: what is known already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_audit import __version__
from mlops_audit.cli import options
from mlops_audit.cli.codes import PASSED
from mlops_audit.cli.output import check_output, counted, say, write_file
from mlops_audit.cli.surroundings import effective, waiving_of
from mlops_audit.cli.words import Folder, Misuse

if TYPE_CHECKING:
    from mlops_audit.changes.baseline import Baseline
    from mlops_audit.config import Config
    from mlops_audit.report import Report


@click.group("baseline")
def baseline_commands() -> None:
    """Record today's findings, so that later audits report only what is new."""


def _on_baseline(command: Any) -> Any:
    for option in (click.argument("path", type=Folder(), default="."), options.PROFILE, options.RULES, options.EXTENDS, options.BASELINE, options.NO_WAIVERS,
                   options.TODAY, options.ISOLATED):  # fmt: skip
        command = option(command)
    return command


@baseline_commands.command("write")
@_on_baseline
@click.option("--force", is_flag=True, help="Record anew what is recorded already: the file may grow.")
def baseline_write(force: bool, **asked: Any) -> int:
    """Record the findings of the repository at PATH."""
    from mlops_audit.changes.baseline import Baseline, recorded, written
    from mlops_audit.waivers import kept

    target, config = _baseline_target(asked)
    if target.exists() and not force:
        raise Misuse(f"{target.as_posix()!r} is there already: `baseline update` takes out of it what is gone; "
                     "with --force it is recorded anew, and may grow")  # fmt: skip
    report = _recorded(asked, config, Baseline())
    unwaived = [f for f in report.findings if report.waived is None or f.aspect.id not in report.waived]
    found = recorded(unwaived, kept(report.line_findings, report.waived), report.sketches, report.commit)
    write_file(target, written(found, __version__), "baseline")
    say(f"recorded {counted(len(found), 'finding')} in {target}")
    return PASSED


@baseline_commands.command("update")
@_on_baseline
def baseline_update(**asked: Any) -> int:
    """Take out of the baseline what is gone; nothing new is ever added."""
    from mlops_audit.changes.baseline import BaselineError, read, written

    target, config = _baseline_target(asked)
    try:
        before = read(target.read_bytes(), target.as_posix())
    except OSError as error:
        raise Misuse(
            f"{target.as_posix()!r} cannot be read: {error.strerror}; `baseline write` records one"
        ) from error
    except BaselineError as error:
        raise Misuse(str(error)) from error
    held = _recorded(asked, config, before).held
    assert held is not None
    write_file(target, written(held.remaining, __version__), "baseline")
    new = len(held.new_aspects) + len(held.new_places)
    say(
        f"{len(before) - len(held.remaining)} taken out, {len(held.remaining)} left; {new} new are not recorded"
    )
    return PASSED


def _baseline_target(asked: dict[str, Any]) -> tuple[Path, Config]:
    """The file of the baseline, by option, configuration or its usual name, and the configuration."""
    from mlops_audit.changes.baseline import NAME
    from mlops_audit.config import Config, ConfigError

    given = Config(profile=asked["profile"] or "", rules=asked["packs"])
    try:
        config = effective(given, asked["path"], None, asked["isolated"], None, asked["presets"])
    except ConfigError as error:
        raise Misuse(str(error)) from error
    target = asked["known"] or asked["path"] / (config.baseline or NAME)
    check_output(target, asked["path"])
    return target, config


def _recorded(asked: dict[str, Any], config: Config, baseline: Baseline) -> Report:
    from mlops_audit.audit import NothingToAudit
    from mlops_audit.audit import audit as audit_repository
    from mlops_audit.repository import RepositoryError
    from mlops_audit.rules import RuleError

    try:
        return audit_repository(
            asked["path"],
            exclude=config.exclude,
            disabled=config.disable,
            profile=config.profile,
            packs=config.rules,
            weights=config.weights,
            waiving=None if asked["no_waivers"] else waiving_of(config, asked["today"]),
            baseline=baseline,
            with_snippets=False,
        )
    except (RuleError, RepositoryError, NothingToAudit) as error:
        raise Misuse(str(error)) from error


COMMANDS = (baseline_commands,)
