"""Baselines: what is recorded is held back through moves and formatting, what is new is told, and nothing grows silently."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from histories import History
from schemas import schema
from test_cli import Run, run  # noqa: F401

from mlops_audit.changes.baseline import Baseline, BaselineError, Place, hold, read, written
from mlops_audit.changes.identity import Mark
from mlops_audit.facts import Site, Zone
from mlops_audit.tree import zone_of

NAME = ".mlops-audit-baseline.json"
TRAIN = """\
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

def train(x, y):
    left, right, y_left, y_right = train_test_split(x, y)
    model = LogisticRegression(random_state=7)
    model.fit(left, y_left)
    return model
"""
REFORMATTED = '''\
"""Trains."""

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split as split


def train(
    x,
    y,
):
    left, right, y_left, y_right = split(
        x,
        y,
    )
    model = LogisticRegression(random_state=7)
    model.fit(left, y_left)
    return model
'''


def audited(run: Run, history: History, *words: object) -> dict[str, Any]:
    ran = run("audit", history.root, "--format", "json", *words)
    assert ran.code in (0, 1), ran.err
    document = json.loads(ran.out)
    schema("report").validate(document)
    return document


@pytest.fixture
def history(tmp_path: Path, run: Run) -> History:
    """A repository whose findings are recorded."""
    made = History(tmp_path / "shop")
    made.commit({"requirements.txt": "scikit-learn==1.5.0\nmlflow==2.14.1\n", "src/train.py": TRAIN})
    assert run("baseline", "write", made.root).code == 0
    made.commit({".mlops-audit.toml": f'baseline = "{NAME}"\n'})
    return made


def test_what_is_recorded_is_held_back_and_counted(history: History, run: Run) -> None:
    document = audited(run, history, "--fail-on", "minor")
    assert document["baseline"]["hidden"] > 20
    assert document["baseline"]["new"] == {"aspects": [], "places": []}
    assert document["baseline"]["gone"] == []
    assert document["thresholds"][0]["held"]
    assert (document["roadmap"], document["risks"], document["line_findings"]) == ([], [], [])
    assert sum(document["counts"]["severities"].values()) == 0
    assert document["counts"]["verdicts"]["missing"] > 10  # the verdicts themselves stay what they are
    sarif = json.loads(run("audit", history.root, "--format", "sarif").out)
    assert sarif["runs"][0]["results"] == []


def test_without_the_baseline_all_findings_are_told(history: History, run: Run) -> None:
    document = audited(run, history, "--no-baseline", "--fail-on", "minor")
    assert document["baseline"] is None
    assert not document["thresholds"][0]["held"]
    assert [row["path"] for row in document["line_findings"]] == ["src/train.py"]


@pytest.mark.parametrize(
    "changes",
    [
        {"src/train.py": REFORMATTED},
        {"src/train.py": "\n\n\n" + TRAIN},
        {"src/train.py": None, "jobs/fit.py": TRAIN},
        {"src/train.py": None, "jobs/fit.py": REFORMATTED},
    ],
    ids=["reformatted", "moved down", "renamed", "renamed and reformatted"],
)
def test_formatting_and_moves_make_nothing_new(history: History, run: Run, changes: Any) -> None:
    history.commit(changes)
    baseline = audited(run, history)["baseline"]
    assert baseline["new"] == {"aspects": [], "places": []}
    assert baseline["gone"] == []


@pytest.mark.parametrize("path", ["copy/train.py", "src/train2.py"])
def test_a_copy_is_new_and_fails_the_gate(history: History, run: Run, path: str) -> None:
    history.commit({path: TRAIN})
    document = audited(run, history, "--fail-on", "major")
    assert [row["path"] for row in document["line_findings"]] == [path]
    assert [(row["path"], row["line"]) for row in document["baseline"]["new"]["places"]] == [(path, 5)]
    assert not document["thresholds"][0]["held"]


def test_a_verdict_that_gets_worse_is_new_and_one_that_gets_better_is_not(history: History, run: Run) -> None:
    recorded = json.loads((history.root / NAME).read_text())
    for row in recorded["findings"]:
        if row["aspect"] == "data/versioning":
            row["verdict"] = "partial"
        if row["aspect"] == "model/reproducible-training" and "signal" not in row:
            row["verdict"] = "missing"
    history.commit({NAME: json.dumps(recorded)})
    assert audited(run, history)["baseline"]["new"]["aspects"] == ["data/versioning"]


def test_what_is_gone_is_named_and_update_takes_it_out(history: History, run: Run) -> None:
    before = json.loads((history.root / NAME).read_text())["findings"]
    history.commit({"src/train.py": TRAIN.replace("split(x, y)", "split(x, y, random_state=7)"), "copy/train.py": TRAIN,
                    "src/seeded.py": "import random\nrandom.seed(7)\n"})  # fmt: skip
    gone = audited(run, history)["baseline"]["gone"]
    assert ("src/train.py", "splits without a seed") in [(row.get("path"), row.get("signal")) for row in gone]
    ran = run("baseline", "update", history.root)
    assert ran.code == 0
    assert "taken out" in ran.err
    after = json.loads((history.root / NAME).read_text())["findings"]
    assert all(row in before for row in after)
    assert len(after) == len(before) - len(gone)
    assert audited(run, history)["baseline"]["gone"] == []
    assert [row["path"] for row in audited(run, history)["baseline"]["new"]["places"]] == ["copy/train.py"]


def test_a_baseline_never_grows_unless_it_is_forced(history: History, run: Run) -> None:
    history.commit({"copy/train.py": TRAIN})
    before = (history.root / NAME).read_bytes()
    ran = run("baseline", "write", history.root)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert (history.root / NAME).read_bytes() == before
    assert run("baseline", "write", history.root, "--force").code == 0
    assert audited(run, history)["baseline"]["new"]["places"] == []


def test_the_baseline_of_a_commit_belongs_to_that_commit(history: History, run: Run) -> None:
    history.commit({NAME: None})
    assert run("audit", history.root).code == 2
    assert audited(run, history, "--rev", "HEAD~1")["baseline"]["hidden"] > 20


def test_a_change_that_grows_its_own_baseline_is_judged_by_the_base(history: History, run: Run) -> None:
    history.commit({"copy/train.py": TRAIN})
    run("baseline", "write", history.root, "--force")
    assert audited(run, history)["baseline"]["new"]["places"] == []
    found = audited(run, history, "--config-from", "HEAD~1")["baseline"]["new"]["places"]
    assert [row["path"] for row in found] == ["copy/train.py"]


# ------------------------------------------------------------------------------------------------ the file


def test_what_is_written_is_read_again() -> None:
    place = Place("cicd/supply-chain", "uses it", 'a "b"\\', "src/ü.py")
    baseline = Baseline(
        {"data/lineage": "missing"}, (place, place), {"src/ü.py": (1, 2, 2**32 - 1)}, "c" * 40
    )
    text = written(baseline, "0")
    assert read(text.encode()) == baseline
    assert len(text.splitlines()) == 12  # a finding a line
    assert json.loads(written(Baseline(), "0"))["findings"] == []


def test_one_recorded_place_covers_one_place() -> None:
    place = Place("cicd/supply-chain", "uses it", "x", "a.py")
    marks = [Mark(*place.anchor, Site("a.py", line)) for line in (3, 9)]
    held = hold(Baseline({}, (place,)), [], marks, {}, ["a.py"])
    assert (len(held.places), len(held.new_places)) == (1, 1)


def test_a_file_that_is_gone_hides_nothing_in_one_that_is_not_like_it() -> None:
    place = Place("cicd/supply-chain", "uses it", "x", "gone.py")
    mark = Mark(*place.anchor, Site("new.py", 1))
    held = hold(Baseline({}, (place,), {"gone.py": (1, 2, 3)}), [], [mark], {"new.py": (7, 8, 9)}, ["new.py"])
    assert (held.new_places, held.gone_places) == ((mark,), (place,))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"{", "b.json:1: no valid JSON: "),
        (b"\xff", "b.json:1: no valid JSON"),
        (b"[" * 100_000, "b.json:1: no valid JSON"),
        (b"[]", "b.json:1: no baseline: "),
        (b'{"version": 2, "findings": []}', "b.json:1: a baseline of version 2; "),
        (b'{"version": 1, "findings": [3]}', "b.json:1: finding 1: an object with an aspect is expected"),
        (
            b'{"version": 1, "findings": [{"aspect": "a", "verdict": "bad"}]}',
            "b.json:1: finding 1: unknown verdict 'bad'",
        ),
        (
            b'{"version": 1, "findings": [{"aspect": "a", "signal": 1, "name": "", "path": ""}]}',
            "b.json:1: finding 1: signal",
        ),
        (
            b'{"version": 1, "findings": [{"aspect": "a", "signal": "s", "name": "", "path": "", "count": 99999999}]}',
            "b.json:1: finding 1: signal",
        ),
    ],
)
def test_a_broken_baseline_is_one_clear_line(data: bytes, fault: str) -> None:
    with pytest.raises(BaselineError) as caught:
        read(data, "b.json")
    assert str(caught.value).startswith(fault)


def test_the_baseline_and_the_configuration_are_no_evidence_of_anything() -> None:
    assert {zone_of(NAME), zone_of(".mlops-audit.toml"), zone_of(f"svc/{NAME}")} == {Zone.FOREIGN}
