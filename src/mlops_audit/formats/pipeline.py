"""The life of a model as a picture: its stages, and the steps between them that the repository shows or lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_audit.formats.markdown import site

Document = dict[str, Any]

STAGES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("data", "Data", ("data/versioning", "data/validation", "data/rag-index")),
    ("train", "Train", ("model/training-pipeline", "model/reproducible-training", "model/environment")),
    ("evaluate", "Evaluate", ("model/baseline", "cicd/ml-tests", "cicd/llm-evaluation")),
    ("register", "Register", ("model/registry", "model/experiment-tracking")),
    ("deploy", "Deploy", ("deploy/serving", "deploy/containerization", "deploy/rollback")),
    ("monitor", "Monitor", ("monitor/model-performance", "monitor/data-drift", "monitor/alerting")),
    ("retrain", "Retrain", ("cicd/retraining-trigger",)),
)
# From stage to stage: the aspects that make the step; the first that is asked decides.
STEPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("data", "train", ("data/lineage", "data/rag-index")),
    ("train", "evaluate", ("model/experiment-tracking", "cicd/llm-evaluation")),
    ("evaluate", "register", ("cicd/validation-gate", "cicd/llm-evaluation")),
    ("register", "deploy", ("model/promotion", "cicd/continuous-delivery")),
    ("deploy", "monitor", ("monitor/logging",)),
    ("monitor", "retrain", ("monitor/schedule",)),
    ("retrain", "train", ("cicd/retraining-trigger",)),
)
LEFT, WIDTH, GAP = 10, 104, 42  # of a stage, in a picture of 1000


def drawn(document: Document) -> Document:
    """Stages with their state and place in the picture, and steps with the evidence that shows them."""
    aspects = {a["id"]: a for pillar in document["pillars"] for a in pillar["aspects"]}
    titles = {stage: title for stage, title, _ in STAGES}
    places = {stage: LEFT + number * (WIDTH + GAP) for number, (stage, _, _) in enumerate(STAGES)}
    stages = [
        {"id": stage, "title": title, "x": places[stage], "width": WIDTH, **_state(ids, aspects)}
        for stage, title, ids in STAGES
    ]
    steps = []
    for start, end, ids in STEPS:
        aspect = next(
            (a for i in ids if (a := aspects.get(i)) and a["verdict"] not in ("na", "waived")), None
        )
        steps.append(
            {
                "from": titles[start],
                "to": titles[end],
                "x1": places[start] + WIDTH,
                "x2": places[end],
                "back": places[end] < places[start],
                "start": places[start] + WIDTH // 2,
                "end": places[end] + WIDTH // 2,
                **_step(aspect),
            }
        )
    return {"stages": stages, "steps": steps}


def _state(ids: Sequence[str], aspects: Mapping[str, Document]) -> Document:
    asked = [a for i in ids if (a := aspects.get(i)) and a["verdict"] not in ("na", "waived")]
    passed = sum(a["verdict"] == "pass" for a in asked)
    begun = sum(a["verdict"] == "partial" for a in asked)
    verdict = (
        "na" if not asked else "pass" if passed == len(asked) else "partial" if passed or begun else "missing"
    )
    return {"verdict": verdict, "passed": passed, "begun": begun, "asked": len(asked)}


def _step(aspect: Document | None) -> Document:
    if aspect is None:
        return {
            "verdict": "na",
            "aspect": None,
            "title": "not asked",
            "evidence": "",
            "strength": "",
            "chain": [],
        }
    piece = aspect["evidence"][0] if aspect["evidence"] else None
    return {
        "verdict": aspect["verdict"],
        "aspect": aspect["id"],
        "title": aspect["title"],
        "evidence": site(piece) if piece else "",
        "strength": piece["strength"] if piece else "",
        "chain": piece["chain"] if piece else [],
    }
