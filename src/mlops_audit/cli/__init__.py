"""The command line: the only exit. Each command has its module, imported when it is asked for."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from types import TracebackType
from typing import NoReturn

import click

from mlops_audit import __version__
from mlops_audit.cli.codes import BROKEN, FAILED, INTERRUPTED, MISUSED, NOTHING, PASSED
from mlops_audit.cli.output import ANSWER, PROGRAM, forget_stdout, say
from mlops_audit.cli.words import Misuse, near

__all__ = [
    "ANSWER", "BROKEN", "FAILED", "INTERRUPTED", "MISUSED", "NOTHING", "PASSED", "command_of", "commands",
    "main", "run",
]  # fmt: skip

MODULES = {  # of each command
    "audit": "audit", "baseline": "baseline", "cache": "machine", "check": "check", "compare": "compare",
    "completion": "machine", "config": "configuration", "explain": "rules", "facts": "facts", "rules": "rules",
    "trend": "trend", "verify": "rules",
}  # fmt: skip


class Commands(click.Group):
    """The group of commands; an error names the nearest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return command_of(cmd_name) if cmd_name in MODULES else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in MODULES and not name.startswith("-"):
            raise Misuse(f"unknown command {name!r}{near(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


def command_of(name: str) -> click.Command:
    """The command of a name in MODULES; its module is imported now."""
    family: tuple[click.Command, ...] = import_module(f"{__name__}.{MODULES[name]}").COMMANDS
    return next(command for command in family if command.name == name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
def commands() -> None:
    """Say how ready for production a machine-learning repository is, without running any of it."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with the code of `run`."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code: 0 passed, 1 gate failed, 2 usage, configuration or rule error, 3 nothing to
    audit, 4 internal error, 130 interrupted."""
    sys.excepthook = _broken
    gc.set_threshold(
        100_000, 50, 1000
    )  # an audit makes many small things that live to its end: seldom looked at
    try:
        code = commands.main(arguments, prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        message = error.format_message()
        say(f"{message} Try {PROGRAM} --help." if message == "Missing command." else message)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("interrupted")
        code = INTERRUPTED
    except BrokenPipeError:
        forget_stdout()
        code = PASSED
    return code if isinstance(code, int) else PASSED


def _broken(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error of the program itself: its traceback, and an exit code that is no verdict."""
    sys.__excepthook__(kind, error, trace)
    if issubclass(kind, KeyboardInterrupt):
        raise SystemExit(INTERRUPTED)
    say("this is a fault of mlops-audit itself; please report it with the lines above")
    raise SystemExit(BROKEN)
