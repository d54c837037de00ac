"""Configuration: what it says, and every fault of it with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_audit import config
from mlops_audit.config import Config, ConfigError


def read(text: str, file: str = ".mlops-audit.toml") -> Config:
    return config.of_repository(lambda name: text.encode() if name == file else None)


def faults(text: str, file: str = ".mlops-audit.toml") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, file)
    return list(caught.value.faults)


FULL = """\
fail-below-maturity = 2
fail-on = "major"
exclude = ["legacy/", "*.gen.py"]
profile = "uk-gov"

[fail-below-score]
total = 5
data = 3.5

[disable]
"cicd/feature-flags" = "a batch job has no switches"
"""


def test_a_whole_configuration_is_read() -> None:
    found = read(FULL)
    assert found.thresholds.maturity == 2
    assert found.thresholds.scores == (("total", 5.0), ("data", 3.5))
    assert found.thresholds.severity == "major"
    assert found.exclude == ("legacy", "legacy/*", "*.gen.py", "*.gen.py/*")
    assert found.disable == {"cicd/feature-flags": "a batch job has no switches"}
    assert (found.profile, found.source) == ("uk-gov", ".mlops-audit.toml")


def test_pyproject_holds_it_in_its_own_table_only() -> None:
    text = "fail-bellow = 3\n[tool.mlops-audit]\nfail-below-score = 4\n[tool.other]\nfail-on = 1\n"
    assert read(text, "pyproject.toml").scores == {"total": 4.0}


def test_the_own_file_wins_over_pyproject() -> None:
    files = {
        ".mlops-audit.toml": b"fail-below-maturity = 1",
        "pyproject.toml": b"[tool.mlops-audit]\nfail-below-maturity = 3",
    }
    assert config.of_repository(files.get).maturity == 1


def test_no_configuration_says_nothing() -> None:
    assert config.of_repository(lambda name: None) == Config()
    assert read("[project]\nname = 'x'", "pyproject.toml") == Config()


def test_a_broken_pyproject_that_never_names_the_program_is_not_our_fault_to_tell() -> None:
    assert read("[project\n", "pyproject.toml") == Config()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("\nfail-bellow-score = 3", ".mlops-audit.toml:2: unknown key 'fail-bellow-score'; did you mean 'fail-below-score'?"),
        ("fail-on = 'majr'", ".mlops-audit.toml:1: unknown value 'majr' of 'fail-on'; did you mean 'major'?"),
        ("fail-on = 'note'", ".mlops-audit.toml:1: unknown value 'note' of 'fail-on'; known: critical, major, minor"),
        ("fail-below-maturity = 5", ".mlops-audit.toml:1: 'fail-below-maturity' is a whole number from 0 to 4, not '5'"),
        ("fail-below-maturity = '2'", ".mlops-audit.toml:1: 'fail-below-maturity' is a whole number from 0 to 4, not '2'"),
        ("fail-below-score = 11", ".mlops-audit.toml:1: a score is a number from 0 to 10, not '11'"),
        ("fail-below-score = nan", ".mlops-audit.toml:1: a score is a number from 0 to 10, not 'nan'"),
        ("[fail-below-score]\ndatta = 1", ".mlops-audit.toml:2: unknown pillar 'datta'; did you mean 'data'?"),
        ("exclude = 'docs'", ".mlops-audit.toml:1: 'exclude' is a list of texts"),
        ("exclude = [1]", ".mlops-audit.toml:1: 'exclude' is a list of texts that are not empty"),
        ("[disable]\n'data/versioning' = ''", ".mlops-audit.toml:2: 'data/versioning' is disabled without a reason: give one as a text"),
        ("[disable]\n'data/versoning' = 'x'", ".mlops-audit.toml:2: unknown aspect 'data/versoning'; did you mean 'data/versioning'?"),
        ("disable = ['data/versioning']", ".mlops-audit.toml:1: 'disable' is a table of aspects, each with its reason"),
        ("fail-on = =", ".mlops-audit.toml:1: no valid TOML: Invalid value (at line 1, column 11)"),
    ],
)  # fmt: skip
def test_a_fault_has_its_line_and_the_nearest_right_word(text: str, fault: str) -> None:
    assert faults(text) == [fault]


def test_faults_come_all_at_once_in_the_order_of_lines() -> None:
    found = faults("fail-on = 'x'\nnope = 1\nexclude = 1\nfail-below-maturity = 9")
    assert [fault.split(":")[1] for fault in found] == ["1", "2", "3", "4"]


def test_rule_packs_are_never_taken_from_the_audited_repository() -> None:
    for text, file in (
        ("rules = ['x']", ".mlops-audit.toml"),
        ("[tool.mlops-audit]\nrules = ['x']", "pyproject.toml"),
    ):
        (fault,) = faults(text, file)
        assert "'rules' is not taken from the audited repository" in fault


def test_the_user_may_name_rule_packs_beside_their_own_configuration(tmp_path: Path) -> None:
    own = tmp_path / "config.toml"
    own.write_text("rules = ['packs/mine']\nfail-on = 'critical'\n")
    assert config.of_user(own).rules == (tmp_path / "packs/mine",)
    assert config.of_user(tmp_path / "absent.toml") == Config()


def test_the_nearer_configuration_wins_and_lists_are_joined() -> None:
    below = Config(
        maturity=3, scores={"total": 5.0, "data": 2.0}, severity="minor", exclude=("a",), profile="uk-gov"
    )
    above = Config(maturity=0, scores={"data": 4.0}, exclude=("b",))
    joined = above.over(below)
    assert (joined.maturity, joined.severity, joined.profile) == (0, "minor", "uk-gov")
    assert joined.scores == {"total": 5.0, "data": 4.0}
    assert joined.exclude == ("a", "b")
