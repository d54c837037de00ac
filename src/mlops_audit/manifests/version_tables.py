"""Tables `name = version`, in which Poetry and Pipenv declare packages."""

from __future__ import annotations

import re

from mlops_audit.packages import Package, exact_reference, exact_specifier, fixed_reference, normalised
from mlops_audit.parse.nodes import Node


def version_table(table: Node | None, group: str) -> list[Package | None]:
    """The packages of a table: name = version, or name = {version, git, path ...}, or a list of those."""
    found: list[Package | None] = []
    for name, node in table.items if table else []:
        if name.lower() == "python":
            continue
        kinds = node.list or [node]
        if all(kind.get("path") is not None for kind in kinds):
            continue
        version = " || ".join(kind.text or kind.at("version") or _git(kind) for kind in kinds)
        pinned = all(pinned_in_table(kind) for kind in kinds)
        optional = any(kind.at("optional") == "true" for kind in kinds)
        chosen = "optional" if optional and group == "main" else group
        found.append(Package(normalised(name), version, pinned, chosen, table.line_of(name) if table else 0))
    return found


def pinned_in_table(node: Node) -> bool:
    """Whether an entry of such a table allows exactly one version."""
    if node.get("git") is not None:
        return any(fixed_reference(node.at(key)) for key in ("rev", "tag", "ref"))
    if address := node.at("url") or node.at("file"):
        return exact_reference(address)
    version = (node.text or node.at("version")).strip()
    return exact_specifier(version) or re.fullmatch(r"=?\s*v?\d+(\.\d+)*([a-z.+-]+\d*)*", version) is not None


def _git(node: Node) -> str:
    return "@".join(filter(None, (node.at("git") or node.at("url"), node.at("rev") or node.at("tag"))))
