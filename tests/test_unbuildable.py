"""Dockerfiles that lack what their build reads are dead; those that bring it, or fetch it otherwise, are not."""

from __future__ import annotations

import pytest

from mlops_audit.examination import examine
from mlops_audit.facts import Kind
from mlops_audit.rules import Pack
from mlops_audit.tree import Tree

SETUP = 'from setuptools import setup\n\nsetup(name="a", install_requires=open("requirements.txt").read().splitlines())\n'
HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n\n[project]\nname = "a"\nreadme = "README.md"\n'
PROJECT = {"setup.py": SETUP, "requirements.txt": "numpy==1.26.4\n", "src/a.py": "A = 1\n"}
STRICT = {"pyproject.toml": HATCH, "README.md": "# A\n", "src/a.py": "A = 1\n"}
MODULES = {f"src/part_{n}.py": f"A = {n}\n" for n in range(16)}
START = "FROM python:3.12-slim\nWORKDIR /app\n"


def is_dead(files: dict[str, str]) -> bool:
    facts, _, _ = examine(Tree.of(files), Pack((), ()))
    return any("dead" in fact.traits for fact in facts if fact.kind is Kind.IMAGE)


@pytest.mark.parametrize(
    "build",
    [
        "COPY src/ ./src/\nCOPY setup.py .\nRUN pip install --no-cache-dir -e .\n",
        "COPY setup.py src ./\nRUN pip install .\n",
        "COPY setup.py .\nRUN python setup.py install\n",
    ],
)
def test_an_install_without_the_file_that_setup_opens_fails(build: str) -> None:
    assert is_dead({**PROJECT, "Dockerfile": START + build})


def test_what_another_stage_copied_is_not_there() -> None:
    stages = "FROM python:3.12 AS wheels\nWORKDIR /w\nCOPY requirements.txt .\nRUN pip install --user -r requirements.txt\n"
    taken = "COPY --from=wheels /root/.local /root/.local\nCOPY setup.py src ./\nRUN pip install .\n"
    assert is_dead({**PROJECT, "Dockerfile": stages + START + taken})
    assert not is_dead({**PROJECT, "Dockerfile": stages + START + "COPY --from=wheels /w .\n" + taken})


def test_a_strict_backend_without_its_readme_fails() -> None:
    assert is_dead({**STRICT, "Dockerfile": START + "COPY pyproject.toml src ./\nRUN pip install .\n"})


def test_a_copied_list_of_which_there_is_no_trace_fails() -> None:
    assert is_dead({**MODULES, "Dockerfile": START + "COPY requirements.txt .\nCOPY src .\n"})


@pytest.mark.parametrize(
    "files",
    [
        {**PROJECT, "Dockerfile": START + "COPY . .\nRUN pip install .\n"},
        {**PROJECT, "Dockerfile": START + "COPY setup.py requirements.txt ./\nRUN pip install -e .\n"},
        {**PROJECT, "Dockerfile": START + "COPY setup.py *.txt ./\nRUN pip install -e .\n"},
        {**PROJECT, "Dockerfile": START + "COPY src .\nRUN pip install ./vendored\n"},
        {**PROJECT, "Dockerfile": START + "COPY setup.py src ./\nRUN --mount=type=bind,source=requirements.txt,target=requirements.txt pip install .\n"},
        {**PROJECT, "setup.py": SETUP.replace("open(", "open_or_nothing("), "Dockerfile": START + "COPY setup.py src ./\nRUN pip install .\n"},
        {**STRICT, "Dockerfile": START + "COPY pyproject.toml README.md src ./\nRUN pip install .\n"},
        {**STRICT, "pyproject.toml": HATCH.replace("hatchling.build", "setuptools.build_meta"), "Dockerfile": START + "COPY pyproject.toml src ./\nRUN pip install .\n"},
        {**MODULES, "Makefile": "lock:\n\tuv export -o requirements.txt\n", "Dockerfile": START + "COPY requirements.txt .\nCOPY src .\n"},
    ],
)  # fmt: skip
def test_a_build_that_has_what_it_reads_is_alive(files: dict[str, str]) -> None:
    assert not is_dead(files)


def test_an_image_that_starts_only_tests_says_so() -> None:
    def tests(start: str) -> bool:
        facts, _, _ = examine(Tree.of({"Dockerfile": START + "COPY . .\n" + start}), Pack((), ()))
        return any("tests" in fact.traits for fact in facts if fact.kind is Kind.IMAGE)

    assert tests("CMD flake8 src && python -m pytest tests\n")
    assert tests('ENTRYPOINT ["pytest"]\n')
    assert not tests("CMD python serve.py\n")
    assert not tests("")
    assert not tests("CMD pytest && python serve.py\n")


@pytest.mark.parametrize(
    ("copied", "dead"),
    [
        ("/usr/local/lib/python3.11/site-packages /usr/local/lib/python3.11/site-packages", True),
        ("/usr/local/lib/python3.12/site-packages /usr/local/lib/python3.12/site-packages", False),
        ("/root/.local /root/.local", False),
    ],
)
def test_packages_of_another_python_are_not_found_where_they_are_copied_to(copied: str, dead: bool) -> None:
    stages = f"FROM python:3.12 AS wheels\nRUN pip install numpy\n{START}COPY --from=wheels {copied}\nCOPY src src\n"
    assert is_dead({**PROJECT, "Dockerfile": stages}) is dead
