"""The command line: the only writer to stdout, the only reader of the environment, the only exit."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from mlops_audit import __version__
from mlops_audit.words import (
    FORMATS,
    PROFILES,
    SEVERITIES,
    Commands,
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
    from mlops_audit.config import Config
    from mlops_audit.facts import Fact
    from mlops_audit.report import Report

PASSED, FAILED, MISUSED, NOTHING, BROKEN, INTERRUPTED = 0, 1, 2, 3, 4, 130
PROGRAM = "mlops-audit"


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 passed, 1 gate failed, 2 usage, configuration or rule error, 3 nothing to
    audit, 4 internal error, 130 interrupted."""
    sys.excepthook = _broken
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
    sys.exit(code if isinstance(code, int) else PASSED)


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
        sys.stderr.write(f"{PROGRAM}: {plain(line)}\n")


def _write(text: str, utf8: bool = False) -> None:
    """Text on stdout: as UTF-8 for machines, else in the terminal's encoding. A closed pipe is no error."""
    encoding = "utf-8" if utf8 else sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode(encoding, "backslashreplace"))
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
RULES = click.option("--rules", "packs", type=Folder(), multiple=True, metavar="DIR", help="A folder of further rules.")


# -------------------------------------------------------------------------------------------------- commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
def commands() -> None:
    """Say how ready for production a machine-learning repository is, without running any of it."""


@commands.command()
@click.argument("path", type=Folder(), default=".")
@click.option("--rev", help="Audit this commit, branch or tag instead of the work tree.")
@click.option("--format", "format", type=Word("format", FORMATS), default="terminal", show_default=True)
@click.option("--output", "outputs", type=Output(), multiple=True, help="Also write a report to a file. Repeatable.")
@click.option("--fail-below-maturity", "maturity", type=Level(), help="Exit 1 below level N.")
@click.option("--fail-below-score", "scores", type=Score(), multiple=True, help="Exit 1 below a score. Repeatable.")
@click.option("--fail-on", "severity", type=Word("severity", SEVERITIES), help="Exit 1 on a finding this grave.")
@click.option("--profile", type=Word("profile", PROFILES), help="Ask the aspects of a profile too.")
@RULES
@click.option("--isolated", is_flag=True, help="Ignore the configuration of the repository.")
@click.option("--config-from", "base", metavar="REV", help="Take the repository's configuration from this commit.")
@click.option("--time-limit", "seconds", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True,
              metavar="SECONDS", help="Skip what is not read by then.")
@click.option("--strict", is_flag=True, help="Exit 4 when what was not read leaves any aspect unknown.")
@click.option("--no-snippets", "bare", is_flag=True, help="No lines of source in the report.")
@COLOR
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
    isolated: bool,
    base: str | None,
    seconds: float,
    strict: bool,
    bare: bool,
    color: str,
    quiet: bool,
) -> int:
    """Audit the repository at PATH: 60 aspects, six scores, a maturity level and a roadmap."""
    from mlops_audit.audit import NothingToAudit
    from mlops_audit.audit import audit as audit_repository
    from mlops_audit.config import Config, ConfigError
    from mlops_audit.report import render
    from mlops_audit.repository import RepositoryError
    from mlops_audit.rules import RuleError

    given = Config(maturity, dict(scores), severity or "", profile=profile or "", rules=packs)
    for _, target in outputs:
        _check_output(target, path)
    try:
        config = given.over(_configured(path, rev, isolated, base))
        report = audit_repository(
            path,
            rev,
            exclude=config.exclude,
            disabled=config.disable,
            profile=config.profile,
            thresholds=config.thresholds,
            packs=config.rules,
            sources=config.source.split(", ") if config.source else (),
            time_limit=seconds,
            with_snippets=not bare,
        )
    except (ConfigError, RuleError, RepositoryError) as error:
        raise Misuse(str(error)) from error
    except NothingToAudit as error:
        _say(str(error))
        for problem in error.unread[:5]:
            _say(f"not read: {problem.site}: {problem.reason}")
        return BROKEN if strict and error.unread else NOTHING
    for kind, target in outputs:
        _write_file(target, render(report, kind, unicode=True))
        if not quiet:
            _say(f"wrote {kind} to {target}")
    look = {"color": _colored(color), "width": _width(), "unicode": _unicode()}
    _write(render(report, format, **look), utf8=format != "terminal")  # type: ignore[arg-type]
    unknown = [finding.aspect.id for finding in report.findings if finding.verdict == "unknown"]
    code = _gate(report, config, quiet)
    if strict and unknown:
        _say(f"unknown, because files were not read: {', '.join(unknown)}")
        return BROKEN
    return code


