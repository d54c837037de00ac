"""What orchestrated pipelines, their steps, schedules and commands give: texts in, facts out."""

from __future__ import annotations

import textwrap

import pytest

from mlops_audit.extract import extract_file
from mlops_audit.facts import Fact, Kind, values
from mlops_audit.tree import Tree

KINDS = {Kind.PIPELINE, Kind.STEP, Kind.RESOURCE, Kind.COMMAND}


def facts(path: str, text: str) -> list[Fact]:
    data = textwrap.dedent(text).encode()
    (file,) = Tree.of({path: data}).files
    found, _ = extract_file(file)
    return [fact for fact in found if fact.kind in KINDS]


def of(kind: Kind, path: str, text: str) -> dict[str, Fact]:
    return {fact.name: fact for fact in facts(path, text) if fact.kind is kind}


def started(fact: Fact) -> tuple[str, ...]:
    return values(fact.traits.get("triggers"))


AIRFLOW = "from airflow import DAG\nfrom airflow.decorators import dag\n"
PREFECT = "from prefect import flow\nfrom prefect.client.schemas.schedules import CronSchedule\n@flow\ndef train(): ...\n"

STARTED_BY_ITSELF = [
    ("airflow schedule", AIRFLOW + "DAG('x', schedule='0 3 * * *')", "schedule"),
    ("airflow schedule_interval", AIRFLOW + "with DAG(dag_id='x', schedule_interval='@weekly'): ...", "schedule"),
    ("airflow timetable", AIRFLOW + "DAG('x', timetable=Weekdays())", "schedule"),
    ("airflow constant", AIRFLOW + "CRON = '@daily'\nDAG('x', schedule=CRON)", "schedule"),
    ("airflow variable", AIRFLOW + "DAG('x', schedule=settings.cron)", "schedule"),
    ("airflow datasets", AIRFLOW + "DAG('x', schedule=[Dataset('s3://b/x')])", "event"),
    ("airflow decorator", AIRFLOW + "@dag(schedule='@daily')\ndef x(): ...", "schedule"),
    ("prefect serve", PREFECT + "train.serve(name='x', cron='0 3 * * *')", "schedule"),
    ("prefect interval", PREFECT + "train.to_deployment('x', interval=3600)", "schedule"),
    ("prefect deploy", PREFECT + "train.deploy('x', schedules=[CronSchedule(cron='1 1 * * *')])", "schedule"),
    ("prefect 2", PREFECT + "from prefect.deployments import Deployment as D\n"
     "D.build_from_flow(flow=train, name='x', schedule=CronSchedule(cron='0 3 * * 0'))", "schedule"),
    ("prefect 1", "from prefect import Flow\nwith Flow('x', schedule=weekly) as f: ...", "schedule"),
    ("dagster", "from dagster import ScheduleDefinition\nScheduleDefinition(name='x', job=j, cron_schedule='0 0 * * *')", "schedule"),
    ("dagster sensor", "from dagster import sensor\n@sensor(job=j)\ndef x(context): ...", "event"),
    ("kfp", "import kfp\nc = kfp.Client()\nc.create_recurring_run(job_name='x', cron_expression='0 0 * * * *')", "schedule"),
    ("vertex", "from google.cloud import aiplatform\njob = aiplatform.PipelineJob(display_name='p')\n"
     "job.create_schedule(display_name='x', cron='0 0 * * *')", "schedule"),
    ("zenml", "from zenml.config.schedule import Schedule\nSchedule(name='x', cron_expression='5 2 * * *')", "schedule"),
    ("metaflow", "from metaflow import FlowSpec, schedule\n@schedule(daily=True)\nclass x(FlowSpec): ...", "schedule"),
    ("metaflow event", "from metaflow import FlowSpec, trigger\n@trigger(event='data')\nclass x(FlowSpec): ...", "event"),
    ("flyte", "from flytekit import LaunchPlan, CronSchedule\n"
     "LaunchPlan.get_or_create(name='x', workflow=w, schedule=CronSchedule(schedule='0 0 * * *'))", "schedule"),
    ("sagemaker", "from sagemaker.workflow.triggers import PipelineSchedule\nPipelineSchedule(name='x', rate=(1, 'days'))", "schedule"),
    ("sagemaker monitor", "m.create_monitoring_schedule(monitor_schedule_name='x', endpoint_input=e)\nimport sagemaker", "schedule"),
    ("azureml 1", "from azureml.pipeline.core import Schedule\nSchedule.create(ws, name='x', recurrence=recurrence)", "schedule"),
    ("azureml 1 data", "from azureml.pipeline.core import Schedule\nSchedule.create(ws, name='x', datastore=blob)", "event"),
    ("azureml 2", "from azure.ai.ml.entities import JobSchedule\nJobSchedule(name='x', trigger=cron, create_job=job)", "schedule"),
    ("databricks", "from databricks.sdk import WorkspaceClient\nw = WorkspaceClient()\n"
     "w.jobs.create(name='x', tasks=t, schedule=CronSchedule('0 0 * * * ?'))", "schedule"),
    ("apscheduler", "from apscheduler.schedulers.blocking import BlockingScheduler\ns = BlockingScheduler()\n"
     "s.add_job(f, 'cron', id='x', hour=3)", "schedule"),
    ("schedule", "import schedule\nschedule.every().day.at('10:30').do(x)", "schedule"),
    ("celery beat", "from celery import Celery\napp = Celery('a')\n"
     "app.conf.beat_schedule = {'x': {'task': 't.retrain', 'schedule': 30.0}}", "schedule"),
    ("modal", "import modal\napp = modal.App('a')\n@app.function(schedule=modal.Cron('0 0 * * *'))\ndef x(): ...", "schedule"),
    ("pubsub", "from google.cloud import pubsub_v1\nx = pubsub_v1.SubscriberClient()\nx.subscribe(s, callback=retrain)", "event"),
    ("kafka", "from kafka import KafkaConsumer\nx = KafkaConsumer('rides')", "event"),
    ("event rule", "import boto3\nboto3.client('events').put_rule(Name='x', ScheduleExpression='rate(1 day)')", "schedule"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "trigger"), [row[1:] for row in STARTED_BY_ITSELF], ids=[r[0] for r in STARTED_BY_ITSELF]
)
def test_a_schedule_or_event_in_python_starts_the_pipeline(text: str, trigger: str) -> None:
    assert any(trigger in started(fact) for fact in facts("flows/x.py", text) if fact.kind is Kind.PIPELINE)


