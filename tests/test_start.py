"""The answer that was given to the very same question is given again; any other question is asked anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import mlops_audit
from mlops_audit import index
from mlops_audit.answer import of_commit
from mlops_audit.audit import audit
from mlops_audit.cache import NOTHING_KEPT, Cache
from mlops_audit.question import Question, question
from mlops_audit.report import FORMATS, NAMING_THE_COMMIT, render
from mlops_audit.revision import question_of_commit
from mlops_audit.start import audited

TRAIN = "import mlflow\nfrom sklearn.svm import SVC\n\nSVC().fit(x, y)\nmlflow.log_metric('r2', 1)\n"
HEAVY = (
    "click",
    "ruamel",
    "_ruamel_yaml",
    "rich",
    "jinja2",
    "git",
    "tomli",
    "markdown_it",
    "tree_sitter",
    "dataclasses",
    "re",
    "typing",
)


def git(root: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-C", root, "-c", "user.name=n", "-c", "user.email=e@x", *words],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src/train.py").write_text(TRAIN)
    (root / "README.md").write_text("# A model\n")
    git(root, "init", "-q")
    time.sleep(0.02)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


def asked(root: Path, cache: Cache = NOTHING_KEPT) -> Question | None:
    return question(
        ["audit", str(root)],
        os.path.realpath(root),
        {"HOME": str(root.parent), "XDG_CONFIG_HOME": str(root.parent)},
        cache,
    )


def key(root: Path) -> bytes:
    """The key of a question, whether or not the index was read before."""
    found, again = asked(root), asked(root, Cache(str(root.parent / "cache")))
    assert found is not None
    assert again is not None
    assert (found.key, found.files) == (again.key, again.files)
    return found.key


def same_size_and_time(root: Path) -> None:
    place = root / "src/train.py"
    before = place.stat()
    place.write_text(TRAIN.replace("SVC", "SVR"))
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))


def linked_away(root: Path) -> None:
    (root / "README.md").unlink()
    (root / "README.md").symlink_to("/etc/hostname")


CHANGES: tuple[Callable[[Path], object], ...] = (
    lambda root: (root / "src/train.py").write_text(TRAIN + "x = 1\n"),
    same_size_and_time,
    lambda root: (root / "src/train.py").unlink(),
    linked_away,
    lambda root: (root / ".mlops-audit.toml").write_text("fail_below_maturity = 1\n"),  # git need not know of it
    lambda root: ((root / "mlops-audit").mkdir(exist_ok=True), (root.parent / "mlops-audit").mkdir(),
                  (root.parent / "mlops-audit/config.toml").write_text("")),
    lambda root: ((root / "new.py").write_text(""), git(root, "add", "new.py")),
    lambda root: git(root, "rm", "-q", "--cached", "README.md"),
    lambda root: (root / ".git/HEAD").write_text("ref: refs/heads/none\n"),
    lambda root: git(root, "config", "core.worktree", ".."),
    lambda root: git(root, "update-index", "--skip-worktree", "README.md"),
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_an_audit_could_see_makes_another_question(
    project: Path, change: Callable[[Path], object]
) -> None:
    before = key(project)
    assert key(project) == before
    change(project)
    assert key(project) != before


UNSEEN: tuple[Callable[[Path], object], ...] = (
    lambda root: (root / "untracked.py").write_text("import wandb\n"),
    lambda root: os.utime(root / "src/train.py"),
    lambda root: (os.utime(root / "src/train.py"), git(root, "add", "-A")),
    lambda root: git(root, "update-index", "--index-version", "4"),
    lambda root: git(root, "commit", "-q", "--allow-empty", "-m", "another commit"),
    lambda root: git(root, "pack-refs", "--all"),
    lambda root: git(root, "checkout", "-q", "--detach"),
)  # fmt: skip


@pytest.mark.parametrize("change", UNSEEN)
def test_what_no_audit_sees_but_the_name_of_the_commit_makes_no_other_question(
    project: Path, change: Callable[[Path], object]
) -> None:
    before = key(project)
    change(project)
    assert key(project) == before
    found, head = (
        asked(project),
        subprocess.run(["git", "-C", project, "rev-parse", "HEAD"], capture_output=True),
    )
    assert found is not None
    assert found.commit == head.stdout.decode().strip()


def test_a_link_is_asked_for_where_it_leads_though_the_index_was_read_before(project: Path) -> None:
    link = project / "latest"
    link.symlink_to("README.md")
    git(project, "add", "-A")
    before = key(project)
    link.unlink()
    link.symlink_to("src/train.py")
    assert key(project) != before


def test_an_index_that_was_written_again_is_read_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, read = key(project), []
    entries = index.entries
    monkeypatch.setattr(index, "entries", lambda *words: read.append(words) or entries(*words))
    cache = Cache(str(project.parent / "cache"))
    assert asked(project, cache) is not None
    assert not read
    os.utime(project / ".git/index")
    found = asked(project, cache)
    assert found is not None
    assert found.key == before
    assert read


@pytest.mark.parametrize("folder", ["src", ".git"])
def test_a_folder_that_is_a_link_takes_a_closer_look(project: Path, folder: str) -> None:
    cache = Cache(str(project.parent / "cache"))
    assert asked(project, cache) is not None
    (project / folder).rename(project.parent / "elsewhere")
    (project / folder).symlink_to(project.parent / "elsewhere")
    assert asked(project) is None
    assert asked(project, cache) is None


@pytest.mark.parametrize(
    "words",
    [
        ["audit", ".", "--no-cache"], ["audit", ".", "--output", "json=x"], ["audit", "--output=json=x"], ["audit", "--rev"],
        ["audit", "--rev="], ["audit", "--rev", "a", "--rev", "b"],
        ["audit", "--rules", "x"], ["audit", "--baseline", "x"], ["audit", "--extends", "x"], ["audit", "--config-from", "HEAD"],
        ["audit", "--format", "github"], ["audit", "--format=github"], ["audit", "a", "b"], ["audit", "--trend", "x"],
        ["audit", "--time-limit", "5"], ["audit", "--", "."], ["facts"], ["compare", "HEAD"], [], ["audit", "--help"], ["audit", "--format"],
    ],
)  # fmt: skip
def test_what_brings_in_anything_else_is_never_answered_from_before(words: list[str]) -> None:
    assert audited(words) is None


def test_the_folder_is_known_whatever_options_stand_around_it() -> None:
    words = ["audit", "--format", "json", "/usr", "-q", "--fail-on=major"]
    found, other = audited(words), audited([*words, "--rev", "main"])
    assert found is not None
    assert other is not None
    assert found[:2] == (os.path.realpath("/usr"), "")
    assert other[:2] == (os.path.realpath("/usr"), "main")
    assert other == audited(["audit", "--format=json", "/usr", "-q", "--fail-on", "major", "--rev=main"])
    assert other[2] != found[2]


def run(project: Path, *words: str, heavy: tuple[str, ...] = ()) -> tuple[bytes, bytes, int]:
    """What a fresh process says; it fails when it has imported any of `heavy`."""
    script = (
        "import sys\nfrom mlops_audit.start import main\ncode = main()\n"
        f"heavy = set({heavy!r}) & set(sys.modules) - before\nassert not heavy, heavy\nsys.exit(code)\n"
    )
    before = "import sys\nbefore = set(sys.modules)\n"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(project.parent),
        "XDG_CACHE_HOME": str(project.parent / "kept"),
        "PYTHONPATH": str(Path(mlops_audit.__file__).parent.parent),
    }
    ran = subprocess.run(
        [sys.executable, "-c", before + script, *words],
        env=environment,
        capture_output=True,
        cwd=project.parent,
    )
    return ran.stdout, ran.stderr, ran.returncode


def test_a_second_audit_says_the_same_with_next_to_nothing_imported(project: Path) -> None:
    words = ("audit", str(project), "--format", "json", "--fail-below-maturity", "4")
    first = run(project, *words)
    assert first[2] == 1
    assert b"gate failed" in first[1]
    assert json.loads(first[0])
    assert run(project, *words, heavy=HEAVY) == first
    assert run(project, *words, "--no-cache") == first
    (project / "src/train.py").write_text("import sklearn.svm\nsklearn.svm.SVC().fit(x, y)\n")
    changed = run(project, *words)
    assert changed != first
    assert run(project, *words, "--no-cache") == changed


@pytest.mark.parametrize("format", [format for format in FORMATS if format != "github"])
def test_after_a_commit_the_same_answer_names_it(project: Path, format: str) -> None:
    words = ("audit", str(project), "--format", format)
    first = run(project, *words)
    git(project, "commit", "-q", "--allow-empty", "-m", "another")
    after = run(project, *words, heavy=HEAVY)
    assert (after == first) is (format not in NAMING_THE_COMMIT)
    assert run(project, *words, "--no-cache") == after


def of_revision(root: Path, rev: str) -> Question | None:
    return question_of_commit(["audit"], os.path.realpath(root), rev, {"XDG_CONFIG_HOME": str(root.parent)})


def test_a_commit_is_asked_for_by_its_files_however_it_is_named(project: Path, tmp_path: Path) -> None:
    git(project, "tag", "-a", "v1", "-m", "one")
    first = of_revision(project, "HEAD")
    assert first is not None
    assert [(path, mode) for path, mode, _, _ in first.files] == [
        (b"README.md", 0o100644),
        (b"src/train.py", 0o100644),
    ]
    blobs = {os.fsdecode(path): blob for path, _, _, blob in first.files}
    assert first.texts(blobs) == {"README.md": b"# A model\n", "src/train.py": TRAIN.encode()}
    assert first.texts({"README.md": b"\0" * 20}) == {}
    git(project, "commit", "-q", "--allow-empty", "-m", "another")
    git(project, "clone", "-q", "--bare", str(project), str(tmp_path / "bare"))
    for rev in ("HEAD", "HEAD~1", "v1", first.commit):
        found = of_revision(project, rev)
        assert found is not None
        assert found.key == first.key
        assert (found.commit == first.commit) is (rev != "HEAD")
    bare = of_revision(tmp_path / "bare", "")
    assert bare is not None
    assert bare.files == first.files
    assert of_revision(project, "") is None
    assert of_revision(project, "nowhere") is None
    assert of_revision(tmp_path, "HEAD") is None


@pytest.mark.parametrize("file", [".mlops-audit.toml", "pyproject.toml", "new.py"])
def test_what_a_commit_adds_makes_another_question(project: Path, file: str) -> None:
    first = of_revision(project, "HEAD")
    (project / file).write_text("\n")
    assert first is not None
    unseen = of_revision(project, "HEAD")
    assert unseen is not None
    assert unseen.key == first.key
    git(project, "add", "-A")
    git(project, "commit", "-qm", "more")
    found = of_revision(project, "HEAD")
    assert found is not None
    assert found.key != first.key
    assert (found.terms == first.terms) is (file == "new.py")


def test_a_list_of_files_without_end_takes_a_closer_look(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_audit.revision.MAX_LISTED", 50)
    assert of_revision(project, "HEAD") is None


def test_texts_that_are_too_large_are_not_read_at_once(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = of_revision(project, "HEAD")
    assert found is not None
    monkeypatch.setattr("mlops_audit.revision.MAX_TEXTS", 20)
    blobs = {os.fsdecode(path): blob for path, _, _, blob in found.files}
    assert found.texts({"README.md": blobs["README.md"]})
    assert not found.texts(blobs)


def test_a_text_is_read_only_while_it_is_the_one_that_was_asked_for(project: Path) -> None:
    tree, commit = asked(project), of_revision(project, "HEAD")
    assert tree is not None
    assert commit is not None
    blobs = {os.fsdecode(path): blob for path, _, _, blob in commit.files}
    assert tree.texts(blobs) == commit.texts(blobs) != {}
    assert tree.texts({"README.md": blobs["src/train.py"]}) == {}
    one, other = [project / ".git/objects" / blob.hex()[:2] / blob.hex()[2:] for blob in blobs.values()]
    one.unlink()
    one.write_bytes(other.read_bytes())
    assert commit.texts(blobs) == {}


def test_an_answer_about_a_commit_whose_files_are_absent_is_not_kept(project: Path) -> None:
    (project / "big.py").write_text("import wandb\nwandb.init()\n")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "more")
    blob = subprocess.run(
        ["git", "-C", project, "rev-parse", "HEAD:big.py"], capture_output=True, text=True
    ).stdout.strip()
    place = project / ".git/objects" / blob[:2] / blob[2:]
    place.rename(project.parent / "away")
    words = ("audit", str(project), "--format", "json", "--rev", "HEAD")
    without = run(project, *words)
    (project.parent / "away").rename(place)
    found = run(project, *words)
    assert b"absent from this clone" in without[0]
    assert b"absent from this clone" not in found[0]
    assert found == run(project, *words, "--no-cache")


@pytest.mark.parametrize("width", range(40, 130, 7))
def test_no_terminal_is_too_narrow_for_another_commit(project: Path, width: int) -> None:
    found = audit(project)
    one, other = [render(replace(found, commit=id * 40), "terminal", width=width) for id in "ab"]
    assert one != other
    assert of_commit(one, "a" * 40, "b" * 40) == other


def test_an_answer_that_a_baseline_could_change_is_not_kept(project: Path) -> None:
    run(project, "baseline", "write", str(project))
    (name,) = [path.name for path in project.iterdir() if "baseline" in path.name]
    (project / ".mlops-audit.toml").write_text(f'baseline = "{name}"\n')
    held = run(project, "audit", str(project), "--format", "json")
    assert b"held back" in held[1]
    (project / name).unlink()
    assert run(project, "audit", str(project), "--format", "json")[2] == 2


def test_the_version_is_told_with_next_to_nothing_imported(project: Path) -> None:
    out, err, code = run(project, "--version", heavy=HEAVY)
    assert (err, code) == (b"", 0)
    assert out.startswith(b"mlops-audit ")


ASKED_FOR_BY_FILES = ("ruamel", "_ruamel_yaml", "rich", "jinja2", "git", "tree_sitter", "packaging", "tomli")
HARDLY_EVER = ("tempfile", "difflib", "_hashlib", "subprocess")


def test_an_audit_by_kept_rules_imports_only_what_a_file_asks_for(project: Path) -> None:
    """The project has Python and a document, and no YAML, TOML or requirements."""
    words = ("audit", str(project), "--format", "json")
    first = run(project, *words)
    (project / "src/train.py").write_text(TRAIN + "\nx = 1\n")
    assert run(project, *words, heavy=ASKED_FOR_BY_FILES + HARDLY_EVER)[2] == first[2]
