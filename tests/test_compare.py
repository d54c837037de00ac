"""Comparisons: identity of places, what a change does to levels and verdicts, and how that is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from histories import History
from markdown_it import MarkdownIt
from schemas import schema
from test_cli import Run, run  # noqa: F401

from mlops_audit.audit import Asked, NothingToAudit
from mlops_audit.changes.compare import LARGEST_COMMENT, direction_of, render
from mlops_audit.changes.identity import Mark, likeness, match, renames, sketch
from mlops_audit.changes.sides import CompareError, compare_trees, side_of_report
from mlops_audit.changes.telling import Told
from mlops_audit.facts import Site
from mlops_audit.rule_packs import rule_pack

GOLDEN = Path(__file__).parent / "data"
Document = dict[str, Any]


def mark(path: str, line: int, name: str = "x") -> Mark:
    return Mark("cicd/supply-chain", "uses it", name, Site(path, line))


def between(history: History, base: str, head: str | None, **more: Any) -> Document:
    document = compare_trees(history.root, base, head, rule_pack(), Asked(), **more)
    schema("compare").validate(document)
    return document


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "shop")


TRAIN = """\
import mlflow
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

def train(x, y):
    left, right, y_left, y_right = train_test_split(x, y)
    model = LogisticRegression(random_state=7)
    model.fit(left, y_left)
    return model
