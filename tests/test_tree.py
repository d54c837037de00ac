"""The tree: which files are read, from where, in which zone, and what is skipped and why."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mlops_audit.examination import examine
from mlops_audit.facts import Zone
from mlops_audit.parse.nodes import ParseFailure
from mlops_audit.repository import Repository, RepositoryError, clean_git
from mlops_audit.repository.work_tree import tracked
from mlops_audit.rules import Pack
from mlops_audit.tree import Tree, zone_of, zones_of


def git(folder: Path, *words: str) -> str:
    settings = ["-c", "user.name=a", "-c", "user.email=a@b.invalid", "-c", "init.defaultBranch=main"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    clean |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    run = subprocess.run(
        ["git", *settings, *words], cwd=folder, check=True, capture_output=True, text=True, env=clean
    )
    return run.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src/train.py").write_text("import torch\n")
    (root / "README.md").write_text("# Project\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    return root


def paths(root: Path, rev: str | None = None) -> list[str]:
    with Tree.open(root, rev) as tree:
        return [file.path for file in tree.files]


@pytest.mark.parametrize(
    ("path", "zone"),
    [
        ("train.py", Zone.SOURCE),
        ("src/pkg/train.py", Zone.SOURCE),
        ("docs/MODEL_CARD.md", Zone.SOURCE),
        ("docs/train.py", Zone.FOREIGN),
        ("docs/workflows/ci.yml", Zone.FOREIGN),
        ("examples/train.py", Zone.FOREIGN),
        ("third_party/lib/train.py", Zone.FOREIGN),
        ("src/vendor/x.py", Zone.FOREIGN),
        ("ansible/cilium-rendered/cilium.yaml", Zone.FOREIGN),
        ("infra/cdk.out/dev.template.json", Zone.FOREIGN),
        ("src/unrendered_pages/x.py", Zone.SOURCE),
        ("venv/lib/python3.9/site-packages/mlflow/__init__.py", Zone.FOREIGN),
        ("{{cookiecutter.name}}/train.py", Zone.FOREIGN),
        ("tests/test_train.py", Zone.TEST),
        ("src/pkg/test_train.py", Zone.TEST),
        ("src/pkg/train_test.py", Zone.TEST),
        ("conftest.py", Zone.TEST),
        ("test_data/pipelines/gate.py", Zone.TEST),
        ("src/mock-backend/data/deploy.yaml", Zone.TEST),
        ("data/test_data/rows.csv", Zone.SOURCE),
        (".github/copilot-instructions.md", Zone.FOREIGN),
        ("service/AGENTS.md", Zone.FOREIGN),
        (".cursor/rules/release.md", Zone.FOREIGN),
        ("src/pkg/latest.py", Zone.SOURCE),
        ("contest/train.py", Zone.SOURCE),
        ("notebooks/a.ipynb", Zone.NOTEBOOK),
        ("analysis.Rmd", Zone.NOTEBOOK),
    ],
)
def test_a_path_stands_in_its_zone(path: str, zone: Zone) -> None:
    assert zone_of(path) is zone


def test_files_of_a_template_land_where_the_project_will_have_them() -> None:
    files = {
        "cookiecutter.json": "{}",
        "hooks/post.py": "import mlflow\n",
        "{{cookiecutter.repo}}/{{cookiecutter.package}}/train.py": "from {{cookiecutter.package}} import x\n{% if a %}\nx()\n{% endif %}\n",
        "{{cookiecutter.repo}}/.github/workflows/ci.yml.jinja": "on: push\n",
    }
    tree = {file.path: (file.placed, file.zone, file.read()) for file in Tree.of(files).files}
    assert tree["{{cookiecutter.repo}}/{{cookiecutter.package}}/train.py"] == (
        "project/train.py", Zone.SOURCE, b"from project import x\n\nx()\n\n",
    )  # fmt: skip
    assert tree["{{cookiecutter.repo}}/.github/workflows/ci.yml.jinja"][0] == ".github/workflows/ci.yml"
    assert tree["hooks/post.py"][:2] == ("", Zone.FOREIGN)


def test_a_literal_of_a_template_is_what_it_writes_and_the_innermost_folder_of_slots_is_the_root() -> None:
    files = {
        "cookiecutter.json": "{}",
        "template/README.md": "x",
        "template/{{.root}}/jobs/{{.name}}.yml.tmpl": 'left: "{{"{{tasks.check.values.bad}}"}}"\nright: {{ `${{ x }}` }}\n',
    }
    tree = {file.path: (file.placed, file.read()) for file in Tree.of(files).files}
    assert tree["template/{{.root}}/jobs/{{.name}}.yml.tmpl"] == (
        "jobs/project.yml", b'left: "{{tasks.check.values.bad}}"\nright: ${{ x }}\n',
    )  # fmt: skip


def test_a_workflow_of_a_template_runs_as_in_the_project_and_is_shown_at_its_own_path() -> None:
    workflow = "on: {schedule: [{cron: '0 1 * * *'}]}\njobs:\n  train:\n    steps:\n      - run: python -m {{ cookiecutter.package }}.train\n"
    files = {
        "cookiecutter.json": "{}",
        "{{cookiecutter.repo}}/{{cookiecutter.package}}/train.py": "from sklearn.svm import SVC\n\nSVC().fit(x, y)\n",
        "{{cookiecutter.repo}}/.github/workflows/train.yml": workflow,
    }
    facts, problems, _ = examine(Tree.of(files), Pack((), ()))
    fit = next(fact for fact in facts if fact.name == "sklearn.svm.SVC.fit")
    assert fit.site.path == "{{cookiecutter.repo}}/{{cookiecutter.package}}/train.py"
    assert fit.reached.triggers == {"schedule"}
    assert fit.reached.chain[0].site.path == "{{cookiecutter.repo}}/.github/workflows/train.yml"
    assert not problems


def test_a_template_repository_is_judged_as_the_project_that_it_sets_up() -> None:
    zones = zones_of(
        ["cookiecutter.json", "{{cookiecutter.name}}/train.py", "{{cookiecutter.name}}/tests/test_a.py"]
    )
    assert zones["{{cookiecutter.name}}/train.py"] is Zone.SOURCE
    assert zones["{{cookiecutter.name}}/tests/test_a.py"] is Zone.TEST


def test_tracked_files_are_read_and_untracked_ones_are_not(repository: Path) -> None:
    (repository / "untracked.py").write_text("x = 1\n")
    assert paths(repository) == ["README.md", "src/train.py"]


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_every_version_of_the_index_is_read(repository: Path, version: str) -> None:
    for name in ("a.py", "src/b.py", "src/deep/er/c.py", "a-very-long-name-" * 5 + ".py"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(name)
    git(repository, "add", ".")
    if version == "3":
        (repository / "later.py").write_text("x")
        git(repository, "add", "--intent-to-add", "later.py")
    else:
        git(repository, "update-index", "--index-version", version)
    expected = [line.split() for line in git(repository, "ls-files", "-s").split("\n")]
    repo = Repository.at(repository)
    assert repo is not None
    assert [[f"{e.mode:06o}", e.blob, "0", e.path] for e in tracked(repo)] == expected


def test_a_commit_is_read_without_its_work_tree(repository: Path) -> None:
    (repository / "src/train.py").write_text("changed\n")
    git(repository, "rm", "-q", "README.md")
    with Tree.open(repository, "HEAD") as tree:
        assert {f.path: f.read() for f in tree.files} == {
            "README.md": b"# Project\n",
            "src/train.py": b"import torch\n",
        }
        assert tree.commit == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("script", "said"),
    [("exec sleep 60", "took more than"), ("exec yes", "lists more than"), ("exit 3", "cannot list")],
)
def test_a_git_that_never_ends_or_never_stops_talking_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    (tmp_path / "git").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(clean_git, "GIT_SECONDS", 0.5)
    with pytest.raises(RepositoryError, match=said):
        clean_git.git_output(["ls-files"], tmp_path, most=1000)


def test_an_unknown_revision_is_one_clear_line(repository: Path) -> None:
    for rev in ("nowhere", "--upload-pack=x", "-x", "HEAD~5", ""):
        with pytest.raises(RepositoryError, match="no such revision"), Tree.open(repository, rev):
            pass


def test_a_plain_folder_is_taken_as_it_stands_minus_what_its_gitignore_names(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("data/\n*.log\n")
    for name in ("train.py", "x.log", "data/a.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert paths(tmp_path) == [".gitignore", "train.py"]


def test_variables_of_a_calling_hook_lead_to_no_other_repository(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    (other / "secret.py").write_text("x")
    git(other, "add", ".")
    git(other, "commit", "-qm", "x")
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert paths(repository) == ["README.md", "src/train.py"]
    assert paths(repository, "HEAD") == ["README.md", "src/train.py"]
    assert os.environ["GIT_DIR"] == str(other / ".git")


def test_a_linked_worktree_is_read_and_a_foreign_gitfile_is_refused(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "branch")
    assert paths(tmp_path / "linked") == ["README.md", "src/train.py"]
    assert paths(tmp_path / "linked", "HEAD") == ["README.md", "src/train.py"]
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / ".git").write_text(f"gitdir: {repository / '.git'}\n")
    with pytest.raises(RepositoryError, match="does not know this folder"), Tree.open(trap):
        pass


def test_links_and_special_files_are_skipped_with_a_reason(repository: Path) -> None:
    (repository / "passwd.py").symlink_to("/etc/passwd")
    (repository / "pipe.py").write_text("x")
    (repository / "big.py").write_bytes(b"x = 1\n" * 500_000)
    (repository / "gone.py").write_text("x")
    git(repository, "add", ".")
    (repository / "gone.py").unlink()
    (repository / "pipe.py").unlink()
    os.mkfifo(repository / "pipe.py")
    (repository / "src/train.py").unlink()
    (repository / "src").rmdir()
    (repository / "src").symlink_to("/etc")
    with Tree.open(repository) as tree:
        files = {file.path: file for file in tree.files}
        assert "passwd.py" not in files
        assert [str(p.site) for p in tree.skipped] == ["passwd.py"]
        for path, reason in {
            "gone.py": "absent from the work tree",
            "pipe.py": "not a regular file",
            "big.py": "larger than",
            "src/train.py": "symbolic link",
        }.items():
            with pytest.raises(ParseFailure, match=reason):
                files[path].read()


def test_a_repository_without_commits_and_an_empty_folder_have_no_files(tmp_path: Path) -> None:
    assert paths(tmp_path) == []
    git(tmp_path, "init", "-q")
    assert paths(tmp_path) == []


def test_a_damaged_index_is_one_clear_line(repository: Path) -> None:
    (repository / ".git/index").write_bytes(b"DIRC\0\0\0\2\0\0\0\5short")
    with pytest.raises(RepositoryError, match="damaged"), Tree.open(repository):
        pass


def test_nothing_of_a_hostile_configuration_runs(repository: Path, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    evil = tmp_path / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {marker}\n")
    evil.chmod(0o755)
    with (repository / ".git/config").open("a") as config:
        config.write(
            f'[core]\n\tfsmonitor = {evil}\n\thooksPath = {tmp_path}\n[filter "x"]\n\tclean = {evil}\n\tsmudge = {evil}\n'
            f'[diff "x"]\n\ttextconv = {evil}\n[extensions]\n\tpartialClone = evil\n[remote "evil"]\n\turl = ext::{evil}\n'
            "\tpromisor = true\n[log]\n\tshowSignature = true\n"
        )
    (repository / ".gitattributes").write_text("* filter=x diff=x\n")
    for rev in (None, "HEAD"):
        with Tree.open(repository, rev) as tree:
            for file in tree.files:
                file.read()
    assert not marker.exists()


def test_an_absent_object_of_a_partial_clone_is_skipped_with_a_reason(repository: Path) -> None:
    blob = git(repository, "rev-parse", "HEAD:src/train.py")
    (repository / f".git/objects/{blob[:2]}/{blob[2:]}").unlink()
    with Tree.open(repository, "HEAD") as tree:
        with pytest.raises(ParseFailure, match="absent from this clone"):
            next(f for f in tree.files if f.path == "src/train.py").read()
        assert next(f for f in tree.files if f.path == "README.md").read() == b"# Project\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to somebody else")
def test_a_repository_of_another_owner_is_read_without_touching_the_configuration(repository: Path) -> None:
    for place in (repository, *repository.rglob("*")):
        os.chown(place, 12345, 12345, follow_symlinks=False)
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "status")
    assert paths(repository) == ["README.md", "src/train.py"]
    assert paths(repository, "HEAD") == ["README.md", "src/train.py"]
