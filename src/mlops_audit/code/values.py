"""What Python source says, as values: imports, calls, definitions, comparisons, strings, settings, commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mlops_audit.facts import TraitValue


class Imported(NamedTuple):
    """An import of `name`; `module` is the part of it that must be a module.

    An `optional` one stands in a `try` with handlers, so that its failure is expected; `function` is where it stands.
    """

    name: str
    module: str
    line: int
    relative: bool
    dead: bool
    optional: bool = False
    function: str = ""


class Called(NamedTuple):
    """A call under its qualified name, or a decorator.

    `arguments` has the values under `NAME=` and `1`, `2`, ...; `target` is the variable that the value is assigned to;
    `blocks` are the qualified names of the `with` calls around it, innermost first, and `block_targets` their variables.
    """

    name: str
    line: int
    arguments: Mapping[str, TraitValue]
    decorates: str = ""
    target: str = ""
    guards: tuple[str, ...] = ()
    function: str = ""
    loop: bool = False
    main: bool = False
    dead: bool = False
    blocks: tuple[str, ...] = ()
    block_targets: tuple[str, ...] = ()


class Based(NamedTuple):
    """A class of the file derives from `name`."""

    name: str
    line: int
    class_name: str
    dead: bool


class Defined(NamedTuple):
    """A function, method or class; `within` is the definition around it; the last line is part of it.

    `off` are the parameters that are empty or false unless a call gives them.
    """

    name: str
    line: int
    last_line: int
    form: str
    parameters: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()
    returns: str = ""
    calls_inside: tuple[str, ...] = ()
    within: str = ""
    dead: bool = False
    off: tuple[str, ...] = ()


class Compared(NamedTuple):
    """A comparison that decides something, and what happens by it."""

    text: str
    line: int
    form: str
    leads: tuple[str, ...]
    function: str
    dead: bool


class Said(NamedTuple):
    """A string constant that is no docstring."""

    text: str
    line: int
    variable: str
    argument_of: str
    function: str
    dead: bool


class Valued(NamedTuple):
    """A literal assigned to a name, or an entry of a dict."""

    name: str
    line: int
    value: TraitValue
    form: str
    function: str
    class_bases: tuple[str, ...]
    dead: bool
    beside: tuple[str, ...] = ()  # for a number in a dict: the keys of that dict


class Ran(NamedTuple):
    """A command that the code starts: shell text, or the words of a list joined by spaces; `{}` for what is not known."""

    text: str
    line: int
    directory: str
    function: str
    guards: tuple[str, ...]
    dead: bool


class Code(NamedTuple):
    """What a Python source says, in the order of its lines."""

    imports: tuple[Imported, ...] = ()
    calls: tuple[Called, ...] = ()
    bases: tuple[Based, ...] = ()
    definitions: tuple[Defined, ...] = ()
    comparisons: tuple[Compared, ...] = ()
    strings: tuple[Said, ...] = ()
    settings: tuple[Valued, ...] = ()
    commands: tuple[Ran, ...] = ()
    sequences: tuple[tuple[str, str], ...] = ()  # texts of both sides of `a >> b`, in the order of running
