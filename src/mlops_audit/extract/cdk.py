"""Infrastructure written in Python: resources of the AWS CDK, CDK for Terraform and Pulumi."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from mlops_audit import code
from mlops_audit.code_values import Called, Code
from mlops_audit.facts import Fact, Kind, Site, TraitValue
from mlops_audit.resources import beside, resource

MARKS = (b"aws_cdk", b"cdktf", b"pulumi")
SYSTEMS = (
    (re.compile(r"aws_cdk\.|aws_solutions_constructs\.|cdk_\w+\."), "cdk"),
    (re.compile(r"cdktf(_\w+)?\.|imports\."), "cdktf"),
    (re.compile(r"pulumi_\w+\.|pulumi\.ComponentResource"), "pulumi"),
)
# A resource is made by calling a class; `Bucket.from_bucket_name` finds one, `Schedule.cron` makes a value.
IS_A_CLASS = re.compile(r"(?:\w+\.)+[A-Z]\w*$")
VALUES = re.compile(
    r"\.(Duration|Stack|App|Stage|Environment|Tags|Fn|Aws|Output|ResourceOptions|InvokeOptions|Provider|StackReference|"
    r"CfnOutput|CfnParameter|Config|FileAsset|FileArchive|AssetArchive|StringAsset|Size|RemovalPolicy|\w*Args|"
    r"SubnetSelection|DefaultStackSynthesizer|TerraformOutput|TerraformVariable|Construct|ArnComponents)$"
)
PIPELINES = frozenset({"aws_cdk.aws_codepipeline.Pipeline", "aws_cdk.pipelines.CodePipeline", "aws_cdk.pipelines.CdkPipeline",
                       "aws_cdk.aws_codepipeline.CfnPipeline"})  # fmt: skip
MACHINE = "aws_cdk.aws_stepfunctions.StateMachine"
PUSHED = re.compile(
    r"(CodeCommit|GitHub|BitBucket|CodeStarConnections)\w*SourceAction$|CodePipelineSource\.(git_hub|code_commit|connection)$"
)
STORED = re.compile(r"(S3|Ecr)SourceAction$|CodePipelineSource\.(s3|ecr)$")
ACTION = re.compile(r"aws_cdk\.aws_codepipeline_actions\.(\w+Action)$|aws_cdk\.pipelines\.(\w+Step)$")


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The resources, pipelines and jobs that a Python file declares through these frameworks."""
    if not any(mark in data for mark in MARKS):
        return ()
    return list(_facts(path, code.read(path, data)))


def _facts(path: str, read: Code) -> Iterator[Fact]:
    scheduled = [
        call for call in read.calls if re.search(r"\.Schedule\.(cron|rate|expression|at)$", call.name)
    ][:200]
    pipeline_triggers = _source_triggers(read.calls)
    for call in read.calls:
        system = next((name for start, name in SYSTEMS if start.match(call.name)), "")
        if not system:
            continue
        site = Site(path, call.line)
        action = ACTION.search(call.name)
        if action:
            yield _job(site, call, action[1] or action[2], pipeline_triggers)
        elif call.name in PIPELINES or call.name == MACHINE:
            yield _pipeline(site, call, pipeline_triggers if call.name != MACHINE else ())
        if IS_A_CLASS.match(call.name) and not VALUES.search(call.name) and not action:
            yield _resource(path, site, call, system, scheduled)


def _held(call: Called) -> dict[str, TraitValue]:
    return {name.removesuffix("="): value for name, value in call.arguments.items() if name.endswith("=")}


def _text(value: TraitValue | None) -> str:
    return value if isinstance(value, str) else " ".join(value or ())


