"""TOML: tomli decides whether a text is TOML and gives the values; the syntax tree gives the lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlops_audit.parse.grammars import syntax_tree
from mlops_audit.parse.nodes import MAX_DEPTH, Node, NotRead, ParseFailure, check_size, decode, once

if TYPE_CHECKING:
    import tree_sitter


@once
def document(data: bytes) -> Node:
    """What parse.toml gives."""
    import tomli

    check_size(data)
    try:
        values = tomli.loads(decode(data))
    except (RecursionError, MemoryError):
        raise NotRead("nested too deeply") from None
    except ValueError as error:
        line = re.search(r"line (\d+)", str(error))
        raise ParseFailure(f"no valid TOML: {error}", int(line[1]) if line else 0) from error
    return _with_lines(values, (), _lines(data), 1)


TomlPath = tuple[str, ...]


def _lines(data: bytes) -> dict[TomlPath, int]:
    """The line of every key by its path; entries of arrays get their number as a key."""
    lines: dict[TomlPath, int] = {}
    counts: dict[TomlPath, int] = {}  # entries so far of each array of tables
    for top in syntax_tree("toml", data).named_children:
        prefix: TomlPath = ()
        if top.type in ("table", "table_array_element"):
            keys = [child for child in top.named_children if child.type.endswith("key")]
            for part in _key(keys[0]) if keys else []:
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
                above = (*above, *_key(key))
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


def _key(node: tree_sitter.Node) -> list[str]:
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
