"""Shared configuration: extends, presets of packages, profiles, where each value comes from, and the schema for editors."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomli
from histories import History
from test_baseline import TRAIN
from test_cli import Run, run  # noqa: F401
from test_config import FULL
from test_waivers import waiver

from mlops_audit.catalogue import data_folder, load
from mlops_audit.cli import words
from mlops_audit.config import (
    KEYS,
    PROFILES,
    Config,
    ConfigError,
    of_preset,
    of_profile,
    of_repository,
    of_user,
)
from mlops_audit.config.shown import rows

OWN = ".mlops-audit.toml"


def read(files: dict[str, str]) -> Config:
    return of_repository({path: text.encode() for path, text in files.items()}.get)


def fault(files: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        read(files)
    (one,) = caught.value.faults
    return one


# ------------------------------------------------------------------------------------------------ extends


def test_what_a_configuration_says_wins_over_what_it_extends() -> None:
    found = read({
        OWN: 'extends = "ci/audit.toml"\nfail-below-maturity = 2\n[disable]\n"cicd/feature-flags" = "batch"\n',
        "ci/audit.toml": 'extends = ["../org/base.toml", "strict.toml"]\nfail-below-maturity = 1\nexclude = ["legacy"]\n',
        "org/base.toml": 'fail-on = "minor"\n[weights]\n"data/lineage" = 3\n',
        "ci/strict.toml": 'fail-on = "major"\n[disable]\n"deploy/canary" = "one user"\n',
    })  # fmt: skip
    assert (found.maturity, found.severity, found.weights) == (2, "major", {"data/lineage": 3})
    assert found.exclude == ("legacy", "legacy/*")
    assert found.disable == {"deploy/canary": "one user", "cicd/feature-flags": "batch"}
    assert found.sources["fail-on"] == "ci/strict.toml:1"
    assert found.sources["fail-below-maturity"] == f"{OWN}:2"
    assert found.sources["weights.data/lineage"] == "org/base.toml:3"


@pytest.mark.parametrize(
    ("files", "what"),
    [
        (
            {OWN: 'extends = "package:acme/a.toml"'},
            "'extends' of a repository names files of the repository only",
        ),
        ({OWN: 'extends = "../a.toml"'}, "'extends' names files inside the repository, not '../a.toml'"),
        ({OWN: 'extends = "x/../../a.toml"'}, "'extends' names files inside the repository"),
        ({OWN: 'extends = "/etc/a.toml"'}, "'extends' names files inside the repository"),
        ({OWN: 'extends = "~/a.toml"'}, "'extends' names files inside the repository"),
        ({OWN: 'extends = "C:\\\\a.toml"'}, "'extends' names files inside the repository"),
        ({OWN: 'extends = "https://example.org/a.toml"'}, "'extends' names files inside the repository"),
        ({OWN: 'extends = "a.toml"'}, "there is no file 'a.toml' to extend"),
        ({OWN: "extends = 3"}, "'extends' is a path, or a list of paths"),
        ({OWN: 'extends = "a.toml"', "a.toml": f'extends = "{OWN}"'}, "'extends' goes round in a circle: "),
    ],
)
def test_a_repository_extends_only_files_of_itself(files: dict[str, str], what: str) -> None:
    place = "a.toml" if len(files) > 1 else OWN
    assert fault(files).startswith(f"{place}:1: {what}")


def test_faults_of_an_extended_file_are_told_with_its_name() -> None:
    assert fault({OWN: 'extends = "a.toml"', "a.toml": "\nfail-onn = 1"}) == (
        "a.toml:2: unknown key 'fail-onn'; did you mean 'fail-on'?"
    )
    chain = {OWN: 'extends = "0.toml"'} | {f"{n}.toml": f'extends = "{n + 1}.toml"' for n in range(20)}
    assert "more than 8 configurations extend each other" in fault(chain)


def test_a_link_out_of_the_repository_is_not_followed(tmp_path: Path, run: Run) -> None:
    history = History(tmp_path / "shop")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.toml").write_text("fail-below-maturity = 4\n")
    history.commit({"src/train.py": TRAIN, OWN: 'extends = "linked/a.toml"\n'})
    (history.root / "linked").symlink_to(tmp_path / "elsewhere")
    ran = run("audit", history.root)
    assert ran.code == 2
    assert "symbolic link" in ran.err


# ------------------------------------------------------------------------------------------------ presets


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with a preset, whose code must never run."""
    place = tmp_path / "site-packages/acme_presets"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text("raise SystemExit('the code of a preset ran')\n")
    (place / "strict.toml").write_text('extends = "base.toml"\nfail-on = "major"\n')
    (place / "base.toml").write_text('fail-below-maturity = 3\nfail-on = "minor"\n')
    monkeypatch.setattr(sys, "path", [str(place.parent), *sys.path])
    return place


