"""Jobs, commands and actions of any automation as facts, from the shell texts and names that it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from mlops_audit import shell
from mlops_audit.facts import Fact, Kind, Site, TraitValue
from mlops_audit.parse.nodes import Node

Traits = Mapping[str, TraitValue]

MAX_MERGES = 5
MAX_LEAVES = 5_000  # that one job is searched for secrets


class Script(NamedTuple):
    """A shell text of a data file: `line` is the file's line of its first line; `flat` when all stands on that one."""

    text: str
    line: int
    flat: bool = False


def kept(traits: Mapping[str, TraitValue | bool | None]) -> dict[str, TraitValue]:
    """Traits without the empty ones; True becomes `yes`."""
    return {k: "yes" if isinstance(v, bool) else v for k, v in traits.items() if v}


def script_of(node: Node, lines: list[str]) -> Script:
    """The shell text of a YAML scalar with the true lines of block scalars, folded ones included."""
    head = lines[node.line - 1] if 0 < node.line <= len(lines) else ""
    style = None if node.quoted else re.search(r"(?:^|[\s:-])([|>])[-+\d]*[ \t]*(?:#.*)?$", head)
    if style is None:
        return Script(node.text, node.line, flat=True)
    if style[1] == "|":
        return Script(node.text, node.line + 1)
    return Script(_folded(lines, node.line), node.line + 1)


def _folded(lines: list[str], start: int) -> str:
    """The lines of a folded block, joined by line continuations so that their numbers stay true."""
    body: list[str] = []
    indent = -1
    for line in lines[start:]:
        depth = len(line) - len(line.lstrip(" "))
        if line.strip():
            if indent < 0:
                indent = depth
                if not indent:
                    break
            if depth < indent:
                break
        body.append(line[indent:] if indent > 0 else "")
    while body and not body[-1].strip():
        body.pop()
    parts: list[str] = []
    for number, line in enumerate(body):
        after = body[number + 1] if number + 1 < len(body) else ""
        joins = line.strip() and after.strip() and not line.startswith(" ") and not after.startswith(" ")
        parts.append(line + (" \\\n" if joins and not line.endswith("\\") else "\n"))
    return "".join(parts)


def commands(
    scripts: Script | Sequence[Script],
    path: str,
    traits: Traits,
    *,
    directory: str = "",
    variables: Mapping[str, str] | None = None,
    own_path: str = "",
    goes_on: bool = False,
) -> list[Fact]:
    """The commands of scripts as facts; several scripts run one after the other in the same shell.

    `goes_on`: nothing stops them at a command that fails unless they say so themselves.
    """
    lines: list[int] = []
    parts: list[str] = []
    for script in [scripts] if isinstance(scripts, Script) else scripts:
        text = script.text if script.text.endswith("\n") else f"{script.text}\n"
        parts.append(text)
        count = text.count("\n")
        lines.extend([script.line] * count if script.flat else range(script.line, script.line + count))
    facts = []
    for found in shell.commands("".join(parts), 1, directory, variables, own_path):
        line = lines[min(found.line, len(lines)) - 1]
        facts.append(command(found, path, traits, line=line, goes_on=goes_on))
    return facts


def command(found: shell.Command, path: str, traits: Traits, *, line: int = 0, goes_on: bool = False) -> Fact:
    """One command as a fact; what the command says of itself is added to the traits of its surroundings."""
    own = kept({
        "masked": found.masked,
        "background": found.background,
        "unchecked": found.unchecked and goes_on,
        "guard": found.guards,
        "launcher": found.launcher,
    })  # fmt: skip
    return Fact(
        Kind.COMMAND,
        found.text,
        Site(path, line or found.line),
        {**traits, "directory": found.directory, **own},
    )


def action(name: str, path: str, line: int, traits: Traits, inputs: Iterable[tuple[str, str]] = ()) -> Fact:
    """A reusable piece with its inputs as traits `NAME=` and how it is pinned."""
    given = {f"{key}=": value for key, value in inputs if value}
    return Fact(Kind.ACTION, name, Site(path, line), {**traits, **given, "pin": pin_of(name)})


