"""Sample repositories: each is audited as a user would, and what comes out is what a careful reader wrote down."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from ruamel.yaml import YAML

from mlops_audit import cli
from mlops_audit.audit import NothingToAudit, audit
from mlops_audit.judge import Finding, Verdict
from mlops_audit.report import Report
from mlops_audit.score import ORDER, verdicts

FIXTURES = Path(__file__).parent.parent / "fixtures"
NAMES = sorted(place.parent.name for place in FIXTURES.glob("*/expected.yaml"))
EXPECTED_KEYS = {"level", "kinds", "verdicts", "evidence"}


@dataclass(frozen=True)
class Expected:
    """What a careful reader says: the level, the kinds, each verdict that is not missing, and some places."""

    level: int
    kinds: frozenset[str]
    verdicts: dict[str, str]
    evidence: dict[str, str]


@cache
def expected(name: str) -> Expected:
    read = YAML(typ="safe").load((FIXTURES / name / "expected.yaml").read_text())
    assert set(read) <= EXPECTED_KEYS
    return Expected(read["level"], frozenset(read["kinds"]), read["verdicts"], read.get("evidence", {}))


@dataclass(frozen=True)
class Copy:
    """A copy of a sample repository, without what is expected of it."""

    folder: Path

    def change(self, path: str, edit: Callable[[str], str]) -> None:
        place = self.folder / path
        text = edit(place.read_text())
        assert text != place.read_text()
        place.write_text(text)


@cache
def copies() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="fixtures-")


@pytest.fixture(scope="session", autouse=True)
def _remove_copies() -> Iterator[None]:
    yield
    copies().cleanup()


def copy_of(name: str, change: str = "as-it-is") -> Copy:
    folder = Path(copies().name) / change / name
    shutil.copytree(FIXTURES / name, folder)
    (folder / "expected.yaml").unlink()
    return Copy(folder)


@cache
def audited(name: str) -> Report:
    return audit(copy_of(name).folder)


def findings(report: Report) -> dict[str, Finding]:
    return {finding.aspect.id: finding for finding in report.findings}


def places(finding: Finding) -> set[str]:
    """Where its evidence stands and what runs it: each path, and each `path:line`."""
    sites = [evidence.fact.site for evidence in finding.evidence]
    sites += [link.site for evidence in finding.evidence for link in evidence.fact.reached.chain]
    return {site.path for site in sites} | {f"{site.path}:{site.line}" for site in sites}


# ------------------------------------------------------------------------------------------------ as expected


def test_there_is_a_sample_of_every_level_and_of_what_is_special() -> None:
    assert {expected(name).level for name in NAMES} == {0, 1, 2, 3, 4}
    assert {"llm-app", "monorepo", "paper-tiger"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_verdict_is_the_one_that_a_careful_reader_gives(name: str) -> None:
    found = {aspect: str(verdict) for aspect, verdict in verdicts(audited(name).findings).items()}
    asked = {aspect for aspect, verdict in found.items() if verdict != "na"}
    wanted = {
        aspect: expected(name).verdicts.get(aspect, "missing")
        for aspect in asked | set(expected(name).verdicts)
    }
    assert {a: v for a, v in found.items() if a in wanted} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_level_and_kinds_are_those_of_a_careful_reader(name: str) -> None:
    report = audited(name)
    assert (report.maturity.level.level, frozenset(report.kinds)) == (
        expected(name).level,
        expected(name).kinds,
    )


@pytest.mark.parametrize(
    ("name", "aspect", "place"),
    [(name, aspect, place) for name in NAMES for aspect, place in expected(name).evidence.items()],
)
def test_the_evidence_names_the_place(name: str, aspect: str, place: str) -> None:
    assert (FIXTURES / name / place.partition(":")[0]).is_file()
    assert place in places(findings(audited(name))[aspect])


@pytest.mark.parametrize("name", NAMES)
def test_every_file_can_be_read(name: str) -> None:
    assert [f"{problem.site}: {problem}" for problem in audited(name).problems] == []


def test_naming_every_practice_earns_next_to_nothing() -> None:
    report = audited("paper-tiger")
    assert {
        pillar: score for pillar, score in report.pillars.items() if score is not None and score > 1.0
    } == {}
    assert not [finding.aspect.id for finding in report.findings if finding.verdict is Verdict.PASS]


def test_two_half_done_projects_do_not_add_up() -> None:
    whole = findings(audited("monorepo"))
    assert whole["model/experiment-tracking"].verdict is Verdict.PARTIAL
    projects = {"bikes", "meters", "complaints"}
    mixed = {
        aspect: found
        for aspect, finding in whole.items()
        if len(
            found := projects & {evidence.fact.site.path.partition("/")[0] for evidence in finding.evidence}
        )
        > 1
    }
    assert mixed == {}


# ------------------------------------------------------------------------------------------------ nothing to audit

NOTHING = {
    "empty": {},
    "prose": {
        "README.md": "# Our models\n\nWe train and serve models.\n",
        "docs/mlops.md": "# MLOps\n\nMLflow.\n",
    },
    "web shop": {
        "shop/app.py": "from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get('/')\ndef home():\n    return 'hello'\n",
        "requirements.txt": "flask==3.0.3\n",
        "Dockerfile": "FROM python:3.12\nCOPY shop shop\nCMD flask --app shop.app run\n",
        ".github/workflows/ci.yml": "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: pytest\n",
        "tests/test_home.py": "def test_home():\n    assert True\n",
    },
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_has_no_machine_learning_is_not_audited(name: str, tmp_path: Path) -> None:
    for path, text in NOTHING[name].items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    with pytest.raises(NothingToAudit, match="nothing to audit"):
        audit(tmp_path)
    with pytest.raises(SystemExit) as left:
        cli.main(["audit", str(tmp_path)])
    assert left.value.code == 3


def test_code_in_other_languages_is_named(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"service{number}.go").write_text("package main\n")
    (tmp_path / "helper.rb").write_text("puts 1\n")
    with pytest.raises(NothingToAudit, match=r"\(7 files; not read: 6 files of Go\)"):
        audit(tmp_path)
    (tmp_path / "train.py").write_text("from sklearn.svm import SVC\n\nSVC().fit(rows, labels)\n")
    report = audit(tmp_path)
    assert [str(problem.site) + " " + problem.reason for problem in report.problems] == [
        ". skipped: code in languages that are not read: 6 files of Go"
    ]
    assert not any(finding.verdict == "unknown" for finding in report.findings)
    for number in range(5):
        (tmp_path / f"shop{number}.rb").write_text("puts 1\n")
    assert audit(tmp_path).problems[0].reason.endswith("6 files of Go, 6 of Ruby")
    (tmp_path / "vendor").mkdir()
    for file in tmp_path.glob("*.go"):
        file.rename(tmp_path / "vendor" / file.name)
    assert audit(tmp_path).problems[0].reason.endswith("read: 6 files of Ruby")


# ------------------------------------------------------------------------------------------------ laws

Document = dict[str, Any]


def never_on_github(workflow: Document) -> None:
    for job in workflow["jobs"].values():
        job["if"] = False


def never_on_gitlab(pipeline: Document) -> None:
    pipeline["workflow"] = {"rules": [{"when": "never"}]}


def never_on_azure(pipeline: Document) -> None:
    for stage in pipeline["stages"]:
        stage["condition"] = False


def never_on_circleci(config: Document) -> None:
    for workflow in config["workflows"].values():
        workflow["when"] = False


AUTOMATION: dict[str, dict[str, Callable[[Document], None]]] = {
    "level-1": {".github/workflows/lint.yml": never_on_github},
    "level-2": {".github/workflows/ci.yml": never_on_github},
    "level-3": {".gitlab-ci.yml": never_on_gitlab},
    "level-4": {"azure-pipelines.yml": never_on_azure},
    "llm-app": {".circleci/config.yml": never_on_circleci},
    "monorepo": {
        ".github/workflows/bikes.yml": never_on_github,
        ".github/workflows/bikes-watch.yml": never_on_github,
        ".github/workflows/meters.yml": never_on_github,
    },
}  # fmt: skip


def edited(edit: Callable[[Document], None]) -> Callable[[str], str]:
    def change(text: str) -> str:
        yaml, out = YAML(), io.StringIO()
        document = yaml.load(text)
        edit(document)
        yaml.dump(document, out)
        return out.getvalue()

    return change


def changed(name: str, report: Report, was: Verdict) -> dict[str, Finding]:
    """The findings of the sample as it is, of those aspects that had this verdict and now have a lower one."""
    now = verdicts(report.findings)
    return {
        aspect: finding
        for aspect, finding in findings(audited(name)).items()
        if finding.verdict is was and ORDER[now[aspect]] < ORDER[was]
    }


@cache
def without_automation(name: str) -> Report:
    copy = copy_of(name, "without")
    for path in AUTOMATION[name]:
        (copy.folder / path).unlink()
    return audit(copy.folder)


@cache
def with_dead_automation(name: str) -> Report:
    copy = copy_of(name, "dead")
    for path, never in AUTOMATION[name].items():
        copy.change(path, edited(never))
    return audit(copy.folder)


@pytest.mark.parametrize("name", AUTOMATION)
def test_automation_that_never_runs_passes_no_more_than_automation_that_is_not_there(name: str) -> None:
    gone, dead = (
        set(changed(name, r, Verdict.PASS)) for r in (without_automation(name), with_dead_automation(name))
    )
    assert gone == dead
    assert gone or name == "level-1"  # its workflow lints, which passes nothing


@pytest.mark.parametrize("name", AUTOMATION)
def test_without_its_automation_a_repository_loses_only_what_hung_on_it(name: str) -> None:
    report = without_automation(name)
    lost = {**changed(name, report, Verdict.PASS), **changed(name, report, Verdict.PARTIAL)}
    assert [aspect for aspect, finding in lost.items() if not places(finding) & set(AUTOMATION[name])] == []
    higher = [
        a
        for a, v in verdicts(report.findings).items()
        if ORDER.get(v, 3) > ORDER.get(findings(audited(name))[a].verdict, 3)
    ]
    assert higher == []


def test_a_copy_of_the_best_among_third_party_code_changes_nothing() -> None:
    copy = copy_of("level-1", "vendored")
    shutil.copytree(FIXTURES / "level-4", copy.folder / "third_party" / "level-4")
    alone, beside = audited("level-1"), audit(copy.folder)
    assert [(f.aspect.id, f.verdict, sorted(places(f))) for f in beside.findings] == [
        (f.aspect.id, f.verdict, sorted(places(f))) for f in alone.findings
    ]
    assert (beside.score, beside.pillars, set(beside.kinds)) == (alone.score, alone.pillars, set(alone.kinds))
