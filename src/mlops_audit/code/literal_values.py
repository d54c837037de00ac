"""What the values that stand in Python source are worth as traits: literals, names bound to one, else the source itself."""

from __future__ import annotations

import ast

from mlops_audit.code.names import Names
from mlops_audit.code.scopes import Binding, Scope
from mlops_audit.code.syntax import is_literal
from mlops_audit.code.text import Text
from mlops_audit.facts import TraitValue

MAX_VALUE = 200


class Literals:
    """Tells the worth of expressions of one file."""

    __slots__ = ("_classes", "_lists", "_module", "_text")

    def __init__(self, names: Names, text: Text) -> None:
        self._module = names.module
        self._classes = names.classes
        self._text = text
        self._lists: dict[int, TraitValue] = {}

    def value(self, node: ast.expr, scope: Scope) -> TraitValue:
        """A value as trait: the text of a literal, the elements of a list, the keys of a dict, else the source."""
        kind = type(node)
        if kind is ast.Constant:
            return self._constant(node)  # type: ignore[arg-type]
        if kind is ast.Name or kind is ast.Attribute:
            literal = self.literal(node, scope)
            return self._text.of(node, MAX_VALUE) if literal is None else self._bound(literal)
        if kind is ast.JoinedStr:
            return self.joined(node, scope, MAX_VALUE)  # type: ignore[arg-type]
        if kind is ast.List or kind is ast.Tuple or kind is ast.Set:
            return self._elements(node.elts, scope) or self._text.of(node, MAX_VALUE)  # type: ignore[attr-defined]
        if kind is ast.Dict and node.keys:  # type: ignore[attr-defined]
            keys = (self.scalar(k, scope) or self._text.of(k, MAX_VALUE) for k in node.keys if k is not None)  # type: ignore[attr-defined]
            return tuple(keys) or "{}"
        if kind is ast.BinOp and isinstance(node.op, ast.Add):  # type: ignore[attr-defined]
            left, right = self.scalar(node.left, scope), self.scalar(node.right, scope)  # type: ignore[attr-defined]
            begins = isinstance(node.left, ast.Constant | ast.Name | ast.JoinedStr)  # type: ignore[attr-defined]
            if left is not None and right is not None and begins:
                return (left + right)[:MAX_VALUE]
        return self._text.of(node, MAX_VALUE)

    def _bound(self, literal: ast.expr) -> TraitValue:
        """The value of a literal that a name is bound to; such a list may be long, and named many times."""
        if type(literal) is ast.Constant:
            return self._constant(literal)
        known = self._lists.get(id(literal))
        if known is None:
            known = self._lists[id(literal)] = self.value(literal, self._module)
        return known

    def _elements(self, nodes: list[ast.expr], scope: Scope) -> tuple[str, ...]:
        """The elements of a list, none when one of them cannot be told."""
        texts = []
        for node in nodes:
            text = self.scalar(node, scope)
            if text is None:
                return ()
            texts.append(text)
        return tuple(texts)

    def scalar(self, node: ast.expr, scope: Scope) -> str | None:
        """The text of a single value, None for what is none or cannot be told."""
        kind = type(node)
        if kind is ast.Constant:
            return self._constant(node)  # type: ignore[arg-type]
        if kind is ast.JoinedStr:
            return self.joined(node, scope, MAX_VALUE)  # type: ignore[arg-type]
        if kind is ast.UnaryOp and is_literal(node):
            return self._text.of(node, MAX_VALUE)
        if kind is ast.Name or kind is ast.Attribute:
            literal = self.literal(node, scope)
            if type(literal) is ast.Constant:
                return self._constant(literal)
        return None

    def _constant(self, node: ast.Constant) -> str:
        value = node.value
        if type(value) is str:
            return value[:MAX_VALUE]
        if value is None or type(value) is bool:
            return str(value)
        return self._text.of(node, MAX_VALUE)

    def joined(self, node: ast.JoinedStr, scope: Scope, limit: int) -> str:
        """The text of a formatted string, `{}` for each field that is no text known by its name."""
        parts = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(str(part.value))
            elif isinstance(part, ast.FormattedValue):
                literal = self.literal(part.value, scope)
                known = isinstance(literal, ast.Constant) and isinstance(literal.value, str)
                parts.append(literal.value if known else "{}")  # type: ignore[union-attr]
        return "".join(parts)[:limit]

    def literal(self, node: ast.expr, scope: Scope) -> ast.expr | None:
        """The literal that a name or attribute stands for when it is bound to that and nothing else."""
        if type(node) is ast.Name:
            name, literals = node.id, scope.literals
            if name not in literals:
                literals[name] = _only_literal(_bindings(name, scope))
            return literals[name]
        if type(node) is ast.Attribute and type(node.value) is ast.Name:
            owner = self._classes.get(node.value.id)
            if owner is not None:
                return _only_literal([binding for binding, _ in owner.attributes.get(node.attr, ())])
        return None


def _bindings(name: str, scope: Scope) -> list[Binding]:
    """The bindings of a name in the innermost scope that has any."""
    here: Scope | None = scope
    while here is not None:
        if name in here.bindings and (here.form != "class" or here is scope):
            return here.bindings[name]
        here = here.parent
    return []


def _only_literal(bindings: list[Binding]) -> ast.expr | None:
    node = bindings[0].node if len(bindings) == 1 else None
    return node if node is not None and is_literal(node) else None