def repinned(fact: Fact, pin: str) -> Fact:
    """The action with another pin, where the version stands apart from the name."""
    return replace(fact, traits={**fact.traits, "pin": pin})


def job(name: str, path: str, line: int, traits: Traits) -> Fact:
    return Fact(Kind.JOB, name, Site(path, line), traits)


def image(reference: str, path: str, line: int, traits: Traits) -> Fact:
    """An image that automation runs in or beside itself."""
    name, _, digest = reference.partition("@")
    tag = name.rpartition(":")[2] if ":" in name.rpartition("/")[2] else ""
    unknown = any(mark in reference for mark in ("$", "{{", "<%"))
    version = (
        "unknown" if unknown and ("$" in tag or "{{" in tag or not tag) else "digest" if digest
        else "latest" if tag == "latest" else "tag" if tag else "none"
    )  # fmt: skip
    return Fact(
        Kind.IMAGE,
        reference,
        Site(path, line),
        {"role": "job", **traits, **kept({"version": version, "tag": tag})},
    )


def pin_of(reference: str) -> str:
    """How a reference such as `owner/action@v4` is pinned: hash, tag, branch or none."""
    version = reference.rpartition("@")[2] if "@" in reference else ""
    if not version:
        return "none"
    if re.fullmatch(r"[0-9a-f]{40}|sha256:[0-9a-f]{64}", version):
        return "hash"
    if version in ("main", "master", "develop", "dev", "trunk", "latest", "volatile", "head", "HEAD"):
        return "branch"
    return "tag" if re.match(r"v?\d", version) or "/v" in version else "branch"


def is_never(condition: str) -> bool:
    """Whether a condition can never hold: `false`, `${{ false }}`, `false && x`."""
    text = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", condition.strip(), flags=re.DOTALL).strip()
    if "||" in text:
        return False
    parts = [part.strip().strip("()").strip() for part in text.split("&&")]
    return any(
        part.lower() in ("false", "0", "'false'", '"false"', "!true", "never", "never()") for part in parts
    )


def texts(node: Node | None) -> tuple[str, ...]:
    """The scalars of a list, or the one scalar."""
    return tuple(item.text for item in node.list if item.text) if node is not None else ()


def literals(node: Node | None) -> dict[str, str]:
    """The scalar entries of a mapping such as `env:` that hold no expression."""
    if node is None:
        return {}
    return {
        k: v.text
        for k, v in node.items
        if isinstance(v.value, str) and not re.search(r"\$\{\{|\$\(|\{\{", v.text)
    }


def secrets_in(*nodes: Node | None) -> tuple[str, ...]:
    """The names of the secrets that expressions below the nodes ask for."""
    found: dict[str, None] = {}
    for node in nodes:
        for _, leaf in islice(node.leaves(), MAX_LEAVES) if node is not None else ():
            for name in re.findall(r"\bsecrets(?:\.|\[['\"])([A-Za-z_]\w*)", leaf.text):
                found.setdefault(name)
    return tuple(found)


def behind(needs: Mapping[str, Iterable[str]], gates: Iterable[str]) -> frozenset[str]:
    """The gates and everything that needs one of them, directly or not."""
    found = set(gates)
    changed = True
    while changed:
        more = {name for name, asked in needs.items() if name not in found and found & set(asked)}
        found |= more
        changed = bool(more)
    return frozenset(found)


def merged(node: Node, above: Node | None = None, depth: int = 0) -> Node:
    """A mapping with its `<<` merges and the mapping that it extends put in; its own keys win.

    Merges of merges are followed a few times only: aliases can stand for far more than there is text.
    """
    layers = [above] if above is not None else []
    merge = node.get("<<")
    if merge is not None and depth < MAX_MERGES:
        layers += [merged(item, None, depth + 1) for item in merge.list[:4]]
    if not layers:
        return node
    values: dict[str, Node] = {}
    keys: dict[str, int] = {}
    for layer in [*layers, node]:
        for key, child in layer.items:
            old = values.get(key)
            both = depth == 0 and old is not None and old.items and child.items
            values[key] = merged(child, old, depth + 1) if both else child
            keys[key] = layer.line_of(key)
    values.pop("<<", None)
    return Node(values, node.line, node.tag, keys)
