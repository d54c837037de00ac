"""What automation runs only to try it: training for one epoch in a job of tests, a deployment into a cluster made for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping

from mlops_audit.facts import Fact, Kind

# Triggers that come again: what is tried on them is still only tried.
RECURRING = frozenset({"schedule", "event", "continuous"})
TESTS = re.compile(
    r"(?:^|[^a-z])(?:unit|smoke|integration|e2e)?[-_]?tests?(?:ing)?(?:[^a-z]|$)", re.IGNORECASE
)
BRIEF = re.compile(
    r"--?(?:trainer[._])?(?:num[-_](?:train[-_])?)?(?:max[-_])?(?:epochs?|steps|iterations|iters)[ =]1(?:\s|$)"
    r"|fast[-_]dev[-_]run|--(?:smoke|dry[-_]run|sanity)|[\s=/_-](?:tiny|dummy|smoke)[\s/_.-]",
    re.IGNORECASE,
)
CLUSTERS = re.compile(
    r"^(?:kind create cluster|minikube start|k3d cluster create|k3d create|microk8s (?:install|start)|ctlptl create cluster)\b"
)
CLUSTER_ACTIONS = re.compile(
    r"^(?:[\w.-]+/)*(?:setup-|action-)?(?:kind|minikube|k3d|k3s|microk8s|kind-action|setup-kind|k3d-action|setup-minikube)"
    r"(?:-action|-github-action)?@|^[\w.-]+/[\w.-]*(?:kind-action|k3d-action|minikube)[\w.-]*@",
    re.IGNORECASE,
)


def is_trial(fact: Fact, unit: str) -> bool:
    """Whether a command tries a program for a moment, in a unit that calls itself a test."""
    return (
        fact.kind is Kind.COMMAND and BRIEF.search(fact.name) is not None and TESTS.search(unit) is not None
    )


def makes_cluster(fact: Fact) -> bool:
    """Whether a cluster is made there that goes with the machine of the job."""
    if fact.kind is Kind.COMMAND:
        return CLUSTERS.search(fact.name) is not None
    return fact.kind is Kind.ACTION and CLUSTER_ACTIONS.search(fact.name) is not None


def sandboxed(
    making: Collection[str], starting: Iterable[str], followed: Callable[[str], Iterable[str]]
) -> frozenset[str]:
    """The units that run, of all that starts by itself, only where a cluster was made for the occasion."""
    if not making:
        return frozenset()
    inside: set[str] = set()
    outside: set[str] = set()
    for root in starting:
        reached = _closure(root, followed)
        (inside if not reached.isdisjoint(making) else outside).update(reached)
    return frozenset(inside - outside)


def _closure(root: str, followed: Callable[[str], Iterable[str]]) -> set[str]:
    seen, stack = {root}, [root]
    while stack:
        for target in followed(stack.pop()):
            if target not in seen:
                seen.add(target)
                stack.append(target)
    return seen


def without_recurring(triggers: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """What starts each unit, for what it only tries."""
    return {unit: words - RECURRING for unit, words in triggers.items()}
