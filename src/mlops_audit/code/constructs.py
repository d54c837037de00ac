"""Infrastructure written as code: resources, pipelines and jobs of the AWS CDK, CDK for Terraform and Pulumi."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from mlops_audit.code.construct_arguments import held_by, text
from mlops_audit.code.construct_pipelines import ACTION, MACHINES, PIPELINES, Pipelines
from mlops_audit.code.construct_triggers import Triggers
from mlops_audit.code.construct_types import declared_attributes, declared_type
from mlops_audit.code.values import Called
from mlops_audit.facts import Fact, Site, TraitValue
from mlops_audit.resources import beside, resource

MARKS = (b"aws_cdk", b"aws-cdk", b"cdktf", b"pulumi")
SYSTEMS = (
    (
        re.compile(
            r"aws_cdk\.|aws_solutions_constructs\.|cdk_\w+\.|aws-cdk-lib[./]|@aws-cdk/|@aws-solutions-constructs/"
        ),
        "cdk",
    ),
    (re.compile(r"cdktf(_\w+)?\.|imports\.|cdktf\.|@cdktf/"), "cdktf"),
    (re.compile(r"pulumi_\w+\.|pulumi\.ComponentResource|@pulumi/[\w-]+[./]"), "pulumi"),
)
# A resource is made by calling a class; `Bucket.from_bucket_name` finds one, `Schedule.cron` makes a value.
IS_A_CLASS = re.compile(r"(?:[\w@/-]+\.)+[A-Z]\w*$")
VALUES = re.compile(
    r"\.(Duration|Stack|App|Stage|Environment|Tags|Fn|Aws|Output|ResourceOptions|InvokeOptions|Provider|StackReference|"
    r"CfnOutput|CfnParameter|Config|FileAsset|FileArchive|AssetArchive|StringAsset|Size|RemovalPolicy|\w*Args|"
    r"SubnetSelection|DefaultStackSynthesizer|TerraformOutput|TerraformVariable|Construct|ArnComponents|Artifact|"
    r"PolicyStatement|PolicyDocument|\w*Principal|\w+Property)$"
)
ALARMED = re.compile(
    r"\.(Composite)?Alarm\.(addAlarmAction|add_alarm_action)$|\.(createAlarm|create_alarm)\.(addAlarmAction|add_alarm_action)$"
)


def facts(path: str, calls: Sequence[Called]) -> Iterator[Fact]:
    """The facts of the constructs that a file makes, from its calls under their qualified names."""
    ours = [(call, system) for call in calls for start, system in SYSTEMS if start.match(call.name)]
    made = [call for call, _ in ours]
    triggers = Triggers(made)
    resources, pipelines = _Resources(path, made, triggers), Pipelines(path, made, triggers)
    for call, system in ours:
        site = Site(path, call.line)
        if MACHINES.search(call.name) or PIPELINES.search(call.name):
            yield pipelines.pipeline(site, call)
        if ACTION.search(call.name) is None and IS_A_CLASS.match(call.name) and not VALUES.search(call.name):
            yield from resources.of(site, call, system)
        elif re.search(r"\.(createAlarm|create_alarm)$", call.name):
            yield from resources.of(site, call, system, "AWS::CloudWatch::Alarm")
        elif re.search(r"\.(addMethod|add_method)$", call.name) and "apigateway" in call.name:
            yield from resources.of(site, call, system, "AWS::ApiGateway::Method")
    yield from pipelines.jobs()
    yield from pipelines.builds()


class _Resources:
    """The resources of one file, with what its other constructs say of them."""

    def __init__(self, path: str, calls: Sequence[Called], triggers: Triggers) -> None:
        self.path = path
        self._triggers = triggers
        self._alarmed = next(
            (text(call.arguments.get("1")) for call in calls if ALARMED.search(call.name)), ""
        )

    def of(self, site: Site, call: Called, system: str, declared: str = "") -> Iterator[Fact]:
        """A construct under its class, and under the type that it declares."""
        held = held_by(call)
        # Pulumi names a resource first; the others name it after the scope
        name = text(call.arguments.get("1" if system == "pulumi" else "2"))
        schedule = self._triggers.schedule_of(call, held)
        triggers = self._triggers.of(call, held, schedule)
        off = text(held.get("enabled")).lower() == "false" or text(held.get("state")).upper() == "DISABLED"
        known: dict[str, TraitValue | None] = {
            "id": name, "unit": f"{site.path}#{name}" if name else None, "runs": self._runs(held) or None,
            "function": call.function, "guard": call.guards, "triggers": None if off or call.dead else triggers,
            "schedule": schedule, "enabled": "no" if off else None, "dead": "yes" if call.dead else None,
        }  # fmt: skip
        if not declared:
            yield resource(call.name, site, system, held, **known)
        kind = declared or declared_type(call.name)
        if kind:
            attributes = declared_attributes(kind, held)
            if kind == "AWS::CloudWatch::Alarm" and self._alarmed:
                attributes["AlarmActions"] = self._alarmed
            yield resource(kind, site, system, attributes, **known)

    def _runs(self, held: dict[str, TraitValue]) -> tuple[str, ...]:
        """Code that a function or image is made of: the asset it names, with the module of its handler."""
        found: dict[str, None] = {}
        keys = ("code", "image", "entry", "build_spec", "archive", "definition", "directory", "buildSpec")
        source = " ".join(text(held.get(key)) for key in keys)
        assets = re.findall(
            r"(?:from_?asset|from_?image_?asset|from_?source_?filename|FileArchive|asset)\(\s*[\"'`]([^\"'`]+)[\"'`]",
            source, re.IGNORECASE,
        )  # fmt: skip
        assets += [
            asset
            for joined in re.findall(r"\bjoin\(([^()]*(?:\([^()]*\))?[^()]*)\)", source)
            if (asset := _joined(joined))
        ]
        entry = text(held.get("entry"))
        if entry and re.fullmatch(r"[\w./-]+", entry):
            assets.append(entry)
        handler = text(held.get("handler"))
        suffix = ".js" if "NODEJS" in text(held.get("runtime")).upper() else ".py"
        module = (
            handler.rpartition(".")[0].replace(".", "/") + suffix
            if re.fullmatch(r"[\w./-]+\.\w+", handler)
            else ""
        )
        index = text(held.get("index")) or module
        for asset in assets:
            if re.search(r"\.\w+$", posixpath.basename(asset)):
                found[beside(self.path, asset)] = found[posixpath.normpath(asset)] = None
                continue
            inside = "Dockerfile" if re.search(r"(?i)image_?asset", source) else index
            if inside:  # assets are relative to where the app runs: its own folder, or the root
                found[beside(self.path, posixpath.join(asset, inside))] = None
                found[posixpath.normpath(posixpath.join(asset, inside))] = None
        return tuple(found)


def _joined(arguments: str) -> str:
    """The path that `join(__dirname, "..", "api")` makes below the file's folder."""
    parts = re.findall(r"[\"'`]([^\"'`]+)[\"'`]", arguments)
    return posixpath.join(*parts) if parts and all("{" not in part for part in parts) else ""
