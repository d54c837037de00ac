"""The trend, on real histories made here: which commits are looked at, and which commit is named for each change."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from copy import copy
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from mlops_audit.audit import Asked, NothingToAudit, audit
from mlops_audit.cache import Cache
from mlops_audit.catalogue import data_folder
from mlops_audit.changes import states, trend_report
from mlops_audit.changes.trend import Choice, Trend, trend
from mlops_audit.changes.trend_report import document_of, read, render, sparkline
from mlops_audit.memory import Memory
from mlops_audit.repository import RepositoryError
from mlops_audit.rule_packs import rule_pack
from mlops_audit.rules import Pack

PACK = rule_pack(())
BY_MONTH = Choice()
TRAIN = (
    "from sklearn.linear_model import LogisticRegression\nfrom sklearn.datasets import load_iris\n\n"
    "x, y = load_iris(return_X_y=True)\nmodel = LogisticRegression()\nmodel.fit(x, y)\n"
)
DOCKERFILE = (
    'FROM python:3.12-slim\nCOPY . /app\nRUN pip install -r requirements.txt\nCMD ["python", "train.py"]\n'
)


class History:
    """A repository that is written commit by commit."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "-q", "-b", "main")
        self.made: list[str] = []

    def git(self, *words: str, **more: str) -> str:
        plain = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        environment = {**plain, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **more}
        command = [
            "git",
            "-C",
            str(self.root),
            "-c",
            "user.name=Ada",
            "-c",
            "user.email=ada@example.org",
            *words,
        ]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=environment
        ).stdout.strip()

    def commit(self, day: str, files: dict[str, str | None], author: str = "Ada") -> str:
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                (self.root / path).unlink()
            else:
                (self.root / path).write_text(text)
        self.git("add", "-A")
        at = f"{day}T12:00:00+0000"
        self.git("commit", "-q", "--allow-empty", "-m", "m", "--author", f"{author} <a@example.org>",
                 GIT_AUTHOR_DATE=at, GIT_COMMITTER_DATE=at)  # fmt: skip
        self.made.append(self.git("rev-parse", "HEAD"))
        return self.made[-1]


