"""Scopes of Python source: modules, classes and functions, and the names that each of them binds."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field
from typing import NamedTuple

BUILTINS = frozenset(dir(builtins))

IMPORT, LOCAL, VALUE, ANNOTATED, OPAQUE = range(5)


class Binding(NamedTuple):
    """One way in which a name gets its meaning: `form` and what it needs, from `position` on.

    A binding in an `else` or `except` branch is the second choice for uses after `until`, where that branch ends.
    """

    form: int
    position: int
    text: str = ""
    node: ast.expr | None = None
    annotation: ast.expr | None = None
    until: int = 0


class Meaning(NamedTuple):
    """What an expression stands for: a dotted name, and whether it is a value made by (or an instance of) that."""

    name: str
    made: bool = False
    known: bool = False


@dataclass(slots=True)
class Scope:
    """A module, class or function with the names that it binds."""

    form: str
    parent: Scope | None = None
    class_name: str = ""  # of a class, and of the methods of one
    self_name: str = ""  # the first parameter of a method
    dotted: bool = False  # binds names such as `app.state.model`
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    outer: dict[str, Scope] = field(default_factory=dict)  # names declared global or nonlocal
    # What names stand for wherever they are used in here; filled in once everything is bound.
    meanings: dict[str, Meaning] = field(default_factory=dict)
    literals: dict[str, ast.expr | None] = field(default_factory=dict)

    def bind(self, name: str, binding: Binding) -> None:
        scope = self.outer.get(name, self) if self.outer else self
        found = scope.bindings.get(name)
        if found is None:
            scope.bindings[name] = [binding]
        else:
            found.append(binding)


@dataclass(slots=True)
class Class:
    """What a class of the file says about its instances."""

    name: str
    scope: Scope
    bases: list[ast.expr]
    methods: set[str] = field(default_factory=set)
    attributes: dict[str, list[tuple[Binding, Scope]]] = field(default_factory=dict)
    members: dict[str, Meaning | None] = field(default_factory=dict)  # what attributes are known to stand for


@dataclass(slots=True)
class Function:
    """What a function of the file says about what it gives back."""

    name: str
    scope: Scope
    outer: Scope
    returns: ast.expr | None = None
    values: list[ast.expr] = field(default_factory=list)


def latest(bindings: list[Binding], position: int) -> Binding:
    """The binding that holds at a position of the same scope: the nearest one before it.

    A name bound to None, or bound in an `else` or `except` branch that has ended, yields to any other.
    """
    last = told = None
    for binding in reversed(bindings):
        if binding.position <= position:
            last = last or binding
            if type(binding.node) is not ast.Constant or binding.annotation is not None:
                if not binding.until or position <= binding.until:
                    return binding
                told = told or binding
    return told or last or bindings[0]


def telling(bindings: list[Binding]) -> Binding:
    """The binding that holds for an inner scope: the first one that tells anything."""
    if len(bindings) > 1:
        choices = [b for b in bindings if type(b.node) is not ast.Constant or b.annotation is not None]
        bindings = [b for b in choices if not b.until] or choices or bindings
    return next((b for b in bindings if b.form != OPAQUE), bindings[0])
