"""Pipelines of CodePipeline and Step Functions written as constructs: their jobs, in the order of their stages, and builds."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from mlops_audit.code.construct_arguments import held_by, text
from mlops_audit.code.construct_triggers import Triggers
from mlops_audit.code.values import Called
from mlops_audit.facts import Fact, Kind, Site, TraitValue, values
from mlops_audit.resources import command
from mlops_audit.shell import commands

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
RELEASES = re.compile(r"(?i)deploy|release|rollout|(?<![a-z])(prod|live)")


class Pipelines:
    """The pipelines of a file, with the sources, stages and projects that its other constructs give them."""

    def __init__(self, path: str, calls: Sequence[Called], triggers: Triggers) -> None:
        self.path = path
        self._calls, self._triggers = calls, triggers
        self._projects = [call for call in calls if PROJECTS.search(call.name)][:200]
        self._sources = tuple(dict.fromkeys(
            "push" if PUSHED.search(call.name) else "event"
            for call in calls if not call.dead and (PUSHED.search(call.name) or STORED.search(call.name))
        ))  # fmt: skip

    def pipeline(self, site: Site, call: Called) -> Fact:
        """The pipeline or state machine that a call makes."""
        held = held_by(call)
        machine = MACHINES.search(call.name) is not None
        names = ("pipeline_name", "pipelineName", "state_machine_name", "stateMachineName")
        name = next((text(held[key]) for key in names if held.get(key)), "") or text(call.arguments.get("2"))
        triggers = tuple(dict.fromkeys([*(() if machine else self._sources), *self._triggers.aimed_at(call)]))
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
                text(value) for key, value in stage.arguments.items() if not key.startswith("stage")
            )
            if aim and re.search(rf"(?<![\w']){re.escape(aim)}(?![\w'])", listed):
                return place
        if not aim:
            return next(
                (p for p in range(len(stages) - 1, -1, -1) if stages[p].line <= action.line), len(stages)
            )
        return len(stages)

    def _job(self, action: Called, stage: str, approved: bool, before: tuple[str, ...]) -> Fact:
        held = held_by(action)
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
        aim = text(held_by(action).get("project")).rpartition(".")[2]
        for project in self._projects:
            if aim and project.target.rpartition(".")[2] == aim:
                source = text(held_by(project).get("buildSpec") or held_by(project).get("build_spec"))
                named = re.search(r"\w+\(\s*[\"'`]([\w./-]+\.ya?ml)[\"'`]", source)
                unit = f"{self.path}#{text(project.arguments.get('2'))}"
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
        name = text(stage.arguments.get("1"))[:100]
        literal = re.search(r"[\"'`]([\w-]+)[\"'`]", name)
        title = literal[1] if literal else name
        traits: dict[str, TraitValue] = {
            "system": "codepipeline", "unit": f"{self.path}#{title}", "category": "Deploy", "environment": title,
        }  # fmt: skip
        if self._sources:
            traits["triggers"] = self._sources
        if "ManualApproval" in " ".join(map(text, stage.arguments.values())):
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
            name = _action_name(call) if step else text(project.arguments.get("2")) if project else ""
            unit = f"{self.path}#{name}" if name else self.path
            for key, value in held_by(call).items():
                if re.search(r"(^|\.)(install_?)?commands$", key, re.IGNORECASE):
                    for line in values(value):
                        for found in commands(line, call.line):
                            yield command(
                                self.path, found, unit, "codebuild",
                                triggers=self._sources if step and self._sources else None,
                            )  # fmt: skip


def _action_name(action: Called) -> str:
    held = held_by(action)
    found = ACTION.search(action.name)
    named = text(held.get("action_name") or held.get("actionName")) or text(action.arguments.get("1"))
    return named or ((found[1] or found[2]) if found else action.name)


def _stage_name(stage: Called) -> str:
    held = held_by(stage)
    return text(held.get("stage_name") or held.get("stageName")) or text(stage.arguments.get("1"))[:100]


def _order(action: Called) -> tuple[int, int]:
    order = text(held_by(action).get("run_order") or held_by(action).get("runOrder"))
    return (int(order) if order.isdigit() and len(order) < 6 else 1, action.line)
