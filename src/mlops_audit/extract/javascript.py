"""JavaScript and TypeScript: imports, calls under their qualified names, infrastructure written as code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlops_audit.code import constructs, javascript
from mlops_audit.facts import Fact, Kind, Site, TraitValue

LEFT_OUT = (".d.ts", ".min.js", ".min.mjs", ".bundle.js")


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of a file. Raises ParseFailure for one over the cap; declarations and bundles give none."""
    if path.lower().endswith(LEFT_OUT):
        return ()
    return _facts(path, data)


def _facts(path: str, data: bytes) -> Iterator[Fact]:
    read = javascript.read(path, data)
    for found in read.imports:
        traits: dict[str, TraitValue] = {"module": found.module}
        if found.relative:
            traits["relative"] = "yes"
        yield Fact(Kind.IMPORT, found.name, Site(path, found.line), traits)
    for call in read.calls:
        traits = dict(call.arguments)
        for name, value in (
            ("function", call.function),
            ("target", call.target),
            ("dead", "yes" if call.dead else ""),
        ):
            if value:
                traits[name] = value
        yield Fact(Kind.CALL, call.name, Site(path, call.line), traits)
    if any(mark in data for mark in constructs.MARKS):
        yield from constructs.facts(path, read.calls)
