"""Code that fails as committed is partial at best: imports of the project's own modules that are not there."""

from __future__ import annotations

import pytest

from mlops_audit.examination import examine
from mlops_audit.facts import Kind
from mlops_audit.rules import Pack
from mlops_audit.tree import Tree

PROJECT = {
    "src/__init__.py": "",
    "src/data/__init__.py": "",
    "src/data/load.py": "def load():\n    return 1\n",
}


def dead_calls(files: dict[str, str]) -> tuple[set[str], list[str]]:
    facts, problems, _ = examine(Tree.of({**PROJECT, **files}), Pack((), ()))
    calls = {fact.name for fact in facts.of(Kind.CALL) if "dead" in fact.traits}
    return calls, [f"{problem.site}: {problem.reason}" for problem in problems]


def test_a_file_that_imports_an_absent_module_of_the_project_is_dead_and_said_so() -> None:
    calls, problems = dead_calls({"train.py": "from src.data.clean import clean\n\nfit(clean())\n"})
    assert calls == {"fit", "src.data.clean.clean"}
    assert problems == [
        "train.py:1: imports src.data.clean, which the repository lacks: code that fails is partial at best"
    ]


def test_a_sub_package_with_the_name_of_a_library_hides_no_library() -> None:
    dead, problems = dead_calls(
        {
            "detect/__init__.py": "",
            "detect/sklearn/__init__.py": "from detect.sklearn.base import Base\n",
            "detect/sklearn/base.py": "class Base:\n    pass\n",
            "detect/classify.py": "from sklearn.svm import SVC\n\nSVC().fit(x)\n",
        }
    )
    assert dead == set()
    assert problems == []


def test_a_folder_named_after_a_tool_hides_no_library() -> None:
    dead, problems = dead_calls(
        {
            "airflow/dags/train.py": "from airflow.operators.python import PythonOperator\n\nPythonOperator(task_id='a')\n",
            "pyproject.toml": '[project]\nname = "prices"\ndependencies = ["locust-plugins", "acme-tool"]\n',
            "acme_tool/load.py": "from acme_tool.client import Client\n\nClient()\n",
        }
    )
    assert dead == set()
    assert problems == []


@pytest.mark.parametrize(
    "text",
    [
        "from src.data.load import load\n\nfit(load())\n",
        "from src.data import load\n\nfit(load)\n",
        "import src.data.load\n\nfit(1)\n",
        "from sklearn.absent import x\n\nfit(x)\n",
        "try:\n    from src.data.clean import clean\nexcept ImportError:\n    clean = None\n\nfit(clean)\n",
        "from src.service_pb2 import Request\n\nfit(Request)\n",
        "from src.data import absent_name\n\nfit(absent_name)\n",
    ],
)
def test_what_can_be_imported_elsewhere_or_is_expected_to_fail_is_alive(text: str) -> None:
    assert dead_calls({"train.py": text}) == (set(), [])


def test_an_import_inside_a_function_fails_with_the_function_alone() -> None:
    text = (
        "def broken():\n    from src.data.clean import clean\n    wash(clean)\n\n\ndef sound():\n    fit(1)\n"
    )
    assert dead_calls({"train.py": text})[0] == {"wash"}


def test_who_imports_a_failing_file_fails_with_it() -> None:
    files = {
        "src/model.py": "from src.data.clean import clean\n\n\ndef train():\n    fit(clean)\n",
        "main.py": "from src.model import train\n\ntrain()\n",
    }
    assert dead_calls(files)[0] == {"fit", "src.model.train"}


LISTED = {
    "requirements.txt": "pandas==2.2.0\nscikit-learn==1.5.0\n",
    "train.py": "import mlflow\n\nmlflow.autolog()\n",
}


def test_a_library_that_nothing_installs_fails_where_others_are_listed() -> None:
    calls, problems = dead_calls(LISTED)
    assert calls == {"mlflow.autolog"}
    assert problems == [
        "train.py:1: imports mlflow, which nothing installs where it runs: code that fails is partial at best"
    ]


