"""What Terraform, CloudFormation, Azure, platform files and infrastructure in Python state."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from textwrap import dedent
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_audit.extract import EXTRACTORS as REGISTERED
from mlops_audit.extract import (
    azure,
    cdk,
    cloudformation,
    codepipeline,
    containers,
    infrastructure,
    kubernetes,
    observability,
    platforms,
    terraform,
)
from mlops_audit.facts import Fact, Kind, matcher
from mlops_audit.parse.nodes import ParseFailure


def read(extractor: ModuleType, path: str, text: str) -> list[Fact]:
    return list(extractor.extract(path, dedent(text).encode()))


def of(facts: list[Fact], kind: Kind) -> list[Fact]:
    return [fact for fact in facts if fact.kind is kind]


TERRAFORM = """\
terraform {
  backend "s3" { bucket = "state" }
}
resource "aws_sagemaker_endpoint_configuration" "model" {
  count = var.on ? 1 : 0
  production_variants {
    variant_name           = "main"
    initial_variant_weight = 0.9
  }
  production_variants { initial_variant_weight = 0.1 }
  tags = { Owner = "team", "cost-centre" = "ml" }
}
resource "google_cloud_scheduler_job" "retrain" {
  schedule = "0 3 * * *"
  paused   = false
}
resource "aws_cloudwatch_event_rule" "off" {
  schedule_expression = "rate(1 day)"
  state               = "DISABLED"
}
data "aws_iam_policy_document" "p" { statement { actions = ["s3:GetObject", "s3:PutObject"] } }
module "net" { source = "../modules/net" }
resource "aws_lambda_function" "score" {
  handler  = "app.handler"
  filename = "${path.module}/build/score.zip"
}
resource "kubernetes_manifest" "isvc" {
  manifest = { kind = "InferenceService", metadata = { name = "m" }, spec = { canary = 10 } }
}
locals { jobs = { train = { cron = "0 1 * * *" } } }
"""


def test_terraform_blocks_are_resources_with_attributes_by_path() -> None:
    facts = of(read(terraform, "infra/main.tf", TERRAFORM), Kind.RESOURCE)
    assert [(f.name, f.traits["id"], f.site.line) for f in facts] == [
        ("backend", "s3", 2),
        ("aws_sagemaker_endpoint_configuration", "model", 4),
        ("google_cloud_scheduler_job", "retrain", 13),
        ("aws_cloudwatch_event_rule", "off", 17),
        ("data.aws_iam_policy_document", "p", 21),
        ("module", "net", 22),
        ("aws_lambda_function", "score", 23),
        ("kubernetes_manifest", "isvc", 27),
        ("InferenceService", "m", 27),
    ]
    model = facts[1].traits
    assert model["production_variants.initial_variant_weight"] == ("0.9", "0.1")
    assert (model["count"], model["tags.Owner"], model["tags.cost-centre"]) == (
        "var.on ? 1 : 0",
        "team",
        "ml",
    )
    assert facts[4].traits["form"] == "data"
    assert facts[4].traits["statement.actions"] == ("s3:GetObject", "s3:PutObject")
    assert facts[5].traits["runs"] == ("modules/net",)
    assert facts[6].traits["runs"] == ("infra/build/score.zip", "infra/app.py")
    assert facts[8].traits["spec.canary"] == "10"


def test_a_terraform_schedule_starts_something_unless_it_is_switched_off() -> None:
    facts = {f.traits["id"]: f.traits for f in of(read(terraform, "main.tf", TERRAFORM), Kind.RESOURCE)}
    assert (facts["retrain"]["triggers"], facts["retrain"]["schedule"]) == (("schedule",), ("0 3 * * *",))
    assert (facts["off"]["enabled"], facts["off"].get("triggers")) == ("no", None)


@pytest.mark.parametrize(
    "pattern",
    [
        'jsonencode({ source = ["aws.sagemaker"], detail = { ModelApprovalStatus = ["Approved"] } })',
        '<<EOF\n{"source": ["aws.sagemaker"], "detail": {"ModelApprovalStatus": ["Approved"]}}\nEOF',
    ],
)
def test_what_a_terraform_rule_waits_for_has_the_paths_of_cloudformation(pattern: str) -> None:
    (fact,) = read(
        terraform, "m.tf", f'resource "aws_cloudwatch_event_rule" "r" {{\n  event_pattern = {pattern}\n}}\n'
    )
    assert fact.traits["EventPattern.source"] == "aws.sagemaker"
    assert fact.traits["EventPattern.detail.ModelApprovalStatus"] == "Approved"


def test_local_values_defaults_and_tfvars_are_settings() -> None:
    assert [
        (f.name, f.traits["value"], f.site.line) for f in of(read(terraform, "m.tf", TERRAFORM), Kind.SETTING)
    ] == [("jobs.train.cron", "0 1 * * *", 30)]
    assert [
        (f.name, f.traits["value"]) for f in read(terraform, "p.tfvars", 'env = "prod"\nsizes = [1, 2]\n')
    ] == [
        ("env", "prod"),
        ("sizes", ("1", "2")),
    ]
    (default,) = read(terraform, "v.tf", 'variable "jobs" {\n  type = map(any)\n  default = { a = "b" }\n}\n')
    assert (default.name, default.site.line) == ("jobs.a", 3)


@pytest.mark.parametrize("count", ["0", "1"])
def test_a_count_of_zero_switches_a_resource_off(count: str) -> None:
    (fact,) = read(terraform, "m.tf", f'resource "aws_ecs_service" "s" {{\n  count = {count}\n}}\n')
    assert (fact.traits.get("enabled"), fact.traits.get("triggers")) == (
        ("no", None) if count == "0" else (None, ("continuous",))
    )


SAM = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Score:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ../api
      Handler: app.handler
      Runtime: python3.12
      Role: !GetAtt Role.Arn
      AutoPublishAlias: live
      DeploymentPreference: {Type: Canary10Percent5Minutes}
      Events:
        Nightly: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
        Web: {Type: Api}
  Off:
    Type: AWS::Events::Rule
    Properties: {ScheduleExpression: rate(1 hour), State: DISABLED}
  OnData:
    Type: AWS::Events::Rule
    Properties: {EventPattern: {source: [aws.s3]}}
"""


