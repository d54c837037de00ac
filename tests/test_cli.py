"""The command line: exit codes, one clear line for a wrong word, outputs, colour, and nothing run from the repository."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import mlops_audit
from mlops_audit import catalogue, cli

TRAINING = {
    "requirements.txt": "scikit-learn==1.5.0\n",
    "src/train.py": (
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.datasets import load_iris\n\n"
        "x, y = load_iris(return_X_y=True)\n"
        "model = LogisticRegression()\n"
        "model.fit(x, y)\n"
    ),
}


@dataclass
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-configuration"))
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    hook = sys.excepthook

    def call(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as left:
            cli.main([str(argument) for argument in arguments])
        sys.excepthook = hook
        captured = capfd.readouterr()
        assert isinstance(left.value.code, int)
        return Ran(left.value.code, captured.out, captured.err)

    return call


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return laid_out(tmp_path / "shop", TRAINING)


def laid_out(root: Path, files: dict[str, str]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def program(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlops_audit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload,no-any-return]


# -------------------------------------------------------------------------------------------------- exit codes


def test_a_passed_audit_exits_0_with_the_report_alone_on_stdout(run: Run, project: Path) -> None:
    ran = run("audit", project)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("MLOps audit of shop\n")


@pytest.mark.parametrize("format", ["terminal", "markdown", "json", "sarif"])
@pytest.mark.parametrize(
    ("gate", "code"),
    [
        (["--fail-below-maturity", "4"], 1),
        (["--fail-below-maturity", "0"], 0),
        (["--fail-below-score", "10"], 1),
        (["--fail-below-score", "0"], 0),
        (["--fail-below-score", "total=0", "--fail-below-score", "data=10"], 1),
        (["--fail-on", "critical"], 1),
    ],
)
def test_gates_decide_the_exit_code_whatever_the_format(
    run: Run, project: Path, gate: Sequence[str], code: int, format: str
) -> None:
    ran = run("audit", project, "--format", format, *gate)
    assert ran.code == code
    assert ran.out
    assert ("gate failed" in ran.err) == (code == 1)


@pytest.mark.parametrize("format", ["terminal", "json"])
@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "there are no files"),
        (
            {"README.md": "# We train models with MLflow\n", "docs/a.md": "x\n"},
            "only documents, no code (2 files)",
        ),
        (
            {"setup.py": "from setuptools import setup\nsetup()\n", "a/b.py": "print(1)\n"},
            "no sign of machine learning",
        ),
    ],
)
def test_nothing_to_audit_exits_3_and_says_why_in_one_line(
    run: Run, tmp_path: Path, files: dict[str, str], reason: str, format: str
) -> None:
    ran = run("audit", laid_out(tmp_path / "other", files), "--format", format, "--fail-below-maturity", "4")
    assert (ran.code, ran.out) == (3, "")
    assert reason in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["adit"], "unknown command 'adit'; did you mean 'audit'?"),
        (["audit", "--formt", "json"], "--format"),
        (["audit", "--format", "jsn"], "unknown format 'jsn'; did you mean 'json'?"),
        (["audit", "--output", "jsn=x"], "unknown format 'jsn'; did you mean 'json'?"),
        (["audit", "--output", "x"], "--output takes FORMAT=PATH, not 'x'"),
        (["audit", "--fail-on", "majr"], "unknown severity 'majr'; did you mean 'major'?"),
        (["audit", "--fail-below-score", "dta=3"], "unknown pillar 'dta'; did you mean 'data'?"),
        (["audit", "--fail-below-score", "11"], "a score is a number from 0 to 10, not '11'"),
        (["audit", "--fail-below-maturity", "5"], "a level is a whole number from 0 to 4, not '5'"),
        (["audit", "--profile", "uk-gv"], "unknown profile 'uk-gv'; did you mean 'uk-gov'?"),
        (["audit", "--color", "alwys"], "unknown value of --color 'alwys'; did you mean 'always'?"),
        (["explain", "data/versoning"], "unknown aspect 'data/versoning'; did you mean 'data/versioning'?"),
        (["explain", "versioning"], "unknown aspect 'versioning'; did you mean 'data/versioning'?"),
        (["facts", "--kind", "cal"], "unknown kind of fact 'cal'; did you mean 'call'?"),
        (["completion", "bsh"], "unknown shell 'bsh'; did you mean 'bash'?"),
        ([], "--help"),
    ],
)
def test_a_wrong_word_is_one_clear_line_and_exit_2(run: Run, arguments: Sequence[str], line: str) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert line in ran.err
    assert ran.err.startswith("mlops-audit: ")
    assert ran.err.count("\n") == 1


def test_a_wrong_path_names_the_nearest_folder(run: Run, project: Path) -> None:
    ran = run("audit", project.parent / "shp")
    assert (ran.code, ran.out) == (2, "")
    assert f"did you mean '{project}'?" in ran.err


def test_a_revision_that_is_not_there_exits_2(run: Run, project: Path) -> None:
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    ran = run("audit", project, "--rev", "nope")
    assert (ran.code, ran.out) == (2, "")
    assert "nope" in ran.err


def test_a_crash_is_no_verdict(project: Path) -> None:
    crash = (
        "import mlops_audit.report as r, mlops_audit.cli as c\n"
        "def broken(*a, **k): raise RuntimeError('boom')\n"
        "r.render = broken\n"
        f"c.main(['audit', {str(project)!r}])"
    )
    ran = subprocess.run([sys.executable, "-c", crash], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (4, "")
    assert "Traceback" in ran.stderr
    assert "RuntimeError: boom" in ran.stderr


def test_an_interrupt_exits_130(project: Path) -> None:
    slow = (
        "import sys, time, mlops_audit.audit, mlops_audit.cli as c\n"
        "def audit(*x, **k):\n    print('started', flush=True); time.sleep(300)\n"
        "sys.modules['mlops_audit.audit'].audit = audit\n"
        f"c.main(['audit', {str(project)!r}])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", slow], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(250) == 130


def test_a_closed_pipe_is_silent(project: Path) -> None:
    command = f"{sys.executable} -m mlops_audit audit {project} --format json | head -c 1"
    ran = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "{", "")


# -------------------------------------------------------------------------------------------------- outputs


def test_outputs_are_whole_files_beside_the_report_on_stdout(run: Run, project: Path, tmp_path: Path) -> None:
    ran = run(
        "audit", project, "--output", f"json={tmp_path}/a.json", "--output", f"sarif={tmp_path}/a.sarif"
    )
    assert ran.code == 0
    assert json.loads((tmp_path / "a.json").read_text())["project"] == "shop"
    assert json.loads((tmp_path / "a.sarif").read_text())["version"] == "2.1.0"
    assert ran.err.splitlines() == [
        f"mlops-audit: wrote json to {tmp_path}/a.json",
        f"mlops-audit: wrote sarif to {tmp_path}/a.sarif",
    ]
    assert not [p.name for p in tmp_path.iterdir() if p.name.endswith(".tmp")]
    assert run("audit", project, "-q", "--output", f"json={tmp_path}/a.json").err == ""


def test_an_output_that_cannot_be_written_exits_2_before_anything_is_audited(
    run: Run, project: Path, tmp_path: Path
) -> None:
    for target in (tmp_path / "absent/a.json", tmp_path):
        ran = run("audit", project, "--output", f"json={target}")
        assert (ran.code, ran.out) == (2, "")


def test_an_output_never_follows_a_link_that_the_audited_folder_lays(
    run: Run, project: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (project / "report.json").symlink_to(precious)
    ran = run("audit", project, "--output", f"json={project}/report.json")
    assert ran.code == 2
    assert precious.read_text() == "mine"


def test_the_report_is_the_same_from_run_to_run_and_holds_no_absolute_path(run: Run, project: Path) -> None:
    for format in ("terminal", "markdown", "json", "sarif"):
        first, second = (run("audit", project, "--format", format).out for _ in range(2))
        assert first == second
        assert str(project.parent) not in first


# -------------------------------------------------------------------------------------------------- colour


def test_pipes_get_no_colour_and_the_option_goes_before_the_environment(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def colored(*arguments: str) -> bool:
        return "\x1b[" in run("audit", project, *arguments).out

    assert not colored()
    assert colored("--color", "always")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert colored()
    assert not colored("--color", "never")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colored()
    assert colored("--color", "always")


# -------------------------------------------------------------------------------------------------- configuration


def test_thresholds_of_the_repository_hold_unless_isolated(run: Run, project: Path) -> None:
    (project / ".mlops-audit.toml").write_text("fail-below-maturity = 4\n")
    ran = run("audit", project)
    assert ran.code == 1
    assert "configured by .mlops-audit.toml" in ran.err
    assert run("audit", project, "--isolated").code == 0
    assert run("audit", project, "--fail-below-maturity", "0").code == 0


def test_a_broken_configuration_exits_2_with_all_faults(run: Run, project: Path) -> None:
    (project / ".mlops-audit.toml").write_text("fail-bellow-score = 4\nrules = ['x']\n")
    ran = run("audit", project)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 2)
    assert ".mlops-audit.toml:1: unknown key 'fail-bellow-score'; did you mean 'fail-below-score'?" in ran.err


def test_a_disabled_aspect_does_not_apply_and_shows_its_reason(run: Run, project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.mlops-audit.disable]\n"data/versioning" = "public toy data"\n'
    )
    report = json.loads(run("audit", project, "--format", "json").out)
    assert report["pillars"][0]["aspects"][0]["verdict"] == "na"
    assert report["disabled"] == [{"aspect": "data/versioning", "reason": "public toy data"}]


def test_excluded_paths_are_not_read_and_said_to_be_left_out(run: Run, project: Path) -> None:
    (project / ".mlops-audit.toml").write_text("exclude = ['src']\n")
    assert run("audit", project).code == 3
    (project / ".mlops-audit.toml").write_text("exclude = ['old/']\n")
    laid_out(project, {"old/a.py": "1\n"})
    report = json.loads(run("audit", project, "--format", "json").out)
    assert (report["files"], report["excluded"]) == (3, ["old", "old/*"])


def test_a_profile_asks_its_aspects_too(run: Run, project: Path) -> None:
    plain, asked = (
        json.loads(run("audit", project, "--format", "json", *more).out)
        for more in ((), ("--profile", "uk-gov"))
    )
    assert "uk-gov" not in plain["kinds"]
    assert "uk-gov" in asked["kinds"]


RULE = """\
why: Because.
fix: Do it.
effort: quick
risk: {risk: r, probability: low, impact: low, mitigation: m}
signals:
  fits a model here:
    call: ["*.fit"]
