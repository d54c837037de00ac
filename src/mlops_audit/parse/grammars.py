"""Languages that tree-sitter reads: their grammars are wheels of their own, imported when a text needs one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_audit.parse.nodes import check_size, decode

if TYPE_CHECKING:
    import tree_sitter

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

    check_size(data)
    package, function = GRAMMARS.get(language, (f"tree_sitter_{language}", "language"))
    grammar = getattr(importlib.import_module(package), function)()
    return tree_sitter.Parser(tree_sitter.Language(grammar)).parse(decode(data).encode()).root_node
