"""What a command or a name starts in the repository: scripts, modules, targets, stages, containers, tests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from posixpath import normpath

from mlops_audit.facts import Fact, values
from mlops_audit.reach.command_words import PYTHONS, after, last_part, split, unwrap
from mlops_audit.reach.containers import containers, given, manifests
from mlops_audit.reach.places import Repository, folder_of
from mlops_audit.reach.runners import TASK_RUNNERS, named_tasks, stages, task, tests

RUNNABLE = (".py", ".sh", ".bash", ".r", ".ipynb", ".rmd", ".qmd", ".jl", ".yaml", ".yml", ".json", ".bat", ".ps1",
            ".js", ".ts", ".scala", ".rb", ".pl", ".tf")  # fmt: skip

# Options by which a runner is told the module whose pipeline it is to run.
MODULE_OPTIONS = frozenset(
    {"--module-name", "--module_name", "--module", "--pipeline-module", "--pipeline_module"}
)

# Programs that read, move or check files without running them.
READERS = frozenset({
    "cat", "cp", "mv", "rm", "ls", "echo", "printf", "test", "[", "[[", "touch", "mkdir", "chmod", "chown", "sed", "awk", "grep",
    "head", "tail", "wc", "diff", "find", "git", "tar", "zip", "unzip", "curl", "wget", "ln", "rsync", "scp", "tee",
    "ruff", "black", "flake8", "pylint", "mypy", "isort", "bandit", "yapf", "autopep8", "pydocstyle", "pyright", "codespell",
    "yamllint", "shellcheck", "hadolint", "pre-commit", "twine", "gsutil", "export", "set", "jq", "yq", "stat", "du",
    "md5sum", "sha256sum", "codecov", "pip", "pip3", "conda", "mamba", "apt-get", "apt", "npm", "cd", "true", "exit", "envsubst",
    "nbstripout", "nbqa", "vulture", "radon", "interrogate", "sphinx-build", "mkdocs", "vim", "nano", "read", "source-highlight",
})  # fmt: skip
# Programs by which the command of a container is told from the options and the image before it.
RUNNERS = frozenset({"pytest", "py.test", "tox", "nox", "make", "just", "task", "poe", "bash", "sh", "dvc", "kedro", "Rscript"})  # fmt: skip


def targets_of_name(name: str, fact: Fact, repository: Repository) -> list[str]:
    """The units that a `runs` trait means: a unit, a path, a folder with an action, or `module:function`."""
    here = (*values(fact.traits.get("directory")), folder_of(fact.site.path), "")
    if "#" in name:
        path = repository.file(name.partition("#")[0], *here)
        unit = f"{path}#{name.partition('#')[2]}" if path else name
        return [unit]
    if path := repository.file(name, *here):
        return repository.whole(path)
    for place in here:
        for action in ("action.yml", "action.yaml"):
            path = normpath(f"{place}/{name}/{action}".lstrip("/"))
            if path in repository.paths:
                return repository.whole(path)
    module = re.sub(r"\(.*", "", name).partition(":")[0]
    if re.fullmatch(r"[\w.]+", module):
        found = repository.module(module, fact.site.path, _shorter(module))
        return found[:1]
    return []


def _shorter(module: str) -> list[str]:
    """`a.b.c` may be the function c of the module a.b."""
    parts = module.split(".")
    return [".".join(parts[:-1])] if len(parts) > 1 else []


# What a program is asked for that tells of itself and does nothing else.
TELLING = frozenset({"--version", "--help", "-V"})


def targets_of_command(fact: Fact, repository: Repository) -> tuple[str, ...]:
    """The units that a command starts; a program that only says its version or how it is used starts none."""
    here = tuple(dict.fromkeys((*values(fact.traits.get("directory")), folder_of(fact.site.path), "")))
    found = repository.started.get((fact.name, here))
    if found is None:
        found = tuple(dict.fromkeys(_targets(split(fact.name), here, repository, 0)))
        repository.started[fact.name, here] = found
    return found


def _targets(words: list[str], here: tuple[str, ...], repository: Repository, depth: int) -> Iterator[str]:
    if depth > 3:
        return
    if tasks := list(named_tasks(words, here, repository)):
        yield from tasks
        return
    words = unwrap(words)
    if not words:
        return
    if tasks := list(named_tasks(words, here, repository)):
        yield from tasks
        return
    if not TELLING.isdisjoint(words[-1:]):
        return
    program = last_part(words[0].replace("\\", "/"))
    if " " in words[0]:  # bash -c "python train.py"
        yield from _targets(split(words[0]), here, repository, depth + 1)
        return
    rest = words[1:]
    if program in repository.scripts:
        yield from repository.scripts[program]
        return
    if PYTHONS.match(program) and "-m" in rest:
        module, arguments = after(rest, "-m")
        if module in ("pytest", "unittest"):
            yield from tests(arguments, here, repository)
        elif module in (
            "torch.distributed.launch",
            "torch.distributed.run",
            "accelerate.commands.launch",
            "coverage",
        ):
            yield from _targets(["python", *arguments], here, repository, depth + 1)
        elif module in (
            "mlflow",
            "dvc",
            "nox",
            "tox",
            "invoke",
            "papermill",
            "uvicorn",
            "gunicorn",
            "streamlit",
            "build",
        ):
            yield from _targets([module, *arguments], here, repository, depth + 1)
        else:
            for place in here:
                if found := repository.module(f"{module}.__main__", f"{place}/x", [module]):
                    yield found[0]
                    break
        return
    if program in ("pytest", "py.test"):
        yield from tests(rest, here, repository)
        return
    if program in TASK_RUNNERS:
        yield from task(program, rest, here, repository)
        return
    if program in ("npm", "yarn", "pnpm") and rest:
        name = rest[1] if rest[0] in ("run", "run-script") and len(rest) > 1 else rest[0]
        if path := repository.file("package.json", *here):
            yield from (u for u in repository.units.get(path, ()) if u.endswith(f"#{name}"))
        return
    if program == "dvc" and rest and (rest[0] == "repro" or rest[:2] == ["exp", "run"]):
        yield from stages(rest, here, repository)
        return
    if program == "mlflow" and rest[:1] == ["run"]:
        for place in here:
            path = normpath(f"{place}/{rest[1] if len(rest) > 1 else '.'}/MLproject").lstrip("./")
            if path in repository.paths:
                yield from repository.whole(path)
                break
        return
    if program == "kedro" and rest[:1] == ["run"]:
        yield from (p for p in repository.in_order if p.endswith(("pipeline.py", "pipeline_registry.py")))
        return
    if program in ("docker", "podman", "docker-compose", "buildah", "nerdctl"):
        yield from containers(program, rest, here, repository)
        yield from _inside(given(program, rest), here, repository)
        return
    if program in ("terraform", "tofu", "terragrunt"):
        place = next((w.partition("=")[2] for w in rest if w.startswith("-chdir=")), "")
        for folder in here[:1]:
            root = normpath(f"{folder}/{place}" if folder else place or ".")
            yield from (p for p in repository.under(root) if p.endswith(".tf"))
        return
    if program in ("helm", "kubectl", "kustomize", "oc", "skaffold"):
        yield from manifests(rest, here, repository)
        return
    if program == "databricks" and rest[:1] == ["bundle"]:
        for name in ("databricks.yml", "databricks.yaml", "bundle.yml"):
            if path := repository.file(name, *here):
                yield from repository.whole(path)
                yield from (
                    unit
                    for other in repository.under(folder_of(path))
                    for unit in repository.units.get(other, ())
                    if other.endswith((".yml", ".yaml"))
                )
        return
    if (
        program == "prefect"
        and rest[:1] in (["deploy"], ["deployment"])
        and (path := repository.file("prefect.yaml", *here))
    ):
        yield from repository.whole(path)
    if program in READERS:
        return
    yield from _named(words, here, repository)


def _inside(words: list[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
    """What a container that is run with the project's files starts: a known program, else files that it names."""
    for at, word in enumerate(words):
        if word in RUNNERS or PYTHONS.match(word):
            yield from _targets(words[at:], here, repository, 1)
            return
    yield from _named(words, here, repository)


def _by_option(words: Sequence[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
    """The modules that a runner is told by an option: `run.py --module-name pipelines.churn`."""
    flat = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for option, value in pairwise(flat):
        if option in MODULE_OPTIONS and re.fullmatch(r"[A-Za-z_][\w.]*", value):
            for place in here:
                if found := repository.module(value, f"{place}/x" if place else "x"):
                    yield found[0]
                    break


def _named(words: Sequence[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
    """Scripts, definitions and applications that a command names by path or as `module:attribute`."""
    yield from _by_option(words, here, repository)
    for word in words:
        for piece in (word, *([word.partition("=")[2]] if "=" in word else [])):
            script, _, attribute = piece.partition(":")
            if script.lower().endswith(RUNNABLE) or (piece is words[0] and "/" in piece):
                if path := repository.file(script, *here):
                    yield from repository.whole(path)
            elif attribute and re.fullmatch(r"[\w.]+", script) and re.fullmatch(r"[\w.()]+", attribute):
                for place in here:
                    if found := repository.module(script, f"{place}/x" if place else "x"):
                        yield found[0]
                        break
