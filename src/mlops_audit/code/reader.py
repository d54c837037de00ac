"""Resolves what a walk over Python source collected into values with qualified names."""

from __future__ import annotations

import ast
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping

from mlops_audit.code.expressions import Around, Guards, Test, is_literal
from mlops_audit.code.names import Names, Scope, dotted_text
from mlops_audit.code.text import Text
from mlops_audit.code.values import Based, Called, Code, Compared, Defined, Imported, Ran, Said, Valued
from mlops_audit.code.walk import Walk
from mlops_audit.facts import TraitValue

MAX_VALUE = 200
MAX_COMPARISON = 300
MAX_STRING = 2000
MAX_BASES = 20  # of one class, with those of its bases

# Calls that start a command: the text of a shell line or a list of words comes first.
STARTERS = frozenset({
    "subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output", "subprocess.Popen",
    "subprocess.getoutput", "subprocess.getstatusoutput", "os.system", "os.popen", "pty.spawn",
    "asyncio.create_subprocess_shell", "asyncio.create_subprocess_exec",
})  # fmt: skip
_PLAIN_WORD = re.compile(r"[\w@%+=:,./{}$*-]+")


class Reader:
    """Resolves what a walk collected."""

    def __init__(self, walk: Walk, text: Text) -> None:
        self.walk = walk
        self.names: Names = walk.names
        self.text = text
        self._guard_texts: dict[int, str] = {}
        self._guards: dict[int, tuple[Guards, tuple[str, ...]]] = {}
        self._blocks: dict[tuple[int, int], tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._called: dict[int, str] = {}
        self._constants: dict[tuple[int, str], ast.expr | None] = {}
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
            comparisons=self._comparisons(),
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
            self._lead(name, around)
            found.append(self._one(name, node, around, target, decorates))
            if name == "functools.partial" and node.args and not isinstance(node.args[0], ast.Call):
                inner = names.reference(node.args[0], around.scope)
                self._lead(inner, around)
                late = ast.Call(node.func, node.args[1:], node.keywords)
                found.append(self._one(inner, ast.copy_location(late, node), around, "", ""))
        for decorator, around, decorates in self.walk.decorators:
            name = names.reference(decorator, around.scope)
            found.append(self._made(name, decorator.lineno, {}, around, "", decorates))
        found.sort(key=lambda call: call.line)
        return tuple(found)

    def _one(self, name: str, node: ast.Call, around: Around, target: str, decorates: str) -> Called:
        arguments: dict[str, TraitValue] = {}
        scope = around.scope
        for number, argument in enumerate(node.args, 1):
            arguments[str(number)] = self.value(argument, scope)
        for keyword in node.keywords:
            if keyword.arg is not None:
                arguments[keyword.arg + "="] = self.value(keyword.value, scope)
            elif isinstance(keyword.value, ast.Dict):
                for key, value in zip(keyword.value.keys, keyword.value.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        arguments[key.value + "="] = self.value(value, scope)
            else:
                arguments["**="] = self.value(keyword.value, scope)
        if id(node) in self.walk.raised:
            arguments["raised"] = "yes"
        function = node.func
        line = (function.end_lineno or node.lineno) if isinstance(function, ast.Attribute) else node.lineno
        return self._made(name, line, arguments, around, target, decorates)

    def _made(
        self,
        name: str,
        line: int,
        arguments: dict[str, TraitValue],
        around: Around,
        target: str,
        decorates: str,
    ) -> Called:
        return Called(
            name, line, arguments, self._guarded(around.guards), _function(around), decorates, target,
            around.loop, around.main, around.dead, *self._stands_in(around),
        )  # fmt: skip

    def _stands_in(self, around: Around) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names of the `with` calls around a place and their variables: the same for all that stands in one block."""
        blocks = around.blocks
        if not blocks:
            return (), ()
        key = id(blocks), id(around.scope)  # the walk keeps both
        found = self._blocks.get(key)
        if found is None:
            found = self._blocks[key] = (
                tuple(self.names.called(block, around.scope) for block in blocks),
                tuple(self.walk.target_of(block) for block in blocks),
            )
        return found

    def _lead(self, name: str, around: Around) -> None:
        """Notes a call with the conditions and the definitions that it stands in."""
        for test, _ in around.guards:
            test.led.add(name)
        definition = around.definition
        while definition is not None:
            self._inside[definition.name][name] = None
            definition = definition.outer

    def _guarded(self, guards: Guards) -> tuple[str, ...]:
        if not guards:
            return ()
        found = self._guards.get(id(guards))
        if found is None:
            texts = tuple(
                f"not ({self._test(test)})" if negated else self._test(test) for test, negated in guards
            )
            found = self._guards[id(guards)] = (guards, texts)
        return found[1]

    def _test(self, test: Test) -> str:
        text = self._guard_texts.get(id(test))
        if text is None:
            text = self._guard_texts[id(test)] = self._source(test.node, MAX_COMPARISON)
        return text

    def _source(self, node: ast.expr, limit: int) -> str:
        if (
            isinstance(node, ast.Compare)
            and isinstance(node.left, ast.expr)
            and node.lineno > (node.left.lineno or 0)
        ):
            return f"{self.text.of(node.left, limit)} == {self.text.of(node.comparators[0], limit)}"[:limit]
        return self.text.of(node, limit)

    # ------------------------------------------------------------------------------------------ values

    def value(self, node: ast.expr, scope: Scope) -> TraitValue:
        """A value as trait: the text of a literal, the elements of a list, the keys of a dict, else the source."""
        kind = type(node)
        if kind is ast.Constant:
            return self._constant(node)  # type: ignore[arg-type]
        if kind is ast.Name or kind is ast.Attribute:
            literal = self.literal(node, scope)
            if literal is not None:
                return self.value(literal, self.walk.module)
            return self.text.of(node, MAX_VALUE)
        if kind is ast.JoinedStr:
            return self._joined(node, scope, MAX_VALUE)  # type: ignore[arg-type]
        if kind is ast.List or kind is ast.Tuple or kind is ast.Set:
            texts = []
            for element in node.elts:  # type: ignore[attr-defined]
                text = self._scalar(element, scope)
                if text is None:
                    return self.text.of(node, MAX_VALUE)
                texts.append(text)
            return tuple(texts) or self.text.of(node, MAX_VALUE)
        if kind is ast.Dict and node.keys:  # type: ignore[attr-defined]
            keys = (self._scalar(k, scope) or self.text.of(k, MAX_VALUE) for k in node.keys if k is not None)  # type: ignore[attr-defined]
            return tuple(keys) or "{}"
        if kind is ast.BinOp and isinstance(node.op, ast.Add):  # type: ignore[attr-defined]
            left, right = self._scalar(node.left, scope), self._scalar(node.right, scope)  # type: ignore[attr-defined]
            begins = isinstance(node.left, ast.Constant | ast.Name | ast.JoinedStr)  # type: ignore[attr-defined]
            if left is not None and right is not None and begins:
                return (left + right)[:MAX_VALUE]
        return self.text.of(node, MAX_VALUE)

    def _scalar(self, node: ast.expr, scope: Scope) -> str | None:
        kind = type(node)
        if kind is ast.Constant:
            return self._constant(node)  # type: ignore[arg-type]
        if kind is ast.JoinedStr:
            return self._joined(node, scope, MAX_VALUE)  # type: ignore[arg-type]
        if kind is ast.UnaryOp and is_literal(node):
            return self.text.of(node, MAX_VALUE)
        if kind is ast.Name or kind is ast.Attribute:
            literal = self.literal(node, scope)
            if isinstance(literal, ast.Constant):
                return self._constant(literal)
        return None

    def _constant(self, node: ast.Constant) -> str:
        value = node.value
        if type(value) is str:
            return value[:MAX_VALUE]
        if value is None or type(value) is bool:
            return str(value)
        return self.text.of(node, MAX_VALUE)

    def _joined(self, node: ast.JoinedStr, scope: Scope, limit: int) -> str:
        parts = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(str(part.value))
            elif isinstance(part, ast.FormattedValue):
                literal = (
                    self.literal(part.value, scope)
                    if isinstance(part.value, (ast.Name, ast.Attribute))
                    else None
                )
                known = isinstance(literal, ast.Constant) and isinstance(literal.value, str)
                parts.append(literal.value if known else "{}")  # type: ignore[union-attr]
        return "".join(parts)[:limit]

    def literal(self, node: ast.expr, scope: Scope) -> ast.expr | None:
        """The literal that a name or attribute stands for when it is bound to that and nothing else."""
        name = dotted_text(node)
        if not name:
            return None
        key = (id(scope), name)
        if key not in self._constants:
            self._constants[key] = self._bound_literal(name, scope)
        return self._constants[key]

    def _bound_literal(self, name: str, scope: Scope | None) -> ast.expr | None:
        first, _, attribute = name.partition(".")
        if attribute:
            owner = self.names.classes.get(first)
            rows = owner.attributes.get(attribute, []) if owner is not None else []
            bindings = [binding for binding, _ in rows]
        else:
            here = scope
            while here is not None and (
                first not in here.bindings or (here.form == "class" and here is not scope)
            ):
                here = here.parent
            bindings = here.bindings[first] if here is not None else []
        node = bindings[0].node if len(bindings) == 1 else None
        return node if node is not None and is_literal(node) else None

    # ------------------------------------------------------------------------------------- definitions

    def _definitions(self) -> tuple[tuple[Defined, ...], tuple[Based, ...]]:
        definitions: list[Defined] = []
        bases: list[Based] = []
        decorators: dict[int, list[str]] = {}
        for definition in self.walk.definitions:
            node, scope = definition.node, definition.scope
            decorators[id(node)] = [
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
                    tuple(decorators[id(node)]), returns, tuple(self._inside.get(definition.name, ())),
                    definition.outer.name if definition.outer is not None else "", definition.dead, off,
                )
            )  # fmt: skip
        return tuple(definitions), tuple(bases)

    def _base(self, node: ast.expr, scope: Scope) -> str:
        name = self.names.reference(node.value if isinstance(node, ast.Subscript) else node, scope)
        return self.text.of(node, MAX_VALUE) if name == "?" else name

    # ------------------------------------------------------------------------------------- comparisons

    def _comparisons(self) -> tuple[Compared, ...]:
        by_word = self._tests_by_word()
        returning = self._functions_by_returned_word()
        raising = {d.name for d in self.walk.definitions if d.raises}
        found: dict[int, Compared] = {}
        for decision in self.walk.decisions:
            tests = [decision.test] if decision.test is not None else by_word.get(decision.target, [])
            if decision.form == "assign":
                function = _function(decision.around)
                if function and self._returns(function, decision.target):
                    tests = [*tests, *by_word.get(function, ())]
            further = [
                flagged for test in tests for word in sorted(test.sets) for flagged in by_word.get(word, ())
            ]
            for word in sorted({word for test in tests for word in test.sets}):
                for function in returning.get(word, ()):
                    further.extend(by_word.get(function, ()))
            leads = self._leads([*tests, *further], raising)
            before = found.get(id(decision.node))
            if before is not None:
                leads = tuple(dict.fromkeys((*before.leads, *leads)))
            text = self.text.of(decision.node, MAX_COMPARISON)
            around = decision.around
            found[id(decision.node)] = Compared(
                text, decision.node.lineno, decision.form, leads, _function(around), around.dead
            )
        return tuple(found.values())

    def _leads(self, tests: list[Test], raising: set[str]) -> tuple[str, ...]:
        """What happens under tests: calls, the calls inside functions of this file called there, raise and return."""
        names: dict[str, None] = {}
        for test in tests:
            for name in sorted(test.flow):
                names[name] = None
            for name in sorted(test.led):
                names[name] = None
                for inner in self._inside.get(name, ()):
                    names[inner] = None
                if name in raising:
                    names["raise"] = None
        return tuple(names)

    def _tests_by_word(self) -> dict[str, list[Test]]:
        """The tests under the names, attributes and called functions that they ask and that hold a comparison."""
        wanted = {decision.target for decision in self.walk.decisions if decision.target}
        wanted |= {_function(d.around) for d in self.walk.decisions if d.form == "assign"}
        for functions in self._functions_by_returned_word().values():
            wanted.update(functions)
        for test in self.walk.tests:
            wanted |= test.sets
        by_word: dict[str, list[Test]] = defaultdict(list)
        if not wanted:
            return by_word
        results = [
            (target, name)
            for target, call, _ in self.walk.named_results
            if (name := self._called.get(id(call), "")) in wanted and name in self.names.functions
        ]
        wanted.update(target for target, _ in results)
        last = {word.rpartition(".")[2] for word in wanted}
        for test in self.walk.tests:
            waiting: list[ast.AST] = [test.node]
            while waiting:
                node = waiting.pop()
                kind = type(node)
                if kind is ast.Name:
                    if node.id in wanted:  # type: ignore[attr-defined]
                        by_word[node.id].append(test)  # type: ignore[attr-defined]
                elif kind is ast.Attribute:
                    if node.attr in last and (name := dotted_text(node)) in wanted:  # type: ignore[attr-defined, arg-type]
                        by_word[name].append(test)
                    waiting.append(node.value)  # type: ignore[attr-defined]
                elif kind is ast.Call:
                    called = self._called.get(id(node), "")
                    if called in wanted:
                        by_word[called].append(test)
                    waiting.extend((node.func, *node.args))  # type: ignore[attr-defined]
                elif kind is not ast.Constant:
                    waiting.extend(ast.iter_child_nodes(node))
        for target, name in results:
            if target in by_word:
                by_word[name].extend(by_word[target])
        return by_word

    def _functions_by_returned_word(self) -> dict[str, list[str]]:
        """The functions that return a flag or list, or whether it is empty, under that variable."""
        found: dict[str, list[str]] = defaultdict(list)
        flags = {word for test in self.walk.tests for word in test.sets}
        if flags:
            for function in self.names.functions.values():
                for value in function.values:
                    inner = value.operand if isinstance(value, ast.UnaryOp) else value
                    if isinstance(inner, ast.Compare):
                        inner = inner.left
                    if isinstance(inner, ast.Call) and len(inner.args) == 1:
                        inner = inner.args[0]
                    word = dotted_text(inner)
                    if word in flags:
                        found[word].append(function.name)
        return found

    def _returns(self, function: str, variable: str) -> bool:
        known = self.names.functions.get(function)
        return known is not None and any(dotted_text(value) == variable for value in known.values)

    # ---------------------------------------------------------------------------- strings and settings

    def _strings(self) -> tuple[Said, ...]:
        found = []
        for node, around, owner, variable in self.walk.strings:
            if isinstance(node, ast.JoinedStr):
                text = self._joined(node, around.scope, MAX_STRING)
                if len(text) < 4:
                    continue
            else:
                text = node.value[:MAX_STRING]  # type: ignore[attr-defined]
            argument_of = self._called.get(id(owner), "") if owner is not None else ""
            found.append(Said(text, node.lineno, variable, argument_of, _function(around), around.dead))
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
            value = self.value(node, around.scope)
            found.append(Valued(name, line, value, form, _function(around), class_bases, around.dead, beside))
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
        called = self._called
        for node, around, _, _ in self.walk.calls:
            name = called[id(node)]
            if name not in STARTERS:
                continue
            arguments = [a for a in node.args if not isinstance(a, ast.Starred)]
            if not arguments:
                arguments = [k.value for k in node.keywords if k.arg in ("args", "cmd", "command")]
            if not arguments:
                continue
            if name.endswith("_exec"):
                text = self._words(arguments, around.scope)
            else:
                text = self._shell_text(arguments[0], around.scope)
            if text and not text.startswith("{}"):
                directory = next(
                    (self._scalar(k.value, around.scope) for k in node.keywords if k.arg == "cwd"), ""
                )
                yield Ran(
                    text, node.lineno, "?" if directory is None else directory, _function(around),
                    self._guarded(around.guards), around.dead,
                )  # fmt: skip

    def _shell_text(self, node: ast.expr, scope: Scope) -> str:
        """The text of a command given as a string, a list of words, or a name for one of these; "" for others."""
        for _ in range(4):
            if isinstance(node, ast.Name):
                bound = self._only_value(node.id, scope)
                if bound is None:
                    return ""
                node = bound
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                method, on = node.func.attr, node.func.value
                if node.args and (method in ("join", "dedent") or dotted_text(on) == "shlex"):
                    node = node.args[0]
                elif method in ("split", "format", "strip"):
                    node = on
                else:
                    return ""
            else:
                break
        if isinstance(node, (ast.List, ast.Tuple)):
            return self._words(node.elts, scope)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value[:MAX_STRING]
        if isinstance(node, ast.JoinedStr):
            return self._joined(node, scope, MAX_STRING)
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)):
            left = self._shell_text(node.left, scope)
            right = self._scalar(node.right, scope) if isinstance(node.op, ast.Add) else ""
            return left + ("{}" if right is None else right) if left else ""
        return ""

    def _only_value(self, name: str, scope: Scope | None) -> ast.expr | None:
        """The value of a name that is bound once."""
        while scope is not None:
            bindings = scope.bindings.get(name)
            if bindings is not None:
                return bindings[0].node if len(bindings) == 1 else None
            scope = scope.parent
        return None

    def _words(self, nodes: list[ast.expr], scope: Scope) -> str:
        words = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                inner = self._shell_text(node.value, scope)
                words.append(inner or "{}")
                continue
            word = self._scalar(node, scope)
            if word is None:
                word = "python" if self.names.reference(node, scope) == "sys.executable" else "{}"
            words.append(word if _PLAIN_WORD.fullmatch(word) else shlex.quote(word))
        return " ".join(words)[:MAX_STRING]

    def _sequences(self) -> Iterator[tuple[str, str]]:
        for shift in self.walk.shifts:
            node: ast.expr = shift
            while isinstance(node, ast.BinOp) and isinstance(node.op, (ast.RShift, ast.LShift)):
                left = node.left.right if isinstance(node.left, ast.BinOp) else node.left
                before, after = self.text.of(left, MAX_VALUE), self.text.of(node.right, MAX_VALUE)
                yield (before, after) if isinstance(node.op, ast.RShift) else (after, before)
                node = node.left


def _function(around: Around) -> str:
    definition = around.definition
    while definition is not None and definition.form == "class":
        definition = definition.outer
    return definition.name if definition is not None else ""


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
