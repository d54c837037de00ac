"""The hooks of pre-commit: changed files alone, the whole repository, and never another repository's index."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from mlops_audit.check import check

CHECKOUT = Path(__file__).resolve().parents[1]
PROGRAM = f"{sys.executable} -m mlops_audit"
TRAINING = """\
import mlflow
from sklearn.linear_model import LogisticRegression


def train(x, y):
    model = LogisticRegression()
    model.fit(x, y)
    mlflow.log_param("solver", "lbfgs")
    mlflow.log_metric("accuracy", model.score(x, y))
    return model
"""
GATE = "fail-below-maturity = 4\n"
SILENT = "".join(line for line in TRAINING.splitlines(True) if "log_metric" not in line)


def surroundings(**more: str) -> dict[str, str]:
    """The environment without git's variables and without the user's configuration of git."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    people = {
        f"GIT_{who}_{what}": "a@b.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return {**clean, **people, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **more}


def git(folder: Path, *words: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *words], cwd=folder, check=check, capture_output=True, text=True, env=surroundings(**more)
    )


def repository(root: Path, files: Mapping[str, str]) -> Path:
    """A repository with one commit of these files."""
    write(root, files)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "--no-verify", "-m", "first")
    return root


def write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return repository(tmp_path / "shop", {"src/train.py": TRAINING, "params.yaml": "depth: 3\n"})


# ------------------------------------------------------------------------------------------------------ check


@pytest.mark.parametrize(
    ("path", "text", "place"),
    [
        ("src/train.py", "import mlflow\n\ndef train(:\n", "src/train.py:3"),
        ("params.yaml", "depth: 3\n\twidth: 2\n", "params.yaml:2"),
        ("package.json", '{"scripts": {"train" "x"}}\n', "package.json:1"),
        ("pyproject.toml", "[project\nname = 1\n", "pyproject.toml:1"),
        ("notebooks/a.ipynb", '{"cells": [\n', "notebooks/a.ipynb:2"),
        ("README.md", "# Shop\n<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n", "README.md:2"),
    ],
)
def test_a_changed_file_that_cannot_be_read_is_a_fault_with_its_line(
    project: Path, path: str, text: str, place: str
) -> None:
    write(project, {path: text})
    faults = check(project, [path]).faults
    assert [str(fault.site) for fault in faults][:1] == [place]
    assert len(faults) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("third_party/broken.py", "def x(:\n"),
        ("legacy/broken.py", "def x(:\n"),
        ("chart/templates/deployment.yaml", "{{- if .Values.on }}\nkind: {{ .Values.kind }}\n{{- end }}\n"),
        ("docs/guide.rst", "Guide\n=======\n\ntext\n"),
    ],
)
def test_what_is_not_the_projects_own_or_no_fault_is_left_alone(project: Path, path: str, text: str) -> None:
    write(project, {path: text})
    assert check(project, [path], exclude=["legacy/*"]).faults == ()


def test_what_nobody_looks_at_is_no_fault(project: Path) -> None:
    write(project, {"large.yaml": "a: 1\n" * 500_000})
    (project / "link.py").symlink_to("src/train.py")
    assert check(project, ["large.yaml", "link.py"]).faults == ()


def test_evidence_that_a_change_takes_away_is_a_note_with_its_aspect(project: Path) -> None:
    write(project, {"src/train.py": SILENT})
    checked = check(project, ["src/train.py", "params.yaml"])
    assert checked.faults == ()
    notes = [str(loss) for loss in checked.losses]
    assert any(note.startswith("src/train.py: note: no longer logs metrics (model/exp") for note in notes), (
        notes
    )
    assert not [note for note in notes if "logs parameters" in note or note.startswith("params.yaml")]


def test_evidence_that_became_dead_code_is_told_as_such(project: Path) -> None:
    dead = TRAINING.replace("    mlflow.log_metric", "    if False:\n        mlflow.log_metric")
    write(project, {"src/train.py": dead})
    notes = [str(loss) for loss in check(project, ["src/train.py"]).losses]
    assert any("now only as dead or declared code: logs metrics" in note for note in notes), notes


def test_evidence_that_moved_to_another_changed_file_is_not_lost(project: Path) -> None:
    moved = "import mlflow\n\n\ndef tell(value):\n    mlflow.log_metric('accuracy', value)\n"
    write(project, {"src/train.py": SILENT, "src/tell.py": moved})
    notes = [str(loss) for loss in check(project, ["src/train.py", "src/tell.py"]).losses]
    assert not [note for note in notes if "logs metrics" in note], notes


