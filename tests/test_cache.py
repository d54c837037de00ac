"""What is kept between runs: the same reports, in a bounded folder that nobody else can have written."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_audit import catalogue
from mlops_audit.audit import NothingToAudit, audit
from mlops_audit.cache import Cache, digest, user_folder
from mlops_audit.memory import Memory, blob_id
from mlops_audit.report import render
from mlops_audit.rule_packs import rule_pack
from mlops_audit.rules import Pack
from mlops_audit.tree import Tree

TRAIN = (
    "import mlflow\n\nfrom sklearn.svm import SVC\n\nmodel = SVC().fit(x, y)\nmlflow.log_metric('r2', 1)\n"
)
TEXTS = (
    TRAIN, TRAIN + "mlflow.log_param('depth', 3)\n", "def broken(:\n", "", "x = 1\n", "# Title\n\n## Limitations\n\nToo few rows.\n",
    "on: push\njobs:\n  a:\n    steps:\n      - run: python src/train.py\n", "a: [\n", "[project]\nname = 'x'\n",
    '{"cells": [{"cell_type": "code", "source": ["import wandb\\n", "wandb.init()"]}]}',
)  # fmt: skip
PATHS = (
    "src/train.py",
    "src/other.py",
    "README.md",
    ".github/workflows/ci.yml",
    "pyproject.toml",
    "look.ipynb",
    "tests/test_a.py",
)


def git(root: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-C", root, "-c", "user.name=n", "-c", "user.email=e@x", *words],
        check=True,
        capture_output=True,
    )


def report(root: Path, cache: Cache | None, rev: str | None = None) -> str:
    try:
        found = audit(root, rev, **({"cache": cache} if cache else {}))  # type: ignore[arg-type]
    except NothingToAudit as nothing:
        return str(nothing)
    return render(found, "json")


EDITS = st.lists(
    st.tuples(
        st.sampled_from(PATHS), st.sampled_from((*TEXTS, None)), st.sampled_from(("", "", "add", "commit"))
    ),
    max_size=4,
)


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(EDITS)
def test_after_any_edits_the_report_is_the_one_of_a_run_that_knows_nothing(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, str | None, str]]
) -> None:
    root, cache = tmp_path_factory.mktemp("project"), Cache(str(tmp_path_factory.mktemp("kept")))
    git(root, "init", "-q")
    (root / "src").mkdir()
    (root / "src/train.py").write_text(TRAIN)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    assert report(root, cache) == report(root, None)
    for path, text, then in edits:
        place = root / path
        if text is None:
            place.unlink(missing_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        if then:
            git(root, "add", "-A")
        if then == "commit":
            git(root, "commit", "-qm", "then", "--allow-empty")
        assert report(root, cache) == report(root, None)
    assert report(root, cache, "HEAD") == report(root, None, "HEAD")


def test_a_file_that_git_saw_long_ago_is_not_read_again(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "train.py").write_text(TRAIN)
    time.sleep(0.05)
    git(tmp_path, "add", "-A")
    with Tree.open(tmp_path) as tree:
        (file,) = tree.files
        assert file.blob == blob_id(TRAIN.encode())
        memory = Memory()
        first = memory.extract(tree.files)
        (tmp_path / "train.py").unlink()
        assert memory.extract(tree.files) == first


def test_a_change_of_the_same_size_in_the_same_moment_is_seen(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    place = tmp_path / "train.py"
    place.write_text("import mlflow\n")
    git(tmp_path, "add", "-A")
    before = os.stat(place)
    place.write_text("import polars\n")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    with Tree.open(tmp_path) as tree:
        assert [file.blob for file in tree.files] == [""]
        assert "polars" in [fact.name for fact in Memory().extract(tree.files)[0]]


def test_an_index_that_names_another_content_teaches_nothing_wrong(tmp_path: Path) -> None:
    """Facts are kept under the id of what was read, whatever the audited repository's index says it was."""
    kept: dict[object, object] = {}
    tree = Tree.of({"a.py": "import polars\n"})
    (file,) = tree.files
    lying = type(file)(file.path, file.zone, file.read, blob=blob_id(b"import mlflow\n"))
    Memory(kept).extract([lying])  # type: ignore[arg-type]
    assert [key[3] for key in kept] == [blob_id(b"import polars\n")]  # type: ignore[index]