def _gate(report: Report, config: Config, quiet: bool) -> int:
    failed = [outcome for outcome in report.thresholds if not outcome.held]
    for outcome in failed:
        _say(f"gate failed: {outcome.threshold}: wanted {outcome.wanted}, found {outcome.found}")
    if config.source and not quiet:
        _say(f"configured by {config.source}")
    return FAILED if failed else PASSED


@commands.command()
@click.argument("aspect", type=Word("aspect", aspects))
@click.option("--format", "format", type=Word("format", FORMATS[:3]), default="terminal", show_default=True)
@RULES
@COLOR
def explain(aspect: str, format: str, packs: tuple[Path, ...], color: str) -> int:
    """Explain an ASPECT: what it checks, why, what passes, examples, how to fix it."""
    from mlops_audit import catalogue
    from mlops_audit import explain as explaining

    rule = _rules(packs).rule(aspect)
    if rule is None:
        raise Misuse(f"no rule decides the aspect {aspect!r}")
    text = explaining.explain(rule, catalogue.load(), format, color=_colored(color), width=_width())
    _write(text, utf8=format != "terminal")
    return PASSED


@commands.command("rules")
@click.option("--format", "format", type=Word("format", ("terminal", "json")), default="terminal", show_default=True)
@click.option("--write-docs", "pages", type=click.Path(path_type=Path), metavar="DIR",
              help="Write a page for each aspect, and their index, into a folder instead.")
@RULES
def list_rules(format: str, pages: Path | None, packs: tuple[Path, ...]) -> int:
    """List all aspects: id, weight, title, kinds of project that it is asked of."""
    from mlops_audit import catalogue
    from mlops_audit.explain import rule_list

    if pages is not None:
        _write_pages(pages, packs)
        return PASSED
    _write(rule_list(_rules(packs), catalogue.load(), format), utf8=format == "json")
    return PASSED


def _write_pages(folder: Path, packs: Sequence[Path]) -> None:
    """The pages of all rules; a page that is there already and no longer made is taken away."""
    from mlops_audit import catalogue
    from mlops_audit import pages as made

    found = made.pages(_rules(packs), catalogue.load())
    try:
        for path, text in found.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            _write_file(folder / path, text)
        for page in sorted(folder.glob("*/*.md")):
            if page.relative_to(folder).as_posix() not in found and page.read_text("utf-8").startswith(made.MADE):
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


def _configured(path: Path, rev: str | None, isolated: bool, base: str | None = None) -> Config:
    """The repository's configuration, of the commit when one is asked for, on top of the user's own.

    `base` is a commit to take it from instead: a pull request cannot lower its own gate.
    """
    from mlops_audit import config
    from mlops_audit.parse import ParseFailure
    from mlops_audit.repository import read_regular
    from mlops_audit.tree import Tree

    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    own = config.of_user(Path(home) / PROGRAM / "config.toml")
    if isolated and base:
        raise Misuse("--isolated and --config-from exclude each other")
    if isolated:
        return own
    rev = base or rev

    def from_disk(name: str) -> bytes | None:
        try:
            return read_regular(path / name, 1_000_000)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise config.ConfigError([f"{name}:1: cannot be read: {error.strerror}"]) from error

    if rev is None:
        return config.of_repository(from_disk).over(own)
    with Tree.open(path, rev) as tree:
        files = {file.path: file for file in tree.files}

        def from_commit(name: str) -> bytes | None:
            try:
                return files[name].read() if name in files else None
            except ParseFailure as failure:
                raise config.ConfigError([f"{name}:1: cannot be read: {failure.reason}"]) from failure

        found = config.of_repository(from_commit)
        if base and found.source:
            found = replace(found, source=f"{found.source} at {base}")
        return found.over(own)


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


def _write_file(target: Path, text: str) -> None:
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
        raise Misuse(f"--output: {str(target)!r} cannot be written: {error.strerror}") from error


