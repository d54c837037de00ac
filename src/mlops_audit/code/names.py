"""What a name, attribute or call in Python source stands for, told without running anything."""

from __future__ import annotations

import ast

from mlops_audit.code.annotations import class_in, tells
from mlops_audit.code.scopes import (
    BUILTINS,
    IMPORT,
    LOCAL,
    OPAQUE,
    Binding,
    Class,
    Function,
    Meaning,
    Scope,
    latest,
    telling,
)
from mlops_audit.code.syntax import dotted_text, position_of

MAX_NAME = 160  # characters; chains of calls on one value would otherwise grow without end
MAX_DEPTH = 40

# Calls that describe a field: its value is not what they give.
_DESCRIPTIONS = frozenset({
    "field", "dataclasses.field", "pydantic.Field", "attr.ib", "attr.field", "attrs.field", "fastapi.Depends",
    "typer.Option", "typer.Argument", "sqlalchemy.orm.mapped_column", "next", "copy.deepcopy", "copy.copy",
})  # fmt: skip

_NAMED = frozenset({IMPORT, LOCAL})


class Names:
    """Tells what expressions of one file mean, by its scopes, classes, functions and star imports."""

    __slots__ = ("_depth", "_made", "_values", "classes", "functions", "module", "stars")

    def __init__(self, module: Scope) -> None:
        self.module = module
        self.classes: dict[str, Class] = {}
        self.functions: dict[str, Function] = {}
        self.stars: list[str] = []
        self._made: dict[int, Meaning] = {}
        self._values: dict[int, Meaning | None] = {}
        self._depth = 0

    def of(self, node: ast.expr, scope: Scope) -> Meaning:
        """The meaning of any expression; what cannot be told keeps its text, `?` for what has none."""
        kind = type(node)
        if kind is ast.Name:
            return self._name(node, scope)  # type: ignore[arg-type]
        if kind is ast.Attribute:
            return self._attribute(node, scope)
        if kind is ast.Call:
            return self._call(node, scope)  # type: ignore[arg-type]
        if kind is ast.Await or kind is ast.Starred or kind is ast.NamedExpr:
            return self.of(node.value, scope) if self._depth < MAX_DEPTH else Meaning("?")  # type: ignore[attr-defined]
        if kind is ast.Subscript:
            while isinstance(node, ast.Subscript):
                node = node.value
            meaning = self.of(node, scope)
            return Meaning(meaning.name, meaning.made, meaning.known)
        if kind is ast.JoinedStr or (kind is ast.Constant and isinstance(node.value, str)):  # type: ignore[attr-defined]
            return Meaning("str", True)
        if kind is ast.BoolOp or kind is ast.IfExp:
            options = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]  # type: ignore[attr-defined]
            return self._first_known(options, scope)
        return Meaning("?")

    def called(self, node: ast.Call, scope: Scope) -> str:
        """The qualified name under which a call is known."""
        function = node.func
        known = scope.meanings.get(function.id) if type(function) is ast.Name else None
        name, made, _ = known or self.of(function, scope)
        return f"{name}.__call__" if made else name

    def reference(self, node: ast.expr, scope: Scope) -> str:
        """The qualified name of a reference: a base class, a decorator, an annotation."""
        return self.of(node, scope).name

    # -------------------------------------------------------------------------------------------- names

    def _name(self, node: ast.Name, scope: Scope) -> Meaning:
        name = node.id
        known = scope.meanings.get(name)
        if known is not None:
            return known
        here: Scope = scope.outer.get(name, scope) if scope.outer else scope
        only = True
        while True:
            if here.form != "class" or here is scope:
                known = here.meanings.get(name)
                if known is not None:
                    return known
                bindings = here.bindings.get(name)
                if bindings is not None:
                    only = len(bindings) == 1
                    if not only and here is scope:
                        return self._bound(name, latest(bindings, position_of(node)), here)
                    meaning = self._bound(name, bindings[0] if only else telling(bindings), here)
                    break
            if here.parent is None:
                told = len(self.stars) == 1 and name not in BUILTINS
                meaning = Meaning(f"{self.stars[0]}.{name}", False, True) if told else Meaning(name)
                break
            here = here.parent
        if not self._depth:  # deeper, the meaning of what is being looked at is not known yet
            if only:
                here.meanings[name] = meaning
            if not scope.outer:
                scope.meanings[name] = meaning
        return meaning

    def _bound(self, name: str, binding: Binding, scope: Scope) -> Meaning:
        form = binding.form
        if form in _NAMED:
            return Meaning(binding.text, False, True)
        if form == OPAQUE:
            return Meaning(name)
        meaning = self._value(binding, scope)
        return meaning if meaning is not None else Meaning(name)

    def _value(self, binding: Binding, scope: Scope) -> Meaning | None:
        """What a name stands for by the value assigned to it or by its annotation, None when neither tells."""
        key = id(binding.node or binding.annotation)
        if key in self._values:
            return self._values[key]
        if self._depth >= MAX_DEPTH:
            return None
        self._values[key] = None  # a name bound to itself stands for itself
        self._depth += 1
        value = self._plain_value(binding.node, scope) if binding.node is not None else None
        if binding.annotation is not None and not (value and value.made and _is_class(value.name)):
            text = self.annotation(binding.annotation, scope)
            value = Meaning(text, made=True, known=True) if text else value
        self._depth -= 1
        self._values[key] = value
        return value

    def _plain_value(self, node: ast.expr, scope: Scope) -> Meaning | None:
        if isinstance(node, (ast.BoolOp, ast.IfExp)):
            options = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]
            meaning = self._first_known(options, scope)
            return meaning if meaning.known else None
        if isinstance(node, (ast.Name, ast.Attribute)):
            meaning = self.of(node, scope)
            return meaning if meaning.known else None
        if isinstance(node, (ast.Call, ast.Await, ast.NamedExpr)):
            meaning = self.of(node, scope)
            return meaning if meaning.name != "?" and meaning.name not in _DESCRIPTIONS else None
        return None

    def _first_known(self, options: list[ast.expr], scope: Scope) -> Meaning:
        if self._depth >= MAX_DEPTH:
            return Meaning("?")
        self._depth += 1
        found = next((m for m in (self.of(option, scope) for option in options[:8]) if m.known), Meaning("?"))
        self._depth -= 1
        return found

    # --------------------------------------------------------------------------------------- attributes

    def _attribute(self, node: ast.expr, scope: Scope) -> Meaning:
        attributes: list[str] = []
        kind: type[ast.expr] = ast.Attribute
        while kind is ast.Attribute or kind is ast.Subscript:
            if kind is ast.Attribute:
                attributes.append(node.attr)  # type: ignore[attr-defined]
            node = node.value  # type: ignore[attr-defined]
            kind = type(node)
        attributes.reverse()
        if kind is ast.Name:
            name: str = node.id  # type: ignore[attr-defined]
            if scope.dotted or self.module.dotted:
                bound = self._dotted(name, attributes, scope, position_of(node))
                if bound is not None:
                    return bound
            owner = self._self_class(name, scope)
            if owner is not None:
                return self._of_instance(owner, name, attributes)
        if self._depth >= MAX_DEPTH:
            meaning = Meaning("?")
        else:
            meaning = self._name(node, scope) if kind is ast.Name else self.of(node, scope)  # type: ignore[arg-type]
        return self._below(meaning, attributes)

    def _below(self, meaning: Meaning, attributes: list[str]) -> Meaning:
        """The meaning of attributes of something: of a class of this file by what it says of its instances."""
        classes = self.classes
        for index, attribute in enumerate(attributes):
            name, _, known = meaning
            owner = classes.get(name) if known else None
            if owner is None:
                return Meaning(".".join([name, *attributes[index:]]), False, known)
            meaning = self._member(owner, attribute) or Meaning(f"{name}.{attribute}", False, True)
        return meaning

    def _dotted(self, name: str, attributes: list[str], scope: Scope, position: int) -> Meaning | None:
        for where in (scope, self.module):
            if where.dotted:
                for length in range(len(attributes), 0, -1):
                    bindings = where.bindings.get(".".join((name, *attributes[:length])))
                    if not bindings:
                        continue
                    binding = latest(bindings, position) if where is scope else telling(bindings)
                    meaning = self._value(binding, where)
                    if meaning is not None:
                        return self._below(meaning, attributes[length:])
        return None

    def _self_class(self, name: str, scope: Scope | None) -> Class | None:
        """The class that `self` or `cls` is of, in a method and in functions inside it."""
        while scope is not None:
            if scope.self_name:
                return self.classes.get(scope.class_name) if scope.self_name == name else None
            if name in scope.bindings:
                return None
            scope = scope.parent
        return None

    def _of_instance(self, owner: Class, self_name: str, attributes: list[str]) -> Meaning:
        member = self._member(owner, attributes[0])
        if member is None:
            return Meaning(".".join((self_name, *attributes)))
        return self._below(member, attributes[1:])

    def _member(self, owner: Class, attribute: str) -> Meaning | None:
        """What an attribute of an instance stands for, by its class and that class's bases in the same file."""
        if attribute in owner.members:
            return owner.members[attribute]
        meaning = self._looked_up(owner, attribute)
        if not self._depth:  # deeper, the meaning of what is being looked at is not known yet
            owner.members[attribute] = meaning
        return meaning

    def _looked_up(self, owner: Class, attribute: str) -> Meaning | None:
        seen: set[str] = set()
        waiting = [owner]
        while waiting:
            here = waiting.pop(0)
            if here.name in seen:
                continue
            seen.add(here.name)
            if attribute in here.methods:
                return Meaning(f"{here.name}.{attribute}", known=True)
            for binding, scope in here.attributes.get(attribute, ()):
                meaning = self._bound(attribute, binding, scope) if binding.form != OPAQUE else None
                if meaning is not None and meaning.known | meaning.made:
                    return meaning
            for base in here.bases:
                above = self.classes.get(dotted_text(base))
                if above is not None:
                    waiting.append(above)
        return None

    # -------------------------------------------------------------------------------------------- calls

    def _call(self, node: ast.Call, scope: Scope) -> Meaning:
        """The value that a call makes, under the name of what was called."""
        key = id(node)
        found = self._made.get(key)
        if found is not None:
            return found
        if self._depth >= MAX_DEPTH:
            return Meaning("?")
        self._depth += 1
        meaning = self._made_by(node, scope)
        self._depth -= 1
        if len(meaning.name) > MAX_NAME:
            parts = meaning.name.split(".")
            meaning = meaning._replace(name=".".join((*parts[:3], parts[-1]))[:MAX_NAME])
        self._made[key] = meaning
        return meaning

    def _made_by(self, node: ast.Call, scope: Scope) -> Meaning:
        callee = self.of(node.func, scope)
        if callee.made:
            return Meaning(callee.name, made=True, known=callee.known)
        if callee.name in ("functools.partial", "functools.partialmethod") and node.args:
            return self.of(node.args[0], scope)._replace(made=False)
        if callee.name in self.classes:
            return Meaning(callee.name, made=True, known=True)
        function = self.functions.get(callee.name) if callee.known else None
        if function is not None:
            given = self._given_back(function)
            if given is not None:
                return given
        if callee.name == "?":
            return callee
        return Meaning(callee.name, made=True, known=True)

    def _given_back(self, function: Function) -> Meaning | None:
        """What a function of the file returns: its annotation, else the first value whose class is known."""
        if function.returns is not None:
            text = self.annotation(function.returns, function.outer)
            if text:
                return Meaning(text, made=True, known=True)
        for value in function.values[:4]:
            if isinstance(value, (ast.Name, ast.Call, ast.Await)):
                meaning = self.of(value, function.scope)
                if meaning.made and meaning.known and meaning.name != function.name:
                    return meaning
        return None

    # -------------------------------------------------------------------------------------- annotations

    def annotation(self, node: ast.expr, scope: Scope) -> str:
        """The qualified class that an annotation names, "" when it names none that tells anything."""
        named = class_in(node)
        name = self.reference(named, scope) if named is not None else ""
        return name if tells(name) else ""


def _is_class(name: str) -> bool:
    return name.rpartition(".")[2][:1].isupper()
