"""Imports of names that a module of the project does not hold: `from .config import Config` where no `Config` is."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

from mlops_audit.facts import Fact, Kind, Zone, values
from mlops_audit.reach.places import Repository
from mlops_audit.reach.stated import Stated

# Modules with these make names that their text does not show.
OPEN = re.compile(
    r"^\s*from\s+\S+\s+import\s+\(?\s*\*|__getattr__|\bglobals\(\)|\bsys\.modules\b|\bexec\(|\bsetattr\(",
    re.MULTILINE,
)

WORD = re.compile(r"\w+")


def unbound(
    stated: Stated,
    repository: Repository,
    inner: Collection[str],
    text_of: Callable[[str], str | None],
) -> list[Fact]:
    """The imports that fail because no module they can mean holds the name anywhere in its text.

    `text_of` gives the text of a file, or None when it cannot be read; it is asked for few files: only where no
    definition and no import of a module bears the name. Packages are left out: their names may be modules. `inner` are
    the folders that are packages and no roots: what lies in them is not meant by its short name.
    """
    held: dict[str, set[str]] = defaultdict(set)
    for fact in stated.of(Kind.DEFINITION):
        held[fact.site.path].add(fact.name.partition(".")[0])
    for fact in stated.of(Kind.IMPORT):
        held[fact.site.path].add(fact.name.rpartition(".")[2])
    texts: dict[str, str | None] = {}
    words: dict[str, set[str]] = {}

    def lacks(path: str, name: str) -> bool:
        if path.endswith("__init__.py") or name in held[path]:
            return False
        if path not in texts:
            texts[path] = text_of(path)
            words[path] = set(WORD.findall(texts[path] or ""))
        text = texts[path]
        return text is not None and name not in words[path] and not OPEN.search(text)

    found = []
    for fact in filter(_is_asked, stated.of(Kind.IMPORT)):
        module = values(fact.traits["module"])[0]
        meant = repository.module(module, fact.site.path)[:1]
        name = fact.name.rpartition(".")[2]
        if (
            meant
            and _root(meant[0], module) not in inner
            and all(lacks(path, name) for path in (*meant, *_namesakes(module, repository)))
        ):
            found.append(fact)
    return found


def _is_asked(fact: Fact) -> bool:
    module = next(iter(values(fact.traits.get("module"))), "")
    return (
        fact.zone in (Zone.SOURCE, Zone.TEST)
        and fact.site.path.endswith(".py")
        and "dead" not in fact.traits
        and "optional" not in fact.traits
        and module not in ("", fact.name)
        and module.partition(".")[0] not in sys.stdlib_module_names
        and not fact.name.endswith(("*", "__"))
    )


def _root(path: str, module: str) -> str:
    """The folder from which a module is imported by this name."""
    return path.removesuffix(module.replace(".", "/") + ".py").rstrip("/")


def _namesakes(module: str, repository: Repository) -> Iterable[str]:
    """Every file that the module could be by its last name: which one is meant depends on where the program starts."""
    return repository.modules.get(module.rpartition(".")[2], ())
