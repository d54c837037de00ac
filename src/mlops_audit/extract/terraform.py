"""Terraform and other HCL: resources, data sources, modules and Nomad jobs with their attributes; values of tfvars."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from mlops_audit import parse
from mlops_audit.facts import Fact, Kind, Site, TraitValue
from mlops_audit.parse.grammars import syntax_tree
from mlops_audit.parse.nodes import Node, ParseFailure
from mlops_audit.resources import MAX_TEXT, attributes, beside, collapse, image, resource

if TYPE_CHECKING:
    import tree_sitter

SCHEDULES = ("schedule", "schedule_expression", "cron", "schedule.cron", "schedule.quartz_cron_expression", "recurrence",
             "config.schedule_expression", "trigger.schedule", "schedule.0.quartz_cron_expression",
             "monitoring_schedule_config.schedule_config.schedule_expression")  # fmt: skip
EVENTS = re.compile(
    r"(event_pattern|event_trigger|event_source_arn|eventarc|bucket_notification|event_source_mapping)"
)
# Types that run as long as they stand.
CONTINUOUS = re.compile(
    r"(_ecs_service|_cloud_run(_v2)?_service|_cloudrun|_sagemaker_endpoint|_vertex_ai_endpoint|_app_service|_linux_web_app|"
    r"_container_app|_container_group|_apprunner_service|kubernetes_(deployment|stateful_set|daemonset)|_app_engine_\w+version|"
    r"machine_learning_online|online_(endpoint|deployment)|^helm_release|_model_serving)",
)
MAX_PATH = 500  # characters of a dotted path: what nests deeper than any real file is left out
FILES = re.compile(
    r"^(?:\$\{path\.(?:module|root|cwd)\}/)?((?:\.{1,2}/)*[\w./-]+\.(?:py|sh|ipynb|zip|R|sql|ya?ml|json))$"
)


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of a Terraform, Terragrunt, Packer or Nomad file, or of a file of variable values."""
    lower = path.lower()
    if lower.endswith(".tf.json"):
        return list(_json(path, parse.json_document(data)))
    if lower.endswith(".terraform.lock.hcl"):
        return ()
    root = syntax_tree("hcl", data)
    body = next((child for child in root.named_children if child.type == "body"), None)
    if body is None:
        if root.has_error:
            raise ParseFailure("no valid HCL", _first_error(root))
        return ()
    if lower.endswith(".tfvars"):
        return list(_values(path, body))
    facts = list(_body(path, body))
    if root.has_error and not facts:
        raise ParseFailure("no valid HCL", _first_error(root))
    return facts


def _first_error(root: tree_sitter.Node) -> int:
    wrong = next((child for child in root.children if child.type == "ERROR" or child.has_error), root)
    return wrong.start_point[0] + 1


def _body(path: str, body: tree_sitter.Node) -> Iterator[Fact]:
    for block in body.named_children:
        if block.type != "block":
            continue
        keyword, labels = _head(block)
        inside = next((child for child in block.named_children if child.type == "body"), None)
        site = Site(path, block.start_point[0] + 1)
        held = _attributes(inside) if inside is not None else {}
        if keyword in ("resource", "data") and len(labels) >= 2:
            yield from _resource(path, site, keyword, labels[0], labels[1], held)
        elif keyword == "module" and labels:
            source = _single(held.get("source"))
            runs = (beside(path, source),) if source.startswith(".") else None
            yield resource(
                "module", site, "terraform", held, id=labels[0], runs=runs, enabled=_switched(held), unit=path
            )
        elif keyword == "terraform" and inside is not None:
            yield from _settings(path, inside)
            source = _single(held.get("source"))
            if source:  # Terragrunt: this folder is that module with these inputs
                runs = (beside(path, source),) if source.startswith(".") else None
                yield resource(
                    "module", site, "terragrunt", {"source": source}, id=source, runs=runs, unit=path
                )
        elif keyword in ("locals", "variable") and inside is not None:
            yield from _named_values(path, inside, labels[0] if labels else "")
        elif keyword == "source" and len(labels) >= 2:
            yield resource(labels[0], site, "packer", held, id=labels[1], unit=path)
        elif keyword == "job" and labels and path.lower().endswith((".nomad", ".hcl")):
            service = _single(held.get("type")) in ("", "service", "system")
            periodic = tuple(
                v for k, v in held.items() if k.startswith("periodic.cron") and isinstance(v, str)
            )
            yield resource(
                "job", site, "nomad", held, id=labels[0], unit=path, schedule=periodic or None,
                triggers="schedule" if periodic else "continuous" if service else None,
            )  # fmt: skip


