"""INI files and their like: lines `key = value` below `[section]`."""

from __future__ import annotations

import re

from mlops_audit.parse.nodes import Node, check_size, decode


def document(data: bytes) -> Node:
    """What parse.ini gives."""
    check_size(data)
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
