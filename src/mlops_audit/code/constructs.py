"""Infrastructure written as code: resources, pipelines and jobs of the AWS CDK, CDK for Terraform and Pulumi."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from mlops_audit.code.construct_types import declared_attributes, declared_type
from mlops_audit.code.values import Called
from mlops_audit.facts import Fact, Kind, Site, TraitValue, values
from mlops_audit.resources import beside, command, resource
from mlops_audit.shell import commands

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
PIPELINES = re.compile(r"(codepipeline|pipelines)\.(Pipeline|CodePipeline|CdkPipeline|CfnPipeline)$")
MACHINES = re.compile(r"stepfunctions\.(Cfn)?StateMachine$")
PROJECTS = re.compile(r"codebuild\.(Pipeline)?Project$")
PUSHED = re.compile(
    r"(CodeCommit|GitHub|BitBucket|Bitbucket|CodeStarConnections)\w*SourceAction$|"
    r"CodePipelineSource\.(git_?hub|code_?commit|connection)$", re.IGNORECASE
)  # fmt: skip
STORED = re.compile(r"(S3|Ecr)SourceAction$|CodePipelineSource\.(s3|ecr)$")
ACTION = re.compile(
    r"(?:aws_cdk\.aws_codepipeline_actions|aws[-_]codepipeline[-_]actions)\.(\w+Action)$|(?:aws_cdk|aws-cdk-lib|@aws-cdk)[./]pipelines\.(\w+Step)$"
)
STAGE = re.compile(
    r"(?:codepipeline|pipelines)\.(?:Pipeline|CodePipeline|CdkPipeline)\.(?:addStage|add_stage|addWave|add_wave)$"
)
SCHEDULES = re.compile(r"\.Schedule(Expression)?\.(cron|rate|expression|at)$")
# What brings events to a function, a machine or a pipeline that is its first argument.
NOTIFIES = re.compile(r"\.(LambdaDestination|LambdaSubscription)$")
TARGETS = re.compile(
    r"targets\.(LambdaFunction|CodePipeline|SfnStateMachine|CodeBuildProject|SageMakerPipeline|EcsTask|BatchJob)$"
)
CONTINUOUS = re.compile(
    r"(FargateService|Ec2Service|\.CfnEndpoint|Endpoint|v1\.Deployment|cloudrun\.Service|WebApp|ContainerApp)$"
)
RELEASES = re.compile(r"(?i)deploy|release|rollout|(?<![a-z])(prod|live)")
ALARMED = re.compile(
    r"\.(Composite)?Alarm\.(addAlarmAction|add_alarm_action)$|\.(createAlarm|create_alarm)\.(addAlarmAction|add_alarm_action)$"
)


def facts(path: str, calls: Sequence[Called]) -> Iterator[Fact]:
    """The facts of the constructs that a file makes, from its calls under their qualified names."""
    ours = [(call, system) for call in calls for start, system in SYSTEMS if start.match(call.name)]
    file = _File(path, [call for call, _ in ours])
    for call, system in ours:
        site = Site(path, call.line)
        if MACHINES.search(call.name) or PIPELINES.search(call.name):
            yield file.pipeline(site, call)
        if ACTION.search(call.name) is None and IS_A_CLASS.match(call.name) and not VALUES.search(call.name):
            yield from file.resources(site, call, system)
        elif re.search(r"\.(createAlarm|create_alarm)$", call.name):
            yield from file.resources(site, call, system, "AWS::CloudWatch::Alarm")
        elif re.search(r"\.(addMethod|add_method)$", call.name) and "apigateway" in call.name:
            yield from file.resources(site, call, system, "AWS::ApiGateway::Method")
    yield from file.jobs()
    yield from file.builds()


class _File:
    """The constructs of one file, with what several of them say together."""

    def __init__(self, path: str, calls: Sequence[Called]) -> None:
        self.path = path
        self._calls = calls
        self._scheduled = [call for call in calls if SCHEDULES.search(call.name)][:200]
        self._rules = [call for call in calls if re.search(r"\.Rule$", call.name)][:200]
        self._projects = [call for call in calls if PROJECTS.search(call.name)][:200]
        self._alarmed = next(
            (_text(call.arguments.get("1")) for call in calls if ALARMED.search(call.name)), ""
        )
        self._sources = tuple(dict.fromkeys(
            "push" if PUSHED.search(call.name) else "event"
            for call in calls if not call.dead and (PUSHED.search(call.name) or STORED.search(call.name))
        ))  # fmt: skip

    def resources(self, site: Site, call: Called, system: str, declared: str = "") -> Iterator[Fact]:
        """A construct under its class, and under the type that it declares."""
        held = _held(call)
        # Pulumi names a resource first; the others name it after the scope
        name = _text(call.arguments.get("1" if system == "pulumi" else "2"))
        schedule = self._schedule_of(call, held)
        triggers = self._triggers_of(call, held, schedule)
        off = _text(held.get("enabled")).lower() == "false" or _text(held.get("state")).upper() == "DISABLED"
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

    def _schedule_of(self, call: Called, held: dict[str, TraitValue]) -> str:
        keys = ("schedule", "schedule_expression", "scheduleExpression", "schedules")
        schedule = next((_text(held[key]) for key in keys if held.get(key)), "")
        if not schedule and re.search(r"\.(Rule|Schedule|CfnSchedule)$", call.name):
            # the schedule stands in a variable or a nested call: the first one written after the rule begins
            near = [s for s in self._scheduled if call.line <= s.line <= call.line + 12]
            schedule = (_text(near[0].arguments.get("1")) or near[0].name) if near else ""
        return "" if re.search(r"(?i)scal|backup|maintenance", call.name) else schedule

    def _triggers_of(self, call: Called, held: dict[str, TraitValue], schedule: str) -> tuple[str, ...]:
        found = ["schedule"] if schedule else []
        pattern = any(key.startswith(("event_pattern", "eventPattern")) for key in held)
        if pattern or re.search(r"(EventSourceMapping|EventSource|BucketNotification)$", call.name):
            found.append("event")
        if CONTINUOUS.search(call.name):
            found.append("continuous")
        return tuple(dict.fromkeys([*found, *self._aimed_at(call)]))

    def _aimed_at(self, call: Called) -> Iterator[str]:
        """What the rules and notifications of the file that aim at a construct start it on."""
        aim = call.target.rpartition(".")[2]
        if not aim:
            return
        for other in self._calls:
            first = _text(other.arguments.get("1")).rpartition(".")[2]
            if first != aim or other.dead:
                continue
            if NOTIFIES.search(other.name):
                yield "event"
            elif TARGETS.search(other.name):
                rule = next((r for r in reversed(self._rules) if r.line <= other.line), None)
                if rule is not None and _text(_held(rule).get("enabled")).lower() != "false":
                    yield "schedule" if self._schedule_of(rule, _held(rule)) else "event"

    def pipeline(self, site: Site, call: Called) -> Fact:
        held = _held(call)
        machine = MACHINES.search(call.name) is not None
        names = ("pipeline_name", "pipelineName", "state_machine_name", "stateMachineName")
        name = next((_text(held[key]) for key in names if held.get(key)), "") or _text(
            call.arguments.get("2")
        )
        triggers = tuple(dict.fromkeys([*(() if machine else self._sources), *self._aimed_at(call)]))
        traits: dict[str, TraitValue] = {
            "system": "stepfunctions" if machine else "codepipeline", "unit": f"{site.path}#{name}",
        }  # fmt: skip
        if triggers:
            traits["triggers"] = triggers
        if not machine:
            runs = tuple(f"{site.path}#{_action_name(action)}" for action in self._actions())
            if runs:
                traits["runs"] = runs
        if call.dead:
            traits["dead"] = "yes"
        return Fact(Kind.PIPELINE, name or call.name, site, traits)

    def _actions(self) -> list[Called]:
        return [call for call in self._calls if ACTION.search(call.name)]

    def jobs(self) -> Iterator[Fact]:
        """The actions of pipelines, in the order of their stages; what comes after an approval waits for it."""
        stages = [call for call in self._calls if STAGE.search(call.name)]
        known = [(self._stage_of(action, stages), action) for action in self._actions()]
        known.sort(key=lambda pair: (pair[0], _order(pair[1])))
        approved, last = False, -1
        before: list[str] = []
        here: list[str] = []
        for place, action in known:
            if place != last:
                before, here, last = here, [], place
            stage = _stage_name(stages[place]) if place < len(stages) else ""
            approved = approved or "ManualApproval" in action.name
            here.append(_action_name(action))
            yield self._job(action, stage, approved, tuple(before))
        for stage_call in stages:
            if re.search(r"pipelines\.(CodePipeline|CdkPipeline)\.", stage_call.name):
                yield self._released(stage_call)

    def _stage_of(self, action: Called, stages: Sequence[Called]) -> int:
        """The place of the stage that names an action, or in which it is written; behind all when there is none."""
        aim = action.target.rpartition(".")[2]
        for place, stage in enumerate(stages):
            listed = " ".join(
                _text(value) for key, value in stage.arguments.items() if not key.startswith("stage")
            )
            if aim and re.search(rf"(?<![\w']){re.escape(aim)}(?![\w'])", listed):
                return place
        if not aim:
            return next(
                (p for p in range(len(stages) - 1, -1, -1) if stages[p].line <= action.line), len(stages)
            )
        return len(stages)

    def _job(self, action: Called, stage: str, approved: bool, before: tuple[str, ...]) -> Fact:
        held = _held(action)
        found = ACTION.search(action.name)
        category = (found[1] or found[2]) if found else ""
        name = _action_name(action)
        traits: dict[str, TraitValue] = {
            "system": "codepipeline",
            "unit": f"{self.path}#{name}",
            "category": category,
        }
        traits.update({f"{key}=": value for key, value in held.items()})
        deploys = re.search(r"CloudFormation|Deploy", category) is not None
        if deploys:
            traits["category"] = ("Deploy", category)
        if stage:
            traits["stage"] = stage
        if deploys or RELEASES.search(stage):
            traits["environment"] = stage or name
        if self._sources:
            traits["triggers"] = self._sources
        if before:
            traits["needs"] = before
        if approved:
            traits["manual"] = "yes"
        runs = self._built(action)
        if runs:
            traits["runs"] = runs
        if action.dead:
            traits["dead"] = "yes"
        return Fact(Kind.JOB, name, Site(self.path, action.line), traits)

    def _built(self, action: Called) -> tuple[str, ...]:
        """What a build action runs: the build specification of its project."""
        aim = _text(_held(action).get("project")).rpartition(".")[2]
        for project in self._projects:
            if aim and project.target.rpartition(".")[2] == aim:
                source = _text(_held(project).get("buildSpec") or _held(project).get("build_spec"))
                named = re.search(r"\w+\(\s*[\"'`]([\w./-]+\.ya?ml)[\"'`]", source)
                unit = f"{self.path}#{_text(project.arguments.get('2'))}"
                return (
                    (unit, posixpath.normpath(named[1]))
                    if named
                    else (unit,)
                    if source
                    else (unit, "buildspec.yml")
                )
        return ()

    def _released(self, stage: Called) -> Fact:
        """A stage of CDK Pipelines: an application of stacks that the pipeline itself deploys."""
        name = _text(stage.arguments.get("1"))[:100]
        literal = re.search(r"[\"'`]([\w-]+)[\"'`]", name)
        title = literal[1] if literal else name
        traits: dict[str, TraitValue] = {
            "system": "codepipeline", "unit": f"{self.path}#{title}", "category": "Deploy", "environment": title,
        }  # fmt: skip
        if self._sources:
            traits["triggers"] = self._sources
        if "ManualApproval" in " ".join(map(_text, stage.arguments.values())):
            traits["manual"] = "yes"
        if stage.dead:
            traits["dead"] = "yes"
        return Fact(Kind.JOB, title, Site(self.path, stage.line), traits)

    def builds(self) -> Iterator[Fact]:
        """The commands of build specifications written into the code, and of steps that run a shell."""
        for call in self._calls:
            spec = re.search(
                r"BuildSpec\.(fromObject|from_object|fromObjectToYaml|from_object_to_yaml)$", call.name
            )
            step = re.search(r"pipelines\.(ShellStep|CodeBuildStep)$", call.name)
            if call.dead or not (spec or step):
                continue
            project = next((p for p in reversed(self._projects) if p.line <= call.line), None)
            name = _action_name(call) if step else _text(project.arguments.get("2")) if project else ""
            unit = f"{self.path}#{name}" if name else self.path
            for key, value in _held(call).items():
                if re.search(r"(^|\.)(install_?)?commands$", key, re.IGNORECASE):
                    for line in values(value):
                        for found in commands(line, call.line):
                            yield command(
                                self.path, found, unit, "codebuild",
                                triggers=self._sources if step and self._sources else None,
                            )  # fmt: skip

    def _runs(self, held: dict[str, TraitValue]) -> tuple[str, ...]:
        """Code that a function or image is made of: the asset it names, with the module of its handler."""
        found: dict[str, None] = {}
        keys = ("code", "image", "entry", "build_spec", "archive", "definition", "directory", "buildSpec")
        source = " ".join(_text(held.get(key)) for key in keys)
        assets = re.findall(
            r"(?:from_?asset|from_?image_?asset|from_?source_?filename|FileArchive|asset)\(\s*[\"'`]([^\"'`]+)[\"'`]",
            source, re.IGNORECASE,
        )  # fmt: skip
        assets += [
            asset
            for joined in re.findall(r"\bjoin\(([^()]*(?:\([^()]*\))?[^()]*)\)", source)
            if (asset := _joined(joined))
        ]
        entry = _text(held.get("entry"))
        if entry and re.fullmatch(r"[\w./-]+", entry):
            assets.append(entry)
        handler = _text(held.get("handler"))
        suffix = ".js" if "NODEJS" in _text(held.get("runtime")).upper() else ".py"
        module = (
            handler.rpartition(".")[0].replace(".", "/") + suffix
            if re.fullmatch(r"[\w./-]+\.\w+", handler)
            else ""
        )
        index = _text(held.get("index")) or module
        for asset in assets:
            if re.search(r"\.\w+$", posixpath.basename(asset)):
                found[beside(self.path, asset)] = found[posixpath.normpath(asset)] = None
                continue
            inside = "Dockerfile" if re.search(r"(?i)image_?asset", source) else index
            if inside:  # assets are relative to where the app runs: its own folder, or the root
                found[beside(self.path, posixpath.join(asset, inside))] = None
                found[posixpath.normpath(posixpath.join(asset, inside))] = None
        return tuple(found)


def _held(call: Called) -> dict[str, TraitValue]:
    return {name.removesuffix("="): value for name, value in call.arguments.items() if name.endswith("=")}


def _text(value: TraitValue | None) -> str:
    return value if isinstance(value, str) else " ".join(value or ())


def _joined(arguments: str) -> str:
    """The path that `join(__dirname, "..", "api")` makes below the file's folder."""
    parts = re.findall(r"[\"'`]([^\"'`]+)[\"'`]", arguments)
    return posixpath.join(*parts) if parts and all("{" not in part for part in parts) else ""


def _action_name(action: Called) -> str:
    held = _held(action)
    found = ACTION.search(action.name)
    named = _text(held.get("action_name") or held.get("actionName")) or _text(action.arguments.get("1"))
    return named or ((found[1] or found[2]) if found else action.name)


def _stage_name(stage: Called) -> str:
    held = _held(stage)
    return _text(held.get("stage_name") or held.get("stageName")) or _text(stage.arguments.get("1"))[:100]


def _order(action: Called) -> tuple[int, int]:
    order = _text(_held(action).get("run_order") or _held(action).get("runOrder"))
    return (int(order) if order.isdigit() and len(order) < 6 else 1, action.line)
