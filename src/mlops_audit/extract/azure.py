"""Azure: Bicep and ARM templates, endpoints and deployments of Azure ML, functions with their bindings."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from mlops_audit import parse
from mlops_audit.facts import Fact, Site, TraitValue
from mlops_audit.parse.grammars import syntax_tree
from mlops_audit.parse.nodes import Node, ParseFailure
from mlops_audit.resources import MAX_TEXT, attributes, beside, collapse, image, resource

if TYPE_CHECKING:
    import tree_sitter

# What other extractors tell of: jobs, pipelines and their schedules are no platform.
JOBS = re.compile(r"(Job|Component|pipeline|command|sweep|schedule|parallel)$", re.IGNORECASE)
V1_TARGETS = frozenset({"aks", "aci", "local", "akscompute", "acicompute"})


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of a file of Azure, told by its suffix, its `$schema` or its shape."""
    lower = path.lower()
    if lower.endswith(".bicep"):
        return _bicep(path, data)
    if lower.endswith(".json"):
        if b"deploymentTemplate.json" in data:
            return list(_arm(path, parse.json_document(data)))
        if posixpath.basename(lower) == "function.json" and b"bindings" in data:
            return list(_function(path, parse.json_document(data)))
        if b"azuremlschemas" in data or b"computeType" in data:
            return list(_machine_learning(path, parse.json_document(data)))
        return ()
    if b"azuremlschemas" in data or b"computeType" in data or b"entryScript" in data:
        return [fact for document in parse.yaml(data) for fact in _machine_learning(path, document)]
    return ()


# ------------------------------------------------------------------------------------------------------- ARM


def _arm(path: str, document: Node) -> Iterator[Fact]:
    stack = [(document.get("resources"), "")]
    for _ in range(2_000):
        if not stack:
            return
        section, above = stack.pop()
        if section is None:
            continue
        for item in section.list if isinstance(section.value, list) else [node for _, node in section.items]:
            kind = item.at("type")
            if not kind:
                continue
            full = f"{above}/{kind}" if above and "/" not in kind else kind
            off = "no" if item.at("condition").lower() == "false" else None
            held = attributes(item)
            yield resource(
                full, Site(path, item.line_of("type")), "arm", held, id=item.at("name"), api=item.at("apiVersion"),
                enabled=off, form="data" if item.at("existing") == "true" else None,
            )  # fmt: skip
            stack.append((item.get("resources"), full))
            stack.append((item.get("properties", "template", "resources"), ""))


# ----------------------------------------------------------------------------------------------------- Bicep


def _bicep(path: str, data: bytes) -> list[Fact]:
    root = syntax_tree("bicep", data)
    facts: list[Fact] = []
    stack: list[tuple[tree_sitter.Node, str]] = [(root, "")]
    while stack:
        here, above = stack.pop()
        if here.type in ("resource_declaration", "module_declaration"):
            above = _declaration(path, here, above, data, facts)
        stack.extend((child, above) for child in reversed(here.named_children))
    if root.has_error and not facts:
        wrong = next((child for child in root.children if child.type == "ERROR" or child.has_error), root)
        raise ParseFailure("no valid Bicep", wrong.start_point[0] + 1)
    return sorted(facts, key=lambda fact: fact.site.line)


def _declaration(path: str, node: tree_sitter.Node, above: str, data: bytes, facts: list[Fact]) -> str:
    """Adds the fact of a declaration; gives its type, under which nested ones stand."""
    name = next((c for c in node.named_children if c.type == "identifier"), None)
    said = next((c for c in node.named_children if c.type == "string"), None)
    if name is None or said is None:
        return above
    text = _bicep_text(said)
    body = next(
        (c for c in node.named_children if c.type in ("object", "if_statement", "for_statement")), None
    )
    condition = ""
    if body is not None and body.type == "if_statement":
        condition = _text(body.named_children[0]).strip("()") if body.named_children else ""
    if body is not None and body.type != "object":
        body = next((c for c in body.named_children if c.type == "object"), None)
    held = _bicep_attributes(body) if body is not None else {}
    site = Site(path, node.start_point[0] + 1)
    if node.type == "module_declaration":
        runs = (beside(path, text),) if text.endswith(".bicep") else None
        facts.append(resource("module", site, "bicep", held, id=_text(name), runs=runs, condition=condition))
        return above
    kind, _, api = text.partition("@")
    kind = (f"{above}/{kind}" if above and "/" not in kind else kind)[:300]
    is_there = re.match(rb"\s+existing\s*=", data[said.end_byte : said.end_byte + 80])
    facts.append(
        resource(
            kind, site, "bicep", held, id=_text(name), api=api, condition=condition,
            form="data" if is_there else None, enabled="no" if condition == "false" else None,
        )
    )  # fmt: skip
    return kind


