"""Configurations that package or serve a model: BentoML, Cog, Triton, MLServer, TorchServe, Spaces, buildpacks."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from mlops_audit import parse
from mlops_audit.facts import Fact, Site
from mlops_audit.parse.nodes import Node, NotRead, ParseFailure, decode
from mlops_audit.resources import attributes, beside, image, module_file, resource

TORCHSERVE_KEYS = frozenset({"inference_address", "management_address", "model_store", "load_models", "model_snapshot",
                             "default_workers_per_model", "job_queue_size"})  # fmt: skip
TOKEN = re.compile(
    r"#[^\n]*|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|[{}\[\]<>:,;]|[^\s{}\[\]<>:,;\"'#]+|\n"
)


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The serving resources that a file declares by its well-known name."""
    name = posixpath.basename(path).lower()
    if name in ("bentofile.yaml", "bentofile.yml"):
        return list(_bento(path, _first(parse.yaml(data))))
    if name in ("cog.yaml", "cog.yml"):
        return list(_cog(path, _first(parse.yaml(data))))
    if name == "config.pbtxt":
        return _triton(path, protobuf_text(decode(data)))
    if name.startswith("model_config_list") or name == "models.config":
        return _tensorflow_serving(path, protobuf_text(decode(data)))
    if name == "model-settings.json":
        return _mlserver(path, parse.json_document(data))
    if name.endswith("config.properties"):
        return _torchserve(path, data)
    if name == "project.toml" and b"buildpacks" in data:
        return list(_buildpacks(path, parse.toml(data)))
    if "readme" in name and name.endswith(".md") and data[:4].strip() == b"---":
        return _space(path, data)
    return ()


def _first(documents: list[Node]) -> Node:
    return documents[0] if documents else Node({}, 1)


def _bento(path: str, document: Node) -> Iterator[Fact]:
    if not document.items:
        return
    service = document.at("service")
    site = Site(path, document.line_of("service") if service else 1)
    yield resource(
        "service", site, "bentoml", attributes(document), id=document.at("name") or service,
        runs=module_file(path, service), unit=path,
    )  # fmt: skip
    yield from _packaged(path, document.get("docker"), "bentoml", "base_image")


def _cog(path: str, document: Node) -> Iterator[Fact]:
    held = attributes(document)
    for key, name in (("predict", "service"), ("train", "training")):
        handler = document.at(key)
        if handler:
            yield resource(
                name, Site(path, document.line_of(key)), "cog", held, id=handler, unit=path,
                runs=module_file(path, handler),
            )  # fmt: skip
    yield from _packaged(path, document.get("build"), "cog", "base_image")


def _packaged(path: str, settings: Node | None, system: str, base: str) -> Iterator[Fact]:
    """The image that a packager builds the project into: the base it names, or Python's at the version it names."""
    if settings is None:
        return
    reference, version = settings.at(base), settings.at("python_version")
    if reference:
        yield image(reference, Site(path, settings.line_of(base)), "base", system, own="yes", unit=path)
    elif version:
        site = Site(path, settings.line_of("python_version"))
        yield image(f"python:{version}", site, "base", system, own="yes", unit=path)


def _buildpacks(path: str, document: Node) -> Iterator[Fact]:
    settings = document.get("io", "buildpacks") or document.get("build")
    if settings is None or not ({"builder", "group", "buildpacks", "build"} & set(dict(settings.items))):
        return
    builder = settings.at("builder")
    yield resource("buildpack", Site(path, settings.line), "buildpacks", attributes(settings), unit=path)
    if builder:
        yield image(
            builder, Site(path, settings.line_of("builder")), "base", "buildpacks", own="yes", unit=path
        )


def _triton(path: str, document: Node) -> list[Fact]:
    if not ({"platform", "backend", "input", "instance_group", "ensemble_scheduling", "max_batch_size"} & set(
        dict(document.items))):  # fmt: skip
        return []
    name = document.at("name") or posixpath.basename(posixpath.dirname(path))
    return [
        resource("service", Site(path, document.line), "triton", attributes(document), id=name, unit=path)
    ]


def _tensorflow_serving(path: str, document: Node) -> list[Fact]:
    if document.get("model_config_list") is None:
        return []
    site = Site(path, document.line_of("model_config_list"))
    return [resource("service", site, "tensorflow-serving", attributes(document), unit=path)]


