"""YAML, JSON, TOML, INI, .env and properties files as dotted settings with the lines of their keys."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from mlops_audit import parse
from mlops_audit.facts import Fact, Kind, Site, TraitValue, Zone
from mlops_audit.parse.nodes import MAX_BYTES, Node, NotRead, ParseFailure, decode
from mlops_audit.tree import zone_of

MAX_JSON = 256 * 1024  # bytes; larger JSON is data
MAX_OPENAPI = 64 * 1024
MANY_LEAVES, KEPT_LEAVES = 5_000, 2_000
MANY_RECORDS = 50  # mappings in one list
KEPT_ITEMS = 50  # scalars of one list
MAX_VALUE = 300  # characters
# Keys whose text is a configuration: that of Ray Serve in a RayService, values of a chart in an application of Argo CD.
WRITTEN_AS_TEXT = (".serveConfigV2", ".helm.values")

# Keys that switch the mapping in which they stand, and their values that switch it off; null is no `true`.
FALSE = ("false", "no", "off", "")
SWITCHES = {"enabled": FALSE, "enable": FALSE, "disabled": ("true", "yes", "on")}

LOCKS = ("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "conda-lock.yml", "conda-lock.yaml",
         "renv.lock", "pylock.toml")  # fmt: skip
INI_SUFFIXES = (".ini", ".cfg", ".conf", ".properties", ".coveragerc")


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The settings of one file; none of a foreign file and of what is data rather than configuration."""
    name = posixpath.basename(path).lower()
    if zone_of(path) is Zone.FOREIGN or name in LOCKS:
        return ()
    if name == "codeowners":
        return _rules(path, data, "codeowners.")
    if name == ".gitattributes":
        return _rules(path, data, "")
    if name.endswith((".yaml", ".yml", ".dvc")):
        return _yaml(path, data)
    if name.endswith(".json"):
        return _json(path, data)
    if name.endswith(".toml"):
        return _of(path, [parse.toml(data)])
    if name.endswith(INI_SUFFIXES) or path.endswith(".dvc/config"):
        return _ini(path, data)
    if re.fullmatch(
        r"(?:[\w-]+)?\.env(?:[.-](?!ts$|js$|py$|sh$|md$)[\w-]+)*|env\.(?:example|sample|template)", name
    ):
        return _environment(path, data)
    return ()


def _yaml(path: str, data: bytes) -> Iterator[Fact]:
    try:
        documents = parse.yaml(data)
    except ParseFailure:
        if b"{{" in data and "templates" in path.lower().split("/"):
            return  # a template of Helm, which others read as such
        raise
    kept = [document for document in documents if not _is_data(document, data)]
    if all(isinstance(document.value, list) for document in kept) and _more_leaves(kept, 500):
        return  # a list of records at the top
    yield from _of(path, kept)


def _json(path: str, data: bytes) -> Iterator[Fact]:
    if len(data) > MAX_JSON:
        return
    root = parse.json_document(data)
    if isinstance(root.value, dict) and not _is_data(root, data):
        yield from _of(path, [root])


def _is_data(node: Node, data: bytes) -> bool:
    """Whether a document is data, generated, or the description of an interface rather than configuration."""
    keys = {key for key, _ in node.items}
    if node.at("type") == "FeatureCollection" or node.at("kind") == "CustomResourceDefinition":
        return True
    if "lockfileVersion" in keys or {"cells", "nbformat"} <= keys or {"images", "annotations"} <= keys:
        return True
    if "panels" in keys and keys & {"schemaVersion", "templating", "annotations"}:  # a Grafana dashboard
        return True
    if keys & {"openapi", "swagger"} and "paths" in keys:
        return len(data) > MAX_OPENAPI
    return False


def _more_leaves(documents: list[Node], limit: int) -> bool:
    """Whether documents have more leaves than a limit."""
    left = limit + 1
    for document in documents:
        left -= document.leaf_count(left)
        if left == 0:
            return True
    return False


def _of(path: str, documents: list[Node], prefix: str = "") -> Iterator[Fact]:
    """The leaves of documents as settings: all of them, or the first of very many."""
    limit = KEPT_LEAVES if _more_leaves(documents, MANY_LEAVES) else MANY_LEAVES
    for document in documents:
        for name, line, text, off in _leaves(document, prefix):
            if limit <= 0:
                return
            limit -= 1
            yield _setting(path, name, line, text, off)