"""
SEEDED = TRAIN.replace("train_test_split(x, y)", "train_test_split(x, y, random_state=7)")
LOGGED = SEEDED.replace(
    "    return model\n",
    '    mlflow.log_param("seed", 7)\n    mlflow.log_metric("accuracy", model.score(right, y_right))\n'
    '    mlflow.sklearn.log_model(model, "model")\n    return model\n',
)

# ------------------------------------------------------------------------------------------------ identity


def test_a_place_is_the_same_when_its_line_moves_and_when_its_file_is_renamed() -> None:
    moved = match([mark("a.py", 3)], [mark("b.py", 90)], {"a.py": "b.py"})
    assert (len(moved.same), moved.went, moved.came) == (1, (), ())


def test_a_copy_is_new_since_its_original_takes_the_only_match() -> None:
    copied = match([mark("a.py", 3)], [mark("a.py", 3), mark("copy/a.py", 3)], {})
    assert [found.site.path for found in copied.came] == ["copy/a.py"]


def test_of_several_alike_the_nearest_stays() -> None:
    matched = match([mark("a.py", 50)], [mark("a.py", 3), mark("a.py", 52)], {})
    assert [found.site.line for found in matched.came] == [3]


def test_a_place_that_left_a_file_which_is_still_there_is_gone() -> None:
    matched = match([mark("a.py", 3)], [mark("b.py", 3)], {})
    assert (len(matched.went), len(matched.came)) == (1, 1)


def test_a_reformatted_text_is_alike_and_another_is_not() -> None:
    spread = SEEDED.replace("(", "(\n        ").replace(", ", ",\n        ")
    assert likeness(sketch(SEEDED), sketch(spread)) == 1.0
    assert likeness(sketch(SEEDED), sketch("\n".join(f"line {n} says {n * 7}" for n in range(60)))) < 0.2
    assert likeness(sketch(""), sketch("")) == 0.0


def test_of_two_copies_only_one_is_the_renamed_file() -> None:
    known = sketch(SEEDED)
    assert renames({"src/train.py": known}, {"one/train.py": known, "two/train.py": known}) == {
        "src/train.py": "one/train.py"
    }
    assert renames({"src/train.py": known}, {"lib/x.py": known, "lib/train.py": known}) == {
        "src/train.py": "lib/train.py"
    }


def test_a_file_renamed_and_edited_keeps_its_findings(history: History) -> None:
    base = history.commit({"requirements.txt": "scikit-learn\nmlflow\n", "src/train.py": TRAIN})
    head = history.commit({"src/train.py": None, "jobs/fit.py": f'"""Fits."""\n\n{TRAIN}'})
    document = between(history, base, head)
    assert document["renamed"] == [{"from": "src/train.py", "to": "jobs/fit.py"}]
    assert document["findings"] == {"new": [], "resolved": []}


def test_a_copied_folder_brings_its_findings(history: History) -> None:
    base = history.commit({"requirements.txt": "scikit-learn\nmlflow\n", "src/train.py": TRAIN})
    head = history.commit({"old/train.py": TRAIN})
    new = between(history, base, head)["findings"]["new"]
    assert [
        (row["path"], row["line"], row["signal"])
        for row in new
        if row["aspect"] == "model/reproducible-training"
    ] == [("old/train.py", 6, "splits without a seed")]


# ------------------------------------------------------------------------------------------------ verdicts


@pytest.mark.parametrize(
    ("before", "after", "direction"),
    [
        ("pass", "pass", ""),
        ("pass", "partial", "lost"),
        ("partial", "missing", "lost"),
        ("missing", "partial", "gained"),
        ("na", "missing", "asked"),
        ("pass", "na", "unasked"),
        ("pass", "unknown", "lost"),
        ("missing", "unknown", "changed"),
        ("unknown", "pass", "gained"),
        ("unknown", "missing", "changed"),
    ],
)
def test_a_verdict_goes_one_way(before: str, after: str, direction: str) -> None:
    assert direction_of(before, after) == direction


def test_the_evidence_that_went_is_named_with_its_line(history: History) -> None:
    base = history.commit({"requirements.txt": "scikit-learn\nmlflow\n", "src/train.py": LOGGED})
    head = history.commit({"src/train.py": SEEDED})
    document = between(history, base, head, regressions=("aspect",))
    row = next(row for row in document["aspects"] if row["id"] == "model/experiment-tracking")
    assert (row["before"], row["direction"]) == ("pass", "lost")
    assert {(piece["path"], piece["line"]) for piece in row["went"]} == {
        ("src/train.py", n) for n in (9, 10, 11)
    }
    assert "model/experiment-tracking" in document["regressions"]["aspect"]
    assert document["failed"] == ["aspect"]


def test_uncommitted_work_is_the_head(history: History) -> None:
    base = history.commit({"requirements.txt": "scikit-learn\nmlflow\n", "src/train.py": SEEDED})
    history.write({"src/train.py": LOGGED})
    document = between(history, base, None)
    assert document["head"]["name"] == "work tree"
    assert (
        next(row["id"] for row in document["aspects"] if row["direction"] == "gained")
        == "model/experiment-tracking"
    )


def test_a_gain_pays_for_no_loss(history: History) -> None:
    """One aspect of the pillar comes, a heavier one goes, and each is told."""
    base = history.commit(
        {
            "requirements.txt": "scikit-learn\nmlflow\n",
            "src/train.py": LOGGED.replace(", random_state=7)", ")"),
        }
    )
    head = history.commit({"src/train.py": SEEDED})
    document = between(history, base, head, regressions=("aspect",))
    assert document["failed"] == ["aspect"]


def test_automation_that_stops_makes_the_evidence_weaker(history: History) -> None:
    history.lay_out("level-2")
    base = history.git("rev-parse", "HEAD")
    workflow = (history.root / ".github/workflows/ci.yml").read_text().replace("      - run: make test\n", "")
    head = history.commit({".github/workflows/ci.yml": workflow})
    row = next(r for r in between(history, base, head)["aspects"] if r["id"] == "cicd/automated-testing")
    assert row["direction"] == "lost"
    told = [*row["went"], *(pair["before"] for pair in row["weaker"])]
    assert any(piece["chain"] and piece["chain"][0]["path"] == ".github/workflows/ci.yml" for piece in told)


def test_the_headline_names_what_was_removed_and_the_levels(history: History) -> None:
    base = history.lay_out("level-2")
    head = history.commit({"src/carprice/service.py": None, "Dockerfile": None, "deploy/service.yaml": None})
    document = between(history, base, head, regressions=("level", "pillar", "aspect"))
    assert document["headline"].startswith("This change removes the only ")
    assert document["headline"].endswith(": level 2 to 1")
    assert document["failed"] == ["level", "pillar", "aspect"]
    closed = [gate["aspects"] for gate in document["gates"]["closed"] if gate["level"] == 2]
    assert ["deploy/serving"] in closed
    back = between(history, head, base)
    assert back["headline"].startswith("This change brings ")
    assert back["headline"].endswith(": level 1 to 2")
    assert not back["failed"]
    assert len(back["gates"]["opened"]) == len(document["gates"]["closed"])


def test_nothing_on_either_side_is_nothing_to_compare(history: History) -> None:
    base = history.commit({"README.md": "# Hello\n"})
    with pytest.raises(NothingToAudit, match="neither side"):
        between(history, base, None)


def test_the_first_machine_learning_is_asked_for_the_first_time(history: History) -> None:
    base = history.commit({"README.md": "# Hello\n"})
    head = history.commit({"src/train.py": SEEDED, "requirements.txt": "scikit-learn\n"})
    document = between(history, base, head)
    assert document["kinds"]["came"] == ["trains"]
    assert not document["regressions"]["aspect"]
    assert any(row["direction"] == "asked" for row in document["aspects"])


# ------------------------------------------------------------------------------------------------ formats


def loss(history: History) -> Document:
    base = history.lay_out("level-2")
    head = history.commit({"src/carprice/service.py": None, "Dockerfile": None, "deploy/service.yaml": None})
    return between(history, base, head)


@pytest.mark.parametrize("format", ["terminal", "markdown"])
def test_a_comparison_is_the_golden_one(history: History, format: str) -> None:
    """Its shape is golden, made by hand; which signals a rule names is the business of the rules."""
    history.commit({"requirements.txt": "scikit-learn\nmlflow\n", "src/train.py": LOGGED})
    base = history.git("rev-parse", "HEAD")
    head = history.commit({"src/train.py": TRAIN, "old/train.py": TRAIN})
    document = between(history, base, head, regressions=("aspect",))
    document["tool"]["version"] = "0"
    kept = ("model/experiment-tracking", "model/reproducible-training")
    document["aspects"] = [row for row in document["aspects"] if row["id"] in kept]
    for row in document["aspects"]:
        row["lacks"] = row["lacks"][:1]
    document["gates"] = {"closed": [], "opened": []}
    document["pillars"] = document["pillars"][:1]
    document["score"] = {"before": 5.0, "after": 4.5}
    document["headline"] = "This change loses ground"
    text = render(document, format, width=100)
    golden = GOLDEN / f"compare.{'txt' if format == 'terminal' else 'md'}"
    assert text == golden.read_text("utf-8")


def test_the_comment_has_its_marker_and_stays_below_the_limit(history: History) -> None:
    document = loss(history)
    piece = document["aspects"][0]["went"] or document["aspects"][1]["went"]
    long = dict(piece[0]) | {"path": "x" * 3000, "name": "y" * 300}
    for row in document["aspects"]:
        row["direction"], row["went"] = (
            "lost",
            [long | {"signal": f"signal {n}", "against": False} for n in range(40)],
        )
    document["findings"]["new"] = [
        {"aspect": "data/lineage", "title": "t", "verdict": "missing", "cell": 0, "line": 1, "path": "z" * 2000, "signal": "s",
         "name": "n"}
    ] * 400  # fmt: skip
    document["notes"] = ["n" * 100] * 500
    text = render(document, "markdown")
    assert text.startswith("<!-- mlops-audit -->\n")
    assert len(text.encode()) < LARGEST_COMMENT


def test_a_comment_is_cut_between_lines_where_no_shortening_is_enough(history: History) -> None:
    document = loss(history)
    row = dict(document["aspects"][0]) | {"direction": "gained", "lacks": ["x" * 150] * 3}
    document["aspects"] = [row | {"title": f"Aspect {n} {'y' * 200}"} for n in range(300)]
    text = render(document, "markdown")
    assert text.startswith("<!-- mlops-audit -->\n")
    assert len(text.encode()) < LARGEST_COMMENT
    assert text.endswith("names everything.*\n")
    assert text.count("<details") == text.count("</details>")


def test_a_second_comparison_reads_no_file_again(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_audit import memory
    from mlops_audit.audit import Asked
    from mlops_audit.cache import Cache
    from mlops_audit.changes.sides import compare_trees
    from mlops_audit.rule_packs import rule_pack

    base = history.commit({"requirements.txt": "scikit-learn\nmlflow\n", "src/train.py": LOGGED})
    history.commit({"src/train.py": TRAIN})
    kept, read = Cache(str(tmp_path / "kept")), []
    extracted = memory.extracted
    monkeypatch.setattr(
        memory, "extracted", lambda files, *more, **how: (read.extend(f.path for f in files), extracted(files, *more, **how))[1]
    )  # fmt: skip
    both = [compare_trees(history.root, base, "HEAD", rule_pack(()), Asked(), cache=kept) for _ in range(2)]
    assert both[0] == both[1] == compare_trees(history.root, base, "HEAD", rule_pack(()), Asked())
    assert read.count("src/train.py") == 4, "twice for the first, none for the second, twice without a cache"


HOSTILE = "src/`<img src=x onerror=alert(1)>|@all [x](http:evil) #1.py"


def test_a_hostile_name_of_a_file_stays_text(history: History) -> None:
    base = history.commit({"requirements.txt": "scikit-learn\nmlflow\n", HOSTILE: LOGGED})
    head = history.commit({HOSTILE: TRAIN, "\x1b[31mred.py": TRAIN})
    document = between(history, base, head)
    text = render(document, "markdown")
    page = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    assert "onerror" in page
    assert "<img" not in page
    assert "href" not in page
    shown = render(document, "terminal")
    assert "\x1b" not in shown
    assert "onerror" in shown


def test_colour_changes_nothing_but_colour(history: History) -> None:
    import re

    document = loss(history)
    colored = render(document, "terminal", color=True)
    assert "\x1b[" in colored
    bare = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", colored).splitlines()]
    assert bare == render(document, "terminal").splitlines()
    assert render(document, "terminal", unicode=False).isascii()


# ------------------------------------------------------------------------------------------------ reports


@pytest.fixture
def reports(history: History, run: Run, tmp_path: Path) -> tuple[Path, Path]:
    history.commit({"requirements.txt": "scikit-learn\nmlflow\n", "src/train.py": LOGGED})
    run("audit", history.root, "--output", f"json={tmp_path / 'before.json'}", "-q")
    history.commit({"src/train.py": TRAIN})
    run("audit", history.root, "--output", f"json={tmp_path / 'after.json'}", "-q")
    return tmp_path / "before.json", tmp_path / "after.json"


def test_two_reports_are_compared_as_their_revisions_are(
    reports: tuple[Path, Path],
    history: History,
    run: Run,
) -> None:
    ran = run("compare", *reports, "--format", "json", "--fail-on-regression", "aspect")
    assert ran.code == 1
    found = json.loads(ran.out)
    real = between(history, "HEAD~1", "HEAD")
    assert found["regressions"] == real["regressions"]
    assert [row["id"] for row in found["aspects"]] == [row["id"] for row in real["aspects"]]
    mixed = json.loads(run("compare", reports[0], "-C", history.root, "--format", "json").out)
    assert mixed["regressions"] == real["regressions"]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("maturity"),
        lambda d: d.update(schema_version="2.0"),
        lambda d: d.update(pillars=[]),
        lambda d: d["pillars"][0]["aspects"][0].update(title=3),
        lambda d: d["maturity"].update(level="two"),
        lambda d: d["pillars"][0].update(aspects=7),
        lambda d: d.update(line_findings=[{"aspect": "x"}]),
        lambda d: d["maturity"]["gates"][0].pop("closed_by"),
    ],
)
def test_a_report_that_is_not_whole_is_one_clear_line(reports: tuple[Path, Path], change: Any) -> None:
    document = json.loads(reports[0].read_text())
    change(document)
    with pytest.raises(CompareError, match=r"^r\.json: ") as caught:
        side_of_report(json.dumps(document).encode(), "r.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\xff", b"[" * 100_000, b"[]", b"{}", b'{"schema_version": "1.0"}'])
def test_no_report_is_one_clear_line(data: bytes) -> None:
    with pytest.raises(CompareError, match=r"^r\.json: "):
        side_of_report(data, "r.json")


# ------------------------------------------------------------------------------------------------ command line


def test_a_change_is_judged_by_the_configuration_of_its_base(history: History, run: Run) -> None:
    base = history.commit({"requirements.txt": "scikit-learn\nmlflow\n", "src/train.py": LOGGED})
    history.commit(
        {"src/train.py": TRAIN, ".mlops-audit.toml": '[disable]\n"model/experiment-tracking" = "later"\n'}
    )
    ran = run(
        "compare", base, "HEAD", "-C", history.root, "--format", "json", "--fail-on-regression", "aspect"
    )
    assert ran.code == 1
    document = json.loads(ran.out)
    assert "model/experiment-tracking" in document["regressions"]["aspect"]
    assert any("alters the configuration" in note for note in document["notes"])
    assert "regression: aspect" in ran.err


def test_with_the_merge_base_what_others_gained_is_no_loss(history: History, run: Run) -> None:
    history.commit({"requirements.txt": "scikit-learn\nmlflow\n", "src/train.py": SEEDED})
    history.git("checkout", "-q", "-b", "work")
    history.commit({"README.md": "# Shop\n"})
    history.git("checkout", "-q", "main")
    history.commit({"src/train.py": LOGGED})
    words = ("compare", "main", "work", "-C", history.root, "--fail-on-regression", "aspect", "-q")
    assert run(*words).code == 1
    assert run(*words, "--merge-base").code == 0


@pytest.mark.parametrize("words", [("nowhere",), ("HEAD", "nowhere"), ("--output=/etc",)])
def test_a_revision_that_is_none_is_one_clear_line(
    history: History, run: Run, words: tuple[str, ...]
) -> None:
    history.commit({"src/train.py": TRAIN})
    ran = run("compare", *words, "-C", history.root)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1


def test_a_path_that_was_just_named_is_not_named_again() -> None:
    def piece(path: str, line: int, cell: int = 0) -> Document:
        return {"path": path, "line": line, "cell": cell}

    told = Told(
        "came",
        "s",
        "",
        (piece("a.py", 1), piece("a.py", 9), piece("b.ipynb", 2, 3), piece("b.ipynb", 4, 5)),
        0,
    )
    assert told.labels == ["a.py:1", ":9", "b.ipynb#cell3:2", "#cell5:4"]