def _resource(path: str, site: Site, call: Called, system: str, scheduled: list[Called]) -> Fact:
    held = _held(call)
    name = _text(call.arguments.get("1" if system == "pulumi" else "2"))
    triggers: list[str] = []
    schedule = next(
        (_text(held[key]) for key in ("schedule", "schedule_expression", "schedules") if held.get(key)), ""
    )
    if not schedule and re.search(r"\.(Rule|Schedule|CfnSchedule)$", call.name):
        # the schedule stands in a variable or a nested call: the first one written after the rule begins
        schedule = next((_text(s.arguments.get("1")) or s.name for s in scheduled if s.line >= call.line), "")
        schedule = schedule if any(call.line <= s.line <= call.line + 12 for s in scheduled) else ""
    scales = re.search(r"(?i)scal|backup|maintenance", call.name) is not None
    if schedule and not scales:
        triggers.append("schedule")
    if held.get("event_pattern") or re.search(
        r"(EventSourceMapping|EventSource|BucketNotification)$", call.name
    ):
        triggers.append("event")
    if re.search(
        r"(FargateService|Ec2Service|\.CfnEndpoint|Endpoint|v1\.Deployment|cloudrun\.Service|WebApp|ContainerApp)$",
        call.name,
    ):
        triggers.append("continuous")
    off = _text(held.get("enabled")).lower() == "false" or _text(held.get("state")).upper() == "DISABLED"
    return resource(
        call.name, site, system, held, id=name, runs=_runs(path, held) or None, function=call.function, guard=call.guards,
        triggers=None if off or call.dead else tuple(triggers), schedule=schedule if not scales else None,
        enabled="no" if off else None, dead="yes" if call.dead else None,
    )  # fmt: skip


def _runs(path: str, held: dict[str, TraitValue]) -> tuple[str, ...]:
    """Code that a function or image is made of: the asset it names, with the module of its handler."""
    found: dict[str, None] = {}
    source = " ".join(
        _text(held.get(key)) for key in ("code", "image", "entry", "build_spec", "archive", "definition")
    )
    assets = re.findall(
        r"(?:from_asset|from_image_asset|from_source_filename|FileArchive|asset)\(\s*[\"']([^\"']+)[\"']",
        source,
    )
    entry = _text(held.get("entry"))
    if entry and re.fullmatch(r"[\w./-]+", entry):
        assets.append(entry)
    handler = _text(held.get("handler"))
    module = (
        handler.rpartition(".")[0].replace(".", "/") + ".py"
        if re.fullmatch(r"[\w./-]+\.\w+", handler)
        else ""
    )
    index = _text(held.get("index")) or module
    for asset in assets:
        if re.search(r"\.\w+$", posixpath.basename(asset)):
            found[beside(path, asset)] = found[posixpath.normpath(asset)] = None
            continue
        inside = "Dockerfile" if "image_asset" in source else index
        if inside:  # assets are relative to where the app runs: its own folder, or the root
            found[beside(path, posixpath.join(asset, inside))] = None
            found[posixpath.normpath(posixpath.join(asset, inside))] = None
    return tuple(found)


def _source_triggers(calls: Iterable[Called]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for call in calls:
        if not call.dead and PUSHED.search(call.name):
            found["push"] = None
        elif not call.dead and STORED.search(call.name):
            found["event"] = None
    return tuple(found)


def _pipeline(site: Site, call: Called, triggers: tuple[str, ...]) -> Fact:
    held = _held(call)
    name = _text(held.get("pipeline_name") or held.get("state_machine_name")) or _text(
        call.arguments.get("2")
    )
    system = "stepfunctions" if call.name == MACHINE else "codepipeline"
    traits: dict[str, TraitValue] = {"system": system, "unit": f"{site.path}#{name}"}
    if triggers:
        traits["triggers"] = triggers
    if call.dead:
        traits["dead"] = "yes"
    return Fact(Kind.PIPELINE, name or call.name, site, traits)


def _job(site: Site, call: Called, action: str, triggers: tuple[str, ...]) -> Fact:
    held = _held(call)
    name = _text(held.get("action_name")) or _text(call.arguments.get("1")) or action
    traits: dict[str, TraitValue] = {
        "system": "codepipeline",
        "unit": f"{site.path}#{name}",
        "category": action,
    }
    traits.update({f"{key}=": value for key, value in held.items()})
    if triggers:
        traits["triggers"] = triggers
    if action.startswith("ManualApproval"):
        traits["manual"] = "yes"
    if call.dead:
        traits["dead"] = "yes"
    return Fact(Kind.JOB, name, site, traits)
