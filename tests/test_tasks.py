"""Task runners, scripts and console scripts: their commands, what they need, and the lines they stand on."""

from __future__ import annotations

from textwrap import dedent

import pytest

from mlops_audit.extract import extract
from mlops_audit.facts import Fact, Kind, values
from mlops_audit.tree import Tree


def facts(path: str, text: str) -> list[Fact]:
    found, problems = extract(Tree.of({path: dedent(text).lstrip("\n")}).files)
    assert not problems, problems
    systems = ("make", "just", "task", "tox", "npm", "procfile", "poe", "pdm", "hatch", "taskipy", "pixi", "rye", "nox", "invoke",
               "mise", "pipenv", "deno", "doit", "rake", "shell", "console-script")  # fmt: skip
    return [fact for fact in found if fact.traits.get("system") in systems]


def rows(found: list[Fact]) -> list[tuple[int, str, str]]:
    """Line, name of the unit in its file, and text of every command."""
    return [
        (fact.site.line, str(fact.traits["unit"]).partition("#")[2], fact.name)
        for fact in found
        if fact.kind is Kind.COMMAND
    ]


def job(found: list[Fact], name: str) -> Fact:
    chosen = [fact for fact in found if fact.kind is Kind.JOB and fact.name == name]
    assert len(chosen) == 1, [(fact.kind, fact.name) for fact in found]
    return chosen[0]


def command(found: list[Fact], name: str) -> Fact:
    chosen = [fact for fact in found if fact.kind is Kind.COMMAND and fact.name == name]
    assert len(chosen) == 1, [fact.name for fact in found]
    return chosen[0]


# ------------------------------------------------------------------------------------------------------ make


def test_a_makefile() -> None:
    text = (
        "PYTHON ?= python3  # comment\n"
        "SRC := src\n"
        "VERSION = $(shell git describe)\n"
        ".PHONY: all train\n"
        "all: train test ## help: all=x\n"
        "\n"
        "# comment\n"
        "train: data.csv\n"
        "\t@$(PYTHON) $(SRC)/train.py \\\n"
        "\t\t--version $(VERSION)\n"
        "\t-rm -f x || exit 1\n"
        "\tcd ml && python a.py; for i in 1 2; do echo $$i; done\n"
        "data.csv:\n"
        "\tcurl -o $@ https://x\n"
        "test: export MODE = ci\n"
        "test: ; pytest\n"
        "sub:\n"
        "\t$(MAKE) -C ml train\n"
        "ifeq ($(X),1)\n"
        "a b:\n"
        "\techo $@\n"
        "endif\n"
    )
    found = facts("Makefile", text)
    assert rows(found) == [
        (9, "train", "python3 src/train.py --version ${VERSION}"),
        (11, "train", "rm -f x"),
        (11, "train", "exit 1"),
        (12, "train", "python a.py"),
        (12, "train", "echo $i"),
        (14, "data.csv", "curl -o data.csv https://x"),
        (16, "test", "pytest"),
        (18, "sub", "make -C ml train"),
        (21, "a", "echo a"),
        (21, "b", "echo b"),
    ]
    assert job(found, "all").traits["runs"] == ("Makefile#train", "Makefile#test")
    assert job(found, "train").traits["runs"] == ("Makefile#data.csv",)
    assert "runs" not in job(found, "test").traits
    assert job(found, "train").site.line == 8
    assert command(found, "rm -f x").traits["masked"] == "yes"
    assert command(found, "python a.py").traits["directory"] == "ml"
    assert "masked" not in command(found, "pytest").traits
    assert not any("triggers" in fact.traits for fact in found)


def test_the_default_target_of_a_makefile_comes_first() -> None:
    found = facts("ml/Makefile", ".DEFAULT_GOAL := b\na:\n\techo a\nb:\n\tpython b.py\n")
    assert [fact.name for fact in found if fact.kind is Kind.JOB] == ["b", "a"]
    assert command(found, "python b.py").traits["directory"] == "ml"


def test_a_recipe_line_that_goes_on_after_a_failure_is_unchecked() -> None:
    found = facts("Makefile", "test:\n\tpytest; echo done\n\tmypy\n")
    assert command(found, "pytest").traits["unchecked"] == "yes"
    assert "unchecked" not in command(found, "echo done").traits
    assert "unchecked" not in command(found, "mypy").traits


