"""YAML, composed from the events of a parser: libyaml's, or the same in Python where no wheel of it is at hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mlops_audit.parse.nodes import (
    MAX_DEPTH,
    MAX_NODES,
    Node,
    NotRead,
    ParseFailure,
    check_size,
    decode,
    once,
    printable,
)

MAX_SLOW = 200_000  # characters for the YAML parser in Python, about 100 a millisecond
# Definitions of types describe an interface and state nothing; most bytes of YAML in many repositories of manifests are theirs.
DEFINITION = "CustomResourceDefinition"
_DEFINES = re.compile(rf"^kind:[ \t]*[\"']?{DEFINITION}\b", re.MULTILINE)
_DOCUMENT = re.compile(r"^(?=---(?:\s|\Z))", re.MULTILINE)


@once
def documents(data: bytes) -> list[Node]:
    """What parse.yaml gives."""
    check_size(data)
    text = decode(data)
    if "\x00" in text:
        raise ParseFailure("a NUL byte in a text file")
    text = re.sub("[\x85\u2028\u2029]", " ", text)  # line ends for YAML, but for nobody who counts lines
    if DEFINITION in text:
        text = _without_definitions(text)
    try:
        return _yaml_documents(text, _events_from_c)
    except ImportError:
        pass  # no wheel of the C parser for this platform: the same events, slower
    except ParseFailure as failure:
        # libyaml knows YAML 1.1 only, which has no colon inside a plain word of `[main:app]`
        if "unexpected ':'" not in failure.reason or len(text) > MAX_SLOW:
            raise
    return _yaml_documents(text, _events_from_python)


def _without_definitions(text: str) -> str:
    """A text with empty lines in the place of documents that define a type, told by their first keys."""
    pieces = _DOCUMENT.split(text)
    return "".join("\n" * piece.count("\n") if _DEFINES.search(piece) else piece for piece in pieces)


def _events_from_c(text: str) -> Iterator[Any]:
    from _ruamel_yaml import CParser

    return iter(CParser(text).get_event, None)


def _events_from_python(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML

    if len(text) > MAX_SLOW:
        raise NotRead(f"larger than {MAX_SLOW} characters, and no fast YAML parser is installed")
    return iter(YAML(typ="safe", pure=True).parse(text))


def _yaml_documents(text: str, events: Callable[[str], Iterator[Any]]) -> list[Node]:
    """The documents of a text, told by the events of a parser."""
    from ruamel.yaml.error import YAMLError

    try:
        return list(_composed(events(text)))
    except ParseFailure:
        raise
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise ParseFailure(f"no valid YAML: {problem}", mark.line + 1 if mark else 0) from error
    except (RecursionError, MemoryError):
        raise NotRead("nested too deeply") from None
    except (ValueError, AttributeError, IndexError, TypeError) as error:
        raise ParseFailure(f"no valid YAML: {error}") from error


@dataclass(slots=True)
class _Open:
    """A YAML collection that is being read; its size and depth are those with all aliases written out."""

    children: list[Node]
    line: int
    tag: str
    anchor: str
    is_mapping: bool
    size: int = 1
    depth: int = 1

    def node(self) -> Node:
        """The collection with its finished children; a key that is no scalar becomes `?`."""
        if not self.is_mapping:
            return Node(self.children, self.line, self.tag)
        value: dict[str, Node] = {}
        keys: dict[str, int] = {}
        children = iter(self.children)
        for key, child in zip(children, children, strict=True):
            name = key.value if isinstance(key.value, str) else "?"
            value[name] = child
            keys[name] = key.line
        return Node(value, self.line, self.tag, keys)


NULLS = frozenset({"~", "null", "Null", "NULL"})
QUOTES = frozenset({"'", '"'})


def _composed(events: Iterator[Any]) -> Iterator[Node]:
    """Compose nodes from events with an own stack: no recursion, no construction."""
    from ruamel.yaml.events import (
        AliasEvent,
        DocumentStartEvent,
        MappingEndEvent,
        MappingStartEvent,
        ScalarEvent,
        SequenceEndEvent,
        SequenceStartEvent,
    )

    anchors: dict[str, tuple[Node, int, int]] = {}  # node, size and depth of what each anchor names
    stack: list[_Open] = []
    for event in events:
        kind = type(event)
        mark = event.start_mark
        line = mark.line + 1 if mark else 0
        size, depth = 1, 0
        if kind is ScalarEvent:
            style, value = event.style or "", event.value
            if not style and value in NULLS:
                value = ""
            node = Node(printable(value), line, _tag(event), None, style in QUOTES)
            if event.anchor:
                anchors[event.anchor] = (node, 1, 0)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if len(stack) >= MAX_DEPTH:
                raise NotRead("nested too deeply", line)
            stack.append(_Open([], line, _tag(event), event.anchor or "", kind is MappingStartEvent))
            if event.anchor:
                anchors[event.anchor] = (Node("", line), 1, 0)  # what contains itself is cut here
            continue
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            done = stack.pop()
            node, size, depth = done.node(), done.size, done.depth
            if done.anchor:
                anchors[done.anchor] = (node, size, depth)
        elif kind is AliasEvent:
            if event.anchor not in anchors:
                raise ParseFailure(f"no valid YAML: unknown alias {event.anchor}", line)
            node, size, depth = anchors[event.anchor]
        else:
            if kind is DocumentStartEvent:
                anchors = {}
            continue
        if stack:
            above = stack[-1]
            above.children.append(node)
            above.size += size
            if above.size > MAX_NODES:
                raise NotRead(f"more than {MAX_NODES} nodes", line)
            if above.depth <= depth:
                above.depth = depth + 1
                if above.depth > MAX_DEPTH:
                    raise NotRead("nested too deeply", line)
        elif node.value != "":
            yield node


def _tag(event: Any) -> str:
    tag: str | None = event.tag
    return tag if tag and not tag.startswith("tag:yaml.org,2002:") else ""
