"""What comparisons of Python source decide: the calls, errors and returns that hang on them, through names and functions."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping

from mlops_audit.code.around import RAISE, RETURN, Test
from mlops_audit.code.syntax import CHILDREN, dotted_text
from mlops_audit.code.text import Text
from mlops_audit.code.values import Compared
from mlops_audit.code.walk import Walk

MAX_COMPARISON = 300


class Decisions:
    """Follows the comparisons of one file, by the names of its calls and of what each definition calls inside."""

    def __init__(
        self, walk: Walk, text: Text, called: Mapping[int, str], inside: Mapping[str, dict[str, None]]
    ) -> None:
        self.walk = walk
        self.names = walk.names
        self.text = text
        self._called = called
        self._inside = inside

    def comparisons(self) -> tuple[Compared, ...]:
        by_word = self._tests_by_word()
        returning = self._functions_by_returned_word()
        raising = {d.name for d in self.walk.definitions if d.raises}
        found: dict[int, Compared] = {}
        for decision in self.walk.decisions:
            tests = [decision.test] if decision.test is not None else by_word.get(decision.target, [])
            if decision.form == "assign":
                function = decision.around.function
                if function and self._returns(function, decision.target):
                    tests = [*tests, *by_word.get(function, ())]
            further: list[Test] = []
            if words := {word for test in tests for word in test.sets}:
                for test in tests:
                    for word in sorted(test.sets):
                        further.extend(by_word.get(word, ()))
                for word in sorted(words):
                    for function in returning.get(word, ()):
                        further.extend(by_word.get(function, ()))
            leads = self._leads([*tests, *further], raising)
            before = found.get(id(decision.node))
            if before is not None:
                leads = tuple(dict.fromkeys((*before.leads, *leads)))
            text = self.text.of(decision.node, MAX_COMPARISON)
            around = decision.around
            found[id(decision.node)] = Compared(
                text, decision.node.lineno, decision.form, leads, around.function, around.dead
            )
        return tuple(found.values())

    def _leads(self, tests: list[Test], raising: set[str]) -> tuple[str, ...]:
        """What happens under tests: calls, the calls inside functions of this file called there, raise and return."""
        names: dict[str, None] = {}
        for test in tests:
            if test.flow & RAISE:
                names["raise"] = None
            if test.flow & RETURN:
                names["return"] = None
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
        wanted |= {d.around.function for d in self.walk.decisions if d.form == "assign"}
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
                elif kind in CHILDREN and kind is not ast.NamedExpr:  # which also asks for the name it binds
                    waiting.extend(filter(None, CHILDREN[kind](node)))
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
