"""Every parser of data formats: nodes with lines, or one clear failure, and quickly."""

from __future__ import annotations

import contextlib
import re
import sys
import time

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mlops_audit import parse
from mlops_audit.parse import yaml_events
from mlops_audit.parse.nodes import MAX_BYTES, Node, ParseFailure, decode


def one(text: str) -> Node:
    documents = parse.yaml(text.encode())
    assert len(documents) == 1
    return documents[0]


def flat(node: Node) -> list[tuple[str, str, int]]:
    return [(path, leaf.text, leaf.line) for path, leaf in node.leaves()]


def pure_yaml(data: bytes, monkeypatch: pytest.MonkeyPatch) -> list[Node]:
    """The same file through the fallback for platforms without the C parser."""
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "_ruamel_yaml", None)
        return yaml_events.documents.__wrapped__(data)  # type: ignore[attr-defined,no-any-return]


# ------------------------------------------------------------------------------------------------------ YAML


def test_yaml_leaves_have_dotted_paths_and_lines() -> None:
    text = "a: 1\nb:\n  - x: 2\n    y:\n      3\n  - x: four\nc: {d: [5, 6]}\n"
    assert flat(one(text)) == [
        ("a", "1", 1), ("b.x", "2", 3), ("b.y", "3", 5), ("b.x", "four", 6), ("c.d", "5", 7), ("c.d", "6", 7),
    ]  # fmt: skip
    assert one(text).get("b").list[0].line_of("y") == 4  # type: ignore[union-attr]


def test_definitions_of_types_are_not_parsed_and_lines_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    definition = "apiVersion: v1\nkind: CustomResourceDefinition\nspec: {a: [}\n"  # no YAML, and nobody sees
    text = f"a: 1\n---\n{definition}---\nb:\n  kind: CustomResourceDefinition\n---\n{definition}--- # c\nc: 3"
    for documents in (parse.yaml(text.encode()), pure_yaml(text.encode(), monkeypatch)):
        assert [flat(document) for document in documents] == [
            [("a", "1", 1)], [("b.kind", "CustomResourceDefinition", 8)], [("c", "3", 14)],
        ]  # fmt: skip
    assert parse.yaml(definition.encode()) == []
    with pytest.raises(ParseFailure):
        parse.yaml(definition.replace("CustomResourceDefinition", "Deployment").encode())


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("on: push", ("on",), "push"),
        ("yes: no", ("yes",), "no"),
        ("when: 2024-13-45", ("when",), "2024-13-45"),
        ("x: !!int notanumber", ("x",), "notanumber"),
        ("x: 0o17", ("x",), "0o17"),
        ("x: ~", ("x",), ""),
        ("x: 'null'", ("x",), "null"),
        ("x: |\n  one\n  two\n", ("x",), "one\ntwo\n"),
        ("x: >-\n  one\n  two\n", ("x",), "one two"),
        ("a: 1\na: 2", ("a",), "2"),
        ("1: {2: three}", ("1", "2"), "three"),
        ("null: x", ("",), "x"),
        ("? [complex, key]\n: x", ("?",), "x"),
        ('x: "\\u00e9\\n"', ("x",), "é\n"),
        ("x: 日本語 # comment", ("x",), "日本語"),
        ("%YAML 1.1\n---\nx: 1", ("x",), "1"),
        ("\ufeffx: 1", ("x",), "1"),
    ],
)
def test_yaml_scalars_stay_the_text_of_the_file(text: str, path: tuple[str, ...], value: str) -> None:
    assert one(text).at(*path) == value


def test_a_colon_inside_a_word_of_a_flow_sequence_is_yaml_1_2() -> None:
    text = "a: &n 1\ncommand: [uvicorn, main:app, nvidia/cuda:12]\nb: *n\n"
    assert flat(one(text)) == [
        ("a", "1", 1), ("command", "uvicorn", 2), ("command", "main:app", 2), ("command", "nvidia/cuda:12", 2), ("b", "1", 1),
    ]  # fmt: skip


def test_yaml_tags_of_cloudformation_and_gitlab_are_kept() -> None:
    node = one("a: !Ref Bucket\nb: !GetAtt\n  - x\n  - y\nc: !reference [.base, script]\nd: !Sub {k: v}\n")
    assert [node.get(key).tag for key in "abcd"] == ["!Ref", "!GetAtt", "!reference", "!Sub"]  # type: ignore[union-attr]
    assert one("x: !!str 1").get("x").tag == ""  # type: ignore[union-attr]