STARTED_BY_HAND = [
    ("airflow none", AIRFLOW + "DAG('x', schedule=None)"),
    ("airflow empty", AIRFLOW + "DAG('x', schedule_interval='')"),
    ("airflow once", AIRFLOW + "DAG('x', schedule='@once')"),
    ("airflow absent", AIRFLOW + "DAG('Monthly Retraining')"),
    ("airflow paused", AIRFLOW + "DAG('x', schedule='@daily', is_paused_upon_creation=True)"),
    ("airflow constant none", AIRFLOW + "CRON = None\nDAG('x', schedule=CRON)"),
    ("prefect name only", "from prefect import flow\n@flow(name='Monthly Retraining Pipeline')\ndef x(): ..."),
    ("prefect paused", PREFECT + "train.serve('x', cron='0 3 * * *', paused=True)"),
    ("prefect inactive", PREFECT + "from prefect.deployments import Deployment as D\n"
     "D.build_from_flow(flow=train, schedule=CronSchedule(cron='0 3 * * 0'), is_schedule_active=False)"),
    ("kfp disabled", "import kfp\nkfp.Client().create_recurring_run(job_name='x', cron_expression='0 0 * * *', enabled=False)"),
    ("dagster stopped", "from dagster import ScheduleDefinition, DefaultScheduleStatus\n"
     "ScheduleDefinition(job=j, cron_schedule='0 0 * * *', default_status=DefaultScheduleStatus.STOPPED)"),
    ("zenml", "from zenml import pipeline\n@pipeline\ndef weekly_training(): ..."),
    ("metaflow", "from metaflow import FlowSpec, step\nclass Daily(FlowSpec):\n    @step\n    def start(self): ..."),
    ("kedro", "from kedro.pipeline import Pipeline, node\nPipeline([node(f, 'a', 'b', name='x')])"),
]  # fmt: skip