@pytest.mark.parametrize("path", ["docs/Makefile.txt", "Makefile.py", "src/makefile_reader.py"])
def test_only_makefiles_are_read_as_such(path: str) -> None:
    assert not [fact for fact in facts(path, "") if fact.traits.get("system") == "make"]


def test_a_justfile() -> None:
    text = """
        model := "tree"
        set dotenv-load
        default: train
        # fits
        train kind="x" *args: (prepare "a") lint
            @echo {{model}}
            python train.py \\
              --all
        prepare x:
            -make data
        lint:
            #!/usr/bin/env bash
            set -e
            ruff check .
        notebook:
            #!/usr/bin/env python
            import os
    """
    found = facts("justfile", text)
    assert rows(found) == [
        (6, "train", "echo tree"), (7, "train", "python train.py --all"), (10, "prepare", "make data"), (14, "lint", "ruff check ."),
    ]  # fmt: skip
    assert job(found, "train").traits["runs"] == ("justfile#prepare", "justfile#lint")
    assert command(found, "make data").traits["masked"] == "yes"


# -------------------------------------------------------------------------------------------------- as data


def test_a_taskfile() -> None:
    text = """
        version: '3'
        vars: {SCRIPT: train.py}
        includes:
          ml: ./ml
          web: {taskfile: ./web/Tasks.yml}
        tasks:
          all:
            deps: [lint, ml:train]
            cmds:
              - task: web:build
              - python {{.SCRIPT}}
              - |
                first
                second
          lint: ruff check .
          train:
            dir: ml
            cmd: python a.py
    """
    found = facts("Taskfile.yml", text)
    assert rows(found) == [
        (11, "all", "python train.py"), (13, "all", "first"), (14, "all", "second"), (15, "lint", "ruff check ."),
        (18, "train", "python a.py"),
    ]  # fmt: skip
    assert job(found, "all").traits["runs"] == (
        "Taskfile.yml#lint", "ml/Taskfile.yml#train", "ml/Taskfile.yaml#train", "web/Tasks.yml#build",
    )  # fmt: skip
    assert command(found, "python a.py").traits["directory"] == "ml"


def test_tox_ini() -> None:
    text = """
        [tox]
        envlist = py{310,311}, lint

        [testenv]
        deps =
            pytest
        commands =
            # comment
            python -m build
            pytest {posargs:tests}

        [testenv:lint]
        changedir = src
        commands =
            - ruff check {toxinidir}
            {[testenv]commands}
    """
    found = facts("tox.ini", text)
    assert rows(found) == [
        (15, "lint", "ruff check ./"), (16, "lint", "python -m build"), (16, "lint", "pytest tests"),
        (9, "py310", "python -m build"), (10, "py310", "pytest tests"),
        (9, "py311", "python -m build"), (10, "py311", "pytest tests"),
    ]  # fmt: skip
    lint = command(found, "ruff check ./").traits
    assert (lint["masked"], lint["directory"]) == ("yes", "src")


def test_package_json_scripts() -> None:
    text = """
        {"name": "x",
         "scripts": {
           "prebuild": "make data",
           "build": "tsc && vite build",
           "test": "jest; echo done"
         }}
    """
    found = facts("web/package.json", text)
    assert rows(found) == [
        (3, "prebuild", "make data"), (4, "build", "tsc"), (4, "build", "vite build"), (5, "test", "jest"), (5, "test", "echo done"),
    ]  # fmt: skip
    assert job(found, "build").traits["runs"] == ("web/package.json#prebuild",)
    assert command(found, "jest").traits["unchecked"] == "yes"
    assert command(found, "tsc").traits["directory"] == "web"


def test_a_procfile() -> None:
    found = facts("Procfile", "# comment\nweb: gunicorn app:app\nworker: python worker.py || true\n")
    assert rows(found) == [(2, "web", "gunicorn app:app"), (3, "worker", "python worker.py")]


