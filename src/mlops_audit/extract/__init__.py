"""Runs the extractors over the files of a tree: the one tuple that names them all."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module

from mlops_audit.budget import ENDLESS, FILE_SECONDS, Budget, OutOfTime
from mlops_audit.facts import Fact, Kind, Problem, Site, Zone, matcher
from mlops_audit.parse.nodes import NotRead, ParseFailure
from mlops_audit.tree import File

Extractor = Callable[[str, bytes], Iterable[Fact]]
Sieve = Callable[[File, bytes, list[Fact]], list[Fact]]  # a file, its bytes and facts -> the facts that stay

# (module of this package, path patterns, patterns left out): every extractor whose patterns match a path reads it.
# Each module has `extract(path, data) -> Iterable[Fact]` and raises ParseFailure for what it cannot read; modules
# are imported when the first path matches.
EXTRACTORS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("python", ("*.py", "*.pyw")),
    ("notebook", ("*.ipynb", "*.rmd", "*.qmd")),
    ("r", ("*.r", "*.rmd", "*.qmd")),
    ("dependencies", (
        "**/*requirements*.txt", "**/*requirements*.in", "**/requirements/*.txt", "**/constraints*.txt",
        "**/pyproject.toml", "**/setup.cfg", "**/setup.py", "**/Pipfile", "**/*environment*.y*ml", "**/*conda*.y*ml",
        "**/*env.y*ml", "**/*dependencies*.y*ml", "**/.python-version", "**/runtime.txt", "**/.tool-versions",
        "**/mise.toml", "**/.mise.toml",
    )),
    ("lockfiles", ("**/uv.lock", "**/poetry.lock", "**/pdm.lock", "**/pylock*.toml", "**/Pipfile.lock", "**/renv.lock",
                   "**/*conda-lock.y*ml", "**/conda-*.lock", "**/*explicit*.txt")),
    ("ecosystems", (
        "**/package.json", "**/package-lock.json", "**/npm-shrinkwrap.json", "**/yarn.lock", "**/pnpm-lock.yaml",
        "**/bun.lock", "**/go.mod", "**/pom.xml", "**/build.gradle*", "**/build.sbt", "**/Gemfile", "**/Gemfile.lock",
        "**/Cargo.toml", "**/Cargo.lock", "**/DESCRIPTION",
    )),
    ("settings", ("*.yaml", "*.yml", "*.toml", "*.json", "*.ini", "*.cfg", "*.conf", "*.properties", "*.env*", "*.dvc",
                  "**/.dvc/config", "**/.gitattributes", "**/.coveragerc", "**/CODEOWNERS")),
    ("github", ("*.y*ml", "*.y*ml.*")),
    ("gitlab", ("*gitlab*.y*ml", "**/ci/*.y*ml", "**/.ci/*.y*ml")),
    ("makefile", ("**/*Makefile*", "*.mk", "**/*justfile*", "*.just")),
    ("scripts", ("*.sh", "*.bash", "*.zsh", "*.ksh", "*.bat", "*.cmd", "*.ps1", "**/run*", "**/bin/*", "**/scripts/*",
                 "**/script/*", "**/hooks/*", "**/entrypoint*", "**/start*", "**/mise-tasks/*", "**/.mise/tasks/*",
                 "**/.mise-tasks/*", "**/mise/tasks/*", "**/provision_*", "**/provision-*", "**/provision", "**/user-data",
                 "**/user_data", "**/deploy", "**/bootstrap", "**/install", "**/setup", "**/build", "**/train", "**/release",
                 "**/rollback", "**/serve", "**/monitor", "**/*_deploy", "**/*-deploy")),
    ("tasks", ("**/*Taskfile*.y*ml", "**/tox.ini", "**/tox.toml", "**/setup.cfg", "**/pyproject.toml", "**/pixi.toml",
               "**/hatch.toml", "**/package.json", "**/Procfile*", "**/Pipfile", "**/deno.json*", "**/*mise*.toml",
               "**/mise/config*.toml", "**/.mise/config*.toml")),
    ("python_tasks", ("**/noxfile.py", "**/tasks.py", "**/tasks/*.py", "**/fabfile.py", "**/dodo.py", "**/Rakefile", "*.rake")),
    ("entry_points", ("**/pyproject.toml", "**/setup.cfg", "**/setup.py")),
    ("azure_pipelines", ("*.yaml", "*.yml")),
    ("jenkins", ("**/*Jenkinsfile*", "*.jenkins", "*.groovy")),
    ("circleci", ("**/.circleci/*.y*ml",)),
    ("cloud_builds", ("*.yaml", "*.yml", "*.json")),
    ("workflows", ("**/bitbucket-pipelines.y*ml", "**/*buildkite*/*.y*ml", "**/.buildkite.y*ml", "**/.woodpecker*",
                   "**/.drone.y*ml", "**/.travis.y*ml", "**/*appveyor.y*ml", "**/.pre-commit-config.y*ml")),
    ("flows", ("*.py",)),
    ("pipelines", ("*.yaml", "*.yml", "*.json", "*.dvc", "**/MLproject", "**/Dvcfile")),
    ("orchestration", ("*.yaml", "*.yml", "*.json")),
    ("cloud_pipelines", ("*.yaml", "*.yml", "*.json")),
    ("databricks", ("*.yaml", "*.yml", "*.json")),
    ("training_platforms", ("*.yaml", "*.yml", "*.json")),
    ("containers", ("**/*Dockerfile*", "*.dockerfile", "**/*Containerfile*", "**/*devcontainer.json")),
    ("compose", ("**/*compose*.y*ml", "**/*stack*.y*ml")),
    ("serving", ("**/bentofile.y*ml", "**/cog.y*ml", "**/config.pbtxt", "**/models.config", "**/model_config_list*",
                 "**/model-settings.json", "**/*config.properties", "**/project.toml", "**/*README*.md")),
    ("kubernetes", ("*.yaml", "*.yml", "*.tpl", "*.json")),
    ("charts", ("**/Chart.y*ml", "**/kustomization.y*ml", "**/requirements.y*ml", "**/*helmfile*.y*ml")),
    ("observability", ("*.yaml", "*.yml", "*.json", "*.conf", "*.rules", "*.toml")),
    ("terraform", ("*.tf", "*.tf.json", "*.tfvars", "*.hcl", "*.nomad")),
    ("cloudformation", ("*.yaml", "*.yml", "*.json", "*.template")),
    ("codepipeline", ("*.yaml", "*.yml", "*.json", "*.template")),
    ("azure", ("*.bicep", "*.json", "*.yaml", "*.yml")),
    ("platforms", ("**/serverless*.y*ml", "**/vercel.json", "**/now.json", "**/netlify.toml", "**/render.y*ml", "**/fly*.toml",
                   "**/app.y*ml", "**/app.json", "**/railway.*", "**/samconfig.*", "**/zappa_settings.json", "**/heroku.yml",
                   "**/apprunner.yaml", "**/.do/*.y*ml", "**/modal.toml", "**/koyeb.y*ml")),
    ("infrastructure", ("**/Pulumi*.y*ml", "**/cdk.json", "**/cdktf.json", "*.yaml", "*.yml")),
    ("cdk", ("*.py",)),
    ("javascript", ("*.ts", "*.tsx", "*.mts", "*.cts", "*.js", "*.mjs", "*.cjs", "*.jsx")),
    ("prose", ("*.md", "*.markdown", "*.mdx", "*.rst", "*.qmd", "*.rmd", "*.adoc", "*.md.*", "**/README*",
               "**/LICENSE*", "**/SECURITY*", "**/MODEL_CARD*")),
)  # fmt: skip


# The kinds of fact that each of them gives, to know what a file that nobody could read may have stated.
_CODE = (
    Kind.IMPORT, Kind.CALL, Kind.BASE, Kind.DEFINITION, Kind.COMPARISON, Kind.STRING, Kind.SETTING, Kind.COMMAND,
)  # fmt: skip
_AUTOMATION = (Kind.JOB, Kind.COMMAND, Kind.ACTION, Kind.IMAGE)
_PLATFORM = (Kind.RESOURCE, Kind.COMMAND, Kind.IMAGE)
_PIPELINE = (Kind.PIPELINE, Kind.STEP, *_PLATFORM)
GIVES: Mapping[str, tuple[Kind, ...]] = {
    "python": _CODE,
    "notebook": (*_CODE, Kind.HEADING),
    "r": (Kind.IMPORT, Kind.CALL, Kind.DEFINITION, Kind.COMPARISON, Kind.RESOURCE, Kind.PIPELINE, Kind.STEP),
    "dependencies": (Kind.DEPENDENCY, Kind.MANIFEST),
    "lockfiles": (Kind.DEPENDENCY, Kind.MANIFEST),
    "ecosystems": (Kind.DEPENDENCY, Kind.MANIFEST),
    "settings": (Kind.SETTING,),
    **dict.fromkeys((
        "github", "gitlab", "makefile", "scripts", "tasks", "python_tasks", "entry_points", "azure_pipelines", "jenkins",
        "circleci", "cloud_builds", "workflows",
    ), _AUTOMATION),
    **dict.fromkeys((
        "flows", "pipelines", "orchestration", "cloud_pipelines", "databricks", "training_platforms",
    ), _PIPELINE),
    "cdk": (*_PIPELINE, Kind.JOB),
    "containers": (Kind.IMAGE, Kind.INSTRUCTION, Kind.COMMAND),
    **dict.fromkeys((
        "compose", "serving", "kubernetes", "charts", "observability", "cloudformation", "azure", "platforms",
        "infrastructure",
    ), _PLATFORM),
    "javascript": (Kind.IMPORT, Kind.CALL, *_PIPELINE, Kind.JOB),
    "terraform": (*_PLATFORM, Kind.SETTING),
    "codepipeline": (*_PIPELINE, Kind.JOB, Kind.ACTION),
    "prose": (Kind.HEADING, Kind.SENTENCE, Kind.SETTING),
}  # fmt: skip

ANY = frozenset(kind for kinds in GIVES.values() for kind in kinds)

MAX_FACTS = 40_000  # of one file


def extract(files: Iterable[File], budget: Budget = ENDLESS) -> tuple[list[Fact], list[Problem]]:
    """The facts of files, each in its file's zone, and what could not be read.

    Every file gives a fact of kind `file` by itself. A problem is kept once per file and reason. Once the budget is
    spent, the files that are left are problems too.
    """
    facts: list[Fact] = []
    problems: list[Problem] = []
    with uncollected() as swept:
        for file in files:
            found, failed = skipped(file, budget) if budget.over else extract_file(file, budget)
            facts.extend(found)
            problems.extend(failed)
            swept()
    return facts, list(dict.fromkeys(problems))


def readable(file: File) -> bool:
    """Whether anything here reads a file."""
    return any(_modules(file.placed or file.path))


def load(files: Iterable[File]) -> None:
    """Import the extractors of files now, so that no process that is made from this one has to."""
    for module in {module for file in files for module in _modules(file.placed or file.path)}:
        import_module(f"{__name__}.{module}")


def skipped(file: File, budget: Budget) -> tuple[list[Fact], list[Problem]]:
    """What is known of a file for which no time is left."""
    problems = [Problem(Site(file.path), f"skipped: {budget.words}", True)] if readable(file) else []
    return [_presence(file)], problems


SWEEP = 100_000  # objects that were made since the last sweep and are still there


@contextmanager
def uncollected() -> Iterator[Callable[[], None]]:
    """The garbage collector off, since every pass of it would look at all facts again.

    What is given, called after each file, sweeps up what the last files left in circles once much was made, and nothing older.
    """
    collecting = gc.isenabled()
    gc.disable()

    def swept() -> None:
        if gc.get_count()[0] > SWEEP:
            gc.collect(1)

    try:
        yield swept
    finally:
        if collecting:
            gc.enable()


def extract_file(
    file: File, budget: Budget = ENDLESS, sieve: Sieve | None = None
) -> tuple[list[Fact], list[Problem]]:
    """The facts and problems of one file, under the path at which it lands when it is part of a template."""
    facts = [_presence(file)]
    problems: list[Problem] = []
    readers = list(_extractors(file.placed or file.path))
    if not readers:
        return facts, problems
    try:
        data = file.read()
    except ParseFailure as failure:
        return facts, [_problem(file, failure)]
    try:
        with budget.alarm():
            for reader in readers:
                _add(reader, file, data, facts, problems)
    except OutOfTime:
        reason = budget.words if budget.over else f"took more than {FILE_SECONDS:g} seconds to read"
        problems.append(Problem(Site(file.path), f"skipped: {reason}", True))
    return facts if sieve is None else sieve(file, data, facts), problems


def _add(reader: Extractor, file: File, data: bytes, facts: list[Fact], problems: list[Problem]) -> None:
    """One extractor's facts and problem, added to those of the others."""
    zone, room = file.zone, MAX_FACTS - len(facts)
    try:
        for fact in reader(file.placed or file.path, data):
            if room <= 0:
                raise NotRead(f"states more than {MAX_FACTS} facts")
            room -= 1
            if zone is not Zone.SOURCE:
                fact = Fact(fact.kind, fact.name, fact.site, fact.traits, zone)
            facts.append(fact)
    except ParseFailure as failure:
        problems.append(_problem(file, failure))