@pytest.mark.parametrize("text", [row[1] for row in STARTED_BY_HAND], ids=[r[0] for r in STARTED_BY_HAND])
def test_a_pipeline_without_an_enabled_schedule_is_started_by_hand(text: str) -> None:
    pipelines = [fact for fact in facts("flows/x.py", text) if fact.kind is Kind.PIPELINE]
    assert pipelines
    assert {trigger for fact in pipelines for trigger in started(fact)} == {"manual"}
    assert not any("schedule" in fact.traits for fact in pipelines)


@pytest.mark.parametrize(
    "text",
    [
        "from fastapi import FastAPI\nschedule = '0 3 * * *'\n",
        "import torch\noptimizer.schedule(1)\nscheduler = torch.optim.lr_scheduler.StepLR(o, 3)\n",
        "from prefect import task\nmodel.deploy(cron='x')\nmodel = 1\n",
        "import boto3\nboto3.client('s3').create_bucket(Name='x')\n",
        "import ray\nray.serve.run(app)\n",
    ],
)
def test_what_only_looks_like_a_pipeline_is_none(text: str) -> None:
    assert not [fact for fact in facts("src/x.py", text) if fact.kind is Kind.PIPELINE]


def test_a_pipeline_runs_what_its_steps_name() -> None:
    text = """
        from airflow import DAG
        from airflow.operators.bash import BashOperator
        from airflow.operators.python import PythonOperator as Py
        from src.train import main as run_training

        with DAG("retrain", schedule="@weekly") as dag:
            first = BashOperator(task_id="get", bash_command="cd /opt/app && python src/get.py --all")
            second = Py(task_id="train", python_callable=run_training)
            first >> second
    """
    assert of(Kind.PIPELINE, "dags/x.py", text)["retrain"].traits["runs"] == ("src.train:main",)
    steps = of(Kind.STEP, "dags/x.py", text)
    assert steps["train"].traits["pipeline"] == "retrain"
    assert steps["train"].traits["deps"] == ("first",)
    command = of(Kind.COMMAND, "dags/x.py", text)["python src/get.py --all"]
    assert (command.traits["system"], command.traits["unit"]) == ("airflow", "dags/x.py")


def test_steps_name_their_scripts_and_whether_they_are_typed() -> None:
    text = """
        from azureml.pipeline.steps import PythonScriptStep
        from sagemaker.sklearn import SKLearn
        from kedro.pipeline import node
        from kfp.dsl import component, Output, Model
        from model.nodes import fit

        PythonScriptStep(name="a", script_name="train/train.py", source_directory="src")
        SKLearn(base_job_name="b", entry_point="train.py", source_dir="jobs")
        node(func=fit, inputs=["x", "y"], outputs="model", name="c")

        @component(base_image="python:3.11")
        def typed(model: Output[Model]):
            pass

        @component
        def untyped(n: int):
            pass
    """
    steps = of(Kind.STEP, "p/x.py", text)
    assert steps["a"].traits["runs"] == ("src/train/train.py", "p/src/train/train.py")
    assert steps["b"].traits["runs"] == ("jobs/train.py", "p/jobs/train.py")
    assert steps["c"].traits["runs"] == ("model.nodes:fit",)
    assert steps["c"].traits["deps"] == ("x", "y")
    assert "typed" in steps["typed"].traits
    assert "typed" not in steps["untyped"].traits


def test_a_deployment_runs_the_imported_flow() -> None:
    text = """
        from prefect.deployments import Deployment
        from prefect.server.schemas.schedules import CronSchedule
        from flows.monitoring import monitor
        Deployment.build_from_flow(flow=monitor, name="m", schedule=CronSchedule(cron="0 3 * * *"))
        monitor.serve("n", cron="0 1 * * *")
    """
    found = of(Kind.PIPELINE, "deploy.py", text)
    assert found["m"].traits["runs"] == ("flows.monitoring:monitor",)
    assert found["n"].traits["runs"] == ("flows.monitoring:monitor",)


def test_a_folder_that_is_not_known_is_no_path() -> None:
    text = "from sagemaker.sklearn import SKLearn\nSKLearn(base_job_name='b', entry_point='train.py', source_dir=settings.folder)\n"
    assert of(Kind.STEP, "jobs/x.py", text)["b"].traits["runs"] == ("train.py", "jobs/train.py")