def test_tasks_of_pyproject() -> None:
    text = '''
        [tool.poe.tasks]
        train = "python train.py"
        all = ["train", "evaluate"]
        evaluate = {script = "pkg.evaluate:main(all=True)"}
        report.cmd = "python report.py"
        report.cwd = "reports"
        [tool.poe.tasks.release]
        shell = """
        first
        second
        """
        deps = ["train"]

        [tool.pdm.scripts]
        serve = {call = "pkg.app:run"}
        fit = {composite = ["serve", "pytest"]}

        [tool.hatch.envs.default.scripts]
        check = ["lint", "mypy"]
        lint = "ruff check ."
        [tool.hatch.envs.docs.scripts]
        build = "mkdocs build"

        [tool.taskipy.tasks]
        tests = {cmd = "pytest", help = "x"}
    '''
    found = facts("pyproject.toml", text)
    assert rows(found) == [
        (2, "train", "python train.py"), (5, "report", "python report.py"), (9, "release", "first"), (10, "release", "second"),
        (16, "fit", "pytest"), (25, "tests", "pytest"), (19, "check", "mypy"), (20, "lint", "ruff check ."),
        (22, "docs:build", "mkdocs build"),
    ]  # fmt: skip
    assert job(found, "all").traits["runs"] == ("pyproject.toml#train", "pyproject.toml#evaluate")
    assert job(found, "evaluate").traits["runs"] == ("pkg.evaluate:main",)
    assert job(found, "release").traits["runs"] == ("pyproject.toml#train",)
    assert job(found, "check").traits["runs"] == ("pyproject.toml#lint",)
    assert command(found, "python report.py").traits["directory"] == "reports"


def test_tasks_of_mise() -> None:
    text = """
        [tools]
        uv = "latest"

        [tasks.check]
        depends = ["check:*"]
        run = ["pytest", {task = "train"}]

        [tasks."check:lint"]
        run = "ruff check ."

        [tasks.train]
        alias = "t"
        dir = "jobs"
        run = '''
        python train.py
        '''
        [tasks.report]
        file = "scripts/report.sh"
    """
    found = facts("mise.toml", text)
    assert rows(found) == [
        (6, "check", "pytest"), (9, "check:lint", "ruff check ."), (15, "train", "python train.py"),
    ]  # fmt: skip
    assert job(found, "check").traits["runs"] == ("mise.toml#check:lint", "mise.toml#train")
    assert job(found, "t").traits["runs"] == ("mise.toml#train",)
    assert job(found, "report").traits["runs"] == ("scripts/report.sh",)
    assert command(found, "python train.py").traits["directory"] == "jobs"


def test_scripts_of_a_pipfile_and_tasks_of_deno() -> None:
    assert rows(facts("Pipfile", '[scripts]\ntrain = "python train.py"\n')) == [
        (2, "train", "python train.py")
    ]
    assert rows(facts("deno.json", '{"tasks": {"api": "deno serve api.ts"}}')) == [
        (1, "api", "deno serve api.ts")
    ]


def test_tox_inside_of_pyproject() -> None:
    text = '''
        [tool.tox]
        legacy_tox_ini = """
        [testenv]
        commands = pytest
        """
    '''
    assert rows(facts("pyproject.toml", text)) == [(4, "testenv", "pytest")]
    text = '[tool.tox]\nenv_list = ["a"]\n[tool.tox.env_run_base]\ncommands = [["pytest", "tests"]]\n'
    assert rows(facts("pyproject.toml", text)) == [(4, "a", "pytest tests")]


# ------------------------------------------------------------------------------------------------ as Python


def test_nox_sessions() -> None:
    text = """
        import nox

        @nox.session(python="3.11")
        def tests(session):
            session.install("-e", ".")
            session.run("pytest", "tests dir", *session.posargs)

        def helper(session):
            session.run("not", "a session")
    """
    found = facts("noxfile.py", text)
    assert rows(found) == [(6, "tests", 'pytest "tests dir"')]
    assert job(found, "tests").traits["unit"] == "noxfile.py#tests"


def test_invoke_tasks() -> None:
    text = """
        from invoke import task

        @task
        def clean(c):
            c.run("rm -rf x", warn=True)

        @task(pre=[clean])
        def train(ctx):
            ctx.run("python train.py && ls")
    """
    found = facts("tasks.py", text)
    assert rows(found) == [(5, "clean", "rm -rf x"), (9, "train", "python train.py"), (9, "train", "ls")]
    assert job(found, "train").traits["runs"] == ("tasks.py#clean",)
    assert command(found, "rm -rf x").traits["masked"] == "yes"


def test_doit_tasks() -> None:
    text = """
        def task_train():
            return {
                "actions": ["python train.py", "echo done"],
                "task_dep": ["data"],
            }
    """
    found = facts("dodo.py", text)
    assert rows(found) == [(3, "train", "python train.py"), (3, "train", "echo done")]
    assert job(found, "train").traits["runs"] == ("dodo.py#data",)


