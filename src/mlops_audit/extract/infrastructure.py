"""Infrastructure projects declared by a file of their own: Pulumi, CDK, and Ansible playbooks."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator

from mlops_audit import parse
from mlops_audit.facts import Fact, Site
from mlops_audit.parse.nodes import Node
from mlops_audit.resources import attributes, beside, command, resource
from mlops_audit.shell import commands

# Modules of Ansible that run a command on the host.
RUNNERS = ("command", "shell", "ansible.builtin.command", "ansible.builtin.shell")
PLAY = re.compile(rb"^(?:- +|  +)hosts[ \t]*:", re.MULTILINE)
ITEM = re.compile(rb"^- ", re.MULTILINE)
PLAY_KEYS = frozenset({"tasks", "roles", "pre_tasks", "post_tasks", "handlers", "import_playbook"})


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The projects, apps and playbooks that a file declares."""
    name = posixpath.basename(path).lower()
    if name in ("cdk.json", "cdktf.json"):
        return list(_cdk(path, parse.json_document(data), name.removesuffix(".json")))
    if name in ("pulumi.yaml", "pulumi.yml"):
        return [fact for document in parse.yaml(data) for fact in _pulumi(path, document)]
    if name.endswith((".yaml", ".yml")) and PLAY.search(data) and ITEM.search(data):
        return [fact for document in parse.yaml(data) for fact in _playbook(path, document)]
    return ()


def _cdk(path: str, document: Node, system: str) -> Iterator[Fact]:
    app = document.at("app")
    if not app:
        return
    site = Site(path, document.line_of("app"))
    folder = beside(path, ".")
    found = commands(app, site.line, folder)
    runs = tuple(
        dict.fromkeys(
            beside(path, word) for c in found for word in c.words if word.endswith((".py", ".ts", ".js"))
        )
    )
    yield resource("app", site, system, attributes(document), id=app, runs=runs, unit=path)
    for one in found:
        yield command(path, one, path, system, entry="yes")


def _pulumi(path: str, document: Node) -> Iterator[Fact]:
    if not document.at("name") or document.get("runtime") is None:
        return
    runtime = document.at("runtime") or document.at("runtime", "name")
    main = document.at("main") or ("__main__.py" if runtime == "python" else "")
    if main and not posixpath.splitext(main)[1]:
        main = posixpath.join(main, "__main__.py")
    runs = (beside(path, main),) if main and runtime == "python" else None
    site = Site(path, document.line_of("name"))
    held = attributes(document)
    yield resource("project", site, "pulumi", held, id=document.at("name"), runs=runs, unit=path)
    section = document.get("resources")  # a program in YAML
    for name, body in section.items if section is not None else []:
        kind = body.at("type")
        if kind:
            inside = attributes(body.get("properties") or Node({}, body.line))
            line = section.line_of(name) if section is not None else body.line
            yield resource(kind, Site(path, line), "pulumi", inside, id=name, unit=f"{path}#{name}")


def _playbook(path: str, document: Node) -> Iterator[Fact]:
    for play in document.list if isinstance(document.value, list) else []:
        if (
            not isinstance(play.value, dict)
            or "hosts" not in play.value
            or not (PLAY_KEYS & play.value.keys())
        ):
            continue
        name = play.at("name") or play.at("hosts")
        roles = play.get("roles")
        runs = tuple(
            beside(path, f"roles/{role.text or role.at('role') or role.at('name')}/tasks/main.yml")
            for role in (roles.list if roles is not None else [])
        )
        unit = f"{path}#{name}"
        line = play.line_of("hosts")
        yield resource(
            "playbook", Site(path, line), "ansible", attributes(play), id=name, unit=unit, runs=runs
        )
        for section in ("pre_tasks", "tasks", "post_tasks", "handlers"):
            tasks = play.get(section)
            for task in tasks.list if tasks is not None else []:
                yield from _task(path, task, unit)


def _task(path: str, task: Node, unit: str) -> Iterator[Fact]:
    for key in RUNNERS:
        node = task.get(key)
        if node is None:
            continue
        text = (
            node.text
            or node.at("cmd")
            or shlex.join(item.text for item in (node.get("argv") or Node([], 1)).list)
        )
        masked = "yes" if task.at("ignore_errors").lower() in ("true", "yes") else None
        for found in commands(text, task.line_of(key), "?"):
            yield command(
                path, found, unit, "ansible", step=task.at("name"), masked=masked, condition=task.at("when")
            )
