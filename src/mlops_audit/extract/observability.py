"""Monitoring configurations: alerts, scrape targets, receivers, dashboards and collectors of logs and traces."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from mlops_audit import parse
from mlops_audit.facts import Fact, Site
from mlops_audit.parse.nodes import MAX_BYTES, Node, ParseFailure, decode
from mlops_audit.resources import MAX_STEPS, attributes, resource
from mlops_audit.templates import is_template, mask

# What a document of YAML must have for one of the readers below; looked for in the bytes before anything is parsed.
MARKS = (b"groups", b"scrape_configs", b"receivers", b"exporters", b"filebeat", b"metricbeat", b"schema_config",
         b"datasources", b"contactPoints", b"sinks", b"additionalPrometheusRules", b"apm-server", b"heartbeat", b'"panels"')  # fmt: skip
# Objects of Kubernetes that hold whole files, and under which keys.
HOLDERS = {"ConfigMap": "data", "Secret": "stringData"}
CLASSIC = (
    ("fluent-bit", re.compile(r"^[ \t]*\[(?:INPUT|OUTPUT|SERVICE)\][ \t]*$", re.MULTILINE | re.IGNORECASE)),
    ("fluentd", re.compile(r"^[ \t]*<(?:source|match)\b[^>\n]*>", re.MULTILINE)),
    ("logstash", re.compile(r"^[ \t]*(?:input|output)[ \t]*\{", re.MULTILINE)),
    ("telegraf", re.compile(r"^[ \t]*\[\[(?:inputs|outputs)\.\w+", re.MULTILINE)),
)
QUERIES = ("expr", "query", "rawSql", "rawQuery", "expression", "target", "definition")


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of a monitoring configuration, told by its shape; nothing for any other file."""
    lower = path.lower()
    if lower.endswith(".json"):
        return _json(path, data)
    if lower.endswith((".conf", ".toml")):
        return list(_classic(path, data))
    if not any(mark in data for mark in MARKS):
        return ()
    return list(_yaml(path, data))


# ------------------------------------------------------------------------------------------------------ YAML


def _yaml(path: str, data: bytes) -> Iterator[Fact]:
    text = decode(data)
    helm = is_template(text) and bool(re.search(r"\.Values\b|\.Release\b|\{\{-|\{%", text))
    if helm and b"alert:" not in data:
        return
    masked = mask(text) if helm else None
    try:
        documents = parse.yaml(masked.text.encode() if masked is not None else data)
    except ParseFailure:
        if helm or is_template(text):  # templates that are no YAML: another extractor tells of them
            return
        raise
    for document in documents:
        yield from _document(path, document)


def _document(path: str, document: Node) -> Iterator[Fact]:
    groups = document.get("groups") or document.get("spec", "groups")
    if groups is not None:
        yield from _rules(path, groups, "grafana" if document.at("apiVersion") == "1" else "prometheus")
    extra = document.get("additionalPrometheusRulesMap") or document.get("additionalPrometheusRules")
    if extra is not None:
        for _, item in extra.items or [("", item) for item in extra.list]:
            yield from _rules(path, item.get("groups"), "prometheus")
    if document.at("apiVersion") and document.at("kind"):
        yield from _held(path, document)
        return  # the rest are files of their own, and no custom resources
    receivers = document.get("receivers")
    if document.get("exporters") is not None and document.get("service", "pipelines") is not None:
        yield _collector(path, document, "service", "opentelemetry")
    elif receivers is not None and isinstance(receivers.value, list) and document.get("route") is not None:
        for item in receivers.list:
            yield from _receiver(path, item, "alertmanager")
    for item in _items(document.get("contactPoints")):
        yield from _receiver(path, item, "grafana")
    managers = document.get("alerting", "alertmanagers")
    if managers is not None:
        held = attributes(managers)
        told = any(held[key] and (key.endswith("targets") or "_sd_configs" in key) for key in held)
        site = Site(path, document.line_of("alerting"))
        yield resource("alerting", site, "prometheus", held, enabled=None if told else "no")
    scrapes = document.get("scrape_configs")
    if scrapes is not None:
        system = (
            "promtail" if document.get("clients") is not None or document.get("positions") is not None else ""
        )
        if system:
            yield _collector(path, document, "scrape_configs", system)
        for item in scrapes.list:
            if item.at("job_name"):
                yield resource(
                    "scrape",
                    Site(path, item.line),
                    system or "prometheus",
                    attributes(item),
                    id=item.at("job_name"),
                )
    for item in _items(document.get("datasources")):
        if item.at("type"):
            yield resource(
                "datasource", Site(path, item.line), "grafana", attributes(item), id=item.at("name")
            )
    yield from _yaml_collectors(path, document)


