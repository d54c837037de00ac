"""Hostile repositories: nothing of them runs, nothing beside them is read, and every report about them is harmless."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hostile
import pytest
from jsonschema import Draft7Validator
from schemas import schema

from mlops_audit import report
from mlops_audit.audit import audit_tree
from mlops_audit.budget import Budget
from mlops_audit.rule_packs import rule_pack
from mlops_audit.tree import Tree

HERE = Path(__file__).resolve().parent
FORMATS = [name for name in report.FORMATS if name != "json"]
BARE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)  # a terminal's control characters; ours are line feeds and no more


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "repository"
    place.mkdir()
    yield place
    unlocked(place)


def unlocked(root: Path) -> None:
    """Take away what pytest itself could not: folders too deep for a path, files without rights."""
    deepest = root / "d"
    if deepest.is_dir():
        here = os.getcwd()
        shutil.move(deepest, root.parent / "deep")
        os.chdir(root.parent / "deep")
        depth = 0
        while os.path.isdir("d"):
            os.chdir("d")
            depth += 1
        for name in os.listdir("."):
            os.unlink(name)
        for _ in range(depth):
            os.chdir("..")
            os.rmdir("d")
        os.chdir(here)
    for path in root.rglob("*"):
        if not path.is_symlink() and path.is_file() and not path.stat().st_mode & stat.S_IRUSR:
            path.chmod(0o600)


def test_there_are_at_least_sixty_cases_and_each_has_a_name_of_its_own() -> None:
    assert len({case.name for case in hostile.CASES}) == len(hostile.CASES) >= 60


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of a user who audited before, with the compiled rules and no facts of any file."""
    home = tmp_path_factory.mktemp("home")
    before = home / "repository"
    hostile.project(before)
    assert hostile.run(hostile.Case("", hostile.project), before)[0] == 0
    kept = home / ".cache/mlops-audit"
    for entry in kept.iterdir():
        if not entry.name.startswith("rules-"):
            entry.unlink()
    assert len([*kept.iterdir()]) == 1
    return kept


