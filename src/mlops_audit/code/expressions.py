"""The expressions of Python source as they stand, with what stands around them: calls, strings, comparisons."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from mlops_audit.code.names import ANNOTATED, OPAQUE, VALUE, Binding, Class, Names, Scope, dotted_text, end_of

_ALL = frozenset({"all", "any", "bool", "not_"})
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_LITERALS = (ast.Constant, ast.List, ast.Tuple, ast.Set, ast.UnaryOp)
MAX_BESIDE = 40  # keys of a dict that its numbers are told of; larger ones are tables

# The fields of each kind of expression that hold further expressions.
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {
    ast.BinOp: ("left", "right"), ast.UnaryOp: ("operand",), ast.Compare: ("left", "comparators"),
    ast.List: ("elts",), ast.Tuple: ("elts",), ast.Set: ("elts",), ast.Subscript: ("value", "slice"),
    ast.Slice: ("lower", "upper", "step"), ast.Starred: ("value",), ast.Await: ("value",), ast.Yield: ("value",),
    ast.YieldFrom: ("value",), ast.FormattedValue: ("value", "format_spec"), ast.BoolOp: ("values",),
    ast.Attribute: ("value",), ast.NamedExpr: ("value",),
}  # fmt: skip


@dataclass(slots=True)
class Test:
    """A condition that guards something, and what is seen to happen under it."""

    node: ast.expr
    flow: set[str] = field(default_factory=set)  # raise, return
    led: set[str] = field(default_factory=set)  # filled in by the reader: names called under it
    sets: set[str] = field(
        default_factory=set
    )  # flags and lists changed under it, functions whose result it decides


Guards = tuple[tuple[Test, bool], ...]  # innermost first; True for the branch where the test does not hold


@dataclass(slots=True)
class Definition:
    """A function or class as it stands."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    name: str
    form: str
    outer: Definition | None
    scope: Scope  # where it is defined
    raises: bool = False
    dead: bool = False


@dataclass(slots=True)
class Around:
    """What stands around an expression."""

    scope: Scope
    definition: Definition | None = None
    guards: Guards = ()
    loop: bool = False
    main: bool = False
    dead: bool = False
    until: int = 0  # the end of the `else` or `except` branch it stands in
    blocks: tuple[ast.Call, ...] = ()  # the calls of the `with` statements around it, innermost first
    tried: bool = False  # in the body of a `try` that has handlers

    def but(
        self, *, guards: Guards | None = None, loop: bool | None = None, main: bool = False, dead: bool = False,
        until: int | None = None, blocks: tuple[ast.Call, ...] | None = None, tried: bool = False,
    ) -> Around:  # fmt: skip
        """The same with something changed."""
        return Around(
            self.scope, self.definition, self.guards if guards is None else guards,
            self.loop if loop is None else loop, self.main or main, self.dead or dead,
            self.until if until is None else until, self.blocks if blocks is None else blocks,
            self.tried or tried,
        )  # fmt: skip


