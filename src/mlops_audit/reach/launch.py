"""What a command or a name starts in the repository: scripts, modules, targets, stages, containers, tests."""

from __future__ import annotations

import re
import shlex
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise, takewhile
from pathlib import PurePosixPath
from posixpath import normpath

from mlops_audit.facts import Fact, Kind, Zone, values
from mlops_audit.reach.named_tasks import asked
from mlops_audit.reach.stated import Stated

RUNNABLE = (".py", ".sh", ".bash", ".r", ".ipynb", ".rmd", ".qmd", ".jl", ".yaml", ".yml", ".json", ".bat", ".ps1",
            ".js", ".ts", ".scala", ".rb", ".pl", ".tf")  # fmt: skip

WIDENING = frozenset({"sys.path.insert", "sys.path.append", "sys.path.extend", "site.addsitedir"})

SCRIPTS = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")

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
TASK_RUNNERS: Mapping[str, str] = {
    "make": "Makefile", "gmake": "Makefile", "just": "justfile", "task": "Taskfile.yml", "poe": "pyproject.toml",
    "tox": "tox.ini", "nox": "noxfile.py", "invoke": "tasks.py", "inv": "tasks.py", "doit": "dodo.py", "rake": "Rakefile",
}  # fmt: skip
PYTHONS = re.compile(r"(?:.*/)?(python|python2|python3|pypy3?|py)([.\d]*)(\.exe)?$")
HOLE = re.compile(r"^(?:\$\{\{[^}]*\}\}|\$\{[^}]*\}|\$\([^)]*\)|\$\w+|%\w+%|\{\{[^}]*\}\}|~)/+")


