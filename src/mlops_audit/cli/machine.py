"""The commands `cache` and `completion`: what the program keeps on this machine, and its shell."""

from __future__ import annotations

import os

import click

from mlops_audit.cli.codes import PASSED
from mlops_audit.cli.output import PROGRAM, say, write
from mlops_audit.cli.words import Misuse, Word


@click.command("cache")
@click.argument("action", type=Word("action", ("dir", "clear", "stats")))
def manage_cache(action: str) -> int:
    """Say where the cache lies (dir), what it holds (stats), or empty it (clear)."""
    from mlops_audit.cache import Cache, user_folder

    folder = user_folder(os.environ)
    if not folder:
        raise Misuse("no home folder is known: nothing is kept")
    if action == "dir":
        write(f"{folder}\n")
    elif action == "clear":
        say(f"{Cache(folder).clear()} entries removed from {folder}")
    else:
        entries = Cache(folder).entries()
        for part in sorted({part for part, _, _ in entries}):
            sizes = [size for name, size, _ in entries if name == part]
            write(f"{part}: {len(sizes)} ({sum(sizes)} bytes)\n")
        write(f"all: {len(entries)} ({sum(size for _, size, _ in entries)} bytes)\n")
    return PASSED


@click.command()
@click.argument("shell", type=Word("shell", ("bash", "zsh", "fish")))
def completion(shell: str) -> int:
    """Print the completion script of a SHELL: `eval "$(mlops-audit completion bash)"`."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise Misuse(f"no completion for {shell!r}")
    complete = found(click.get_current_context().find_root().command, {}, PROGRAM, "_MLOPS_AUDIT_COMPLETE")
    write(found.source_template % complete.source_vars() + "\n")
    return PASSED


COMMANDS = (manage_cache, completion)