def test_yaml_aliases_stand_for_the_node_they_name_and_merges_are_a_key() -> None:
    node = one("base: &b\n  image: x\njob:\n  <<: *b\n  name: *n\n".replace("*n", "&n z") + "other: *n\n")
    assert node.at("job", "<<", "image") == "x"
    assert node.get("job", "<<", "image").line == 2  # type: ignore[union-attr]
    assert node.at("other") == "z"


def test_an_alias_to_itself_is_cut_and_an_unknown_one_is_a_failure() -> None:
    assert flat(one("a: &a [1, *a]")) == [("a", "1", 1), ("a", "", 1)]
    with pytest.raises(ParseFailure, match="alias"):
        parse.yaml(b"a: *nowhere")


def test_several_documents_are_read_without_the_empty_ones() -> None:
    documents = parse.yaml(b"---\na: 1\n---\n# nothing\n---\nb: 2\n...\n")
    assert [flat(d) for d in documents] == [[("a", "1", 2)], [("b", "2", 6)]]


def test_anchors_end_with_their_document() -> None:
    with pytest.raises(ParseFailure):
        parse.yaml(b"a: &x 1\n---\nb: *x\n")


def test_carriage_returns_do_not_shift_lines() -> None:
    assert flat(parse.yaml(b"a: 1\r\n\r\nb: 2\r\n")[0]) == [("a", "1", 1), ("b", "2", 3)]


def test_utf_16_is_read_and_other_nul_bytes_are_refused() -> None:
    assert parse.yaml("a: é".encode("utf-16"))[0].at("a") == "é"
    with pytest.raises(ParseFailure, match="NUL"):
        parse.yaml(b"a: \x00")


def test_a_template_is_a_failure_with_its_line() -> None:
    with pytest.raises(ParseFailure) as caught:
        parse.yaml(b"a: 1\nb: {{ .Values.b }}\n{{- if .Values.c }}\nc: 1\n{{- end }}\n")
    assert caught.value.line == 4
    assert "\n" not in caught.value.reason


BILLION_LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
MERGE_BOMB = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 40)
)
ALIAS_LADDER = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 5000))


@pytest.mark.parametrize(
    "text",
    [
        BILLION_LAUGHS, MERGE_BOMB, ALIAS_LADDER, "[" * 100_000, "- " * 100_000, "{a: " * 50_000, "? " * 50_000,
        "\n".join(" " * depth + "a:" for depth in range(1000)), "[x,\n" * 70, '["a", ' * 100_000, "- x\n" * 210_000,
    ],
    ids=["laughs", "merges", "ladder", "flow", "block", "mappings", "keys", "indents", "lines", "items", "long"],
)  # fmt: skip
def test_yaml_bombs_are_refused_quickly(text: str) -> None:
    began = time.process_time()
    with pytest.raises(ParseFailure, match=r"nodes|deep"):
        parse.yaml(text.encode())
    assert time.process_time() - began < 5


def test_an_ordinary_use_of_aliases_is_no_bomb() -> None:
    text = "base: &b {a: 1, b: 2}\n" + "".join(f"job{i}:\n  <<: *b\n" for i in range(500))
    assert len(flat(one(text))) == 1002


def test_leaves_over_shared_nodes_have_a_budget() -> None:
    node = Node("x", 1)
    for _ in range(40):
        node = Node([node, node], 1)
    began = time.process_time()
    with pytest.raises(ParseFailure, match="more than 200000"):
        for _ in node.leaves():
            pass
    assert time.process_time() - began < 5


def test_nesting_up_to_the_cap_is_read() -> None:
    assert one("[" * 64 + "x" + "]" * 64).list
    deep = b'{"a":' * 64 + b"1" + b"}" * 64
    assert [leaf.text for _, leaf in parse.json_document(deep).leaves()] == ["1"]


FRAGMENTS = [
    "a", "b: ", "- ", "? ", ": ", "\n", "  ", "[", "]", "{", "}", ", ", "&x ", "*x", "!t ", "!!str ", "| \n", ">\n",
    "'", '"', "#c", "<<: ", "---\n", "...\n", "null", "~", "é", "\t", "1", "\\", "%YAML 1.2\n", "\u2028", "😀", "\x85",
]  # fmt: skip


