"""Annotations of Python source: which class they name."""

from __future__ import annotations

import ast

from mlops_audit.code.scopes import BUILTINS
from mlops_audit.code.syntax import dotted_text

_TRANSPARENT = frozenset(
    {"Optional", "Annotated", "Final", "ClassVar", "Required", "NotRequired", "Mapped", "InitVar"}
)
_UNINFORMATIVE = frozenset({
    "Any", "object", "Callable", "Type", "List", "Dict", "Tuple", "Set", "Sequence", "Mapping", "Iterable", "Iterator",
    "Generator", "AsyncIterator", "AsyncGenerator", "Awaitable", "Coroutine", "Literal", "Self", "TypeVar", "None",
})  # fmt: skip


def class_in(node: ast.expr) -> ast.expr | None:
    """The name or attribute that an annotation comes down to, without quotes, `Optional` and the like."""
    for _ in range(8):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            inner = _quoted(node.value)
            if inner is None:
                return None
            for part in ast.walk(inner):
                if isinstance(part, ast.expr):
                    part.lineno, part.col_offset = node.lineno, node.col_offset
            node = inner
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            left_is_none = isinstance(node.left, ast.Constant) and node.left.value is None
            node = node.right if left_is_none else node.left
        elif isinstance(node, ast.Subscript):
            outer = dotted_text(node.value).rpartition(".")[2]
            inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if outer in _TRANSPARENT and inside:
                node = inside[0]
            elif outer == "Union" and inside:
                node = next(
                    (e for e in inside if not (isinstance(e, ast.Constant) and e.value is None)),
                    inside[0],
                )
            else:
                node = node.value
        else:
            break
    return node if isinstance(node, (ast.Name, ast.Attribute)) else None


def tells(name: str) -> bool:
    """Whether a qualified name in an annotation says more of a value than that it is one."""
    return name not in BUILTINS and name.rpartition(".")[2] not in _UNINFORMATIVE


def _quoted(text: str) -> ast.expr | None:
    if len(text) > 200:
        return None
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
