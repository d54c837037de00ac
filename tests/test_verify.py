"""`mlops-audit verify`: a rule pack's faults, each with file and line, and what makes one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlops_audit.rules import RuleError
from mlops_audit.verify import verify_folder

RULE = """\
why: Because.
fix: Do it.
effort: quick
risk: {risk: r, probability: low, impact: low, mitigation: m}
signals:
  seals the data:
    call: [sealer.seal]
  declares the sealer:
    dependency: sealer
pass: {all: [seals the data]}
partial: any
examples:
  - verdict: pass
    title: Sealed by the tool
    files:
      src/train.py: |
        import sealer

        sealer.seal("data")  # evidence: seals the data
  - verdict: partial
    title: Only declared
    files:
      requirements.txt: |
        sealer==1.0  # evidence: declares the sealer
  - verdict: missing
    title: Another tool
    files:
      src/train.py: |
        import another
"""


def pack(root: Path, rules: Mapping[str, str]) -> Path:
    for path, text in rules.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def faults(root: Path, text: str) -> list[str]:
    return [str(fault) for fault in verify_folder(pack(root, {"data/versioning.yaml": text}))[1]]


def verify(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlops_audit", "verify", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_a_rule_whose_examples_and_laws_hold_has_no_faults(tmp_path: Path) -> None:
    assert verify_folder(pack(tmp_path, {"data/versioning.yaml": RULE})) == (1, [])


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("sealer.seal(", "sealer.other(", 13, "Sealed by the tool: the verdict is partial|missing, not pass"),
        ("  # evidence: seals the data", "  # evidence: declares the sealer", 13, "marked and not found"),
        ("import another", 'import sealer\n        sealer.seal("x")', 25, "the verdict is pass, not missing"),
        ("import sealer\n\n", "import sealer  # evidence: seals the data\n\n", 13, "marked and not found"),
    ],
)
def test_an_example_that_is_not_met_is_a_fault_at_its_line(
    tmp_path: Path, old: str, new: str, line: int, what: str
) -> None:
    (fault,) = faults(tmp_path, RULE.replace(old, new, 1))
    assert fault.startswith(f"{tmp_path}/data/versioning.yaml:{line}: ")
    assert re.search(what, fault)


def test_a_verdict_without_an_example_is_a_fault(tmp_path: Path) -> None:
    text = RULE[: RULE.index("  - verdict: missing")]
    assert faults(tmp_path, text) == [
        f"{tmp_path}/data/versioning.yaml:1: no example of the verdict 'missing'"
    ]


def test_what_a_clause_asks_of_one_file_or_place_is_not_pieced_together(tmp_path: Path) -> None:
    rule = """\
why: Because.
fix: Do it.
effort: quick
risk: {risk: r, probability: low, impact: low, mitigation: m}
signals:
  names stages:
    heading: "*"
    where: {text: "*staging*"}
  names approvers:
    heading: "*"
    where: {text: "*approves*"}
pass: {all: [names stages, names approvers], same: %s}
partial: any
examples:
  - verdict: pass
    title: In one section
    files:
      policy.md: |
        # Policy
        A model stays in staging until the owner approves it.
  - verdict: %s
    title: In two sections of a document
    files:
      policy.md: |
        # Stages
        First comes staging.
        # People
        The owner approves it.
  - verdict: partial
    title: In two documents
    files:
      one.md: |
        # Stages
        First comes staging.
      two.md: |
        # People
        The owner approves it.
  - verdict: missing
    title: Nowhere
    files:
      policy.md: |
        # Policy
        Nothing yet is written.
"""
    found = [faults(tmp_path, rule % pair) for pair in (("file", "pass"), ("place", "partial"))]
    assert found == [[], []]
    (fault,) = verify_folder_errors(tmp_path, rule % ("folder", "pass"))
    assert "same is one of file, place in a clause of a rule, not 'folder'" in fault


def verify_folder_errors(root: Path, text: str) -> list[str]:
    with pytest.raises(RuleError) as raised:
        faults(root, text)
    return str(raised.value).splitlines()


@pytest.mark.parametrize(
    ("old", "new", "law"),
    [
        (
            "    call: [sealer.seal]",
            "    call: [sealer.seal]\n    in: [source, notebook, foreign]",
            "moved under examples/",
        ),
        ("    call: [sealer.seal]", "    call: [sealer.seal]\n    where: {target: '!x'}", ""),
    ],
)
def test_a_rule_that_breaks_a_law_is_a_fault(tmp_path: Path, old: str, new: str, law: str) -> None:
    found = faults(tmp_path, RULE.replace(old, new, 1))
    assert ([law in fault for fault in found] == [True]) if law else not found


def test_the_command_prints_faults_and_exits_1(tmp_path: Path) -> None:
    text = RULE.replace("import another", 'import sealer\n        sealer.seal("x")').replace(
        "sealer==1.0", "other==1.0"
    )
    pack(tmp_path / "mine", {"data/versioning.yaml": text})
    ran = verify("mine", cwd=tmp_path)
    assert ran.returncode == 1
    first, second = ran.stdout.splitlines()
    assert first.startswith("mine/data/versioning.yaml:20: Only declared: the verdict is missing")
    assert second.startswith("mine/data/versioning.yaml:25: Another tool: the verdict is pass")
    assert ran.stderr == "mlops-audit: 1 rule: 2 faults\n"


def test_a_pack_without_faults_exits_0(tmp_path: Path) -> None:
    ran = verify(pack(tmp_path, {"data/versioning.yaml": RULE}))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "mlops-audit: 1 rule: no faults\n")


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            {"data/versioning.yaml": RULE.replace("quick", "quik")},
            "data/versioning.yaml:3: unknown effort 'quik'",
        ),
        ({"data/versoning.yaml": RULE}, "has no aspect 'data/versoning'; did you mean 'data/versioning'?"),
        ({"notes.txt": ""}, "no rules"),
    ],
)
def test_a_pack_that_does_not_load_exits_2(tmp_path: Path, rules: Mapping[str, str], said: str) -> None:
    ran = verify(pack(tmp_path, rules))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr
    with pytest.raises(RuleError):
        verify_folder(tmp_path)


def test_the_built_in_pack_is_verified_when_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops_audit import catalogue, rules
    from mlops_audit import verify as verifying

    asked: list[str] = []
    monkeypatch.setattr(verifying, "verify", lambda aspect, rule, pack: asked.append(rule.id) or iter(()))
    number, found = verify_folder(None)
    assert found == []
    assert asked == [rule.id for rule in rules.load(catalogue.data_folder("rules")).rules]
    assert number == len(asked) > 0
