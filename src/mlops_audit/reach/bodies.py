"""What the project's own functions do when they are called: the names called in their bodies, through their helpers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from mlops_audit.facts import Fact, Kind, Zone, values

DEPTH = 3  # helpers of helpers; what lies deeper says little about the call


class Bodies:
    """The bodies of functions and methods, by their last name: asked only for the calls that a rule looks at."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}
        self._bodies: dict[str, list[tuple[str, str, tuple[str, ...]]]] = defaultdict(list)
        self._imported: dict[str, set[str]] = defaultdict(set)
        for fact in facts:
            if fact.kind is Kind.IMPORT:
                self._imported[fact.site.path].add(fact.name)
            if (
                fact.kind is not Kind.DEFINITION
                or fact.zone is Zone.TEST
                or fact.traits.get("form") == "class"
            ):
                continue
            owner, _, last = fact.name.rpartition(".")
            home = _module(fact.site.path)
            where = f"{home}.{owner.rpartition('.')[2]}" if owner else home
            self._bodies[last].append((fact.site.path, where, values(fact.traits.get("calls_inside"))))

    def beyond(self, names: Iterable[str], path: str) -> tuple[str, ...]:
        """What functions of the project call inside, asked for under names as they are called in a file."""
        return tuple(dict.fromkeys(inner for name in names for inner in self._inside(name, path)))

    def _inside(self, name: str, path: str) -> tuple[str, ...]:
        if name.rpartition(".")[2] not in self._bodies:
            return ()
        asked = (name, path)
        known = self._known.get(asked)
        if known is None:
            self._known[asked] = ()  # a function that calls itself adds nothing
            found: dict[str, None] = {}
            stack = [(name, path, DEPTH)]
            seen = {asked}
            while stack:
                outer, place, depth = stack.pop()
                for home, inside in self._called(outer, place):
                    found.update(dict.fromkeys(inside))
                    for inner in inside:
                        step = (inner, home)
                        if depth > 1 and step not in seen:
                            seen.add(step)
                            stack.append((inner, home, depth - 1))
            known = self._known[asked] = tuple(found)
        return known

    def _called(self, name: str, path: str) -> list[tuple[str, tuple[str, ...]]]:
        """The files and bodies that a name can stand for: of the same file, or of the module that it names."""
        owner, _, last = name.rpartition(".")
        here = _module(path)
        if owner and "." not in owner and not owner[0].isupper() and not self._imports(path, owner):
            owner = "?"  # a variable that is called like a module
        return [
            (home, inside)
            for home, where, inside in self._bodies.get(last, ())
            if (where == (f"{here}.{owner}" if owner else here))
            or (owner and (f".{where}".endswith(f".{owner}") or f".{where}.".find(f".{owner}.") >= 0))
        ]

    def _imports(self, path: str, owner: str) -> bool:
        return any(f".{name}.".find(f".{owner}.") >= 0 for name in self._imported[path])


def _module(path: str) -> str:
    return path.rpartition(".")[0].replace("/", ".").removesuffix(".__init__")