def test_what_ci_installs_for_its_tests_is_absent_elsewhere() -> None:
    workflow = "on: push\njobs:\n  test:\n    runs-on: x\n    steps:\n      - run: pip install mlflow\n      - run: pytest\n"
    assert dead_calls({**LISTED, ".github/workflows/ci.yml": workflow})[0] == {"mlflow.autolog"}


def test_a_tracking_server_beside_the_job_installs_nothing_in_it() -> None:
    compose = (
        "services:\n  mlflow:\n    image: ghcr.io/mlflow/mlflow:v2.14.1\n    command: mlflow server\n"
        "  train:\n    build: .\n    depends_on: [mlflow]\n"
    )
    assert dead_calls({**LISTED, "compose.yml": compose})[0] == {"mlflow.autolog"}


@pytest.mark.parametrize(
    "more",
    [
        {"requirements.txt": ""},
        {"train.py": "try:\n    import mlflow\nexcept ImportError:\n    mlflow = None\n\nmlflow.autolog()\n"},
        {"requirements.txt": "dagshub==0.3\n"},
        {"requirements.txt": "mlflow-skinny\n"},
        {"requirements.in": "mlflow\n"},
        {"environment.yml": "dependencies:\n  - pip:\n      - mlflow\n"},
        {"requirements-more.txt": "\ufffd\x00"},
        {"Dockerfile": "FROM python:3.11\nRUN pip install mlflow==2.14\n"},
        {"Dockerfile": "FROM ghcr.io/mlflow/mlflow:v2.14.1\n"},
        {"scripts/setup.sh": "uv pip install mlflow\n"},
        {
            ".github/workflows/train.yml": "on: push\njobs:\n  a:\n    steps:\n      - run: pip install mlflow\n      - run: python train.py\n"
        },
        {"databricks.yml": "bundle:\n  name: x\nresources:\n  jobs:\n    a:\n      name: a\n"},
        {
            "pipeline.py": "from kfp import dsl\n\n\n@dsl.component(packages_to_install=['mlflow'])\ndef train(): ...\n"
        },
        {"requirements.txt": "", "jobs/requirements.txt": "pandas\n"},
    ],
)
def test_a_library_that_anything_may_install_is_alive(more: dict[str, str]) -> None:
    assert "mlflow.autolog" not in dead_calls({**LISTED, **more})[0]


FLOW = "from prefect import flow\n\n\n@flow\ndef check(month: str):\n    measure(month)\n"
DEPLOYMENT = (
    "from prefect.deployments import Deployment\nfrom prefect.orion.schemas.schedules import CronSchedule\n"
    "from monitoring import check\n\nDeployment.build_from_flow(\n    flow=check, name='monthly',\n"
    "    parameters={'%s': '2023-01'}, schedule=CronSchedule(cron='0 3 3 * *'),\n)\n"
)


@pytest.mark.parametrize(("parameter", "triggers"), [("month", {"schedule"}), ("retrain", set())])
def test_a_schedule_that_passes_a_parameter_its_flow_lacks_starts_nothing(
    parameter: str, triggers: set[str]
) -> None:
    files = {"monitoring.py": FLOW, "deploy.py": DEPLOYMENT % parameter}
    facts, _, _ = examine(Tree.of(files), Pack((), ()))
    measured = next(fact for fact in facts if fact.name == "measure")
    assert measured.reached.triggers & {"schedule"} == triggers
    deployed = next(f for f in facts.of(Kind.PIPELINE) if f.site.path == "deploy.py")
    assert ("dead" in deployed.traits) is (not triggers)


