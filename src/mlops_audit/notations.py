"""How the orchestrators, schedulers and event consumers of Python code write pipelines and steps: one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

FALSE: frozenset[str] = frozenset({"false", "0"})
TRUE: frozenset[str] = frozenset({"true", "1"})


@dataclass(frozen=True, slots=True)
class Notation:
    """A call or decorator that stands for a pipeline or step.

    `calls` is a regular expression for the whole qualified name. The other fields name arguments: `name` the
    first of which gives the name; `schedule` those that hold a schedule; `events` those that make it start by an
    event; `off` those that switch it off, with the values that do so; `functions`, `paths`, `modules`, `units`
    what it runs; `folder` the folder of its script; `shell` and `words` its commands. `triggers` are known from
    the call itself. `needs` is a module that the file must import, for receivers that cannot be resolved.
    """

    system: str
    calls: str
    form: str = "pipeline"
    name: tuple[str, ...] = ("name=",)
    schedule: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    off: Mapping[str, frozenset[str]] = field(default_factory=dict)
    functions: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    folder: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()
    shell: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    typed: bool = False
    receiver: bool = False  # what it runs is the object that the method is called on
    needs: str = ""


# A deployment of Prefect: what the two ways to write one share.
PREFECT = Notation(
    "prefect",
    "",
    schedule=("cron=", "interval=", "rrule=", "schedule=", "schedules="),
    events=("triggers=",),
    off={"paused=": TRUE, "is_schedule_active=": FALSE, "active=": FALSE},
)
DAY = ("cron=", "daily=", "weekly=", "hourly=", "schedule=")

NOTATIONS: tuple[Notation, ...] = (
    # Airflow. A DAG without any schedule argument is taken as started by hand, as in Airflow 3.
    Notation("airflow", r"airflow\.(?:[\w.]+\.)?(?:DAG|dag)", name=("dag_id=", "1"),
             schedule=("schedule=", "schedule_interval=", "timetable="), off={"is_paused_upon_creation=": TRUE}),
    Notation("airflow", r"airflow\.(?:decorators|sdk|[\w.]*python)\.task(?:_group|\.\w+)?", "step", ("task_id=", "group_id=")),
    Notation("airflow", r".*(?:Operator|Sensor)(?:Async)?(?:\.partial)?", "step", ("task_id=",), functions=("python_callable=",),
             paths=("application=", "input_nb=", "entry_point=", "py_file=", "job_file=", "main="), pipelines=("trigger_dag_id=",),
             shell=("bash_command=", "command="), words=("cmds=", "arguments="), needs="airflow"),
    # Prefect 1, 2 and 3
    Notation("prefect", r"prefect(?:\.flows?)?\.(?:flow|Flow)", name=("name=", "1"), schedule=("schedule=",)),
    Notation("prefect", r"prefect(?:\.tasks?)?\.task", "step"),
    replace(PREFECT, functions=("flow=",), paths=("flow_location=", "entrypoint="), calls=r"prefect\.deployments(?:\.\w+)*"
            r"\.(?:Deployment(?:\.build_from_flow)?|RunnerDeployment\.\w+|DeploymentSpec)"),
    replace(PREFECT, calls=r"(?!prefect\.)(?:.+\.)(?:serve|deploy|to_deployment)", name=("name=", "1"), receiver=True,
            paths=("entrypoint=",), needs="prefect"),
    # Dagster
    Notation("dagster", r"dagster\.(?:job|graph|pipeline|define_asset_job|graph_asset|repository)", name=("name=", "1")),
    Notation("dagster", r"dagster\.(?:asset|multi_asset|op|solid|asset_check|graph_multi_asset|observable_source_asset)", "step",
             deps=("deps=",)),
    Notation("dagster", r"dagster\.(?:ScheduleDefinition|schedule|(?:daily|hourly|weekly|monthly)_schedule)",
             name=("name=", "job_name=", "pipeline_name=", "job="), schedule=("cron_schedule=", "1"), functions=("job=",),
             off={"default_status=": frozenset({"defaultschedulestatus.stopped", "dg.defaultschedulestatus.stopped"})}),
    Notation("dagster", r"dagster\.build_schedule_from_partitioned_job", name=("name=", "1"), triggers=("schedule",)),
    Notation("dagster", r"dagster\.(?:\w*_)?[sS]ensor(?:Definition)?", name=("name=", "job_name="), triggers=("event",),
             functions=("job=",),
             off={"default_status=": frozenset({"defaultsensorstatus.stopped", "dg.defaultsensorstatus.stopped"})}),
    # Kubeflow and Vertex
    Notation("kubeflow", r"kfp(?:\.v2|\.dsl|\.compiler)*\.(?:pipeline|graph_component)", name=("name=", "1")),
    Notation("kubeflow", r"kfp(?:\.v2|\.dsl|\.components)*\.(?:component|container_component|python_component"
             r"|create_component_from_func|func_to_container_op|ContainerOp|load_component_from_file)", "step",
             functions=("func=", "1"), paths=("filename=", "1"), words=("command=", "arguments=")),
    Notation("kubeflow", r".*\.create_recurring_run", name=("job_name=",), schedule=("cron_expression=", "interval_second="),
             paths=("pipeline_package_path=",), off={"enabled=": FALSE}, needs="kfp"),
    Notation("vertex", r"google\.cloud\.aiplatform(?:\.\w+)*\.PipelineJob", name=("display_name=",), paths=("template_path=",)),
    Notation("vertex", r".*(?:PipelineJob\.create_schedule|PipelineJobSchedule\.create)|google\.cloud\.aiplatform.*\.create_schedule",
             name=("display_name=",), schedule=("cron=", "cron_expression=")),
    Notation("vertex", r"google\.cloud\.aiplatform(?:\.\w+)*\.(?:Custom\w*Job|HyperparameterTuningJob)(?:\.from_local_script)?",
             "step", ("display_name=",), paths=("script_path=",)),
    Notation("tfx", r"tfx\.(?:\w+\.)*Pipeline", name=("pipeline_name=",)),
    Notation("tfx", r"tfx\.(?:\w+\.)*components(?:\.\w+)*\.[A-Z]\w+", "step", ("instance_name=", "custom_config="),
             paths=("module_file=",), typed=True),
    # ZenML, Kedro, Metaflow, Flyte
    Notation("zenml", r"zenml(?:\.\w+)*\.pipeline"),
    Notation("zenml", r"zenml(?:\.\w+)*\.step", "step"),
    Notation("zenml", r"zenml(?:\.\w+)*\.Schedule", name=("name=",), schedule=("cron_expression=", "interval_second=")),
    Notation("kedro", r"kedro\.(?:\w+\.)*(?:Pipeline|pipeline)", name=("namespace=",)),
    Notation("kedro", r"kedro\.(?:\w+\.)*node", "step", functions=("func=", "1"), deps=("inputs=", "2"), outs=("outputs=", "3"),
             typed=True),
    Notation("metaflow", r"metaflow\.step", "step"),
    Notation("metaflow", r"metaflow\.schedule", schedule=DAY),
    Notation("metaflow", r"metaflow\.trigger(?:_on_finish)?", triggers=("event",)),
    Notation("flyte", r"flyte(?:kit)?\.workflow"),
    Notation("flyte", r"flyte(?:kit)?\.(?:task|dynamic)", "step"),
    Notation("flyte", r"flyte(?:kit)?\.(?:\w+\.)*LaunchPlan\.(?:get_or_create|create)", name=("name=", "1"), schedule=("schedule=",),
             events=("trigger=",), functions=("workflow=",)),
    # SageMaker and Step Functions
    Notation("sagemaker", r"sagemaker\.(?:mlops\.)?workflow\.(?:\w+\.)*Pipeline", name=("name=",)),
    Notation("sagemaker", r"sagemaker\.(?:mlops\.)?workflow\.(?:\w+\.)*(?:\w+Step|step|RegisterModel|StepCollection)", "step",
             ("name=", "1"), paths=("code=",), typed=True),
    Notation("sagemaker", r"sagemaker\.(?:\w+\.)*(?:PyTorch|TensorFlow|SKLearn|XGBoost|HuggingFace|MXNet|Chainer|RLEstimator"
             r"|Estimator|Framework|PySparkProcessor|ModelTrainer)", "step", ("base_job_name=",), paths=("entry_point=",),
             folder=("source_dir=",)),
    Notation("sagemaker", r"sagemaker\.(?:\w+\.)*\w*Processor\.run", "step", ("job_name=",), paths=("code=", "submit_app="),
             folder=("source_dir=",)),
    Notation("sagemaker", r"sagemaker\.(?:\w+\.)*PipelineSchedule", schedule=("cron=", "rate=", "at="), off={"enabled=": FALSE}),
    Notation("sagemaker", r".*\.create_monitoring_schedule", name=("monitor_schedule_name=", "MonitoringScheduleName="),
             triggers=("schedule",), schedule=("schedule_cron_expression=",)),
    Notation("stepfunctions", r"stepfunctions\.(?:\w+\.)*Workflow", name=("name=", "1")),
    Notation("stepfunctions", r"stepfunctions\.steps(?:\.\w+)*\.\w*(?:Step|Task|State)", "step", ("1", "state_id=")),
    Notation("eventbridge", r".*\.put_rule", name=("Name=",), schedule=("ScheduleExpression=",), events=("EventPattern=",),
             off={"State=": frozenset({"disabled"})}, needs="boto3"),
    Notation("eventbridge", r".*\.create_schedule", name=("Name=",), schedule=("ScheduleExpression=",),
             off={"State=": frozenset({"disabled"})}, needs="boto3"),
    # Azure ML, SDK 1 and 2
    Notation("azureml", r"azureml\.(?:\w+\.)*(?:Pipeline|PublishedPipeline|PipelineEndpoint\.publish)", name=("name=", "description=")),
    Notation("azureml", r"azureml\.(?:\w+\.)*Pipeline\.publish", name=("name=", "1")),
    Notation("azureml", r"azureml\.(?:\w+\.)*(?:\w+Step|ParallelRunConfig|ScriptRunConfig|Estimator)", "step", ("name=",),
             paths=("script_name=", "script=", "entry_script=", "r_script=", "python_script_path=", "python_script_name="),
             folder=("source_directory=",)),
    Notation("azureml", r"azureml\.(?:\w+\.)*Schedule\.create(?:_\w+)?", name=("name=",), schedule=("recurrence=",),
             events=("datastore=",)),
    Notation("azureml", r"azureml\.(?:\w+\.)*DataDriftDetector(?:\.\w+)*\.enable_schedule", triggers=("schedule",)),
    Notation("azureml", r"azure\.ai\.ml\.(?:\w+\.)*pipeline", name=("name=", "display_name=")),
    Notation("azureml", r"azure\.ai\.ml\.(?:\w+\.)*(?:command|parallel|spark|command_component|load_component|load_job|sweep)", "step",
             ("name=", "display_name="), paths=("source=",), folder=("code=",), shell=("command=",)),
    Notation("azureml", r"azure\.ai\.ml\.(?:\w+\.)*(?:JobSchedule|MonitorSchedule)", name=("name=",), schedule=("trigger=",)),
    # Databricks, ClearML, Ray, Modal, Beam, Luigi
    Notation("databricks", r".*\.jobs\.(?:create|reset)", name=("name=",), schedule=("schedule=",), events=("trigger=",),
             needs="databricks"),
    Notation("clearml", r"clearml\.(?:\w+\.)*(?:PipelineController|PipelineDecorator\.pipeline)", name=("name=", "1")),
    Notation("clearml", r"clearml\.(?:\w+\.)*(?:PipelineDecorator\.component|PipelineController\.add_(?:function_)?step)", "step",
             ("name=",), functions=("function=",)),
    Notation("clearml", r"clearml\.(?:\w+\.)*TaskScheduler\.add_task", triggers=("schedule",), functions=("schedule_function=",)),
    Notation("clearml", r"clearml\.(?:\w+\.)*TriggerScheduler\.add_\w+_trigger", triggers=("event",),
             functions=("schedule_function=",)),
    Notation("ray", r".*\.submit_job", name=("submission_id=", "job_id="), shell=("entrypoint=",), needs="ray"),
    Notation("modal", r"modal\.(?:App|Stub)(?:\.\w+)*\.(?:function|cls)", schedule=("schedule=",)),
    Notation("beam", r"apache_beam\.Pipeline"),
    # Schedulers
    Notation("apscheduler", r".*\.(?:add_job|scheduled_job)", name=("id=", "name="), triggers=("schedule",),
             schedule=("trigger=", "2"), functions=("func=", "1"), needs="apscheduler"),
    Notation("schedule", r"schedule\.every(?:\.\w+)*\.do|schedule\.repeat", name=(), triggers=("schedule",), functions=("1",)),
    Notation("celery", r".*\.add_periodic_task", name=("name=",), triggers=("schedule",), schedule=("1",), needs="celery"),
    Notation("celery", r".*\.conf\.update", name=(), schedule=("beat_schedule=", "CELERYBEAT_SCHEDULE="), needs="celery"),
    Notation("rq", r"rq_scheduler\.(?:\w+\.)*Scheduler\.(?:cron|schedule)", name=("id=",), triggers=("schedule",),
             functions=("func=",)),
    Notation("huey", r".*\.periodic_task", name=(), triggers=("schedule",), needs="huey"),
    Notation("fastapi", r"fastapi_utils\.(?:\w+\.)*repeat_every|fastapi_utilities\.(?:\w+\.)*repeat_(?:every|at)", name=(),
             triggers=("schedule",)),
    Notation("cron", r"crontab\.CronTab\.new", name=("comment=",), triggers=("schedule",), shell=("command=",)),
    Notation("cron", r"aiocron\.crontab|rocketry\.(?:\w+\.)*task|croniter_loop", name=(), triggers=("schedule",), schedule=("1",)),
    Notation("azure-functions", r"azure\.functions\.(?:\w+\.)*(?:timer_trigger|schedule)", name=("arg_name=",),
             schedule=("schedule=",)),
    # What starts by an event
    Notation("azure-functions", r"azure\.functions\.(?:\w+\.)*(?:blob|queue|event_grid|event_hub_message|service_bus\w+)_trigger",
             name=("arg_name=",), triggers=("event",)),
    Notation("pubsub", r"google\.cloud\.pubsub(?:_v1)?\.(?:\w+\.)*SubscriberClient\.(?:subscribe|pull)", name=(),
             triggers=("event",), functions=("callback=",)),
    Notation("kafka", r"kafka\.(?:\w+\.)*KafkaConsumer|aiokafka\.(?:\w+\.)*AIOKafkaConsumer|confluent_kafka\.(?:\w+\.)*"
             r"(?:Deserializing)?Consumer|faust\.App\.agent|quixstreams\.Application\.dataframe|faststream\..*\.subscriber", name=(),
             triggers=("event",)),
    Notation("rabbitmq", r".*\.basic_consume", name=(), triggers=("event",), functions=("on_message_callback=",), needs="pika"),
    Notation("eventhub", r"azure\.(?:eventhub|servicebus)\.(?:\w+\.)*(?:receive(?:_batch)?|receive_messages|get_queue_receiver)",
             name=(), triggers=("event",), functions=("on_event=",)),
    Notation("watchdog", r"watchdog\.(?:\w+\.)*\w*Observer\w*\.schedule|watchfiles\.a?watch", name=(), triggers=("event",)),
    Notation("functions-framework", r"functions_framework\.cloud_event", name=(), triggers=("event",)),
)  # fmt: skip

# Classes that make a pipeline or step by deriving from a base.
BASES: tuple[tuple[str, str, str], ...] = (
    ("metaflow", r"metaflow\.(?:\w+\.)*FlowSpec", "pipeline"),
    ("luigi", r"luigi\.(?:\w+\.)*\w*Task", "step"),
)
