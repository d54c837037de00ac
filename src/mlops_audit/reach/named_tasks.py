"""Which tasks of which file a runner of named tasks is asked for: `mise run train`, `pdm run train`, `hatch run docs:build`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

MISE_FILES = ("mise.toml", ".mise.toml", "mise/config.toml", ".mise/config.toml", ".config/mise.toml",
              ".config/mise/config.toml", "mise.local.toml")  # fmt: skip
# Folders whose files are tasks of mise, named after the file.
MISE_FOLDERS = ("mise-tasks", ".mise-tasks", "mise/tasks", ".mise/tasks", ".config/mise/tasks")

# program -> the files that may hold its tasks, nearest first; and the subcommands that run one.
_FILES: Mapping[str, tuple[str, ...]] = {
    "mise": MISE_FILES, "pdm": ("pyproject.toml",), "hatch": ("hatch.toml", "pyproject.toml"),
    "pixi": ("pixi.toml", "pyproject.toml"), "rye": ("pyproject.toml",), "pipenv": ("Pipfile",),
    "bun": ("package.json",), "deno": ("deno.json", "deno.jsonc"), "task": ("pyproject.toml",),
}  # fmt: skip
_RUNS: Mapping[str, tuple[str, ...]] = {
    "mise": ("run", "r", "task run", "tasks run", "watch", "w"), "deno": ("task",), "task": ("",),
}  # fmt: skip
# Subcommands of their own, that a task of the same name is never reached by without `run`.
_OWN: Mapping[str, frozenset[str]] = {
    "mise": frozenset({"install", "i", "use", "exec", "x", "env", "set", "settings", "trust", "plugins", "ls", "list", "upgrade",
                       "up", "doctor", "activate", "self-update", "sync", "version", "tasks", "task", "cache", "where", "which",
                       "shell", "current", "latest", "outdated", "prune"}),
    "pdm": frozenset({"install", "sync", "add", "update", "lock", "list", "build", "publish", "config", "init", "remove", "export",
                      "use", "venv", "cache", "self"}),
    "bun": frozenset({"install", "add", "remove", "update", "test", "build", "create", "init", "x", "pm", "link", "publish"}),
}  # fmt: skip
_VALUED = frozenset({"-e", "--environment", "--env", "--manifest-path", "-p", "--project", "--venv", "-C", "--cd", "-j", "--jobs",
                     "-o", "--output", "-t", "--tool", "--filter", "--cwd", "--feature"})  # fmt: skip


class Asked(NamedTuple):
    """Tasks, each by the names that it may have, the files that may hold them, and the folder to go to first."""

    names: tuple[tuple[str, ...], ...]
    files: tuple[str, ...]
    folder: str = ""
    folders: tuple[str, ...] = ()  # whose files are tasks too


def asked(words: Sequence[str]) -> Asked | None:
    """What a command asks a runner of named tasks for; None when it is no such command."""
    if not words or (program := words[0].rpartition("/")[2]) not in _FILES:
        return None
    before, rest = _options(words[1:])
    names = _subcommand(program, rest)
    if names is None:
        return None
    after, names = _options(names)
    options = {**before, **after}
    if not names:
        return None
    chosen: list[tuple[str, ...]] = [
        (name,) for name in (_several(names) if program == "mise" else names[:1])
    ]
    if program == "hatch":  # a task of an environment, else one that the environment inherits
        environment = options.get("-e") or options.get("--env") or ""
        name = re.sub(r"^(?:[+-]\S*:)?(?:default:)?", "", names[0])
        full = f"{environment}:{name}" if environment and ":" not in name else name
        chosen = [(full, full.rpartition(":")[2])]
    folder = next((options[o] for o in ("-C", "--cd", "--cwd", "-p", "--project") if o in options), "")
    return Asked(tuple(chosen), _FILES[program], folder, MISE_FOLDERS if program == "mise" else ())


def _subcommand(program: str, words: Sequence[str]) -> list[str] | None:
    """What follows the subcommand that runs tasks; the shorthand without one counts where the runner knows it."""
    for subcommand in _RUNS.get(program, ("run",)):
        parts = subcommand.split()
        if list(words[: len(parts)]) == parts:
            return list(words[len(parts) :])
    shorthand = program in _OWN and bool(words) and words[0] not in _OWN[program]
    return list(words) if shorthand else None


def _options(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The options before the first word that is none, with their values, and what is left."""
    found: dict[str, str] = {}
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "--":
        name, given, value = words[at].partition("=")
        if not given and name in _VALUED and at + 1 < len(words):
            at += 1
            value = words[at]
        found[name] = value
        at += 1
    return found, list(words[at + (words[at : at + 1] == ["--"]) :])


def _several(words: Sequence[str]) -> list[str]:
    """The tasks between `:::`; what follows a name are its arguments."""
    return [word for at, word in enumerate(words) if word != ":::" and (at == 0 or words[at - 1] == ":::")]