def test_without_a_commit_there_is_nothing_to_lose(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": TRAINING})
    assert check(tmp_path, ["train.py"]).losses == ()
    git(tmp_path, "init", "-q")
    assert check(tmp_path, ["train.py"]).losses == ()


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlops_audit", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=surroundings(XDG_CONFIG_HOME=str(folder / "none"), **more),
    )


def test_the_command_prints_faults_and_notes_and_exits_1_on_faults_alone(project: Path) -> None:
    write(project, {"src/train.py": SILENT})
    ran = run(project, "check", "src/train.py", "params.yaml")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "src/train.py: note: no longer logs metrics" in ran.stdout
    assert "score" not in ran.stdout.lower()
    write(project, {"params.yaml": "a: [1\n"})
    ran = run(project / "src", "check", "train.py", "../params.yaml")
    assert ran.returncode == 1
    assert "params.yaml:" in ran.stdout.splitlines()[0]


def test_the_command_heeds_the_configuration_and_names_its_faults(project: Path) -> None:
    write(project, {"params.yaml": "a: [1\n", ".mlops-audit.toml": "exclude = ['params.yaml']\n"})
    assert run(project, "check", "params.yaml", ".mlops-audit.toml").returncode == 0
    write(project, {".mlops-audit.toml": "exclud = ['params.yaml']\n"})
    ran = run(project, "check", ".mlops-audit.toml")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ".mlops-audit.toml:1: unknown key 'exclud'" in ran.stderr


@pytest.mark.parametrize("wrong", ["src/trian.py", "src", "../outside.py"])
def test_a_wrong_file_is_one_clear_line_and_exit_2(project: Path, wrong: str) -> None:
    write(project.parent, {"outside.py": ""})
    ran = run(project, "check", wrong)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)


# ------------------------------------------------------------------------------------ variables that hooks leak


