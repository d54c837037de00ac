"""Configuration files in, dotted settings out; data gives none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_audit.extract.settings import extract
from mlops_audit.parse.nodes import ParseFailure


def read(path: str, text: str | bytes) -> list[tuple[str, str, int]]:
    data = text.encode() if isinstance(text, str) else text
    return [(fact.name, str(fact.traits["value"]), fact.site.line) for fact in extract(path, data)]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("params.yaml", "train:\n  seed: 42\n  layers: [1, 2]\n  note:\n    x\n",
         [("train.seed", "42", 2), ("train.layers", "1", 3), ("train.layers", "2", 3), ("train.note", "x", 4)]),
        (".github/dependabot.yml", "version: 2\nupdates:\n  - package-ecosystem: pip\n",
         [("version", "2", 1), ("updates.package-ecosystem", "pip", 3)]),
        ("renovate.json", '{\n "extends": ["config:base"]\n}', [("extends", "config:base", 2)]),
        ("pyproject.toml", "[tool.pytest.ini_options]\nxfail_strict = true\n",
         [("tool.pytest.ini_options.xfail_strict", "true", 2)]),
        ("setup.cfg", "[tool:pytest]\nmarkers =\n    data: checks\n", [("tool:pytest.markers", "\ndata: checks", 2)]),
        (".dvc/config", "[core]\n    remote = s\n['remote \"s\"']\n    url = s3://b\n",
         [("core.remote", "s", 2), ("remote.s.url", "s3://b", 4)]),
        (".gitattributes", "# c\n*.bin filter=lfs diff=lfs -text\n", [("*.bin", "filter=lfs diff=lfs -text", 2)]),
        (".github/CODEOWNERS", "# c\n* @a/team  @b # why\n[Section]\n/data/ @c\n",
         [("codeowners.*", "@a/team @b", 2), ("codeowners./data/", "@c", 4)]),
        (".env.example", "# c\nexport A=1\nB='x y'\nC=z # why\nnonsense\n", [("A", "1", 2), ("B", "x y", 3), ("C", "z", 4)]),
        ("app.properties", "a.b=1\n! c\n", [("a.b", "1", 1), ("! c", "", 2)]),
        ("data/x.csv.dvc", "outs:\n- md5: abc\n  path: x.csv\n", [("outs.md5", "abc", 2), ("outs.path", "x.csv", 3)]),
        ("a.yaml", "x: &a\n  y: 1\nz: *a\n---\nw: 2\n", [("x.y", "1", 2), ("z.y", "1", 2), ("w", "2", 5)]),
    ],
)  # fmt: skip
def test_settings_are_dotted_and_stand_at_their_keys(
    path: str, text: str, expected: list[tuple[str, str, int]]
) -> None:
    assert read(path, text) == expected


def test_what_stands_under_a_switch_that_is_off_is_dead_and_the_switch_is_not() -> None:
    text = (
        "a:\n  enabled: false\n  most: 5\n  b: {c: 1}\nd:\n  - {enabled: false, x: 1}\n  - {enabled: true, x: 2}\n"
        "e:\n  disabled: true\n  y: 3\nf: {enabled: true, inner: {enabled: false, z: 4}, w: 5}\n"
        "g: {enabled: ~, v: 6}\nh: {enabled: {a: 1}, u: 7}\n"
    )
    facts = list(extract("values.yaml", text.encode()))
    dead = {(fact.name, fact.traits["value"]) for fact in facts if "dead" in fact.traits}
    assert dead == {
        ("a.most", "5"),
        ("a.b.c", "1"),
        ("d.x", "1"),
        ("e.y", "3"),
        ("f.inner.z", "4"),
        ("g.v", "6"),
    }


def test_a_configuration_written_as_text_is_read_with_its_lines() -> None:
    text = "kind: RayService\nspec:\n  serveConfigV2: |\n    applications:\n      - most: 5\n  after: 1\n"
    assert ("spec.serveConfigV2.applications.most", "5", 5) in read("serve.yaml", text)
    assert read("x.yaml", "a:\n  serveConfigV2: |\n    {b\n    c\n") == [("a.serveConfigV2", "{b\nc\n", 2)]


RECORDS = [{"question": "q", "answer": "a"}] * 100
ENTRIES = {f"key{n}": n for n in range(6_000)}


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("data.json", RECORDS), ("data.json", [1, 2]), ("map.json", {"type": "FeatureCollection", "features": []}),
        ("dash.json", {"title": "x", "panels": [], "schemaVersion": 1}), ("package-lock.json", {"lockfileVersion": 3}),
        ("crd.yaml", {"kind": "CustomResourceDefinition", "a": 1}), ("coco.json", {"images": [], "annotations": [], "x": 1}),
        ("api.json", {"openapi": "3.0", "paths": {"/": "x" * 70_000}}), ("big.json", {"a": "x" * 300_000}),
        ("records.yaml", RECORDS * 6), ("x.json", {"rows": RECORDS}), ("examples/params.yaml", {"a": 1}),
        ("vendor/x.toml", {}), ("pnpm-lock.yaml", {"a": 1}), ("environment.ts", {"a": 1}), ("nb.json", {"cells": [], "nbformat": 4}),
    ],
)  # fmt: skip
def test_data_locks_and_foreign_files_give_none(path: str, content: object) -> None:
    assert read(path, json.dumps(content)) == []


def test_of_very_many_leaves_the_first_are_kept() -> None:
    found = read("conf.yaml", json.dumps(ENTRIES))
    assert len(found) == 2_000
    assert found[0][0] == "key0"


def test_a_long_value_is_cut_and_counts_its_lines() -> None:
    (fact,) = extract("a.yaml", ("prompt: |\n" + "  Answer briefly and kindly.\n" * 50).encode())
    assert len(fact.traits["value"]) == 300
    assert fact.traits["lines"] == "50"
    assert fact.traits["form"] == "config"


def test_a_broken_file_is_a_failure_but_not_a_helm_template() -> None:
    template = "a: {{ .Values.a }}\n{{- if .Values.b }}\nb: 1\n{{- end }}\n"
    with pytest.raises(ParseFailure):
        read("deploy/a.yaml", template)
    assert read("chart/templates/a.yaml", template) == []


def test_blocks_in_braces_are_no_ini() -> None:
    assert read("nginx.conf", "server {\n  listen 80;\n}\n") == []


@given(
    st.one_of(
        st.binary(max_size=150), st.text(max_size=150).map(lambda text: text.encode("utf-8", "replace"))
    )
)
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_settings_or_a_parse_failure(data: bytes) -> None:
    for path in (
        "a.yaml",
        "a.json",
        "a.toml",
        "a.ini",
        ".env",
        ".gitattributes",
        "CODEOWNERS",
        ".dvc/config",
        "a.conf",
    ):
        try:
            found = read(path, data)
        except ParseFailure:
            continue
        assert all(name and line >= 1 for name, _, line in found)
