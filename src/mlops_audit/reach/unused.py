"""Code that nothing uses: modules of definitions that no automation runs, no code imports and no text names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mlops_audit.facts import Fact, Kind, Zone, matcher
from mlops_audit.reach.stated import Stated
from mlops_audit.reach.told import every

NAMES_OF_TOOLS = matcher(("*hubconf.py", "*setup.py", "*__init__.py", "*__main__.py", "*noxfile.py", "*tasks.py", "*dodo.py", "*gunicorn*", "*settings.py", "*config.py", "*version*.py", "*manage.py"), True)  # fmt: skip
# So many modules must be used before the way in which a project uses its modules is visible at all. A library, most
# of whose modules nothing in it uses, has no unused ones.
ENOUGH = 4


def unused(stated: Stated, imports: Mapping[str, Collection[str]], run: frozenset[str]) -> frozenset[str]:
    """The source modules that nothing uses. `imports` are the edges between files, `run` the files automation reaches.

    A module is used when it is run, does work at its top, holds what a platform finds by name, bears a name that a
    configuration, command or short text of the repository mentions, or is imported by one that is used. What only
    tests run, name or import is not used by that. Modules without definitions are data and never unused.
    """
    files = list(stated.of(Kind.FILE))
    modules = {file.site.path for file in files if _is_module(file)}
    defining = {fact.site.path for fact in stated.of(Kind.DEFINITION)}
    used = set(run).union(file.site.path for file in files if "works" in file.traits)
    words = every(files, "names")
    named = {path for path in modules if _stem(path) in words}
    used |= named - _unmounted(files, named)
    used |= {file.site.path for file in files if file.zone in (Zone.SOURCE, Zone.NOTEBOOK)} - modules
    stack = list(used)
    while stack:
        for target in imports.get(stack.pop(), ()):
            if target not in used:
                used.add(target)
                stack.append(target)
    found = (modules & defining) - used
    told = len(modules & used)
    return frozenset(found) if told >= ENOUGH and len(found) < told else frozenset()


def _unmounted(files: Sequence[Fact], named: set[str]) -> set[str]:
    """Of modules that some text names by their last word, those with routes that no text names with their folder.

    `predictions` is a word of many texts, while an application that mounts routers imports them, or names them in full.
    """
    files = [file for file in files if file.zone is not Zone.TEST]
    routing = {fact.site.path for fact in files if "routes" in fact.traits and fact.site.path in named}
    if not routing or not any("mounts" in fact.traits for fact in files):
        return set()
    full = {path: _in_full(path) for path in routing}
    for fact in files:
        texts = "\n".join(str(fact.traits.get(trait, "")) for trait in ("lines", "words")).replace(".", "/")
        full = {path: name for path, name in full.items() if path == fact.site.path or name not in texts}
    return set(full)


def names_of_modules(stated: Stated) -> set[str]:
    """The words by which a text may name a module."""
    return {_stem(file.site.path) for file in stated.of(Kind.FILE) if _is_module(file)}


def names_of_routers(stated: Stated) -> set[str]:
    """What stands in a text that names a module with routes in full, once its dots are slashes."""
    return {_in_full(file.site.path) for file in stated.of(Kind.FILE) if "routes" in file.traits}


def _is_module(file: Fact) -> bool:
    return file.zone is Zone.SOURCE and file.name.endswith(".py") and not NAMES_OF_TOOLS(file.name)


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".py")


def _in_full(path: str) -> str:
    """The name of a module with its folder."""
    return "/".join(path.removesuffix(".py").split("/")[-2:])