def _resource(
    path: str, site: Site, keyword: str, kind: str, name: str, held: dict[str, TraitValue]
) -> Iterator[Fact]:
    if keyword == "data":
        yield resource(f"data.{kind}", site, "terraform", held, id=name, form="data", enabled=_switched(held))
        return
    schedule = tuple(_single(held[key]) for key in SCHEDULES if key in held and _single(held[key]))
    if re.search(r"_autoscal|_scaling|appautoscaling|_schedule_group|snapshot|maintenance", kind):
        schedule_starts = False
    else:
        schedule_starts = bool(schedule)
    triggers: list[str] = []
    if schedule_starts:
        triggers.append("schedule")
    if EVENTS.search(kind) or any(EVENTS.search(key) for key in held):
        triggers.append("event")
    if kind.startswith("kubernetes_cron_job"):
        triggers.append("schedule")
        schedule = tuple(_single(v) for k, v in held.items() if k.endswith("spec.schedule"))
    if CONTINUOUS.search(kind):
        triggers.append("continuous")
    enabled = _switched(held)
    runs = _runs(path, held)
    if any(key.startswith("event_pattern") for key in held):
        held = {**held, **_awaited(held)}
    yield resource(
        kind, site, "terraform", held, id=name, unit=f"{path}#{kind}.{name}", runs=runs or None, enabled=enabled,
        triggers=None if enabled else tuple(triggers) or None, schedule=schedule if schedule_starts or "schedule" in triggers else None,
    )  # fmt: skip
    manifest = _single(held.get("manifest.kind"))
    if manifest:  # a Kubernetes resource written in HCL is one of its own kind too
        inside = {
            key.removeprefix("manifest."): value for key, value in held.items() if key.startswith("manifest.")
        }
        name_there = _single(held.get("manifest.metadata.name"))
        yield resource(
            manifest, site, "terraform", inside, id=name_there, enabled=enabled, unit=f"{path}#{kind}.{name}"
        )
    for key, value in held.items():
        if key.split(".")[-1] in ("image", "image_uri", "docker_image_name"):
            for reference in (value,) if isinstance(value, str) else value:
                is_name = re.fullmatch(r"[\w.${}-]*[/:][\w.${}/:@-]+", reference) is not None
                if is_name and not reference.startswith(("var.", "local.")):
                    yield image(reference, site, "pod", "terraform", unit=f"{path}#{kind}.{name}")


def _awaited(held: dict[str, TraitValue]) -> dict[str, TraitValue]:
    """The pattern of an event rule under the paths that it has in CloudFormation, whether it is text or `jsonencode`."""
    found = {
        "EventPattern" + key.removeprefix("event_pattern"): value
        for key, value in held.items()
        if key.startswith("event_pattern.")
    }
    text = _single(held.get("event_pattern"))
    if text.lstrip().startswith("{"):
        try:
            found.update(attributes(parse.json_document(text.encode()), "EventPattern"))
        except ParseFailure:
            return found
    return found


def _single(value: TraitValue | None) -> str:
    return value if isinstance(value, str) else value[0] if value else ""


def _switched(held: dict[str, TraitValue]) -> str | None:
    """`no` for a resource that is not created or does not run: `count = 0`, `enabled = false`, `state = "DISABLED"`."""
    off = _single(held.get("count")) == "0" or _single(held.get("is_enabled")).lower() == "false"
    off = (
        off
        or _single(held.get("enabled")).lower() == "false"
        or _single(held.get("paused")).lower() == "true"
    )
    return "no" if off or _single(held.get("state")).upper() in ("DISABLED", "PAUSED") else None


def _runs(path: str, held: dict[str, TraitValue]) -> tuple[str, ...]:
    """Files that a resource names relative to its own: scripts, specifications, the handler of a function."""
    found: dict[str, None] = {}
    folder = ""
    for key, value in held.items():
        for text in (value,) if isinstance(value, str) else value:
            place = FILES.match(text)
            if place and ("/" in text or text.endswith(".py")):
                found[beside(path, place[1])] = None
            if key.split(".")[-1] in ("source_dir", "source_path"):
                folder = re.sub(r"^\$\{path\.\w+\}/", "", text)
    handler = _single(held.get("handler"))
    if handler and re.fullmatch(r"[\w./-]+\.\w+", handler):
        module = handler.rpartition(".")[0].replace(".", "/")
        found[beside(path, posixpath.join(folder, module + ".py"))] = None
    return tuple(found)


def _settings(path: str, body: tree_sitter.Node) -> Iterator[Fact]:
    """The backend that a `terraform` block names: where the state is kept."""
    for block in body.named_children:
        if block.type == "block":
            keyword, labels = _head(block)
            inside = next((child for child in block.named_children if child.type == "body"), None)
            if keyword == "backend" and labels:
                held = _attributes(inside) if inside is not None else {}
                site = Site(path, block.start_point[0] + 1)
                yield resource("backend", site, "terraform", held, id=labels[0], unit=path)


