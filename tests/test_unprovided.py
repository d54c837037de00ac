"""Images that do not install what the code in them imports: what they start fails."""

from __future__ import annotations

import pytest

from mlops_audit.examination import examine
from mlops_audit.facts import Kind
from mlops_audit.rules import Pack
from mlops_audit.tree import Tree

DOCKERFILE = 'FROM python:3.11-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY src src\nCMD ["python", "src/watch.py"]\n'
WATCH = "import evidently\n\n\ndef watch():\n    return evidently.Report()\n"
OTHER = 'FROM python:3.11-slim\nRUN pip install evidently\nCOPY . .\nCMD ["python", "tools/start.py"]\n'
START = "from src.watch import watch\n\nwatch()\n"
FILES = {
    "Dockerfile": DOCKERFILE,
    "requirements.txt": "pandas==2.0.0\n",
    "requirements-dev.txt": "evidently==0.4.0\n",
    "src/watch.py": WATCH,
}


def fails(files: dict[str, str], path: str = "src/watch.py") -> bool:
    facts, _, _ = examine(Tree.of({**FILES, **files}), Pack((), ()))
    return any("dead" in fact.traits for fact in facts.of(Kind.CALL) if fact.site.path == path)


def test_what_a_container_starts_fails_without_the_library_that_its_image_lacks() -> None:
    assert fails({})


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "pandas==2.0.0\nevidently==0.4.0\n"},
        {"Dockerfile": DOCKERFILE.replace("-r req", "evidently -r req")},
        {"Dockerfile": DOCKERFILE.replace("RUN pip install", "COPY . .\nRUN pip install . && pip install")},
        {"Dockerfile": DOCKERFILE.replace("RUN pip", "RUN ./install.sh && pip")},
        {"Dockerfile": DOCKERFILE.replace("RUN pip install", "RUN poetry install && pip install")},
        {"Dockerfile": DOCKERFILE.replace("python:3.11-slim", "team/base:1")},
        {"Dockerfile": DOCKERFILE.replace("FROM", "ARG BASE\nFROM ${BASE} AS first\nFROM")},
        {"Dockerfile": DOCKERFILE.replace("src/watch.py", "src/other.py"), "src/other.py": "print(1)\n"},
        {"Makefile": "watch:\n\tpython src/watch.py\n"},
        {"watch.Dockerfile": OTHER, "tools/start.py": START},
        {"src/watch.py": WATCH.replace("import evidently", "try:\n    import evidently\nexcept ImportError:\n    evidently = None")},
    ],
)  # fmt: skip
def test_what_something_may_provide_does_not_fail(files: dict[str, str]) -> None:
    assert not fails(files)


DAG = """
from airflow.decorators import dag, task

@dag(schedule="@daily", start_date=None)
def watching():
    @task
    def look():
        from src.watch import watch

        watch()

    look()

watching()
"""
AIRFLOW = "FROM apache/airflow:2.9.0\nCOPY requirements.txt /more.txt\nRUN pip install -r /more.txt\nCOPY dags dags\nCOPY src src\n"


@pytest.mark.parametrize(
    ("files", "failing"),
    [
        ({}, True),
        ({"requirements.txt": "evidently\n"}, False),
        ({"dags/watch.py": DAG.replace("@task", "@task.virtualenv(requirements=['evidently'])")}, False),
        ({"compose.yaml": "services:\n  airflow:\n    build: .\n    environment:\n      _PIP_ADDITIONAL_REQUIREMENTS: evidently\n"}, False),
    ],
)  # fmt: skip
def test_tasks_of_airflow_fail_without_the_library_that_its_image_lacks(
    files: dict[str, str], failing: bool
) -> None:
    assert fails({"Dockerfile": AIRFLOW, "dags/watch.py": DAG, **files}) is failing


COMMON = {
    "requirements.txt": "numpy>=1.26\nscikit-learn==1.4.0\nfastapi\n",
    "src/watch.py": "import pandas as pd\n\n\ndef watch():\n    return pd.read_parquet('scores.parquet')\n",
}


@pytest.mark.parametrize(
    ("files", "failing"),
    [
        ({}, True),
        ({"requirements.txt": "numpy\nmlflow\n"}, False),  # brings pandas along
        ({"requirements.txt": "numpy\nsome-package\n"}, False),  # nobody knows what it brings along
        ({"requirements.txt": "polars[pandas]\n"}, False),
        ({"requirements.txt": "-r base.txt\nnumpy\n", "base.txt": "pandas\n"}, False),
        ({"requirements.txt": "-r absent.txt\nnumpy\n"}, False),
        ({"Dockerfile": DOCKERFILE.replace("COPY requirements.txt .", "RUN apt-get install -y python3-pandas")}, False),
        ({"Dockerfile": DOCKERFILE.replace("COPY requirements.txt .\n", "")}, False),  # the list may come in another way
        ({"Dockerfile": DOCKERFILE.replace("python:3.11-slim", "apache/airflow:2.9.0")}, False),
        ({"Dockerfile": DOCKERFILE.replace('"python", "src/watch.py"', '"sh", "-c", "pip install pandas && python src/watch.py"')}, False),
        ({"Dockerfile": DOCKERFILE.replace("RUN pip", "RUN pip install 'uvicorn[standard]>=0.20' && pip")}, True),
    ],
)  # fmt: skip
def test_a_common_library_is_lacking_only_where_nothing_known_brings_it(
    files: dict[str, str], failing: bool
) -> None:
    assert fails({**COMMON, **files}) is failing


POD = """
from airflow import DAG
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

with DAG(dag_id="scoring", schedule="@daily"):
    KubernetesPodOperator(task_id="score", image="team/scorer:v2", cmds=["python", "-m", "src.watch"])
"""
OF_POD = DOCKERFILE.replace("src/watch.py", "src/other.py")


@pytest.mark.parametrize(
    ("files", "failing"),
    [
        ({}, True),
        ({"build.sh": "set -e\ndocker build -t team/scorer:v2 .\n"}, True),
        ({"compose.yaml": "services:\n  scorer:\n    image: team/scorer:v2\n    build: .\n"}, True),
        ({"other.Dockerfile": "FROM python:3.11\nRUN pip install pandas\nCOPY src src\n"}, False),
        ({"other.Dockerfile": "FROM python:3.11\nRUN pip install pandas\nCOPY src src\n",
          "build.sh": "set -e\ndocker build --tag team/scorer:v2 -f Dockerfile .\n"}, True),
        ({"dags/score.py": POD.replace("team/scorer:v2", "python:3.11")}, False),
        ({"dags/score.py": POD.replace("team/scorer:v2", "python:3.11"), "src/other.py": "import src.watch\n"}, False),
        ({"dags/more.py": "from airflow.operators.bash import BashOperator\n\nBashOperator(task_id='s', bash_command='python -m src.watch')\n"}, False),
    ],
)  # fmt: skip
def test_a_pod_of_airflow_runs_in_the_image_that_a_build_names_as_it_does(
    files: dict[str, str], failing: bool
) -> None:
    assert (
        fails({**COMMON, "Dockerfile": OF_POD, "src/other.py": "print(1)\n", "dags/score.py": POD, **files})
        is failing
    )
