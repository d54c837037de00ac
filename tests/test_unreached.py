"""Steps of CI that cannot succeed as committed: what comes after them is never reached."""

from __future__ import annotations

import pytest

from mlops_audit.examination import examine
from mlops_audit.facts import Kind
from mlops_audit.rules import Pack
from mlops_audit.tree import Tree

CI = """
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.8"
      - run: pip install pytest
      - run: pip install -r requirements.txt
      - run: pytest tests
      - run: echo done
        if: always()
"""
FILES = {
    ".github/workflows/ci.yml": CI,
    "requirements.txt": "scikit-learn==1.5.0\n",
    "src/a.py": "def f():\n    return 1\n",
    "tests/test_a.py": "from src.a import f\n\n\ndef test_f():\n    assert f() == 1\n",
}


def dead(files: dict[str, str], kind: Kind = Kind.COMMAND) -> list[str]:
    facts, _, _ = examine(Tree.of({**FILES, **files}), Pack((), ()))
    return [fact.name for fact in facts.of(kind) if "dead" in fact.traits]


def test_what_follows_an_install_that_pip_refuses_is_never_reached() -> None:
    assert dead({}) == ["pip install -r requirements.txt", "pytest tests"]


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "scikit-learn==1.3.2\nnumpy==1.24.4\n"},
        {"requirements.txt": "scikit-learn>=1.3\n"},
        {"requirements.txt": "scikit-learn==1.5.0; python_version >= '3.9'\n"},
        {".github/workflows/ci.yml": CI.replace('"3.8"', '"3.9"')},
        {".github/workflows/ci.yml": CI.replace('"3.8"', '"3.x"')},
        {".github/workflows/ci.yml": CI.replace('"3.8"', "${{ matrix.python }}")},
        {".github/workflows/ci.yml": CI.replace("requirements.txt\n", "requirements.txt || true\n")},
        {".github/workflows/ci.yml": CI.replace("-r requirements.txt", "-r requirements/ci.txt")},
    ],
)
def test_an_install_that_may_succeed_stops_nothing(files: dict[str, str]) -> None:
    assert dead(files) == []


DOCKERFILE = (
    "FROM python:3.10-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY src src\n"
)


@pytest.mark.parametrize(
    ("files", "failing"),
    [
        ({"requirements.txt": "numpy==2.3.2\n"}, True),
        ({"requirements.txt": "numpy==2.2.0\n"}, False),
        ({"requirements.txt": "numpy==2.3.2\n", "api/requirements.txt": "numpy==2.0.0\n"}, False),
        ({"requirements.txt": "numpy==2.3.2\n", "Dockerfile": DOCKERFILE.replace("3.10", "3.11")}, False),
    ],
)
def test_an_image_of_too_old_a_python_cannot_be_built(files: dict[str, str], failing: bool) -> None:
    assert (
        bool(dead({"Dockerfile": DOCKERFILE, ".github/workflows/ci.yml": "", **files}, Kind.IMAGE)) is failing
    )


PLUGIN = CI.replace("pytest tests", "pytest tests --timeout=300").replace('"3.8"', '"3.11"')


@pytest.mark.parametrize(
    ("files", "failing"),
    [
        ({}, ["pytest tests --timeout=300"]),
        ({".github/workflows/ci.yml": PLUGIN.replace("install pytest", "install pytest pytest-timeout")}, []),
        ({"requirements-dev.txt": "pytest-timeout\n"}, []),
        ({"environment.yml": "dependencies: [python=3.11, pytest-timeout]\n"}, []),
        ({".github/workflows/ci.yml": PLUGIN.replace("--timeout=300", "--maxfail=3")}, []),
        ({".github/workflows/ci.yml": PLUGIN.replace("    runs-on", "    container: company/ci:4\n    runs-on")}, []),
    ],
)  # fmt: skip
def test_an_option_of_a_plugin_that_nothing_names_stops_the_tests(
    files: dict[str, str], failing: list[str]
) -> None:
    assert dead({".github/workflows/ci.yml": PLUGIN, **files}) == failing


MANY = {f"src/part{number}.py": "" for number in range(16)}
DELIVERY = """
on: push
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: python scripts/check_model.py
  deploy:
    needs: check
    runs-on: ubuntu-latest
    steps:
      - run: kubectl apply -f k8s
  tell:
    needs: deploy
    if: always()
    runs-on: ubuntu-latest
    steps:
      - run: echo told
"""


@pytest.mark.parametrize(
    ("files", "failing"),
    [
        ({}, ["python scripts/check_model.py", "kubectl apply -f k8s"]),
        ({"scripts/check_model.py": ""}, []),
        ({"other/check_model.py": ""}, []),  # what is started elsewhere may still be found
        ({".github/workflows/ci.yml": DELIVERY.replace("python scripts", "git clone x\n      - run: python scripts")}, []),
        ({".github/workflows/ci.yml": DELIVERY.replace("checkout@v4", "checkout@v4\n        with: {repository: a/b}")}, []),
        ({".github/workflows/ci.yml": DELIVERY.replace("model.py", "model.py || true")}, []),
        ({".github/workflows/ci.yml": DELIVERY.replace("python scripts/check_model.py", "pytest\n        working-directory: lost/api")},
         ["pytest", "kubectl apply -f k8s"]),
        ({".github/workflows/ci.yml": DELIVERY.replace("python scripts/check_model.py", "pytest\n        working-directory: src")}, []),
        ({".github/workflows/ci.yml": DELIVERY.replace("run: python scripts/check_model.py", "uses: docker/build-push-action@v5\n        with: {context: ./lost}")},
         ["kubectl apply -f k8s"]),
    ],
)  # fmt: skip
def test_a_script_or_folder_that_is_not_there_stops_the_job_and_those_that_need_it(
    files: dict[str, str], failing: list[str]
) -> None:
    assert dead({**MANY, ".github/workflows/ci.yml": DELIVERY, **files}) == failing


AZURE = """
variables:
  - template: shared.variables.yml
jobs:
  - job: test
    steps:
      - task: UsePythonVersion@0
        inputs: {versionSpec: $(PYTHON_VERSION)}
      - script: pip install -r requirements.txt
      - script: pytest tests
"""


@pytest.mark.parametrize(("version", "failing"), [("3.8", True), ("3.11", False)])
def test_a_variable_of_azure_names_the_python_of_the_job(version: str, failing: bool) -> None:
    found = dead({
        ".github/workflows/ci.yml": "",
        "azure-pipelines.yml": AZURE,
        "shared.variables.yml": f"variables:\n  PYTHON_VERSION: {version}\n",
    })  # fmt: skip
    assert ("pytest tests" in found) is failing


SPACE = {
    **MANY,
    "README.md": "---\ntitle: Prices\nsdk: docker\napp_port: 7860\n---\n# Prices\n",
    "Dockerfile": "FROM node:20-slim\nCOPY lost/package.json ./\nRUN npm ci\n",
    ".github/workflows/ci.yml": "on: push\njobs:\n  up:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n"
    "      - run: git push --force https://u:$T@huggingface.co/spaces/me/prices main\n",
}


@pytest.mark.parametrize(
    ("files", "failing"),
    [
        ({}, True),
        ({"lost/package.json": "{}"}, False),
        ({"README.md": "---\ntitle: Prices\nsdk: gradio\n---\n# Prices\n"}, False),
        ({".gitmodules": "[submodule 'lost']\n\tpath = lost\n"}, False),
    ],
)
def test_a_space_whose_image_cannot_be_built_is_not_delivered(files: dict[str, str], failing: bool) -> None:
    assert any(name.startswith("git push") for name in dead({**SPACE, **files})) is failing
