"""JavaScript and TypeScript: texts in, facts out."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_audit.code.construct_types import declared_type
from mlops_audit.examination import examine
from mlops_audit.extract import kinds_of
from mlops_audit.extract.javascript import extract
from mlops_audit.facts import Fact, Kind
from mlops_audit.parse.nodes import NotRead, ParseFailure
from mlops_audit.rule_packs import rule_pack
from mlops_audit.tree import Tree


def facts(text: str, path: str = "app/main.ts") -> list[Fact]:
    return list(extract(path, text.encode()))


def calls(text: str, path: str = "app/main.ts") -> list[str]:
    return [fact.name for fact in facts(text, path) if fact.kind is Kind.CALL]


def typed(text: str, name: str) -> Fact:
    (found,) = [
        fact for fact in facts(text, "infra/stack.ts") if fact.kind is Kind.RESOURCE and fact.name == name
    ]
    return found


@pytest.mark.parametrize(("text", "name"), [
    ('import * as sm from "aws-cdk-lib/aws-sagemaker";\nnew sm.CfnEndpoint(this, "E", {})', "aws-cdk-lib/aws-sagemaker.CfnEndpoint"),
    ('import { CfnEndpoint as Live } from "aws-cdk-lib/aws-sagemaker";\nnew Live(this, "E", {})', "aws-cdk-lib/aws-sagemaker.CfnEndpoint"),
    ('import express from "express";\nconst app = express();\napp.post("/score", (q, r) => r.json(1));', "express.post"),
    ('const { Pool: P } = require("pg");\nnew P()', "pg.Pool"),
    ('const fastify = require("fastify")({ logger: true });\nfastify.get("/", f)', "fastify.get"),
    ('import OpenAI from "openai";\nconst client = new OpenAI();\nawait client.chat.completions.create({model: "m"})', "openai.OpenAI.chat.completions.create"),
    ('import * as s3 from "aws-cdk-lib/aws-s3";\nfunction f(b: s3.Bucket) { b.grantRead(x) }', "aws-cdk-lib/aws-s3.Bucket.grantRead"),
    ('import { Api } from "x";\nclass K { constructor() { this.api = new Api(); this.api.start() } }', "x.Api.start"),
    ('import a = require("q");\n(a as any).b!.c()', "q.b.c"),
])  # fmt: skip
def test_calls_stand_under_the_names_of_what_is_imported(text: str, name: str) -> None:
    assert name in calls(text)


@pytest.mark.parametrize("text", [
    "const model = load(); model.fit(x)",  # nothing says where it comes from
    '// import * as m from "openai"; m.chat()',
    'import { f } from "./own"; f()',
])  # fmt: skip
def test_calls_of_what_no_package_gives_are_left_out(text: str) -> None:
    assert calls(text) == []


def test_object_literals_are_keywords_with_dotted_names() -> None:
    text = """import { Client } from "api";