@given(st.lists(st.sampled_from([part for part in FRAGMENTS if part != "#c"]), max_size=25).map("".join))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_yaml_parsers_give_the_same_nodes(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assume(not re.search(r"[|>] ?\n(---|\.\.\.)", text))  # the slow one reads on over the end of the document
    try:
        with_c = parse.yaml(text.encode())
    except ParseFailure:
        return  # the two differ in what they refuse, not in what they read
    try:
        alike = pure_yaml(text.encode(), monkeypatch)
    except ParseFailure:
        return
    assert [shape(node) for node in alike] == [shape(node) for node in with_c]


def shape(node: Node) -> object:
    """All of a node but the line of nothing, for which there is no place in the text."""
    if isinstance(node.value, dict):
        return (
            node.line,
            node.tag,
            [(key, node.line_of(key) if key else 0, shape(n)) for key, n in node.items],
        )
    if isinstance(node.value, list):
        return (node.line, node.tag, [shape(child) for child in node.value])
    return (node.line if node.value else 0, node.tag, node.value, node.quoted)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {x: !Ref y, z: 'q'}\nb: [*a, ~, null]\n<<: *a\n? k\n: v\n",
        "steps:\n  - run: |\n      one\n      two\n  - uses: a@v4 # comment\n---\nsecond: !!str 1\n",
        "x: &e ''\ny: *e\nz: !!binary aGk=\nw: ! plain\n",
    ],
)
def test_the_fallback_reads_real_documents_alike(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pure_yaml(text.encode(), monkeypatch) == parse.yaml(text.encode())


# ------------------------------------------------------------------------------------------------------ JSON


def test_json_leaves_have_paths_and_lines() -> None:
    node = parse.json_document(b'{\n "a": {"b": [1, true,\n null]},\n "c": "x\\ny"\n}')
    assert flat(node) == [("a.b", "1", 2), ("a.b", "true", 2), ("a.b", "", 3), ("c", "x\ny", 4)]
    assert node.line_of("c") == 4
    assert node.get("c").quoted  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1,}', "1"),
        ('// c\n{"a": /* x */ 1 // y\n}', "1"),
        ('{/* k */ "a": [1,],}', "1"),
        ('\ufeff{"a": 1}', "1"),
        ('{"a": 0, "a": 1}', "1"),
        ('{"a": "null"}', "null"),
        ('{"a": "\\ud83d\\ude00"}', "😀"),
        ('{"a": "\\ud800"}', "?"),
    ],
)
def test_json_of_tools_is_tolerated(text: str, value: str) -> None:
    assert [leaf.text for _, leaf in parse.json_document(text.encode()).leaves("")] == [value]


def test_utf_16_json_is_read() -> None:
    assert parse.json_document('{"a": "é"}'.encode("utf-16")).at("a") == "é"


@pytest.mark.parametrize(
    "text", ["", "   ", "// only", '{"a": }', '{"a" 1}', "<<<<<<< HEAD\n{}", '{"a": {{ x }}}', "{"]
)
def test_broken_json_is_a_failure(text: str) -> None:
    with pytest.raises(ParseFailure):
        parse.json_document(text.encode())


def test_the_failure_of_broken_json_has_its_line() -> None:
    with pytest.raises(ParseFailure) as caught:
        parse.json_document(b'{\n "a": 1,\n<<<<<<< HEAD\n "b": 2\n}')
    assert caught.value.line == 3


def test_json_lines_are_a_sequence() -> None:
    assert [n.at("a") for n in parse.json_document(b'{"a": 1}\n{"a": 2}\n').list] == ["1", "2"]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "[" * 70 + "]" * 70, "[" + "[1],\n" * 150_000 + "1]"]
)
def test_json_bombs_are_refused_quickly(text: str) -> None:
    began = time.process_time()
    with pytest.raises(ParseFailure):
        parse.json_document(text.encode())
    assert time.process_time() - began < 5


# ------------------------------------------------------------------------------------------------------ TOML


