"""The command line: the only writer to stdout, the only reader of the environment, the only exit."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from mlops_audit import __version__
from mlops_audit.words import (
    FORMATS,
    PERIODS,
    PROFILES,
    SEVERITIES,
    TREND_FORMATS,
    Commands,
    Day,
    ExistingFile,
    Folder,
    Level,
    Misuse,
    Output,
    Score,
    Word,
    aspects,
    kinds,
)

if TYPE_CHECKING:
    from datetime import date

    from mlops_audit.cache import Cache
    from mlops_audit.changes.baseline import Baseline
    from mlops_audit.config import Config
    from mlops_audit.facts import Fact
    from mlops_audit.report import Report
    from mlops_audit.waivers import Waiving

PASSED, FAILED, MISUSED, NOTHING, BROKEN, INTERRUPTED = 0, 1, 2, 3, 4, 130
PROGRAM = "mlops-audit"


@dataclass(slots=True)
class Answer:
    """What this process has said so far, and whether it would say the same again to the same question."""

    said: bytearray = field(default_factory=bytearray)
    told: list[str] = field(default_factory=list)
    lasting: bool = False


ANSWER = Answer()


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with the code of `run`."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code: 0 passed, 1 gate failed, 2 usage, configuration or rule error, 3 nothing to
    audit, 4 internal error, 130 interrupted."""
    sys.excepthook = _broken
    gc.set_threshold(
        100_000, 50, 1000
    )  # an audit makes many small things that live to its end: looked through seldom
    try:
        code = commands.main(arguments, prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        message = error.format_message()
        _say(f"{message} Try {PROGRAM} --help." if message == "Missing command." else message)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        code = INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        code = PASSED
    return code if isinstance(code, int) else PASSED


def _broken(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error of the program itself: its traceback, and an exit code that is no verdict."""
    sys.__excepthook__(kind, error, trace)
    if issubclass(kind, KeyboardInterrupt):
        raise SystemExit(INTERRUPTED)
    _say("this is a fault of mlops-audit itself; please report it with the lines above")
    raise SystemExit(BROKEN)


def _say(text: str) -> None:
    """Each line on stderr under the program's name."""
    from mlops_audit.safe import plain

    for line in text.splitlines():
        ANSWER.told.append(f"{PROGRAM}: {plain(line)}\n")
        sys.stderr.write(ANSWER.told[-1])


def _write(text: str, utf8: bool = False) -> None:
    """Text on stdout: as UTF-8 for machines, else in the terminal's encoding. A closed pipe is no error."""
    encoding = "utf-8" if utf8 else sys.stdout.encoding or "utf-8"
    data = text.encode(encoding, "backslashreplace")
    ANSWER.said += data
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _forget_stdout()


def _forget_stdout() -> None:
    """Nobody reads any more: what is still buffered must not fail again when the interpreter ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())


COLOR = click.option(
    "--color", type=Word("value of --color", ("auto", "always", "never")), default="auto", show_default=True,
    help="Colour the terminal's report. auto heeds NO_COLOR and FORCE_COLOR.",
)  # fmt: skip
EXTENDS = click.option("--extends", "presets", multiple=True, metavar="PRESET",
                       help="A configuration below the repository's: a file, or package:NAME/FILE.toml.")  # fmt: skip
ISOLATED = click.option("--isolated", is_flag=True, help="Ignore the configuration of the repository.")
PROFILE = click.option("--profile", type=Word("profile", PROFILES), help="Weights and thresholds: poc, standard, "
                       "regulated; uk-gov asks the aspects of the UK Government too.")  # fmt: skip
BASELINE = click.option("--baseline", "known", type=click.Path(path_type=Path), metavar="FILE",
                        help="The file of recorded findings.")  # fmt: skip
NO_WAIVERS = click.option(
    "--no-waivers", is_flag=True, help="Heed no waiver, and no comment that ignores a finding."
)
NO_CACHE = click.option(
    "--no-cache", is_flag=True, help="Keep nothing for the next run, and use nothing that was kept."
)
TODAY = click.option("--today", type=Day(), hidden=True)
RULES = click.option(
    "--rules", "packs", type=Folder(), multiple=True, metavar="DIR", help="A folder of further rules."
)


# -------------------------------------------------------------------------------------------------- commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
def commands() -> None:
    """Say how ready for production a machine-learning repository is, without running any of it."""


@commands.command()
@click.argument("path", type=Folder(), default=".")
@click.option("--rev", help="Audit this commit, branch or tag instead of the work tree.")
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
@PROFILE
@RULES
@EXTENDS
@BASELINE
@click.option("--no-baseline", is_flag=True, help="Report all findings, whatever the configuration says.")
@NO_WAIVERS
@TODAY
@ISOLATED
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
@click.option("--strict", is_flag=True, help="Exit 4 when what was not read leaves any aspect unknown.")
@click.option("--no-snippets", "bare", is_flag=True, help="No lines of source in the report.")
@click.option("--trend", "history", type=click.Path(path_type=Path), metavar="FILE",
              help="Show a trend (as `trend --format json` writes it) in the page.")  # fmt: skip
@COLOR
@NO_CACHE
@click.option("-q", "--quiet", is_flag=True, help="No notes on stderr.")
def audit(
    path: Path,
    rev: str | None,
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
    from mlops_audit.report import render
    from mlops_audit.repository import RepositoryError
    from mlops_audit.rules import RuleError

    given = Config(maturity, dict(scores), severity or "", profile=profile or "", rules=packs)
    way = _trend_of(history) if history is not None else None
    for _, target in outputs:
        _check_output(target, path)
    try:
        config = _effective(given, path, rev, isolated, base, presets)
        baseline, named = (None, "") if no_baseline else _baseline(config, path, base or rev, known)
        report = audit_repository(
            path,
            rev,
            exclude=config.exclude,
            disabled=config.disable,
            profile=config.profile,
            thresholds=config.thresholds,
            packs=config.rules,
            weights=config.weights,
            waiving=None if no_waivers else _waiving(config, today),
            baseline=baseline,
            baseline_file=named,
            sources=config.source.split(", ") if config.source else (),
            time_limit=seconds,
            with_snippets=not bare,
            cache=_cache(None if no_cache else path),
        )
    except (ConfigError, RuleError, RepositoryError, BaselineError) as error:
        raise Misuse(str(error)) from error
    except NothingToAudit as error:
        _say(str(error))
        for problem in error.unread[:5]:
            _say(f"not read: {problem.site}: {problem.reason}")
        return BROKEN if strict and error.unread else NOTHING
    for kind, target in outputs:
        _write_file(target, render(report, kind, unicode=True, trend=way))
        if not quiet:
            _say(f"wrote {kind} to {target}")
    look = {"color": _colored(color), "width": _width(), "unicode": _unicode(), "trend": way}
    _write(render(report, format, **look), utf8=format != "terminal")  # type: ignore[arg-type]
    if format == "github":
        _write_job_summary(report)
    unknown = [finding.aspect.id for finding in report.findings if finding.verdict == "unknown"]
    code = _gate(report, config, quiet)
    ANSWER.lasting = (
        set(config.source.split(", ")) <= {"", OWN_FILE, SHARED_FILE}
        and not (config.rules or named)
        and not any(of_time(problem.reason) for problem in report.problems)
    )
    if strict and unknown:
        _say(f"unknown, because files were not read: {', '.join(unknown)}")
        return BROKEN
    return code


def _cache(audited: Path | None) -> Cache:
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
        _say(f"GITHUB_STEP_SUMMARY cannot be written: {error.strerror}")


def _gate(report: Report, config: Config, quiet: bool) -> int:
    failed = [outcome for outcome in report.thresholds if not outcome.held]
    for outcome in failed:
        _say(f"gate failed: {outcome.threshold}: wanted {outcome.wanted}, found {outcome.found}")
    if config.source and not quiet:
        _say(f"configured by {config.source}")
    if report.held is not None and not quiet:
        gone = len(report.held.gone_aspects) + len(report.held.gone_places)
        _say(f"baseline: {_counted(report.held.hidden, 'finding')} held back, {gone} gone")
    for note in report.waived.notes if report.waived is not None and not quiet else ():
        _say(f"{note.site}: {note.what}")
    return FAILED if failed else PASSED


def _effective(
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
    found = given.over(_configured(path, rev, isolated, base, below))
    return found.over(config.of_profile(found.profile))


def _waiving(config: Config, today: date | None) -> Waiving:
    from datetime import date

    from mlops_audit.waivers import Waiving

    scored = config.waived or "as-found"
    return Waiving(config.waivers, today or date.today(), scored, bool(config.needs_approval))


def _baseline(config: Config, path: Path, rev: str | None, known: Path | None) -> tuple[Baseline | None, str]:
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


def _bytes_inside(path: Path, rev: str | None, name: str) -> bytes | None:
    """The bytes of a file of the repository, in the work tree or in a commit; None where there is none."""
    with _reading(path, rev) as read:
        return read(name)


# -------------------------------------------------------------------------------------------------- over time


@commands.command()
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
@PROFILE
@RULES
@EXTENDS
@NO_WAIVERS
@TODAY
@ISOLATED
@COLOR
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
        _check_output(target, path)
    reports = {word: data for word in (base, head) if word and (data := _report_file(word)) is not None}
    try:
        if fork and base not in reports:
            base = fork_of(path, base, head)
        given = Config(profile=profile or "", rules=packs)
        where = None if base in reports else base
        config = _effective(given, path, where, isolated or bool(reports), None, presets)
        remarks = [] if isolated or reports else _changed_configuration(path, base, head)
        asked = Asked(
            config.disable, config.profile, weights=config.weights,
            waiving=None if no_waivers else _waiving(config, today), with_snippets=False,
        )  # fmt: skip
        ends = Ends(path, base, head, reports, config.exclude)
        document = compare_ends(ends, _rules(config.rules), asked, regressions, remarks)
    except (ConfigError, RuleError, RepositoryError, CompareError) as error:
        raise Misuse(str(error)) from error
    except NothingToAudit as error:
        _say(str(error))
        return NOTHING
    for kind, target in outputs:
        _write_file(target, render(document, kind))
        if not quiet:
            _say(f"wrote {kind} to {target}")
    look = {"color": _colored(color), "width": _width(), "unicode": _unicode()}
    _write(render(document, format, **look), utf8=format != "terminal")  # type: ignore[arg-type]
    for what in document["failed"]:
        fell = document["regressions"][what]
        _say(f"regression: {what}{f': {chr(44).join(fell)}' if isinstance(fell, list) else ''}")
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
        before, after = (_configured(path, rev, False) for rev in (base, head))
    except ConfigError as error:
        return [f"the configuration cannot be read on both sides: {str(error).splitlines()[0]}"]
    same = replace(before, source="", waivers=()) == replace(after, source="", waivers=())
    waivers = [[replace(waiver, site=None) for waiver in side.waivers] for side in (before, after)]  # type: ignore[arg-type]
    if same and waivers[0] == waivers[1]:
        return []
    return [
        "this change alters the configuration of the audit; both sides were judged by the one of the base"
    ]


@commands.command("trend")
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
@PROFILE
@RULES
@EXTENDS
@ISOLATED
@COLOR
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
    color: str,
    quiet: bool,
) -> int:
    """Show the way that the repository at PATH came: levels and scores over its history, and what changed when."""
    from mlops_audit.audit import Asked, NothingToAudit
    from mlops_audit.changes.trend import Choice, trend
    from mlops_audit.changes.trend_report import render
    from mlops_audit.config import Config, ConfigError
    from mlops_audit.repository import RepositoryError

    try:
        config = _effective(Config(profile=profile or "", rules=packs), path, None, isolated, presets=presets)
        found = trend(
            path,
            _rules(config.rules),
            Choice(every, tags, last, since),
            rev=rev,
            exclude=config.exclude,
            asked=Asked(config.disable, config.profile, weights=config.weights),
            progress=_progress(quiet),
        )
    except (ConfigError, RepositoryError) as error:
        raise Misuse(str(error)) from error
    except NothingToAudit as error:
        _say(str(error))
        return NOTHING
    finally:
        _end_progress(quiet)
    look = {"color": _colored(color), "width": _width(), "unicode": _unicode()}
    _write(render(found, format, **look), utf8=format != "terminal")  # type: ignore[arg-type]
    return PASSED


def _progress(quiet: bool) -> Callable[[int, int], None]:
    """Draws a bar on stderr, where a terminal shows it."""
    if quiet or not sys.stderr.isatty():
        return lambda done, expected: None

    def draw(done: int, expected: int) -> None:
        full = 24 * done // max(expected, 1)
        sys.stderr.write(f"\r[{'#' * full}{'.' * (24 - full)}] {done} of about {expected} audits\x1b[K")
        sys.stderr.flush()

    return draw


def _end_progress(quiet: bool) -> None:
    if not quiet and sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


@commands.group("baseline")
def baseline_commands() -> None:
    """Record today's findings, so that later audits report only what is new."""


def _on_baseline(command: Any) -> Any:
    for option in (click.argument("path", type=Folder(), default="."), PROFILE, RULES, EXTENDS, BASELINE, NO_WAIVERS,
                   TODAY, ISOLATED):  # fmt: skip
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
    _write_file(target, written(found, __version__), "baseline")
    _say(f"recorded {_counted(len(found), 'finding')} in {target}")
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
    _write_file(target, written(held.remaining, __version__), "baseline")
    new = len(held.new_aspects) + len(held.new_places)
    _say(
        f"{len(before) - len(held.remaining)} taken out, {len(held.remaining)} left; {new} new are not recorded"
    )
    return PASSED


def _baseline_target(asked: dict[str, Any]) -> tuple[Path, Config]:
    """The file of the baseline, by option, configuration or its usual name, and the configuration."""
    from mlops_audit.changes.baseline import NAME
    from mlops_audit.config import Config, ConfigError

    given = Config(profile=asked["profile"] or "", rules=asked["packs"])
    try:
        config = _effective(given, asked["path"], None, asked["isolated"], None, asked["presets"])
    except ConfigError as error:
        raise Misuse(str(error)) from error
    target = asked["known"] or asked["path"] / (config.baseline or NAME)
    _check_output(target, asked["path"])
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
            waiving=None if asked["no_waivers"] else _waiving(config, asked["today"]),
            baseline=baseline,
            with_snippets=False,
        )
    except (RuleError, RepositoryError, NothingToAudit) as error:
        raise Misuse(str(error)) from error


@commands.group("config")
def config_commands() -> None:
    """What the configuration says, and where."""


@config_commands.command("show")
@click.argument("path", type=Folder(), default=".")
@click.option("--rev", help="Read the configuration of this commit instead of the work tree.")
@click.option(
    "--format", "format", type=Word("format", ("terminal", "json")), default="terminal", show_default=True
)
@PROFILE
@RULES
@EXTENDS
@ISOLATED
def config_show(
    path: Path, rev: str | None, format: str, profile: str | None, packs: tuple[Path, ...], presets: tuple[str, ...],
    isolated: bool,
) -> int:  # fmt: skip
    """Print every value that holds for the repository at PATH, each with the file and line that says it."""
    import json

    from mlops_audit.config import Config, ConfigError
    from mlops_audit.repository import RepositoryError
    from mlops_audit.settings_shown import rows

    told = {"profile": "--profile"} if profile else {}
    told |= {f"rules.{pack}": "--rules" for pack in packs}
    given = Config(profile=profile or "", rules=packs, sources=told)
    try:
        found = rows(_effective(given, path, rev, isolated, None, presets))
    except (ConfigError, RepositoryError) as error:
        raise Misuse(str(error)) from error
    if format == "json":
        _write(
            json.dumps([{"key": k, "value": v, "source": s} for k, v, s in found], indent=2) + "\n", utf8=True
        )
    else:
        _write_lines(
            [f"{key} = {json.dumps(value, ensure_ascii=False)}  # {source}" for key, value, source in found]
        )
    return PASSED


@config_commands.command("schema")
def config_schema() -> int:
    """Print the JSON Schema of the configuration, for editors."""
    from mlops_audit.catalogue import data_folder

    _write((data_folder("reports") / "config.schema.json").read_text("utf-8"), utf8=True)
    return PASSED


@commands.command()
@click.argument("aspect", type=Word("aspect", aspects))
@click.option("--format", "format", type=Word("format", FORMATS[:3]), default="terminal", show_default=True)
@RULES
@COLOR
def explain(aspect: str, format: str, packs: tuple[Path, ...], color: str) -> int:
    """Explain an ASPECT: what it checks, why, what passes, examples, how to fix it."""
    from mlops_audit import catalogue
    from mlops_audit.formats import explain as explaining

    rule = _rules(packs).rule(aspect)
    if rule is None:
        raise Misuse(f"no rule decides the aspect {aspect!r}")
    text = explaining.explain(rule, catalogue.load(), format, color=_colored(color), width=_width())
    _write(text, utf8=format != "terminal")
    return PASSED


@commands.command("rules")
@click.option(
    "--format", "format", type=Word("format", ("terminal", "json")), default="terminal", show_default=True
)
@click.option(
    "--write-docs",
    "pages",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write a page for each aspect, and their index, into a folder instead.",
)
@RULES
def list_rules(format: str, pages: Path | None, packs: tuple[Path, ...]) -> int:
    """List all aspects: id, weight, title, kinds of project that it is asked of."""
    from mlops_audit import catalogue
    from mlops_audit.formats.explain import rule_list

    if pages is not None:
        _write_pages(pages, packs)
        return PASSED
    _write(rule_list(_rules(packs), catalogue.load(), format), utf8=format == "json")
    return PASSED


def _write_pages(folder: Path, packs: Sequence[Path]) -> None:
    """The pages of all rules; a page that is there already and no longer made is taken away."""
    from mlops_audit import catalogue
    from mlops_audit.formats import rule_pages as made

    found = made.pages(_rules(packs), catalogue.load())
    try:
        for path, text in found.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            _write_file(folder / path, text)
        for page in sorted(folder.glob("*/*.md")):
            if page.relative_to(folder).as_posix() not in found and page.read_text("utf-8").startswith(
                made.MADE
            ):
                page.unlink()
    except OSError as error:
        raise Misuse(f"--write-docs: {str(folder)!r} cannot be written: {error.strerror}") from error
    _say(f"wrote {len(found)} pages to {folder}")


@commands.command()
@click.argument("pack", type=Folder(), required=False)
def verify(pack: Path | None) -> int:
    """Verify a PACK of rules (the built-in one when left out): its examples, and the laws that every rule obeys."""
    from mlops_audit.rules import RuleError
    from mlops_audit.verify import verify_folder

    try:
        rules, faults = verify_folder(pack)
    except RuleError as error:
        raise Misuse(str(error)) from error
    _write_lines([str(fault) for fault in faults])
    _say(f"{_counted(rules, 'rule')}: {_counted(len(faults), 'fault') if faults else 'no faults'}")
    return FAILED if faults else PASSED


@commands.command()
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
        checked = check_files(root, paths, _configured(root, None, False).exclude)
    except (ConfigError, RepositoryError) as error:
        raise Misuse(str(error)) from error
    lines = [f"{fault.site}: {fault.reason}" for fault in checked.faults]
    _write_lines([*lines, *map(str, checked.losses)])
    return FAILED if checked.faults else PASSED


def _root_of(folder: Path) -> Path:
    """The nearest folder at or above this one that holds a repository, else this one; no variable of git is asked."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)


def _inside(file: Path, root: Path) -> str:
    path = Path(os.path.abspath(file))
    if not path.is_relative_to(root):
        raise Misuse(f"{str(file)!r} lies outside the repository {str(root)!r}")
    return path.relative_to(root).as_posix()


def _write_lines(lines: Sequence[str]) -> None:
    from mlops_audit.safe import plain

    _write("".join(f"{plain(line)}\n" for line in lines))


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


@commands.command()
@click.argument("path", type=Folder(), default=".")
@click.option("--rev", help="Read this commit, branch or tag instead of the work tree.")
@click.option("--kind", type=Word("kind of fact", kinds), help="Only facts of this kind.")
def facts(path: Path, rev: str | None, kind: str | None) -> int:
    """Print the facts of a repository as JSON lines, for authors of rules."""
    import json

    from mlops_audit.audit import examine
    from mlops_audit.repository import RepositoryError
    from mlops_audit.tree import Tree

    try:
        with Tree.open(path, rev) as tree:
            found, problems, _ = examine(tree, _rules(()))
    except RepositoryError as error:
        raise Misuse(str(error)) from error
    lines = (json.dumps(_plain(fact)) + "\n" for fact in found if kind in (None, fact.kind.value))
    _write("".join(lines), utf8=True)
    for problem in problems:
        _say(f"not read: {problem.site}: {problem.reason}")
    return PASSED


def _plain(fact: Fact) -> dict[str, object]:
    return {
        "kind": fact.kind.value,
        "name": fact.name,
        "path": fact.site.path,
        "line": fact.site.line,
        "cell": fact.site.cell,
        "zone": fact.zone.value,
        "strength": str(fact.strength),
        "faint": fact.faint,
        "traits": {name: fact.traits[name] for name in sorted(fact.traits)},
        "runs": sorted(fact.reached.systems),
        "triggers": sorted(fact.reached.triggers),
        "chain": [{"at": str(link.site), "runs": link.runs} for link in fact.reached.chain],
    }


@commands.command("cache")
@click.argument("action", type=Word("action", ("dir", "clear", "stats")))
def manage_cache(action: str) -> int:
    """Say where the cache lies (dir), what it holds (stats), or empty it (clear)."""
    from mlops_audit.cache import Cache, user_folder

    folder = user_folder(os.environ)
    if not folder:
        raise Misuse("no home folder is known: nothing is kept")
    if action == "dir":
        _write(f"{folder}\n")
    elif action == "clear":
        _say(f"{Cache(folder).clear()} entries removed from {folder}")
    else:
        entries = Cache(folder).entries()
        for part in sorted({part for part, _, _ in entries}):
            sizes = [size for name, size, _ in entries if name == part]
            _write(f"{part}: {len(sizes)} ({sum(sizes)} bytes)\n")
        _write(f"all: {len(entries)} ({sum(size for _, size, _ in entries)} bytes)\n")
    return PASSED


@commands.command()
@click.argument("shell", type=Word("shell", ("bash", "zsh", "fish")))
def completion(shell: str) -> int:
    """Print the completion script of a SHELL: `eval "$(mlops-audit completion bash)"`."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise Misuse(f"no completion for {shell!r}")
    complete = found(commands, {}, PROGRAM, "_MLOPS_AUDIT_COMPLETE")
    _write(found.source_template % complete.source_vars() + "\n")
    return PASSED


# -------------------------------------------------------------------------------------------------- surroundings


def _rules(packs: Sequence[Path]) -> Any:
    from mlops_audit.audit import rule_pack
    from mlops_audit.rules import RuleError

    try:
        return rule_pack(packs)
    except RuleError as error:
        raise Misuse(str(error)) from error


def _configured(
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
    with _reading(path, base or rev) as read:
        found = config.of_repository(read)
    if base and found.source:
        found = replace(found, source=f"{found.source} at {base}")
    return found.over(own)


@contextmanager
def _reading(path: Path, rev: str | None) -> Iterator[Callable[[str], bytes | None]]:
    """How files of the repository are read, from the work tree or a commit; no link is followed out of it."""
    from mlops_audit.config import ConfigError
    from mlops_audit.parse import ParseFailure
    from mlops_audit.repository import read_regular
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


def _colored(wanted: str) -> bool:
    """--color, then NO_COLOR, then FORCE_COLOR, then whether stdout is a terminal that can."""
    if wanted != "auto":
        return wanted == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _width() -> int:
    """The terminal's columns; 100 where there is no terminal, so that files do not depend on the window."""
    if not sys.stdout.isatty():
        return 100
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def _unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def _check_output(target: Path, root: Path) -> None:
    """Refuse what cannot be written, and ways out of the audited folder that the folder itself lays by a link."""
    if not target.parent.is_dir():
        raise Misuse(f"--output: there is no folder {str(target.parent)!r}")
    if target.is_dir():
        raise Misuse(f"--output: {str(target)!r} is a folder")
    inside = os.path.abspath(root)
    for place in _places_between(Path(os.path.abspath(target)), Path(inside)):
        if place.is_symlink():
            raise Misuse(f"--output: {str(place)!r} is a symbolic link of the audited folder; not followed")


def _places_between(target: Path, root: Path) -> Iterator[Path]:
    if target.is_relative_to(root):
        for place in (target, *target.parents):
            if place == root:
                return
            yield place


def _write_file(target: Path, text: str, what: str = "--output") -> None:
    """The whole text or nothing: written beside the target and put in its place. Devices and pipes are written to."""
    data = text.encode("utf-8", "backslashreplace")
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        place = Path(os.path.realpath(target))
        fresh = place.with_name(f".{place.name}.{os.getpid()}.tmp")
        try:
            with open(fresh, "xb") as stream:
                stream.write(data)
            os.replace(fresh, place)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise Misuse(f"{what}: {str(target)!r} cannot be written: {error.strerror}") from error