def test_rake_tasks() -> None:
    found = facts("Rakefile", 'task :train => [:data] do\n  sh "python train.py"\nend\n')
    assert rows(found) == [(2, "train", "python train.py")]
    assert job(found, "train").traits["runs"] == ("Rakefile#data",)


def test_a_python_module_that_is_called_tasks_is_no_task_file() -> None:
    assert not facts("app/tasks.py", "def train(c):\n    c.run('x')\n")


# --------------------------------------------------------------------------------------------------- scripts


def test_a_shell_script_gives_commands_and_no_job() -> None:
    text = '#!/bin/bash\ncd "$(dirname "$0")"\npython train.py\nif ok; then\n  ./next.sh\nfi\n'
    found = facts("ml/run.sh", text)
    assert [fact.kind for fact in found] == [Kind.COMMAND] * 3
    assert [(fact.site.line, fact.name) for fact in found] == [
        (3, "python train.py"),
        (4, "ok"),
        (5, "./next.sh"),
    ]
    train = command(found, "python train.py").traits
    assert (train["unit"], train["system"], train["directory"], train["unchecked"]) == (
        "ml/run.sh",
        "shell",
        "ml",
        "yes",
    )
    assert command(found, "./next.sh").traits["guard"] == ("ok",)


def test_a_script_that_stops_on_errors_has_no_unchecked_commands() -> None:
    found = facts("run.sh", "set -euo pipefail\npython validate.py\npython train.py\n")
    assert not any("unchecked" in fact.traits for fact in found)


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("bin/train", "#!/usr/bin/env bash\npython train.py\n", [(2, "python train.py")]),
        ("scripts/train", "#!/bin/sh\npython train.py\n", [(2, "python train.py")]),
        ("bin/train", "#!/usr/bin/env python\nimport os\n", []),
        ("bin/notes", "python train.py\n", []),
        ("run.bat", "@echo off\r\nREM no\r\ncall python train.py --x %1\r\ncd /d ml && python a.py\r\n",
         [(3, "python train.py --x ${1}"), (4, "python a.py")]),
        ("run.ps1", "<# no\nno #>\n$x = 1\nSet-Location ml\npython .\\train.py `\n  --all\nif ($x) {\n}\n", [(5, "python ./train.py --all")]),
    ],
)  # fmt: skip
def test_scripts_are_known_by_suffix_or_shebang(
    path: str, text: str, expected: list[tuple[int, str]]
) -> None:
    found, problems = extract(Tree.of({path: text}).files)
    assert not problems
    assert [
        (f.site.line, f.name) for f in found if f.kind is Kind.COMMAND and f.traits["system"] == "shell"
    ] == expected


# -------------------------------------------------------------------------------------------- console scripts


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("pyproject.toml", '[project]\nname = "x"\n[project.scripts]\nfit = "pkg.train:main"\n', [(4, "fit", "pkg.train:main")]),
        ("pyproject.toml", '[tool.poetry.scripts]\nfit = {reference = "pkg.train:main", type = "console"}\n', [(2, "fit", "pkg.train:main")]),
        ("setup.cfg", "[options.entry_points]\nconsole_scripts =\n    # no = a:b\n    fit = pkg.train:main\n\n[x]\na = b:c\n",
         [(4, "fit", "pkg.train:main")]),
        ("setup.py", 'setup(\n  entry_points={\n    "console_scripts": [\n      "fit=pkg.train:main",  # "no=a:b"\n    ],\n    "x": ["a=b:c"]})\n',
         [(4, "fit", "pkg.train:main")]),
    ],
)  # fmt: skip
def test_console_scripts_run_their_function(
    path: str, text: str, expected: list[tuple[int, str, str]]
) -> None:
    found = [fact for fact in facts(path, text) if fact.traits["system"] == "console-script"]
    assert [(fact.site.line, fact.name, *values(fact.traits.get("runs"))) for fact in found] == expected
    assert all(fact.kind is Kind.JOB and fact.traits["unit"] == f"{path}#{fact.name}" for fact in found)


@pytest.mark.parametrize(
    "path", ["Makefile", "justfile", "Taskfile.yml", "tox.ini", "Procfile", "run.sh", "run.ps1", "Rakefile"]
)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "\t",
        ":\n\t:",
        "a: b: c\n\t$(",
        "[\n=",
        "\\",
        "tasks: [a]",
        "[testenv]\ncommands",
        "x = {",
        "a:\n\t$(a)$(b",
    ],
)
def test_strange_texts_are_survived(path: str, text: str) -> None:
    extract(Tree.of({path: text}).files)
