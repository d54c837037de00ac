"""What runs in other people's pipelines: the action with its script, the GitLab component, the examples of the docs."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_trend import TRAIN, History

from mlops_audit import parse
from mlops_audit.extract import github, gitlab
from mlops_audit.facts import Kind
from mlops_audit.parse.nodes import Node

ROOT = Path(__file__).parents[1]
(ACTION,) = parse.yaml((ROOT / "action.yml").read_bytes())
SCRIPT = (ROOT / "action/run.sh").read_text()
OPTIONS = {
    "--format", "--output", "--fail-below-maturity", "--fail-below-score", "--fail-on", "--profile", "--strict", "--config-from",
}  # fmt: skip
GITLAB = parse.yaml((ROOT / "templates/mlops-audit/template.yml").read_bytes())


def keys(node: Node | None) -> list[str]:
    return [name for name, _ in node.items] if node else []


def at(node: Node, *names: str) -> Node:
    for name in names:
        found = node.get(name)
        assert found is not None, name
        node = found
    return node


# -------------------------------------------------------------------------------------------------- the action


def test_no_input_stands_in_a_script_of_the_action() -> None:
    steps = at(ACTION, "runs", "steps").list
    assert at(ACTION, "runs").at("using") == "composite"
    for step in steps:
        assert "${{" not in step.at("run")
        assert step.at("shell") == "bash"


def test_the_action_uses_no_action_that_is_not_pinned() -> None:
    for step in at(ACTION, "runs", "steps").list:
        assert not step.at("uses") or re.search(r"@[0-9a-f]{40}$", step.at("uses"))


def test_every_input_reaches_the_script_through_the_environment_and_every_output_is_written() -> None:
    environment = dict(at(ACTION, "runs", "steps").list[0].get("env").items)  # type: ignore[union-attr]
    passed = {
        re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", value.text)[1]: name
        for name, value in environment.items()
    }  # type: ignore[index]
    assert set(passed) == set(keys(ACTION.get("inputs")))
    for name, variable in passed.items():
        assert variable == ("GH_TOKEN" if name == "token" else f"INPUT_{name.upper().replace('-', '_')}")
        assert re.search(rf"\b{variable}\b", SCRIPT), variable
    for output in keys(ACTION.get("outputs")):
        assert re.search(rf"\b{output}=", SCRIPT), output


class Runner:
    """What GitHub Actions gives a step, with a `gh` that records what it is asked."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.asked = place / "gh.log"
        tools = place / "bin"
        tools.mkdir()
        (tools / "gh").write_text(
            "#!/bin/sh\n"
            f"printf '%s\\n' \"$*\" >> {shlex.quote(str(self.asked))}\n"
            f'for word in "$@"; do case $word in body=@*) cp "${{word#body=@}}" {shlex.quote(str(place / "body.md"))} ;; esac; done\n'
            f'case "$*" in *--paginate*) cat {shlex.quote(str(place / "known"))} ;; esac\n'
        )
        (tools / "gh").chmod(0o755)
        (tools / "mlops-audit").write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m mlops_audit "$@"\n'
        )
        (tools / "mlops-audit").chmod(0o755)
        (place / "known").write_text("")
        (place / "event.json").write_text(json.dumps({"pull_request": {"number": 7}}))
        (place / "output").write_text("")
        self.environment = {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("GIT_", "INPUT_", "GITHUB_"))
            },
            "PATH": f"{tools}:{os.environ['PATH']}",
            "MLOPS_AUDIT": str(tools / "mlops-audit"),
            "RUNNER_TEMP": str(place),
            "GITHUB_OUTPUT": str(place / "output"),
            "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
            "GITHUB_EVENT_PATH": str(place / "event.json"),
            "GITHUB_REPOSITORY": "shop/model",
            "GH_TOKEN": "secret-token",
        }

    def run(self, repository: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", str(ROOT / "action/run.sh")], cwd=repository, env={**self.environment, **inputs},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    @property
    def outputs(self) -> dict[str, str]:
        lines = (self.place / "output").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    place = tmp_path / "runner"
    place.mkdir()
    return Runner(place)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone on a branch that adds training, with the base branch as a remote one."""
    origin = History(tmp_path / "origin")
    origin.commit("2024-01-01", {"train.py": TRAIN, "mlops-audit.toml": ""})
    target = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(origin.root), str(target)], check=True)
    branch = History.__new__(History)
    branch.root, branch.made = target, []
    branch.git("checkout", "-q", "-b", "change")
    branch.commit(
        "2024-02-01",
        {
            "requirements.txt": "scikit-learn==1.5.0\n",
            "Dockerfile": "FROM python:3.12\nCMD python train.py\n",
        },
    )
    return target


def test_the_script_audits_and_gives_its_outputs(runner: Runner, clone: Path) -> None:
    ran = runner.run(clone)
    assert ran.returncode == 0, ran.stderr
    report = json.loads(subprocess.run([sys.executable, "-m", "mlops_audit", "audit", str(clone), "--format", "json"],
                                       capture_output=True, text=True, check=True).stdout)  # fmt: skip
    assert runner.outputs == {
        "level": str(report["maturity"]["level"]),
        "score": str(report["score"]),
        "pillars": json.dumps({p["id"]: p["score"] for p in report["pillars"]}),
        "sarif": "mlops-audit.sarif",
    }
    assert json.loads((clone / "mlops-audit.sarif").read_text())["version"] == "2.1.0"
    assert (runner.place / "summary.md").read_text().startswith("# MLOps audit")
    assert ran.stdout.startswith("::error ")
    assert not runner.asked.exists()


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"INPUT_FAIL_BELOW_MATURITY": "4"}, 1),
        ({"INPUT_FAIL_BELOW_SCORE": "0 data=10"}, 1),
        ({"INPUT_FAIL_BELOW_SCORE": "0\ndata=0"}, 0),
        ({"INPUT_FAIL_ON": "critical"}, 1),
        ({"INPUT_PROFILE": "nonsense"}, 2),
        ({"INPUT_PATH": "no such folder"}, 2),
    ],
)
def test_the_script_exits_as_the_audit_does(
    runner: Runner, clone: Path, inputs: dict[str, str], code: int
) -> None:
    assert runner.run(clone, **inputs).returncode == code


@pytest.mark.parametrize(
    "evil", ["$(touch pwned)", "`touch pwned`", "; touch pwned", "x\nlevel=4", "--help", "' touch pwned '"]
)
def test_no_input_is_taken_for_a_command_an_option_or_an_output(
    runner: Runner, clone: Path, evil: str
) -> None:
    """The program of this test says what it is given: the audit itself would refuse most of it before any output."""
    given = runner.place / "given"
    (runner.place / "bin/mlops-audit").write_text(
        f'#!/bin/sh\nfor word in "$@"; do printf \'%s\\0\' "$word" >> {shlex.quote(str(given))}\n'
        '  case $word in json=*) echo \'{"score": 1, "maturity": {"level": 0}, "pillars": []}\' > "${word#json=}" ;; esac\n'
        "done\n"
    )
    reached = 0
    for name in ("INPUT_PATH", "INPUT_SARIF", "INPUT_HTML", "INPUT_FAIL_BELOW_MATURITY", "INPUT_FAIL_BELOW_SCORE",
                 "INPUT_FAIL_ON", "INPUT_PROFILE", "INPUT_STRICT", "INPUT_COMMENT", "GITHUB_BASE_REF"):  # fmt: skip
        given.write_text("")
        ran = runner.run(clone, **{name: evil})
        words = given.read_text().split("\0")[:-1]
        assert (ran.returncode, words == []) in ((0, False), (2, True)), ran.stderr
        reached += bool(words)
        options = [word.partition("=") for word in words if word.startswith("-")]
        assert {option for option, _, _ in options} <= OPTIONS
        assert {option for option, sign, _ in options if not sign} <= {"--format", "--output", "--strict"}
        if name in ("INPUT_PATH", "INPUT_SARIF", "INPUT_HTML") and words:
            assert sum(word.endswith(evil) for word in words) == 1
    assert reached >= 7
    assert not list(clone.rglob("pwned")) + list(runner.place.rglob("pwned"))
    assert "level=4" not in (runner.place / "output").read_text().splitlines()


def test_a_version_must_be_one(runner: Runner, clone: Path) -> None:
    ran = runner.run(
        clone, MLOPS_AUDIT="", INPUT_VERSION="1.0 --index-url http://e.org", GITHUB_ACTION_PATH=str(ROOT)
    )
    assert ran.returncode == 2
    assert "the input version is no version" in ran.stdout + ran.stderr


def test_a_pull_request_is_commented_on_once_and_then_the_comment_is_replaced(
    runner: Runner, clone: Path
) -> None:
    asked = {"INPUT_COMMENT": "true", "GITHUB_BASE_REF": "main"}
    assert runner.run(clone, **asked).returncode == 0
    calls = runner.asked.read_text().splitlines()
    assert calls[0].startswith("api --paginate repos/shop/model/issues/7/comments")
    assert calls[1].startswith("api --silent --method POST repos/shop/model/issues/7/comments --field body=@")
    body = (runner.place / "body.md").read_text()
    assert body.startswith("<!-- mlops-audit -->\n")
    assert len(body) < 65_536
    (runner.place / "known").write_text("4711\n")
    assert runner.run(clone, **asked).returncode == 0
    assert "api --silent --method PATCH repos/shop/model/issues/comments/4711" in runner.asked.read_text()


def test_a_pull_request_cannot_lower_its_own_gate(runner: Runner, clone: Path) -> None:
    name = ".mlops-audit.toml"
    origin = History.__new__(History)
    origin.root, origin.made = clone, []
    origin.git("checkout", "-q", "-B", "gated", "origin/main")
    origin.commit("2024-03-01", {name: "fail-below-maturity = 4\n"})
    origin.git("update-ref", "refs/remotes/origin/main", "HEAD")
    origin.commit("2024-03-02", {name: "fail-below-maturity = 0\n"})
    assert runner.run(clone).returncode == 0
    ran = runner.run(clone, GITHUB_BASE_REF="main")
    assert ran.returncode == 1, ran.stdout + ran.stderr


def test_without_the_base_branch_the_script_warns_and_goes_on(runner: Runner, clone: Path) -> None:
    ran = runner.run(clone, GITHUB_BASE_REF="gone", INPUT_COMMENT="true")
    assert ran.returncode == 0
    assert "::warning title=mlops-audit::The base branch is not in this clone" in ran.stdout
    assert not runner.asked.exists()


def test_a_comment_that_fails_is_a_warning(runner: Runner, clone: Path) -> None:
    (runner.place / "bin/gh").write_text("#!/bin/sh\nexit 1\n")
    ran = runner.run(clone, GITHUB_BASE_REF="main", INPUT_COMMENT="true")
    assert ran.returncode == 0
    assert "could not be commented on" in ran.stdout


def test_the_audit_does_not_see_the_token(runner: Runner, clone: Path) -> None:
    (runner.place / "bin/mlops-audit").write_text("#!/bin/sh\nenv > seen\n")
    runner.run(clone)
    assert "secret-token" not in (clone / "seen").read_text()


# -------------------------------------------------------------------------------------------------- GitLab


def test_inputs_of_the_component_stand_in_values_only_and_all_are_used() -> None:
    head, body = GITLAB
    inputs = keys(at(head, "spec", "inputs"))
    job = at(body, "mlops-audit")
    text = (ROOT / "templates/mlops-audit/template.yml").read_text()
    assert set(re.findall(r"\$\[\[ inputs\.([a-z-]+) \]\]", text)) == set(inputs)
    for line in at(job, "script").list:
        assert "$[[" not in line.text


def test_the_script_of_the_component_runs(tmp_path: Path, clone: Path) -> None:
    place = tmp_path / "builds"
    tools = place / "mlops-audit/bin"
    tools.mkdir(parents=True)
    for name, text in {
        "pip": f'printf "%s\\n" "$@" > {place}/pip.log\n',
        "mlops-audit": f'exec {shlex.quote(sys.executable)} -m mlops_audit "$@"\n',
        "python3": "exit 0\n",
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}")
        (tools / name).chmod(0o755)
    job = at(GITLAB[1], "mlops-audit")
    script = "set -e\n" + "\n".join(line.text for line in at(job, "script").list)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "CI_BUILDS_DIR": str(place), "MLOPS_AUDIT_PATH": ".",
                   "MLOPS_AUDIT_VERSION": "0.1", "MLOPS_AUDIT_MATURITY": "4", "MLOPS_AUDIT_FAIL_ON": ""}  # fmt: skip
    ran = subprocess.run(
        ["sh", "-c", script], cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1, ran.stderr
    assert "mlops-audit==0.1" in (place / "pip.log").read_text()
    reports = at(job, "artifacts", "reports")
    assert json.loads((clone / reports.at("codequality")).read_text())
    assert (clone / reports.at("junit")).read_text().startswith("<?xml")
    assert all((clone / path.text).is_file() for path in at(job, "artifacts", "paths").list)


# -------------------------------------------------------------------------------------------------- the docs


def examples(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / "docs/ci.md").read_text(), re.MULTILINE | re.DOTALL
    )


def test_the_example_workflow_is_one_and_asks_the_action_what_it_knows() -> None:
    (text,) = [text for text in examples("yaml") if text.startswith("# .github/")]
    path = text.splitlines()[0].removeprefix("# ")
    facts = list(github.extract(path, text.encode()))
    jobs = [fact for fact in facts if fact.kind is Kind.JOB]
    assert set(jobs[0].traits["triggers"]) == {"push", "pull_request"}
    uses = [fact.name for fact in facts if fact.kind is Kind.ACTION]
    assert all(re.search(r"@([0-9a-f]{40}|COMMIT)$", name) for name in re.findall(r"uses: (\S+)", text))
    assert len(uses) == 3
    (document,) = parse.yaml(text.encode())
    steps = at(document, "jobs", "audit", "steps").list
    (ours,) = [step for step in steps if "OWNER/mlops-audit@" in step.at("uses")]
    assert set(keys(ours.get("with"))) <= set(keys(ACTION.get("inputs")))
    for output in re.findall(r"steps\.mlops\.outputs\.(\w+)", text):
        assert output in keys(ACTION.get("outputs"))


def test_the_table_of_inputs_is_complete() -> None:
    table = (ROOT / "docs/ci.md").read_text().partition("| Input |")[2].partition("\n\n")[0]
    named = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`([a-z-]+)`", row.split("|")[1] if "|" in row else "")
    }
    assert named == set(keys(ACTION.get("inputs")))


def test_the_example_of_gitlab_gives_the_component_inputs_that_it_has() -> None:
    (text,) = [text for text in examples("yaml") if text.startswith("# .gitlab-ci.yml")]
    list(gitlab.extract(".gitlab-ci.yml", text.encode()))
    (document,) = parse.yaml(text.encode())
    (component,) = at(document, "include").list
    assert re.fullmatch(r"\$CI_SERVER_FQDN/OWNER/mlops-audit/mlops-audit@\d+", component.at("component"))
    assert set(keys(component.get("inputs"))) <= set(keys(at(GITLAB[0], "spec", "inputs")))


def test_the_commands_of_the_docs_are_commands() -> None:
    from mlops_audit.cli import command_of

    text = "".join((ROOT / f"docs/{name}.md").read_text() for name in ("ci", "reports", "trend"))
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [
        line.partition("#")[0]
        for block in blocks
        for line in block.splitlines()
        if line.startswith("mlops-audit ")
    ]
    assert len(lines) >= 8
    for line in lines:
        name, *words = shlex.split(line.partition(">")[0])[1:]
        command: Any = command_of(name)
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, line


# -------------------------------------------------------------------------------------------------- SARIF


def test_sarif_tools_reads_the_report(clone: Path) -> None:
    loader = pytest.importorskip("sarif.loader", reason="this test needs the package sarif-tools")
    target = clone / "report.sarif"
    subprocess.run(
        [sys.executable, "-m", "mlops_audit", "audit", str(clone), "--output", f"sarif={target}"],
        check=True,
        capture_output=True,
    )
    run = json.loads(target.read_text())["runs"][0]
    found = loader.load_sarif_file(str(target)).get_records()
    assert len(found) == len(run["results"])
    assert {row["Severity"] for row in found} <= {"error", "warning", "note"}