def test_a_dead_schedule_is_dead() -> None:
    found = of(Kind.PIPELINE, "x.py", "from airflow import DAG\nif False:\n    DAG('x', schedule='@daily')")
    assert found["x"].traits["dead"] == "yes"


DVC = """
    vars:
      - script: src/train.py
    stages:
      prepare:
        foreach: [raw, clean]
        do:
          cmd: python prepare.py ${item}
          wdir: src
          deps: [prepare.py]
          outs: ["../data/${item}"]
      train:
        cmd:
          - python ${script}
          - dvclive show && echo done
        deps: [data/raw]
        params: [train.lr, {conf.yaml: [model.depth]}]
        outs: [{model.pkl: {cache: false}}]
        metrics: [{metrics.json: {cache: false}}]
        frozen: true
    artifacts:
      scorer: {path: model.pkl, type: model}
    plots:
      - ROC: {y: {plots/roc.json: tpr}}
"""


def test_dvc_stages_are_steps_with_commands() -> None:
    steps = of(Kind.STEP, "ml/dvc.yaml", DVC)
    assert steps["train"].traits["params"] == ("train.lr", "conf.yaml:model.depth")
    assert steps["train"].traits["outs"] == ("ml/model.pkl",)
    assert steps["train"].traits["metrics"] == ("ml/metrics.json",)
    assert steps["train"].traits["frozen"] == "yes"
    assert steps["prepare"].traits["outs"] == ("ml/data/raw", "ml/data/clean")
    commands = of(Kind.COMMAND, "ml/dvc.yaml", DVC)
    assert {
        n: (f.traits["unit"], f.traits["directory"])
        for n, f in commands.items()
        if f.traits["system"] == "dvc"
    } == {
        "python prepare.py raw": ("ml/dvc.yaml#prepare", "ml/src"),
        "python prepare.py clean": ("ml/dvc.yaml#prepare", "ml/src"),
        "python src/train.py": ("ml/dvc.yaml#train", "ml"),
        "dvclive show": ("ml/dvc.yaml#train", "ml"),
        "echo done": ("ml/dvc.yaml#train", "ml"),
    }
    pipeline = of(Kind.PIPELINE, "ml/dvc.yaml", DVC)["ml/dvc.yaml"]
    assert pipeline.traits["runs"] == ("ml/dvc.yaml#prepare", "ml/dvc.yaml#train")
    assert "ml/plots/roc.json" in values(pipeline.traits["plots"])
    assert of(Kind.RESOURCE, "ml/dvc.yaml", DVC)["artifact"].traits["id"] == "scorer"


def test_a_dvc_file_tracks_data() -> None:
    text = "outs:\n- md5: abc.dir\n  path: raw\ndeps:\n- path: s3://bucket/raw\nfrozen: true\n"
    step = of(Kind.STEP, "data/raw.dvc", text)["data/raw.dvc"]
    assert step.traits["outs"] == ("data/raw",)
    assert step.traits["deps"] == ("s3://bucket/raw",)
    assert (step.traits["md5"], step.traits["frozen"], step.traits["system"]) == (
        ("abc.dir",),
        "yes",
        "dvc-file",
    )


