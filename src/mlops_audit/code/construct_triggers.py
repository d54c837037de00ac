"""What starts the constructs of a file: schedules, rules and notifications that aim at them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mlops_audit.code.construct_arguments import held_by, text
from mlops_audit.code.values import Called
from mlops_audit.facts import TraitValue

SCHEDULES = re.compile(r"\.Schedule(Expression)?\.(cron|rate|expression|at)$")
# What brings events to a function, a machine or a pipeline that is its first argument.
NOTIFIES = re.compile(r"\.(LambdaDestination|LambdaSubscription)$")
TARGETS = re.compile(
    r"targets\.(LambdaFunction|CodePipeline|SfnStateMachine|CodeBuildProject|SageMakerPipeline|EcsTask|BatchJob)$"
)
CONTINUOUS = re.compile(
    r"(FargateService|Ec2Service|\.CfnEndpoint|Endpoint|v1\.Deployment|cloudrun\.Service|WebApp|ContainerApp)$"
)


class Triggers:
    """Tells what starts a construct, by all constructs of the file."""

    def __init__(self, calls: Sequence[Called]) -> None:
        self._calls = calls
        self._scheduled = [call for call in calls if SCHEDULES.search(call.name)][:200]
        self._rules = [call for call in calls if re.search(r"\.Rule$", call.name)][:200]

    def schedule_of(self, call: Called, held: dict[str, TraitValue]) -> str:
        """The schedule that a construct is given, or that is written right after it; "" for none."""
        keys = ("schedule", "schedule_expression", "scheduleExpression", "schedules")
        schedule = next((text(held[key]) for key in keys if held.get(key)), "")
        if not schedule and re.search(r"\.(Rule|Schedule|CfnSchedule)$", call.name):
            # the schedule stands in a variable or a nested call: the first one written after the rule begins
            near = [s for s in self._scheduled if call.line <= s.line <= call.line + 12]
            schedule = (text(near[0].arguments.get("1")) or near[0].name) if near else ""
        return "" if re.search(r"(?i)scal|backup|maintenance", call.name) else schedule

    def of(self, call: Called, held: dict[str, TraitValue], schedule: str) -> tuple[str, ...]:
        """The triggers of a construct."""
        found = ["schedule"] if schedule else []
        pattern = any(key.startswith(("event_pattern", "eventPattern")) for key in held)
        if pattern or re.search(r"(EventSourceMapping|EventSource|BucketNotification)$", call.name):
            found.append("event")
        if CONTINUOUS.search(call.name):
            found.append("continuous")
        return tuple(dict.fromkeys([*found, *self.aimed_at(call)]))

    def aimed_at(self, call: Called) -> Iterator[str]:
        """What the rules and notifications of the file that aim at a construct start it on."""
        aim = call.target.rpartition(".")[2]
        if not aim:
            return
        for other in self._calls:
            first = text(other.arguments.get("1")).rpartition(".")[2]
            if first != aim or other.dead:
                continue
            if NOTIFIES.search(other.name):
                yield "event"
            elif TARGETS.search(other.name):
                rule = next((r for r in reversed(self._rules) if r.line <= other.line), None)
                if rule is not None and text(held_by(rule).get("enabled")).lower() != "false":
                    yield "schedule" if self.schedule_of(rule, held_by(rule)) else "event"