def test_compiled_rules_are_the_rules(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "kept"))
    pack, standard = rule_pack(examples=True), catalogue.load()
    bare = Pack(tuple(rule._replace(examples=()) for rule in pack.rules), pack.kinds)
    assert rule_pack((), cache) == rule_pack((), Cache(cache.folder)) == bare
    assert catalogue.load() == standard
    assert catalogue.load() is not standard
    assert [part for part, _, _ in cache.entries()] == ["rules"]


@pytest.mark.parametrize("cut", [0, 5, 40, -1])
def test_a_damaged_entry_counts_as_absent_and_is_made_again(tmp_path: Path, cut: int) -> None:
    cache = Cache(str(tmp_path))
    cache.put("facts", b"key", {"a": 1})
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    file.write_bytes(data[:cut])
    assert cache.get("facts", b"key") is None
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert cache.known("facts", b"key", lambda: {"a": 2}) == {"a": 2}
    assert cache.get("facts", b"key") == {"a": 2}


def test_an_entry_of_another_key_counts_as_absent(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path))
    cache.put("facts", b"key", 1)
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / f"facts-{digest(b'other').hex()}.entry")
    assert cache.get("facts", b"other") is None


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="only POSIX files tell who may write them")
def test_what_others_can_write_counts_as_absent(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path))
    cache.put("facts", b"key", 1)
    assert cache.get("facts", b"key") == 1
    (file,) = tmp_path.iterdir()
    file.chmod(0o666)
    assert cache.get("facts", b"key") is None
    file.chmod(0o600)
    tmp_path.chmod(0o777)
    assert cache.get("facts", b"key") is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "kept"))
    cache.put("facts", b"key", 1)
    (file,) = (tmp_path / "kept").iterdir()
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert cache.get("facts", b"key") is None


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path), limit=3_000)
    for number in range(4):
        cache.put("facts", b"%d" % number, "x" * 800)
        for file in tmp_path.iterdir():
            os.utime(file, (file.stat().st_mtime - 100, file.stat().st_mtime - 100))
        assert cache.get("facts", b"0") == "x" * 800
    assert cache.get("facts", b"1") is None
    assert cache.get("facts", b"3") == "x" * 800
    assert cache.clear() == 3
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(str(tmp_path / "file/below"))
    assert cache.known("facts", b"key", lambda: 3) == 3
    assert cache.entries() == []


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({"HOME": "/home/a"}, "linux", "/home/a/.cache/mlops-audit"),
        ({"HOME": "/home/a", "XDG_CACHE_HOME": "/c"}, "linux", "/c/mlops-audit"),
        ({"HOME": "/home/a", "XDG_CACHE_HOME": "relative"}, "linux", "/home/a/.cache/mlops-audit"),
        ({"HOME": "/Users/a"}, "darwin", "/Users/a/Library/Caches/mlops-audit"),
        ({"LOCALAPPDATA": "C:\\L"}, "win32", "C:\\L\\mlops-audit\\Cache"),
        ({}, "linux", ""),
    ],
)
def test_each_platform_has_its_folder(environment: dict[str, str], platform: str, expected: str) -> None:
    assert user_folder(environment, platform) == expected


@pytest.mark.parametrize("digits", [40, 64])
def test_the_id_of_a_content_is_git_s(digits: int) -> None:
    method = {40: hashlib.sha1, 64: hashlib.sha256}[digits]
    assert blob_id(b"hello\n", digits) == method(b"blob 6\0hello\n").hexdigest()


def test_the_presence_of_a_file_that_nothing_reads_is_kept_too() -> None:
    kept: dict[object, object] = {}
    (file,) = Tree.of({"model.bin": "x"}).files
    Memory(kept).extract([file._replace(blob="1")])  # type: ignore[arg-type]
    asked = Memory(kept)  # type: ignore[arg-type]
    assert [fact.name for fact in asked.extract([file._replace(blob="1")])[0]] == ["model.bin"]
    assert [key[3] for key in kept] == ["1"]  # type: ignore[index]
