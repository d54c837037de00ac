"""JSON: quickly what takes no liberty, and by its syntax tree what holds comments or several values."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from mlops_audit.parse.nodes import (
    MAX_DEPTH,
    MAX_NODES,
    Node,
    NotRead,
    ParseFailure,
    check_size,
    decode,
    once,
    printable,
)

if TYPE_CHECKING:
    import tree_sitter


@once
def document(data: bytes) -> Node:
    """What parse.json_document gives."""
    check_size(data)
    if (strict := _strict_json(decode(data))) is not None:
        return strict
    from mlops_audit.parse.grammars import syntax_tree

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
        return printable(raw[1:-1])
    try:
        return printable(str(_LOOSE.decode(raw)))
    except ValueError:
        return raw.strip('"')
