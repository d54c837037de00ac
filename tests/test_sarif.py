"""SARIF as GitHub code scanning takes it: valid, every place real, fingerprints as its own action computes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from made_findings import CATALOGUE, evidence, findings, rule_of

from mlops_audit.facts import Problem, Site
from mlops_audit.formats.line_hash import line_hash
from mlops_audit.formats.location import locate
from mlops_audit.judge import Evidence
from mlops_audit.report import render, report_of
from mlops_audit.tree import Tree

SCHEMA = json.loads((Path(__file__).parent / "data" / "sarif-2.1.0.json").read_text())
FILES = {
    "src/train.py": "import x\nx.fit()\n",
    "src/serve.py": "app = 1\n\npredict()\n",
    ".github/workflows/ci.yml": "on: push\n",
    "docs/a file%.md": "# x\n",
}
KINDS = {"trains": (evidence("fits", "src/train.py", 2),), "serves": (evidence("serves", "src/serve.py", 3),)}


def run(
    verdicts: dict[str, str] | None = None,
    found: dict[str, tuple[Evidence, ...]] | None = None,
    files: dict[str, str] | None = None,
    kinds: dict[str, tuple[Evidence, ...]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    tree = Tree.of(FILES if files is None else files)
    kinds = KINDS if kinds is None else kinds
    made = findings(verdicts or {}, found=found, rules=more.pop("rules", None))
    report = report_of(made, CATALOGUE, kinds=kinds, locations=locate(made, kinds, tree), **more)
    log: dict[str, Any] = json.loads(render(report, "sarif"))
    errors = [f"{e.json_path}: {e.message}" for e in Draft202012Validator(SCHEMA).iter_errors(log)]
    assert errors == []
    (only,) = log["runs"]
    return dict(only)


def result_of(sarif: dict[str, Any], aspect: str) -> dict[str, Any]:
    (result,) = [r for r in sarif["results"] if r["ruleId"] == aspect]
    return dict(result)


def place_of(sarif: dict[str, Any], aspect: str) -> tuple[str, int]:
    physical = result_of(sarif, aspect)["locations"][0]["physicalLocation"]
    return physical["artifactLocation"]["uri"], physical["region"]["startLine"]


def test_there_is_one_failing_result_for_each_finding_and_none_for_a_pass() -> None:
    sarif = run({"data/versioning": "pass", "data/validation": "na", "data/lineage": "partial"})
    aspects = {aspect.id for aspect in CATALOGUE.aspects} - {"data/versioning", "data/validation"}
    assert {r["ruleId"] for r in sarif["results"]} == aspects
    assert {r["kind"] for r in sarif["results"]} == {"fail"}
    for result in sarif["results"]:
        assert sarif["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_levels_follow_severities() -> None:
    sarif = run({"data/lineage": "partial", "data/versioning": "partial"})
    assert result_of(sarif, "data/validation")["level"] == "error"
    assert result_of(sarif, "data/versioning")["level"] == "warning"
    assert result_of(sarif, "data/lineage")["level"] == "note"


@pytest.mark.parametrize("files", [FILES, {}, {"README.md": "# x\n"}])
def test_every_result_has_a_relative_uri_a_region_and_both_fingerprints(files: dict[str, str]) -> None:
    sarif = run(files=files, kinds=KINDS if files is FILES else {})
    assert len(sarif["results"]) == len(CATALOGUE.aspects)
    for result in sarif["results"]:
        (location,) = result["locations"]
        physical = location["physicalLocation"]
        uri = physical["artifactLocation"]["uri"]
        assert uri, result["ruleId"]
        assert not uri.startswith(("/", "file:", ".."))
        assert not uri.endswith("/")
        region = physical["region"]
        assert region["startLine"] >= 1
        assert region["endColumn"] >= region["startColumn"] == 1
        prints = result["partialFingerprints"]
        assert prints["primaryLocationLineHash"]
        assert prints["mlopsAudit/v1"]
    own = [r["partialFingerprints"]["mlopsAudit/v1"] for r in sarif["results"]]
    assert len(set(own)) == len(own)


def test_a_partial_points_at_its_evidence_and_names_the_rest() -> None:
    pieces = (evidence("begins", "src/serve.py", 3), evidence("more", "docs/a file%.md", 1))
    sarif = run({"data/versioning": "partial"}, {"data/versioning": pieces})
    assert place_of(sarif, "data/versioning") == ("src/serve.py", 3)
    related = result_of(sarif, "data/versioning")["relatedLocations"]
    assert [r["physicalLocation"]["artifactLocation"]["uri"] for r in related] == [
        "src/serve.py",
        "docs/a%20file%25.md",
    ]


def test_what_is_missing_points_at_the_duty_then_at_the_fix_then_at_the_expected_path() -> None:
    sarif = run()
    assert place_of(sarif, "model/experiment-tracking") == ("src/train.py", 2)
    assert place_of(sarif, "monitor/latency") == ("src/serve.py", 3)
    assert place_of(sarif, "cicd/automated-testing") == (".github/workflows/ci.yml", 1)
    assert place_of(sarif, "govern/model-card") == ("MODEL_CARD.md", 1)
    assert result_of(sarif, "govern/model-card")["properties"]["expectedPaths"] == ["MODEL_CARD.md"]
    assert "expectedPaths" not in result_of(sarif, "cicd/automated-testing")["properties"]


def test_the_line_of_a_notebook_cell_is_no_line_of_its_file() -> None:
    sarif = run(
        {"data/versioning": "partial"},
        {"data/versioning": (evidence("n", "n.ipynb", 9, cell=2),)},
        {"n.ipynb": "{\n}\n"},
    )
    assert place_of(sarif, "data/versioning") == ("n.ipynb", 1)


def test_a_line_beyond_the_file_is_brought_back_into_it() -> None:
    sarif = run(
        {"data/versioning": "partial"}, {"data/versioning": (evidence("n", "a.py", 99),)}, {"a.py": "x\ny"}
    )
    assert place_of(sarif, "data/versioning") == ("a.py", 2)


def test_the_hash_of_a_real_line_is_that_of_code_scanning() -> None:
    result = result_of(run(), "model/experiment-tracking")
    assert result["partialFingerprints"]["primaryLocationLineHash"] == line_hash(FILES["src/train.py"], 2)


def test_the_own_fingerprint_stays_when_lines_and_files_move() -> None:
    before = run({"data/versioning": "partial"}, {"data/versioning": (evidence("n", "src/train.py", 1),)})
    after = run({"data/versioning": "partial"}, {"data/versioning": (evidence("n", "src/serve.py", 3),)})
    first, second = (result_of(s, "data/versioning")["partialFingerprints"] for s in (before, after))
    assert first["mlopsAudit/v1"] == second["mlopsAudit/v1"]
    assert first["primaryLocationLineHash"] != second["primaryLocationLineHash"]


def test_braces_and_brackets_in_messages_are_no_placeholders_or_links() -> None:
    rules = {"data/versioning": rule_of("data/versioning", fix="Use [a](1) and {0}.")}
    text = result_of(run(rules=rules), "data/versioning")["message"]["text"]
    assert "Use \\[a\\](1) and {{0}}." in text
    assert text.startswith("Data versioning is missing. ")


def test_rules_bring_help_and_no_security_severity() -> None:
    sarif = run()
    for rule in sarif["tool"]["driver"]["rules"]:
        assert rule["help"]["markdown"].startswith("**Why it matters.**")
        assert rule["helpUri"] == "https://example.org/docs"
        assert rule["properties"]["problem.severity"] in ("error", "warning", "recommendation")
        assert "security-severity" not in rule["properties"]
        assert len(rule["properties"]["tags"]) <= 10


def test_a_category_that_does_not_depend_on_the_folder_and_no_absolute_path() -> None:
    sarif = run(project="somewhere")
    assert sarif["automationDetails"]["id"] == "mlops-audit/repository/"
    assert "uri" not in sarif["originalUriBaseIds"]["%SRCROOT%"]


def test_what_could_not_be_read_is_a_notification() -> None:
    sarif = run(problems=[Problem(Site("bad.py", 0), "no valid [Python]")])
    (note,) = sarif["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "Broken: no valid \\[Python\\]"
    assert note["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "bad.py"


# The vectors of github/codeql-action, src/fingerprints.test.ts
HELLO = ["e9496ae3ebfced30:1", "fb7c023a8b9ccb3f:1", "ce8ba1a563dcdaca:1", "e20e36e16fcb0cc8:1", "b3edc88f2938467e:1",
         "c8e28b0b4002a3a0:1", "c129715d7a2bc9a3:1"]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "hashes"),
    [
        ("", ["c129715d7a2bc9a3:1"]),
        (" a\nb\n  \t\tc\n d", ["271789c17abda88f:1", "54703d4cd895b18:1", "180aee12dab6264:1", "a23a3dc5e078b07b:1"]),
        (" hello; \t\nworld!!!\n\n\n  \t\tGreetings\n End\n", HELLO),
        (" hello; \t\nworld!!!\r\r\r  \t\tGreetings\r End\r", HELLO),
        (" hello; \t\r\nworld!!!\r\n\r\n\r\n  \t\tGreetings\r\n End\r\n", HELLO),
        (" hello; \t\nworld!!!\r\n\n\r  \t\tGreetings\r End\r\n", HELLO),
        (
            "Lorem ipsum dolor sit amet.\n" * 10,
            [*(f"a7f2ff13bc495cf2:{n}" for n in range(1, 7)), "a7f2ff1481e87703:1", "a9cf91f7bbf1862b:1",
             "55ec222b86bcae53:1", "cc97dc7b1d7d8f7b:1", "c129715d7a2bc9a3:1"],
        ),
        (
            "x = 2\nx = 1\nprint(x)\nx = 3\nprint(x)\nx = 4\nprint(x)\n",
            ["e54938cc54b302f1:1", "bb609acbe9138d60:1", "1131fd5871777f34:1", "5c482a0f8b35ea28:1",
             "54517377da7028d2:1", "2c644846cb18d53e:1", "f1b89f20de0d133:1", "c129715d7a2bc9a3:1"],
        ),
    ],
)  # fmt: skip
def test_line_hashes_are_those_of_code_scanning(text: str, hashes: list[str]) -> None:
    assert [line_hash(text, line) for line in range(1, len(hashes) + 1)] == hashes
    assert line_hash(text, len(hashes) + 1) == ""