def test_sam_functions_have_handlers_schedules_and_attributes() -> None:
    score, off, data = read(cloudformation, "infra/template.yaml", SAM)
    assert (score.name, score.site.line, score.traits["runs"]) == (
        "AWS::Serverless::Function",
        3,
        ("api/app.py",),
    )
    assert (score.traits["triggers"], score.traits["schedule"]) == (("schedule",), ("rate(1 day)",))
    assert score.traits["DeploymentPreference.Type"] == "Canary10Percent5Minutes"
    assert score.traits["Role"] == "!GetAtt Role.Arn"
    assert (off.traits["enabled"], off.traits.get("triggers")) == ("no", None)
    assert data.traits["triggers"] == ("event",)


def test_a_cloudformation_template_in_json_gives_the_same() -> None:
    text = json.dumps(
        {"Resources": {"B": {"Type": "AWS::Budgets::Budget", "Properties": {"Budget": {"Limit": "5"}}}}},
        indent=1,
    )
    (budget,) = cloudformation.extract("b.template", text.encode())
    assert (budget.name, budget.traits["Budget.Limit"], budget.site.line) == ("AWS::Budgets::Budget", "5", 3)
    assert cloudformation.extract("b.json", b'{"Resources": "see AWS::Budgets"}') == []


PIPELINE = """\
Resources:
  Build:
    Type: AWS::CodeBuild::Project
    Properties:
      Source:
        BuildSpec: |
          phases:
            build:
              commands:
                - python train.py
  Release:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      Stages:
        - Name: Source
          Actions:
            - Name: Repo
              ActionTypeId: {Category: Source, Provider: CodeStarSourceConnection}
        - Name: Build
          Actions:
            - Name: Train
              ActionTypeId: {Category: Build, Provider: CodeBuild}
              Configuration: {ProjectName: !Ref Build}
        - Name: Prod
          Actions:
            - Name: Approve
              ActionTypeId: {Category: Approval, Provider: Manual}
            - Name: Deploy
              ActionTypeId: {Category: Deploy, Provider: CloudFormation}
              Configuration: {TemplatePath: "Out::deploy.yml"}
  Weekly:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(7 days)
      Targets: [{Arn: !Sub "arn:aws:codepipeline:${AWS::Region}:x:${Release}"}]
"""


