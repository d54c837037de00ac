"""What stands in front of a command and leaves it what it is: sudo, env, timeout, `poetry run` and the like."""

from __future__ import annotations

import posixpath
import re

from mlops_audit.shell.words import ASSIGNMENT

# What stands in front of a command and leaves it what it is -> its options that take a value.
_PREFIXES: dict[str, frozenset[str]] = {
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-R", "--user", "--group"}),
    "doas": frozenset({"-u", "-C"}),
    "env": frozenset({"-u", "-C", "-S", "--unset", "--chdir"}),
    "time": frozenset({"-f", "-o"}),
    "nohup": frozenset(), "exec": frozenset({"-a"}), "command": frozenset(), "builtin": frozenset(), "setsid": frozenset(),
    "nice": frozenset({"-n"}), "ionice": frozenset({"-c", "-n"}), "stdbuf": frozenset({"-i", "-o", "-e"}),
    "timeout": frozenset({"-k", "-s", "--signal", "--kill-after"}),
    "xargs": frozenset({"-n", "-I", "-P", "-L", "-d", "-a", "-E", "-s", "--max-args", "--max-procs", "--replace"}),
    "retry": frozenset({"-t", "-d", "-n", "-s", "--times", "--delay", "--tries", "--attempts", "--sleep", "--max-attempts"}),
    "chronic": frozenset(), "unbuffer": frozenset(), "xvfb-run": frozenset({"-n", "-s", "--server-args", "--server-num"}),
    "gosu": frozenset(), "su-exec": frozenset(), "tini": frozenset({"-e", "-p"}), "dumb-init": frozenset(),
    "catchsegv": frozenset(), "call": frozenset(), "start": frozenset(), "&": frozenset(), "travis_retry": frozenset(),
    "travis_wait": frozenset(), "caffeinate": frozenset(), "winpty": frozenset(),
}  # fmt: skip

_OPERANDS = {"timeout": 1, "gosu": 1, "su-exec": 1}  # words of their own before the command

# `poetry run x`: x is the command, and the launcher is told apart. Those of _RUN_TASKS also run named tasks, so they
# are left out only before a program.
_LAUNCHERS = {
    ("poetry", "run"): frozenset({"-C", "--directory", "-P", "--project"}),
    ("uv", "run"): frozenset({"--with", "--with-requirements", "--with-editable", "--extra", "--group", "--only-group",
                              "--no-group", "--python", "-p", "--env-file", "--package", "--project", "--directory",
                              "--index", "--index-url", "--default-index", "--no-extra", "--python-platform", "-w"}),
    ("pipenv", "run"): frozenset(),
    ("rye", "run"): frozenset(), ("pdm", "run"): frozenset({"-p", "--project", "--venv"}),
    ("hatch", "run"): frozenset(), ("pixi", "run"): frozenset({"-e", "--environment", "--manifest-path"}),
    ("conda", "run"): frozenset({"-n", "--name", "-p", "--prefix", "--cwd"}),
    ("mamba", "run"): frozenset({"-n", "--name", "-p", "--prefix", "--cwd"}),
    ("micromamba", "run"): frozenset({"-n", "--name", "-p", "--prefix", "--cwd"}),
    ("dotenv", "run"): frozenset(), ("doppler", "run"): frozenset({"-p", "--project", "-c", "--config"}),
    ("infisical", "run"): frozenset({"--env", "--path", "--projectId"}), ("op", "run"): frozenset({"--env-file"}),
    ("mise", "exec"): frozenset(), ("asdf", "exec"): frozenset(), ("pyenv", "exec"): frozenset(),
}  # fmt: skip

# Programs that a package of Node brings; `yarn cdk deploy` and `pnpm exec cdk deploy` are `cdk deploy`.
_NODE = frozenset({"yarn", "pnpm", "npm", "bun"})
_NODE_PROGRAMS = frozenset(
    {"cdk", "cdktf", "serverless", "sls", "pulumi", "wrangler", "vercel", "netlify", "sst"}
)

_RUN_TASKS = frozenset({"pdm", "hatch", "pixi", "rye", "pipenv"})

_PROGRAM = re.compile(
    r"python[\d.]*|pytest|py\.test|tox|nox|mypy|ruff|black|isort|flake8|pylint|coverage|pip|bash|sh|make|just|dvc|mlflow|"
    r"uvicorn|gunicorn|streamlit|jupyter|papermill|prefect|dagster|airflow|kedro|zenml|alembic|sphinx-build|mkdocs|"
    r"pre-commit|bandit|safety|pip-audit|nbqa|dbt|feast|great_expectations|accelerate|torchrun|ray|locust|.*\.(?:py|sh)"
)


def peel(words: list[str]) -> tuple[str, int]:
    """How many words stand before the command itself, and the last launcher among them."""
    launcher = ""
    at = 0
    while at < len(words):
        first = posixpath.basename(words[at])
        pair = (first, words[at + 1] if at + 1 < len(words) else "")
        if pair in _LAUNCHERS:
            after = _past_options(words, at + 2, _LAUNCHERS[pair], 0)
            if after >= len(words) or (
                first in _RUN_TASKS and not _PROGRAM.fullmatch(posixpath.basename(words[after]))
            ):
                break
            if "-m" in words[at + 2 : after] or "--module" in words[at + 2 : after]:
                break
            launcher, at = " ".join(pair), after
        elif first in _NODE and (after := _past_node(words, at + 1)):
            launcher, at = first, after
        elif first in _PREFIXES:
            after = _past_options(words, at + 1, _PREFIXES[first], _OPERANDS.get(first, 0))
            if after >= len(words) or (first == "command" and words[at + 1 : at + 2] in (["-v"], ["-V"])):
                break
            at = after
        elif ASSIGNMENT.match(words[at]):
            at += 1
        else:
            break
    return launcher, min(at, len(words))


def _past_node(words: list[str], at: int) -> int:
    """Where the program stands that `yarn`, `pnpm exec` and the like run, 0 when it is a script of the package."""
    if words[at : at + 1] in (["run"], ["exec"], ["x"], ["dlx"]):
        at += 1
    if words[at : at + 1] == ["--"]:
        at += 1
    return at if at + 1 < len(words) and words[at] in _NODE_PROGRAMS else 0


def _past_options(words: list[str], at: int, valued: frozenset[str], operands: int) -> int:
    while at < len(words):
        word = words[at]
        if word == "--":
            return at + 1
        if word in valued:
            at += 2
        elif (word.startswith("-") and len(word) > 1) or ASSIGNMENT.match(word):
            at += 1
        elif operands:
            operands -= 1
            at += 1
        else:
            break
    return at
