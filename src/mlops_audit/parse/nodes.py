"""What the parsers of all formats share: the nodes they give, how they fail, the text of a file and the caps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Final, TypeAlias, TypeVar

MAX_BYTES = 2_000_000
MAX_DEPTH = 64
MAX_NODES = 200_000

T = TypeVar("T")


class ParseFailure(ValueError):
    """A text that cannot be read as its format: `line` from 1 (0: unknown) and `reason` in one line."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = " ".join(reason.split())[:200]
        self.line = line


class NotRead(ParseFailure):
    """A text that nobody has looked at, or not to its end: over a cap, out of time, absent. It may be sound."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(f"skipped: {reason.removeprefix('skipped: ')}", line)


Nodes: TypeAlias = "list[Node]"
Pairs: TypeAlias = "list[tuple[str, Node]]"


# Nodes are made by the hundred thousand: `Final` keeps them as they are made at a quarter of what frozen ones cost.
@dataclass(slots=True)
class Node:
    """A value of a YAML, JSON or TOML document with the line where it stands, from 1.

    `value` is a str for scalars ("" for null), a list of Nodes, or a dict from key to Node; of duplicate keys
    the last wins. `tag` is an explicit YAML tag such as "!Ref". `keys` gives the line of each key of a
    mapping. `quoted` tells "1" from 1.
    """

    value: Final[str | Nodes | dict[str, Node]]
    line: Final[int]
    tag: Final[str] = ""
    keys: Final[dict[str, int] | None] = None
    quoted: Final[bool] = False

    @property
    def text(self) -> str:
        """The scalar's text, "" for anything else."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def list(self) -> Nodes:
        """The items of a sequence; a scalar or mapping counts as a sequence of one, null as none."""
        if isinstance(self.value, list):
            return self.value
        return [self] if self.value != "" else []

    @property
    def items(self) -> Pairs:
        """The pairs of a mapping, [] for anything else."""
        return [*self.value.items()] if isinstance(self.value, dict) else []

    def get(self, *path: str) -> Node | None:
        """The node below the keys, None where a key is absent or a mapping is not there."""
        node: Node | None = self
        for key in path:
            if node is None or not isinstance(node.value, dict):
                return None
            node = node.value.get(key)
        return node

    def at(self, *path: str) -> str:
        """The scalar text below the keys, "" where there is none."""
        node = self.get(*path)
        return node.text if node is not None else ""

    def line_of(self, key: str) -> int:
        """The line of a key of this mapping, the mapping's own line where it is absent."""
        return (self.keys or {}).get(key, self.line)

    def leaves(self, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """Every scalar below this node with its dotted path; items of a sequence share the sequence's path.

        Raises ParseFailure after MAX_NODES nodes: nodes that stand in several places count in each.
        """
        stack: Pairs = [(prefix, self)]
        budget = MAX_NODES
        while stack:
            path, node = stack.pop()
            budget -= 1
            if budget < 0:
                raise NotRead(f"more than {MAX_NODES} nodes", node.line)
            if isinstance(node.value, dict):
                stack.extend((f"{path}.{key}" if path else key, child) for key, child in reversed(node.items))
            elif isinstance(node.value, list):
                stack.extend((path, child) for child in reversed(node.value))
            else:
                yield path, node

    def leaf_count(self, enough: int) -> int:
        """How many scalars `leaves` gives, or `enough` when there are more."""
        stack = [self]
        budget = MAX_NODES
        count = 0
        while stack and count < enough:
            node = stack.pop()
            budget -= 1
            if budget < 0:
                raise NotRead(f"more than {MAX_NODES} nodes", node.line)
            if isinstance(node.value, dict):
                stack.extend(reversed(node.value.values()))
            elif isinstance(node.value, list):
                stack.extend(reversed(node.value))
            else:
                count += 1
        return count


def decode(data: bytes) -> str:
    """The text of a file: UTF-8 with or without a mark, UTF-16 with one, else Latin-1; lines end with \\n."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def check_size(data: bytes) -> None:
    if len(data) > MAX_BYTES:
        raise NotRead(f"larger than {MAX_BYTES} bytes")


def once(parser: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """The parser with its last results kept: several extractors read the same file one after the other."""

    @lru_cache(maxsize=2)
    def attempt(data: bytes) -> T | ParseFailure:
        try:
            return parser(data)
        except ParseFailure as failure:
            return failure

    @wraps(parser)
    def parsed(data: bytes) -> T:
        result = attempt(data)
        if isinstance(result, ParseFailure):
            raise result.with_traceback(None)
        return result

    return parsed


def printable(text: str) -> str:
    """The text with lone surrogates, which no file can hold, replaced."""
    return text if text.isascii() else text.encode("utf-8", errors="replace").decode()
