"""Texts that make parsers hang, crash or swell: written by hand where an attack is known, pumped where one is feared.

Each is (path, bytes): the path decides which extractors read it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

MEGABYTE = 1_000_000


def filled(piece: str, size: int) -> bytes:
    """The piece again and again up to a size in bytes."""
    data = piece.encode("utf-8", "surrogatepass")
    return data * (size // len(data))


def merge_bomb(levels: int) -> bytes:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


def billion_laughs(levels: int) -> bytes:
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


def notebook(cells: list[dict[str, object]]) -> bytes:
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def cell(source: object, kind: str = "code") -> dict[str, object]:
    return {"cell_type": kind, "source": source, "metadata": {}, "outputs": [], "execution_count": None}


PYTHON: dict[str, Callable[[], bytes]] = {
    "minus signs": lambda: b"x = " + b"-" * 5_900 + b"1",
    "more minus signs": lambda: b"x = " + b"-" * 100_000 + b"1",
    "attributes": lambda: b"x = a" + b".a" * 5_000,
    "sums": lambda: b"x = " + b"1+" * 100_000 + b"1",
    "nots": lambda: b"x = " + b"not " * 100_000 + b"1",
    "lambdas": lambda: b"x = " + b"lambda:" * 10_000 + b"1",
    "elifs": lambda: b"if a:\n pass\n" + b"elif a:\n pass\n" * 10_000,
    "parentheses": lambda: b"x = " + b"(" * 100_000,
    "calls of calls": lambda: b"x = f" + b"(1)" * 900,
    "calls in calls": lambda: b"x = " + b"f(" * 90 + b")" * 90,
    "attributes deep": lambda: b"x = a" + b".a(1)" * 400,
    "NUL bytes": lambda: b"import torch\0\n",
    "bad cookie": lambda: b"# coding: nonsense\nimport torch\n",
    "utf-7 cookie": lambda: b"# coding: utf-7\nimport torch\n+AGEAYg-\n",
    "5000 digits": lambda: b"x = " + b"9" * 5_000 + b"\n",
    "lone surrogate": lambda: b"x = '\\ud800'\nimport torch\nprint('\\ud800')\n",
    "latin-1": lambda: b"# caf\xe9\nimport torch\n",
    "control characters": lambda: b"import torch\nx = '\x1b[31m\x07\x9b'\n\x0c\n",
    "dense assignments": lambda: filled("x=1\n", 990_000),
    "dense calls": lambda: filled("f(1)\n", 990_000),
    "dense semicolons": lambda: filled("x=1;", 990_000),
    "dense list": lambda: b"x=[" + filled("1,", 990_000) + b"]",
    "dense list of names": lambda: b"x=[" + filled("a,", 990_000) + b"]",
    "dense imports": lambda: filled("import a\n", 990_000),
    "dense star imports": lambda: filled("from a import *\n", 500_000),
    "dense functions": lambda: filled("def f():g()\n", 990_000),
    "dense classes": lambda: filled("class A(A):x=1\n", 990_000),
    "dense strings": lambda: filled("f('a b c d')\n", 990_000),
    "dense comparisons": lambda: filled("if a<b:c()\n", 990_000),
    "dense withs": lambda: filled("with a() as b:b.c()\n", 990_000),
    "rebound names": lambda: filled("a=a.b()\n", 990_000),
    "rebound by turns": lambda: (
        "".join(f"a{n}=a{n - 1}.b\n" for n in range(1, 60_000)).encode() + b"a59999.c()\n"
    ),
    "one scope": lambda: "".join(
        f"def f{n}():\n global x{n}\n return f{n - 1}(x{n})\n" for n in range(30_000)
    ).encode(),
    "nested functions": lambda: (
        "".join(" " * n + f"def f{n}():\n" for n in range(90)).encode() + b" " * 90 + b"x()\n"
    ),
    "nested ifs": lambda: (
        "".join(" " * n + f"if a{n}:\n" for n in range(90)).encode() + filled(" " * 90 + "x()\n", 900_000)
    ),
    "nested withs": lambda: (
        "".join(" " * n + f"with a{n}() as b{n}:\n" for n in range(19)).encode()
        + filled(" " * 19 + "x()\n", 900_000)
    ),
    "nested loops": lambda: (
        "".join(" " * n + f"for a{n} in b():\n" for n in range(19)).encode()
        + filled(" " * 19 + "x()\n", 900_000)
    ),
    "one long line": lambda: b"x = 1" + filled(" + f(1)", 30_000),
    "long string sums": lambda: b"x = 'a'" + filled(" + 'a'", 6_000),
    "long f-string": lambda: b"x = f'" + filled("{a}", 300_000) + b"'",
    "many keywords": lambda: b"f(" + b",".join(b"a%d=1" % n for n in range(150_000)) + b")",
    "a dictionary in stars": lambda: b"f(**{" + b",".join(b"'a%d':1" % n for n in range(100_000)) + b"})",
    "long commands": lambda: b"import os\nos.system('" + filled("a && ", 500_000) + b"b')",
    "many commands": lambda: b"import os\n" + filled("os.system('a && b | c; d')\n", 1_500_000),
    "decorators": lambda: b"@f(1)\n" * 100_000 + b"def g(): pass\n",
    "Python 2": lambda: filled("print 'a'\n", 990_000),
    "many broken lines": lambda: filled("x = = 1\ny = 2\n", 500_000),
    "open brackets line by line": lambda: filled("f(\n", 500_000),
    "open strings line by line": lambda: filled("x = '''a\n\"\"\"\n", 300_000),
    "unindented blocks": lambda: filled("if x:\ny\n", 300_000),
    "merge marks": lambda: filled("<<<<<<< a\nx=1\n=======\nx=2\n>>>>>>> b\n", 500_000),
    "backslashes": lambda: filled("\\\n", 1_000_000) + b"x",
    "form feeds": lambda: b"\x0c" * 500_000,
    "carriage returns": lambda: b"x=1\r" * 250_000,
    "match statements": lambda: b"match a:\n" + filled(" case [a, *b]: c()\n", 900_000),
    "comprehensions": lambda: b"x = " + b"[a for a in " * 90 + b"b" + b"]" * 90,
    "Databricks magics": lambda: b"# Databricks notebook source\n" + filled("# MAGIC %run ./a\n", 1_500_000),
}

YAML: dict[str, Callable[[], bytes]] = {
    "merge bomb": lambda: merge_bomb(28),
    "billion laughs": lambda: billion_laughs(12),
    "deep flow": lambda: b"[" * 100_000,
    "deep maps": lambda: b"{a: " * 100_000,
    "deep block": lambda: b"- " * 100_000,
    "deep indents": lambda: b"\n".join(b" " * n + b"a:" for n in range(1_500)),
    "self reference": lambda: b"&a [*a]",
    "self merge": lambda: b"&a {<<: *a}",
    "odd scalars": lambda: b"a: 2024-13-45\nb: !!int x\nc: !!float \nd: !!omap \ne: " + b"9" * 5_000,
    "unknown tags": lambda: b"a: !Ref b\nc: !reference [d, e]\nf: !vault |\n  x\n",
    "duplicate keys": lambda: filled("a: b\n", MEGABYTE),
    "flat map": lambda: b"\n".join(b"k%d: v" % n for n in range(150_000)),
    "flat list": lambda: filled("- a\n", 750_000),
    "many documents": lambda: filled("---\na: b\n", MEGABYTE),
    "many workloads": lambda: filled(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 2}\n", 1_900_000
    ),
    "many anchors": lambda: b"\n".join(
        b"k%d: &a%d {a: *a%d}" % (n, n, n - 1) if n else b"k0: &a0 1" for n in range(20_000)
    ),
    "aliases": lambda: b"a: &a [1,2,3]\nb:\n" + filled("- *a\n", 900_000),
    "colons in flow": lambda: b"[main:app, " + filled("a:b, ", 190_000) + b"]",
    "long scalar": lambda: b"a: " + b"x" * 1_900_000,
    "long block scalar": lambda: b"a: |\n" + filled("  x && y | z\n", 1_900_000),
    "escapes": lambda: b'a: "\\e[31m\\ud800\\x9b\\u202e"\n\xc2\x9b: \xe2\x80\xae\n',
    "NUL": lambda: b"a: b\0c",
    "Helm": lambda: filled("{{- if .Values.a }}\nkind: Deployment\napiVersion: v1\n{{- end }}\n", 900_000),
    "open Helm": lambda: filled("{{ if a }}", 900_000),
    "braces": lambda: filled("{{", 900_000),
    "braces in lines": lambda: filled("a: {{ b }} {{ c }}\n", 900_000),
    "nested Helm": lambda: filled("{{- if a }}\n", 20_000) + b"kind: Deployment\napiVersion: v1\n",
    "spaces": lambda: b" " * 1_900_000,
    "tabs": lambda: b"\t" * 900_000 + b"a: b",
    "quotes": lambda: b'"' * 900_000,
    "comments": lambda: filled("# x\n", 1_900_000),
    "UTF-16": lambda: "a: b\n".encode("utf-16"),
    "cron": lambda: b"on: {schedule: [" + filled("{cron: '* * * * *'}, ", 900_000) + b"]}",
    "workflow of many jobs": lambda: (
        b"on: push\njobs:\n"
        + b"".join(
            b"  j%d:\n    needs: [j%d]\n    steps: [{run: 'a && b'}]\n" % (n, n - 1) for n in range(15_000)
        )
    ),
    "workflow of many steps": lambda: (
        b"on: push\njobs:\n  j:\n    steps:\n" + filled("    - run: python train.py && a | b\n", 1_000_000)
    ),
    "gitlab extends": lambda: b"".join(
        b"j%d:\n  extends: j%d\n  script: [a]\n" % (n, n + 1) for n in range(10_000)
    ),
    "gitlab extends itself": lambda: (
        b"j:\n  extends: j\n  script: [a]\n"
        + b"".join(b"k%d: {extends: [k%d, k%d], script: [a]}\n" % (n, n - 1, n - 1) for n in range(1, 40))
    ),
    "DVC stages": lambda: (
        b"stages:\n"
        + b"".join(b"  s%d: {cmd: a, deps: [o%d], outs: [o%d]}\n" % (n, n - 1, n) for n in range(20_000))
    ),
}

JSON: dict[str, Callable[[], bytes]] = {
    "deep": lambda: b"[" * 100_000,
    "deep and closed": lambda: b"[" * 100_000 + b"]" * 100_000,
    "deep objects": lambda: b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "5000 digits": lambda: b'{"a": ' + b"9" * 5_000 + b"}",
    "lone surrogate": lambda: b'{"a": "\\ud800\\u001b"}',
    "a byte order mark": lambda: b'\xef\xbb\xbf{"a": 1}',
    "flat list": lambda: b"[" + filled("1,", 1_900_000) + b"1]",
    "flat object": lambda: b"{" + b",".join(b'"k%d":1' % n for n in range(150_000)) + b"}",
    "many lines": lambda: filled('{"a": 1}\n', 1_900_000),
    "broken": lambda: filled('{"a" 1]\n', 1_900_000),
    "commas": lambda: b"[" + b"," * 1_900_000,
    "quotes": lambda: b'"' * 1_900_001,
    "infinity": lambda: b'{"a": NaN, "b": Infinity, "c": 1e999}',
    "long string": lambda: b'{"a": "' + b"x" * 1_900_000 + b'"}',
    "duplicates": lambda: b"{" + filled('"a":1,', 1_900_000) + b'"a":1}',
    "comments": lambda: filled("// x\n", 1_900_000) + b"{}",
    "open comment": lambda: filled("/*", 1_900_000),
    "templates": lambda: (
        b'{"Resources": {' + b",".join(b'"r%d":{"Type":"AWS::S3::Bucket"}' % n for n in range(40_000)) + b"}}"
    ),
    "dashboard": lambda: b'{"panels": [' + filled('{"targets": [{"expr": "a"}]},', 1_500_000) + b"{}]}",
}

TOML: dict[str, Callable[[], bytes]] = {
    "dotted key": lambda: b".".join([b"a"] * 20_000) + b" = 1",
    "deep array": lambda: b"a = " + b"[" * 100_000,
    "deep tables": lambda: b"[" + b".".join([b"a"] * 900) + b"]\nb = 1",
    "many tables": lambda: b"".join(b"[t%d]\na = 1\n" % n for n in range(100_000)),
    "arrays of tables": lambda: filled("[[a]]\nb = 1\n", 1_500_000),
    "dotted tables": lambda: b"".join(
        b"[" + b".".join([b"a%d" % n] * 60) + b"]\nb=1\n" for n in range(3_000)
    ),
    "flat": lambda: b"".join(b"k%d = 1\n" % n for n in range(150_000)),
    "long list": lambda: b"a = [" + filled("'b', ", 1_900_000) + b"]",
    "long string": lambda: b'a = "' + b"x" * 1_900_000 + b'"',
    "open string": lambda: b"a = '''" + filled("x\n", 1_900_000),
    "5000 digits": lambda: b"a = " + b"9" * 5_000,
    "dates": lambda: b"a = 2024-13-45\n",
    "escapes": lambda: b'a = "\\u202e\\u001b"\n',
    "inline tables": lambda: b"a = " + b"{a = " * 5_000 + b"1" + b"}" * 5_000,
    "dependencies": lambda: (
        b"[project]\ndependencies = [" + filled("\"a==1; python_version<'3'\",\n", 1_900_000) + b"]"
    ),
    "markers": lambda: b"[project]\ndependencies = ['a; " + b"(" * 2_000 + b"']",
}

PUMPS = (
    "a", "a ", " ", "\t", "\n", "\r\n", "(", ")", "[", "]", "{", "}", "<", ">", '"', "'", "`", "\\", "/", "*", "_", "-",
    "=", "#", ":", ";", ",", ".", "|", "&", "!", "$", "%", "@", "~", "^", "+", "?", "0", "1.", "a.", "a=", "a:", "a: b\n",
    "- a\n", "* ", "# a\n", "[a](", "![a](", "[a]", "<a", "<!--", "-->", "</", "``", "```", "```\n", "$(", "${", "$((",
    "$(a ", "`a ", "a|", "a&&", "a;", "a\\\n", "<<E\n", "<(", "if a\n", "if a; then ", "for a in b; do ", "case a in ",
    "{{", "}}", "{{ a", "{%", "<%", "==", ">=1,", "a[b]", "a==1;", "(a", "(a)", "a(", "a()", "a {", "a }\n", "\"a\" ",
    "'a' ", "\\\"", "e\u0301", "\ufeff", "\u2028", "a\tb", " a", "\n a", "\n\n", "\n#", "--a ", "-a ", "A=1 ", "a = b\n",
    "|a|", "|a|b|\n", "|--|", "1. ", "- [ ] ", "> ", "---\n", "===\n", "a\n---\n", "a\n===\n", ".. a::\n", "//", "/*", "*/",
    "stage {", "FROM a\n", "RUN a && ", "COPY a b\n", "a:\n\tb\n", "\tb\n", "define a\n", "endef\n", "ifdef a\n", "%>%", "<-",
    "library(a)\n", "function(a) ", "a <- ", "import a\n", "from a import b\n", "a@b ", "http://a ", "git+https://a@", "-r ",
    "!a ", "%a ", "!pip ", "resource \"a\" \"b\" {", "output a string\n", "\x00", "\x1b[", "\xff", "\ud800",
)  # fmt: skip

# A path for each extractor whose language is not one of those above.
PUMPED_PATHS = (
    "a.py", "a.ipynb", "a.rmd", "a.qmd", "a.r", "requirements.txt", "environment.yml", "Pipfile", "setup.cfg", "setup.py",
    ".python-version", "conda-a.lock", "explicit.txt", "Pipfile.lock", "renv.lock", "package.json", "yarn.lock", "go.mod",
    "pom.xml", "build.gradle", "build.sbt", "Gemfile", "Gemfile.lock", "Cargo.lock", "DESCRIPTION", "a.ini", "a.conf", "a.env",
    "a.properties", ".gitattributes", "CODEOWNERS", "Makefile", "justfile", "run.sh", "run.bat", "run.ps1", "bin/run", "tox.ini",
    "Procfile", "Rakefile", "noxfile.py", "Jenkinsfile", "a.groovy", "MLproject", "Dockerfile", "config.pbtxt", "models.config",
    "config.properties", "README.md", "a.rst", "a.adoc", "a.mdx", "a.tpl", "a.tf", "a.tfvars", "a.rules", "a.bicep", "a.template",
    "a.yaml", "a.json", "a.toml", ".gitlab-ci.yml", ".github/workflows/a.yml", ".github/workflows/a.yml.tpl", "azure-pipelines.yml",
    "Chart.yaml", "docker-compose.yml", "serverless.yml", "dvc.yaml", "MODEL_CARD.md", "cloudbuild.yaml", ".circleci/config.yml",
)  # fmt: skip


def known() -> Iterator[tuple[str, str, bytes]]:
    """(name, path, bytes) of every known attack in every place where its language is read."""
    for group, paths in (
        (PYTHON, ("src/train.py", "noxfile.py", "setup.py")),
        (YAML, (
            "params.yaml", ".github/workflows/ci.yml", ".gitlab-ci.yml", "charts/templates/a.yaml", "dvc.yaml", "environment.yml",
            "docker-compose.yml", "azure-pipelines.yml", "Chart.yaml", "cloudbuild.yaml", ".circleci/config.yml",
            "serverless.yml", "Taskfile.yml", ".pre-commit-config.yaml", "pnpm-lock.yaml", "conda-lock.yml", "buildspec.yml",
        )),
        (JSON, ("config.json", "package-lock.json", "package.json", "Pipfile.lock", "main.tf.json", "notebook.ipynb")),
        (TOML, ("pyproject.toml", "uv.lock", "poetry.lock", "Cargo.lock", "Pipfile", ".mlops-audit.toml")),
    ):  # fmt: skip
        for name, made in group.items():
            data = made()
            for path in paths:
                yield name, path, data
    for name, made in PYTHON.items():
        text = made().decode("latin-1")
        yield f"{name} in a cell", "a.ipynb", notebook([cell(text), cell("!pip install torch\n%run a.py")])
        yield f"{name} in prose", "a.ipynb", notebook([cell(text, "markdown")])
    yield "many cells", "a.ipynb", notebook([cell("import torch\n!a && b")] * 30_000)
    yield (
        "odd cells",
        "a.ipynb",
        notebook([cell(s) for s in (None, 1, [], [1, None, "x"], {}, [["a"]], True)]),
    )
    yield "odd notebooks", "a.ipynb", b'{"cells": {"a": 1}, "metadata": []}'
    yield "cells of cells", "a.ipynb", b'{"worksheets": [{"cells": [' + b'{"cells": [' * 1_000


def pumped(size: int, size_of_python: int = 30_000) -> Iterator[tuple[str, str, bytes]]:
    """Every pump at every path: at the start, after something sound, and before an end that does not fit."""
    for path in PUMPED_PATHS:
        for pump in PUMPS:
            data = filled(pump, size)
            yield f"pump {pump!r}", path, data
            yield f"pump {pump!r} after a word", path, b"a: x\na = 'y'\nFROM x\n# a\n" + data + b"\x01)}]!"