# Options of test runners whose next word is no path of a test.
TEST_OPTIONS = frozenset({
    "-k", "-m", "-n", "-p", "-c", "-o", "-W", "-r", "--numprocesses", "--dist", "--maxfail", "--durations", "--timeout", "--ignore",
    "--deselect", "--rootdir", "--junitxml", "--junit-xml", "--cov", "--cov-report", "--cov-config", "--log-level", "--html", "--tb",
    "--color", "--override-ini", "--basetemp", "--pattern", "--top-level-directory", "-t", "--alluredir", "--reruns", "--splits", "--group",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Repository:
    """What commands can start: the paths of the repository, its modules, units and console scripts."""

    paths: frozenset[str]
    suffixes: Mapping[str, tuple[str, ...]]  # file name -> the paths that end with it
    modules: Mapping[str, tuple[str, ...]]  # last part of a dotted name -> paths of modules and packages
    units: Mapping[str, tuple[str, ...]]  # path -> units in it
    scripts: Mapping[str, tuple[str, ...]]  # console script -> units
    tests: tuple[str, ...]
    widened: frozenset[str] = frozenset()  # files that add folders to the places from which they import
    in_order: Sequence[str] = ()
    # What was found out: the files of a module seen from a folder, and the units that a command starts there.
    _found: dict[tuple[str, str, bool], list[str]] = field(default_factory=dict, compare=False, repr=False)
    started: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def of(cls, stated: Stated) -> Repository:
        paths, tests = [], []
        units: dict[str, dict[str, None]] = defaultdict(dict)
        scripts: dict[str, dict[str, None]] = defaultdict(dict)
        for fact in stated.of(Kind.FILE):
            paths.append(fact.site.path)
            if fact.zone is Zone.TEST and fact.site.path.lower().endswith((".py", ".r", ".ipynb")):
                tests.append(fact.site.path)
        for fact in stated.stating("unit"):
            for unit in values(fact.traits["unit"]):
                units[fact.site.path].setdefault(unit)
                if fact.traits.get("system") == "console-script":
                    scripts[fact.name].setdefault(unit)
        suffixes: dict[str, list[str]] = defaultdict(list)
        modules: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            folder, _, name = path.rpartition("/")
            suffixes[name].append(path)
            if name.endswith(".py"):
                module = folder.rpartition("/")[2] if name == "__init__.py" else name.removesuffix(".py")
                modules[module].append(path)
        return cls(
            frozenset(paths),
            {name: tuple(found) for name, found in suffixes.items()},
            {name: tuple(found) for name, found in modules.items()},
            {path: tuple(found) for path, found in units.items()},
            {name: tuple(found) for name, found in scripts.items()},
            tuple(sorted(tests)),
            frozenset(fact.site.path for fact in stated.of(Kind.CALL) if fact.name in WIDENING),
            sorted(set(paths)),
        )

    def file(self, name: str, *folders: str) -> str | None:
        """The path that a word means, seen from one of the folders; else the nearest path that ends with it."""
        word = name.strip("'\"")
        while (shorter := HOLE.sub("", word)) != word:
            word = shorter
        if not word or word.startswith("-") or "://" in word or len(word) > 400:
            return None
        for place in folders:
            path = normpath(f"{place}/{word}" if place and not word.startswith("/") else word.lstrip("/"))
            if path in self.paths:
                return path
        ending = "/" + normpath(word).lstrip("./").lstrip("/")
        near = [p for p in self.suffixes.get(PurePosixPath(word).name, ()) if f"/{p}".endswith(ending)]
        return (
            min(near, key=lambda p: (-_common(p, folders[0] if folders else ""), len(p), p)) if near else None
        )

    def module(self, name: str, importer: str, modules: Iterable[str] = ()) -> list[str]:
        """The files that importing a dotted name from a file runs: the module and the packages around it.

        A name of one part must lie beside the importer, in a folder above it, or in a top folder of sources, unless the
        importer adds folders to its path and there is only one module of that name; longer names may lie anywhere, the nearest wins.
        """
        here, widened = _folder(importer), importer in self.widened
        for dotted in (name, *modules):
            if dotted.rpartition(".")[2] not in self.modules:
                continue
            found = self._found.get((dotted, here, widened))
            if found is None:
                found = self._found[dotted, here, widened] = self._module(dotted, here, widened)
            if found:
                return found.copy()
        return []

    def _module(self, dotted: str, here: str, widened: bool) -> list[str]:
        parts = dotted.split(".")
        tail = dotted.replace(".", "/")
        ends = (f"/{tail}.py", f"/{tail}/__init__.py")
        found = [path for path in self.modules.get(parts[-1], ()) if f"/{path}".endswith(ends)]
        if len(parts) == 1 and not (widened and len(found) == 1):
            found = [p for p in found if _importable(_above(p, parts), here)]
        if not found:
            return []
        path = min(found, key=lambda p: (-_common(p, here), len(p), p)) if len(found) > 1 else found[0]
        return [path, *self._packages(path, len(parts))]

    def _script(self, name: str, importer: str) -> list[str]:
        """The file that a relative import of JavaScript or TypeScript means, with or without its suffix."""
        place = normpath(f"{_folder(importer)}/{name}".lstrip("/"))
        stem = place.removesuffix(".js")
        found = (place, *(f"{stem}{end}" for end in SCRIPTS), *(f"{place}/index{end}" for end in SCRIPTS))
        return [path for path in found if path in self.paths][:1]

    def _packages(self, path: str, parts: int) -> Iterator[str]:
        place = _folder(path)
        if path.endswith("/__init__.py"):
            place = _folder(place)
        for _ in range(parts - 1):
            package = f"{place}/__init__.py" if place else "__init__.py"
            if package in self.paths:
                yield package
            place = _folder(place)

    def under(self, place: str) -> Sequence[str]:
        """All paths in a folder, at any depth, in order."""
        if not place or place == ".":
            return self.in_order
        head = f"{place.rstrip('/')}/"
        at = bisect_left(self.in_order, head)
        return list(takewhile(lambda path: path.startswith(head), islice(self.in_order, at, None)))


def is_module_name(path: str, name: str) -> bool:
    """Whether the module of a path bears a name itself (`from pkg import train` of pkg/train.py)."""
    return path.endswith((f"/{name}.py", f"/{name}/__init__.py")) or path in (
        f"{name}.py",
        f"{name}/__init__.py",
    )


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _above(path: str, parts: Sequence[str]) -> str:
    """The folder from which the dotted name is importable."""
    place = _folder(path)
    if path.endswith("/__init__.py"):
        place = _folder(place)
    for _ in parts[1:]:
        place = _folder(place)
    return place


def _importable(root: str, here: str) -> bool:
    beside = here == root or here.startswith(f"{root}/") or root == ""
    return beside or root.rpartition("/")[2] in ("src", "lib", "python", "app", "scripts", "code")


def _common(path: str, here: str) -> int:
    """How many leading folders two places share."""
    count = 0
    for one, other in zip(path.split("/"), here.split("/"), strict=False):
        if one != other:
            break
        count += 1
    return count


def targets_of_name(name: str, fact: Fact, repository: Repository) -> list[str]:
    """The units that a `runs` trait means: a unit, a path, a folder with an action, or `module:function`."""
    here = (*values(fact.traits.get("directory")), _folder(fact.site.path), "")
    if "#" in name:
        path = repository.file(name.partition("#")[0], *here)
        unit = f"{path}#{name.partition('#')[2]}" if path else name
        return [unit]
    if path := repository.file(name, *here):
        return _whole(path, repository)
    for place in here:
        for action in ("action.yml", "action.yaml"):
            path = normpath(f"{place}/{name}/{action}".lstrip("/"))
            if path in repository.paths:
                return _whole(path, repository)
    module = re.sub(r"\(.*", "", name).partition(":")[0]
    if re.fullmatch(r"[\w.]+", module):
        found = repository.module(module, fact.site.path, _shorter(module))
        return found[:1]
    return []


def _shorter(module: str) -> list[str]:
    """`a.b.c` may be the function c of the module a.b."""
    parts = module.split(".")
    return [".".join(parts[:-1])] if len(parts) > 1 else []


def _whole(path: str, repository: Repository) -> list[str]:
    """A file and every unit in it: running a workflow runs its jobs."""
    return [path, *(unit for unit in repository.units.get(path, ()) if unit != path)]


def targets_of_command(fact: Fact, repository: Repository) -> tuple[str, ...]:
    """The units that a command starts."""
    here = tuple(dict.fromkeys((*values(fact.traits.get("directory")), _folder(fact.site.path), "")))
    found = repository.started.get((fact.name, here))
    if found is None:
        found = tuple(dict.fromkeys(_targets(split(fact.name), here, repository, 0)))
        repository.started[fact.name, here] = found
    return found


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


def _targets(words: list[str], here: tuple[str, ...], repository: Repository, depth: int) -> Iterator[str]:
    if depth > 3:
        return
    if tasks := list(_named_tasks(words, here, repository)):
        yield from tasks
        return
    words = _unwrap(words)
    if not words:
        return
    if tasks := list(_named_tasks(words, here, repository)):
        yield from tasks
        return
    program = _last_part(words[0].replace("\\", "/"))
    if " " in words[0]:  # bash -c "python train.py"
        yield from _targets(split(words[0]), here, repository, depth + 1)
        return
    rest = words[1:]
    if program in repository.scripts:
        yield from repository.scripts[program]
        return
    if PYTHONS.match(program) and "-m" in rest:
        module, arguments = _after(rest, "-m")
        if module in ("pytest", "unittest"):
            yield from _tests(arguments, here, repository)
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
        yield from _tests(rest, here, repository)
        return
    if program in TASK_RUNNERS:
        yield from _task(program, rest, here, repository)
        return
    if program in ("npm", "yarn", "pnpm") and rest:
        name = rest[1] if rest[0] in ("run", "run-script") and len(rest) > 1 else rest[0]
        if path := repository.file("package.json", *here):
            yield from (u for u in repository.units.get(path, ()) if u.endswith(f"#{name}"))
        return
    if program == "dvc" and rest and (rest[0] == "repro" or rest[:2] == ["exp", "run"]):
        yield from _stages(rest, here, repository)
        return
    if program == "mlflow" and rest[:1] == ["run"]:
        for place in here:
            path = normpath(f"{place}/{rest[1] if len(rest) > 1 else '.'}/MLproject").lstrip("./")
            if path in repository.paths:
                yield from _whole(path, repository)
                break
        return
    if program == "kedro" and rest[:1] == ["run"]:
        yield from (p for p in repository.in_order if p.endswith(("pipeline.py", "pipeline_registry.py")))
        return
    if program in ("docker", "podman", "docker-compose", "buildah", "nerdctl"):
        yield from _containers(program, rest, here, repository)
        return
    if program in ("terraform", "tofu", "terragrunt"):
        place = next((w.partition("=")[2] for w in rest if w.startswith("-chdir=")), "")
        for folder in here[:1]:
            root = normpath(f"{folder}/{place}" if folder else place or ".")
            yield from (p for p in repository.under(root) if p.endswith(".tf"))
        return
    if program in ("helm", "kubectl", "kustomize", "oc", "skaffold"):
        yield from _manifests(rest, here, repository)
        return
    if program == "databricks" and rest[:1] == ["bundle"]:
        for name in ("databricks.yml", "databricks.yaml", "bundle.yml"):
            if path := repository.file(name, *here):
                yield from _whole(path, repository)
                yield from (
                    unit
                    for other in repository.under(_folder(path))
                    for unit in repository.units.get(other, ())
                    if other.endswith((".yml", ".yaml"))
                )
        return
    if (
        program == "prefect"
        and rest[:1] in (["deploy"], ["deployment"])
        and (path := repository.file("prefect.yaml", *here))
    ):
        yield from _whole(path, repository)
    if program in READERS:
        return
    yield from _named(words, here, repository)


def _unwrap(words: list[str]) -> list[str]:
    """The command without programs that only run another one, and without variables set before it."""
    changed = True
    while words and changed:
        changed = False
        if re.fullmatch(r"\w+=\S*", words[0]):
            words, changed = words[1:], True
            continue
        for known in WRAPPERS_OF.get(_last_part(words[0]), ()):
            if tuple(words[1 : len(known)]) == known[1:]:
                words, changed = _without_options(words[WRAPPERS[known] :]), True
                break
    return words


# Options of wrappers that take a value as the next word.
VALUED = frozenset({"-n", "--name", "-p", "--prefix", "--with", "--extra", "--group", "--env-file", "-f", "--python", "--package",
                    "--project", "--directory", "--nproc_per_node", "--nnodes", "--num_processes", "--config_file", "--working-dir",
                    "--runtime-env", "--address", "--rdzv_backend", "--rdzv_endpoint", "--source", "--rcfile", "-c", "--from"})  # fmt: skip


def _last_part(path: str) -> str:
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


def _after(words: list[str], option: str) -> tuple[str, list[str]]:
    at = words.index(option)
    return (words[at + 1], words[at + 2 :]) if at + 1 < len(words) else ("", [])


def _tests(arguments: Sequence[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
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


def _task(program: str, rest: list[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
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


def _named_tasks(words: list[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
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


def _stages(rest: list[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
    path = repository.file("dvc.yaml", *here)
    if path is None:
        return
    units = repository.units.get(path, ())
    named = {f"{path}#{word}" for word in rest if not word.startswith("-")} & set(units)
    yield from named or units


def _containers(
    program: str, rest: list[str], here: tuple[str, ...], repository: Repository
) -> Iterator[str]:
    """What building, starting or composing containers runs."""
    words = [word for word in rest if word != "buildx"]
    if program == "docker-compose" or words[:1] == ["compose"]:
        words = words[1:] if words[:1] == ["compose"] else words
        files = [words[i + 1] for i, w in enumerate(words[:-1]) if w in ("-f", "--file")]
        names = files or ["docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"]
        for path in filter(None, (repository.file(name, *here) for name in names)):
            units = repository.units.get(path, ())
            named = [unit for unit in units if unit.partition("#")[2] in words]
            yield path
            yield from named or units
            if not files:
                break
        if "run" in words or "exec" in words:
            yield from _inside(words, here, repository)
        return
    if words[:1] == ["build"]:
        file = next((words[i + 1] for i, w in enumerate(words[:-1]) if w in ("-f", "--file")), "")
        file = file or next((w.partition("=")[2] for w in words if w.startswith("--file=")), "")
        context = words[-1] if len(words) > 1 and not words[-1].startswith("-") else "."
        options = [file] if file else [f"{context}/Dockerfile"]
        for place in here:
            for name in options:
                path = normpath(f"{place}/{name}" if place else name)
                if path in repository.paths:
                    yield path
                    return
        if path_found := repository.file(file or "Dockerfile", *here):
            yield path_found
        return
    if words[:1] == ["run"]:
        yield from _inside(words[1:], here, repository)


# Programs by which the command of a container is told from the options and the image before it.
RUNNERS = frozenset({"pytest", "py.test", "tox", "nox", "make", "just", "task", "poe", "bash", "sh", "dvc", "kedro", "Rscript"})  # fmt: skip


def _inside(words: list[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
    """What a container that is run with the project's files starts: a known program, else files that it names."""
    for at, word in enumerate(words):
        if word in RUNNERS or PYTHONS.match(word):
            yield from _targets(words[at:], here, repository, 1)
            return
    yield from _named(words, here, repository)


def _manifests(rest: list[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
    """The manifests and charts that kubectl and helm apply: files and folders that they name."""
    for word in rest:
        if word.startswith("-") or "://" in word:
            continue
        for place in here:
            root = normpath(f"{place}/{word}" if place else word)
            if root in repository.paths:
                yield from _whole(root, repository)
                break
            within = repository.under(root) if root != "." else ()
            inside = [path for path in within if path.endswith((".yaml", ".yml", ".tpl", ".json"))]
            if inside:
                for path in inside:
                    yield from _whole(path, repository)
                break


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
                    yield from _whole(path, repository)
            elif attribute and re.fullmatch(r"[\w.]+", script) and re.fullmatch(r"[\w.()]+", attribute):
                for place in here:
                    if found := repository.module(script, f"{place}/x" if place else "x"):
                        yield found[0]
                        break