def test_a_code_pipeline_has_jobs_with_their_order_approval_and_triggers() -> None:
    facts = read(codepipeline, "cd/pipeline.yml", PIPELINE)
    (pipeline,) = of(facts, Kind.PIPELINE)
    assert (pipeline.name, pipeline.site.line, pipeline.traits["triggers"]) == (
        "Release",
        11,
        ("schedule", "push"),
    )
    jobs = [(f.name, f.site.line, f.traits.get("manual"), f.traits.get("needs")) for f in of(facts, Kind.JOB)]
    assert jobs == [
        ("Repo", 17, None, None),
        ("Train", 21, None, ("Repo",)),
        ("Approve", 26, "yes", ("Train",)),
        ("Deploy", 28, "yes", ("Train",)),
    ]
    assert of(facts, Kind.JOB)[1].traits["runs"] == ("cd/pipeline.yml#Build",)
    assert of(facts, Kind.JOB)[3].traits["runs"] == ("cd/deploy.yml",)
    (command,) = of(facts, Kind.COMMAND)
    assert (command.name, command.site.line, command.traits["unit"]) == (
        "python train.py",
        10,
        "cd/pipeline.yml#Build",
    )


def test_a_disabled_rule_starts_no_pipeline() -> None:
    text = PIPELINE.replace("ScheduleExpression", "State: DISABLED\n      ScheduleExpression")
    (pipeline,) = of(read(codepipeline, "pipeline.yml", text), Kind.PIPELINE)
    assert pipeline.traits["triggers"] == ("push",)


def test_a_state_machine_has_its_states_as_steps() -> None:
    text = '{"StartAt": "Train", "States": {\n "Train": {"Type": "Task", "Resource": "arn:train", "Next": "All"},\n "All": {"Type": "Parallel", "Branches": [{"StartAt": "A", "States": {\n  "A": {"Type": "Pass"}}}]}}}'
    facts = list(codepipeline.extract("sf/train.asl.json", text.encode()))
    assert [(f.kind, f.name, f.site.line) for f in facts] == [
        (Kind.PIPELINE, "train", 1), (Kind.STEP, "Train", 2), (Kind.STEP, "All", 3), (Kind.STEP, "A", 4),
    ]  # fmt: skip


BICEP = """\
param deploy bool
resource ws 'Microsoft.MachineLearningServices/workspaces@2023-04-01' = {
  name: 'ws-${env}'
  sku: { name: 'Basic' }
  resource child 'computes@2023-04-01' = {
    name: 'cpu'
  }
}
resource old 'Microsoft.Storage/storageAccounts@2023-01-01' existing = { name: 'x' }
resource some 'Microsoft.Web/sites@2022-03-01' = if (deploy) { name: 's' }
module net './net.bicep' = { name: 'net' }
"""