const limit = 5;
new Client("id", { a: { b: [1, 2], "c-d": `x${y}` }, list: [{ k: "v" }, { k: "w" }], limit, call: make(1), ...rest });
"""
    (call,) = [fact for fact in facts(text) if fact.kind is Kind.CALL]
    assert {name: value for name, value in call.traits.items() if name not in ("function", "target")} == {
        "1": "id", "a.b=": ("1", "2"), "a.c-d=": "x{}", "list.k=": ("v", "w"), "limit=": "limit", "call=": "make(1)",
    }  # fmt: skip


def test_imports_name_their_module_and_relative_ones_say_so() -> None:
    found = [
        f
        for f in facts(
            'import a from "pkg/sub";\nimport { b } from "./b";\nexport * from "c";\nconst d = require("d")'
        )
        if f.kind is Kind.IMPORT
    ]
    assert [(f.name, f.site.line, "relative" in f.traits) for f in found] == [
        ("pkg/sub", 1, False), ("./b", 2, True), ("c", 3, False), ("d", 4, False),
    ]  # fmt: skip


def test_what_stands_under_if_false_is_dead() -> None:
    text = 'import { f } from "p";\nif (false) { f(1) } else { f(2) }'
    assert [f.traits.get("dead") for f in facts(text) if f.kind is Kind.CALL] == ["yes", None]


CDK = """import * as sagemaker from "aws-cdk-lib/aws-sagemaker";
import * as s3 from "aws-cdk-lib/aws-s3";
import { aws_lambda as lambda, aws_events as events, aws_events_targets as targets } from "aws-cdk-lib";
import * as path from "path";
export class Serving extends Stack {
  constructor(scope: Construct, id: string) {
    new sagemaker.CfnEndpointConfig(this, "Config", {
      productionVariants: [{ initialInstanceCount: 2, modelName: "m" }],
      dataCaptureConfig: { enableCapture: true },
    });
    new s3.Bucket(this, "Data", { versioned: true, blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL });
    const score = new lambda.Function(this, "Score", {
      runtime: lambda.Runtime.PYTHON_3_11, handler: "app.run", tracing: lambda.Tracing.ACTIVE,
      code: lambda.Code.fromAsset(path.join(__dirname, "../score")),
    });
    new events.Rule(this, "Nightly", {
      schedule: events.Schedule.cron({ hour: "3" }), targets: [new targets.LambdaFunction(score)],
    });
  }
}
"""


def test_constructs_of_level_one_are_resources_of_cloudformation() -> None:
    config = typed(CDK, "AWS::SageMaker::EndpointConfig")
    assert (config.traits["id"], config.traits["system"], config.site.line) == ("Config", "cdk", 7)
    assert config.traits["ProductionVariants.InitialInstanceCount"] == "2"
    assert config.traits["DataCaptureConfig.EnableCapture"] == "true"


def test_constructs_of_level_two_have_the_attributes_of_templates() -> None:
    bucket = typed(CDK, "AWS::S3::Bucket")
    assert bucket.traits["VersioningConfiguration.Status"] == "Enabled"
    assert bucket.traits["PublicAccessBlockConfiguration.BlockPublicAcls"] == "true"
    assert typed(CDK, "AWS::Lambda::Function").traits["TracingConfig.Mode"] == "Active"


def test_a_rule_with_a_schedule_starts_the_function_that_it_aims_at() -> None:
    function = typed(CDK, "AWS::Lambda::Function")
    assert function.traits["triggers"] == ("schedule",)
    assert "score/app.py" in function.traits["runs"]


PIPELINE = """import * as cp from "aws-cdk-lib/aws-codepipeline";
import * as actions from "aws-cdk-lib/aws-codepipeline-actions";
import * as codebuild from "aws-cdk-lib/aws-codebuild";
const pipeline = new cp.Pipeline(this, "Release", {});
const source = new actions.GitHubSourceAction({ actionName: "Code", repo: "r" });
pipeline.addStage({ stageName: "Source", actions: [source] });
const project = new codebuild.PipelineProject(this, "Build", {
  buildSpec: codebuild.BuildSpec.fromSourceFilename("ci/train.yml"),
});
const inline = new codebuild.PipelineProject(this, "Ship", {
  buildSpec: codebuild.BuildSpec.fromObject({ phases: { build: { commands: ["npx cdk deploy --all"] } } }),
});
const train = new actions.CodeBuildAction({ actionName: "Train", project: project });
const approve = new actions.ManualApprovalAction({ actionName: "Approve", runOrder: 1 });
const ship = new actions.CodeBuildAction({ actionName: "Ship", project: inline, runOrder: 2 });
pipeline.addStage({ stageName: "Train", actions: [train] });
pipeline.addStage({ stageName: "Deploy", actions: [ship, approve] });
"""


def test_actions_of_a_pipeline_are_jobs_in_the_order_of_stages() -> None:
    jobs = [fact for fact in facts(PIPELINE, "infra/pipe.ts") if fact.kind is Kind.JOB]
    assert [(job.name, job.traits.get("manual"), job.traits.get("environment")) for job in jobs] == [
        ("Code", None, None), ("Train", None, None), ("Approve", "yes", "Deploy"), ("Ship", "yes", "Deploy"),
    ]  # fmt: skip
    assert jobs[1].traits["runs"] == ("infra/pipe.ts#Build", "ci/train.yml")
    assert all(job.traits["triggers"] == ("push",) for job in jobs)


def test_commands_of_an_inline_build_belong_to_its_project() -> None:
    (command,) = [fact for fact in facts(PIPELINE, "infra/pipe.ts") if fact.kind is Kind.COMMAND]
    assert (command.name, command.traits["unit"]) == ("npx cdk deploy --all", "infra/pipe.ts#Ship")


@pytest.mark.parametrize(("name", "kind"), [
    ("aws_cdk.aws_sagemaker.CfnEndpoint", "AWS::SageMaker::Endpoint"),
    ("aws-cdk-lib.aws_s3.Bucket", "AWS::S3::Bucket"),
    ("@aws-cdk/aws-lambda-python-alpha.PythonFunction", "AWS::Lambda::Function"),
    ("@cdktf/provider-aws/lib/sagemaker-endpoint.SagemakerEndpoint", "aws_sagemaker_endpoint"),
    ("@pulumi/aws.sagemaker.Endpoint", "aws_sagemaker_endpoint"),
    ("@pulumi/gcp.cloudrunv2.Service", "google_cloudrunv2_service"),
    ("pulumi_kubernetes.apps.v1.Deployment", "Deployment"),
    ("react.Component", ""),
])  # fmt: skip
def test_classes_declare_types(name: str, kind: str) -> None:
    assert declared_type(name) == kind


@pytest.mark.parametrize("path", ["types.d.ts", "dist/app.min.js"])
def test_declarations_and_bundles_state_nothing(path: str) -> None:
    assert facts('import { f } from "p"; f()', path) == []


def test_code_without_line_ends_was_written_by_a_bundler() -> None:
    assert facts('import { f } from "p";' + "f();" * 2_000) == []


def test_a_file_over_the_cap_is_not_read() -> None:
    with pytest.raises(NotRead, match="larger than"):
        facts('import { f } from "p";\n' + "f();\n" * 100_001)


PIECES = ("import a from 'b';", "new a.C({", "})", "{", "`${", "`", "\x00", "(", "=> ", "a.b(")


@settings(deadline=None)
@given(st.text(max_size=200) | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_gives_facts_or_one_failure(text: str) -> None:
    for path in ("a.ts", "a.tsx", "a.js"):
        with suppress(ParseFailure):
            facts(text, path)


def test_deep_nesting_is_survived() -> None:
    text = 'import { f } from "p";\n' + "f({a: [\n" * 1_000 + "1" + "]})\n" * 1_000
    assert len(facts(text)) == 1_001
    assert len(facts('import { f } from "p";\nf' + ".g()\n" * 3_000)) > 5


def test_the_extractor_is_registered() -> None:
    assert Kind.CALL in kinds_of("web/server.mjs")


@pytest.mark.parametrize(("body", "kinds"), [
    ('const answer = await new OpenAI().responses.create({ model: "m" }); r.json(answer)', {"llm", "serves"}),
    ("r.json({ status: 1 })", set()),
])  # fmt: skip
def test_a_server_serves_where_it_asks_a_model(body: str, kinds: set[str]) -> None:
    text = f'import express from "express";\nimport OpenAI from "openai";\nconst app = express();\napp.post("/a", async (q, r) => {{ {body} }});\n'
    assert set(examine(Tree.of({"server.ts": text}), rule_pack())[2]) == kinds