def _presence(file: File) -> Fact:
    path = file.placed or file.path
    return Fact(Kind.FILE, path, Site(path), zone=file.zone)


def _problem(file: File, failure: ParseFailure) -> Problem:
    return Problem(Site(file.path, failure.line), failure.reason, isinstance(failure, NotRead))


def kinds_of(path: str) -> frozenset[Kind]:
    """The kinds of fact that the file at a path could state, whatever stands in it; its presence is known anyway."""
    return frozenset(kind for module in _modules(path) for kind in GIVES[module])


def _modules(path: str) -> Iterator[str]:
    return (module for module, matches in _by_ending(path[-3:].lower()) if matches(path))


@cache
def _by_ending(ending: str) -> tuple[tuple[str, Callable[[str], bool]], ...]:
    """The modules that may read a path with this ending, each with a test by those of its patterns that allow for it."""
    fitting = (
        (module, tuple(glob for glob in patterns if _may_end(glob.lower().rpartition("*")[2], ending)))
        for module, patterns in EXTRACTORS
    )
    return tuple((module, matcher(patterns, True)) for module, patterns in fitting if patterns)


def _may_end(last: str, ending: str) -> bool:
    return last.endswith(ending) or ending.endswith(last)


def _extractors(path: str) -> Iterator[Extractor]:
    for module in _modules(path):
        yield import_module(f"{__name__}.{module}").extract