def test_bicep_resources_have_their_type_without_its_version() -> None:
    facts = read(azure, "infra/main.bicep", BICEP)
    assert [(f.name, f.traits["id"], f.site.line) for f in facts] == [
        ("Microsoft.MachineLearningServices/workspaces", "ws", 2),
        ("Microsoft.MachineLearningServices/workspaces/computes", "child", 5),
        ("Microsoft.Storage/storageAccounts", "old", 9),
        ("Microsoft.Web/sites", "some", 10),
        ("module", "net", 11),
    ]
    assert (facts[0].traits["sku.name"], facts[0].traits["api"]) == ("Basic", "2023-04-01")
    assert (facts[2].traits["form"], facts[3].traits["condition"]) == ("data", "deploy")
    assert facts[4].traits["runs"] == ("infra/net.bicep",)


def test_arm_templates_give_their_resources_and_nested_ones() -> None:
    text = """\
    {"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
     "resources": [
      {"type": "Microsoft.Web/sites", "name": "s", "apiVersion": "2022-03-01",
       "resources": [{"type": "slots", "name": "staging"}]}]}
    """
    facts = read(azure, "t.json", text)
    assert [(f.name, f.traits["id"], f.site.line) for f in facts] == [
        ("Microsoft.Web/sites", "s", 3), ("Microsoft.Web/sites/slots", "staging", 4),
    ]  # fmt: skip


SCHEMA = "$schema: https://azuremlschemas.azureedge.net/latest/"


@pytest.mark.parametrize(
    ("text", "name", "path", "value"),
    [
        (SCHEMA + "managedOnlineDeployment.schema.json\nname: blue\ncode_configuration: {code: ../src, scoring_script: score.py}\n",
         "deployment", "runs", ("src/score.py",)),
        (SCHEMA + "managedOnlineEndpoint.schema.json\nname: e\ntraffic: {blue: 90, green: 10}\n", "endpoint", "traffic.blue", "90"),
        ("computeType: AKS\nautoscaler: {autoscaleEnabled: true}\n", "deployment", "autoscaler.autoscaleEnabled", "true"),
        ("entryScript: score.py\nruntime: python\n", "inference", "runs", ("deploy/score.py", "score.py")),
        (SCHEMA + "commandJob.schema.json\ncommand: python train.py\n", None, "", ""),
    ],
)  # fmt: skip
def test_azure_ml_endpoints_and_deployments(text: str, name: str | None, path: str, value: object) -> None:
    found = of(read(azure, "deploy/x.yml", text), Kind.RESOURCE)
    assert [(f.name, f.traits[path]) for f in found] == ([(name, value)] if name else [])


@pytest.mark.parametrize(
    ("binding", "disabled", "triggers", "schedule"),
    [
        ('{"type": "timerTrigger", "schedule": "0 0 * * * *"}', "false", "schedule", "0 0 * * * *"),
        ('{"type": "timerTrigger", "schedule": "0 0 * * * *"}', "true", None, "0 0 * * * *"),
        ('{"type": "blobTrigger"}', "false", "event", None),
        ('{"type": "httpTrigger"}', "false", None, None),
    ],
)
def test_azure_functions_start_on_their_binding(
    binding: str, disabled: str, triggers: str | None, schedule: str | None
) -> None:
    text = f'{{"bindings": [{binding}], "disabled": {disabled}, "scriptFile": "../run.py"}}'
    (fact,) = read(azure, "fn/retrain/function.json", text)
    assert (fact.traits.get("triggers"), fact.traits.get("schedule")) == (triggers, schedule)
    assert (fact.traits["id"], fact.traits["runs"]) == ("retrain", ("fn/run.py",))


