"""Waivers and comments that ignore: shown and counted, never silent, and of no use once they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from histories import History
from schemas import schema
from test_baseline import TRAIN
from test_cli import Run, run  # noqa: F401

from mlops_audit.config import ConfigError, of_repository

ASPECT = "model/reproducible-training"
TODAY = ("--today", "2026-11-21")


def waiver(aspect: str = "data/versioning", expires: str = "2027-01-31", more: str = "") -> str:
    return (f'[[waivers]]\naspect = "{aspect}"\nreason = "the data may not leave the lake"\nowner = "ada"\n'
            f"expires = {expires}\n{more}")  # fmt: skip


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History(tmp_path / "shop")
    made.commit({"requirements.txt": "scikit-learn==1.5.0\nmlflow==2.14.1\n", "src/train.py": TRAIN})
    return made


def audited(run: Run, history: History, *words: object) -> dict[str, Any]:
    ran = run("audit", history.root, "--format", "json", *TODAY, *words)
    assert ran.code in (0, 1), ran.err
    document = json.loads(ran.out)
    schema("report").validate(document)
    return document


def aspect(document: dict[str, Any], ident: str = "data/versioning") -> dict[str, Any]:
    (found,) = (a for pillar in document["pillars"] for a in pillar["aspects"] if a["id"] == ident)
    return found


def notes(document: dict[str, Any]) -> list[str]:
    return [f"{note['path']}:{note['line']}: {note['what']}" for note in document["waivers"]["notes"]]


# ------------------------------------------------------------------------------------------------ waivers


def test_a_waived_aspect_is_shown_and_counted_and_scored_as_found(history: History, run: Run) -> None:
    plain = audited(run, history)
    history.commit({".mlops-audit.toml": waiver(more='approved-by = "grace"\n')})
    document = audited(run, history, "--fail-on", "critical")
    found = aspect(document)
    assert (found["verdict"], found["severity"], found["location"]) == ("waived", None, None)
    assert found["waiver"] == {
        "aspect": "data/versioning", "reason": "the data may not leave the lake", "owner": "ada", "expires": "2027-01-31",
        "approved_by": "grace", "verdict": "missing", "scored": "as-found",
    }  # fmt: skip
    assert document["counts"]["verdicts"]["waived"] == 1
    assert document["score"] == plain["score"]
    assert document["maturity"]["level"] == plain["maturity"]["level"]
    assert document["counts"]["severities"]["critical"] == plain["counts"]["severities"]["critical"] - 1
    assert "data/versioning" not in [step["aspect"] for step in document["roadmap"]]
    assert int(document["thresholds"][0]["found"]) == document["counts"]["severities"]["critical"]
    assert notes(document) == []
    for format in ("terminal", "markdown"):
        text = " ".join(run("audit", history.root, "--format", format, *TODAY).out.split())
        assert "waived by ada until 2027-01-31" in text


@pytest.mark.parametrize(("scored", "score"), [("na", 0.0), ("pass", 2.0), ("missing", 0.0)])
def test_what_is_waived_is_scored_as_the_configuration_says(
    history: History,
    run: Run,
    scored: str,
    score: float,
) -> None:
    plain = {p["id"]: p for p in audited(run, history)["pillars"]}["data"]
    history.commit({".mlops-audit.toml": f'waived = "{scored}"\n{waiver()}'})
    document = audited(run, history)
    after = {p["id"]: p for p in document["pillars"]}["data"]["score"]
    assert aspect(document)["verdict"] == "waived"
    assert {
        "na": after == plain["score"] == 0.0,
        "pass": after > plain["score"],
        "missing": after == plain["score"],
    }[scored]


def test_an_expired_waiver_no_longer_holds_and_is_told(history: History, run: Run) -> None:
    history.commit({".mlops-audit.toml": waiver(expires="2026-11-20")})
    document = audited(run, history)
    assert aspect(document)["verdict"] == "missing"
    assert notes(document) == [
        ".mlops-audit.toml:1: the waiver of data/versioning by ada expired on 2026-11-20"
    ]
    ran = run("audit", history.root, *TODAY)
    assert "expired on 2026-11-20" in ran.err
    assert "expired on 2026-11-20" in ran.out
    last = audited(run, history, "--today", "2026-11-20")  # the day itself is the last on which it holds
    assert aspect(last)["verdict"] == "waived"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (waiver("model/prompt-management"), "is unused: the aspect is not asked here"),
        (waiver(ASPECT, more='path = "legacy"\n'), "is unused: no finding of the aspect lies under legacy"),
    ],
)
def test_an_unused_waiver_is_told(history: History, run: Run, text: str, why: str) -> None:
    history.commit({".mlops-audit.toml": text})
    (note,) = notes(audited(run, history))
    assert note.endswith(why) or why in note


def test_without_waivers_all_is_as_it_was_found(history: History, run: Run) -> None:
    train = TRAIN.replace(
        "train_test_split(x, y)", f"train_test_split(x, y)  # mlops-audit: ignore[{ASPECT}] a toy"
    )
    history.commit({".mlops-audit.toml": waiver(), "src/train.py": train})
    document = audited(run, history, "--no-waivers")
    assert aspect(document)["verdict"] == "missing"
    assert document["waivers"] == {"places": [], "ignored": [], "notes": []}
    assert len(document["line_findings"]) == 1


def test_a_waiver_of_a_path_covers_its_places_and_no_others(history: History, run: Run) -> None:
    history.commit({"legacy/train.py": TRAIN, ".mlops-audit.toml": waiver(ASPECT, more='path = "legacy/"\n')})
    document = audited(run, history)
    assert [row["path"] for row in document["waivers"]["places"]] == ["legacy/train.py"]
    assert [row["path"] for row in document["line_findings"]] == ["src/train.py"]
    assert aspect(document, ASPECT)["verdict"] == "partial"
    assert notes(document) == []


def test_a_waiver_needs_approval_where_the_profile_says_so(history: History, run: Run) -> None:
    history.commit({".mlops-audit.toml": f'profile = "regulated"\n{waiver()}'})
    document = audited(run, history)
    assert aspect(document)["verdict"] == "missing"
    assert notes(document) == [
        ".mlops-audit.toml:2: the waiver of data/versioning by ada does not hold: it names nobody in approved-by"
    ]
    history.commit({".mlops-audit.toml": f'profile = "regulated"\n{waiver()}approved-by = "grace"\n'})
    assert aspect(audited(run, history))["verdict"] == "waived"


def test_a_change_that_brings_a_waiver_is_no_gain(history: History, run: Run) -> None:
    history.commit({".mlops-audit.toml": f'waived = "pass"\n{waiver()}'})
    document = json.loads(
        run("compare", "HEAD~1", "HEAD", "-C", history.root, "--format", "json", *TODAY).out
    )
    assert document["aspects"] == []
    assert document["score"]["before"] == document["score"]["after"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[[waivers]]\naspect = 'data/versioning'\n", "1: a waiver without 'reason', 'owner', 'expires'"),
        (waiver("data/versoning"), "2: unknown aspect 'data/versoning'; did you mean 'data/versioning'?"),
        (waiver(expires='"soon"'), "5: 'expires' is a day such as 2027-03-31, not 'soon'"),
        (waiver(more='aproved-by = "x"\n'), "6: unknown key 'aproved-by' of a waiver; did you mean 'approved-by'?"),
        (waiver(more="path = 3\n"), "6: 'path' of a waiver is a path, or a list of paths"),
        (waiver(more='path = "/"\n'), "6: 'path' of a waiver is a path, or a list of paths"),
        ('waivers = ["x"]\n', "1: 'waivers' are tables: write [[waivers]] above each"),
        ("[[waivers]]\naspect='data/versioning'\nreason=' '\nowner='a'\nexpires=2027-01-01\n", "3: 'reason' of a waiver is a text that is not empty"),
        ('waived = "gone"\n', "1: unknown value 'gone' of 'waived'; known: as-found, missing, na, pass"),
    ],
)  # fmt: skip
def test_a_broken_waiver_is_told_with_its_line(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of_repository({".mlops-audit.toml": text.encode()}.get)
    assert caught.value.faults == (f".mlops-audit.toml:{fault}",)


# ------------------------------------------------------------------------------------------------ comments

SPLIT = "    left, right, y_left, y_right = train_test_split(x, y)"


@pytest.mark.parametrize(
    "line",
    [
        f"{SPLIT}  # mlops-audit: ignore[{ASPECT}] the order is fixed upstream",
        f"    # mlops-audit: ignore[{ASPECT}] the order is fixed upstream\n{SPLIT}",
        f"    # mlops-audit: ignore[{ASPECT}, data/lineage] the order is fixed upstream\n\n{SPLIT}",
    ],
    ids=["at the line", "above it", "above it with another aspect"],
)
def test_a_comment_with_a_reason_takes_the_finding_of_its_line(history: History, run: Run, line: str) -> None:
    history.commit({"src/train.py": TRAIN.replace(SPLIT, line), "src/other.py": TRAIN})
    document = audited(run, history)
    assert [row["path"] for row in document["line_findings"]] == ["src/other.py"]
    ignored = [row for row in document["waivers"]["ignored"] if row["aspect"] == ASPECT]
    assert [(row["path"], row["reason"]) for row in ignored] == [
        ("src/train.py", "the order is fixed upstream")
    ]
    assert "the order is fixed upstream" in " ".join(run("audit", history.root, *TODAY).out.split())


@pytest.mark.parametrize(
    ("comment", "why"),
    [
        (f"mlops-audit: ignore[{ASPECT}]", f"not heeded: a reason must follow ignore[{ASPECT}]"),
        (
            "mlops-audit: ignore because I say so",
            "not heeded: it names no aspect; write ignore[aspect] and the reason",
        ),
        ("mlops-audit: ignore[model/nothing] x", "not heeded: there is no aspect 'model/nothing'"),
        ("mlops-audit: ignore[data/feature-store] x", "unused: nothing there speaks of data/feature-store"),
    ],
)
def test_a_comment_that_is_not_heeded_is_told(history: History, run: Run, comment: str, why: str) -> None:
    history.commit({"src/train.py": TRAIN.replace(SPLIT, f"{SPLIT}  # {comment}")})
    document = audited(run, history)
    assert [row["line"] for row in document["line_findings"]] == [5]
    assert notes(document) == [f"src/train.py:5: {why}"]


def test_a_comment_is_no_evidence_for_its_aspect_either(history: History, run: Run) -> None:
    logs = ('import mlflow\n\ndef log(model, p):\n    mlflow.log_param("p", p)\n    mlflow.log_metric("m", 1)\n'
            '    mlflow.sklearn.log_model(model, "m")\n')  # fmt: skip
    history.commit({"src/track.py": logs})
    assert aspect(audited(run, history), "model/experiment-tracking")["verdict"] == "pass"
    spoken = logs.replace(
        '("m", 1)', '("m", 1)  # mlops-audit: ignore[model/experiment-tracking] a fixed number'
    )
    history.commit({"src/track.py": spoken})
    assert aspect(audited(run, history), "model/experiment-tracking")["verdict"] == "partial"


def test_a_comment_in_a_cell_speaks_of_its_cell(history: History, run: Run) -> None:
    def notebook(mark: str) -> str:
        sources = [
            ["import mlflow\n"],
            ["\n", f'mlflow.log_metric("m", 1){mark}\n', 'mlflow.log_metric("n", 2)\n'],
        ]
        body = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": []} for source in sources]
        return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": body})

    def places(document: dict[str, Any]) -> set[tuple[int, int]]:
        evidence = aspect(document, "model/experiment-tracking")["evidence"]
        return {(piece["cell"], piece["line"]) for piece in evidence if piece["signal"] == "logs metrics"}

    history.commit({"study.ipynb": notebook("")})
    assert places(audited(run, history)) == {(2, 2), (2, 3)}
    history.commit({"study.ipynb": notebook("  # mlops-audit: ignore[model/experiment-tracking] a constant")})
    document = audited(run, history)
    assert places(document) == {(2, 3)}
    assert [(row["path"], row["cell"], row["line"]) for row in document["waivers"]["ignored"]] == [
        ("study.ipynb", 2, 2)
    ]


def test_between_two_reports_a_waiver_is_no_change_of_the_verdict(
    history: History,
    run: Run,
    tmp_path: Path,
) -> None:
    run("audit", history.root, "--output", f"json={tmp_path / 'a.json'}", *TODAY)
    history.commit({".mlops-audit.toml": waiver()})
    run("audit", history.root, "--output", f"json={tmp_path / 'b.json'}", *TODAY)
    document = json.loads(run("compare", tmp_path / "a.json", tmp_path / "b.json", "--format", "json").out)
    assert [row["id"] for row in document["aspects"]] == []