def _values(path: str, body: tree_sitter.Node) -> Iterator[Fact]:
    """The values of a body as settings; each at the line of its attribute."""
    for attribute in body.named_children:
        if attribute.type == "attribute" and len(attribute.named_children) >= 2:
            yield from _value(path, _text(attribute.named_children[0]), attribute)


def _named_values(path: str, body: tree_sitter.Node, variable: str) -> Iterator[Fact]:
    """The local values, or the default of a variable, as settings."""
    for attribute in body.named_children:
        if attribute.type == "attribute" and len(attribute.named_children) >= 2:
            name = _text(attribute.named_children[0])
            if not variable or name == "default":
                yield from _value(path, variable or name, attribute)


def _value(path: str, name: str, attribute: tree_sitter.Node) -> Iterator[Fact]:
    found: dict[str, dict[str, None]] = {}
    _collect([(name, attribute.named_children[1])], found)
    for key, value in collapse(found).items():
        traits: dict[str, TraitValue] = {"value": value, "form": "config"}
        yield Fact(Kind.SETTING, key, Site(path, attribute.start_point[0] + 1), traits)


def _head(block: tree_sitter.Node) -> tuple[str, list[str]]:
    names = [c for c in block.named_children if c.type in ("identifier", "string_lit")]
    texts = [_text(c).strip('"') for c in names]
    return (texts[0], texts[1:]) if texts else ("", [])


def _text(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode("utf-8", errors="replace")


def _attributes(body: tree_sitter.Node) -> dict[str, TraitValue]:
    """Every attribute below a body under its dotted path; expressions as their text, literals without quotes."""
    found: dict[str, dict[str, None]] = {}
    _collect([("", body)], found)
    return collapse(found)


def _collect(stack: list[tuple[str, tree_sitter.Node]], found: dict[str, dict[str, None]]) -> None:
    while stack:
        prefix, here = stack.pop()
        if len(prefix) > MAX_PATH:
            continue
        if here.type == "body":
            stack.extend(
                reversed([(prefix, child) for child in here.named_children if child.type != "comment"])
            )
        elif here.type == "block":
            keyword, labels = _head(here)
            # `dynamic "setting" { content { ... } }` stands for blocks called setting
            name = labels[0] if keyword == "dynamic" and labels else keyword
            name = "" if keyword == "content" and prefix else name
            below = ".".join(part for part in (prefix, name) if part)
            inside = [child for child in here.named_children if child.type == "body"]
            if not inside:
                found.setdefault(below, {})[""] = None
            stack.extend((below, child) for child in inside)
        elif here.type == "attribute" and len(here.named_children) >= 2:
            name = _text(here.named_children[0])
            stack.append((f"{prefix}.{name}" if prefix else name, here.named_children[1]))
        elif here.type in ("expression", "collection_value", "tuple") and (inner := _inner(here)):
            stack.extend(reversed([(prefix, child) for child in inner]))
        elif here.type == "object":
            elements = [
                c for c in here.named_children if c.type == "object_elem" and len(c.named_children) >= 2
            ]
            for element in reversed(elements):
                key = _text(element.named_children[0]).strip('"')
                stack.append((f"{prefix}.{key}" if prefix else key, element.named_children[-1]))
        elif (
            here.type == "function_call"
            and _text(here.named_children[0]) == "jsonencode"
            and (inner := _arguments(here))
        ):
            stack.extend((prefix, child) for child in inner)
        elif prefix and here.type not in ("comment", "ERROR"):
            found.setdefault(prefix, {})[_literal(here)] = None


def _inner(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    """What an expression or list is made of when that is one value or a list of values; [] for other expressions."""
    children = [c for c in node.named_children if c.type not in ("comment", "tuple_start", "tuple_end")]
    if node.type == "expression" and len(children) != 1:
        return []
    if node.type == "collection_value" and len(children) != 1:
        return []
    return children


def _arguments(node: tree_sitter.Node) -> list[tree_sitter.Node]:
    arguments = next((c for c in node.named_children if c.type == "function_arguments"), None)
    return [c for c in arguments.named_children if c.type == "expression"] if arguments is not None else []


def _literal(node: tree_sitter.Node) -> str:
    text = _text(node).strip()
    if node.type in ("literal_value", "template_expr") and text.startswith('"') and text.endswith('"'):
        text = text[1:-1].replace('\\"', '"')
    elif text.startswith("<<"):
        text = text.partition("\n")[2].rpartition("\n")[0]
    return text[:MAX_TEXT]


def _json(path: str, document: Node) -> Iterator[Fact]:
    for keyword in ("resource", "data", "module"):
        section = document.get(keyword)
        for kind, named in section.items if section is not None else []:
            if keyword == "module":
                yield resource(
                    "module", Site(path, named.line), "terraform", attributes(named), id=kind, unit=path
                )
                continue
            for name, body in named.items:
                yield from _resource(
                    path, Site(path, named.line_of(name)), keyword, kind, name, attributes(body)
                )