@pytest.mark.parametrize(
    ("path", "text", "system", "runs", "triggers"),
    [
        ("api/serverless.yml", "service: s\nprovider: {name: aws, runtime: python3.11}\nfunctions:\n  f:\n    handler: src/h.run\n    events: [{schedule: rate(1 day)}]\n",
         "serverless", ("api/src/h.py",), ("schedule",)),
        ("render.yaml", "services:\n- {type: cron, name: c, schedule: '0 1 * * *', runtime: docker}\n", "render", ("Dockerfile",), "schedule"),
        ("fly.toml", "app = 'x'\n[http_service]\nmin_machines_running = 1\n", "fly", ("Dockerfile",), "continuous"),
        ("app.yaml", "runtime: python311\nautomatic_scaling: {max_instances: 3}\n", "appengine", None, "continuous"),
        ("app.yaml", "model: x\nepochs: 3\n", None, None, None),
        ("vercel.json", '{"version": 2}', "vercel", None, "continuous"),
        ("render.yaml", "colour: red\n", None, None, None),
    ],
)  # fmt: skip
def test_platform_files_declare_services(
    path: str, text: str, system: str | None, runs: object, triggers: object
) -> None:
    found = of(read(platforms, path, text), Kind.RESOURCE)
    assert [(f.traits["system"], f.traits.get("runs"), f.traits.get("triggers")) for f in found] == (
        [(system, runs, triggers)] if system else []
    )


def test_a_playbook_has_tasks_and_roles() -> None:
    text = "- name: serve\n  hosts: web\n  roles: [docker]\n  tasks:\n    - shell: systemctl restart api\n      ignore_errors: yes\n"
    playbook, command = read(infrastructure, "ops/site.yml", text)
    assert (playbook.name, playbook.site.line, playbook.traits["runs"]) == (
        "playbook",
        2,
        ("ops/roles/docker/tasks/main.yml",),
    )
    assert (command.name, command.site.line, command.traits["masked"]) == ("systemctl restart api", 5, "yes")
    assert read(infrastructure, "inventory.yml", "all:\n  hosts: {a: {}}\n") == []


def test_an_app_of_the_cdk_and_a_pulumi_project_name_their_program() -> None:
    app = read(infrastructure, "infra/cdk.json", '{"app": "python3 app.py"}')
    assert app[0].traits["runs"] == ("infra/app.py",)
    (project,) = read(infrastructure, "Pulumi.yaml", "name: p\nruntime: python\n")
    assert project.traits["runs"] == ("__main__.py",)


CDK = """\
from aws_cdk import Duration, aws_events as events, aws_lambda as lambda_, aws_s3 as s3
from aws_cdk.aws_codepipeline_actions import ManualApprovalAction
import pulumi_aws as aws

class Stack:
    def __init__(self, scope):
        function = lambda_.Function(self, "Score", handler="app.run", code=lambda_.Code.from_asset("lambda"))
        events.Rule(self, "Weekly", schedule=events.Schedule.rate(Duration.days(7)))
        events.Rule(self, "Off", schedule=events.Schedule.rate(Duration.days(7)), enabled=False)
        s3.Bucket.from_bucket_name(self, "B", "name")
        ManualApprovalAction(action_name="Approve")

endpoint = aws.sagemaker.Endpoint("live", endpoint_config_name="c")
"""


def test_resources_made_by_calls_have_their_keywords_as_attributes() -> None:
    facts = of(read(cdk, "infra/stack.py", CDK), Kind.RESOURCE)
    assert [(f.name, f.traits.get("id"), f.site.line, f.traits["system"]) for f in facts] == [
        ("aws_cdk.aws_lambda.Function", "Score", 7, "cdk"),
        ("AWS::Lambda::Function", "Score", 7, "cdk"),
        ("aws_cdk.aws_events.Rule", "Weekly", 8, "cdk"),
        ("AWS::Events::Rule", "Weekly", 8, "cdk"),
        ("aws_cdk.aws_events.Rule", "Off", 9, "cdk"),
        ("AWS::Events::Rule", "Off", 9, "cdk"),
        ("pulumi_aws.sagemaker.Endpoint", "live", 13, "pulumi"),
        ("aws_sagemaker_endpoint", "live", 13, "pulumi"),
    ]
    assert facts[0].traits["runs"] == ("infra/lambda/app.py", "lambda/app.py")
    assert facts[2].traits["triggers"] == ("schedule",)
    assert facts[3].traits["ScheduleExpression"] == "events.Schedule.rate(Duration.days(7))"
    assert (facts[4].traits["enabled"], facts[4].traits.get("triggers")) == ("no", None)
    assert facts[7].traits["endpoint_config_name"] == "c"