def test_files_that_a_bundle_does_not_include_deploy_nothing() -> None:
    job = """resources:
  quality_monitors:
    scores: {table_name: main.scores, schedule: {quartz_cron_expression: "0 0 8 * * ?"}}
"""
    files = {
        "databricks.yml": "bundle: {name: churn}\ninclude:\n  - ./resources/*.yml\n  # - ./later/monitor.yml\n",
        "resources/monitor.yml": job,
        "later/monitor.yml": job,
    }
    facts, _, _ = examine(Tree.of(files), Pack((), ()))
    found = {fact.site.path: fact.traits.get("dead") for fact in facts if fact.name == "quality_monitor"}
    assert found == {"resources/monitor.yml": None, "later/monitor.yml": "yes"}


@pytest.mark.parametrize(
    ("module", "text", "problems"),
    [
        ("LIMIT = 3\n", "from src.settings import LIMIT\n\nfit(LIMIT)\n", 0),
        ("LIMIT = 3\n", "from src.settings import Settings\n\nfit(Settings)\n", 1),
        ("from os.path import *\n", "from src.settings import Settings\n\nfit(Settings)\n", 0),
        ("def __getattr__(name):\n    return 1\n", "from src.settings import Settings\n\nfit(Settings)\n", 0),
        (
            "LIMIT = 3\n",
            "try:\n    from src.settings import Settings\nexcept ImportError:\n    Settings = 1\n\nfit(1)\n",
            0,
        ),
    ],
)
def test_a_name_that_its_module_does_not_hold_fails(module: str, text: str, problems: int) -> None:
    dead, said = dead_calls({"src/settings.py": module, "train.py": text})
    assert ("fit" in dead) is bool(problems)
    assert said == [
        "train.py:1: imports Settings from src.settings, which holds none: code that fails is partial at best"
    ] * bool(problems)


CHECKED_OUT = "on: push\njobs:\n  t:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n"
READS = "import pandas as pd\n\n\ndef rows():\n    return pd.read_csv('data/test/rows.csv')\n"


@pytest.mark.parametrize(
    ("steps", "more", "dead"),
    [
        ("      - run: python evaluate.py\n", {}, True),
        ("      - run: mkdir -p data/raw && python evaluate.py\n", {}, True),
        ("      - run: curl -o data/other.csv $URL\n      - run: python evaluate.py\n", {}, True),
        ("      - run: curl -f http://localhost:8000/health\n      - run: python evaluate.py\n", {}, True),
        ("      - run: pytest\n", {}, False),
        ("      - run: dvc pull data\n      - run: python evaluate.py\n", {}, False),
        ("      - run: curl -o data/test.zip $URL\n      - run: python evaluate.py\n", {}, False),
        (
            "      - run: python make.py && python evaluate.py\n",
            {"make.py": "f.to_csv('data/test/' + n)\n"},
            False,
        ),
        ("      - run: python evaluate.py\n", {"split.py": "FILE = 'rows.csv'\n"}, False),
        ("      - run: python evaluate.py\n", {"data/test/rows.csv": "a,b\n1,2\n"}, False),
    ],
)
def test_what_reads_a_file_that_nothing_makes_fails_in_a_fresh_checkout(
    steps: str, more: dict[str, str], dead: bool
) -> None:
    calls, _ = dead_calls({".github/workflows/ci.yml": CHECKED_OUT + steps, "evaluate.py": READS, **more})
    assert ("pandas.read_csv" in calls) is dead


@pytest.mark.parametrize(
    ("command", "dead"),
    [("python src/watch.py", True), ("python -m src.watch", True), ("python src/fine.py", False)],
)
def test_a_command_that_starts_only_what_fails_is_dead(command: str, dead: bool) -> None:
    files = {
        "src/watch.py": "from src.gone import look\n\nlook()\n",
        "src/fine.py": "print(1)\n",
        "src/__init__.py": "",
        "Makefile": f"watch:\n\t{command}\n",
    }
    facts, _, _ = examine(Tree.of(files), Pack((), ()))
    assert ["dead" in fact.traits for fact in facts.of(Kind.COMMAND)] == [dead]
