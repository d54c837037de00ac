"""Shell text as simple commands: what runs, at which line, where, and whether its failure counts."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_audit.shell import Command, commands, stops_on_error, words


def texts(script: str, **known: str) -> list[str]:
    return [command.text for command in commands(script, variables=known)]


def lines(script: str) -> list[tuple[int, str]]:
    return [(command.line, command.text) for command in commands(script)]


def one(script: str, text: str) -> Command:
    found = [command for command in commands(script) if command.text == text]
    assert len(found) == 1, commands(script)
    return found[0]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("a && b || c; d | e & f", ["a", "b", "c", "d", "e", "f"]),
        ("python   train.py \\\n   --epochs  3", ["python train.py --epochs 3"]),
        ("# a comment\necho hi # another\n", ["echo hi"]),
        ("echo 'a && b' \"c; d\"", ["echo 'a && b' \"c; d\""]),
        ("echo a#b", ["echo a#b"]),
        ("if test -f x; then a; elif b; then c; else d; fi", ["test -f x", "a", "b", "c", "d"]),
        ("for f in *.py; do python $f; done", ["python $f"]),
        ("while ! curl -f x; do sleep 1; done", ["curl -f x", "sleep 1"]),
        ("case $1 in\n  train|fit) python train.py ;;\n  *) exit 1 ;;\nesac", ["python train.py", "exit 1"]),
        ("run() {\n  python a.py\n}\nfunction go { b; }\nrun", ["python a.py", "b", "run"]),
        ("(cd src; ls) && { pwd; }", ["ls", "pwd"]),
        ("x=$(python version.py | tail -n 1)\necho $x", ["python version.py", "tail -n 1", "echo $x"]),
        ("echo `date`", ["date", "echo `date`"]),
        ("echo $((1 + 2))", ["echo $((1 + 2))"]),
        ("[[ $a && -n $b ]] && c", ["[[ $a && -n $b ]]", "c"]),
        ("sudo -u app env A=b time nohup make train", ["make train"]),
        ("A=1 B=2 python x.py", ["python x.py"]),
        ("timeout 10 exec command python x.py", ["python x.py"]),
        ("find . -name '*.py' | xargs -n 1 pylint", ["find . -name *.py", "pylint"]),
        ("bash -c 'pytest && coverage xml'", ["pytest", "coverage xml"]),
        ("bash -lc \"python train.py\"", ["python train.py"]),
        ("bash run.sh -c x", ["bash run.sh -c x"]),
        ("eval \"$(conda shell.bash hook)\"", ["conda shell.bash hook", 'eval "$(conda shell.bash hook)"']),
        ("pytest 2>&1 | tee log.txt", ["pytest 2>&1", "tee log.txt"]),
        ("a &> /dev/null; b > x 2>/dev/null", ["a &> /dev/null", "b > x 2>/dev/null"]),
        ("cmd ${{ matrix.x && 'a b' }} {{ .Values.x }}", ["cmd ${{ matrix.x && 'a b' }} {{ .Values.x }}"]),
        ("set -euo pipefail\nexport X=1\ncd src\ntrue", []),
        ("cat <<EOF > x.txt\nrm -rf /\nEOF\nls", ["cat <<EOF > x.txt", "ls"]),
        ("bash <<'EOF'\npython a.py\nEOF\n", ["bash <<'EOF'", "python a.py"]),
        ("uv run --with rich train.py", ["python train.py"]),
        ("poetry run pytest -q", ["pytest -q"]),
        ("pdm run train", ["pdm run train"]),
        ("pdm run pytest", ["pytest"]),
        ("conda run -n ml python train.py", ["python train.py"]),
    ],
)  # fmt: skip
def test_a_script_is_its_simple_commands(script: str, expected: list[str]) -> None:
    assert texts(script) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("M=src.train\npython -m $M", ["python -m src.train"]),
        ("A=x\nB=${A}/y\nls \"$B\"", ["ls x/y"]),
        ("python ${SCRIPT:-train.py}", ["python train.py"]),
        ("S=a.py\npython ${S:-train.py}", ["python a.py"]),
        ("export DIR=data; ls $DIR", ["ls data"]),
        ("A='$B'\necho '$A'", ["echo '$A'"]),
        ("A=$1\nls $A", ["ls $A"]),
        ("if x; then M=a; else M=b; fi\nrun $M", ["x", "run $M"]),
        ("if [ -z $M ]; then M=a; fi\nrun $M", ["[ -z $M ]", "run a"]),
        ("python $OUTSIDE", ["python known.py"]),
    ],
)  # fmt: skip
def test_variables_of_one_known_value_are_put_in(script: str, expected: list[str]) -> None:
    assert texts(script, OUTSIDE="known.py") == expected


@pytest.mark.parametrize(
    ("script", "directory"),
    [
        ("X", ""),
        ("cd src && X", "src"),
        ("cd src/a\ncd ../b\nX", "src/b"),
        ("(cd src)\nX", ""),
        ("pushd src\npopd\nX", ""),
        ("cd src; cd -; X", ""),
        ("cd /app && X", "/app"),
        ("cd $HOME/x; X", "?/x"),
        ("cd $(mktemp -d); X", "?"),
        ("cd $GITHUB_WORKSPACE/ml; X", "ml"),
        ("cd a; cd $(git rev-parse --show-toplevel); X", ""),
        ('cd "$(dirname "$0")/.." && X', "deploy"),
        ('HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"\ncd "$HERE"\nX', "deploy/bin"),
    ],
)
def test_cd_is_followed(script: str, directory: str) -> None:
    assert [c.directory for c in commands(script, path="deploy/bin/run.sh") if c.text == "X"] == [directory]


def test_paths_built_on_the_place_of_the_script_are_seen_from_where_it_stands() -> None:
    script = 'HERE="$(cd "$(dirname "$0")" && pwd)"\ncd "$HERE/.."\npython "$HERE/train.py"'
    assert [c.text for c in commands(script, path="deploy/bin/run.sh")] == ["python bin/train.py"]


@pytest.mark.parametrize(
    ("script", "masked"),
    [
        ("X || true", True),
        ("X || :", True),
        ("X || echo failed", True),
        ("a && X || true", True),
        ("{ X; b; } || true", True),
        ("X; true", True),
        ("set +e\nX\ny", True),
        ("X", False),
        ("X || exit 1", False),
        ("X || { echo failed; exit 1; }", False),
        ("X || python other.py", False),
        ("a || true; X", False),
        ("set +e\na\nset -e\nX", False),
        ("set +e\nX\ncode=$?\nexit $code", False),
        ("true; X", False),
    ],
)
def test_a_failure_is_masked_when_it_is_swallowed(script: str, masked: bool) -> None:
    assert one(script, "X").masked is masked


@pytest.mark.parametrize(
    ("script", "unchecked"),
    [
        ("X\nlater", True),
        ("X", False),
        ("set -e\nX\nlater", False),
        ("#!/bin/bash -e\nX\nlater", False),
        ("set -o errexit\nX\nlater", False),
        ("X && y\nlater", False),
        ("X || exit 1\nlater", False),
        ("if X; then y; fi\nlater", False),
        ("X\nif [ $? -ne 0 ]; then exit 1; fi\nlater", False),
    ],
)
def test_a_command_is_unchecked_when_the_script_goes_on(script: str, unchecked: bool) -> None:
    assert one(script, "X").unchecked is unchecked


@pytest.mark.parametrize(
    ("script", "stops"),
    [
        ("set -e", True), ("set -euo pipefail", True), ("#!/bin/sh\nset -o errexit\n", True), ("#!/bin/bash -ex\n", True),
        ("set -x", False), ("# set -e", False), ("#!/usr/bin/env bash", False), ("set -u", False),
    ],
)  # fmt: skip
def test_a_script_stops_on_errors_when_it_says_so(script: str, stops: bool) -> None:
    assert stops_on_error(script) is stops


def test_lines_are_those_of_the_text() -> None:
    script = (
        "first\n\n# comment\nsecond \\\n  more\nthird 'a\nb'\ncat <<EOF\nnot this\nEOF\nfourth && \\\n  fifth\n"
        "x=$(\n  sixth\n)\nseventh"
    )
    assert lines(script) == [
        (1, "first"), (4, "second more"), (6, "third 'a b'"), (8, "cat <<EOF"), (11, "fourth"), (12, "fifth"),
        (14, "sixth"), (16, "seventh"),
    ]  # fmt: skip


def test_a_command_knows_the_conditions_around_it() -> None:
    script = "if [ $acc -gt 80 ]; then\n  if ready; then\n    deploy\n  fi\nelse\n  stop\nfi\nafter"
    assert one(script, "deploy").guards == ("ready", "[ $acc -gt 80 ]")
    assert one(script, "stop").guards == ("not ([ $acc -gt 80 ])",)
    assert one(script, "after").guards == ()


def test_a_here_document_is_kept_with_its_line() -> None:
    found = one("python - <<EOF\nimport x\nEOF\n", "python - <<EOF")
    assert (found.document, found.document_line) == ("import x\n", 2)


def test_a_linter_told_to_exit_with_zero_is_masked() -> None:
    assert one("pylint --exit-zero src", "pylint --exit-zero src").masked


def test_a_background_command_is_told() -> None:
    assert one("serve & \ntest", "serve").background
    assert not one("serve & \ntest", "test").background


def test_what_was_left_out_in_front_is_told() -> None:
    assert one("poetry run pytest", "pytest").launcher == "poetry run"
    assert one("pytest", "pytest").launcher == ""


def test_a_package_runner_of_node_is_left_out_before_the_tools_of_deployment() -> None:
    for text in ("yarn cdk deploy --all", "pnpm exec cdk deploy --all", "npm exec -- cdk deploy --all"):
        assert one(text, "cdk deploy --all").launcher in ("yarn", "pnpm", "npm")
    assert one("yarn build", "yarn build").launcher == ""


def test_words_lose_their_quotes() -> None:
    assert words("python 'a b.py' --x=\"c d\"") == ("python", "a b.py", "--x=c d")


@pytest.mark.parametrize(
    "script",
    [
        "$(",
        "${",
        '"',
        "'",
        "`",
        "(",
        "{",
        "if",
        "case x in",
        "<<E",
        "f() {",
        "))",
        "done fi esac }",
        "echo it's\nls",
        "\\",
        "[[",
    ],
)
def test_text_that_no_shell_takes_is_survived(script: str) -> None:
    assert isinstance(commands(script), list)


def test_an_unclosed_quote_hides_nothing_that_follows() -> None:
    assert texts("echo it's\npytest") == ["echo its", "pytest"]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["$(", ")", "'", '"', "`", "\n", ";", "&&", "||", "|", "&", "if ", "then ", "fi ", "for ", "do ", "done ",
                         "case ", " in ", "esac ", "{ ", "} ", "(", "cd a ", "a ", "$x ", "x=1 ", "<<E ", "\nE\n", "\\", "#", " ",
                         "${", "{{", "}}", "[[ ", "]] ", "set -e ", "bash -c ", "f() ", "((", "! "]),
        max_size=40,
    )
)  # fmt: skip
def test_any_text_gives_commands_on_its_own_lines(pieces: list[str]) -> None:
    script = "".join(pieces)
    for command in commands(script):
        assert 1 <= command.line <= script.count("\n") + 1
        assert command.text == " ".join(command.text.split())


@pytest.mark.parametrize(
    "piece", ["a || ", "$(", "if ", "'\" ", "x=$x$x\n", "cat <<E\n", "{{ ", "`", "(", "\\", "cd a\n"]
)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    def seconds(count: int) -> float:
        start = time.process_time()
        commands(piece * count)
        return time.process_time() - start

    short, long = seconds(2_000), seconds(16_000)
    assert long < 40 * short + 0.5
