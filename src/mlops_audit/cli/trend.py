"""The command `trend`: the way a repository came."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_audit.cli import options
from mlops_audit.cli.codes import NOTHING, PASSED
from mlops_audit.cli.output import colored, end_progress, progress, say, unicode, width, write
from mlops_audit.cli.surroundings import cache_of, effective, rules_of
from mlops_audit.cli.words import PERIODS, TREND_FORMATS, Day, Folder, Misuse, Word

if TYPE_CHECKING:
    from datetime import date


@click.command("trend")
@click.argument("path", type=Folder(), default=".")
@click.option("--rev", default="HEAD", help="The commit, branch or tag that the history leads to.")
@click.option(
    "--every",
    type=Word("period", PERIODS),
    default="month",
    show_default=True,
    help="The last commit of each.",
)
@click.option("--tags", is_flag=True, help="The commits that tags name, instead.")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the last N of them.")
@click.option("--since", type=Day(), help="Only those since a day.")
@click.option("--format", "format", type=Word("format", TREND_FORMATS), default="terminal", show_default=True)
@options.PROFILE
@options.RULES
@options.EXTENDS
@options.ISOLATED
@options.time_limit(300.0, "Look at no further commit after that; what was found is kept for the next run.")
@options.COLOR
@options.NO_CACHE
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
def show_trend(
    path: Path,
    rev: str,
    every: str,
    tags: bool,
    last: int | None,
    since: date | None,
    format: str,
    profile: str | None,
    packs: tuple[Path, ...],
    presets: tuple[str, ...],
    isolated: bool,
    seconds: float,
    color: str,
    no_cache: bool,
    quiet: bool,
) -> int:
    """Show the way that the repository at PATH came: levels and scores over its history, and what changed when."""
    from mlops_audit.audit import Asked, NothingToAudit
    from mlops_audit.budget import Budget
    from mlops_audit.changes.trend import Choice, trend
    from mlops_audit.changes.trend_report import render
    from mlops_audit.config import Config, ConfigError
    from mlops_audit.repository import RepositoryError

    try:
        config = effective(Config(profile=profile or "", rules=packs), path, None, isolated, presets=presets)
        found = trend(
            path,
            rules_of(config.rules),
            Choice(every, tags, last, since),
            rev=rev,
            exclude=config.exclude,
            asked=Asked(config.disable, config.profile, weights=config.weights),
            progress=progress(quiet),
            budget=Budget(seconds),
            cache=cache_of(None if no_cache else path),
        )
    except (ConfigError, RepositoryError) as error:
        raise Misuse(str(error)) from error
    except NothingToAudit as error:
        say(str(error))
        return NOTHING
    finally:
        end_progress(quiet)
    look = {"color": colored(color), "width": width(), "unicode": unicode()}
    write(render(found, format, **look), utf8=format != "terminal")  # type: ignore[arg-type]
    return PASSED


COMMANDS = (show_trend,)
