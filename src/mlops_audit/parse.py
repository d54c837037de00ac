"""Every parser of data formats, behind one shape (Node) and one error (ParseFailure).

Values are never constructed: scalars stay the text that stands in the file, so that unknown tags, duplicate
keys, GitHub's `on:` key, dates and bombs of aliases are all harmless. Sizes and nesting are capped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

if TYPE_CHECKING:
    import tree_sitter

MAX_BYTES = 2_000_000
MAX_DEPTH = 64
MAX_NODES = 200_000
MAX_SLOW = 200_000  # characters for the YAML parser in Python, about 100 a millisecond

T = TypeVar("T")


class ParseFailure(ValueError):
    """A text that cannot be read as its format: `line` from 1 (0: unknown) and `reason` in one line."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = " ".join(reason.split())[:200]
        self.line = line


class NotRead(ParseFailure):
    """A text that nobody has looked at, or not to its end: over a cap, out of time, absent. It may be sound."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(f"skipped: {reason.removeprefix('skipped: ')}", line)


Nodes: TypeAlias = "list[Node]"
Pairs: TypeAlias = "list[tuple[str, Node]]"


# Nodes are made by the hundred thousand: `Final` keeps them as they are made at a quarter of what frozen ones cost.
@dataclass(slots=True)
class Node:
    """A value of a YAML, JSON or TOML document with the line where it stands, from 1.

    `value` is a str for scalars ("" for null), a list of Nodes, or a dict from key to Node; of duplicate keys
    the last wins. `tag` is an explicit YAML tag such as "!Ref". `keys` gives the line of each key of a
    mapping. `quoted` tells "1" from 1.
    """

    value: Final[str | Nodes | dict[str, Node]]
    line: Final[int]
    tag: Final[str] = ""
    keys: Final[dict[str, int] | None] = None
    quoted: Final[bool] = False

    @property
    def text(self) -> str:
        """The scalar's text, "" for anything else."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def list(self) -> Nodes:
        """The items of a sequence; a scalar or mapping counts as a sequence of one, null as none."""
        if isinstance(self.value, list):
            return self.value
        return [self] if self.value != "" else []

    @property
    def items(self) -> Pairs:
        """The pairs of a mapping, [] for anything else."""
        return [*self.value.items()] if isinstance(self.value, dict) else []

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
        """Every scalar below this node with its dotted path; items of a sequence share the sequence's path.

        Raises ParseFailure after MAX_NODES nodes: nodes that stand in several places count in each.
        """
        stack: Pairs = [(prefix, self)]
        budget = MAX_NODES
        while stack:
            path, node = stack.pop()
            budget -= 1
            if budget < 0:
                raise NotRead(f"more than {MAX_NODES} nodes", node.line)
            if isinstance(node.value, dict):
                stack.extend((f"{path}.{key}" if path else key, child) for key, child in reversed(node.items))
            elif isinstance(node.value, list):
                stack.extend((path, child) for child in reversed(node.value))
            else:
                yield path, node

    def leaf_count(self, enough: int) -> int:
        """How many scalars `leaves` gives, or `enough` when there are more."""
        stack = [self]
        budget = MAX_NODES
        count = 0
        while stack and count < enough:
            node = stack.pop()
            budget -= 1
            if budget < 0:
                raise NotRead(f"more than {MAX_NODES} nodes", node.line)
            if isinstance(node.value, dict):
                stack.extend(reversed(node.value.values()))
            elif isinstance(node.value, list):
                stack.extend(reversed(node.value))
            else:
                count += 1
        return count


def decode(data: bytes) -> str:
    """The text of a file: UTF-8 with or without a mark, UTF-16 with one, else Latin-1; lines end with \\n."""
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
        raise NotRead(f"larger than {MAX_BYTES} bytes")


