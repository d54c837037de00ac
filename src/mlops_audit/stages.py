"""Pipelines, their steps and the commands of these as facts, for every notation in which they are written."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence

from mlops_audit import parse, shell
from mlops_audit.facts import Fact, Kind, Site, TraitValue
from mlops_audit.parse.nodes import Node
from mlops_audit.resources import image

NO_SCHEDULE = frozenset({"", "none", "null", "~", "@once", "once", "manual", "off", "disabled", "false", "{}", "[]", "()",
                         "nothing", "on_demand", "on-demand", "ondemand", "external", "-"})  # fmt: skip


Shapes = Sequence[tuple[Callable[[Node], bool], Callable[[str, Node], Iterable[Fact]]]]


def marked(
    path: str, data: bytes, lines: re.Pattern[bytes], words: Iterable[bytes], in_json: re.Pattern[bytes]
) -> list[Node]:
    """The documents of a YAML or JSON file in which a mark stands that its reader needs; nothing else is parsed.

    `lines` are the beginnings of lines, with the end of the line before; `words` stand anywhere in YAML.
    """
    if path.lower().endswith(".json"):
        return [parse.json_document(data)] if in_json.search(data) else []
    if any(word in data for word in words) or lines.search(b"\n" + data):
        return parse.yaml(data)
    return []


def shaped(path: str, documents: Iterable[Node], shapes: Shapes) -> list[Fact]:
    """What documents state, each read as the first of the shapes that it has."""
    found: list[Fact] = []
    for document in documents:
        for looks_right, read in shapes:
            if looks_right(document):
                found.extend(read(path, document))
                break
    return found


def enabled_schedule(text: str) -> str:
    """The text of a schedule, "" for a text that means none."""
    folded = " ".join(text.split())
    return "" if folded.lower().strip("'\"") in NO_SCHEDULE else folded[:200]


def pipeline(
    name: str,
    path: str,
    line: int,
    system: str,
    *,
    unit: str = "",
    schedule: str = "",
    triggers: Iterable[str] = (),
    **more: TraitValue | None,
) -> Fact:
    """A fact of kind pipeline; one without any trigger is started by hand."""
    schedule = enabled_schedule(schedule)
    started = tuple(dict.fromkeys((*(("schedule",) if schedule else ()), *triggers))) or ("manual",)
    traits: dict[str, TraitValue] = {"system": system, "unit": unit or path, "triggers": started}
    traits.update({key: value for key, value in {"schedule": schedule, **more}.items() if value})
    return Fact(Kind.PIPELINE, name or path, Site(path, line), traits)


def step(name: str, path: str, line: int, system: str, *, unit: str = "", **more: TraitValue | None) -> Fact:
    """A fact of kind step; what is empty is left out."""
    traits: dict[str, TraitValue] = {"system": system, "unit": unit or path}
    traits.update({key: value for key, value in more.items() if value})
    return Fact(Kind.STEP, name, Site(path, line), traits)


def spoken(node: Node | None) -> str:
    """A command given as text or as a list of words; what stands for a value known later is `{}`."""
    if node is None:
        return ""
    if not isinstance(node.value, list):
        return node.text
    words = [item.text if isinstance(item.value, str) else "{}" for item in node.list]
    return joined(words)


def joined(words: Sequence[str]) -> str:
    """Words as one shell text; variables and placeholders stay open."""
    return " ".join(
        word if re.fullmatch(r"[\w@%+=:,./{}$~<>*?-]+", word) else shlex.quote(word) for word in words
    )


def commands(
    text: str,
    path: str,
    line: int,
    system: str,
    unit: str,
    directory: str = "",
    variables: dict[str, str] | None = None,
    **more: TraitValue | None,
) -> list[Fact]:
    """The simple commands of a shell text as facts, each at the line given: where its text begins."""
    facts = []
    for found in shell.commands(text, line, directory, variables):
        traits: dict[str, TraitValue] = {"unit": unit, "system": system, "directory": found.directory}
        own: dict[str, TraitValue | None] = {
            "masked": "yes" if found.masked else None,
            "background": "yes" if found.background else None,
            "guard": found.guards,
            "launcher": found.launcher,
        }
        traits.update({key: value for key, value in {**own, **more}.items() if value})
        facts.append(Fact(Kind.COMMAND, found.text, Site(path, line), traits))
    return facts


def texts(node: Node | None) -> tuple[str, ...]:
    """The scalars of a list, or the one scalar."""
    return tuple(item.text for item in node.list if item.text) if node is not None else ()


def paths_in(text: str) -> tuple[str, ...]:
    """The scripts that a command names, without its options."""
    return tuple(dict.fromkeys(re.findall(r"[\w./-]+\.(?:py|R|r|sh|ipynb|sql|jl)\b", text)))


def below(node: Node | None, *path: str) -> list[Node]:
    """The items of the list below the keys."""
    found = node.get(*path) if node is not None else None
    return found.list if found is not None else []


def pairs(node: Node | None, *path: str) -> list[tuple[str, Node]]:
    found = node.get(*path) if node is not None else None
    return found.items if found is not None else []


def keys(node: Node | None) -> tuple[str, ...]:
    return tuple(key for key, _ in node.items) if node is not None else ()


def is_yes(text: str) -> bool:
    return text.strip().lower() in ("true", "yes", "on", "1")


def container_facts(path: str, node: Node, name: str, system: str, unit: str) -> Iterator[Fact]:
    """The image and command of a container."""
    site = Site(path, node.line)
    if node.at("image"):
        yield image(node.at("image"), site, "pod", system, unit=unit)
    if node.at("source") or node.at("script"):
        text = node.at("source") or node.at("script")
        if not re.search(r"python|Rscript|node", spoken(node.get("command"))):
            yield from commands(text, path, node.line_of("source"), system, unit, step=name)
        return
    words = " ".join(filter(None, (spoken(node.get("command")), spoken(node.get("args")))))
    if words:
        yield from commands(words, path, node.line, system, unit, step=name)
