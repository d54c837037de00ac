"""Resolves what a walk over Python source collected into values with qualified names."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter

from mlops_audit.code.around import Around, Guards, Test
from mlops_audit.code.commands import STARTERS, Commands
from mlops_audit.code.decisions import MAX_COMPARISON, Decisions
from mlops_audit.code.literal_values import MAX_VALUE, Literals
from mlops_audit.code.names import Names
from mlops_audit.code.scopes import Scope
from mlops_audit.code.text import Text
from mlops_audit.code.values import Based, Called, Code, Defined, Imported, Ran, Said, Valued
from mlops_audit.code.walk import Walk
from mlops_audit.facts import TraitValue

MAX_STRING = 2000
MAX_BASES = 20  # of one class, with those of its bases

Words = tuple[str, ...]


@dataclass(slots=True)
class _Place:
    """What all calls with the same things around them share."""

    led: list[set[str]]  # the names called under each condition around it
    inside: list[dict[str, None]]  # the names called inside each definition around it
    values: tuple[Words, str, bool, bool, bool, Words, Words]  # of a `Called`, from its guards on


class Reader:
    """Resolves what a walk collected."""

    def __init__(self, walk: Walk, text: Text) -> None:
        self.walk = walk
        self.names: Names = walk.names
        self.text = text
        self.literals = Literals(walk.names, text)
        self._tests: dict[int, str] = {}
        self._guards: dict[int, Words] = {}
        self._places: dict[int, _Place] = {}
        self._called: dict[int, str] = {}
        self._inside: dict[str, dict[str, None]] = defaultdict(dict)

    def code(self) -> Code:
        calls = self._calls()
        definitions, bases = self._definitions()
        walk = self.walk
        return Code(
            imports=tuple(Imported(*row) for row in walk.imports),
            calls=calls,
            bases=bases,
            definitions=definitions,
            comparisons=Decisions(walk, self.text, self._called, self._inside).comparisons(),
            strings=self._strings(),
            settings=self._settings(),
            commands=tuple(self._commands()),
            sequences=tuple(self._sequences()),
        )

    # ------------------------------------------------------------------------------------------- calls

    def _calls(self) -> tuple[Called, ...]:
        found = []
        called, names = self._called, self.names
        for node, around, target, decorates in self.walk.calls:
            name = called[id(node)] = names.called(node, around.scope)
            found.append(self._one(name, node, around, target, decorates))
            if name == "functools.partial" and node.args and not isinstance(node.args[0], ast.Call):
                inner = names.reference(node.args[0], around.scope)
                late = ast.Call(node.func, node.args[1:], node.keywords)
                found.append(self._one(inner, ast.copy_location(late, node), around, "", ""))
        for decorator, around, decorates in self.walk.decorators:
            name = names.reference(decorator, around.scope)
            found.append(Called(name, decorator.lineno, {}, decorates, "", *self._place(around).values))
        found.sort(key=attrgetter("line"))
        return tuple(found)

    def _one(self, name: str, node: ast.Call, around: Around, target: str, decorates: str) -> Called:
        """A call, noted with the conditions and the definitions that it stands in."""
        place = self._places.get(id(around)) or self._place(around)
        for led in place.led:
            led.add(name)
        for inside in place.inside:
            inside[name] = None
        function = node.func
        line = (function.end_lineno or node.lineno) if type(function) is ast.Attribute else node.lineno
        return Called(name, line, self._arguments(node, around.scope), decorates, target, *place.values)

    def _arguments(self, node: ast.Call, scope: Scope) -> dict[str, TraitValue]:
        value = self.literals.value
        arguments: dict[str, TraitValue] = {}
        for number, argument in enumerate(node.args, 1):
            arguments[str(number)] = value(argument, scope)
        for keyword in node.keywords:
            if keyword.arg is not None:
                arguments[keyword.arg + "="] = value(keyword.value, scope)
            elif isinstance(keyword.value, ast.Dict):
                for key, given in zip(keyword.value.keys, keyword.value.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        arguments[key.value + "="] = value(given, scope)
            else:
                arguments["**="] = value(keyword.value, scope)
        if id(node) in self.walk.raised:
            arguments["raised"] = "yes"
        return arguments

    def _place(self, around: Around) -> _Place:
        """What is found out once for all calls in one place."""
        place = self._places.get(id(around))
        if place is None:
            inside = []
            definition = around.definition
            while definition is not None:
                inside.append(self._inside[definition.name])
                definition = definition.outer
            blocks = tuple(self.names.called(block, around.scope) for block in around.blocks)
            targets = tuple(self.walk.targets[id(block)] for block in around.blocks)
            guards = self._guarded(around.guards)
            place = self._places[id(around)] = _Place(
                [test.led for test, _ in around.guards],
                inside,
                (guards, around.function, around.loop, around.main, around.dead, blocks, targets),
            )
        return place

    def _guarded(self, guards: Guards) -> Words:
        if not guards:
            return ()
        found = self._guards.get(id(guards))  # the walk keeps them
        if found is None:
            found = self._guards[id(guards)] = tuple(
                f"not ({self._test(test)})" if negated else self._test(test) for test, negated in guards
            )
        return found

    def _test(self, test: Test) -> str:
        text = self._tests.get(id(test))
        if text is None:
            text = self._tests[id(test)] = self._source(test.node, MAX_COMPARISON)
        return text

    def _source(self, node: ast.expr, limit: int) -> str:
        if (
            isinstance(node, ast.Compare)
            and isinstance(node.left, ast.expr)
            and node.lineno > (node.left.lineno or 0)
        ):
            return f"{self.text.of(node.left, limit)} == {self.text.of(node.comparators[0], limit)}"[:limit]
        return self.text.of(node, limit)

    # ------------------------------------------------------------------------------------- definitions

    def _definitions(self) -> tuple[tuple[Defined, ...], tuple[Based, ...]]:
        definitions: list[Defined] = []
        bases: list[Based] = []
        for definition in self.walk.definitions:
            node, scope = definition.node, definition.scope
            decorators = [
                self.names.called(d, scope) if isinstance(d, ast.Call) else self.names.reference(d, scope)
                for d in node.decorator_list
            ]
            parameters: tuple[str, ...] = ()
            off: tuple[str, ...] = ()
            base_names: tuple[str, ...] = ()
            returns = ""
            if isinstance(node, ast.ClassDef):
                base_names = tuple(self._base(base, scope) for base in node.bases)
                bases.extend(
                    Based(name, node.lineno, definition.name, definition.dead) for name in base_names
                )
            else:
                arguments = node.args
                parameters = tuple(
                    a.arg
                    for a in (
                        *arguments.posonlyargs,
                        *arguments.args,
                        *arguments.kwonlyargs,
                        arguments.vararg,
                        arguments.kwarg,
                    )
                    if a is not None
                )
                off = _off(arguments)
                returns = self.text.of(node.returns, MAX_VALUE) if node.returns is not None else ""
            definitions.append(
                Defined(
                    definition.name, node.lineno, node.end_lineno or node.lineno, definition.form, parameters, base_names,
                    tuple(decorators), returns, tuple(self._inside.get(definition.name, ())),
                    definition.outer.name if definition.outer is not None else "", definition.dead, off,
                )
            )  # fmt: skip
        return tuple(definitions), tuple(bases)

    def _base(self, node: ast.expr, scope: Scope) -> str:
        name = self.names.reference(node.value if isinstance(node, ast.Subscript) else node, scope)
        return self.text.of(node, MAX_VALUE) if name == "?" else name

    # ---------------------------------------------------------------------------- strings and settings

    def _strings(self) -> tuple[Said, ...]:
        found = []
        for node, around, owner, variable in self.walk.strings:
            if isinstance(node, ast.JoinedStr):
                text = self.literals.joined(node, around.scope, MAX_STRING)
                if len(text) < 4:
                    continue
            else:
                text = node.value[:MAX_STRING]  # type: ignore[attr-defined]
            argument_of = self._called.get(id(owner), "") if owner is not None else ""
            found.append(Said(text, node.lineno, variable, argument_of, around.function, around.dead))
        return tuple(found)

    def _settings(self) -> tuple[Valued, ...]:
        found = []
        bases = {d.name: d.node for d in self.walk.definitions if d.form == "class"}
        for name, node, around, form, line, beside in self.walk.settings:
            class_bases: tuple[str, ...] = ()
            if around.scope.form == "class":
                owner = bases.get(around.scope.class_name)
                if isinstance(owner, ast.ClassDef):
                    class_bases = self._all_bases(owner, bases, around.scope.parent or around.scope)
            value = self.literals.value(node, around.scope)
            found.append(Valued(name, line, value, form, around.function, class_bases, around.dead, beside))
        return tuple(found)

    def _all_bases(
        self, owner: ast.ClassDef, classes: Mapping[str, ast.AST], scope: Scope
    ) -> tuple[str, ...]:
        """The bases of a class and, where those are classes of the same file, theirs."""
        found: dict[str, None] = {}
        waiting = [owner]
        while waiting and len(found) < MAX_BASES:
            for node in waiting.pop(0).bases:
                name = self._base(node, scope)
                above = classes.get(name)
                if name not in found and isinstance(above, ast.ClassDef):
                    waiting.append(above)
                found.setdefault(name)
        return tuple(found)

    # ---------------------------------------------------------------------------------------- commands

    def _commands(self) -> Iterator[Ran]:
        commands = Commands(self.names, self.literals)
        for node, around, _, _ in self.walk.calls:
            name = self._called[id(node)]
            started = commands.started(name, node, around.scope) if name in STARTERS else None
            if started is not None:
                text, directory = started
                guards = self._guarded(around.guards)
                yield Ran(text, node.lineno, directory, around.function, guards, around.dead)

    def _sequences(self) -> Iterator[tuple[str, str]]:
        for shift in self.walk.shifts:
            node: ast.expr = shift
            while isinstance(node, ast.BinOp) and isinstance(node.op, (ast.RShift, ast.LShift)):
                left = node.left.right if isinstance(node.left, ast.BinOp) else node.left
                before, after = self.text.of(left, MAX_VALUE), self.text.of(node.right, MAX_VALUE)
                yield (before, after) if isinstance(node.op, ast.RShift) else (after, before)
                node = node.left


def _off(arguments: ast.arguments) -> tuple[str, ...]:
    """The parameters whose default is empty or false."""
    placed = [*arguments.posonlyargs, *arguments.args]
    first = len(placed) - len(arguments.defaults)
    given = [
        *zip(placed[first:], arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return tuple(
        parameter.arg
        for parameter, default in given
        if isinstance(default, ast.Constant) and not default.value
    )
