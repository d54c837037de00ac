"""JavaScript and TypeScript source with its names resolved: what it imports, and calls under qualified names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from posixpath import splitext
from typing import TYPE_CHECKING, NamedTuple

from mlops_audit.code.values import Called, Imported
from mlops_audit.facts import TraitValue
from mlops_audit.parse.grammars import syntax_tree
from mlops_audit.parse.nodes import NotRead

if TYPE_CHECKING:
    import tree_sitter

MAX_BYTES = 500_000
MAX_LINE = 5_000  # characters: longer lines are written by bundlers, not by people
MAX_TEXT = 200
MAX_SOURCE = 4_000
MAX_CHAIN = 20  # of calls on calls
MAX_CALLS = 20_000
MAX_NESTING = 8  # of object literals in one argument
MAX_LEAVES = 300  # of one argument
INNER = frozenset({
    "await_expression", "parenthesized_expression", "as_expression", "non_null_expression", "satisfies_expression",
    "type_assertion",
})  # fmt: skip
FUNCTIONS = frozenset({"function_declaration", "method_definition", "generator_function_declaration"})
TYPED = frozenset({"required_parameter", "optional_parameter", "public_field_definition", "field_definition"})
ASSIGNED = TYPED | {"variable_declarator", "assignment_expression"}
CALLS = frozenset({"call_expression", "new_expression"})
TELLING = ASSIGNED | CALLS | {"import_statement", "export_statement"}
# Global objects whose methods are known without an import.
GLOBALS = frozenset({"console", "fetch"})


class Script(NamedTuple):
    """What a file says, in the order of its lines. Calls of what the file neither imports nor makes are left out."""

    imports: tuple[Imported, ...] = ()
    calls: tuple[Called, ...] = ()


@lru_cache(maxsize=4)
def read(path: str, data: bytes) -> Script:
    """The imports and calls of a file; raises NotRead for what is too large or written by a bundler."""
    if len(data) > MAX_BYTES:
        raise NotRead(f"larger than {MAX_BYTES} bytes")
    if any(len(line) > MAX_LINE for line in data.split(b"\n", 2_000)[:2_000]):
        return Script()  # minified: nobody wrote this here
    nodes = list(_telling(_tree(splitext(path)[1].lower(), data)))
    names = _Names()
    imports = tuple(found for kind, node, *_ in nodes for found in names.learn(kind, node))
    calls: list[Called] = []
    for kind, node, target, function, dead in nodes:
        if kind in CALLS and len(calls) < MAX_CALLS:
            name, known = names.of(node)
            if known and not name.startswith("."):
                calls.append(Called(name, node.start_point[0] + 1, names.arguments(node), function=function,
                                    target=target, dead=dead))  # fmt: skip
    return Script(imports, tuple(calls))


def _tree(suffix: str, data: bytes) -> tree_sitter.Node:
    if suffix == ".tsx":
        return syntax_tree("tsx", data)
    return (
        syntax_tree("typescript", data)
        if suffix in (".ts", ".mts", ".cts")
        else syntax_tree("javascript", data)
    )


def text_of(node: tree_sitter.Node | None) -> str:
    """The source text of a node, "" for a long one: texts of nested nodes would cost the square of the file."""
    if node is None or node.end_byte - node.start_byte > MAX_SOURCE:
        return ""
    return (node.text or b"").decode(errors="replace")


def _telling(root: tree_sitter.Node) -> Iterator[tuple[str, tree_sitter.Node, str, str, bool]]:
    """The nodes that import, name or call, from the top down, each with its type, what its value is assigned to, its
    function, and whether it can never run."""
    stack = [(root, "", "", False)]
    while stack:
        node, target, function, dead = stack.pop()
        kind = node.type
        if kind in TELLING:
            yield kind, node, target, function, dead
        children = node.named_children
        if not children:
            continue
        if kind in FUNCTIONS:
            function = text_of(node.child_by_field_name("name")) or function
        if kind not in INNER:
            target = _assigned(kind, node) if kind in ASSIGNED else ""
        if kind == "if_statement" and _is_never(node):
            never = node.child_by_field_name("consequence")
            stack.extend([(child, target, function, dead or child == never) for child in reversed(children)])
        else:
            stack.extend([(child, target, function, dead) for child in reversed(children)])


def _is_never(node: tree_sitter.Node) -> bool:
    return re.fullmatch(r"\(\s*(false|0)\s*\)", text_of(node.child_by_field_name("condition"))) is not None


def _assigned(kind: str, node: tree_sitter.Node) -> str:
    """The variable or field that a declaration or assignment gives a value."""
    if kind == "assignment_expression":
        return text_of(node.child_by_field_name("left"))[:MAX_TEXT]
    return text_of(node.child_by_field_name("name") or node.child_by_field_name("property"))[:MAX_TEXT]


class _Names:
    """What the names of a file stand for: modules, what is imported of them, and what is made of those."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._literals: dict[str, TraitValue] = {}

    def learn(self, kind: str, node: tree_sitter.Node) -> Iterator[Imported]:
        """Take in what a node of some type names; gives the imports that it makes."""
        if kind in ("import_statement", "export_statement"):
            source = node.child_by_field_name("source") or _first(node, "import_require_clause", "string")
            module = _string(source)
            if module:
                if kind == "import_statement" and not text_of(node).startswith("import type"):
                    self._learn_clause(node, module)
                yield _imported(module, node.start_point[0] + 1)
        elif kind == "variable_declarator":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name is not None and value is not None:
                self._assign(name, value)
        elif kind == "assignment_expression":
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if left is not None and right is not None:
                self._assign(left, right)
        elif kind in TYPED:
            self._learn_typed(node)
        elif kind == "call_expression" and text_of(node.child_by_field_name("function")) in (
            "require",
            "import",
        ):
            module = self._required(node)
            if module:
                yield _imported(module, node.start_point[0] + 1)

    def _learn_clause(self, node: tree_sitter.Node, module: str) -> None:
        for clause in node.named_children:
            if clause.type not in ("import_clause", "import_require_clause"):
                continue
            for part in clause.named_children:
                if part.type == "identifier":
                    local = text_of(part)
                    # what a default import is called stands for the class or function that the module is
                    self._known[local] = f"{module}.{local}" if local[:1].isupper() else module
                elif part.type == "namespace_import":
                    self._known[text_of(part.named_children[-1])] = module
                elif part.type == "named_imports":
                    for named in part.named_children:
                        original = text_of(named.child_by_field_name("name"))
                        local = text_of(named.child_by_field_name("alias")) or original
                        if original:
                            self._known[local] = module if original == "default" else f"{module}.{original}"

    def _learn_typed(self, node: tree_sitter.Node) -> None:
        """A parameter or field that is annotated with a class counts as an instance of it."""
        name = (
            node.child_by_field_name("pattern")
            or node.child_by_field_name("name")
            or node.child_by_field_name("property")
        )
        value = node.child_by_field_name("value")
        key = text_of(name) if node.type.endswith("parameter") else f"this.{text_of(name)}"
        annotation = _first(node, "type_annotation")
        written = text_of(annotation).lstrip(": ").strip()
        if value is not None and name is not None and not node.type.endswith("parameter"):
            self._keep(key, value)
        elif re.fullmatch(r"\w+(\.\w+)*", written):
            head, dot, rest = written.partition(".")
            if head in self._known:
                self._known.setdefault(key, self._known[head] + dot + rest)

    def _assign(self, left: tree_sitter.Node, right: tree_sitter.Node) -> None:
        if left.type == "object_pattern":
            origin, known = self.of(right)
            for part in left.named_children if known else ():
                if part.type == "shorthand_property_identifier_pattern":
                    self._known[text_of(part)] = f"{origin}.{text_of(part)}"
                elif part.type == "pair_pattern":
                    key, value = part.child_by_field_name("key"), part.child_by_field_name("value")
                    self._known[text_of(value)] = f"{origin}.{text_of(key)}"
        elif left.type in ("identifier", "member_expression"):
            self._keep(text_of(left), right)

    def _keep(self, key: str, value: tree_sitter.Node) -> None:
        name, known = self.of(value)
        if known:
            self._known[key] = name
        elif key.isidentifier() and value.type in ("string", "number", "true", "false"):
            self._literals.setdefault(key, _literal(value))

    def of(self, node: tree_sitter.Node) -> tuple[str, bool]:
        """The qualified name of what an expression is or is made by, and whether it comes from a module."""
        parts: list[str] = []
        here: tree_sitter.Node | None = node
        for _ in range(MAX_CHAIN):
            if here is None:
                break
            if here.type in INNER:
                here = next(iter(here.named_children), None)
            elif here.type in ("call_expression", "new_expression"):
                module = self._required(here)
                if module:
                    return ".".join([module, *reversed(parts)]), True
                here = here.child_by_field_name("function") or here.child_by_field_name("constructor")
            elif here.type == "member_expression":
                field = text_of(here)
                if field in self._known:
                    return ".".join([self._known[field], *reversed(parts)]), True
                parts.append(text_of(here.child_by_field_name("property")))
                here = here.child_by_field_name("object")
            elif here.type == "identifier":
                name = text_of(here)
                known = self._known.get(name)
                return ".".join([known or name, *reversed(parts)]), known is not None or name in GLOBALS
            else:
                break
        return ".".join(["?", *reversed(parts)]), False

    def _required(self, node: tree_sitter.Node) -> str:
        called = node.child_by_field_name("function")
        if called is None or text_of(called) not in ("require", "import"):
            return ""
        arguments = node.child_by_field_name("arguments")
        return (
            _string(arguments.named_children[0]) if arguments is not None and arguments.named_children else ""
        )

    def arguments(self, node: tree_sitter.Node) -> dict[str, TraitValue]:
        """Positional arguments under `1`, `2` ...; what object literals hold under `key=` with dotted keys."""
        listed = node.child_by_field_name("arguments")
        found: dict[str, dict[str, None]] = {}
        items = (
            [child for child in listed.named_children if child.type != "comment"]
            if listed is not None
            else []
        )
        for number, item in enumerate(items, 1):
            if item.type == "object":
                left = [MAX_LEAVES]
                self._fields(item, "", found, 0, left)
            else:
                found[str(number)] = dict.fromkeys(self._values(item))
        return {
            name: kept[0] if len(kept) == 1 else kept
            for name, values in found.items()
            if (kept := tuple(values))
        }

    def _fields(
        self,
        node: tree_sitter.Node,
        prefix: str,
        found: dict[str, dict[str, None]],
        depth: int,
        left: list[int],
    ) -> None:
        for pair in node.named_children:
            if left[0] <= 0 or depth > MAX_NESTING:
                return
            left[0] -= 1
            if pair.type == "shorthand_property_identifier":
                key, value = text_of(pair), pair
            elif pair.type == "pair":
                named = pair.child_by_field_name("key")
                held = pair.child_by_field_name("value")
                key = _string(named) or text_of(named)
                if held is None:
                    continue
                value = held
            else:
                continue
            path = f"{prefix}.{key}" if prefix else key
            parts = value.named_children if value.type == "array" else [value]
            for part in parts:
                if part.type == "object":
                    self._fields(part, path, found, depth + 1, left)
                elif part.type != "comment":
                    found.setdefault(f"{path}=", {}).update(dict.fromkeys(self._values(part)))

    def _values(self, node: tree_sitter.Node) -> tuple[str, ...]:
        """A literal's text, the elements of a list, else the source text."""
        if node.type == "array":
            return tuple(text for child in node.named_children[:100] for text in self._values(child)[:1])
        if node.type == "identifier" and text_of(node) in self._literals:
            known = self._literals[text_of(node)]
            return known if isinstance(known, tuple) else (known,)
        return (_literal(node),)


def _imported(module: str, line: int) -> Imported:
    return Imported(module, module, line, module.startswith("."), False)


def _first(node: tree_sitter.Node, *types: str) -> tree_sitter.Node | None:
    """The first child of a type, and in it the first of the next type."""
    here: tree_sitter.Node | None = node
    for wanted in types:
        here = (
            next((child for child in here.named_children if child.type == wanted), None)
            if here is not None
            else None
        )
    return here


def _string(node: tree_sitter.Node | None) -> str:
    if node is None or node.type not in ("string", "template_string"):
        return ""
    return _literal(node)


def _literal(node: tree_sitter.Node) -> str:
    """The text of a literal; a template keeps its fixed parts, with `{}` for the rest; else the source text."""
    text = text_of(node)
    if node.type == "string":
        return text[1:-1][:2_000]
    if node.type == "template_string":
        holes = [child for child in node.named_children if child.type == "template_substitution"]
        for hole in holes:
            text = text.replace(text_of(hole), "{}", 1)
        return text[1:-1][:2_000]
    return " ".join(text[:1_000].split())[:MAX_TEXT]
