"""The comparison of fast audits with full ones sees what differs, and nothing does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / "benchmarks"))

import differential  # noqa: E402

from mlops_audit import asked  # noqa: E402

PLACES = [str(place) for place in sorted((HERE / "fixtures").iterdir()) if place.is_dir()]


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "ENOUGH", asked.ENOUGH)


def test_fast_audits_report_what_full_ones_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert differential.main(PLACES) == 0
    told = capsys.readouterr().out
    assert all(f"| {Path(place).name} | " in told for place in PLACES)
    assert f"0 of {len(PLACES)} repositories" in told


def test_what_is_left_out_and_needed_makes_a_difference(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(asked.Asked, "_kept", lambda asked, facts, places: facts[:1])
    assert differential.main(PLACES[:2]) == 1
    assert "2 of 2 repositories" in capsys.readouterr().out


def test_differences_are_named_by_their_places() -> None:
    one = {"a": 1, "b": [{"id": "x", "c": 2}, {"id": "y", "c": 3}], "d": [1]}
    other = {"a": 1, "b": [{"id": "x", "c": 2}, {"id": "y", "c": 4}], "d": [1, 2]}
    assert list(differential.differing(one, other)) == ["b.y.c", "d"]
    assert list(differential.differing(one, one)) == []
