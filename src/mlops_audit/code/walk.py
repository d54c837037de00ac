"""One walk over the statements of Python source: imports, definitions, assignments, conditions and dead code."""

from __future__ import annotations

import ast
from typing import Any

from mlops_audit.code.around import RAISE, RETURN, Around, Definition, Guards, Test
from mlops_audit.code.expressions import Expressions
from mlops_audit.code.scopes import ANNOTATED, IMPORT, LOCAL, OPAQUE, Binding, Class, Function, Scope
from mlops_audit.code.syntax import always_leaves, constant_truth, dotted_text, end_of, is_literal, is_main

_GROWTH = frozenset({"append", "add", "extend"})
_LITERALS = frozenset({ast.Constant, ast.List, ast.Tuple, ast.UnaryOp, ast.Set})
_JUDGED = frozenset({ast.Compare, ast.BoolOp, ast.Call, ast.UnaryOp})
_TRY = (ast.Try, getattr(ast, "TryStar", ast.Try))


class Walk(Expressions):
    """Everything that one walk over a module collects."""

    def __init__(self, tree: ast.Module, package: tuple[str, ...]) -> None:
        super().__init__()
        self.package = package
        self._block(tree.body, Around(self.module))

    # -------------------------------------------------------------------------------------- statements

    def _block(self, body: list[ast.stmt], around: Around) -> tuple[int, Guards]:
        """Walks statements; gives whether they raise or return, and the guards that early exits leave behind."""
        flow, last = 0, body[-1] if body else None
        statement: Any
        for statement in body:
            kind = type(statement)
            if kind is ast.Expr:
                value = statement.value
                if type(value) is not ast.Constant:  # a string that stands alone is a docstring or a comment
                    self._bare(value, around)
            elif kind is ast.Assign or kind is ast.AnnAssign or kind is ast.AugAssign:
                self._assignment(statement, around)
            elif kind is ast.Return:
                flow |= RETURN
                self._returned(statement, around)
                if statement is not last:
                    around = around.but(dead=True)
            elif kind is ast.Raise:
                flow |= RAISE
                if around.definition is not None:
                    around.definition.raises = True
                self.raised.add(id(statement.exc))
                self._several([e for e in (statement.exc, statement.cause) if e], around)
                if statement is not last:
                    around = around.but(dead=True)
            elif kind is ast.If:
                found, left = self._if(statement, around)
                flow |= found
                if left:
                    around = around.but(guards=left + around.guards)
            elif kind is ast.FunctionDef or kind is ast.AsyncFunctionDef:
                self._function(statement, around)
            elif kind is ast.ClassDef:
                self._class(statement, around)
            elif kind is ast.Import or kind is ast.ImportFrom:
                self._import(statement, around)
            elif kind is ast.With or kind is ast.AsyncWith:
                found, left = self._with(statement, around)
                flow |= found
                if left:
                    around = around.but(guards=left + around.guards)
            elif kind is ast.For or kind is ast.AsyncFor:
                self._expression(statement.iter, around)
                self._opaque(statement.target, around, end_of(statement.iter))
                flow |= self._inner(statement.body, around.but(loop=True))
                flow |= self._inner(statement.orelse, around)
            elif kind is ast.While:
                flow |= self._while(statement, around)
            elif kind in _TRY:
                flow |= self._try(statement, around)
            elif kind is ast.Assert:
                test = self._tested(statement.test, around, "assert")
                test.flow |= RAISE
                if statement.msg:
                    self._expression(statement.msg, around)
                around = around.under(test, negated=False)
            elif kind is ast.Global or kind is ast.Nonlocal:
                for name in statement.names:
                    around.scope.outer[name] = (
                        self.module if kind is ast.Global else self._outer(name, around.scope)
                    )
            elif kind is ast.Match:
                flow |= self._match(statement, around)
            elif kind is ast.Delete:
                self._several(statement.targets, around)
            elif kind is ast.Continue or kind is ast.Break:
                around = around.but(dead=True)
        return flow, around.guards

    def _inner(self, body: list[ast.stmt], around: Around) -> int:
        return self._block(body, around)[0] if body else 0

    def _bare(self, value: ast.expr, around: Around) -> None:
        """Walks an expression that is a statement."""
        if type(value) is ast.BinOp and isinstance(value.op, (ast.RShift, ast.LShift)):
            self.shifts.append(value)
        self._expression(value, around)
        if around.guards and type(value) is ast.Call:
            function = value.func
            if type(function) is ast.Attribute and function.attr in _GROWTH:
                _sets(around, dotted_text(function.value))

    def _if(self, statement: ast.If, around: Around) -> tuple[int, Guards]:
        """Walks an `if` with all its `elif`; gives the guards of what follows when one side always leaves."""
        flow = 0
        left: Guards = ()
        while True:
            if is_main(statement.test):
                flow |= self._inner(statement.body, around.but(main=True))
                flow |= self._inner(statement.orelse, around)
                return flow, left
            constant = constant_truth(statement.test)
            test = self._tested(statement.test, around, "if")
            within = around.but(guards=((test, False), *around.guards), dead=constant is False)
            then = self._inner(statement.body, within)
            leaves = always_leaves(statement.body)
            test.flow |= then
            flow |= then
            if not statement.orelse:
                return flow, (((test, False), *left) if leaves and constant is None else left)
            end = end_of(statement.orelse[-1])
            around = around.but(
                guards=((test, True), *around.guards), dead=constant is True, until=around.until or end
            )
            if len(statement.orelse) == 1 and isinstance(statement.orelse[0], ast.If):
                statement = statement.orelse[0]
                if leaves and constant is None:
                    left = ((test, False), *left)
                continue
            otherwise = self._inner(statement.orelse, around)
            test.flow |= otherwise
            flow |= otherwise
            if leaves != always_leaves(statement.orelse) and constant is None:
                left = ((test, False), *left)
            return flow, left

    def _while(self, statement: ast.While, around: Around) -> int:
        constant = constant_truth(statement.test)
        if constant is None:
            test = self._tested(statement.test, around, "while")
            flow = self._inner(statement.body, around.but(guards=((test, False), *around.guards), loop=True))
            test.flow |= flow
        else:
            flow = self._inner(statement.body, around.but(loop=True, dead=not constant))
        return flow | self._inner(statement.orelse, around)

    def _try(self, statement: ast.Try, around: Around) -> int:
        flow = self._inner(statement.body, around.but(tried=bool(statement.handlers)))
        for handler in statement.handlers:
            if handler.type is not None:
                self._expression(handler.type, around)
            if handler.name:
                around.scope.bind(handler.name, Binding(OPAQUE, handler.lineno << 16))
            if handler.body:
                flow |= self._inner(handler.body, around.but(until=around.until or end_of(handler.body[-1])))
        return flow | self._inner(statement.orelse, around) | self._inner(statement.finalbody, around)

    def _with(self, statement: ast.With | ast.AsyncWith, around: Around) -> tuple[int, Guards]:
        blocks = around.blocks
        for item in statement.items:
            given, target = item.context_expr, item.optional_vars
            name = ""
            if target is not None:
                self._bind(target, given, None, around, end_of(given))
                name = dotted_text(target) if type(given) is ast.Call else ""
            self._expression(given, around.but(blocks=blocks), target=name)
            if type(given) is ast.Call:
                self.targets[id(given)] = name
                blocks = (given, *blocks)
        flow, guards = self._block(statement.body, around.but(blocks=blocks))
        return flow, guards[: len(guards) - len(around.guards)]

    def _match(self, statement: ast.Match, around: Around) -> int:
        flow = 0
        self._expression(statement.subject, around)
        for case in statement.cases:
            pattern = next((p.value for p in ast.walk(case.pattern) if isinstance(p, ast.MatchValue)), None)
            guards = around.guards
            if pattern is not None:
                same = ast.Compare(statement.subject, [ast.Eq()], [pattern])
                test = Test(ast.copy_location(same, pattern))
                self.tests.append(test)
                guards = ((test, False), *guards)
            for captured in ast.walk(case.pattern):
                name = getattr(captured, "name", None)
                if isinstance(captured, (ast.MatchAs, ast.MatchStar)) and name:
                    around.scope.bind(name, Binding(OPAQUE, captured.lineno << 16))
            if case.guard is not None:
                guards = ((self._tested(case.guard, around, "if"), False), *guards)
            found = self._inner(case.body, around.but(guards=guards))
            for test, _ in guards[: len(guards) - len(around.guards)]:
                test.flow |= found
            flow |= found
        return flow

    def _import(self, statement: ast.Import | ast.ImportFrom, around: Around) -> None:
        position, line, dead = end_of(statement), statement.lineno, around.dead
        place = (around.tried, around.definition.name if around.definition else "")
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                self.imports.append((alias.name, alias.name, line, False, dead, *place))
                first = alias.name.partition(".")[0]
                bound, meant = (alias.asname, alias.name) if alias.asname else (first, first)
                around.scope.bind(bound, Binding(IMPORT, position, meant, until=around.until))
            return
        module = statement.module or ""
        if statement.level:
            above = (
                self.package[: len(self.package) - statement.level + 1]
                if statement.level > 1
                else self.package
            )
            module = ".".join((*above, module) if module else above)
        for alias in statement.names:
            name = f"{module}.{alias.name}" if module else alias.name
            self.imports.append((name, module or alias.name, line, bool(statement.level), dead, *place))
            if alias.name == "*":
                self.names.stars.append(module)
            else:
                bound = alias.asname or alias.name
                around.scope.bind(bound, Binding(IMPORT, position, name, until=around.until))

    # -------------------------------------------------------------------------------------- definitions

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, around: Around) -> None:
        outer, scope = around.scope, Scope("function", around.scope)
        name, method = node.name, outer.form == "class"
        if method:
            scope.class_name = outer.class_name
            name = f"{scope.class_name}.{node.name}"
            self.names.classes[scope.class_name].methods.add(node.name)
        definition = Definition(
            node, name, "method" if method else "function", around.definition, outer, name, around.dead
        )
        self.definitions.append(definition)
        self.names.functions.setdefault(name, Function(name, scope, outer, node.returns))
        outer.bind(node.name, Binding(LOCAL, node.lineno << 16, name, until=around.until))
        kinds = {d.id for d in node.decorator_list if isinstance(d, ast.Name)}
        self._decorated(node.decorator_list, around, name)
        arguments = node.args
        parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        if method and "staticmethod" not in kinds and parameters:
            scope.self_name = parameters[0].arg
            if "classmethod" in kinds:
                scope.bind(scope.self_name, Binding(LOCAL, 0, scope.class_name))
                parameters = parameters[1:]
        for parameter in (*parameters, *(a for a in (arguments.vararg, arguments.kwarg) if a)):
            if parameter.annotation is None:
                scope.bind(parameter.arg, Binding(OPAQUE, 0))
            else:
                scope.bind(parameter.arg, Binding(ANNOTATED, 0, annotation=parameter.annotation))
                if isinstance(parameter.annotation, ast.Subscript):
                    self._expression(parameter.annotation, around)
        self._several([d for d in (*arguments.defaults, *arguments.kw_defaults) if d], around)
        inner = Around(scope, definition, main=around.main, dead=around.dead)
        self._block(node.body, inner)

    def _class(self, node: ast.ClassDef, around: Around) -> None:
        scope = Scope("class", around.scope, class_name=node.name)
        if around.scope.form == "class":
            scope.class_name = f"{around.scope.class_name}.{node.name}"
        name = scope.class_name
        definition = Definition(
            node, name, "class", around.definition, around.scope, around.function, around.dead
        )
        self.definitions.append(definition)
        self.names.classes[name] = Class(name, scope, list(node.bases))
        around.scope.bind(node.name, Binding(LOCAL, node.lineno << 16, name, until=around.until))
        self._decorated(node.decorator_list, around, name)
        self._several([*node.bases, *(keyword.value for keyword in node.keywords)], around)
        inner = Around(scope, definition, around.guards, main=around.main, dead=around.dead)
        self._block(node.body, inner)

    def _decorated(self, decorators: list[ast.expr], around: Around, name: str) -> None:
        for decorator in decorators:
            if isinstance(decorator, ast.Call):
                self._expressions([(decorator, None)], around, name)
            else:
                self.decorators.append((decorator, around, name))

    # ------------------------------------------------------------------------------------- assignments

    def _assignment(self, node: Any, around: Around) -> None:
        value = node.value
        kind = type(node)
        targets = node.targets if kind is ast.Assign else [node.target]
        if kind is not ast.AugAssign:
            annotation = node.annotation if kind is ast.AnnAssign else None
            position = end_of(node)
            for target in targets:
                self._bind(target, value, annotation, around, position)
            if type(annotation) is ast.Subscript:
                self._expression(annotation, around)
        for target in targets:
            if type(target) is not ast.Name and type(target) is not ast.Tuple:
                self._expression(target, around)
        if value is None:
            return
        name = dotted_text(targets[0])
        if name:
            self._named(name, value, around, kind is ast.AugAssign, node.lineno)
        self._expression(value, around, name, name)

    def _named(self, name: str, value: ast.expr, around: Around, augments: bool, line: int) -> None:
        """Notes what is given to a name: constants, the results of calls and comparisons, the entries of a dict."""
        kind = type(value)
        if around.guards and (kind is ast.Constant or augments):
            _sets(around, name)
        if kind is ast.Call:
            self.named_results.append((name, value, around.scope))  # type: ignore[arg-type]
        elif kind in _LITERALS:
            if not augments and is_literal(value):
                self.settings.append((_label(name, around.scope), value, around, "assignment", line, ()))
        elif kind is ast.Dict:
            self._entries[id(value)] = _label(name, around.scope)
        if kind in _JUDGED:
            self._decide(value, around, "assign", None, name)

    def _outer(self, name: str, scope: Scope) -> Scope:
        above = scope.parent
        while above is not None and above.parent is not None:
            if above.form == "function" and name in above.bindings:
                return above
            above = above.parent
        return above or self.module

    def _returned(self, statement: ast.Return, around: Around) -> None:
        value = statement.value
        if value is None:
            return
        if around.definition is not None:
            self._decide(value, around, "return", None, around.definition.name)
            function = self.names.functions.get(around.definition.name)
            if function is not None:
                function.values.append(value)
            if around.guards and isinstance(value, ast.Constant) and value.value is not None:
                _sets(around, around.definition.name)
        self._expression(value, around)


def _label(name: str, scope: Scope) -> str:
    """The name of a setting: of one in a class with the class's name before it."""
    return f"{scope.class_name}.{name}" if scope.form == "class" else name


def _sets(around: Around, name: str) -> None:
    """Notes under every condition that a flag or list is changed there, or a function's result decided."""
    if name:
        for test, _ in around.guards:
            test.sets.add(name)
