"""What parts of Python's syntax trees are, as they stand: their parts and places, chains of names, literals, exits."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from itertools import chain
from operator import attrgetter
from typing import Any

_EXITS = frozenset({"exit", "quit", "sys.exit", "os._exit", "pytest.skip", "pytest.fail"})

# The expressions that each other kind of expression is made of: what comes last is looked at first, but lists from
# their beginning.
CHILDREN: dict[type[ast.AST], Callable[[Any], Iterable[ast.expr | None]]] = {
    ast.BinOp: attrgetter("left", "right"),
    ast.Compare: lambda node: (node.left, *reversed(node.comparators)),
    ast.Subscript: attrgetter("value", "slice"),
    ast.Slice: attrgetter("lower", "upper", "step"),
    ast.FormattedValue: attrgetter("value", "format_spec"),
    ast.Dict: lambda node: chain(node.keys, node.values),
    ast.UnaryOp: lambda node: (node.operand,),
    ast.BoolOp: lambda node: reversed(node.values),
    **dict.fromkeys((ast.List, ast.Tuple, ast.Set), lambda node: reversed(node.elts)),
    **dict.fromkeys(
        (ast.Starred, ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr), lambda node: (node.value,)
    ),
}


def position_of(node: ast.expr | ast.stmt) -> int:
    """Where a node begins, as a number that grows along the file."""
    column = node.col_offset
    return node.lineno << 16 | (column if column < 65535 else 65535)


def end_of(node: ast.expr | ast.stmt) -> int:
    """Where a node ends, as such a number."""
    column = node.end_col_offset or 0
    return (node.end_lineno or node.lineno) << 16 | (column if column < 65535 else 65535)


def dotted_text(node: ast.expr) -> str:
    """`a.b.c` for such an attribute, "" for anything that is no plain chain of names."""
    if type(node) is ast.Name:
        return node.id
    parts = []
    while type(node) is ast.Attribute:
        parts.append(node.attr)
        node = node.value
    if type(node) is not ast.Name:
        return ""
    parts.append(node.id)
    return ".".join(reversed(parts))


def is_literal(node: ast.expr) -> bool:
    """Whether a value is a constant, or a list, tuple or set of nothing but constants."""
    kind = type(node)
    if kind is ast.Constant:
        return True
    if kind is ast.List or kind is ast.Tuple or kind is ast.Set:
        return all(type(e) is ast.Constant or (type(e) is ast.UnaryOp and is_literal(e)) for e in node.elts)  # type: ignore[attr-defined]
    return kind is ast.UnaryOp and type(node.operand) is ast.Constant  # type: ignore[attr-defined]


def always_leaves(body: list[ast.stmt]) -> bool:
    """Whether a block always ends by leaving: return, raise, continue, break or an exit of the program."""
    last = body[-1] if body else None
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        return dotted_text(last.value.func) in _EXITS
    return isinstance(last, (ast.Return, ast.Raise, ast.Continue, ast.Break))


def constant_truth(test: ast.expr) -> bool | None:
    """Whether a test is a constant: `False`, `0`, `not True`; None for anything else."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        truth = constant_truth(test.operand)
        return None if truth is None else not truth
    return bool(test.value) if isinstance(test, ast.Constant) else None


def is_main(test: ast.expr) -> bool:
    """Whether a test asks `__name__ == "__main__"`."""
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
    )  # fmt: skip