SCHEDULED_DOCUMENTS = [
    ("argo", "w.yaml", """
        apiVersion: argoproj.io/v1alpha1
        kind: CronWorkflow
        metadata: {name: retrain}
        spec:
          schedule: "0 3 * * *"
          workflowSpec:
            templates:
              - name: train
                container: {image: "trainer:1.0", command: [python, src/train.py]}
        """, "retrain", "schedule: \"0 3 * * *\"", "schedule: \"0 3 * * *\"\n          suspend: true"),
    ("kubeflow", "w.yaml", """
        apiVersion: kubeflow.org/v1beta1
        kind: ScheduledWorkflow
        metadata: {name: retrain}
        spec:
          enabled: true
          trigger: {cronSchedule: {cron: "0 3 * * *"}}
        """, "retrain", "enabled: true", "enabled: false"),
    ("prefect", "prefect.yaml", """
        deployments:
          - name: retrain
            entrypoint: flows/train.py:train
            schedules:
              - cron: "0 3 * * *"
                active: true
        """, "retrain", "active: true", "active: false"),
    ("prefect paused", "prefect.yaml", """
        deployments:
          - name: retrain
            entrypoint: flows/train.py:train
            paused: false
            schedule: {cron: "0 3 * * *"}
        """, "retrain", "paused: false", "paused: true"),
    ("databricks", "databricks.yml", """
        bundle: {name: churn}
        resources:
          jobs:
            retrain:
              schedule: {quartz_cron_expression: "0 0 3 * * ?", timezone_id: UTC, pause_status: UNPAUSED}
              tasks:
                - task_key: fit
                  spark_python_task: {python_file: ./src/train.py}
        """, "retrain", "UNPAUSED", "PAUSED"),
    ("azureml", "schedule.yml", """
        $schema: https://azuremlschemas.azureedge.net/latest/schedule.schema.json
        name: retrain
        trigger: {type: cron, expression: "0 3 * * *"}
        create_job: ./pipeline.yml
        """, "retrain", "expression: \"0 3 * * *\"", "expression: ''"),
    ("data factory", "trigger.json", """
        {"name": "retrain", "properties": {"type": "ScheduleTrigger", "runtimeState": "Started",
         "typeProperties": {"recurrence": {"frequency": "Day", "interval": 1}},
         "pipelines": [{"pipelineReference": {"referenceName": "train"}}]}}
        """, "retrain", "Started", "Stopped"),
    ("pachyderm", "p.json", """
        {"pipeline": {"name": "retrain"}, "transform": {"cmd": ["python", "t.py"]}, "input": {"cron": {"spec": "@daily"}}}
        """, "retrain", "@daily", ""),
    ("polyaxon", "p.yaml", """
        version: 1.1
        kind: operation
        name: retrain
        schedule: {kind: cron, cron: "0 3 * * *"}
        run: {kind: job}
        """, "retrain", "cron: \"0 3 * * *\"", "cron: ''"),
]  # fmt: skip


@pytest.mark.parametrize("row", SCHEDULED_DOCUMENTS, ids=[row[0] for row in SCHEDULED_DOCUMENTS])
def test_a_schedule_in_a_document_counts_unless_it_is_switched_off(row: tuple[str, ...]) -> None:
    _, path, text, name, on, off = row
    found = of(Kind.PIPELINE, path, text)[name]
    assert "schedule" in started(found)
    assert found.traits["schedule"]
    assert on in text
    off_found = of(Kind.PIPELINE, path, text.replace(on, off))[name]
    assert "schedule" not in started(off_found)
    assert "schedule" not in off_found.traits


def test_what_a_development_target_of_a_bundle_schedules_is_paused() -> None:
    text = """
        targets:
          dev:
            mode: development
            resources:
              jobs:
                retrain:
                  schedule: {quartz_cron_expression: "0 0 3 * * ?"}
                  tasks: [{task_key: a, notebook_task: {notebook_path: ./train.py}}]
    """
    assert started(of(Kind.PIPELINE, "databricks.yml", text)["retrain"]) == ("manual",)


def test_documents_name_what_they_run() -> None:
    job = """
        resources:
          jobs:
            retrain:
              name: Retrain
              tasks:
                - task_key: fit
                  notebook_task: {notebook_path: ../src/train.py}
                - task_key: wheel
                  python_wheel_task: {package_name: churn, entry_point: score}
    """
    found = of(Kind.PIPELINE, "resources/jobs.yml", job)["Retrain"]
    assert found.traits["runs"] == ("src/train.py", "churn:score")
    azure = """
        $schema: https://azuremlschemas.azureedge.net/latest/pipelineJob.schema.json
        type: pipeline
        jobs:
          prep: {component: ./components/prep.yml}
          train:
            type: command
            code: ../src
            command: python train.py --data ${{inputs.data}}
            inputs: {data: {type: uri_folder}}
    """
    steps = of(Kind.STEP, "mlops/pipeline.yml", azure)
    assert steps["prep"].traits["runs"] == ("mlops/components/prep.yml",)
    assert steps["train"].traits["typed"] == "yes"
    (command,) = of(Kind.COMMAND, "mlops/pipeline.yml", azure).values()
    assert command.traits["directory"] == "src"
    assert command.traits["unit"] == "mlops/pipeline.yml#train"


