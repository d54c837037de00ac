"""Python source with its names resolved: what it imports, calls, defines, compares, says, sets and runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from mlops_audit import shell
from mlops_audit.code.reader import Reader
from mlops_audit.code.text import Text, is_python_2, quiet, repaired, text_of, tree_of, without_magics
from mlops_audit.code.values import Based, Called, Code, Compared, Defined, Imported, Ran, Said, Valued
from mlops_audit.code.walk import Walk
from mlops_audit.facts import Fact, Kind, Site, TraitValue
from mlops_audit.parse import NotRead, ParseFailure


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
    for i in code.imports:
        traits: dict[str, TraitValue] = {"module": i.module}
        if i.relative:
            traits["relative"] = "yes"
        if i.optional:
            traits["optional"] = "yes"
        if i.function:
            traits["function"] = i.function
        yield Fact(Kind.IMPORT, i.name, place(i.line), _dead(traits, i.dead))
    for c in code.calls:
        traits = dict(c.arguments)
        if c.guards:
            traits["guard"] = c.guards
        if c.function:
            traits["function"] = c.function
        if c.decorates:
            traits["decorates"] = c.decorates
        if c.target:
            traits["target"] = c.target
        if c.loop:
            traits["loop"] = "yes"
        if c.main:
            traits["main"] = "yes"
        yield Fact(Kind.CALL, c.name, place(c.line), _dead(traits, c.dead))
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
    for s in code.strings:
        given = {"variable": s.variable, "argument_of": s.argument_of, "function": s.function}
        yield Fact(Kind.STRING, s.text, place(s.line), _dead(_present(given), s.dead))
    for v in code.settings:
        given = {
            "value": v.value,
            "form": v.form,
            "function": v.function,
            "class_bases": v.class_bases,
            "beside": v.beside,
        }
        yield Fact(Kind.SETTING, v.name, place(v.line), _dead(_present(given), v.dead))


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