def _held(path: str, document: Node) -> Iterator[Fact]:
    """The facts of the files that a ConfigMap or Secret holds, at the lines where they stand in it: those of a file that is
    written as one quoted text all at that."""
    files = document.get(HOLDERS.get(document.at("kind"), ""))
    if files is None:
        return
    for name, held in files.items:
        text = held.text
        if "\n" not in text:
            continue
        try:
            found = _json(path, text.encode()) if name.endswith(".json") else _file_of_yaml(path, text)
        except ParseFailure:
            continue  # a file in another format, or a template of what fills it in
        before = files.line_of(name)
        for fact in found:
            line = before if held.quoted else fact.site.line + before
            yield replace(fact, site=replace(fact.site, line=line))


def _file_of_yaml(path: str, text: str) -> list[Fact]:
    documents = parse.yaml(text.encode()) if any(mark.decode() in text for mark in MARKS) else ()
    return [
        fact
        for document in documents
        if not (document.at("apiVersion") and document.at("kind"))
        for fact in _document(path, document)
    ]


def _yaml_collectors(path: str, document: Node) -> Iterator[Fact]:
    keys = set(dict(document.items))
    if "schema_config" in keys and {"ingester", "limits_config", "storage_config", "common"} & keys:
        yield _collector(path, document, "schema_config", "loki")
    if "sinks" in keys and "sources" in keys:
        yield _collector(path, document, "sinks", "vector")
    for key in sorted(keys):
        beat = re.match(r"(filebeat|metricbeat|heartbeat|apm-server)(\.|$)", key)
        if beat:
            yield _collector(path, document, key, beat[1])
            return


def _items(node: Node | None) -> list[Node]:
    return node.list if node is not None else []


def _collector(path: str, document: Node, key: str, system: str) -> Fact:
    return resource("collector", Site(path, document.line_of(key)), system, attributes(document), id=system)


def _rules(path: str, groups: Node | None, system: str) -> Iterator[Fact]:
    """The alerting and recording rules of Prometheus, Loki and Grafana rule files."""
    for group in _items(groups):
        for rule in _items(group.get("rules")):
            alert, record, title = rule.at("alert"), rule.at("record"), rule.at("title")
            held = attributes(rule)
            if group.at("name"):
                held["group"] = group.at("name")
            if alert:
                yield resource("alert", Site(path, rule.line_of("alert")), "prometheus", held, id=alert)
            elif record:
                yield resource("recording", Site(path, rule.line_of("record")), "prometheus", held, id=record)
            elif title and rule.get("data") is not None:
                off = "no" if rule.at("isPaused").lower() == "true" else None
                held.update(_queries(rule))
                yield resource(
                    "alert", Site(path, rule.line_of("title")), system, held, id=title, enabled=off
                )


def _receiver(path: str, item: Node, system: str) -> Iterator[Fact]:
    name = item.at("name")
    if not name:
        return
    leads = any(key.endswith(("_configs", "_config")) and value.list for key, value in item.items) or (
        item.get("receivers") is not None
    )
    yield resource(
        "receiver",
        Site(path, item.line_of("name")),
        system,
        attributes(item),
        id=name,
        enabled=None if leads else "no",
    )


