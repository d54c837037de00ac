"""Claims: sentences of documents that nothing in the repository supports are listed, and count for nothing."""

from __future__ import annotations

import json

from mlops_audit.audit import audit_tree
from mlops_audit.report import render
from mlops_audit.rule_packs import rule_pack
from mlops_audit.tree import Tree

TRAIN = "from sklearn.svm import SVC\n\nSVC().fit([[0], [1]], [0, 1])\n"
CLAIM = "# Scorer\n\nReleases go out as a canary release.\n"


def claims(files: dict[str, str]) -> list[tuple[str, str, int]]:
    document = json.loads(render(audit_tree(Tree.of(files), rule_pack()), "json"))
    return [(claim["aspect"], claim["path"], claim["line"]) for claim in document["unsupported_claims"]]


def test_a_claim_without_evidence_is_listed_with_its_line() -> None:
    assert ("deploy/canary", "README.md", 3) in claims({"train.py": TRAIN, "README.md": CLAIM})


def test_a_denial_or_a_plan_claims_nothing() -> None:
    text = "# Scorer\n\nThere is no canary release.\n\n## Roadmap\n\nA canary release.\n"
    assert claims({"train.py": TRAIN, "README.md": text}) == []


def test_a_claim_with_evidence_is_not_listed() -> None:
    rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: scorer}\nspec:\n  strategy:\n    canary:\n      steps: [{setWeight: 10}, {pause: {}}]\n"
    files = {"train.py": TRAIN, "README.md": CLAIM, "k8s/rollout.yaml": rollout}
    assert not [claim for claim in claims(files) if claim[0] == "deploy/canary"]


def test_claims_stand_in_the_terminal_and_in_markdown() -> None:
    report = audit_tree(Tree.of({"train.py": TRAIN, "README.md": CLAIM}), rule_pack())
    for format in ("terminal", "markdown"):
        assert "Releases go out as a canary release." in render(report, format)