@pytest.mark.parametrize("case", hostile.CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_hostile_repository_is_audited_or_refused_in_one_line(
    case: hostile.Case, root: Path, compiled: Path
) -> None:
    case.build(root)
    shutil.copytree(compiled, root.parent / ".cache/mlops-audit")
    places = {name: root.parent / f"report.{name}" for name in FORMATS}
    outputs = [word for name, place in places.items() for word in ("--output", f"{name}={place}")]
    code, out, err = hostile.run(
        case, root, "--format", "json", *outputs, *(["--strict"] if case.strict else [])
    )
    said = err.decode()
    assert not [*root.parent.glob("MARKER*"), *root.glob("MARKER"), *root.glob("*/MARKER")]
    assert "Traceback" not in said
    harmless(said.replace("\n", ""))
    if case.refused:
        assert (code, out) == (2, b"")
        assert case.refused in said
        assert said.count("\n") <= 2
        return
    assert code == 4 if case.strict else code in (0, 1, 3), said
    if code == 3:
        assert case.skipped in said
        return
    document = json.loads(out)
    valid(out, "report")
    reasons = [problem["reason"] for problem in document["problems"]]
    if case.skipped:
        assert any(case.skipped in reason for reason in reasons), reasons
        assert any(reason.startswith("skipped: ") for reason in reasons)
    texts = {"json": out.decode(), **{name: place.read_bytes().decode() for name, place in places.items()}}
    for name, text in texts.items():
        harmless(text.replace("\n", ""))
        assert hostile.SECRET not in text, name
        assert str(root.parent) not in text, name
        for token in hostile.TOKENS:
            assert token not in text, f"{name} shows {token}"
        if case.skipped:
            assert "skipped" in text or name in ("badge", "badge-json", "csv", "gitlab", "junit", "github"), (
                name
            )
    valid(texts["sarif"].encode(), "sarif")
    if case.strict:
        assert document["counts"]["verdicts"]["unknown"] > 0
        assert "unknown" in texts["markdown"]
        assert "Unknown" in texts["terminal"]
        assert "Unknown" in texts["sarif"]


SARIF = Draft7Validator(json.loads((HERE / "data/sarif-2.1.0.json").read_text()))


@cache
def valid(text: bytes, name: str) -> None:
    """The report is of the shape that its schema says; many cases end in the same one, which is looked at once."""
    (SARIF if name == "sarif" else schema(name)).validate(json.loads(text))


def harmless(text: str) -> None:
    """No character of the text moves the cursor, hides, reorders or tags other text; emoji selectors and zero-width
    spaces, which the formats put in themselves, are none of those."""
    assert not BARE.search(text)
    hidden = {c for c in text if unicodedata.category(c) in ("Cf", "Cs", "Co", "Zl", "Zp")} - {"\u200b"}
    assert not hidden, [f"{ord(c):x}" for c in hidden]


# -------------------------------------------------------------------------------------------------- what else it says


def audited(
    root: Path, *arguments: str, environment: dict[str, str] | None = None
) -> tuple[int, dict[str, Any], str]:
    case = hostile.Case("", lambda root: None, environment=environment or {})
    # Thirty seconds, because these tests are about what is said; the cases above hold the ten.
    code, out, err = hostile.run(case, root, "--format", "json", *arguments, seconds=30)
    assert code >= 0, f"ended by signal {-code}: {err.decode()}"
    return code, json.loads(out) if out else {}, err.decode()


def aspects(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {aspect["id"]: aspect for pillar in document["pillars"] for aspect in pillar["aspects"]}


def test_a_file_that_nobody_read_makes_missing_unknown_and_leaves_a_pass_alone(root: Path) -> None:
    hostile.project(root)
    _, before, _ = audited(root)
    hostile.too_large_to_read(root)
    code, document, _ = audited(root)
    assert code == 0
    for name, aspect in aspects(document).items():
        was = aspects(before)[name]["verdict"]
        if aspect["verdict"] == "unknown":
            assert was in ("missing", "pass")
            assert aspect["unread"] == ["src/serve.py"]
        else:
            assert aspect["verdict"] == was
    assert aspects(document)["data/validation"]["verdict"] == "unknown"
    assert document["score"] <= before["score"]
    assert document["maturity"]["level"] <= before["maturity"]["level"]
    assert any("whether it is a project of the kind" in problem["reason"] for problem in document["problems"])


def test_what_is_broken_as_committed_is_read_and_nothing_unknown(root: Path) -> None:
    hostile.project(root)
    hostile.write(root, "src/broken.py", "def f(:\n")
    hostile.write(root, "broken.yaml", "a: [\n")
    code, document, _ = audited(root, "--strict")
    assert code == 0
    assert document["counts"]["verdicts"]["unknown"] == 0


def test_a_notebook_that_nobody_read_leaves_unknown_what_it_could_have_shown(root: Path) -> None:
    hostile.project(root)
    hostile.write(root, "a.ipynb", b" " * 11_000_000)
    _, document, _ = audited(root)
    assert aspects(document)["data/validation"]["verdict"] == "unknown"


def test_nothing_to_audit_is_no_answer_under_strict_when_files_were_skipped(root: Path) -> None:
    hostile.write(root, "src/train.py", b"x = 1\n" * 400_000)
    assert audited(root)[0] == 3
    code, _, said = audited(root, "--strict")
    assert code == 4
    assert "not read: src/train.py: skipped: larger than" in said


def test_an_audit_cut_by_time_says_so_and_knows_nothing_of_the_rest() -> None:
    files = {f"src/m{number}.py": "x = 1\n" * 2_000 for number in range(500)}
    tree = Tree.of({"a_train.py": hostile.TRAIN, **files})
    cut = audit_tree(tree, rule_pack(), budget=Budget(0.3))
    reasons = [problem.reason for problem in cut.problems]
    assert "skipped: the time limit of 0.3 seconds was over before it was read to its end" in reasons
    assert len(reasons) <= 110
    assert sum(finding.verdict == "unknown" for finding in cut.findings) > 10


def test_configuration_of_a_base_commit_cannot_be_lowered_by_a_later_one(root: Path) -> None:
    hostile.lowered_gate(root)
    assert audited(root)[0] == 0
    code, document, said = audited(root, "--config-from", "HEAD~1")
    assert code == 1
    assert document["configured_by"] == [".mlops-audit.toml at HEAD~1"]
    assert [row["held"] for row in document["thresholds"]] == [False]
    assert "gate failed: maturity" in said


def test_snippets_show_the_line_without_its_secret_or_not_at_all(root: Path) -> None:
    hostile.secrets(root)
    _, document, _ = audited(root)
    found = [piece["snippet"] for aspect in aspects(document).values() for piece in aspect["evidence"]]
    assert any("***" in snippet for snippet in found)
    assert all(len(snippet) <= 160 for snippet in found)
    _, document, _ = audited(root, "--no-snippets")
    assert not any(piece["snippet"] for aspect in aspects(document).values() for piece in aspect["evidence"])


def test_the_report_names_what_was_disabled_and_by_whom(root: Path) -> None:
    hostile.text_that_attacks_readers(root)
    _, document, _ = audited(root)
    assert document["configured_by"] == [".mlops-audit.toml"]
    assert [off["aspect"] for off in document["disabled"]] == ["data/versioning"]
    _, document, _ = audited(root, "--isolated")
    assert document["configured_by"] == [] == document["disabled"]


@pytest.mark.parametrize(
    "build",
    [
        hostile.committed,
        hostile.odd_names_committed,
        hostile.text_that_attacks_readers,
        hostile.odd_notebooks,
    ],
)
def test_a_work_tree_and_its_commit_give_the_same_report(build: Any, root: Path) -> None:
    build(root)
    if not (root / ".git").exists():
        hostile.committed(root)
    _, of_files, _ = audited(root, "--isolated")
    _, of_commit, _ = audited(root, "--isolated", "--rev", "HEAD")
    assert of_files == of_commit


def test_no_module_but_the_git_one_starts_a_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess
    import sys

    from mlops_audit.audit import audit

    started = []
    original = subprocess.Popen.__init__

    def watched(self: Any, *words: Any, **more: Any) -> None:
        frame, callers = sys._getframe(1), []
        while frame is not None:
            callers.append(frame.f_globals.get("__name__", ""))
            frame = frame.f_back  # type: ignore[assignment]
        started.append(next(name for name in callers if name.startswith("mlops_audit")))
        original(self, *words, **more)

    def never(*words: Any, **more: Any) -> None:
        raise AssertionError(f"a process outside of subprocess: {words}")

    hostile.configured(hostile.FSMONITOR)(root)
    plain = root.parent / "plain"
    hostile.project(plain)
    monkeypatch.setattr(subprocess.Popen, "__init__", watched)
    for name in ("system", "popen", "execv", "execve", "fork", "posix_spawn"):
        monkeypatch.setattr(os, name, never)
    for place, rev in ((root, None), (root, "HEAD"), (plain, None)):
        audit(place, rev)
    assert set(started) == {"mlops_audit.repository.clean_git"}
