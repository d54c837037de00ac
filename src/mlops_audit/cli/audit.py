"""The command `audit`: reports, gates and the exit code that a pipeline heeds."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_audit.cli import options
from mlops_audit.cli.codes import BROKEN, FAILED, NOTHING, PASSED
from mlops_audit.cli.output import (
    ANSWER,
    check_output,
    colored,
    counted,
    end_progress,
    reading_progress,
    say,
    unicode,
    width,
    write,
    write_file,
)
from mlops_audit.cli.surroundings import baseline_of, cache_of, effective, waiving_of
from mlops_audit.cli.words import FORMATS, SEVERITIES, Folder, Level, Misuse, Output, Score, Word

if TYPE_CHECKING:
    from datetime import date

    from mlops_audit.config import Config
    from mlops_audit.report import Report


@click.command()
@click.argument("path", type=Folder(), default=".")
@click.option("--rev", help="Audit this commit, branch or tag instead of the work tree.")
@click.option("--project", metavar="FOLDER", help="Audit one project of a monorepo alone, by its folder.")
@click.option("--format", "format", type=Word("format", FORMATS), default="terminal", show_default=True)
@click.option(
    "--output", "outputs", type=Output(), multiple=True, help="Also write a report to a file. Repeatable."
)
@click.option("--fail-below-maturity", "maturity", type=Level(), help="Exit 1 below level N.")
@click.option(
    "--fail-below-score", "scores", type=Score(), multiple=True, help="Exit 1 below a score. Repeatable."
)
@click.option(
    "--fail-on", "severity", type=Word("severity", SEVERITIES), help="Exit 1 on a finding this grave."
)
@options.PROFILE
@options.RULES
@options.EXTENDS
@options.BASELINE
@click.option("--no-baseline", is_flag=True, help="Report all findings, whatever the configuration says.")
@options.NO_WAIVERS
@options.TODAY
@options.ISOLATED
@click.option(
    "--config-from", "base", metavar="REV", help="Take the repository's configuration from this commit."
)
@click.option(
    "--time-limit",
    "seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Skip what is not read by then.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Read files by N processes; 0: as many as pay.",
)
@click.option("--strict", is_flag=True, help="Exit 4 when what was not read leaves any aspect unknown.")
@click.option("--no-snippets", "bare", is_flag=True, help="No lines of source in the report.")
@click.option("--trend", "history", type=click.Path(path_type=Path), metavar="FILE",
              help="Show a trend (as `trend --format json` writes it) in the page.")  # fmt: skip
@options.COLOR
@options.NO_CACHE
@click.option("-q", "--quiet", is_flag=True, help="No notes on stderr.")
def audit(
    path: Path,
    rev: str | None,
    project: str | None,
    format: str,
    outputs: tuple[tuple[str, Path], ...],
    maturity: int | None,
    scores: tuple[tuple[str, float], ...],
    severity: str | None,
    profile: str | None,
    packs: tuple[Path, ...],
    presets: tuple[str, ...],
    known: Path | None,
    no_baseline: bool,
    no_waivers: bool,
    today: date | None,
    isolated: bool,
    base: str | None,
    seconds: float,
    jobs: int,
    strict: bool,
    bare: bool,
    history: Path | None,
    color: str,
    no_cache: bool,
    quiet: bool,
) -> int:
    """Audit the repository at PATH: 60 aspects, six scores, a maturity level and a roadmap."""
    from mlops_audit.audit import NothingToAudit
    from mlops_audit.audit import audit as audit_repository
    from mlops_audit.budget import of_time
    from mlops_audit.changes.baseline import BaselineError
    from mlops_audit.config import OWN_FILE, SHARED_FILE, Config, ConfigError
    from mlops_audit.examination import Reading
    from mlops_audit.projects import NoProject
    from mlops_audit.report import NAMING_THE_COMMIT, render
    from mlops_audit.repository import ABSENT, RepositoryError
    from mlops_audit.rules import RuleError

    given = Config(maturity, dict(scores), severity or "", profile=profile or "", rules=packs)
    way = _trend_of(history) if history is not None else None
    for _, target in outputs:
        check_output(target, path)
    try:
        config = effective(given, path, rev, isolated, base, presets)
        baseline, named = (None, "") if no_baseline else baseline_of(config, path, base or rev, known)
        report = audit_repository(
            path,
            rev,
            exclude=config.exclude,
            disabled=config.disable,
            profile=config.profile,
            thresholds=config.thresholds,
            packs=config.rules,
            weights=config.weights,
            waiving=None if no_waivers else waiving_of(config, today),
            baseline=baseline,
            baseline_file=named,
            sources=config.source.split(", ") if config.source else (),
            time_limit=seconds,
            with_snippets=not bare,
            project=project,
            cache=cache_of(None if no_cache else path),
            reading=Reading(jobs, reading_progress(quiet)),
        )
        end_progress(quiet)
    except (ConfigError, RuleError, RepositoryError, BaselineError, NoProject) as error:
        raise Misuse(str(error)) from error
    except NothingToAudit as error:
        say(str(error))
        for problem in error.unread[:5]:
            say(f"not read: {problem.site}: {problem.reason}")
        return BROKEN if strict and error.unread else NOTHING
    for kind, target in outputs:
        write_file(target, render(report, kind, unicode=True, trend=way))
        if not quiet:
            say(f"wrote {kind} to {target}")
    look = {"color": colored(color), "width": width(), "unicode": unicode(), "trend": way}
    commit = report.commit if format in NAMING_THE_COMMIT else ""
    text = render(replace(report, commit=ANSWER.stand_in) if commit else report, format, **look)  # type: ignore[arg-type]
    write(text, utf8=format != "terminal", commit=commit)
    if format == "github":
        _write_job_summary(report)
    unknown = [finding.aspect.id for finding in report.findings if finding.verdict == "unknown"]
    code = _gate(report, config, quiet)
    ANSWER.lasting = (
        set(config.source.split(", ")) <= {"", OWN_FILE, SHARED_FILE}
        and not (config.rules or named)
        and not any(of_time(p.reason) or p.reason.endswith(ABSENT) for p in report.problems)
    )
    ANSWER.report = report
    if strict and unknown:
        say(f"unknown, because files were not read: {', '.join(unknown)}")
        return BROKEN
    return code


def _trend_of(file: Path) -> dict[str, Any]:
    """The trend that `trend --format json` wrote."""
    from mlops_audit.changes.trend_report import read

    try:
        return read(file.read_bytes())
    except (OSError, ValueError) as error:
        raise Misuse(f"--trend: {str(file)!r} is no trend: {error}") from error


def _write_job_summary(report: Report) -> None:
    """The report in Markdown at the end of the file that GitHub Actions shows as the summary of the job."""
    target = os.environ.get("GITHUB_STEP_SUMMARY")
    if not target:
        return
    from mlops_audit.formats.job_log import SUMMARY_BYTES, summary
    from mlops_audit.report import render

    try:
        with open(target, "ab") as stream:
            stream.write(summary(render(report, "markdown"), SUMMARY_BYTES - stream.tell()).encode())
    except OSError as error:
        say(f"GITHUB_STEP_SUMMARY cannot be written: {error.strerror}")


def _gate(report: Report, config: Config, quiet: bool) -> int:
    failed = [outcome for outcome in report.thresholds if not outcome.held]
    for outcome in failed:
        say(f"gate failed: {outcome.threshold}: wanted {outcome.wanted}, found {outcome.found}")
    if config.source and not quiet:
        say(f"configured by {config.source}")
    if report.held is not None and not quiet:
        gone = len(report.held.gone_aspects) + len(report.held.gone_places)
        say(f"baseline: {counted(report.held.hidden, 'finding')} held back, {gone} gone")
    for note in report.waived.notes if report.waived is not None and not quiet else ():
        say(f"{note.site}: {note.what}")
    return FAILED if failed else PASSED


COMMANDS = (audit,)