def _once(parser: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """The parser with its last results kept: several extractors read the same file one after the other."""

    @lru_cache(maxsize=2)
    def attempt(data: bytes) -> T | ParseFailure:
        try:
            return parser(data)
        except ParseFailure as failure:
            return failure

    @wraps(parser)
    def parsed(data: bytes) -> T:
        result = attempt(data)
        if isinstance(result, ParseFailure):
            raise result.with_traceback(None)
        return result

    return parsed


# ------------------------------------------------------------------------------------------------------ YAML


@_once
def yaml(data: bytes) -> list[Node]:
    """The documents of a YAML file, without the empty ones.

    Raises ParseFailure for what is no YAML, and for nesting or sizes over the caps. Aliases stand for the
    node they name; it counts against the caps as if it were written out, so that a walk over the nodes ends
    soon. `<<` merges are kept as a key of that name.
    """
    _check_size(data)
    text = decode(data)
    if "\x00" in text:
        raise ParseFailure("a NUL byte in a text file")
    text = re.sub("[\x85\u2028\u2029]", " ", text)  # line ends for YAML, but for nobody who counts lines
    try:
        return _yaml_documents(text, _events_from_c)
    except ImportError:
        pass  # no wheel of the C parser for this platform: the same events, slower
    except ParseFailure as failure:
        # libyaml knows YAML 1.1 only, which has no colon inside a plain word of `[main:app]`
        if "unexpected ':'" not in failure.reason or len(text) > MAX_SLOW:
            raise
    return _yaml_documents(text, _events_from_python)


def _events_from_c(text: str) -> Iterator[Any]:
    from _ruamel_yaml import CParser

    return iter(CParser(text).get_event, None)


def _events_from_python(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML

    if len(text) > MAX_SLOW:
        raise NotRead(f"larger than {MAX_SLOW} characters, and no fast YAML parser is installed")
    return iter(YAML(typ="safe", pure=True).parse(text))


def _yaml_documents(text: str, events: Callable[[str], Iterator[Any]]) -> list[Node]:
    """The documents of a text, told by the events of a parser."""
    from ruamel.yaml.error import YAMLError

    try:
        return list(_composed(events(text)))
    except ParseFailure:
        raise
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise ParseFailure(f"no valid YAML: {problem}", mark.line + 1 if mark else 0) from error
    except (RecursionError, MemoryError):
        raise NotRead("nested too deeply") from None
    except (ValueError, AttributeError, IndexError, TypeError) as error:
        raise ParseFailure(f"no valid YAML: {error}") from error


@dataclass(slots=True)
class _Open:
    """A YAML collection that is being read; its size and depth are those with all aliases written out."""

    children: list[Node]
    line: int
    tag: str
    anchor: str
    is_mapping: bool
    size: int = 1
    depth: int = 1

    def node(self) -> Node:
        """The collection with its finished children; a key that is no scalar becomes `?`."""
        if not self.is_mapping:
            return Node(self.children, self.line, self.tag)
        value: dict[str, Node] = {}
        keys: dict[str, int] = {}
        children = iter(self.children)
        for key, child in zip(children, children, strict=True):
            name = key.value if isinstance(key.value, str) else "?"
            value[name] = child
            keys[name] = key.line
        return Node(value, self.line, self.tag, keys)


NULLS = frozenset({"~", "null", "Null", "NULL"})
QUOTES = frozenset({"'", '"'})


def _composed(events: Iterator[Any]) -> Iterator[Node]:
    """Compose nodes from events with an own stack: no recursion, no construction."""
    from ruamel.yaml.events import (
        AliasEvent,
        DocumentStartEvent,
        MappingEndEvent,
        MappingStartEvent,
        ScalarEvent,
        SequenceEndEvent,
        SequenceStartEvent,
    )

    anchors: dict[str, tuple[Node, int, int]] = {}  # node, size and depth of what each anchor names
    stack: list[_Open] = []
    for event in events:
        kind = type(event)
        mark = event.start_mark
        line = mark.line + 1 if mark else 0
        size, depth = 1, 0
        if kind is ScalarEvent:
            style, value = event.style or "", event.value
            if not style and value in NULLS:
                value = ""
            node = Node(_printable(value), line, _tag(event), None, style in QUOTES)
            if event.anchor:
                anchors[event.anchor] = (node, 1, 0)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if len(stack) >= MAX_DEPTH:
                raise NotRead("nested too deeply", line)
            stack.append(_Open([], line, _tag(event), event.anchor or "", kind is MappingStartEvent))
            if event.anchor:
                anchors[event.anchor] = (Node("", line), 1, 0)  # what contains itself is cut here
            continue
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            done = stack.pop()
            node, size, depth = done.node(), done.size, done.depth
            if done.anchor:
                anchors[done.anchor] = (node, size, depth)
        elif kind is AliasEvent:
            if event.anchor not in anchors:
                raise ParseFailure(f"no valid YAML: unknown alias {event.anchor}", line)
            node, size, depth = anchors[event.anchor]
        else:
            if kind is DocumentStartEvent:
                anchors = {}
            continue
        if stack:
            above = stack[-1]
            above.children.append(node)
            above.size += size
            if above.size > MAX_NODES:
                raise NotRead(f"more than {MAX_NODES} nodes", line)
            if above.depth <= depth:
                above.depth = depth + 1
                if above.depth > MAX_DEPTH:
                    raise NotRead("nested too deeply", line)
        elif node.value != "":
            yield node


def _printable(text: str) -> str:
    """The text with lone surrogates, which no file can hold, replaced."""
    return text if text.isascii() else text.encode("utf-8", errors="replace").decode()


def _tag(event: Any) -> str:
    tag: str | None = event.tag
    return tag if tag and not tag.startswith("tag:yaml.org,2002:") else ""


# ------------------------------------------------------------------------------------- tree-sitter languages


# Grammars whose package has another name, or several of them.
GRAMMARS = {
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
}


def syntax_tree(language: str, data: bytes) -> tree_sitter.Node:
    """The root of the syntax tree of a text; tree-sitter recovers from errors and never recurses.

    `language` is one of "json", "toml", "hcl", "bicep", "javascript", "typescript", "tsx". The tree is that of the
    decoded text in UTF-8: take texts from its nodes, not from `data`.
    """
    import importlib

    import tree_sitter

    _check_size(data)
    package, function = GRAMMARS.get(language, (f"tree_sitter_{language}", "language"))
    grammar = getattr(importlib.import_module(package), function)()
    return tree_sitter.Parser(tree_sitter.Language(grammar)).parse(decode(data).encode()).root_node


@_once
def json_document(data: bytes) -> Node:
    """A JSON document with lines; comments and trailing commas are tolerated (tsconfig, devcontainer).

    Several values one after the other (JSON lines) count as a sequence.
    """
    _check_size(data)
    if (strict := _strict_json(decode(data))) is not None:
        return strict
    root = syntax_tree("json", data)
    _refuse_broken(root)
    values = [child for child in root.named_children if child.type not in ("comment", "ERROR")]
    if not values:
        raise ParseFailure("no valid JSON")
    nodes = _json_nodes(values)
    return nodes[0] if len(nodes) == 1 else Node(nodes, nodes[0].line)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_STRICT = json.JSONDecoder(parse_constant=_refuse)
_LOOSE = json.JSONDecoder(strict=False)
_JSON_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]|[^\s,:{}\[\]"]+')


def _strict_json(text: str) -> Node | None:
    """An object or array in JSON that takes no liberty; None for anything else and for what is over a cap.

    The standard library tells whether a text is that; then no token of it runs over the end of a line.
    """
    try:
        _STRICT.decode(text)
    except (ValueError, RecursionError, MemoryError):
        return None
    root = Node([], 0)
    stack = [root]
    key: str | None = None
    count = 0
    for line, row in enumerate(text.split("\n"), 1):
        for token in _JSON_TOKEN.findall(row):
            first, above = token[0], stack[-1]
            if first in "}]":
                stack.pop()
                continue
            if first == '"':
                text = _json_string(token)
                if above.keys is not None and key is None:
                    key = text
                    above.keys[key] = line
                    continue
                node = Node(text, line, "", None, True)
            elif first in "{[":
                node = Node({}, line, "", {}) if first == "{" else Node([], line)
                stack.append(node)
            else:
                node = Node("" if token == "null" else token, line)
            count += 1 if isinstance(node.value, str) else 2
            if count > MAX_NODES or len(stack) > MAX_DEPTH:
                return None
            if isinstance(above.value, list):
                above.value.append(node)
            elif isinstance(above.value, dict) and key is not None:
                above.value[key], key = node, None
    only = root.list[0]
    return None if isinstance(only.value, str) else only


def _refuse_broken(root: tree_sitter.Node) -> None:
    """Raise ParseFailure for a syntax error other than a comma too many."""
    stack = [root] if root.has_error else []
    while stack:
        here = stack.pop()
        if here.is_missing or (here.type == "ERROR" and (here.text or b"").strip() != b","):
            raise ParseFailure("no valid JSON", here.start_point[0] + 1)
        stack.extend(reversed([child for child in here.children if child.has_error or child.is_missing]))


def _json_nodes(values: list[tree_sitter.Node]) -> list[Node]:
    """JSON syntax trees as Nodes, bottom-up with an own stack."""
    done: dict[int, Node] = {}
    stack = [(value, False, 0) for value in values]
    count = 0
    while stack:
        here, ready, depth = stack.pop()
        line = here.start_point[0] + 1
        if here.type not in ("object", "array"):
            text = "" if here.type == "null" else _json_text(here)
            done[here.id] = Node(text, line, quoted=here.type == "string")
            continue
        children = [child for child in here.named_children if child.type not in ("comment", "ERROR")]
        pairs = [pair for child in children if (pair := _json_pair(child))] if here.type == "object" else []
        below = [value for _, value in pairs] if here.type == "object" else children
        if not ready:
            count += 1 + len(below)
            if count > MAX_NODES:
                raise NotRead(f"more than {MAX_NODES} nodes", line)
            if depth >= MAX_DEPTH:
                raise NotRead("nested too deeply", line)
            stack.append((here, True, depth))
            stack.extend((child, False, depth + 1) for child in below)
        elif here.type == "object":
            found = {_json_text(key): done[value.id] for key, value in pairs}
            done[here.id] = Node(found, line, keys={_json_text(k): k.start_point[0] + 1 for k, _ in pairs})
        else:
            done[here.id] = Node([done[child.id] for child in below], line)
    return [done[value.id] for value in values]


def _json_pair(node: tree_sitter.Node) -> tuple[tree_sitter.Node, tree_sitter.Node] | None:
    key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
    return (key, value) if key and value else None


def _json_text(node: tree_sitter.Node) -> str:
    raw = (node.text or b"").decode("utf-8", errors="replace")
    return _json_string(raw) if node.type == "string" else raw


def _json_string(raw: str) -> str:
    """What a string between its quotes stands for."""
    if "\\" not in raw:
        return _printable(raw[1:-1])
    try:
        return _printable(str(_LOOSE.decode(raw)))
    except ValueError:
        return raw.strip('"')


@_once
def toml(data: bytes) -> Node:
    """A TOML document with lines.

    tomli decides whether the text is TOML and gives the values; the syntax tree gives the lines.
    """
    import tomli

    _check_size(data)
    try:
        values = tomli.loads(decode(data))
    except (RecursionError, MemoryError):
        raise NotRead("nested too deeply") from None
    except ValueError as error:
        line = re.search(r"line (\d+)", str(error))
        raise ParseFailure(f"no valid TOML: {error}", int(line[1]) if line else 0) from error
    return _with_lines(values, (), _toml_lines(data), 1)


TomlPath = tuple[str, ...]


def _toml_lines(data: bytes) -> dict[TomlPath, int]:
    """The line of every key by its path; entries of arrays get their number as a key."""
    lines: dict[TomlPath, int] = {}
    counts: dict[TomlPath, int] = {}  # entries so far of each array of tables
    for top in syntax_tree("toml", data).named_children:
        prefix: TomlPath = ()
        if top.type in ("table", "table_array_element"):
            keys = [child for child in top.named_children if child.type.endswith("key")]
            for part in _toml_key(keys[0]) if keys else []:
                prefix = (*prefix, str(counts[prefix]), part) if prefix in counts else (*prefix, part)
            if top.type == "table_array_element":
                lines.setdefault(prefix, top.start_point[0] + 1)
                counts[prefix] = counts.get(prefix, -1) + 1
            if prefix in counts:
                prefix = (*prefix, str(counts[prefix]))
            lines.setdefault(prefix, top.start_point[0] + 1)
        stack = [(prefix, pair) for pair in (top, *top.named_children) if pair.type == "pair"]
        while stack:
            above, here = stack.pop()
            if here.type == "pair":
                key, value = here.named_children[0], here.named_children[-1]
                above = (*above, *_toml_key(key))
                lines.setdefault(above, here.start_point[0] + 1)
            else:
                value = here
                lines.setdefault(above, here.start_point[0] + 1)
            if len(above) > MAX_DEPTH:
                continue  # refused below
            if value.type == "inline_table":
                stack.extend((above, child) for child in value.named_children if child.type == "pair")
            elif value.type == "array":
                items = [child for child in value.named_children if child.type != "comment"]
                stack.extend(((*above, str(number)), item) for number, item in enumerate(items))
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


def _with_lines(value: object, path: TomlPath, lines: dict[TomlPath, int], above: int) -> Node:
    """Plain values as Nodes, each at the line of its path or of what it stands in."""
    line = lines.get(path, above)
    if len(path) > MAX_DEPTH:
        raise NotRead("nested too deeply", line)
    if isinstance(value, dict):
        below = {str(key): _with_lines(item, (*path, str(key)), lines, line) for key, item in value.items()}
        return Node(below, line, keys={key: node.line for key, node in below.items()})
    if isinstance(value, list):
        return Node([_with_lines(item, (*path, str(i)), lines, line) for i, item in enumerate(value)], line)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Node(text, line, quoted=isinstance(value, str))


# ------------------------------------------------------------------------------------------------------- INI


def ini(data: bytes) -> Node:
    """An INI file (setup.cfg, tox.ini, .dvc/config, .env, properties) as sections of keys.

    Keys before any section stand on top. Lines indented deeper than their key continue its value, with an
    empty line for a comment between them, so that line n of a value stands n lines below its key. A
    git-style section `remote "name"` becomes `remote.name`. Of duplicate keys the last wins. Any text is some INI file.
    """
    _check_size(data)
    root = Node({}, 1, keys={})
    section, key, indent = root, "", 0
    value: list[str] = []  # the lines of the value of `key`, which is still open

    def close() -> None:
        if key and isinstance(section.value, dict) and section.keys is not None:
            section.value[key] = Node("\n".join(value).rstrip("\n"), section.keys[key])

    for number, line in enumerate(decode(data).split("\n"), 1):
        stripped = line.strip()
        depth = len(line) - len(line.lstrip())
        comment = not stripped or stripped[0] in "#;"
        if comment or (key and depth > indent):
            value.append("" if comment else stripped)
            continue
        close()
        if stripped[0] == "[" and "]" in stripped:
            name = _section(stripped[1 : stripped.rindex("]")])
            section, key = _enter(root, name, number), ""
            continue
        cut = min((at for at in (stripped.find("="), stripped.find(":")) if at > 0), default=len(stripped))
        key, indent, value = stripped[:cut].rstrip(), depth, [stripped[cut + 1 :].lstrip()]
        if section.keys is not None:
            section.keys[key] = number
    close()
    return root


def _enter(root: Node, name: str, line: int) -> Node:
    """The section of that name, opened at this line when there is none."""
    known = root.get(name)
    if known is not None and known.keys is not None:
        return known
    section = Node({}, line, keys={})
    if isinstance(root.value, dict) and root.keys is not None:
        root.value[name] = section
        root.keys[name] = line
    return section


def _section(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    git_style = re.fullmatch(r'([\w.-]+)\s+"(.*)"', text)
    return f"{git_style[1]}.{git_style[2]}" if git_style else text