def test_a_preset_of_an_installed_package_is_data_and_no_code(package: Path) -> None:
    found = of_preset("package:acme_presets/strict.toml")
    assert (found.maturity, found.severity) == (3, "major")
    assert "acme_presets" not in sys.modules


def test_the_user_may_extend_packages_and_files(package: Path, tmp_path: Path) -> None:
    (tmp_path / "near.toml").write_text("fail-below-maturity = 1\n")
    own = tmp_path / "config.toml"
    own.write_text('extends = ["package:acme_presets/strict.toml", "near.toml"]\n')
    assert (of_user(own).maturity, of_user(own).severity) == (1, "major")


def test_a_folder_that_is_merely_current_is_no_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil/__init__.py").write_text("")
    (tmp_path / "evil/a.toml").write_text("fail-below-maturity = 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), *sys.path])
    with pytest.raises(ConfigError, match="no package 'evil' is installed"):
        of_preset("package:evil/a.toml")


@pytest.mark.parametrize(
    ("reference", "what"),
    [
        ("package:acme_presets", "a preset is `package:NAME/FILE.toml`"),
        ("package:acme.presets/a.toml", "a preset is `package:NAME/FILE.toml`"),
        ("package:acme_presets/../x.toml", "a preset is a .toml file inside its package"),
        ("package:acme_presets/__init__.py", "a preset is a .toml file inside its package"),
        ("package:acme_presets/none.toml", "the package 'acme_presets' has no file 'none.toml'"),
        ("package:no_such_package/a.toml", "no package 'no_such_package' is installed"),
        ("nowhere.toml", "'nowhere.toml' cannot be extended: No such file or directory"),
    ],
)
def test_a_preset_that_is_none_is_one_clear_line(package: Path, reference: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of_preset(reference)
    assert str(caught.value).startswith(f"--extends:1: {what}")


def test_the_repository_wins_over_a_preset_and_a_preset_over_the_user(
    package: Path,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "mlops-audit").mkdir()
    (tmp_path / "mlops-audit/config.toml").write_text("fail-below-maturity = 4\nfail-below-score = 9\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    history = History(tmp_path / "shop")
    history.commit({"src/train.py": TRAIN, OWN: 'fail-on = "critical"\n'})
    words_ = (
        "config",
        "show",
        history.root,
        "--extends",
        "package:acme_presets/strict.toml",
        "--format",
        "json",
    )
    shown = {row["key"]: row for row in json.loads(run(*words_).out)}
    assert (shown["fail-on"]["value"], shown["fail-on"]["source"]) == ("critical", f"{OWN}:1")
    assert shown["fail-below-maturity"]["value"] == 3
    assert shown["fail-below-maturity"]["source"].endswith("acme_presets/base.toml:1")
    assert shown["fail-below-score.total"]["value"] == 9.0


# ------------------------------------------------------------------------------------------------ profiles


def test_every_profile_is_known_to_all_who_ask() -> None:
    shipped = {path.stem for path in (data_folder("rules") / "profiles").glob("*.yaml")}
    assert shipped == set(PROFILES) - {"uk-gov"}
    assert words.PROFILES == PROFILES


@pytest.mark.parametrize("profile", sorted(set(PROFILES) - {"uk-gov"}))
def test_a_profile_has_thresholds_and_says_something_new(profile: str) -> None:
    found = of_profile(profile)
    assert found.scores
    weights = {aspect.id: aspect.weight for aspect in load().aspects}
    assert all(weights[aspect] != weight for aspect, weight in found.weights.items())
    assert bool(found.weights) == (profile != "standard")


def test_a_profile_weighs_and_its_thresholds_give_way_to_the_repository(tmp_path: Path, run: Run) -> None:
    history = History(tmp_path / "shop")
    history.commit(
        {"src/train.py": TRAIN, "requirements.txt": "scikit-learn==1.5.0\n", OWN: "fail-below-maturity = 0\n"}
    )

    def audited(*more: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run("audit", history.root, "--format", "json", *more).out)
        return found

    plain, regulated = audited(), audited("--profile", "regulated")
    weights = [{a["id"]: a["weight"] for p in d["pillars"] for a in p["aspects"]} for d in (plain, regulated)]
    assert (weights[0]["data/lineage"], weights[1]["data/lineage"]) == (2, 3)
    severities = [
        {a["id"]: a["severity"] for p in d["pillars"] for a in p["aspects"]} for d in (plain, regulated)
    ]
    assert (severities[0]["data/lineage"], severities[1]["data/lineage"]) == ("major", "critical")
    told = {row["threshold"]: row["wanted"] for row in regulated["thresholds"]}
    assert told["maturity"] == "at least 0"
    assert told["score govern"] == "at least 7"
    poc = audited("--profile", "poc")
    assert "deploy/canary" in [row["aspect"] for row in poc["disabled"]]


# ------------------------------------------------------------------------------------------------ config show


def test_every_value_is_shown_with_its_source() -> None:
    config = read({OWN: f'{FULL}\n[weights]\n"data/lineage" = 1\n{waiver()}'}).over(of_profile("poc"))
    found = {key: (value, source) for key, value, source in rows(config)}
    assert found["fail-below-maturity"] == (2, f"{OWN}:1")
    assert found["fail-below-score.data"] == (3.5, f"{OWN}:8")
    assert found["fail-below-score.model"][1].startswith("profile poc:")
    assert found["disable.cicd/feature-flags"] == ("a batch job has no switches", f"{OWN}:11")
    assert found["disable.deploy/canary"][1].startswith("profile poc:")
    assert found["weights.data/lineage"] == (1, f"{OWN}:14")
    assert found["waived"] == ("as-found", "default")
    assert found["waivers"][0]["owner"] == "ada"
    assert found["waivers"][1].startswith(f"{OWN}:")
    excluded = [(value, source) for key, value, source in rows(config) if key == "exclude"]
    assert excluded == [("legacy", f"{OWN}:3"), ("*.gen.py", f"{OWN}:3")]


def test_nothing_configured_shows_the_defaults() -> None:
    assert {source for _, _, source in rows(Config())} == {"default"}
    keys = {key.partition(".")[0] for key, _, _ in rows(Config())}
    assert keys == set(KEYS) - {"extends"}


# ------------------------------------------------------------------------------------------------ the schema

SCHEMA = json.loads((data_folder("reports") / "config.schema.json").read_text())
GOOD = (
    FULL,
    waiver(),
    waiver(expires='"2027-01-31"', more='path = ["a", "b/"]\napproved-by = "grace"\n'),
    "fail-below-score = 3.5\nfail-below-maturity = 4\n",
    'baseline = "ci/baseline.json"\nwaived = "na"\nwaivers-need-approval = true\nprofile = "poc"\n',
    '[weights]\n"data/lineage" = 1\n',
    "",
)
BAD = (
    "fail-bellow-score = 3",
    "fail-on = 'note'",
    "fail-below-maturity = 5",
    "fail-below-maturity = '2'",
    "fail-below-score = 11",
    "[fail-below-score]\ndatta = 1",
    "exclude = 'docs'",
    "exclude = [1]",
    "exclude = ['']",
    "[disable]\n'data/versioning' = ''",
    "[disable]\n'data/versoning' = 'x'",
    "profile = 'bank'",
    "[weights]\n'data/lineage' = 4",
    "[weights]\n'data/linage' = 1",
    "baseline = '/tmp/x'",
    "baseline = '../x'",
    "baseline = ''",
    "waived = 'gone'",
    "waivers-need-approval = 'yes'",
    "extends = 3",
    "waivers = ['x']",
    "[[waivers]]\naspect = 'data/versioning'",
    waiver(expires='"soon"'),
    waiver(more="path = []\n"),
    waiver(more="approved = 'x'\n"),
)


def plain(text: str) -> Any:
    return json.loads(json.dumps(tomli.loads(text), default=str))


@pytest.mark.parametrize("text", GOOD)
def test_the_schema_takes_what_the_program_takes(text: str) -> None:
    read({OWN: text})
    jsonschema.validate(plain(text), SCHEMA)


@pytest.mark.parametrize("text", BAD)
def test_the_schema_refuses_what_the_program_refuses(text: str) -> None:
    with pytest.raises(ConfigError):
        read({OWN: text})
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plain(text), SCHEMA)


def test_the_schema_knows_all_keys_profiles_and_aspects(run: Run) -> None:
    properties = SCHEMA["properties"]
    assert set(properties) == {*KEYS, "rules"}
    assert tuple(properties["profile"]["enum"]) == PROFILES
    assert properties["disable"]["propertyNames"]["enum"] == [aspect.id for aspect in load().aspects]
    assert json.loads(run("config", "schema").out) == SCHEMA
