"""Reports for platforms: JUnit, GitLab, GitHub, badges and CSV keep to the rules of their readers."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from made_findings import CATALOGUE, rule_of
from test_report import FOUND, HOSTILE, LACKS, MIXED, hostile_report, made

from mlops_audit.facts import Problem, Site
from mlops_audit.formats import job_log
from mlops_audit.report import Report, document_of, render
from mlops_audit.safe import csv_cell
from mlops_audit.tree import Tree


def mixed() -> Report:
    return made(MIXED, FOUND, LACKS, disabled={"govern/dpia": "no personal data"})


def findings_of(report: Report) -> list[dict[str, Any]]:
    return [a for pillar in document_of(report)["pillars"] for a in pillar["aspects"] if a["severity"]]


# -------------------------------------------------------------------------------------------------- JUnit


def test_junit_has_a_suite_for_each_pillar_and_a_case_for_each_aspect() -> None:
    root = ElementTree.fromstring(render(mixed(), "junit"))
    titles = [pillar.title for pillar in CATALOGUE.pillars]
    assert [suite.get("name") for suite in root] == [*titles, "Not read, or broken as committed"]
    assert len(ElementTree.fromstring(render(made(problems=[]), "junit"))) == len(titles)
    assert len(root.findall("testsuite/testcase")) == len(CATALOGUE.aspects) + 1 == int(root.get("tests", ""))


def test_junit_counts_what_it_lists() -> None:
    root = ElementTree.fromstring(render(mixed(), "junit"))
    for suite in [root, *root]:
        cases = suite.findall(".//testcase")
        assert int(suite.get("failures", "")) == len([c for c in cases if c.find("failure") is not None])
        assert int(suite.get("skipped", "")) == len([c for c in cases if c.find("skipped") is not None])
    assert int(root.get("failures", "")) == len(findings_of(mixed()))


def test_a_finding_fails_a_pass_passes_and_what_does_not_apply_is_skipped() -> None:
    root = ElementTree.fromstring(render(mixed(), "junit"))
    cases = {case.get("name"): case for case in root.iter("testcase")}
    failure = cases["Data versioning"].find("failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("major", "Data versioning is only begun")
    assert "lacks: tracks data with DVC\nlacks: pins a hub data set" in (failure.text or "")
    assert list(cases["Data validation"]) == []
    skipped = cases["Data protection impact assessment"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "disabled: no personal data"


def test_junit_holds_no_character_that_xml_1_0_forbids() -> None:
    text = render(hostile_report(), "junit")
    allowed = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
    assert allowed.fullmatch(text)
    root = ElementTree.fromstring(text)
    assert {element.tag for element in root.iter()} <= {
        "testsuites", "testsuite", "testcase", "failure", "skipped", "properties", "property",
    }  # fmt: skip
    assert "<img src=x>" in "".join(root.itertext())


# -------------------------------------------------------------------------------------------------- GitLab


def test_gitlab_gets_an_entry_for_each_finding_with_what_it_requires() -> None:
    entries = json.loads(render(mixed(), "gitlab"))
    checks = [aspect["id"] for aspect in findings_of(mixed())]
    assert [entry["check_name"] for entry in entries] == [*checks, "mlops-audit/not-read"]
    for entry in entries:
        assert set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert entry["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert entry["location"]["path"]
        assert not entry["location"]["path"].startswith(("/", "./"))
        assert entry["location"]["lines"]["begin"] >= 1


def test_no_two_entries_of_gitlab_share_a_fingerprint_and_none_changes_with_its_line() -> None:
    moved = Tree.of({"src/train.py": "\n\n\nimport x\nx.fit()\n", "README.md": "# Shop\n"})
    before = [entry["fingerprint"] for entry in json.loads(render(mixed(), "gitlab"))]
    after = [entry["fingerprint"] for entry in json.loads(render(made(MIXED, FOUND, LACKS, moved), "gitlab"))]
    assert len(set(before)) == len(before)
    assert set(before) == set(after)


# -------------------------------------------------------------------------------------------------- GitHub


def test_github_annotates_at_most_ten_of_a_kind_gravest_first_and_counts_the_rest() -> None:
    lines = render(made(), "github").splitlines()
    commands = [line.split(" ", 1)[0] for line in lines if line.startswith("::")]
    assert commands == ["::error"] * 10 + ["::warning"] * 10 + ["::notice"] * 10
    left_out = len(findings_of(made())) - 30
    assert f"{left_out} more findings are not annotated: GitHub shows 10 of a kind for each step." in lines


def test_an_annotation_names_the_file_and_escapes_what_ends_a_property() -> None:
    odd = "data/a,b:c%d.csv"
    from made_findings import evidence

    tree = Tree.of({odd: "1\n"})
    report = made(
        {"data/versioning": "partial"}, {"data/versioning": (evidence("keeps data", odd, 1),)}, None, tree
    )
    (line,) = [line for line in render(report, "github").splitlines() if "Data versioning (major)" in line]
    assert line.startswith(
        "::warning file=data/a%2Cb%3Ac%25d.csv,line=1,title=Data versioning (major)::Data versioning is"
    )


def test_no_text_of_the_repository_starts_a_command() -> None:
    for line in render(hostile_report(), "github").splitlines():
        assert re.match(r"::(error|warning|notice) (file|title)=", line) or "::" not in line
        assert "\r" not in line
        assert line.count("::error::") == line.count(r"\n::error::")


def test_a_summary_that_fits_is_kept_and_a_long_one_is_cut_before_a_heading() -> None:
    text = "# A\n\nintro\n\n## B\n\n" + "word\n" * 50 + "\n## C\n\nend\n"
    assert job_log.summary(text) == text
    cut = job_log.summary(text, len(text.encode()) - 1)
    assert len(cut.encode()) < len(text.encode())
    assert "## C" not in cut
    assert cut.startswith("# A\n\nintro\n")
    assert cut.endswith(job_log.CUT)
    assert job_log.summary(text, 0) == ""


def test_a_summary_never_exceeds_its_room() -> None:
    text = "".join(f"## Größe {n}\n\n{'ä' * 50}\n\n" for n in range(40))
    for room in range(0, 6000, 97):
        assert len(job_log.summary(text, room).encode()) <= room


# -------------------------------------------------------------------------------------------------- badge


def test_the_badge_says_level_and_score() -> None:
    root = ElementTree.fromstring(render(mixed(), "badge"))
    name = "{http://www.w3.org/2000/svg}"
    assert root.get("aria-label") == root.findtext(f"{name}title")
    score = document_of(mixed())["score"]
    assert [text.text for text in root.iter(f"{name}text")] == ["MLOps", f"level 1 of 4 · {score:.1f}/10"]
    assert int(root.get("width", "")) == sum(
        int(rect.get("width", "")) for rect in root.findall(f"{name}g/{name}rect")
    )


def test_the_endpoint_badge_is_what_shields_takes() -> None:
    found = json.loads(render(made(dict.fromkeys([p.id for p in CATALOGUE.pillars], "na")), "badge-json"))
    assert set(found) == {"schemaVersion", "label", "message", "color"}
    assert found["schemaVersion"] == 1
    assert re.fullmatch(r"level \d of 4", found["message"])
    assert re.fullmatch(r"[0-9a-f]{6}", found["color"])


# -------------------------------------------------------------------------------------------------- CSV


def test_csv_has_a_row_for_each_aspect_and_then_for_each_problem() -> None:
    rows = list(csv.DictReader(io.StringIO(render(mixed(), "csv"))))
    assert [row["aspect"] for row in rows] == [*(aspect.id for aspect in CATALOGUE.aspects), ""]
    assert (rows[-1]["verdict"], rows[-1]["place"], rows[-1]["title"]) == (
        "broken",
        "bad.py:3",
        "no valid Python",
    )
    assert (rows[0]["verdict"], rows[0]["severity"], rows[0]["weight"]) == ("partial", "major", "3")
    assert rows[0]["evidence"] == "keeps data as plain files: data/a.csv"
    assert rows[0]["lacks"] == "tracks data with DVC; pins a hub data set"


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "|calc", "\t=1", " =1", "＝1", '=cmd|"/C calc"!A0']
)
def test_a_formula_is_no_formula(text: str) -> None:
    assert not csv_cell(text).lstrip().startswith(tuple("=+-@|＝\t"))
    assert csv_cell("plain = text") == "plain = text"


def test_no_cell_of_a_hostile_repository_is_a_formula() -> None:
    from made_findings import evidence

    name = '=HYPERLINK("http://e.org","x").csv'
    report = made({"data/versioning": "partial"}, {"data/versioning": (evidence(name, name, 1),)}, {"data/versioning": (name,)},
                  Tree.of({name: "1\n"}), name)  # fmt: skip
    for row in csv.reader(io.StringIO(render(report, "csv"))):
        assert not any(cell.startswith(tuple("=+-@|")) for cell in row)
    assert HOSTILE.split("\x1b")[0] in render(hostile_report(), "csv")


# ---------------------------------------------------------------------------------------- what is not known


UNREAD = ("src/big.py", "src/b.py", "src/c.py", "src/d.py")


def partly_read(more: int = 0) -> Report:
    """An aspect is unknown, and these files are why; `more` others were not read either."""
    skipped = [*UNREAD, *(f"data/{n}.json" for n in range(more))]
    found = made({"data/validation": "unknown"}, problems=[Problem(Site(path), "skipped: larger than 5 MB", True) for path in skipped])  # fmt: skip
    changed = [f._replace(unread=UNREAD) if f.aspect.id == "data/validation" else f for f in found.findings]
    return replace(found, findings=changed)


WHY = "src/big.py, src/b.py, src/c.py and 1 more"


def test_junit_skips_what_is_unknown_and_says_which_files_were_not_read() -> None:
    root = ElementTree.fromstring(render(partly_read(), "junit"))
    reasons = {case.get("name"): skip.get("message") for case in root.iter("testcase") for skip in case.iter("skipped")}  # fmt: skip
    assert reasons["Data validation"] == f"unknown, because not read: {WHY}"
    assert reasons["src/big.py"] == "Not read: skipped: larger than 5 MB"
    for suite in (root, *root.findall("testsuite")):
        assert int(suite.get("tests", "")) == len(list(suite.iter("testcase")))
        assert int(suite.get("skipped", "")) == len(list(suite.iter("skipped")))


def test_gitlab_is_told_what_is_unknown_and_what_was_not_read() -> None:
    entries = json.loads(render(partly_read(), "gitlab"))
    told = {(e["check_name"], e["description"], e["location"]["path"], e["severity"]) for e in entries}
    assert ("data/validation", f"Data validation is unknown: not read: {WHY}.", "src/big.py", "info") in told
    assert ("mlops-audit/not-read", "Not read: skipped: larger than 5 MB.", "src/d.py", "info") in told
    assert len({entry["fingerprint"] for entry in entries}) == len(entries)


def test_github_is_warned_of_what_is_unknown_within_its_limits() -> None:
    lines = render(partly_read(60), "github").splitlines()
    assert lines[0].startswith(
        "::warning title=1 aspect is unknown::Unknown, because files were not read: Data validation."
    )
    assert "Not read: data/0.json: skipped: larger than 5 MB; data/1.json" in lines[0]
    assert "and 54 more." in lines[0]
    assert sum(line.startswith("::warning") for line in lines) == 10
    assert "64 places could not be read, or are broken as committed." in lines
    assert not [line for line in render(made(problems=[]), "github").splitlines() if "unknown" in line]


def test_a_badge_counts_what_is_unknown() -> None:
    assert json.loads(render(partly_read(), "badge-json"))["message"].endswith("/10 · 1 unknown")
    assert "1 unknown</title>" in render(partly_read(), "badge")


def test_csv_names_the_files_that_leave_an_aspect_unknown() -> None:
    rows = list(csv.DictReader(io.StringIO(render(partly_read(), "csv"))))
    (row,) = [row for row in rows if row["aspect"] == "data/validation"]
    assert (row["verdict"], row["not_read"]) == ("unknown", WHY)
    assert [row["place"] for row in rows if row["verdict"] == "not read"] == sorted(UNREAD)


def test_of_many_files_that_were_not_read_some_are_named_and_all_are_counted() -> None:
    report = partly_read(500)
    assert "and 454 more" in render(report, "junit")
    assert (
        len([e for e in json.loads(render(report, "gitlab")) if e["check_name"] == "mlops-audit/not-read"])
        == 50
    )
    assert render(report, "csv").count("not read") == 504


def test_rules_keep_their_words() -> None:
    assert "Add `it`." in render(mixed(), "csv")
    assert rule_of("data/versioning").fix == "Add `it`."


@pytest.mark.parametrize("format", ["junit", "gitlab", "github", "badge", "badge-json", "csv"])
def test_the_reports_for_platforms_are_as_recorded(format: str) -> None:
    """Write them anew with: python tests/test_formats.py"""
    assert render(mixed(), format) == (RECORDED / f"report.{format}").read_text("utf-8")


RECORDED = Path(__file__).parent / "data" / "formats"

if __name__ == "__main__":
    RECORDED.mkdir(exist_ok=True)
    for kind in ("junit", "gitlab", "github", "badge", "badge-json", "csv"):
        (RECORDED / f"report.{kind}").write_text(render(mixed(), kind), "utf-8")