def _leaves(document: Node, prefix: str) -> Iterator[tuple[str, int, str, bool]]:
    """Name, line of the key and text of every scalar but those of records and of the ends of long lists.

    The last value tells whether a switch beside it, or beside a mapping around it, is off.
    """
    stack = [(prefix, document.line, document, False)]
    while stack:
        name, line, node, off = stack.pop()
        if isinstance(node.value, str):
            if name:
                yield name, line, node.value, off
            if name.endswith(WRITTEN_AS_TEXT) and "\n" in node.value:
                yield from _within(name, line, node.value, off)
        elif isinstance(node.value, list):
            records = sum(isinstance(item.value, dict) for item in node.value)
            if records <= MANY_RECORDS:
                kept = reversed(node.value[: KEPT_ITEMS + records])
                stack.extend((name, item.line, item, off) for item in kept)
        else:
            lines = node.keys or {}
            below = off or _is_switched_off(node)
            stack.extend(
                [
                    (
                        f"{name}.{key}" if name else key,
                        lines.get(key, node.line),
                        item,
                        off if key in SWITCHES else below,
                    )
                    for key, item in reversed(node.value.items())
                ]
            )


def _within(prefix: str, above: int, text: str, off: bool) -> Iterator[tuple[str, int, str, bool]]:
    """The leaves of a configuration that stands as one text below its key; none of what cannot be read."""
    try:
        documents = parse.yaml(text.encode())
    except ParseFailure:
        return
    for document in documents:
        for name, line, value, inner in _leaves(document, prefix):
            yield name, above + line, value, off or inner


def _is_switched_off(node: Node) -> bool:
    """Whether a mapping says of itself that it is off: `enabled: false`, or no value at all."""
    for key, off in SWITCHES.items():
        switch = node.get(key)
        if switch is not None and switch.text.lower() in off and isinstance(switch.value, str):
            return True
    return False


def _setting(path: str, name: str, line: int, value: str, off: bool = False) -> Fact:
    traits: dict[str, TraitValue] = {"value": value[:MAX_VALUE], "form": "config"}
    if off:
        traits["dead"] = "yes"
    if "\n" in value and (ends := value.strip("\n").count("\n")):
        traits["lines"] = str(ends + 1)
    return Fact(Kind.SETTING, name[:MAX_VALUE], Site(path, line), traits)


def _ini(path: str, data: bytes) -> Iterator[Fact]:
    text = decode(data)
    if re.search(r"^[^#;=\n]*\{\s*$", text, re.MULTILINE):
        return  # nginx, HOCON and the like: blocks in braces
    yield from _of(path, [parse.ini(data)])


def _environment(path: str, data: bytes) -> Iterator[Fact]:
    """KEY=value lines, with or without `export` and quotes."""
    for line, row in _rows(data):
        found = re.match(r"(?:export\s+)?([A-Za-z_][\w.]*)\s*=\s*(.*)", row)
        if found:
            value = re.sub(r"\s+#.*", "", found[2]) if found[2][:1] not in "\"'" else found[2]
            yield _setting(path, found[1], line, value.strip().strip("\"'"))


def _rules(path: str, data: bytes, prefix: str) -> Iterator[Fact]:
    """Lines of a pattern and words: .gitattributes and CODEOWNERS (whose [section] lines are left out)."""
    for line, row in _rows(data):
        pattern, _, words = row.partition(" ") if "\t" not in row else row.partition("\t")
        words = " ".join(words.partition(" #")[0].split())
        if words and not (prefix and pattern.startswith(("[", "^["))):
            yield _setting(path, f"{prefix}{pattern}", line, words)


def _rows(data: bytes) -> Iterator[tuple[int, str]]:
    if len(data) > MAX_BYTES // 4:
        raise NotRead(f"larger than {MAX_BYTES // 4} bytes")
    for number, line in enumerate(decode(data).split("\n"), 1):
        row = line.strip()
        if row and not row.startswith("#"):
            yield number, row[:4_000]
