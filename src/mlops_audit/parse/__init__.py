"""Every parser of data formats, behind one shape (nodes.Node) and one error (nodes.ParseFailure).

Values are never constructed: scalars stay the text that stands in the file, so that unknown tags, duplicate
keys, GitHub's `on:` key, dates and bombs of aliases are all harmless. Sizes and nesting are capped. A format's
parser is imported when a file of that format is first read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_audit.parse.nodes import Node


def yaml(data: bytes) -> list[Node]:
    """The documents of a YAML file, without the empty ones and those that define a type of Kubernetes.

    Raises ParseFailure for what is no YAML, and for nesting or sizes over the caps. Aliases stand for the
    node they name; it counts against the caps as if it were written out, so that a walk over the nodes ends
    soon. `<<` merges are kept as a key of that name.
    """
    from mlops_audit.parse.yaml_events import documents

    return documents(data)


def json_document(data: bytes) -> Node:
    """A JSON document with lines; comments and trailing commas are tolerated (tsconfig, devcontainer).

    Several values one after the other (JSON lines) count as a sequence.
    """
    from mlops_audit.parse.json_values import document

    return document(data)


def toml(data: bytes) -> Node:
    """A TOML document with lines."""
    from mlops_audit.parse.toml_tables import document

    return document(data)


def ini(data: bytes) -> Node:
    """An INI file (setup.cfg, tox.ini, .dvc/config, .env, properties) as sections of keys.

    Keys before any section stand on top. Lines indented deeper than their key continue its value, with an
    empty line for a comment between them, so that line n of a value stands n lines below its key. A
    git-style section `remote "name"` becomes `remote.name`. Of duplicate keys the last wins. Any text is some INI file.
    """
    from mlops_audit.parse.ini_sections import document

    return document(data)
