"""The commands `config show` and `config schema`."""

from __future__ import annotations

from pathlib import Path

import click

from mlops_audit.cli import options
from mlops_audit.cli.codes import PASSED
from mlops_audit.cli.output import write, write_lines
from mlops_audit.cli.surroundings import effective
from mlops_audit.cli.words import Folder, Misuse, Word


@click.group("config")
def config_commands() -> None:
    """What the configuration says, and where."""


@config_commands.command("show")
@click.argument("path", type=Folder(), default=".")
@click.option("--rev", help="Read the configuration of this commit instead of the work tree.")
@click.option(
    "--format", "format", type=Word("format", ("terminal", "json")), default="terminal", show_default=True
)
@options.PROFILE
@options.RULES
@options.EXTENDS
@options.ISOLATED
def config_show(
    path: Path, rev: str | None, format: str, profile: str | None, packs: tuple[Path, ...], presets: tuple[str, ...],
    isolated: bool,
) -> int:  # fmt: skip
    """Print every value that holds for the repository at PATH, each with the file and line that says it."""
    import json

    from mlops_audit.config import Config, ConfigError
    from mlops_audit.config.shown import rows
    from mlops_audit.repository import RepositoryError

    told = {"profile": "--profile"} if profile else {}
    told |= {f"rules.{pack}": "--rules" for pack in packs}
    given = Config(profile=profile or "", rules=packs, sources=told)
    try:
        found = rows(effective(given, path, rev, isolated, None, presets))
    except (ConfigError, RepositoryError) as error:
        raise Misuse(str(error)) from error
    if format == "json":
        write(
            json.dumps([{"key": k, "value": v, "source": s} for k, v, s in found], indent=2) + "\n", utf8=True
        )
    else:
        write_lines(
            [f"{key} = {json.dumps(value, ensure_ascii=False)}  # {source}" for key, value, source in found]
        )
    return PASSED


@config_commands.command("schema")
def config_schema() -> int:
    """Print the JSON Schema of the configuration, for editors."""
    from mlops_audit.catalogue import data_folder

    write((data_folder("reports") / "config.schema.json").read_text("utf-8"), utf8=True)
    return PASSED


COMMANDS = (config_commands,)
