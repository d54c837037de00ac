"""What the project's own functions do inside when they are called, and on which side somebody calls them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from mlops_audit.facts import Fact, Kind, Zone, values

DEPTH = 3  # helpers of helpers; what lies deeper says little about the call


class Bodies:
    """The bodies of functions and methods, by their last name: asked only for the calls that a rule looks at."""

    def __init__(
        self, facts: Sequence[Fact], training: Collection[str] = (), serving: Collection[str] = ()
    ) -> None:
        self._training, self._serving = training, serving  # files that do so themselves
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}
        self._bodies: dict[str, list[tuple[str, str, tuple[str, ...]]]] = defaultdict(list)
        self._imported: dict[str, set[str]] = defaultdict(set)
        self._files = [fact for fact in facts if fact.kind is Kind.FILE and fact.zone is not Zone.TEST]
        self._called_at: dict[str, dict[str, dict[tuple[str, str], None]]] = {}
        self._sites_of: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {}
        self._importing_files: dict[str, set[str]] = defaultdict(set)
        self._defined: set[str] = set()  # last names of all definitions, classes among them
        # What was looked up so far: functions that were looked into, by file and last name; the last names of definitions
        # whose calls were looked for; the files in which it was asked what a name means.
        self.opened: set[tuple[str, str]] = set()
        self.sought: set[str] = set()
        self.asked_from: set[str] = set()
        for fact in facts:
            if fact.kind is Kind.IMPORT:
                self._imported[fact.site.path].add(fact.name)
            if fact.kind is Kind.DEFINITION:
                self._defined.add(fact.name.rpartition(".")[2])
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

    @property
    def defined(self) -> Collection[str]:
        """The last names of functions and methods."""
        return self._bodies.keys()

    def beyond(self, names: Iterable[str], path: str) -> tuple[str, ...]:
        """What functions of the project call inside, asked for under names as they are called in a file."""
        return tuple(dict.fromkeys(inner for name in names for inner in self._inside(name, path)))

    def callers(self, name: str, path: str, sides: Mapping[str, str]) -> str:
        """On which side a function, method or class of a file is called: `trains`, `serves` or `both`.

        A call in a file of both sides counts for the side on which the function around it is called; where nobody
        calls that, for what the file does itself, if anything. A method that nobody calls by its name is called where
        its class is; a function that nobody calls nowhere.
        """
        owner = name.rpartition(".")[0]
        if not any(place in sides for place, _ in self._sites(name, path)):
            if not owner or not any(place in sides for place, _ in self._sites(owner, path)):
                return ""
            name = owner
        found: set[str] = set()
        seen = {(name, path)}
        stack = [(name, path)]
        while stack and "both" not in found and len(found - {""}) < 2:
            asked, home = stack.pop()
            sites = [site for site in self._sites(asked, home) if site[0] in sides]
            if not sites:
                found.add(self._itself(home))
            for place, around in sites:
                if sides[place] != "both":
                    found.add(sides[place])
                elif not around:
                    found.add(self._itself(place))
                elif (around, place) not in seen:
                    seen.add((around, place))
                    stack.append((around, place))
        found.discard("")
        return next(iter(found)) if len(found) == 1 else "both"

    def _itself(self, path: str) -> str:
        trains, serves = path in self._training, path in self._serving
        return "both" if trains and serves else "trains" if trains else "serves" if serves else ""

    def _sites(self, name: str, path: str) -> tuple[tuple[str, str], ...]:
        """Where a definition is called or handed over: the files, and the functions around."""
        if not self._called_at:
            self._index_calls()
        known = self._sites_of.get((name, path))
        if known is None:
            known = self._sites_of[name, path] = tuple(dict.fromkeys(self._calling(name, path)))
        return known

    def _calling(self, name: str, path: str) -> Iterator[tuple[str, str]]:
        owner, _, last = name.rpartition(".")
        if last.startswith("__"):
            owner, last = "", owner
        home = _module(path)
        self.sought.add(last)
        for called, sites in self._called_at.get(last, {}).items():
            receiver = called.rpartition(".")[0]
            if not called:  # handed over by its name alone
                importing = self._importing(last)
                yield from (site for site in sites if site[0] == path or site[0] in importing)
            elif owner:
                if (
                    receiver.rpartition(".")[2] == owner
                    or receiver.partition(".")[0] in ("self", "?")
                    or "." not in receiver
                ):
                    yield from sites
            elif not receiver:
                yield from (site for site in sites if site[0] == path)
            elif f".{home}".endswith(f".{receiver}") or f".{home}.".find(f".{receiver}.") >= 0:
                yield from sites

    def _importing(self, last: str) -> frozenset[str]:
        """The files that import a name from somewhere."""
        known = self._importing_files
        if not known:
            for path, names in self._imported.items():
                for name in names:
                    known[name.rpartition(".")[2]].add(path)
        return frozenset(known.get(last, ()))

    def _index_calls(self) -> None:
        for file in self._files:
            path = file.site.path
            for pair in values(file.traits.get("sites")):
                around, _, name = pair.partition("\n")
                self._add_site(name.rpartition(".")[2], name, (path, around))
            for handed in values(file.traits.get("handed")):
                around, _, words = handed.partition("\n")
                for word in words.split(" "):
                    self._add_site(word, "", (path, around))

    def _add_site(self, last: str, called: str, site: tuple[str, str]) -> None:
        if last in self._defined:
            self._called_at.setdefault(last, {}).setdefault(called, {})[site] = None

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
        self.asked_from.add(path)
        if owner and "." not in owner and not owner[0].isupper() and not self._imports(path, owner):
            owner = "?"  # a variable that is called like a module
        found = [
            (home, inside)
            for home, where, inside in self._bodies.get(last, ())
            if (where == (f"{here}.{owner}" if owner else here))
            or (owner and (f".{where}".endswith(f".{owner}") or f".{where}.".find(f".{owner}.") >= 0))
        ]
        self.opened.update([(home, last) for home, _ in found])
        return found

    def _imports(self, path: str, owner: str) -> bool:
        return any(f".{name}.".find(f".{owner}.") >= 0 for name in self._imported[path])


def _module(path: str) -> str:
    return path.rpartition(".")[0].replace("/", ".").removesuffix(".__init__")
