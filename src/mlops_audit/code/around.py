"""What stands around an expression of Python source: its scope, definition, conditions, loops and `with` statements."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from mlops_audit.code.scopes import Scope

RAISE, RETURN = 1, 2  # how a block may end, added up


@dataclass(slots=True)
class Test:
    """A condition that guards something, and what is seen to happen under it."""

    node: ast.expr
    flow: int = 0  # RAISE and RETURN, where these end it
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
    function: str  # itself, or of a class the function that it stands in
    dead: bool = False
    raises: bool = False


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

    @property
    def function(self) -> str:
        """The function around it, "" when there is none."""
        return self.definition.function if self.definition is not None else ""

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

    def under(self, test: Test, *, negated: bool) -> Around:
        """The same where a test holds, or does not hold."""
        return self.but(guards=((test, negated), *self.guards))

    def inside(self, scope: Scope, *, loop: bool) -> Around:
        """The same in a scope of its own."""
        return Around(
            scope, self.definition, self.guards, loop, self.main, self.dead, self.until, self.blocks
        )


@dataclass(slots=True)
class Decision:
    """A comparison and where its result goes: into tests, a name or the result of a function."""

    node: ast.Compare
    around: Around
    form: str
    test: Test | None = None
    target: str = ""