@dataclass(slots=True)
class Decision:
    """A comparison and where its result goes: into tests, a name or the result of a function."""

    node: ast.Compare
    around: Around
    form: str
    test: Test | None = None
    target: str = ""


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
        self._targets: dict[int, str] = {}
        self._owners: dict[int, ast.Call] = {}
        self._entries: dict[int, str] = {}

    def target_of(self, call: ast.Call) -> str:
        """The variable that the value of a call is given to, "" when there is none."""
        return self._targets.get(id(call), "")

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
        if isinstance(target, ast.Name):
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
        elif isinstance(target, ast.Attribute):
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
        self._expressions([node], around)
        return test

    def _decide(self, node: ast.expr, around: Around, form: str, test: Test | None, target: str = "") -> None:
        """Collects the comparisons whose truth makes the truth of an expression."""
        waiting = [node]
        while waiting:
            node = waiting.pop()
            kind = type(node)
            if kind is ast.Compare:
                self.decisions.append(Decision(node, around, form, test, target))  # type: ignore[arg-type]
            elif kind is ast.BoolOp:
                waiting.extend(node.values)  # type: ignore[attr-defined]
            elif kind is ast.UnaryOp:
                waiting.append(node.operand)  # type: ignore[attr-defined]
            elif kind is ast.NamedExpr:
                waiting.append(node.value)  # type: ignore[attr-defined]
            elif kind is ast.Call:
                callee = node.func  # type: ignore[attr-defined]
                last = callee.id if isinstance(callee, ast.Name) else getattr(callee, "attr", "")
                if last in _ALL:
                    waiting.extend(node.args)  # type: ignore[attr-defined]
                    if isinstance(callee, ast.Attribute) and not node.args:  # type: ignore[attr-defined]
                        waiting.append(callee.value)  # (scores > 0.5).all()
            elif kind is ast.List or kind is ast.Tuple:
                waiting.extend(node.elts)  # type: ignore[attr-defined]
            elif kind is ast.GeneratorExp or kind is ast.ListComp:
                waiting.append(node.elt)  # type: ignore[attr-defined]

    # ------------------------------------------------------------------------------------- expressions

    def _expressions(
        self, nodes: list[ast.expr], around: Around, decorates: str = "", variable: str = ""
    ) -> None:
        """Walks expressions without recursion; inner calls come before those that they are arguments of."""
        outermost = nodes[0] if decorates else None
        todo: list[tuple[list[ast.expr], Around]] = [(nodes, around)]
        first = len(self.calls)
        owners, targets = self._owners, self._targets
        while todo:
            stack, around = todo.pop()
            stack = stack[::-1]
            while stack:
                node = stack.pop()
                kind = type(node)
                if kind is ast.Name:
                    continue
                if kind is ast.Constant:
                    if type(node.value) is str and len(node.value) >= 4:  # type: ignore[attr-defined]
                        self.strings.append((node, around, owners.get(id(node)), variable))
                elif kind is ast.Attribute:
                    stack.append(node.value)  # type: ignore[attr-defined]
                elif kind is ast.Call:
                    decorated = decorates if node is outermost else ""
                    self.calls.append((node, around, targets.get(id(node), ""), decorated))  # type: ignore[arg-type]
                    for argument in node.args:  # type: ignore[attr-defined]
                        if type(argument) is not ast.Name:
                            owners[id(argument)] = node  # type: ignore[assignment]
                            stack.append(argument)
                    for keyword in node.keywords:  # type: ignore[attr-defined]
                        argument = keyword.value
                        if type(argument) is not ast.Name:
                            owners[id(argument)] = node  # type: ignore[assignment]
                            stack.append(argument)
                    if type(node.func) is not ast.Name:  # type: ignore[attr-defined]
                        stack.append(node.func)  # type: ignore[attr-defined]
                elif kind is ast.Dict:
                    self._dict(node, around)  # type: ignore[arg-type]
                    owner = owners.get(id(node))
                    for child in (*node.keys, *node.values):  # type: ignore[attr-defined]
                        if child is not None:
                            if owner is not None:
                                owners[id(child)] = owner
                            stack.append(child)
                elif kind is ast.JoinedStr:
                    self.strings.append((node, around, owners.get(id(node)), variable))
                    stack.extend(v.value for v in node.values if isinstance(v, ast.FormattedValue))  # type: ignore[attr-defined]
                elif kind is ast.IfExp:
                    test = Test(node.test)  # type: ignore[attr-defined]
                    self.tests.append(test)
                    self._decide(test.node, around, "if", test)
                    stack.append(test.node)
                    todo.append(([node.body], around.but(guards=((test, False), *around.guards))))  # type: ignore[attr-defined]
                    todo.append(([node.orelse], around.but(guards=((test, True), *around.guards))))  # type: ignore[attr-defined]
                elif kind is ast.BoolOp and isinstance(node.op, ast.And):  # type: ignore[attr-defined]
                    values = node.values  # type: ignore[attr-defined]
                    test = Test(values[0])
                    self.tests.append(test)
                    stack.append(values[0])
                    todo.append((values[1:], around.but(guards=((test, False), *around.guards))))
                elif isinstance(node, _COMPREHENSIONS):
                    self._comprehension(node, around, todo)
                elif kind is ast.Lambda:
                    self._lambda(node, around, todo)  # type: ignore[arg-type]
                else:
                    if kind is ast.NamedExpr:
                        self._bind(node.target, node.value, None, around, end_of(node))  # type: ignore[attr-defined]
                    owner = owners.get(id(node))
                    for field_name in _FIELDS.get(kind, ()):
                        child = getattr(node, field_name)
                        if type(child) is list:
                            if owner is not None:
                                for each in child:
                                    owners[id(each)] = owner
                            stack.extend(reversed(child))
                        elif child is not None:
                            if owner is not None:
                                owners[id(child)] = owner
                            stack.append(child)
        found = self.calls[first:]
        if len(found) > 1:
            found.reverse()
            self.calls[first:] = found

    def _comprehension(
        self, node: ast.expr, around: Around, todo: list[tuple[list[ast.expr], Around]]
    ) -> None:
        scope = Scope("function", around.scope, class_name=around.scope.class_name)
        generators = node.generators  # type: ignore[attr-defined]
        inner = Around(
            scope,
            around.definition,
            around.guards,
            True,
            around.main,
            around.dead,
            around.until,
            around.blocks,
        )
        guards = around.guards
        for index, generator in enumerate(generators):
            todo.append(([generator.iter], inner if index else around))
            self._opaque(generator.target, inner, 0)
            for condition in generator.ifs:
                test = Test(condition)
                self.tests.append(test)
                todo.append(([condition], inner))
                guards = ((test, False), *guards)
        elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]  # type: ignore[attr-defined]
        todo.append((elements, inner.but(guards=guards)))

    def _lambda(self, node: ast.Lambda, around: Around, todo: list[tuple[list[ast.expr], Around]]) -> None:
        scope = Scope("function", around.scope, class_name=around.scope.class_name)
        arguments = node.args
        for parameter in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            scope.bind(parameter.arg, Binding(OPAQUE, 0))
        inner = Around(
            scope,
            around.definition,
            around.guards,
            around.loop,
            around.main,
            around.dead,
            around.until,
            around.blocks,
        )
        todo.append(([d for d in (*arguments.defaults, *arguments.kw_defaults) if d], around))
        todo.append(([node.body], inner))

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


def is_literal(node: ast.expr) -> bool:
    """Whether a value is a constant, or a list, tuple or set of nothing but constants."""
    kind = type(node)
    if kind is ast.Constant:
        return True
    if kind is ast.List or kind is ast.Tuple or kind is ast.Set:
        return all(type(e) is ast.Constant or (type(e) is ast.UnaryOp and is_literal(e)) for e in node.elts)  # type: ignore[attr-defined]
    return kind is ast.UnaryOp and type(node.operand) is ast.Constant  # type: ignore[attr-defined]


__all__ = ["Around", "Decision", "Definition", "Expressions", "Guards", "Test", "is_literal"]