def _text(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode("utf-8", errors="replace")


def _bicep_text(node: tree_sitter.Node) -> str:
    text = _text(node)
    return (text[3:-3] if text.startswith("'''") else text[1:-1] if text.startswith("'") else text)[:MAX_TEXT]


def _bicep_attributes(body: tree_sitter.Node) -> dict[str, TraitValue]:
    found: dict[str, dict[str, None]] = {}
    stack = [("", body)]
    while stack:
        prefix, here = stack.pop()
        if len(prefix) > 500:
            continue
        if here.type in ("object", "array"):
            stack.extend(
                reversed([(prefix, child) for child in here.named_children if child.type != "comment"])
            )
        elif here.type == "object_property":
            parts = [child for child in here.named_children if child.type not in ("comment", "decorators")]
            if len(parts) >= 2:
                key = _bicep_text(parts[0])
                stack.append((f"{prefix}.{key}" if prefix else key, parts[-1]))
        elif prefix and here.type not in ("comment", "ERROR", "resource_declaration"):
            found.setdefault(prefix, {})[_bicep_text(here)] = None
    return collapse(found)


# -------------------------------------------------------------------------------------------------- Azure ML


def _machine_learning(path: str, document: Node) -> Iterator[Fact]:
    schema = document.at("$schema")
    if "azuremlschemas" in schema or schema.endswith(".schema.json"):
        kind = posixpath.basename(schema).partition(".")[0]
        if not kind or JOBS.search(kind):
            return
        name = next((word for word in ("Endpoint", "Deployment") if kind.endswith(word)), kind).lower()
        yield from _asset(path, document, name, kind)
        return
    target = document.at("computeType").lower()
    if target in V1_TARGETS:
        site = Site(path, document.line_of("computeType"))
        yield resource(
            "deployment",
            site,
            "azureml",
            attributes(document),
            id=document.at("name"),
            triggers="continuous",
            unit=path,
        )
    script = document.at("entryScript")
    if script:
        folder = document.at("sourceDirectory")
        runs = tuple(
            dict.fromkeys((beside(path, posixpath.join(folder, script)), posixpath.normpath(script)))
        )
        site = Site(path, document.line_of("entryScript"))
        yield resource("inference", site, "azureml", attributes(document), runs=runs, unit=path)


def _asset(path: str, document: Node, name: str, kind: str) -> Iterator[Fact]:
    code, script = (
        document.at("code_configuration", "code"),
        document.at("code_configuration", "scoring_script"),
    )
    runs = (beside(path, posixpath.join(code, script)),) if script else None
    online = name in ("endpoint", "deployment") and "batch" not in kind.lower()
    yield resource(
        name, Site(path, document.line_of("$schema")), "azureml", attributes(document), id=document.at("name"),
        form=kind, runs=runs, unit=path, triggers="continuous" if online else None,
    )  # fmt: skip
    for place in (("image",), ("environment", "image")):
        node = document.get(*place)
        if node is not None and node.text and (kind == "environment" or len(place) == 2):
            role = "base" if kind == "environment" else "service"
            yield image(node.text, Site(path, node.line), role, "azureml", unit=path)


# ------------------------------------------------------------------------------------------------- functions


def _function(path: str, document: Node) -> Iterator[Fact]:
    bindings = document.get("bindings")
    trigger = next(
        (b for b in (bindings.list if bindings is not None else []) if b.at("type").endswith("rigger")), None
    )
    if trigger is None:
        return
    timer = trigger.at("type") == "timerTrigger"
    off = document.at("disabled").lower() == "true"
    starts = "schedule" if timer else None if trigger.at("type") == "httpTrigger" else "event"
    script = document.at("scriptFile") or "__init__.py"
    yield resource(
        "function", Site(path, trigger.line_of("type")), "azure-functions", attributes(document),
        id=posixpath.basename(posixpath.dirname(path)), runs=(beside(path, script),), unit=path,
        triggers=None if off else starts, schedule=trigger.at("schedule") if timer else None, enabled="no" if off else None,
    )  # fmt: skip