def test_entry_points_of_a_project_are_steps() -> None:
    text = """
        name: churn
        entry_points:
          main:
            parameters: {depth: {type: int, default: 3}}
            command: "python train.py --depth {depth}"
    """
    (command,) = (
        f
        for f in facts("ml/MLproject", text)
        if f.traits.get("unit") == "ml/MLproject#main" and f.kind is Kind.COMMAND
    )
    assert command.name.startswith("python train.py")
    assert (command.traits["system"], command.traits["directory"]) == ("mlproject", "ml")
    assert of(Kind.PIPELINE, "ml/MLproject", text)["churn"].traits["system"] == "mlflow"


def test_steps_of_platforms_have_commands() -> None:
    valohai = """
        - step:
            name: train
            image: python:3.11
            command: [pip install -r requirements.txt, python train.py]
        - pipeline: {name: all, nodes: [{name: a, type: execution, step: train}]}
    """
    assert "python train.py" in of(Kind.COMMAND, "valohai.yaml", valohai)
    assert of(Kind.PIPELINE, "valohai.yaml", valohai)["all"].traits["runs"] == ("valohai.yaml#train",)


def test_jobs_and_services_of_ray_and_sky() -> None:
    job = "name: train\ncompute_config: c\nentrypoint: python src/train.py\n"
    assert "python src/train.py" in of(Kind.COMMAND, "jobs/train.yaml", job)
    service = "applications:\n- name: a\n  import_path: serve.app:entry\n"
    found = of(Kind.RESOURCE, "serve.yaml", service)["service"]
    assert found.traits["runs"] == ("serve/app.py", "serve.app:entry")
    sky = "name: t\nresources: {accelerators: A100}\nsetup: pip install .\nrun: |\n  python train.py\n"
    assert "python train.py" in of(Kind.COMMAND, "sky.yaml", sky)


def test_stores_checks_and_sweeps_are_resources_or_steps() -> None:
    feast = "project: p\nprovider: local\nregistry: r.db\nonline_store: {type: redis}\n"
    assert (
        of(Kind.RESOURCE, "feature_store.yaml", feast)["feature_store"].traits["online_store.type"] == "redis"
    )
    sweep = "program: train.py\nmethod: bayes\nmetric: {name: loss, goal: minimize}\nparameters: {lr: {min: 0.1, max: 1}}\n"
    assert "python train.py" in of(Kind.COMMAND, "sweep.yaml", sweep)
    assert of(Kind.RESOURCE, "sweep.yaml", sweep)["sweep"].traits["method"] == "bayes"
    suite = (
        '{"expectation_suite_name": "s", "expectations": [{"expectation_type": "expect_x", "kwargs": {}}]}'
    )
    assert of(Kind.RESOURCE, "gx/s.json", suite)["expectation_suite"].traits["expectation_type"] == (
        "expect_x",
    )
    soda = "checks for rides:\n  - row_count > 0\n"
    assert of(Kind.RESOURCE, "checks.yml", soda)["checks"].traits["check"] == ("row_count > 0",)
    catalog = "rides:\n  type: pandas.CSVDataset\n  filepath: data/rides.csv\n  versioned: true\n"
    assert of(Kind.STEP, "conf/base/catalog.yml", catalog)["rides"].traits["outs"] == ("data/rides.csv",)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".gitlab-ci.yml", "stages: [build, test]\nbuild:\n  script: [make]\n"),
        ("azure-pipelines.yml", "trigger: [main]\nstages:\n- stage: a\n  jobs: []\n"),
        ("params.yaml", "train: {lr: 0.1}\ncommand: x\nschedule: '0 3 * * *'\n"),
        ("conf.yaml", "resources: {cpu: 1}\nrun: {name: x}\n"),
        ("data.json", '{"schedule": "0 3 * * *", "tasks": [1, 2]}'),
        ("openapi.yaml", "paths: {}\ncomponents: {}\ntransform: 1\n"),
    ],
)
def test_a_document_of_another_shape_gives_no_pipeline(path: str, text: str) -> None:
    assert not [f for f in facts(path, text) if f.kind in (Kind.PIPELINE, Kind.STEP)]
