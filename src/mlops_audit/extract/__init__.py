"""Runs the extractors over the files of a tree: the one tuple that names them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib import import_module

from mlops_audit.facts import Fact, Kind, Problem, Site, matcher
from mlops_audit.parse import ParseFailure
from mlops_audit.tree import File

Extractor = Callable[[str, bytes], Iterable[Fact]]

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
                 "**/script/*", "**/hooks/*", "**/entrypoint*", "**/start*")),
    ("tasks", ("**/*Taskfile*.y*ml", "**/tox.ini", "**/tox.toml", "**/setup.cfg", "**/pyproject.toml", "**/pixi.toml",
               "**/hatch.toml", "**/package.json", "**/Procfile*")),
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
    ("prose", ("*.md", "*.markdown", "*.mdx", "*.rst", "*.qmd", "*.rmd", "*.adoc", "**/README*",
               "**/LICENSE*", "**/SECURITY*", "**/MODEL_CARD*")),
)  # fmt: skip


def extract(files: Iterable[File]) -> tuple[list[Fact], list[Problem]]:
    """The facts of files, each in its file's zone, and what could not be read.

    Every file gives a fact of kind `file` by itself. A problem is kept once per file and reason.
    """
    facts: list[Fact] = []
    problems: list[Problem] = []
    for file in files:
        found, failed = extract_file(file)
        facts.extend(found)
        problems.extend(failed)
    return facts, list(dict.fromkeys(problems))


def extract_file(file: File) -> tuple[list[Fact], list[Problem]]:
    """The facts and problems of one file, under the path at which it lands when it is part of a template."""
    path = file.placed or file.path
    facts = [Fact(Kind.FILE, path, Site(path), zone=file.zone)]
    problems = []
    data: bytes | None = None
    for extractor in _extractors(path):
        try:
            if data is None:
                data = file.read()
            facts.extend(replace(fact, zone=file.zone) for fact in extractor(path, data))
        except ParseFailure as failure:
            problems.append(Problem(Site(file.path, failure.line), failure.reason))
    return facts, problems


def _extractors(path: str) -> Iterator[Extractor]:
    for module, patterns in EXTRACTORS:
        if matcher(patterns, True)(path):
            yield import_module(f"mlops_audit.extract.{module}").extract