# ------------------------------------------------------------------------------------------------------ JSON


def _json(path: str, data: bytes) -> list[Fact]:
    if b'"panels"' in data and (b'"schemaVersion"' in data or b'"targets"' in data):
        return list(_grafana(path, parse.json_document(data)))
    if b'"widgets"' in data and (b'"layout_type"' in data or b'"metrics"' in data):
        return list(_widgets(path, parse.json_document(data)))
    if b'"query"' in data and re.search(rb'"type"\s*:\s*"[a-z ]*(alert|monitor)"', data):
        return list(_monitor(path, parse.json_document(data)))
    if b'"logs_collected"' in data or b'"metrics_collected"' in data:
        document = parse.json_document(data)
        return [resource("collector", Site(path, document.line), "cloudwatch-agent", attributes(document))]
    return []


def _grafana(path: str, document: Node) -> Iterator[Fact]:
    dashboard = document.get("dashboard") or document
    panels = dashboard.get("panels")
    if panels is None or not any(panel.items for panel in panels.list):
        return
    site = Site(path, dashboard.line_of("panels"))
    held = attributes(dashboard)
    held.update(_queries(dashboard))
    titles = dashboard.at("title")
    yield resource("dashboard", site, "grafana", held, id=dashboard.at("uid") or titles, title=titles)
    for panel in _panels(panels):
        alert = panel.get("alert")
        if alert is not None and alert.at("name"):
            inside = attributes(panel)
            inside.update(_queries(panel))
            yield resource("alert", Site(path, alert.line_of("name")), "grafana", inside, id=alert.at("name"))


def _panels(panels: Node) -> Iterator[Node]:
    for panel in panels.list:
        yield panel
        yield from _items(panel.get("panels"))


def _queries(node: Node) -> dict[str, tuple[str, ...]]:
    """The queries below a node, whatever their data source calls them, as `expr`."""
    found: dict[str, None] = {}
    stack = [node]
    for _ in range(MAX_STEPS):
        if not stack:
            break
        here = stack.pop()
        if isinstance(here.value, dict):
            found.update((child.text, None) for key, child in here.items if key in QUERIES and child.text)
            stack.extend(child for _, child in reversed(here.items))
        elif isinstance(here.value, list):
            stack.extend(reversed(here.value))
    return {"expr": tuple(found)} if found else {}


def _widgets(path: str, document: Node) -> Iterator[Fact]:
    widgets = document.get("widgets")
    if widgets is None or not isinstance(widgets.value, list):
        return
    system = "datadog" if document.at("layout_type") else "cloudwatch"
    held = attributes(document)
    held.update(_queries(document))
    title = document.at("title")
    yield resource("dashboard", Site(path, document.line_of("widgets")), system, held, id=title, title=title)


def _monitor(path: str, document: Node) -> Iterator[Fact]:
    for item in document.list:
        if item.at("query") and re.search(r"(alert|monitor)$", item.at("type")) and item.at("name"):
            held = attributes(item)
            held.update(_queries(item))
            yield resource("alert", Site(path, item.line_of("query")), "datadog", held, id=item.at("name"))


# --------------------------------------------------------------------------------------------- other formats


def _classic(path: str, data: bytes) -> Iterator[Fact]:
    """Collectors with a format of their own; their sections are looked at, not read."""
    if len(data) > MAX_BYTES:
        return
    text = decode(data)
    if path.lower().endswith(".toml"):
        if re.search(r"^[ \t]*\[sinks\.", text, re.MULTILINE) and re.search(
            r"^[ \t]*\[sources\.", text, re.MULTILINE
        ):
            document = parse.toml(data)
            yield _collector(path, document, "sinks", "vector")
        return
    for system, mark in CLASSIC:
        found = list(mark.finditer(text))
        if len(found) >= 2:
            line = text.count("\n", 0, found[0].start()) + 1
            name = posixpath.basename(path)
            yield resource("collector", Site(path, line), system, {"name": name}, id=system)
            return
