"""The expressions of Python source as they stand, with what stands around them: calls, strings, comparisons."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from mlops_audit.code.around import Around, Decision, Definition, Test
from mlops_audit.code.names import Names
from mlops_audit.code.scopes import ANNOTATED, OPAQUE, VALUE, Binding, Class, Scope
from mlops_audit.code.syntax import CHILDREN, dotted_text, end_of, is_literal

_ALL = frozenset({"all", "any", "bool", "not_"})
_COMPREHENSIONS = frozenset({ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp})
_LITERALS = (ast.Constant, ast.List, ast.Tuple, ast.Set, ast.UnaryOp)
MAX_BESIDE = 40  # keys of a dict that its numbers are told of; larger ones are tables

_value = attrgetter("value")
SHORT = 4  # letters: shorter strings say nothing

Stack = list[tuple[Any, "ast.Call | None"]]  # expressions, each with the call that it is an argument of


class Expressions:
    """Collects what expressions hold; a walk over statements brings them here with what stands around them."""

    def __init__(self) -> None:
        self.module = Scope("module")
        self.names = Names(self.module)
        self.imports: list[
            tuple[str, str, int, bool, bool, bool, str]
        ] = []  # name, module, line, relative, dead
        self.calls: list[
            tuple[ast.Call, Around, str, str]
        ] = []  # ..., the variable assigned, what it decorates
        self.raised: set[int] = set()  # ids of the calls that make what a `raise` raises
        self.decorators: list[tuple[ast.expr, Around, str]] = []
        self.definitions: list[Definition] = []
        self.strings: list[tuple[ast.expr, Around, ast.Call | None, str]] = []
        # name, value, ..., form, line, and for a number in a dict all keys of it
        self.settings: list[tuple[str, ast.expr, Around, str, int, tuple[str, ...]]] = []
        self.decisions: list[Decision] = []
        self.tests: list[Test] = []
        self.shifts: list[ast.BinOp] = []
        self.named_results: list[tuple[str, ast.Call, Scope]] = []
        self.targets: dict[int, str] = {}  # of the calls of `with` statements, by id
        self._entries: dict[int, str] = {}

    # ---------------------------------------------------------------------------------------- bindings

    def _bind(
        self,
        target: ast.expr,
        value: ast.expr | None,
        annotation: ast.expr | None,
        around: Around,
        position: int,
    ) -> None:
        scope, until = around.scope, around.until
        if type(target) is ast.Name:
            if value is None and annotation is None:
                binding = Binding(OPAQUE, position)
            else:
                binding = Binding(
                    ANNOTATED if annotation is not None else VALUE, position, "", value, annotation, until
                )
            scope.bind(target.id, binding)
            if scope.form == "class":
                attributes = self.names.classes[scope.class_name].attributes
                attributes.setdefault(target.id, []).append((binding, scope))
        elif type(target) is ast.Attribute:
            owner = self._instance(target, scope)
            if owner is not None:
                if not isinstance(value, ast.Constant) or annotation is not None:
                    binding = Binding(VALUE, position, "", value, annotation, until)
                    owner.attributes.setdefault(target.attr, []).append((binding, scope))
            elif isinstance(value, ast.Call):
                name = dotted_text(target)
                if name:
                    scope.dotted = True
                    scope.bind(name, Binding(VALUE, position, "", value, annotation, until))
        elif isinstance(target, (ast.Tuple, ast.List)):
            pairs = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
            if len(pairs) == len(target.elts):
                for each, its in zip(target.elts, pairs, strict=True):
                    self._bind(each, its, None, around, position)
            else:
                self._opaque(target, around, position)

    def _opaque(self, target: ast.expr, around: Around, position: int) -> None:
        """Binds the names of a target whose values cannot be told."""
        waiting = [target]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.Name):
                around.scope.bind(node.id, Binding(OPAQUE, position))
            elif isinstance(node, (ast.Tuple, ast.List)):
                waiting.extend(node.elts)
            elif isinstance(node, ast.Starred):
                waiting.append(node.value)

    def _instance(self, target: ast.Attribute, scope: Scope | None) -> Class | None:
        """The class whose instance gets an attribute by `self.x = ...`."""
        if not isinstance(target.value, ast.Name):
            return None
        while scope is not None:
            if scope.self_name:
                return (
                    self.names.classes.get(scope.class_name) if scope.self_name == target.value.id else None
                )
            scope = scope.parent
        return None

    # -------------------------------------------------------------------------------------- comparisons

    def _tested(self, node: ast.expr, around: Around, form: str) -> Test:
        test = Test(node)
        self.tests.append(test)
        self._decide(node, around, form, test)
        self._expression(node, around)
        return test

    def _decide(self, node: Any, around: Around, form: str, test: Test | None, target: str = "") -> None:
        """Collects the comparisons whose truth makes the truth of an expression."""
        waiting: list[Any] = [node]
        while waiting:
            node = waiting.pop()
            kind = type(node)
            if kind is ast.Name or kind is ast.Attribute or kind is ast.Constant:
                continue
            if kind is ast.Compare:
                self.decisions.append(Decision(node, around, form, test, target))
            elif kind is ast.Call:
                callee = node.func
                of_value = type(callee) is ast.Attribute
                last = callee.attr if of_value else callee.id if type(callee) is ast.Name else ""
                if last in _ALL:
                    waiting.extend(node.args)
                    if of_value and not node.args:
                        waiting.append(callee.value)  # (scores > 0.5).all()
            elif kind is ast.BoolOp:
                waiting.extend(node.values)
            elif kind is ast.UnaryOp:
                waiting.append(node.operand)
            elif kind is ast.NamedExpr:
                waiting.append(node.value)
            elif kind is ast.List or kind is ast.Tuple:
                waiting.extend(node.elts)
            elif kind is ast.GeneratorExp or kind is ast.ListComp:
                waiting.append(node.elt)

    # ------------------------------------------------------------------------------------- expressions

    def _expression(self, node: Any, around: Around, variable: str = "", target: str = "") -> None:
        """Walks one expression, which a variable or a target may get; most are no more than a name."""
        kind = type(node)
        while kind is ast.Attribute:
            node, target = node.value, ""
            kind = type(node)
        if kind is ast.Constant:
            if type(node.value) is str and len(node.value) >= SHORT:
                self.strings.append((node, around, None, variable))
        elif kind is not ast.Name:
            self._expressions([(node, None)], around, "", variable, target)

    def _several(self, nodes: Iterable[ast.expr], around: Around) -> None:
        """Walks expressions one after the other."""
        stack: Stack = [(node, None) for node in nodes]
        if stack:
            self._expressions(stack[::-1], around)

    def _expressions(
        self, stack: Stack, around: Around, decorates: str = "", variable: str = "", target: str = ""
    ) -> None:
        """Walks expressions without recursion, the last one first; inner calls come before those that they are given to.

        Each stands beside the call that it is an argument of. The first one walked is what decorates or is assigned.
        """
        outermost = stack[-1][0]
        if type(outermost) is ast.Await:
            outermost = outermost.value
        calls, strings = self.calls, self.strings
        first = len(calls)
        todo: list[tuple[Stack, Around]] = []
        while True:
            push = stack.append
            while stack:
                node, owner = stack.pop()
                kind = type(node)
                while kind is ast.Attribute:
                    node, owner = node.value, None
                    kind = type(node)
                if kind is ast.Name:
                    continue
                if kind is ast.Call:
                    if node is outermost:
                        calls.append((node, around, target, decorates))
                    else:
                        calls.append((node, around, "", ""))
                    arguments = node.args
                    if node.keywords:
                        arguments = [*arguments, *map(_value, node.keywords)]
                    for argument in arguments:
                        kind = type(argument)
                        if kind is ast.Name or (kind is ast.Attribute and type(argument.value) is ast.Name):
                            continue  # nothing more to see, as with most
                        push((argument, node))
                    function = node.func
                    while type(function) is ast.Attribute:
                        function = function.value
                    if type(function) is not ast.Name:
                        push((function, None))
                elif kind is ast.Constant:
                    if type(node.value) is str and len(node.value) >= SHORT:
                        strings.append((node, around, owner, variable))
                elif kind is ast.BoolOp and type(node.op) is ast.And:
                    test = Test(node.values[0])
                    self.tests.append(test)
                    push((test.node, None))
                    todo.append(
                        ([(value, None) for value in node.values[:0:-1]], around.under(test, negated=False))
                    )
                elif kind in CHILDREN:
                    if kind is ast.Dict:
                        self._dict(node, around)
                    elif kind is ast.NamedExpr:
                        self._bind(node.target, node.value, None, around, end_of(node))
                    for child in CHILDREN[kind](node):
                        if child is not None and type(child) is not ast.Name:
                            push((child, owner))
                elif kind is ast.JoinedStr:
                    strings.append((node, around, owner, variable))
                    stack.extend([(v.value, None) for v in node.values if type(v) is ast.FormattedValue])
                elif kind is ast.IfExp:
                    test = Test(node.test)
                    self.tests.append(test)
                    self._decide(test.node, around, "if", test)
                    push((test.node, None))
                    todo.append(([(node.body, None)], around.under(test, negated=False)))
                    todo.append(([(node.orelse, None)], around.under(test, negated=True)))
                elif kind in _COMPREHENSIONS:
                    self._comprehension(node, around, todo)
                elif kind is ast.Lambda:
                    self._lambda(node, around, todo)
            if not todo:
                break
            stack, around = todo.pop()
        if len(calls) > first + 1:
            calls[first:] = calls[first:][::-1]

    def _comprehension(self, node: Any, around: Around, todo: list[tuple[Stack, Around]]) -> None:
        scope = Scope("function", around.scope, around.scope.class_name)
        inner = around.inside(scope, loop=True)
        guards = around.guards
        for index, generator in enumerate(node.generators):
            todo.append(([(generator.iter, None)], inner if index else around))
            self._opaque(generator.target, inner, 0)
            for condition in generator.ifs:
                test = Test(condition)
                self.tests.append(test)
                todo.append(([(condition, None)], inner))
                guards = ((test, False), *guards)
        elements = [node.value, node.key] if type(node) is ast.DictComp else [node.elt]
        todo.append(([(element, None) for element in elements], inner.but(guards=guards)))

    def _lambda(self, node: ast.Lambda, around: Around, todo: list[tuple[Stack, Around]]) -> None:
        scope = Scope("function", around.scope, around.scope.class_name)
        arguments = node.args
        for parameter in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            scope.bind(parameter.arg, Binding(OPAQUE, 0))
        defaults: Stack = [(d, None) for d in (*arguments.defaults, *arguments.kw_defaults) if d]
        todo.append((defaults[::-1], around))
        todo.append(([(node.body, None)], around.inside(scope, loop=around.loop)))

    def _dict(self, node: ast.Dict, around: Around) -> None:
        prefix = self._entries.get(id(node), "")
        keys = tuple(str(key.value) for key in node.keys if type(key) is ast.Constant)
        keys = keys if 1 < len(keys) <= MAX_BESIDE else ()
        for key, value in zip(node.keys, node.values, strict=True):
            if type(key) is not ast.Constant or not isinstance(key.value, (str, int)):
                continue
            name = f"{prefix}.{key.value}" if prefix else str(key.value)
            if type(value) is ast.Dict:
                self._entries[id(value)] = name
            elif isinstance(value, _LITERALS) and is_literal(value):
                number = type(value) is ast.Constant and type(value.value) in (int, float)
                self.settings.append((name, value, around, "entry", key.lineno, keys if number else ()))
