"""Files that name the version of a language: of pyenv, asdf, mise and Heroku."""

from __future__ import annotations

import re

from mlops_audit import parse
from mlops_audit.packages import Manifest, minor_version
from mlops_audit.parse.nodes import Node, decode

LANGUAGES = frozenset({"python", "r", "java"})


def manifest(path: str, name: str, data: bytes) -> Manifest | None:
    """A manifest without packages: the runtime that a file of this name asks for."""
    if name.endswith("mise.toml"):
        tools = parse.toml(data).get("tools") or Node("", 0)
        rows = [(tools.line_of(tool), tool, (node.list or [node])[0]) for tool, node in tools.items]
        versions = [(line, tool, node.text or node.at("version")) for line, tool, node in rows]
    else:
        lines = enumerate(decode(data)[:10_000].split("\n"), 1)
        versions = [(n, *_tool_version(name, line.partition("#")[0].strip())) for n, line in lines]
    for line, tool, version in versions:
        if tool.lower() in LANGUAGES and (runtime := minor_version(version.split("-")[0])):
            manager = {".tool-versions": "asdf", "mise.toml": "mise", ".mise.toml": "mise"}.get(name, "pyenv")
            return Manifest(path, "runtime", manager, (), runtime, line, count=0)
    return None


def _tool_version(name: str, line: str) -> tuple[str, str]:
    """The tool and version on a line of a runtime file."""
    if name == ".tool-versions":
        tool, _, version = line.partition(" ")
        return tool, (version.split() or [""])[0]
    if found := re.match(r"(python|r)-(\d[\d.]*)", line.lower()):
        return found[1], found[2]
    return "python", (line if name == ".python-version" else "").removeprefix("cpython-")