@pytest.fixture(params=["repository", "linked worktree"])
def committing(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A work tree with a changed file that is about to be committed, with its index in another place."""
    own = repository(tmp_path / "own", {"only_in_own.py": TRAINING})
    if request.param == "linked worktree":
        git(own, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "side")
        own = tmp_path / "linked"
    write(own, {"only_in_own.py": SILENT})
    return own


def hooked(committing: Path, script: str) -> subprocess.CompletedProcess[str]:
    """What `git commit -a` says with this script as its pre-commit hook."""
    folder = Path(git(committing, "rev-parse", "--path-format=absolute", "--git-common-dir").stdout.strip())
    hook = folder / "hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nset -e\n{script}\n")
    hook.chmod(0o755)
    return git(committing, "commit", "-a", "-m", "second", check=False)


@pytest.mark.parametrize("revision", ["", "--rev HEAD"])
def test_a_hook_reads_the_index_of_the_repository_it_is_asked_about(
    committing: Path, tmp_path: Path, revision: str
) -> None:
    other = repository(tmp_path / "other", {"only_in_other.py": TRAINING})
    plain = tmp_path / "plain"
    same_name = {
        "only_in_own.py": TRAINING
    }  # with the leaked index git would take it for tracked, and leave it out
    write(plain, {**same_name, "ignored.py": TRAINING, ".gitignore": "ignored.py\n"})
    script = f"env | grep ^GIT_ > {tmp_path}/leaked\n{PROGRAM} facts {other} {revision} --kind file > {tmp_path}/files"
    if not revision:
        script += f"\n{PROGRAM} facts {plain} --kind file > {tmp_path}/plain-files"
    ran = hooked(committing, script)
    assert ran.returncode == 0, ran.stderr
    leaked = (tmp_path / "leaked").read_text()
    assert "GIT_INDEX_FILE=" in leaked, "git leaks no index any more: this test proves nothing"
    assert ("GIT_DIR=" in leaked) == (committing.name == "linked")
    assert names(tmp_path / "files") == ["only_in_other.py"]
    if not revision:
        assert names(tmp_path / "plain-files") == [".gitignore", "only_in_own.py"]


def test_a_hook_checks_the_files_of_its_own_work_tree(committing: Path, tmp_path: Path) -> None:
    ran = hooked(committing, f"{PROGRAM} check only_in_own.py > {tmp_path}/said")
    assert ran.returncode == 0, ran.stderr
    assert "only_in_own.py: note: no longer logs metrics" in (tmp_path / "said").read_text()
    write(committing, {"only_in_own.py": "def x(:\n"})
    ran = git(committing, "commit", "-a", "-m", "third", check=False)
    assert ran.returncode != 0
    assert "def x(" not in git(committing, "show", "HEAD:only_in_own.py").stdout


def names(listing: Path) -> list[str]:
    return sorted(json.loads(line)["name"] for line in listing.read_text().splitlines())


# ------------------------------------------------------------------------------------------------- pre-commit


def give_up(reason: str) -> NoReturn:
    """Skip, except in CI: there these tests must run."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository made of this checkout, whose hooks are tried; skipped where pre-commit is not installed."""
    if importlib.util.find_spec("pre_commit") is None:
        give_up("pre-commit is not installed")
    root = tmp_path_factory.mktemp("hooks") / "mlops-audit"
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in ("src", "rules", "reports"):
        shutil.copytree(CHECKOUT / folder, root / folder, ignore=left_out)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(CHECKOUT / name, root / name)
    return repository(root, {})


def pre_commit(folder: Path, home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """pre-commit in a folder; skipped where pip cannot build the environment of the hooks, as without a network."""
    more |= {"PRE_COMMIT_HOME": str(home), "XDG_CONFIG_HOME": str(home / "none"), "PIP_NO_COMPILE": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "pre_commit", *arguments, "--verbose", "--color", "never"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=surroundings(**more),
    )
    if ran.returncode not in (0, 1):
        give_up(f"pip cannot build the environment of the hooks here: {(ran.stdout + ran.stderr)[-2000:]}")
    return ran


def test_both_hooks_work_as_pre_commit_tries_them(hooks: Path, project: Path, tmp_path: Path) -> None:
    write(project, {"src/train.py": SILENT, "params.yaml": "depth: [1\n", ".mlops-audit.toml": GATE})
    git(project, "add", ".")
    ran = pre_commit(project, tmp_path, "try-repo", str(hooks), "--hook-stage", "manual")
    assert ran.returncode == 1
    fast, _, gate = ran.stdout.partition("mlops-audit (whole repository)")
    assert "src/train.py: note: no longer logs metrics" in fast
    assert re.search(r"^params\.yaml:\d+: ", fast, re.MULTILINE), ran.stdout
    assert "MLOps audit of shop" not in fast
    assert "MLOps audit of shop" in gate
    assert "gate failed: maturity" in gate


def test_configured_hooks_look_at_changed_files_and_at_the_whole_repository(
    hooks: Path, project: Path, tmp_path: Path
) -> None:
    commit = git(hooks, "rev-parse", "HEAD").stdout.strip()
    # The test above installs the program; here the one of these tests is found on the path.
    wanted = "[{id: mlops-audit, language: system}, {id: mlops-audit-gate, language: system}]"
    tools = tmp_path / "tools"
    write(tools, {"mlops-audit": f'#!/bin/sh\nexec {PROGRAM} "$@"\n'})
    (tools / "mlops-audit").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    configuration = f"repos: [{{repo: '{hooks}', rev: '{commit}', hooks: {wanted}}}]\n"
    write(project, {"src/old.py": "def x(:\n", ".pre-commit-config.yaml": configuration})
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "broken before")
    write(project, {"src/train.py": SILENT})
    git(project, "add", ".")

    ran = pre_commit(project, tmp_path, "run", PATH=path)
    assert ran.returncode == 0, ran.stdout
    assert "src/train.py: note: no longer logs metrics" in ran.stdout
    assert "src/old.py" not in ran.stdout, "only what changed is checked"
    assert "whole repository" not in ran.stdout, "the gate is opt-in"

    gate = ("run", "mlops-audit-gate", "--hook-stage")
    ran = pre_commit(project, tmp_path, *gate, "pre-push", "--files", "params.yaml", PATH=path)
    assert ran.returncode == 0, ran.stdout
    assert "MLOps audit of shop" in ran.stdout
    files = re.search(r"(\d+) files read", ran.stdout)
    assert files is not None
    assert int(files[1]) == 4, "a score is never made from a part of the repository"

    write(project, {".mlops-audit.toml": GATE})
    ran = pre_commit(project, tmp_path, *gate, "manual", PATH=path)
    assert ran.returncode == 1
    assert "gate failed: maturity" in ran.stdout


def test_the_manifest_names_commands_that_there_are() -> None:
    from mlops_audit import parse
    from mlops_audit.cli import MODULES

    (manifest,) = parse.yaml((CHECKOUT / ".pre-commit-hooks.yaml").read_bytes())
    entries = {hook.at("id"): hook.at("entry").split() for hook in manifest.list}
    assert set(entries) == {"mlops-audit", "mlops-audit-gate"}
    for program, command, *_ in entries.values():
        assert program == "mlops-audit"
        assert command in MODULES