def _mlserver(path: str, document: Node) -> list[Fact]:
    implementation = document.at("implementation")
    site = Site(path, document.line_of("implementation") if implementation else 1)
    runs = module_file(path, implementation.rpartition(".")[0]) if "." in implementation else ()
    if implementation.startswith("mlserver"):
        runs = ()
    return [
        resource(
            "service", site, "mlserver", attributes(document), id=document.at("name"), runs=runs, unit=path
        )
    ]


def _torchserve(path: str, data: bytes) -> list[Fact]:
    document = parse.ini(data)
    known = [key for key, _ in document.items if key in TORCHSERVE_KEYS]
    if not known:
        return []
    return [
        resource(
            "service", Site(path, document.line_of(known[0])), "torchserve", attributes(document), unit=path
        )
    ]


def _space(path: str, data: bytes) -> list[Fact]:
    """A Space of the Hugging Face hub, declared in the front matter of its README."""
    text = decode(data)
    end = text.find("\n---", 3)
    if end < 0 or not re.search(r"^sdk\s*:", text[:end], re.MULTILINE):
        return []
    document = _first(parse.yaml(("\n" + text[3:end].lstrip("-").lstrip("\n")).encode()))
    sdk = document.at("sdk")
    app = (
        "Dockerfile" if sdk == "docker" else document.at("app_file") or ("" if sdk == "static" else "app.py")
    )
    runs = (beside(path, app),) if app else ()
    site = Site(path, document.line_of("sdk"))
    return [
        resource("space", site, "huggingface", attributes(document), id=document.at("title"), runs=runs,
                 unit=path, triggers="continuous")
    ]  # fmt: skip


def protobuf_text(text: str) -> Node:
    """A protocol buffer in text form as a Node: fields that stand several times become lists.

    Raises ParseFailure for brackets that do not match.
    """
    root: dict[str, list[Node]] = {}
    stack: list[tuple[dict[str, list[Node]], int, str]] = [(root, 1, "")]
    line, name = 1, ""
    for found in _tokens(text):
        token = found[0]
        fields = stack[-1][0]
        if token == "\n":
            line += 1
        elif token[0] in "#:,;":
            continue
        elif token in "{<":
            if len(stack) > 64:
                raise NotRead("nested too deeply", line)
            stack.append(({}, line, name))
        elif token in "}>":
            if len(stack) == 1:
                raise ParseFailure("a closing bracket without an opening one", line)
            closed, opened, key = stack.pop()
            stack[-1][0].setdefault(key, []).append(_message(closed, opened))
            name = key if stack[-1][2] == "[" else ""
        elif token in "[]":
            continue
        elif not name or _begins_a_field(text, found.end()):
            name = token
        else:
            fields.setdefault(name, []).append(Node(token.strip("\"'"), line, quoted=token[0] in "\"'"))
    if len(stack) > 1:
        raise ParseFailure("an opening bracket without a closing one", stack[-1][1])
    return _message(root, next((nodes[0].line for nodes in root.values() if nodes), 1))


def _tokens(text: str) -> Iterator[re.Match[str]]:
    """The tokens of a text. Where a text in quotes is not closed, none of its line is looked for again: all further quotes
    of the line are escaped too, and each would ask for the whole rest."""
    at, unclosed = 0, {'"': -1, "'": -1}
    while at < len(text):
        sign = text[at]
        found = None if unclosed.get(sign, -1) >= at else TOKEN.match(text, at)
        if found is None and sign in unclosed and unclosed[sign] < at:
            end = text.find("\n", at)
            unclosed[sign] = end if end >= 0 else len(text)
        if found is not None:
            yield found
        at = found.end() if found is not None else at + 1


def _begins_a_field(text: str, at: int) -> bool:
    """Whether a colon or an opening bracket follows: a field's name stands before it."""
    follows = re.compile(r"[ \t]*([:{<\[])").match(text, at)
    return follows is not None


def _message(fields: dict[str, list[Node]], line: int) -> Node:
    held = {
        key: nodes[0] if len(nodes) == 1 else Node(nodes, nodes[0].line)
        for key, nodes in fields.items()
        if nodes
    }
    return Node(held, line, keys={key: node.line for key, node in held.items()})