pass: {all: [fits a model here]}
partial: any
examples:
  - {verdict: pass, title: a, files: {a.py: x.fit()}}
  - {verdict: partial, title: b, files: {b.ipynb: x}}
  - {verdict: missing, title: c, files: {a.py: x}}
"""


def test_rule_packs_come_from_the_command_line_or_the_user(
    run: Run, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = laid_out(tmp_path / "pack", {"data/versioning.yaml": RULE})

    def verdict(*arguments: object) -> str:
        report = json.loads(run("audit", project, "--format", "json", *arguments).out)
        return str(report["pillars"][0]["aspects"][0]["verdict"])

    assert verdict() != "pass"
    assert verdict("--rules", pack) == "pass"
    laid_out(tmp_path / "home/mlops-audit", {"config.toml": f"rules = ['{pack}']\n"})
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    assert verdict() == "pass"


def test_a_broken_rule_pack_exits_2_with_file_and_line(run: Run, project: Path, tmp_path: Path) -> None:
    pack = laid_out(tmp_path / "pack", {"data/versoning.yaml": RULE.replace("effort: quick", "effort: quik")})
    ran = run("audit", project, "--rules", pack)
    assert ran.code == 2
    assert re.search(r"data/versoning\.yaml:3: unknown effort 'quik'", ran.err)
    pack = laid_out(tmp_path / "other", {"data/versoning.yaml": RULE})
    ran = run("audit", project, "--rules", pack)
    assert "the catalogue has no aspect 'data/versoning'; did you mean 'data/versioning'?" in ran.err


# -------------------------------------------------------------------------------------------------- other commands


def test_explain_tells_what_passes_and_how_to_fix_it(run: Run, tmp_path: Path) -> None:
    pack = laid_out(tmp_path / "pack", {"data/versioning.yaml": RULE})
    text = run("explain", "data/versioning", "--format", "markdown", "--rules", pack).out
    assert text.startswith("# Data versioning\n")
    assert "- **pass**: The training data is pinned" in text
    assert "- **fits a model here**: a call named `*.fit`" in text
    assert "## How to fix it\n\nDo it. (a quick win, 1-2 weeks)" in text
    assert "### pass: a\n\n`a.py`\n\n```\nx.fit()\n```\n" in text
    assert json.loads(run("explain", "data/versioning", "--format", "json").out)["weight"] == 3
    shown = run("explain", "data/versioning").out
    assert "\x1b" not in shown
    assert "Data versioning" in shown


def test_rules_lists_the_aspects(run: Run) -> None:
    rows = json.loads(run("rules", "--format", "json").out)
    assert {row["id"] for row in rows} <= {aspect.id for aspect in catalogue.load().aspects}
    assert re.search(r"^data/versioning +3  Data versioning +\(trains\)$", run("rules").out, re.M)


def test_facts_are_json_lines_of_one_kind(run: Run, project: Path) -> None:
    lines = [json.loads(line) for line in run("facts", project, "--kind", "call").out.splitlines()]
    assert lines
    assert {line["kind"] for line in lines} == {"call"}
    (fit,) = [line for line in lines if line["name"].endswith(".fit")]
    assert (fit["path"], fit["line"], fit["zone"], fit["strength"]) == ("src/train.py", 6, "source", "used")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(run: Run, shell: str) -> None:
    ran = run("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert "_MLOPS_AUDIT_COMPLETE" in ran.out


# -------------------------------------------------------------------------------------------------- start


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["audit", "--help"]])
def test_the_start_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys, mlops_audit.cli as c\n"
        f"try: c.main({arguments!r})\n"
        "except SystemExit as left: assert left.code == 0, left.code\n"
        "heavy = {'git', 'jinja2', 'rich', 'ruamel', '_ruamel_yaml', 'tree_sitter', 'tomli', 'packaging', 'markdown_it'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stderr.strip() == "[]"


def test_version_is_one_line(run: Run) -> None:
    assert run("--version").out == f"mlops-audit {mlops_audit.__version__}\n"


def test_nothing_is_imported_from_the_folder_it_is_started_in(project: Path) -> None:
    trap = "open('trapped', 'w').close()\nraise SystemExit(99)\n"
    laid_out(
        project,
        dict.fromkeys(
            ("click.py", "tomli.py", "jinja2.py", "rich/__init__.py", "git.py", "difflib.py"), trap
        ),
    )
    ran = program("audit", ".", cwd=project)
    assert ran.returncode == 0, ran.stderr
    assert not (project / "trapped").exists()


def test_the_public_face_is_there_in_any_order_of_imports() -> None:
    script = (
        "from mlops_audit.audit import findings\nimport mlops_audit\nfrom mlops_audit import Report, audit\n"
        "assert mlops_audit.audit is audit and callable(audit) and isinstance(Report, type)\n"
        "import sys\nassert sys.modules['mlops_audit.audit'].findings is findings\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    quick = "import mlops_audit, sys; mlops_audit.__version__; assert 'mlops_audit.audit' not in sys.modules"
    subprocess.run([sys.executable, "-c", quick], check=True)


def test_a_commit_is_read_with_its_own_configuration(run: Run, project: Path) -> None:
    def git(*arguments: str) -> None:
        identity = {
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b",
        }
        subprocess.run(
            ["git", "-C", str(project), *arguments],
            check=True,
            env={**os.environ, **identity},
            capture_output=True,
        )

    git("init", "-q")
    (project / ".mlops-audit.toml").write_text("fail-below-maturity = 4\n")
    git("add", ".")
    git("commit", "-q", "-m", "x")
    (project / ".mlops-audit.toml").write_text("fail-below-maturity = 0\n")
    assert run("audit", project).code == 0
    ran = run("audit", project, "--rev", "HEAD", "--format", "json")
    assert ran.code == 1
    assert re.fullmatch("[0-9a-f]{40}", json.loads(ran.out)["commit"])


def test_one_project_of_a_monorepo_is_audited_alone_and_named(tmp_path: Path, run: Run) -> None:
    train = TRAINING["src/train.py"]
    files = {
        ".github/workflows/ci.yml": "on: push\njobs:\n  t:\n    runs-on: x\n    steps:\n      - run: pip install -r a/requirements.txt\n",
        "a/requirements.txt": "scikit-learn==1.5.0\n",
        "a/train.py": train,
        "b/requirements.txt": "scikit-learn\nmlflow\n",
        "b/train.py": f"import mlflow\n{train}mlflow.log_metric('x', 1)\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    def report(*arguments: str) -> dict[str, object]:
        ran = run("audit", str(tmp_path), "--format", "json", *arguments)
        assert ran.code == 0, ran.err
        document: dict[str, object] = json.loads(ran.out)
        return document

    def of(document: dict[str, object], name: str) -> tuple[str, str]:
        pillars: list[dict[str, list[dict[str, str]]]] = document["pillars"]  # type: ignore[assignment]
        (found,) = [row for pillar in pillars for row in pillar["aspects"] if row["id"] == name]
        return found["verdict"], found["project"]

    both, alone, other = report(), report("--project", "a"), report("--project", "./b/")
    assert of(both, "model/experiment-tracking") == ("partial", "b")
    assert of(both, "model/environment")[1] == "a"
    assert of(alone, "model/experiment-tracking") == ("missing", "a")
    assert of(other, "model/experiment-tracking") == ("partial", "b")
    assert (alone["project"], alone["files"], both["files"]) == (f"{tmp_path.name}/a", 3, 5)
    terminal = run("audit", str(tmp_path)).out
    assert re.search(r"Experiment tracking .* in b", terminal)
    for wrong in ("c", "a/train.py"):
        ran = run("audit", str(tmp_path), "--project", wrong)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == f"mlops-audit: no project at {wrong!r}; the projects here are a, b\n"


def test_a_repository_that_is_one_project_has_no_other(tmp_path: Path, run: Run) -> None:
    for path, text in TRAINING.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    ran = run("audit", str(tmp_path), "--project", "src")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "mlops-audit: no project at 'src': this repository is one project as a whole\n"
