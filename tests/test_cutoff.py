"""A change that states nothing new is given the answer from before it, and only such a change."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_audit import cutoff, start
from mlops_audit.cache import Cache
from mlops_audit.cli.output import ANSWER

LONG = "".join(f"    total = total + {number}  # and so on\n" for number in range(40))
FILES = {
    "src/train.py": (
        "import mlflow\nfrom sklearn.svm import SVC\nfrom helper import depth, width\n\n"
        f"def fit(x, y):\n    model = SVC().fit(x, y)\n    mlflow.log_metric('r2', 1)\n    return model\n\n\ndef more(total):\n{LONG}"
    ),
    "src/helper.py": f"depth = 3\n\n\ndef unseen(total):\n{LONG}    return total\n",
    "src/other.py": "import os\n\n\ndef noise(path):\n    return os.path.join(path, 'a')\n",
    "src/rows.py": "def pairs(rows):\n    return [(row, row) for row in rows]\n\n\ndef first(rows):\n    return pairs(rows)[0]\n",
    "src/names.py": "NAMES = ('a', 'b')\n\n\ndef names():\n    return list(NAMES)  # and so on\n",
    "tests/test_train.py": "from train import fit\n\n\ndef test_fit():\n    assert fit([], [])\n",
    "README.md": "# A model\n\nIt is trained on rows.\n\n## Limitations\n\nToo few rows.\n",
    "docs/notes.md": "# Notes\n\nNothing to see.\n",
    "Dockerfile": "FROM python:3.11\nCOPY . .\nRUN pip install -r requirements.txt\nCMD [\"python\", \"src/train.py\"]\n",
    "requirements.txt": "mlflow==2.14.1\nscikit-learn\n",
    ".github/workflows/ci.yml": "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: pytest\n      - run: python src/train.py\n",
    "look.ipynb": json.dumps({"cells": [{"cell_type": "code", "source": ["import wandb\n", "wandb.init()"], "outputs": []}]}),
    "conf/params.yaml": "train:\n  depth: 3\n",
}  # fmt: skip

Edit = Callable[[str], str]


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-C", root, "-c", "user.name=n", "-c", "user.email=e@x", *words], check=True, capture_output=True)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return root


class Runs:
    """Audits in this process; `held` tells whether the last one was told what an earlier one had found."""

    def __init__(
        self, root: Path, capture: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.root, self.capture, self.monkeypatch = root, capture, monkeypatch
        self.held = False
        holding = cutoff.holding

        def watched(*words: object) -> bytes | None:
            found = holding(*words)  # type: ignore[arg-type]
            self.held = found is not None
            return found

        monkeypatch.setattr(cutoff, "holding", watched)

    def __call__(self, *words: str) -> tuple[bytes, bytes, int]:
        ANSWER.said.clear()
        ANSWER.told.clear()
        ANSWER.lasting, ANSWER.report, self.held = False, None, False
        self.monkeypatch.setattr(sys, "argv", ["mlops-audit", "audit", str(self.root), *words])
        code = start.main()
        told = self.capture.readouterr()
        return told.out, told.err, code


@pytest.fixture
def runs(project: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(project, capfdbinary, monkeypatch)


def line_before(text: str, line: str, number: int) -> str:
    lines = text.split("\n")
    lines.insert(min(number, len(lines)), line)
    return "\n".join(lines)


EDITS: tuple[Edit, ...] = (
    lambda text: text + "\n# a comment\n",
    lambda text: text + "\n\n",
    lambda text: "\n" + text,
    lambda text: line_before(text, "# between", 3),
    lambda text: line_before(text, "", 9),
    lambda text: text + "\n\ndef added(rows):\n    print(rows)\n",
    lambda text: text + "\nimport mlflow\nmlflow.log_param('depth', 3)\n",
    lambda text: text.replace("depth", "width"),
    lambda text: text.replace("r2", "accuracy").replace("rows", "columns"),
    lambda text: text.replace("and so on", "and so forth"),
    lambda text: text + "\n# mlops-audit: ignore[model/experiment-tracking] not ours\n",
    lambda text: text.replace('"outputs": []', '"outputs": [{"text": "3"}]'),
    lambda text: text + "\nWe track every experiment with MLflow.\n",
    lambda text: text + "\n## Risks\n\nMany.\n",
    lambda text: text.replace("\n", "\r\n"),
    lambda text: text.replace("pytest", "python -m pytest").replace("3.11", "3.12"),
    lambda text: text[: len(text) // 2],
    lambda text: text + "é",
    lambda text: "",
)  # fmt: skip
HARMLESS = 5  # the first of them


@pytest.mark.parametrize(("seed", "format"), [(5, "json"), (2, "sarif"), (3, "json"), (4, "html")])
def test_after_any_edit_the_answer_is_the_one_of_a_run_that_knows_nothing(
    project: Path, runs: Runs, seed: int, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed % 2:
        monkeypatch.setattr("mlops_audit.asked.ENOUGH", 0)  # facts are left out as in a large repository
    chance, held = random.Random(seed), 0
    runs("--format", format)
    for _ in range(14):
        for _ in range(chance.choice((1, 1, 2))):
            place = project / chance.choice(sorted(FILES))
            if chance.random() < 0.05:
                place.unlink(missing_ok=True)
            elif not place.exists() or chance.random() < 0.3:
                place.write_text(FILES[place.relative_to(project).as_posix()])
            else:
                place.write_bytes(chance.choice(EDITS)(place.read_bytes().decode()).encode())
        if chance.random() < 0.3:
            git(project, "add", "-A")
        if chance.random() < 0.2:
            git(project, "commit", "-qm", "then", "--allow-empty")
        found = runs("--format", format)
        held += runs.held
        assert found == runs("--format", format, "--no-cache")
        assert found == runs("--format", format)
    assert held


@pytest.mark.parametrize(("seed", "format", "bare"), [(11, "json", False), (12, "sarif", True)])
def test_after_any_commit_the_answer_is_the_one_of_a_run_that_knows_nothing(
    project: Path, runs: Runs, seed: int, format: str, bare: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_audit.asked.ENOUGH", 0)
    chance, held = random.Random(seed), 0
    words = ("--format", format) if bare else ("--format", format, "--rev", "HEAD")
    if bare:
        runs.root = project.parent / "bare"
        git(project, "clone", "-q", "--bare", str(project), str(runs.root))
    for _ in range(14):
        for _ in range(chance.choice((1, 1, 2))):
            place = project / chance.choice(sorted(FILES))
            if chance.random() < 0.3:
                place.write_text(FILES[place.relative_to(project).as_posix()])
            else:
                place.write_bytes(chance.choice(EDITS)(place.read_bytes().decode()).encode())
        git(project, "commit", "-qam", "then", "--allow-empty")
        if bare:
            git(project, "push", "-q", str(runs.root), "--all")
        found = runs(*words)
        held += runs.held
        assert found == runs(*words, "--no-cache")
        assert found == runs(*words)
    assert held


NOTHING_NEW = [
    ("src/other.py", lambda text: text + "# a comment\n"),
    ("src/other.py", lambda text: "# a comment\n\n" + text),
    ("src/train.py", lambda text: text + "# a comment\n"),
    ("docs/notes.md", lambda text: "\n" + text),
    ("look.ipynb", lambda text: text.replace('"outputs": []', '"outputs": [{"text": "3"}]')),
]


@pytest.mark.parametrize(("path", "edit"), NOTHING_NEW)
def test_what_states_nothing_new_takes_no_audit(project: Path, runs: Runs, path: str, edit: Edit) -> None:
    first = runs("--format", "json")
    (project / path).write_text(edit((project / path).read_text()))
    cited = path in first[0].decode()
    assert runs("--format", "json") == first
    assert runs.held is (not cited or path.endswith(".py"))
    git(project, "commit", "-qam", "another")
    assert runs("--format", "json") == runs("--format", "json", "--no-cache")


SOMETHING = [
    ("src/train.py", lambda text: "# a comment\n" + text),  # the report names lines of it
    ("src/train.py", lambda text: text.replace("'r2', 1", "'r2',  1")),  # it shows them
    ("src/train.py", lambda text: text + "# mlops-audit: ignore[model/experiment-tracking] not ours\n"),
    (
        "src/helper.py",
        lambda text: text + "# width\n",
    ),  # its text was looked at for a name that no fact shows
    ("src/other.py", lambda text: text + "\nimport wandb\n"),
    ("src/other.py", lambda text: text + "def broken(:\n"),
    ("requirements.txt", lambda text: text + "wandb\n"),
]


@pytest.mark.parametrize(("path", "edit"), SOMETHING)
def test_what_could_tell_more_takes_an_audit(project: Path, runs: Runs, path: str, edit: Edit) -> None:
    runs("--format", "json")
    (project / path).write_text(edit((project / path).read_text()))
    found = runs("--format", "json")
    assert not runs.held
    assert found == runs("--format", "json", "--no-cache")


def test_a_template_of_projects_takes_an_audit(project: Path, runs: Runs) -> None:
    (project / "cookiecutter.json").write_text("{}")
    git(project, "add", "-A")
    runs("--format", "json")
    (project / "src/other.py").write_text(FILES["src/other.py"] + "# a comment\n")
    runs("--format", "json")
    assert not runs.held


def test_an_answer_that_is_forgotten_is_found_out_again(project: Path, runs: Runs) -> None:
    first = runs("--format", "json")
    for file in (project.parent / "kept/mlops-audit").glob("report-*"):
        file.unlink()
    (project / "src/other.py").write_text(FILES["src/other.py"] + "# a comment\n")
    assert runs("--format", "json") == first
    assert os.listdir(project.parent / "kept/mlops-audit")


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ("report", ()),
        ("report", ("--rev", "HEAD")),
        ("ground", ()),
        ("facts", ()),
        ("index", ()),
        ("rules", ()),
    ],
)
@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(file.read_bytes()[:300])])
def test_what_is_gone_from_the_cache_or_damaged_is_found_out_again(
    project: Path, runs: Runs, words: tuple[str, ...], kinds: str, damage: Callable[[Path], object]
) -> None:
    words = ("--format", "json", *words)
    first = runs(*words)
    place = project / "src/other.py"
    for text in (FILES["src/other.py"], FILES["src/other.py"] + "# a comment\n"):
        for file in (project.parent / "kept/mlops-audit").glob(f"{kinds}-*"):
            damage(file)
        place.write_text(text)
        git(project, "commit", "-qam", "then", "--allow-empty")
        known = runs(*words, "--no-cache")
        assert runs(*words) == runs(*words) == known
        assert known[2] == first[2]


def test_an_answer_that_leads_to_one_that_leads_on_is_found_out_again(project: Path, runs: Runs) -> None:
    first = runs("--format", "json")
    kept = project.parent / "kept/mlops-audit"
    for file in kept.glob("report-*"):
        file.unlink()
    cache = Cache(str(kept))
    for _ in range(2):
        assert runs("--format", "json") == first
        asked = start.audited(["audit", str(project), "--format", "json"])
        assert asked is not None
        question = start._question(asked[2], asked[0], "", cache)
        assert question is not None
        cache.put("report", question.key, question.key)  # what no program of ours writes
    assert runs("--format", "json") == first


def test_a_line_is_told_by_the_text_up_to_it_and_its_fingerprint_by_what_follows_too() -> None:
    text = b"import mlflow\n\nmlflow.log_metric('r2', 1)\n"
    head = cutoff._head(text, "a.py", (3, 0), False)
    assert head is not None
    assert cutoff._begins(text + b"# more\n", head)
    assert not cutoff._begins(text.replace(b"r2", b"f1"), head)
    assert cutoff._head(text, "a.py", (3, 3), False) is None
    assert cutoff._head(text + b"x = 1\n" * 200, "a.py", (3, 3), False) is not None


def test_a_comment_below_a_line_whose_fingerprint_is_told_takes_an_audit(project: Path, runs: Runs) -> None:
    place = project / "src/train.py"
    place.write_text(
        FILES["src/train.py"].partition("\n    return model")[0] + "\n"
    )  # it ends with what is found
    git(project, "commit", "-qam", "shorter")
    first = runs("--format", "sarif")
    place.write_text(place.read_text() + "# a comment\n")
    second = runs("--format", "sarif")
    assert not runs.held
    assert second == runs("--format", "sarif", "--no-cache")
    assert second != first


def test_a_comment_that_excused_something_and_is_gone_takes_an_audit(project: Path, runs: Runs) -> None:
    place = project / "src/other.py"
    without = place.read_text()
    for reason in ("ignore[model/experiment-tracking] not ours", "ignore[monitor/data-drift] no inputs"):
        place.write_text(f"{without}# mlops-audit: {reason}\n")
        runs("--format", "json")
        place.write_text(without)
        assert runs("--format", "json") == runs("--format", "json", "--no-cache")


UNHEARD = [
    ("src/other.py", "    return os", "    print(path)\n    return os"),
    ("src/rows.py", "    return [(", "    value = 'some words'\n    return [("),
    ("src/names.py", "    return list", "    frame(NAMES)\n    return list"),
]


@pytest.mark.parametrize(("path", "old", "new"), UNHEARD)
def test_what_nobody_listens_for_takes_no_audit(
    project: Path, runs: Runs, path: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_audit.asked.ENOUGH", 0)
    runs("--format", "json")
    place = project / path
    place.write_text(place.read_text().replace(old, new))
    found = runs("--format", "json")
    assert runs.held
    assert found == runs("--format", "json", "--no-cache")


def test_below_the_last_line_that_is_shown_places_may_move(
    project: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = project / "src/train.py"
    before = FILES["src/train.py"] + "\n\ndef last(total):\n    return total\n"
    after = before.replace("def last", "# a comment\n\ndef last")
    for known in (True, False):
        if not known:  # a text may name any line of the file
            monkeypatch.setattr(cutoff, "_tell_a_line", lambda shown, path: True)
            shutil.rmtree(project.parent / "kept")
        place.write_text(before)
        runs("--format", "json")
        place.write_text(after)
        found = runs("--format", "json")
        assert runs.held is known
        assert found == runs("--format", "json", "--no-cache")


def test_lines_that_texts_name_are_told() -> None:
    assert cutoff._tell_a_line(["python a.py", "starts at b.py:3"], "b.py")
    assert not cutoff._tell_a_line(["python a.py", "starts at b.py:3"], "a.py")


@pytest.mark.parametrize(("number", "held"), [(4, True), (5, False)])
def test_what_many_files_no_longer_say_takes_an_audit(
    project: Path, runs: Runs, number: int, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_audit.asked.ENOUGH", 0)
    files = [project / f"src/more_{n}.py" for n in range(5)]
    for n, file in enumerate(files):
        file.write_text(f"def more_{n}(rows):\n    unseen(rows)\n    return rows\n")
    git(project, "add", "-A")
    runs("--format", "json")
    for file in files[:number]:
        file.write_text(file.read_text().replace("unseen(rows)", "frame(rows)"))
    found = runs("--format", "json")
    assert runs.held is held
    assert found == runs("--format", "json", "--no-cache")


def test_a_definition_more_takes_no_audit_in_the_only_file_that_changed(
    project: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_audit.asked.ENOUGH", 0)
    runs("--format", "json")
    for path, held in (("src/other.py", True), ("src/rows.py", False)):
        place = project / path
        place.write_text(place.read_text() + "\n\ndef frame(table):\n    return sorted(table)\n")
        found = runs("--format", "json")
        assert runs.held is held
        assert found == runs("--format", "json", "--no-cache")
