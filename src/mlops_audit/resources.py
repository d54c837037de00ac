"""Declared resources as facts, with every scalar attribute under its dotted path."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping

from mlops_audit.facts import Fact, Kind, Site, TraitValue
from mlops_audit.parse.nodes import Node
from mlops_audit.shell import Command

MAX_STEPS = (
    20_000  # nodes visited per resource: aliases are shared, so a walk can be longer than the document
)
MAX_TEXT = 2_000


def attributes(node: Node, prefix: str = "") -> dict[str, TraitValue]:
    """Every scalar below a node under its dotted path; items of a list share its path, "" for what is empty.

    The short tags of CloudFormation stay in the text: `!Ref Name`.
    """
    found: dict[str, dict[str, None]] = {}
    stack = [(prefix, node)]
    for _ in range(MAX_STEPS):
        if not stack:
            break
        path, here = stack.pop()
        if isinstance(here.value, dict) and here.value:
            stack.extend(
                # what `<<` merges in stands beside the other keys
                (path if key == "<<" else f"{path}.{key[:200]}" if path else key[:200], child)
                for key, child in reversed(here.items)
            )
        elif isinstance(here.value, list) and here.value:
            stack.extend((path, child) for child in reversed(here.value))
        elif path:
            text = f"{here.tag} {here.text}" if here.tag.startswith("!") else here.text
            found.setdefault(path, {})[text[:MAX_TEXT]] = None
    return collapse(found)


def collapse(found: Mapping[str, Iterable[str]]) -> dict[str, TraitValue]:
    """Traits from the values of each path: one text, or a tuple of several."""
    traits: dict[str, TraitValue] = {}
    for path, texts in found.items():
        values = tuple(texts)
        traits[path] = values[0] if len(values) == 1 else values
    return traits


def resource(
    name: str, site: Site, system: str, held: Mapping[str, TraitValue], **known: TraitValue | None
) -> Fact:
    """A fact of kind resource: its attributes, and over them what is known of it (`id`, `runs`, `unit` ...).

    What is absent or empty in `known` is left out. An `enabled: false` attribute of its own is told as `no`.
    """
    traits: dict[str, TraitValue] = {path: value for path, value in held.items() if path}
    if str(traits.get("enabled", "")).lower() in ("false", "no", "off", "0"):
        traits["enabled"] = "no"
    traits["system"] = system
    traits.update({key: value for key, value in known.items() if value})
    return Fact(Kind.RESOURCE, name, site, traits)


def image(reference: str, site: Site, role: str, system: str, **known: TraitValue | None) -> Fact:
    """A fact of kind image, with how its version is given."""
    version, tag = version_of(reference)
    traits: dict[str, TraitValue] = {"version": version, "role": role, "system": system}
    if tag:
        traits["tag"] = tag
    traits.update({key: value for key, value in known.items() if value})
    return Fact(Kind.IMAGE, reference, site, traits)


def version_of(reference: str) -> tuple[str, str]:
    """How an image reference gives its version, and its tag.

    `digest`, `tag`, `latest`, `none`, `scratch`, or `unknown` when a variable stands where the version would.
    """
    if reference == "scratch":
        return "scratch", ""
    name, _, digest = reference.partition("@")
    if digest:
        return ("unknown" if _is_open(digest) else "digest"), _tag(name)
    tag = _tag(name)
    if tag == "latest":
        return "latest", tag
    if tag:
        return ("unknown" if _is_open(tag) else "tag"), tag
    return ("unknown" if _is_open(name.rsplit("/", 1)[-1]) else "none"), ""


def _tag(name: str) -> str:
    head, colon, tag = name.rpartition(":")
    # `host:5000/name` has a port there; `${A:-b}` and `<.Values.x>` are variables
    return tag if colon and head and "/" not in tag and not re.match(r"[-+?=]", tag) else ""


def _is_open(text: str) -> bool:
    return bool(re.search(r"[$<>{}]|^PLACEHOLDER$|!Ref|!Sub", text))


def beside(path: str, name: str) -> str:
    """A path that stands in a file, relative to that file's folder, as a path relative to the root."""
    if name.startswith("/"):
        return name.lstrip("/")
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
    return "" if joined == "." else joined


def module_file(path: str, handler: str) -> tuple[str, ...]:
    """What a `package.module:attribute` named in a file runs: the name itself and the file that it means."""
    module = handler.partition(":")[0]
    if not module:
        return ()
    source = module if module.endswith(".py") else module.replace(".", "/") + ".py"
    return tuple(dict.fromkeys((beside(path, source), handler)))


def command(path: str, found: Command, unit: str, system: str, **known: TraitValue | None) -> Fact:
    """A fact of kind command for a simple command of a container or service."""
    traits: dict[str, TraitValue] = {"unit": unit, "system": system, "directory": found.directory}
    if found.masked:
        traits["masked"] = "yes"
    if found.background:
        traits["background"] = "yes"
    if found.guards:
        traits["guard"] = found.guards
    traits.update({key: value for key, value in known.items() if value})
    return Fact(Kind.COMMAND, found.text, Site(path, found.line), traits)