def test_a_manual_approval_in_python_is_a_manual_job() -> None:
    (job,) = of(read(cdk, "infra/stack.py", CDK), Kind.JOB)
    assert (job.name, job.traits["manual"], job.site.line) == ("Approve", "yes", 11)


EXTRACTORS = (terraform, cloudformation, codepipeline, azure, platforms, infrastructure, cdk)
PIECES = st.sampled_from(['resource "a" "b" {', "}", "x = [1,", "Resources:", "  A: {Type: AWS::CodePipeline::Pipeline}", "- hosts: a", "{", '"a": 1',
                          "import aws_cdk", "aws_cdk.App(1", "resource x 'a@1' = {", "<<EOF", "\x00", "computeType: AKS", "functions: {}"])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["a.tf", "a.tfvars", "a.tf.json", "a.yaml", "a.json", "a.bicep", "a.py", "serverless.yml", "fly.toml", "app.yaml",
                     "function.json", "a.template", "cdk.json", "Pulumi.yaml"]),
    st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=12).map(lambda rows: "\n".join(rows).encode())),
)  # fmt: skip
def test_any_bytes_give_facts_or_one_clear_failure(path: str, data: bytes) -> None:
    for extractor in EXTRACTORS:
        with suppress(ParseFailure):
            assert all(fact.site.path == path for fact in extractor.extract(path, data))


def reads(extractor: ModuleType, path: str) -> bool:
    name = extractor.__name__.rpartition(".")[2]
    return any(matcher(patterns, True)(path) for module, patterns in REGISTERED if module == name)


SLOW = [
    ("a.tf", "a {\n" * 60_000),
    ("a.tf", 'resource "a" "b" {\n x = ' + "jsonencode(" * 50_000),
    ("a.tf", 'resource "a" "b" {\n x = ' + "[" * 100_000),
    ("a.bicep", "resource a 'b@1' = {\n" * 20_000),
    ("a.yaml", "Resources:\n" + "  A: {Type: AWS::CodePipeline::Pipeline}\n" * 5_000),
    (
        "a.yaml",
        "Resources:\n" + "".join(f"  A{i}: {{Type: AWS::CodePipeline::Pipeline}}\n" for i in range(5_000)),
    ),
    ("a.yaml", " " * 500_000 + "hosts:\n"),
    ("Dockerfile", "FROM a AS b\n" * 10_000),
    ("Dockerfile", "FROM a\n" + "ENV A=$A$A\n" * 10_000 + "RUN $A\n"),
    ("Dockerfile", "FROM a\n" + "COPY x /x\nRUN /x/y\n" * 6_000),
    ("a.conf", "\n" * 1_000_000),
    ("a.conf", "[INPUT]" + " " * 1_000_000),
    ("a.json", '{"panels": [' + '{"targets": ' * 50_000),
    (
        "templates/a.yaml",
        "apiVersion: v1\nkind: Pod\n" + "{{- if .Values.x }}\n" * 30_000 + "x: [\n" + "image: a\n" * 30_000,
    ),
    ("templates/a.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n" + "\n" * 300_000 + "{{- end }}: ["),
]


@pytest.mark.parametrize(("path", "text"), SLOW, ids=range(len(SLOW)))
def test_files_that_are_made_to_be_slow_are_not(path: str, text: str) -> None:
    started = time.process_time()
    for extractor in (*EXTRACTORS, containers, kubernetes, observability):
        if reads(extractor, path):
            with suppress(ParseFailure):
                list(extractor.extract(path, text.encode()))
    assert time.process_time() - started < 5
