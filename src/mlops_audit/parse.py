"""Every parser of data formats, behind one shape (Node) and one error (ParseFailure).

Values are never constructed: scalars stay the text that stands in the file, so that unknown tags, duplicate keys,
GitHub's `on:` key, dates and bombs of aliases are all harmless. Sizes and nesting are capped.
"""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tree_sitter

MAX_BYTES = 2_000_000
MAX_DEPTH = 64
MAX_NODES = 200_000


class ParseFailure(ValueError):
    """A text that cannot be read as its format: `line` from 1 (0: unknown) and `reason` in one line."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = " ".join(reason.split())[:200]
        self.line = line


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a YAML, JSON or TOML document with the line where it stands, from 1.

    `value` is a str for scalars ("" for null), a list of Nodes, or a dict from key to Node; of duplicate keys the
    last wins. `tag` is an explicit YAML tag such as "!Ref". `keys` gives the line of each key of a mapping.
    `quoted` tells "1" from 1.
    """

    value: str | list[Node] | dict[str, Node]
    line: int
    tag: str = ""
    keys: dict[str, int] | None = None
    quoted: bool = False

    @property
    def text(self) -> str:
        """The scalar's text, "" for anything else."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def list(self) -> list[Node]:
        """The items of a sequence; a scalar or mapping counts as a sequence of one, null as none."""
        if isinstance(self.value, list):
            return self.value
        return [self] if self.value != "" else []

    @property
    def items(self) -> list[tuple[str, Node]]:
        """The pairs of a mapping, [] for anything else."""
        return list(self.value.items()) if isinstance(self.value, dict) else []

    def get(self, *path: str) -> Node | None:
        """The node below the keys, None where a key is absent or a mapping is not there."""
        node: Node | None = self
        for key in path:
            if node is None or not isinstance(node.value, dict):
                return None
            node = node.value.get(key)
        return node

    def at(self, *path: str) -> str:
        """The scalar text below the keys, "" where there is none."""
        node = self.get(*path)
        return node.text if node is not None else ""

    def line_of(self, key: str) -> int:
        """The line of a key of this mapping, the mapping's own line where it is absent."""
        return (self.keys or {}).get(key, self.line)

    def leaves(self, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """Every scalar below this node with its dotted path; items of a sequence share the path of the sequence."""
        stack = [(prefix, self)]
        while stack:
            path, node = stack.pop()
            if isinstance(node.value, dict):
                stack.extend((f"{path}.{key}" if path else key, child) for key, child in reversed(node.items))
            elif isinstance(node.value, list):
                stack.extend((path, child) for child in reversed(node.value))
            else:
                yield path, node


def decode(data: bytes) -> str:
    """The text of a file: UTF-8 with or without a mark, UTF-16 with one, else Latin-1; line ends become \\n."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _check_size(data: bytes) -> None:
    if len(data) > MAX_BYTES:
        raise ParseFailure(f"larger than {MAX_BYTES} bytes")


# ------------------------------------------------------------------------------------------------------ YAML


def yaml(data: bytes) -> list[Node]:
    """The documents of a YAML file, without the empty ones.

    Raises ParseFailure for what is no YAML, and for nesting or sizes over the caps. Aliases stand for the node
    they name without being expanded; `<<` merges are kept as a key of that name.
    """
    _check_size(data)
    text = decode(data)
    if "\x00" in text:
        raise ParseFailure("a NUL byte in a text file")
    _guard_nesting(text)
    try:
        return list(_yaml_documents(_yaml_events(text)))
    except ParseFailure:
        raise
    except (ValueError, AttributeError, IndexError, TypeError, RecursionError, MemoryError) as error:
        raise ParseFailure(f"no valid YAML: {error}") from error


def _guard_nesting(text: str) -> None:
    """Refuse text that nests deeper than any real document before a parser written in C sees it."""
    depth = 0
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) - len(line.lstrip(" ")) > 8 * MAX_DEPTH:
            raise ParseFailure("indented too deeply", number)
        if re.match(r"\s*(?:[-?:] +){%d}" % MAX_DEPTH, line):
            raise ParseFailure("nested too deeply", number)
        for bracket in re.findall(r"[\[\]{}]", line):
            depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
            if depth > 200:
                raise ParseFailure("nested too deeply", number)


def _yaml_events(text: str) -> Iterator[Any]:
    from ruamel.yaml.error import YAMLError

    try:
        from _ruamel_yaml import CParser
    except ImportError:  # no wheel of the C parser for this platform: the same events, slower
        from ruamel.yaml import YAML

        events = iter(YAML(typ="safe", pure=True).parse(text))
    else:
        parser = CParser(text)

        def from_c() -> Iterator[Any]:
            while parser.check_event():
                yield parser.get_event()

        events = from_c()
    try:
        yield from events
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise ParseFailure(f"no valid YAML: {problem}", mark.line + 1 if mark else 0) from error


def _yaml_documents(events: Iterator[Any]) -> Iterator[Node]:
    """Compose nodes from events with an own stack: no recursion, no construction."""
    anchors: dict[str, Node] = {}
    stack: list[tuple[Node, list[Node]]] = []  # open collections with the finished children of each
    count = 0
    for event in events:
        kind = type(event).__name__
        line = event.start_mark.line + 1 if event.start_mark else 0
        if kind == "DocumentStartEvent":
            anchors = {}
            continue
        if kind == "ScalarEvent":
            style = getattr(event, "style", None) or ""
            value = event.value
            if not style and value in ("~", "null", "Null", "NULL"):
                value = ""
            node = Node(value, line, _tag(event), quoted=style in ("'", '"'))
        elif kind == "AliasEvent":
            node = anchors.get(event.anchor, Node("", line))
        elif kind in ("SequenceStartEvent", "MappingStartEvent"):
            if len(stack) >= MAX_DEPTH:
                raise ParseFailure("nested too deeply", line)
            opened = Node([] if kind[0] == "S" else {}, line, _tag(event), keys=None if kind[0] == "S" else {})
            if event.anchor:
                anchors[event.anchor] = Node("", line)  # a collection that contains itself is cut here
            stack.append((opened, []))
            if event.anchor:
                anchors[f"\0{id(opened)}"] = Node(str(event.anchor), line)
            continue
        elif kind in ("SequenceEndEvent", "MappingEndEvent"):
            node, children = stack.pop()
            if isinstance(node.value, list):
                node.value.extend(children)
            elif isinstance(node.value, dict) and node.keys is not None:
                for key, child in zip(children[::2], children[1::2]):
                    name = key.text or ("" if isinstance(key.value, str) else "?")
                    node.value[name] = child
                    node.keys[name] = key.line
            name_of_anchor = anchors.pop(f"\0{id(node)}", None)
            if name_of_anchor is not None:
                anchors[name_of_anchor.text] = node
        else:
            continue
        count += 1
        if count > MAX_NODES:
            raise ParseFailure(f"more than {MAX_NODES} nodes", line)
        if getattr(event, "anchor", None) and kind == "ScalarEvent":
            anchors[event.anchor] = node
        if stack:
            stack[-1][1].append(node)
        elif node.value != "":
            yield node


def _tag(event: Any) -> str:
    tag = getattr(event, "tag", None)
    tag = str(tag) if tag else ""
    return "" if tag.startswith("tag:yaml.org,2002:") else tag


# ------------------------------------------------------------------------------------- tree-sitter languages


def syntax_tree(language: str, data: bytes) -> tree_sitter.Node:
    """The root of the syntax tree of a text; tree-sitter recovers from errors and never recurses.

    `language` is one of "json", "toml", "hcl", "dockerfile", "bicep".
    """
    import importlib

    import tree_sitter

    _check_size(data)
    module = importlib.import_module(f"tree_sitter_{language}")
    return tree_sitter.Parser(tree_sitter.Language(module.language())).parse(data).root_node


def json_document(data: bytes) -> Node:
    """A JSON document with lines; comments and trailing commas are tolerated (tsconfig, devcontainer)."""
    _check_size(data)
    root = syntax_tree("json", data)
    values = [child for child in root.named_children if child.type != "comment"]
    if not values or values[0].type == "ERROR":
        raise ParseFailure("no valid JSON", values[0].start_point[0] + 1 if values else 0)
    return _tree_node(values[0])


def _tree_node(root: tree_sitter.Node) -> Node:
    """A JSON syntax tree as a Node, bottom-up with an own stack."""
    done: dict[int, Node] = {}
    stack: list[tuple[tree_sitter.Node, bool, int]] = [(root, False, 0)]
    count = 0
    while stack:
        here, ready, depth = stack.pop()
        line = here.start_point[0] + 1
        if depth > MAX_DEPTH:
            raise ParseFailure("nested too deeply", line)
        children = [c for c in here.named_children if c.type not in ("comment", "ERROR")]
        if here.type in ("object", "array", "pair") and not ready:
            count += 1
            if count > MAX_NODES:
                raise ParseFailure(f"more than {MAX_NODES} nodes", line)
            stack.append((here, True, depth))
            stack.extend((child, False, depth + 1) for child in children)
        elif here.type == "object":
            pairs = [c for c in children if c.type == "pair" and len(c.named_children) >= 2]
            keys = [_json_text(pair.named_children[0]) for pair in pairs]
            found = {k: done[p.id] for k, p in zip(keys, pairs) if p.id in done}
            done[here.id] = Node(found, line, keys={k: p.start_point[0] + 1 for k, p in zip(keys, pairs)})
        elif here.type == "array":
            done[here.id] = Node([done[c.id] for c in children if c.id in done], line)
        elif here.type == "pair":
            if children and children[-1].id in done:
                done[here.id] = done[children[-1].id]
        else:
            text = _json_text(here)
            done[here.id] = Node("" if text == "null" else text, line, quoted=here.type == "string")
    return done.get(root.id, Node("", 1))


def _json_text(node: tree_sitter.Node) -> str:
    raw = (node.text or b"").decode("utf-8", errors="replace")
    if node.type != "string":
        return raw
    try:
        return str(json.loads(raw, strict=False))
    except ValueError:
        return raw.strip('"')


def toml(data: bytes) -> Node:
    """A TOML document with lines.

    tomli decides whether the text is TOML and gives the values; the syntax tree gives the lines.
    """
    import tomli

    _check_size(data)
    try:
        values = tomli.loads(decode(data))
    except (tomli.TOMLDecodeError, RecursionError, ValueError) as error:
        line = re.search(r"line (\d+)", str(error))
        raise ParseFailure(f"no valid TOML: {error}", int(line[1]) if line else 0) from error
    return _with_lines(values, "", _toml_lines(data), 1, 0)


def _toml_lines(data: bytes) -> dict[str, int]:
    """The line of every dotted key; entries of an array of tables get their number as a key."""
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    for top in syntax_tree("toml", data).named_children:
        prefix = ""
        if top.type in ("table", "table_array_element"):
            keys = [c for c in top.named_children if c.type.endswith("key")]
            prefix = ".".join(_toml_key(keys[0])) if keys else ""
            if top.type == "table_array_element":
                counts[prefix] = counts.get(prefix, -1) + 1
                prefix = f"{prefix}.{counts[prefix]}"
            lines.setdefault(prefix, top.start_point[0] + 1)
        pairs = [top] if top.type == "pair" else [c for c in top.named_children if c.type == "pair"]
        stack = [(prefix, pair) for pair in pairs]
        while stack:
            above, pair = stack.pop()
            name = ".".join(_toml_key(pair.named_children[0]))
            path = f"{above}.{name}" if above else name
            lines.setdefault(path, pair.start_point[0] + 1)
            value = pair.named_children[-1]
            if value.type == "inline_table":
                stack.extend((path, c) for c in value.named_children if c.type == "pair")
            elif value.type == "array":
                items = [c for c in value.named_children if c.type != "comment"]
                for number, item in enumerate(items):
                    lines.setdefault(f"{path}.{number}", item.start_point[0] + 1)
                    if item.type == "inline_table":
                        stack.extend((f"{path}.{number}", c) for c in item.named_children if c.type == "pair")
    return lines


def _toml_key(node: tree_sitter.Node) -> list[str]:
    keys, stack = [], [node]
    while stack:
        here = stack.pop()
        if here.type in ("bare_key", "quoted_key"):
            keys.append((here.text or b"").decode("utf-8", errors="replace").strip("\"'"))
        else:
            stack.extend(reversed(here.named_children))
    return keys


def _with_lines(value: object, path: str, lines: dict[str, int], above: int, depth: int) -> Node:
    """Plain values as Nodes, each at the line of its dotted path or of what it stands in."""
    line = lines.get(path, above)
    if depth > MAX_DEPTH:
        raise ParseFailure("nested too deeply", line)
    if isinstance(value, dict):
        below = {
            str(k): _with_lines(v, f"{path}.{k}" if path else str(k), lines, line, depth + 1)
            for k, v in value.items()
        }
        return Node(below, line, keys={k: n.line for k, n in below.items()})
    if isinstance(value, list):
        return Node([_with_lines(v, f"{path}.{i}", lines, line, depth + 1) for i, v in enumerate(value)], line)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Node(text, line, quoted=isinstance(value, str))


# ------------------------------------------------------------------------------------------------------- INI


def ini(data: bytes) -> Node:
    """An INI file (setup.cfg, tox.ini, .dvc/config) as sections of keys; keys before any section stand on top."""
    _check_size(data)
    text = decode(data)
    reader = configparser.RawConfigParser(strict=False, allow_no_value=True, default_section="\0")
    reader.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        reader.read_string("[\1]\n" + text)
    except (configparser.Error, ValueError, AttributeError) as error:
        line = getattr(error, "lineno", 0) or 0
        raise ParseFailure(f"no valid INI: {error}", max(0, line - 1)) from error
    lines = _ini_lines(text)
    sections: dict[str, Node] = {}
    for section in reader.sections():
        keys = {key: lines.get((section, key), lines.get((section, ""), 1)) for key in reader[section]}
        node = Node({k: Node(v or "", keys[k]) for k, v in reader[section].items()}, lines.get((section, ""), 1), keys=keys)
        if section == "\1":
            sections.update(node.items)
        else:
            sections[section.strip("'\" ")] = node
    return Node(sections, 1, keys={k: n.line for k, n in sections.items()})


def _ini_lines(text: str) -> dict[tuple[str, str], int]:
    lines: dict[tuple[str, str], int] = {}
    section = "\1"
    for number, line in enumerate(text.split("\n"), 1):
        if head := re.match(r"\s*\[(.+)\]\s*$", line):
            section = head[1]
            lines.setdefault((section, ""), number)
        elif key := re.match(r"\s*([^=:#;\s][^=:]*?)\s*(?:[=:]|$)", line):
            lines.setdefault((section, key[1]), number)
    return lines
