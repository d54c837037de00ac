"""Where things lie in a repository: files by their names, modules, units of automation, console scripts."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from pathlib import PurePosixPath
from posixpath import normpath

from mlops_audit.facts import Kind, Zone, values
from mlops_audit.reach.stated import Stated

WIDENING = frozenset({"sys.path.insert", "sys.path.append", "sys.path.extend", "site.addsitedir"})
# Variables before the path that a word means.
HOLE = re.compile(r"^(?:\$\{\{[^}]*\}\}|\$\{[^}]*\}|\$\([^)]*\)|\$\w+|%\w+%|\{\{[^}]*\}\}|~)/+")


@dataclass(frozen=True, slots=True)
class Repository:
    """What commands can start: the paths of the repository, its modules, units and console scripts."""

    paths: frozenset[str]
    suffixes: Mapping[str, tuple[str, ...]]  # file name -> the paths that end with it
    modules: Mapping[str, tuple[str, ...]]  # last part of a dotted name -> paths of modules and packages
    units: Mapping[str, tuple[str, ...]]  # path -> units in it
    scripts: Mapping[str, tuple[str, ...]]  # console script -> units
    tests: tuple[str, ...]
    widened: frozenset[str] = frozenset()  # files that add folders to the places from which they import
    in_order: Sequence[str] = ()
    declared: frozenset[str] = frozenset()  # the packages that the project asks for, as imports name them
    # What was found out: the files of a module seen from a folder, and the units that a command starts there.
    _found: dict[tuple[str, str, bool], list[str]] = field(default_factory=dict, compare=False, repr=False)
    started: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def of(cls, stated: Stated) -> Repository:
        paths, tests = [], []
        units: dict[str, dict[str, None]] = defaultdict(dict)
        scripts: dict[str, dict[str, None]] = defaultdict(dict)
        for fact in stated.of(Kind.FILE):
            paths.append(fact.site.path)
            if fact.zone is Zone.TEST and fact.site.path.lower().endswith((".py", ".r", ".ipynb")):
                tests.append(fact.site.path)
        for fact in stated.stating("unit"):
            for unit in values(fact.traits["unit"]):
                units[fact.site.path].setdefault(unit)
                if fact.traits.get("system") == "console-script":
                    scripts[fact.name].setdefault(unit)
        suffixes: dict[str, list[str]] = defaultdict(list)
        modules: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            folder, _, name = path.rpartition("/")
            suffixes[name].append(path)
            if name.endswith(".py"):
                module = folder.rpartition("/")[2] if name == "__init__.py" else name.removesuffix(".py")
                modules[module].append(path)
        return cls(
            frozenset(paths),
            {name: tuple(found) for name, found in suffixes.items()},
            {name: tuple(found) for name, found in modules.items()},
            {path: tuple(found) for path, found in units.items()},
            {name: tuple(found) for name, found in scripts.items()},
            tuple(sorted(tests)),
            frozenset(fact.site.path for fact in stated.of(Kind.CALL) if fact.name in WIDENING),
            sorted(set(paths)),
            frozenset(fact.name.replace("-", "_") for fact in stated.of(Kind.DEPENDENCY)),
        )

    def file(self, name: str, *folders: str) -> str | None:
        """The path that a word means, seen from one of the folders; else the nearest path that ends with it."""
        word = name.strip("'\"")
        while (shorter := HOLE.sub("", word)) != word:
            word = shorter
        if not word or word.startswith("-") or "://" in word or len(word) > 400:
            return None
        for place in folders:
            path = normpath(f"{place}/{word}" if place and not word.startswith("/") else word.lstrip("/"))
            if path in self.paths:
                return path
        ending = "/" + normpath(word).lstrip("./").lstrip("/")
        near = [p for p in self.suffixes.get(PurePosixPath(word).name, ()) if f"/{p}".endswith(ending)]
        return (
            min(near, key=lambda p: (-_common(p, folders[0] if folders else ""), len(p), p)) if near else None
        )

    def module(self, name: str, importer: str, modules: Iterable[str] = ()) -> list[str]:
        """The files that importing a dotted name from a file runs: the module and the packages around it.

        A name of one part must lie beside the importer, in a folder above it, or in a top folder of sources, unless the
        importer adds folders to its path and there is only one module of that name; longer names may lie anywhere, the nearest wins.
        A name that begins as a declared package does is that package, and nothing inside a package of the project.
        """
        here, widened = folder_of(importer), importer in self.widened
        for dotted in (name, *modules):
            if dotted.rpartition(".")[2] not in self.modules:
                continue
            found = self._found.get((dotted, here, widened))
            if found is None:
                found = self._found[dotted, here, widened] = self._module(dotted, here, widened)
            if found:
                return found.copy()
        return []

    def _module(self, dotted: str, here: str, widened: bool) -> list[str]:
        parts = dotted.split(".")
        tail = dotted.replace(".", "/")
        ends = (f"/{tail}.py", f"/{tail}/__init__.py")
        found = [path for path in self.modules.get(parts[-1], ()) if f"/{path}".endswith(ends)]
        if len(parts) == 1 and not (widened and len(found) == 1):
            found = [p for p in found if _importable(_above(p, parts), here)]
        if found and parts[0] in self.declared:
            found = [p for p in found if f"{_above(p, parts)}/__init__.py" not in self.paths]
        if not found:
            return []
        path = min(found, key=lambda p: (-_common(p, here), len(p), p)) if len(found) > 1 else found[0]
        return [path, *self._packages(path, len(parts))]

    def _packages(self, path: str, parts: int) -> Iterator[str]:
        place = folder_of(path)
        if path.endswith("/__init__.py"):
            place = folder_of(place)
        for _ in range(parts - 1):
            package = f"{place}/__init__.py" if place else "__init__.py"
            if package in self.paths:
                yield package
            place = folder_of(place)

    def under(self, place: str) -> Sequence[str]:
        """All paths in a folder, at any depth, in order."""
        if not place or place == ".":
            return self.in_order
        head = f"{place.rstrip('/')}/"
        at = bisect_left(self.in_order, head)
        return list(takewhile(lambda path: path.startswith(head), islice(self.in_order, at, None)))

    def whole(self, path: str) -> list[str]:
        """A file and every unit in it: running a workflow runs its jobs."""
        return [path, *(unit for unit in self.units.get(path, ()) if unit != path)]


def is_module_name(path: str, name: str) -> bool:
    """Whether the module of a path bears a name itself (`from pkg import train` of pkg/train.py)."""
    return path.endswith((f"/{name}.py", f"/{name}/__init__.py")) or path in (
        f"{name}.py",
        f"{name}/__init__.py",
    )


def folder_of(path: str) -> str:
    """The folder of a path, "" for the root."""
    return path.rpartition("/")[0]


def _above(path: str, parts: Sequence[str]) -> str:
    """The folder from which the dotted name is importable."""
    place = folder_of(path)
    if path.endswith("/__init__.py"):
        place = folder_of(place)
    for _ in parts[1:]:
        place = folder_of(place)
    return place


def _importable(root: str, here: str) -> bool:
    beside = here == root or here.startswith(f"{root}/") or root == ""
    return beside or root.rpartition("/")[2] in ("src", "lib", "python", "app", "scripts", "code")


def _common(path: str, here: str) -> int:
    """How many leading folders two places share."""
    count = 0
    for one, other in zip(path.split("/"), here.split("/"), strict=False):
        if one != other:
            break
        count += 1
    return count