def test_toml_leaves_have_paths_and_lines() -> None:
    text = """a = 1
[tool.x]
"quoted.key" = true
list = [
  "one",  # comment
  { b = "two" },
  ["three"],
]
dotted.deep = 1979-05-27
[[job]]
name = "first"
[[job]]
name = "second"
[[job.step]]
run = "x"
[job.step.more]
y = 1
"""
    node = parse.toml(text.encode())
    assert flat(node) == [
        ("a", "1", 1), ("tool.x.quoted.key", "true", 3), ("tool.x.list", "one", 5), ("tool.x.list.b", "two", 6),
        ("tool.x.list", "three", 7), ("tool.x.dotted.deep", "1979-05-27", 9), ("job.name", "first", 11),
        ("job.name", "second", 13), ("job.step.run", "x", 15), ("job.step.more.y", "1", 17),
    ]  # fmt: skip
    assert node.line_of("job") == 10


@pytest.mark.parametrize(
    "text", ["a = ", "[a", "a = 1\na = 2", "x = 1979-13-45", "a." * 500 + "b = 1", "a = " + "[" * 5000]
)
def test_broken_toml_is_a_failure(text: str) -> None:
    with pytest.raises(ParseFailure):
        parse.toml(text.encode())


def test_toml_with_a_mark_and_carriage_returns_is_read() -> None:
    assert flat(parse.toml(b"\xef\xbb\xbf[a]\r\nb = 1\r\n")) == [("a.b", "1", 2)]


# ------------------------------------------------------------------------------------------------------- INI


def test_ini_sections_keys_and_continuations_have_lines() -> None:
    text = "top = 1\n[metadata]\nname: x\n[options]\ninstall_requires =\n    numpy==1\n    # why\n    pandas\npy = 3\n"
    node = parse.ini(text.encode())
    assert flat(node) == [
        ("top", "1", 1), ("metadata.name", "x", 3), ("options.install_requires", "\nnumpy==1\n\npandas", 5),
        ("options.py", "3", 9),
    ]  # fmt: skip


def test_git_style_sections_become_dotted() -> None:
    text = "[core]\n    remote = store\n['remote \"store\"']\n    url = s3://bucket/x\n    profile = p\n"
    node = parse.ini(text.encode())
    assert node.at("core", "remote") == "store"
    assert node.at("remote.store", "url") == "s3://bucket/x"
    assert node.get("remote.store", "profile").line == 5  # type: ignore[union-attr]


def test_ini_keeps_what_looks_like_interpolation_and_keys_without_values() -> None:
    node = parse.ini(b"[s]\nx = %(y)s %\nflag\nx = last\n[s]\nz = 1\n; c\n")
    assert flat(node) == [("s.x", "last", 4), ("s.flag", "", 3), ("s.z", "1", 6)]


# ------------------------------------------------------------------------------------------------ properties


BYTES = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=120).map(lambda text: text.encode("utf-8", errors="replace")),
    st.lists(
        st.sampled_from([*FRAGMENTS, '"k": ', "[a.b]\n", "x = 1\n", "[[t]]\n", "//", "/*", "*/"]), max_size=40
    ).map(lambda parts: "".join(parts).encode()),
)


@pytest.mark.parametrize("name", ["yaml", "json_document", "toml", "ini"])
@given(data=BYTES)
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_nodes_or_a_parse_failure(name: str, data: bytes) -> None:
    try:
        result = getattr(parse, name)(data)
    except ParseFailure as failure:
        result = Node(failure.reason, failure.line)
        assert result.text
    lines = decode(data).count("\n") + 1
    for node in result if isinstance(result, list) else [result]:
        for path, leaf in node.leaves():
            assert 0 <= leaf.line <= lines + 1
            (path + leaf.text).encode()  # can be written to a report


@pytest.mark.parametrize("name", ["yaml", "json_document", "toml", "ini"])
def test_long_runs_of_one_character_are_read_quickly(name: str) -> None:
    for character in " \t=:[]{}#&*!-\"'\\\na,.":
        data = b"a" + character.encode() * 200_000 + b"b"
        began = time.process_time()
        with contextlib.suppress(ParseFailure):
            getattr(parse, name)(data)
        assert time.process_time() - began < 3, repr(character)


def test_what_is_larger_than_the_cap_is_refused() -> None:
    for reader in (parse.yaml, parse.json_document, parse.toml, parse.ini):
        with pytest.raises(ParseFailure, match="larger"):
            reader(b" " * (MAX_BYTES + 1))
