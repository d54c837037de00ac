"""The command `compare`: what a change does."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_audit.cli import options
from mlops_audit.cli.codes import FAILED, NOTHING, PASSED
from mlops_audit.cli.output import check_output, colored, say, unicode, width, write, write_file
from mlops_audit.cli.surroundings import cache_of, configured, effective, rules_of, waiving_of
from mlops_audit.cli.words import FORMATS, Folder, Misuse, Output, Word

if TYPE_CHECKING:
    from datetime import date


@click.command()
@click.argument("base")
@click.argument("head", required=False)
@click.option("-C", "--repository", "path", type=Folder(), default=".", help="The repository.")
@click.option("--format", "format", type=Word("format", FORMATS[:3]), default="terminal", show_default=True)
@click.option(
    "--output", "outputs", type=Output(), multiple=True, help="Also write it to a file. Repeatable."
)
@click.option("--fail-on-regression", "regressions", type=Word("regression", ("level", "pillar", "aspect")), multiple=True,
              help="Exit 1 when the level, any pillar's score or any aspect falls. Repeatable.")  # fmt: skip
@click.option(
    "--merge-base", "fork", is_flag=True, help="Compare with where HEAD left BASE, as a pull request does."
)
@options.PROFILE
@options.RULES
@options.EXTENDS
@options.NO_WAIVERS
@options.TODAY
@options.ISOLATED
@options.COLOR
@options.NO_CACHE
@click.option("-q", "--quiet", is_flag=True, help="No notes on stderr.")
def compare(
    base: str,
    head: str | None,
    path: Path,
    format: str,
    outputs: tuple[tuple[str, Path], ...],
    regressions: tuple[str, ...],
    fork: bool,
    profile: str | None,
    packs: tuple[Path, ...],
    presets: tuple[str, ...],
    no_waivers: bool,
    today: date | None,
    isolated: bool,
    color: str,
    no_cache: bool,
    quiet: bool,
) -> int:
    """Say what a change does: BASE and HEAD are revisions or JSON reports; without HEAD it is the work tree.

    Both sides are judged under the configuration of BASE, so that a change cannot lower its own gate.
    """
    from mlops_audit.audit import Asked, NothingToAudit
    from mlops_audit.changes.compare import render
    from mlops_audit.changes.sides import CompareError, Ends, compare_ends, fork_of
    from mlops_audit.config import Config, ConfigError
    from mlops_audit.repository import RepositoryError
    from mlops_audit.rules import RuleError

    for kind, target in outputs:
        if kind not in FORMATS[:3]:
            raise Misuse(f"compare writes {', '.join(FORMATS[:3])}, not {kind}")
        check_output(target, path)
    reports = {word: data for word in (base, head) if word and (data := _report_file(word)) is not None}
    try:
        if fork and base not in reports:
            base = fork_of(path, base, head)
        given = Config(profile=profile or "", rules=packs)
        where = None if base in reports else base
        config = effective(given, path, where, isolated or bool(reports), None, presets)
        remarks = [] if isolated or reports else _changed_configuration(path, base, head)
        asked = Asked(
            config.disable, config.profile, weights=config.weights,
            waiving=None if no_waivers else waiving_of(config, today), with_snippets=False,
        )  # fmt: skip
        ends = Ends(path, base, head, reports, config.exclude)
        kept = cache_of(None if no_cache else path)
        document = compare_ends(ends, rules_of(config.rules), asked, regressions, remarks, kept)
    except (ConfigError, RuleError, RepositoryError, CompareError) as error:
        raise Misuse(str(error)) from error
    except NothingToAudit as error:
        say(str(error))
        return NOTHING
    for kind, target in outputs:
        write_file(target, render(document, kind))
        if not quiet:
            say(f"wrote {kind} to {target}")
    look = {"color": colored(color), "width": width(), "unicode": unicode()}
    write(render(document, format, **look), utf8=format != "terminal")  # type: ignore[arg-type]
    for what in document["failed"]:
        fell = document["regressions"][what]
        say(f"regression: {what}{f': {chr(44).join(fell)}' if isinstance(fell, list) else ''}")
    return FAILED if document["failed"] else PASSED


def _report_file(word: str) -> bytes | None:
    """The bytes of a report where a word of the command line is the path of a file; no revision is named like one."""
    if not word.endswith(".json") or not os.path.isfile(word):
        return None
    try:
        return Path(word).read_bytes()
    except OSError as error:
        raise Misuse(f"{word!r} cannot be read: {error.strerror}") from error


def _changed_configuration(path: Path, base: str, head: str | None) -> list[str]:
    """A remark where the change alters the configuration by which it will be judged once it is merged."""
    from mlops_audit.config import ConfigError

    try:
        before, after = (configured(path, rev, False) for rev in (base, head))
    except ConfigError as error:
        return [f"the configuration cannot be read on both sides: {str(error).splitlines()[0]}"]
    same = replace(before, source="", waivers=()) == replace(after, source="", waivers=())
    waivers = [[waiver._replace(site=None) for waiver in side.waivers] for side in (before, after)]  # type: ignore[arg-type]
    if same and waivers[0] == waivers[1]:
        return []
    return [
        "this change alters the configuration of the audit; both sides were judged by the one of the base"
    ]


COMMANDS = (compare,)
