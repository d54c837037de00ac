"""What runners of tests, targets, named tasks and stages run of a repository."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from posixpath import normpath

from mlops_audit.reach.named_tasks import asked
from mlops_audit.reach.places import Repository

TASK_RUNNERS: Mapping[str, str] = {
    "make": "Makefile", "gmake": "Makefile", "just": "justfile", "task": "Taskfile.yml", "poe": "pyproject.toml",
    "tox": "tox.ini", "nox": "noxfile.py", "invoke": "tasks.py", "inv": "tasks.py", "doit": "dodo.py", "rake": "Rakefile",
}  # fmt: skip
# Options of test runners whose next word is no path of a test.
TEST_OPTIONS = frozenset({
    "-k", "-m", "-n", "-p", "-c", "-o", "-W", "-r", "--numprocesses", "--dist", "--maxfail", "--durations", "--timeout", "--ignore",
    "--deselect", "--rootdir", "--junitxml", "--junit-xml", "--cov", "--cov-report", "--cov-config", "--log-level", "--html", "--tb",
    "--color", "--override-ini", "--basetemp", "--pattern", "--top-level-directory", "-t", "--alluredir", "--reruns", "--splits", "--group",
})  # fmt: skip


def tests(arguments: Sequence[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
    """The test files that a test runner collects: those under the paths it names, else all below its folder."""
    named = [
        word.partition("::")[0]
        for before, word in zip(("", *arguments), arguments, strict=False)
        if not word.startswith("-") and before not in TEST_OPTIONS
    ]
    for place in here:
        chosen: list[str] = []
        for word in named:
            path = normpath(f"{place}/{word}" if place else word)
            chosen.extend(t for t in repository.tests if path == "." or t == path or t.startswith(f"{path}/"))
        if chosen:
            yield from chosen
            return
    if not any(re.search(r"test|\.py$|/", word) for word in named):
        root = f"{here[0]}/" if here and here[0] else ""
        inside = [t for t in repository.tests if t.startswith(root)]
        yield from inside or repository.tests


def task(program: str, rest: list[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
    """The targets that make and its kin run."""
    names, file, place = [], "", ""
    words = iter(rest)
    for word in words:
        if word in ("-C", "--directory", "-d", "--dir"):
            place = next(words, "")
        elif word in ("-f", "--file", "--makefile", "--taskfile", "-t", "--justfile"):
            file = next(words, "")
        elif word in ("-e", "-s", "--session", "-c"):
            names.extend(next(words, "").split(","))
        elif not word.startswith("-") and "=" not in word:
            names.append(word)
    folders = tuple(normpath(f"{f}/{place}").lstrip("./") if place else f for f in here)
    known = {"make": ("Makefile", "makefile", "GNUmakefile"), "gmake": ("Makefile",), "just": ("justfile", "Justfile", ".justfile"),
             "task": ("Taskfile.yml", "Taskfile.yaml"), "tox": ("tox.ini", "pyproject.toml", "setup.cfg")}  # fmt: skip
    options = (file,) if file else known.get(program, (TASK_RUNNERS[program],))
    path = next((p for name in options for p in [repository.file(name, *folders)] if p), None)
    if path is None:
        return
    units = repository.units.get(path, ())
    if not names:
        yield from units[:1] if program in ("make", "gmake", "just") else units
    for name in names:
        found = [u for u in units if u.partition("#")[2] in (name, f"testenv:{name}", name.split("-")[0])]
        yield from found or (_included_task(name, repository) if program == "task" else ())


def named_tasks(words: list[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
    """The tasks that mise, pdm, hatch, pixi and their kin are asked for by name, where the repository has them."""
    wanted = asked(words)
    if wanted is None:
        return
    folders = tuple(normpath(f"{f}/{wanted.folder}").lstrip("./") if wanted.folder else f for f in here)
    for names in wanted.names:
        units = (
            f"{path}#{name}"
            for name in names
            for file in wanted.files
            if (path := repository.file(file, *folders))
            and f"{path}#{name}" in repository.units.get(path, ())
        )
        scripts = (
            path
            for place in wanted.folders
            for path in repository.in_order
            if re.sub(r"\.\w+$", "", f"/{path}").endswith(f"/{place}/{names[0].replace(':', '/')}")
        )
        yield from list(units)[:1] or list(scripts)[:1]


def _included_task(name: str, repository: Repository) -> list[str]:
    """The task `space:name` of a Taskfile that is included under a name space: its folder bears that name."""
    paths = [p for file in ("Taskfile.yml", "Taskfile.yaml") for p in repository.suffixes.get(file, ())]
    spaces = name.split(":")
    for depth in range(1, len(spaces)):
        task = ":".join(spaces[depth:])
        for path in sorted(paths):
            unit = f"{path}#{task}"
            known = unit in repository.units.get(path, ())
            if known and spaces[depth - 1] in PurePosixPath(path).parent.name:
                return [unit]
    return []


def stages(rest: list[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
    """The stages that `dvc repro` runs: those that it names, else all."""
    path = repository.file("dvc.yaml", *here)
    if path is None:
        return
    units = repository.units.get(path, ())
    named = {f"{path}#{word}" for word in rest if not word.startswith("-")} & set(units)
    yield from named or units
