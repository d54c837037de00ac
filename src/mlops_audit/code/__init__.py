"""Python source with its names resolved: what it imports, calls, defines, compares, says, sets and runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache

from mlops_audit import shell
from mlops_audit.code.reader import Reader
from mlops_audit.code.text import Text, is_python_2, quiet, repaired, text_of, tree_of, without_magics
from mlops_audit.code.values import Based, Called, Code, Compared, Defined, Imported, Ran, Said, Valued
from mlops_audit.code.walk import Walk
from mlops_audit.facts import Fact, Kind, Site, TraitValue
from mlops_audit.parse.nodes import NotRead, ParseFailure


def read(path: str, data: bytes) -> Code:
    """The code of a Python file. Raises ParseFailure for what this interpreter's grammar cannot read."""
    found = _read(path, data)
    if isinstance(found, ParseFailure):
        raise found.with_traceback(None)
    return found


def read_text(path: str, text: str) -> Code:
    """The code of Python text that stands at a path, against which relative imports are resolved."""
    tree = tree_of(text)
    try:
        with quiet():
            return Reader(Walk(tree, _package(path)), Text(text)).code()
    except (RecursionError, MemoryError):
        raise NotRead("nested too deeply to be read") from None


def read_broken(path: str, data: bytes, failure: ParseFailure) -> Code | None:
    """The code of a file that `read` refused: Python 2 turned into Python 3, or a file without its few broken lines."""
    if isinstance(failure, NotRead):
        return None
    try:
        text = repaired(without_magics(text_of(data)), is_python_2(failure))
        return read_text(path, text) if text is not None else None
    except ParseFailure:
        return None


@lru_cache(maxsize=1)  # several extractors ask for the same file one after the other
def _read(path: str, data: bytes) -> Code | ParseFailure:
    try:
        return read_text(path, without_magics(text_of(data)))
    except ParseFailure as failure:
        return failure


def _package(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")[:-1])


Place = Callable[[int], Site]


def facts(code: Code, place: Place) -> Iterator[Fact]:
    """The facts that code states, each at the site that `place` gives for its line."""
    place = cache(place)
    yield from _spoken(code, place)
    for ran in code.commands:
        traits: dict[str, TraitValue] = {"function": ran.function, "guard": ran.guards}
        for command in shell.commands(ran.text, ran.line):
            directory = "/".join(part for part in (ran.directory, command.directory) if part).replace(
                "{}", "?"
            )
            yield command_fact(
                command, "python", place(ran.line), _dead(_present(traits), ran.dead), directory
            )


def command_fact(
    command: shell.Command, system: str, site: Site, traits: Mapping[str, TraitValue], directory: str = ""
) -> Fact:
    """The fact of a command that a Python file or a cell of a notebook runs."""
    given: dict[str, TraitValue] = {
        "unit": site.path,
        "system": system,
        "directory": directory or command.directory,
    }
    if command.masked:
        given["masked"] = "yes"
    if command.background:
        given["background"] = "yes"
    return Fact(Kind.COMMAND, command.text, site, {**given, **traits})


def _spoken(code: Code, place: Place) -> Iterator[Fact]:
    kind = Kind.IMPORT
    for imported, module, line, relative, dead, optional, function in code.imports:
        traits: dict[str, TraitValue] = {"module": module}
        if relative:
            traits["relative"] = "yes"
        if optional:
            traits["optional"] = "yes"
        if function:
            traits["function"] = function
        yield Fact(kind, imported, place(line), _dead(traits, dead))
    kind = Kind.CALL
    for name, line, arguments, decorates, target, guards, function, loop, main, dead, _, _ in code.calls:
        traits = dict(arguments)
        if guards:
            traits["guard"] = guards
        if function:
            traits["function"] = function
        if decorates:
            traits["decorates"] = decorates
        if target:
            traits["target"] = target
        if loop:
            traits["loop"] = "yes"
        if main:
            traits["main"] = "yes"
        if dead:
            traits["dead"] = "yes"
        yield Fact(kind, name, place(line), traits)
    for b in code.bases:
        yield Fact(Kind.BASE, b.name, place(b.line), _dead({"class": b.class_name}, b.dead))
    for d in code.definitions:
        given: dict[str, TraitValue] = {
            "form": d.form, "parameters": d.parameters, "bases": d.bases, "decorators": d.decorators,
            "returns": d.returns, "calls_inside": d.calls_inside, "within": d.within,
            "off": d.off,
        }  # fmt: skip
        yield Fact(Kind.DEFINITION, d.name, place(d.line), _dead(_present(given), d.dead))
    for o in code.comparisons:
        given = {"leads": o.leads, "function": o.function, "form": o.form}
        yield Fact(Kind.COMPARISON, o.text, place(o.line), _dead(_present(given), o.dead))
    kind = Kind.STRING
    for text, line, variable, argument_of, function, dead in code.strings:
        given = {"variable": variable, "argument_of": argument_of, "function": function}
        yield Fact(kind, text, place(line), _dead(_present(given), dead))
    kind = Kind.SETTING
    for name, line, value, form, function, class_bases, dead, beside in code.settings:
        given = {
            "value": value,
            "form": form,
            "function": function,
            "class_bases": class_bases,
            "beside": beside,
        }
        yield Fact(kind, name, place(line), _dead(_present(given), dead))


def _present(traits: Mapping[str, TraitValue]) -> dict[str, TraitValue]:
    return {name: value for name, value in traits.items() if value}


def _dead(traits: dict[str, TraitValue], dead: bool) -> dict[str, TraitValue]:
    if dead:
        traits["dead"] = "yes"
    return traits


__all__ = [
    "Based", "Called", "Code", "Compared", "Defined", "Imported", "Ran", "Said", "Valued", "command_fact", "facts",
    "is_python_2", "read", "read_broken", "read_text", "repaired", "tree_of",
]  # fmt: skip