@pytest.fixture(scope="session")
def months(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Five months: notes; training; a container in the middle of a quiet month; it goes; nothing."""
    made = History(tmp_path_factory.mktemp("months") / "shop")
    made.commit("2024-01-10", {"README.md": "# Shop\n"})
    made.commit("2024-02-03", {"train.py": TRAIN, "requirements.txt": "scikit-learn\n"}, "Grace")
    made.commit("2024-02-20", {"notes.md": "a\n"})
    for day in range(1, 8):
        made.commit(f"2024-03-{day:02}", {"notes.md": f"{day}\n"})
    made.commit("2024-03-10", {"Dockerfile": DOCKERFILE}, "Linus")
    for day in range(11, 18):
        made.commit(f"2024-03-{day:02}", {"notes.md": f"{day}\n"})
    made.commit("2024-04-05", {"Dockerfile": None}, "Mallory")
    made.commit("2024-05-01", {"notes.md": "end\n"})
    return made


@pytest.fixture
def history(months: History, tmp_path: Path) -> History:
    """The same history, for a test to write on."""
    own = copy(months)
    own.root, own.made = tmp_path / "shop", [*months.made]
    shutil.copytree(months.root, own.root)
    return own


@pytest.fixture(scope="session")
def monthly(months: History) -> Trend:
    """What the trend says of it; the tests only read it."""
    return trend(months.root, PACK)


def changed(history: History, choice: Choice = BY_MONTH, **more: Any) -> list[tuple[str, str, str]]:
    found = trend(history.root, PACK, choice, **more)
    return [
        (c.aspect, c.event, c.commit.author) for c in found.changes if c.aspect == "deploy/containerization"
    ]


def test_the_last_commit_of_each_month_is_looked_at(months: History, monthly: Trend) -> None:
    days = [point["date"] for point in document_of(monthly)["points"]]
    assert days == ["2024-01-10", "2024-02-20", "2024-03-17", "2024-04-05", "2024-05-01"]
    assert monthly.points[0].state.level is None
    assert monthly.points[1].state.level == 0
    assert monthly.commits == len(months.made) == 20


def test_the_commit_that_brought_an_aspect_and_the_one_that_took_it_are_named(
    months: History, monthly: Trend
) -> None:
    changes = [c for c in monthly.changes if c.aspect == "deploy/containerization"]
    assert [(c.event, c.commit.id, c.commit.author) for c in changes] == [
        ("appeared", months.made[10], "Linus"),
        ("lost", months.made[18], "Mallory"),
    ]
    assert all(c.exact for c in monthly.changes)


def test_the_level_is_named_too(monthly: Trend) -> None:
    assert next((c.event, c.was, c.now, c.commit.author) for c in monthly.changes if not c.aspect) == (
        "rose",
        "none",
        "0",
        "Grace",
    )


def test_bisecting_looks_at_few_commits_and_each_tree_once(
    months: History, monthly: Trend, tmp_path: Path
) -> None:
    assert len(monthly.points) <= monthly.audits < len(months.made)
    same = History(tmp_path / "same")
    same.commit("2024-01-01", {"train.py": TRAIN})
    for month in range(2, 8):
        same.commit(f"2024-{month:02}-01", {})
    assert trend(same.root, PACK).audits == 1


def test_what_came_and_went_between_two_points_is_seen_commit_by_commit(history: History) -> None:
    assert changed(history, Choice(since=date(2024, 5, 1))) == []
    assert changed(history, Choice(last=1)) == []
    assert changed(history, Choice("commit")) == [
        ("deploy/containerization", "appeared", "Linus"),
        ("deploy/containerization", "lost", "Mallory"),
    ]


@pytest.mark.parametrize(
    ("choice", "points"),
    [
        (Choice(last=2), ["2024-04-05", "2024-05-01"]),
        (Choice(since=date(2024, 3, 17)), ["2024-03-17", "2024-04-05", "2024-05-01"]),
        (Choice("week", last=3), ["2024-03-17", "2024-04-05", "2024-05-01"]),
        (Choice("commit", last=2), ["2024-04-05", "2024-05-01"]),
    ],
)
def test_a_choice_gives_its_commits(history: History, choice: Choice, points: list[str]) -> None:
    assert [point["date"] for point in document_of(trend(history.root, PACK, choice))["points"]] == points


def test_tags_are_points_also_beside_the_line_but_then_no_commit_is_blamed(history: History) -> None:
    history.git("tag", "v1", history.made[2])
    history.git("tag", "-a", "-m", "x", "v2", history.made[12])
    history.git("checkout", "-q", "-b", "fix", history.made[12])
    history.commit("2024-04-01", {"Dockerfile": None}, "Barbara")
    history.git("tag", "v2.1")
    history.git("checkout", "-q", "main")
    found = trend(history.root, PACK, Choice(tags=True))
    assert [point.tags for point in found.points] == [("v1",), ("v2",), ("v2.1",)]
    changes = [
        (c.event, c.commit.author, c.exact) for c in found.changes if c.aspect == "deploy/containerization"
    ]
    assert changes == [("appeared", "Linus", True), ("lost", "Barbara", False)]


def test_a_merge_counts_as_one_commit_of_the_line(history: History) -> None:
    history.git("checkout", "-q", "-b", "side")
    history.commit("2024-06-01", {"Dockerfile": DOCKERFILE}, "Side")
    history.git("checkout", "-q", "main")
    history.git(
        "merge",
        "-q",
        "--no-ff",
        "-m",
        "m",
        "side",
        GIT_COMMITTER_DATE="2024-06-02T12:00:00+0000",
        GIT_AUTHOR_NAME="Merger",
    )
    assert changed(history)[-1][1] == "appeared"
    assert trend(history.root, PACK).changes[-1].commit.id == history.git("rev-parse", "HEAD")


def test_a_shallow_clone_says_so(history: History, tmp_path: Path) -> None:
    subprocess.run(
        ["git", "clone", "-q", "--depth", "4", history.root.as_uri(), str(tmp_path / "cut")],
        check=True,
        capture_output=True,
    )
    found = trend(tmp_path / "cut", PACK)
    assert found.shallow
    assert found.commits == 4
    for format in ("terminal", "markdown", "html"):
        assert "shallow clone" in render(found, format)
    assert "shallow clone" not in render(trend(history.root, PACK), "terminal")


def test_the_repository_is_left_as_it_was(history: History) -> None:
    (history.root / "train.py").write_text("broken(")
    before = sorted((p, p.stat().st_mtime_ns) for p in history.root.rglob("*") if p.is_file())
    assert trend(history.root, PACK).points[-1].state.level == 0
    assert sorted((p, p.stat().st_mtime_ns) for p in history.root.rglob("*") if p.is_file()) == before


def test_each_point_is_what_an_audit_of_its_commit_says(months: History, monthly: Trend) -> None:
    for point in monthly.points[1:]:
        alone = audit(months.root, point.commit.id)
        assert point.state.score == alone.score
        assert point.state.pillars == alone.pillars
        assert point.state.verdicts == {f.aspect.id: f.verdict.value for f in alone.findings}


def test_a_file_that_did_not_change_is_read_once(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    read_files: list[str] = []
    from mlops_audit import memory

    extracted = memory.extracted
    monkeypatch.setattr(
        memory,
        "extracted",
        lambda files, *more, **how: (
            read_files.extend(f.path for f in files),
            extracted(files, *more, **how),
        )[1],
    )
    trend(history.root, PACK)
    assert read_files.count("train.py") == 1
    assert read_files.count("Dockerfile") == 1


def test_a_memory_gives_what_reading_gives(history: History) -> None:
    from mlops_audit.extract import extract
    from mlops_audit.tree import Tree

    memory = Memory()
    with Tree.open(history.root, "HEAD") as tree:
        assert memory.extract(tree.files) == memory.extract(tree.files) == extract(tree.files)


def test_what_has_no_history_or_no_machine_learning_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="only be read from a git repository"):
        trend(tmp_path, PACK)
    plain = History(tmp_path / "plain")
    plain.commit("2024-01-01", {"a.py": "print(1)\n"})
    with pytest.raises(NothingToAudit, match="no sign of machine learning at any"):
        trend(plain.root, PACK)
    with pytest.raises(NothingToAudit, match="no commit to look at: tags gives none"):
        trend(plain.root, PACK, Choice(tags=True))


# -------------------------------------------------------------------------------------------------- formats


def test_the_terminal_shows_sparklines_and_what_changed(months: History, monthly: Trend) -> None:
    text = render(monthly, "terminal")
    assert "MLOps trend of shop\n5 of 20 commits looked at (every month)" in text
    assert "Maturity level      ▁▁▁▁  0 to 0\n" in text
    assert f"2024-03-10 {months.made[10][:9]} + Containerization appeared (missing to " in text
    assert f"2024-04-05 {months.made[18][:9]} - Containerization lost" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert render(monthly, "terminal", unicode=False).isascii()


def test_a_sparkline_is_as_high_as_its_value() -> None:
    assert sparkline([0, 5, 10, None], 10, 20) == "▁▅█ "
    assert len(sparkline(list(range(100)), 99, 20)) == 20
    assert sparkline(list(range(100)), 99, 20)[-1] == "█"


def test_json_is_of_the_published_shape_and_can_be_read_again(monthly: Trend) -> None:
    text = render(monthly, "json")
    schema = json.loads((data_folder("reports") / "trend.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    assert [e.message for e in Draft202012Validator(schema).iter_errors(json.loads(text))] == []
    assert [p["score"] for p in read(text.encode())["points"]] == [
        p["score"] for p in json.loads(text)["points"]
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": "1.0"}', '{"schema_version": "1.0", "pillars": [], "points": []}',
                                  '{"schema_version": "1.0", "pillars": [], "points": [{"date": 1}]}', "[" * 100_000])  # fmt: skip
def test_what_is_no_trend_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read(text.encode())


def test_csv_has_a_row_for_each_point(monthly: Trend) -> None:
    rows = list(csv.DictReader(io.StringIO(render(monthly, "csv"))))
    assert [row["date"] for row in rows][:2] == ["2024-01-10", "2024-02-20"]
    assert (rows[0]["level"], rows[0]["score"]) == ("", "")
    assert float(rows[1]["model"]) > 0


def test_the_chart_is_well_formed(monthly: Trend) -> None:
    root = ElementTree.fromstring(render(monthly, "svg"))
    assert root.get("aria-label", "").startswith("From 2024-01-10 to 2024-05-01: level none to 0")


@pytest.mark.parametrize("format", trend_report.FORMATS)
def test_a_hostile_author_stays_text_in_every_format(history: History, format: str) -> None:
    history.commit("2024-06-01", {"Dockerfile": DOCKERFILE}, "=cmd|&lt;img src=x&gt;\x1b[31m @team `x")
    text = render(trend(history.root, PACK), format)
    assert "\x1b" not in text
    if format in ("html", "markdown"):
        assert "&amp;lt;img src=x" in text
    if format == "markdown":
        assert "@&#8203;team" in text


def test_an_unknown_format_is_an_error(monthly: Trend) -> None:
    with pytest.raises(ValueError, match="unknown format 'pdf'"):
        render(monthly, "pdf")


# -------------------------------------------------------------------------------------------------- the command


def program(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlops_audit", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_writes_the_trend_and_nothing_else(history: History) -> None:
    ran = program("trend", history.root, "--every", "month", "--last", "2", "--format", "json")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [point["date"] for point in json.loads(ran.stdout)["points"]] == ["2024-04-05", "2024-05-01"]


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["--every", "moon"], 2, "unknown period 'moon'; did you mean 'month'?"),
        (["--since", "yesterday"], 2, "a day is written YYYY-MM-DD, not 'yesterday'"),
        (["--rev", "nowhere"], 2, "no such revision: 'nowhere'"),
        (["--last", "0"], 2, "0 is not in the range"),
        (["--since", "2030-01-01"], 3, "no commit to look at: every month gives none"),
    ],
)
def test_a_wrong_word_is_told_in_one_line(history: History, words: list[str], code: int, reason: str) -> None:
    ran = program("trend", history.root, *words)
    assert ran.returncode == code
    assert reason in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_an_audit_shows_a_trend_in_its_page(history: History, tmp_path: Path) -> None:
    file = tmp_path / "trend.json"
    file.write_text(program("trend", history.root, "--format", "json").stdout)
    ran = program("audit", history.root, "--format", "html", "--trend", file)
    assert "From 2024-01-10 to 2024-05-01" in ran.stdout
    file.write_text("{}")
    ran = program("audit", history.root, "--format", "html", "--trend", file)
    assert ran.returncode == 2
    assert "is no trend: no schema_version '1.0'" in ran.stderr


# -------------------------------------------------------------------------------------------------- time and memory


class Hours:
    """A budget that is spent after it was asked some times."""

    seconds = 90.0

    def __init__(self, asked: int) -> None:
        self.left = asked

    @property
    def over(self) -> bool:
        self.left -= 1
        return self.left < 0


def audits_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    examine = states.examine
    monkeypatch.setattr(
        states, "examine", lambda tree, *more: (seen.append(tree.commit), examine(tree, *more))[1]
    )
    return seen


def test_a_second_trend_audits_nothing_and_says_the_same(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, seen = Cache(str(tmp_path / "kept")), audits_of(monkeypatch)
    first = trend(history.root, PACK, cache=kept)
    assert seen
    seen.clear()
    assert document_of(trend(history.root, PACK, cache=kept)) == document_of(first)
    assert seen == []
    new = history.commit("2024-06-03", {"Dockerfile": DOCKERFILE})
    assert trend(history.root, PACK, cache=kept).changes[-1].commit.id == new
    assert seen == [new]


def test_what_is_asked_otherwise_is_audited_anew(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, seen = Cache(str(tmp_path / "kept")), audits_of(monkeypatch)
    trend(history.root, PACK, Choice(last=1), cache=kept)
    for more in ({"exclude": ["notes.md"]}, {"asked": Asked({"deploy/containerization": "none"})},
                 {"asked": Asked(weights={"data/lineage": 3})}):  # fmt: skip
        seen.clear()
        trend(history.root, PACK, Choice(last=1), cache=kept, **more)
        assert len(seen) == 1, more
    fewer = Pack(tuple(rule for rule in PACK.rules if rule.id != "data/lineage"), PACK.kinds)
    assert (
        "data/lineage" not in trend(history.root, fewer, Choice(last=1), cache=kept).points[0].state.verdicts
    )


def test_words_of_documents_that_no_rule_asks_for_take_no_further_audit(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = audits_of(monkeypatch)
    found = trend(history.root, PACK, Choice("commit"))
    assert found.audits == 20
    assert len(seen) < 10
    for point in found.points[1:]:
        assert point.state.score == audit(history.root, point.commit.id).score


@pytest.mark.parametrize("files", [{"train.py": TRAIN + "\nmodel.predict(x)\n"}, {"README.md": "# Shop\n\n## Limitations\n\nIt sees one shop.\n"},
                                   {"new.png": "x"}, {"requirements.txt": "scikit-learn==1.5.0\n"}])  # fmt: skip
def test_whatever_could_change_a_verdict_is_audited(
    history: History, monkeypatch: pytest.MonkeyPatch, files: dict[str, str | None]
) -> None:
    seen = audits_of(monkeypatch)
    new = history.commit("2024-05-02", files)
    trend(history.root, PACK, Choice("commit", last=2))
    assert new in seen
    assert len(seen) == 2


def test_when_the_time_is_over_the_latest_points_are_there_and_the_rest_is_said_to_be_left_out(
    history: History,
) -> None:
    found = trend(history.root, PACK, budget=Hours(2))
    assert [point.commit.id for point in found.points] == [history.made[n] for n in (17, 18, 19)]
    assert found.left_out is not None
    assert found.left_out.points == 2
    for format in ("terminal", "markdown", "html"):
        text = " ".join(render(found, format).split())
        assert (
            "The time limit of 90 seconds was over: the 2 oldest of the chosen commits were not looked"
            in text
        )
    schema = json.loads((data_folder("reports") / "trend.schema.json").read_text())
    Draft202012Validator(schema).validate(document_of(found))


def test_a_change_that_there_was_no_time_to_search_for_is_named_by_the_commit_it_had_happened_by(
    history: History,
) -> None:
    found = trend(history.root, PACK, budget=Hours(4))
    assert found.left_out is not None
    assert found.left_out.points == 0
    assert found.left_out.stretches > 0
    appeared = next(c for c in found.changes if c.aspect == "deploy/containerization")
    assert (appeared.event, appeared.exact, appeared.commit.id) == ("appeared", False, history.made[17])
    assert "the commit that made a change was not searched for" in " ".join(
        render(found, "terminal", width=200).split()
    )


def test_a_run_that_ran_out_of_time_is_gone_on_with(history: History, tmp_path: Path) -> None:
    kept = Cache(str(tmp_path / "kept"))
    runs = [trend(history.root, PACK, budget=Hours(1), cache=kept) for _ in range(12)]
    assert runs[0].left_out is not None
    assert runs[-1].left_out is None
    assert document_of(runs[-1]) == document_of(trend(history.root, PACK))


def test_a_file_that_is_too_large_to_read_leaves_what_an_audit_leaves(history: History) -> None:
    history.commit("2024-06-01", {"more.py": "# " + "x" * 6_000_000 + "\n"})
    (point,) = trend(history.root, PACK, Choice(last=1)).points
    alone = audit(history.root, point.commit.id)
    assert "unknown" in point.state.verdicts.values()
    assert point.state.verdicts == {f.aspect.id: f.verdict.value for f in alone.findings}
