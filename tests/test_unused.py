"""Modules that nothing uses are begun, not practised: their facts are faint."""

from __future__ import annotations

import pytest

from mlops_audit.examination import examine
from mlops_audit.facts import Kind
from mlops_audit.rules import Pack
from mlops_audit.tree import Tree

SCALING = "import boto3\n\n\nclass Scaler:\n    def scale(self):\n        boto3.client('x').put_scaling_policy(Name='a')\n"


USED = {f"src/part_{n}.py": f"def part_{n}():\n    return {n}\n" for n in range(4)}
STARTS = "".join(f"from src.part_{n} import part_{n}\n" for n in range(4)) + "\nprint(part_1())\n"


def is_unused(files: dict[str, str], path: str = "src/scaling.py") -> bool:
    facts, _, _ = examine(Tree.of({path: SCALING, "start.py": STARTS, **USED, **files}), Pack((), ()))
    return any("unused" in fact.traits for fact in facts if fact.site.path == path)


def test_a_module_that_nothing_imports_runs_or_names_is_unused() -> None:
    assert is_unused({})


def test_a_module_that_only_tests_import_is_unused() -> None:
    assert is_unused(
        {"tests/test_scaling.py": "from src.scaling import Scaler\n\n\ndef test_it():\n    assert Scaler()\n"}
    )


@pytest.mark.parametrize(
    "files",
    [
        {"main.py": "from src.scaling import Scaler\n\nScaler().scale()\n"},
        {"main.py": "from src.deploy import go\n\ngo()\n", "src/deploy.py": "from src.scaling import Scaler\n\n\ndef go():\n    Scaler()\n"},
        {"Makefile": "scale:\n\tpython src/scaling.py\n"},
        {"conf/app.yaml": "scaler: src.scaling.Scaler\n"},
        {"main.py": "load('src.scaling:Scaler')\n"},
        {"src/__init__.py": "from src.scaling import Scaler\n"},
        {"notebooks/a.ipynb": '{"cells": [{"cell_type": "code", "source": "from src.scaling import Scaler"}], "nbformat": 4, "metadata": {}}'},
        {"src/scaling.py": SCALING + "\nif __name__ == '__main__':\n    Scaler().scale()\n"},
        {"src/scaling.py": SCALING + "\nScaler().scale()\n"},
        {"src/scaling.py": SCALING + "\n\ndef lambda_handler(event, context):\n    Scaler().scale()\n"},
    ],
)  # fmt: skip
def test_a_module_that_something_uses_is_not(files: dict[str, str]) -> None:
    assert not is_unused(files)


ROUTES = "from fastapi import APIRouter\n\nrouter = APIRouter()\n\n\n@router.get('/scores')\ndef scores():\n    return 1\n"
MOUNTS = "from fastapi import FastAPI\nfrom src.part_1 import router\n\napp = FastAPI()\napp.include_router(router)\n"


@pytest.mark.parametrize(
    ("files", "unused"),
    [
        ({"main.py": MOUNTS, "conf/app.yaml": "what: scores\n"}, True),
        ({"main.py": MOUNTS, "conf/app.yaml": "routers: [src.scores]\n"}, False),
        ({"main.py": MOUNTS.replace("src.part_1", "src.scores")}, False),
        ({"conf/app.yaml": "what: scores\n"}, False),
    ],
)
def test_routes_that_an_application_does_not_mount_are_unused_though_a_text_bears_their_name(
    files: dict[str, str], unused: bool
) -> None:
    assert is_unused({"src/scores.py": ROUTES, **files}, "src/scores.py") is unused


def test_in_a_library_whose_modules_use_each_other_little_none_is_unused() -> None:
    library = {f"src/other_{n}.py": f"def other_{n}():\n    return {n}\n" for n in range(9)}
    assert not is_unused(library)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"automation/rollout.yml": "rollback:\n  auto_rollback: true\n"}, {"automation/rollout.yml"}),
        (
            {"automation/rollout.yml": "a: 1\n", "src/deploy.py": 'open("automation/rollout.yml")\n'},
            set(),
        ),
        ({"automation/rollout.yml": "a: 1\n", "src/deploy.py": 'load("rollout")\n'}, set()),
        (
            {"sizes/prod-compute.yml": "a: 1\n", "run.sh": "az create -f other-compute.yml\n"},
            {"sizes/prod-compute.yml"},
        ),
        ({"sizes/prod-compute.yml": "a: 1\n", "run.sh": "az create -f sizes/$STAGE-compute.yml\n"}, set()),
        ({"sizes/eu/small.yml": "a: 1\n", "src/deploy.py": 'load("../sizes/" + region + "/small")\n'}, set()),
        ({"sizes/small.yml": "a: 1\n", "src/deploy.py": 'hydra.main(config_path="../sizes")(run)\n'}, set()),
        ({"sizes/small.yml": "a: 1\n", "src/deploy.py": 'load("other sizes")\n'}, {"sizes/small.yml"}),
        ({"rollout.yml": "a: 1\n"}, set()),
        ({"k8s/rollout.yml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"}, set()),
        ({".github/rollout.yml": "a: 1\n"}, set()),
    ],
)
def test_configuration_that_nothing_loads_is_unused(files: dict[str, str], found: set[str]) -> None:
    facts, _, _ = examine(Tree.of(files), Pack((), ()))
    assert {fact.site.path for fact in facts.of(Kind.SETTING) if "unused" in fact.traits} == found


ALERTS = "groups:\n  - name: a\n    rules:\n      - alert: Slow\n        expr: latency > 1\n"
SCRAPES = "scrape_configs:\n  - job_name: api\n    static_configs: [{targets: [api]}]\n"


@pytest.mark.parametrize(
    ("files", "unused"),
    [
        ({"monitoring/alerts.yml": ALERTS}, False),
        ({"monitoring/alerts.yml": ALERTS, "monitoring/prometheus.yml": SCRAPES}, True),
        (
            {
                "monitoring/alerts.yml": ALERTS,
                "monitoring/prometheus.yml": f"rule_files: [/etc/prometheus/*.yml]\n{SCRAPES}",
            },
            False,
        ),
        (
            {
                "monitoring/alerts.yml": ALERTS,
                "monitoring/prometheus.yml": f"rule_files:\n  - other.yml\n{SCRAPES}",
            },
            True,
        ),
    ],
)
def test_alerts_that_the_own_prometheus_does_not_take_in_are_unused(
    files: dict[str, str], unused: bool
) -> None:
    facts, _, _ = examine(Tree.of(files), Pack((), ()))
    alert = next(fact for fact in facts.of(Kind.RESOURCE) if fact.name == "alert")
    assert ("unused" in alert.traits) is unused
