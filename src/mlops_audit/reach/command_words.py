"""The words of a command, without programs that only run another one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath

# Programs before the one that matters: word (and subcommand) -> how many words they take, options aside.
WRAPPERS: Mapping[tuple[str, ...], int] = {
    ("poetry", "run"): 2, ("poetry", "poe"): 1, ("pipx", "run"): 2, ("uv", "run"): 2, ("pipenv", "run"): 2, ("pdm", "run"): 2, ("rye", "run"): 2, ("pixi", "run"): 2,
    ("conda", "run"): 2, ("mamba", "run"): 2, ("micromamba", "run"): 2, ("hatch", "run"): 2, ("coverage", "run"): 2,
    ("dotenv", "run"): 2, ("doppler", "run"): 2, ("aws-vault", "exec"): 3, ("op", "run"): 2, ("infisical", "run"): 2,
    ("accelerate", "launch"): 2, ("ray", "job"): 3, ("xvfb-run",): 1, ("srun",): 1, ("mpirun",): 1, ("horovodrun",): 1,
    ("torchrun",): 1, ("deepspeed",): 1, ("opentelemetry-instrument",): 1, ("ddtrace-run",): 1, ("newrelic-admin",): 2,
    ("chamber", "exec"): 3, ("envdir",): 2, ("nice",): 1, ("bash", "-c"): 2, ("sh", "-c"): 2, ("nvidia-smi",): 1,
    ("docker", "exec"): 3, ("kubectl", "exec"): 3, ("uvx",): 1, ("uv", "tool", "run"): 3, ("npx",): 1, ("mise", "x"): 2, ("mise", "exec"): 2, ("tini",): 1, ("dumb-init",): 1, ("watch",): 1,
}  # fmt: skip
WRAPPERS_OF: Mapping[str, list[tuple[str, ...]]] = {
    program: [known for known in WRAPPERS if known[0] == program] for program, *_ in WRAPPERS
}
# Options of wrappers that take a value as the next word.
VALUED = frozenset({"-n", "--name", "-p", "--prefix", "--with", "--extra", "--group", "--env-file", "-f", "--python", "--package",
                    "--project", "--directory", "--nproc_per_node", "--nnodes", "--num_processes", "--config_file", "--working-dir",
                    "--runtime-env", "--address", "--rdzv_backend", "--rdzv_endpoint", "--source", "--rcfile", "-c", "--from"})  # fmt: skip
PYTHONS = re.compile(r"(?:.*/)?(python|python2|python3|pypy3?|py)([.\d]*)(\.exe)?$")
QUOTING = re.compile(r"['\"\\]")
PLAIN_WORD = re.compile(r"[^ \t\r\n]+")


def split(command: str) -> list[str]:
    """The words of a command; text that no shell would take is split at spaces."""
    if not QUOTING.search(command):
        return PLAIN_WORD.findall(command)
    try:
        return shlex.split(command, comments=False)
    except ValueError:
        return command.split()


def unwrap(words: list[str]) -> list[str]:
    """The command without programs that only run another one, and without variables set before it."""
    changed = True
    while words and changed:
        changed = False
        if re.fullmatch(r"\w+=\S*", words[0]):
            words, changed = words[1:], True
            continue
        for known in WRAPPERS_OF.get(last_part(words[0]), ()):
            if tuple(words[1 : len(known)]) == known[1:]:
                words, changed = _without_options(words[WRAPPERS[known] :]), True
                break
    return words


def last_part(path: str) -> str:
    """What a path ends with: the name of a program, wherever it lies."""
    return PurePosixPath(path).name if "/" in path or path == "." else path


def _without_options(words: list[str]) -> list[str]:
    while words and words[0].startswith("-"):
        if words[0] == "--":
            return words[1:]
        if words[0] == "-m":
            return ["python", *words]
        words = words[2:] if words[0] in VALUED else words[1:]
    bare_script = bool(words) and words[0].endswith(".py") and " " not in words[0]
    return ["python", *words] if bare_script else words


def after(words: list[str], option: str) -> tuple[str, list[str]]:
    """The word behind an option, and all words behind that."""
    at = words.index(option)
    return (words[at + 1], words[at + 2 :]) if at + 1 < len(words) else ("", [])
