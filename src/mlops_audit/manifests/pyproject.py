"""pyproject.toml: the standard tables, and those of Poetry, PDM, uv and Hatch."""

from __future__ import annotations

from collections.abc import Iterator

from mlops_audit.manifests.version_tables import pinned_in_table, version_table
from mlops_audit.packages import Manifest, Package, beside, minor_version, normalised, requirements, unique
from mlops_audit.parse.nodes import Node


def manifest(path: str, root: Node) -> Manifest:
    """The manifest of a project's file."""
    project, poetry = root.get("project"), root.get("tool", "poetry")
    packages: list[Package | None] = []
    if project is not None:
        packages += requirements(project.get("dependencies"), "main")
        packages += _groups(project.get("optional-dependencies"))
    packages += _groups(root.get("dependency-groups"))
    packages += _groups(root.get("tool", "pdm", "dev-dependencies"))
    packages += requirements(root.get("tool", "uv", "dev-dependencies"), "dev")
    for name, environment in (root.get("tool", "hatch", "envs") or Node("", 0)).items:
        for key in ("dependencies", "extra-dependencies"):
            packages += requirements(environment.get(key), name)
    runtime, line, manager = "", 0, _manager(root)
    if project is not None and (wanted := project.get("requires-python")):
        runtime, line = minor_version(wanted.text), project.line_of("requires-python")
    if poetry is not None:
        packages += version_table(poetry.get("dependencies"), "main")
        packages += version_table(poetry.get("dev-dependencies"), "dev")
        for group, node in (poetry.get("group") or Node("", 0)).items:
            packages += version_table(node.get("dependencies"), group)
        table = poetry.get("dependencies")
        if not runtime and table is not None and (wanted := table.get("python")):
            runtime, line = minor_version(wanted.text), table.line_of("python")
    own = normalised(project.at("name")) if project is not None else ""
    found = tuple(p for p in _with_sources(root, unique(packages)) if p.name != own)
    includes = tuple(
        beside(path, item.text)
        for _, node in (root.get("tool", "setuptools", "dynamic") or Node("", 0)).items
        for item in (node.get("file") or Node("", 0)).list
        if item.text.endswith((".txt", ".in"))
    )
    return Manifest(path, "pyproject", manager, found, runtime, line, includes=includes)


def _manager(root: Node) -> str:
    for name in ("poetry", "pdm", "uv", "pixi", "hatch"):
        node = root.get("tool", name)
        if node is not None and (name != "poetry" or node.get("dependencies") or node.get("group")):
            return name
    return "pip"


def _groups(table: Node | None) -> list[Package | None]:
    """The packages of named groups; entries such as {include-group = "x"} name no package."""
    return [package for name, node in (table.items if table else []) for package in requirements(node, name)]


def _with_sources(root: Node, packages: tuple[Package, ...]) -> Iterator[Package]:
    """The packages with what [tool.uv.sources] says of where they come from; the workspace's own are left out."""
    sources = root.get("tool", "uv", "sources")
    kinds = {normalised(name): node.list for name, node in (sources.items if sources else [])}
    for package in packages:
        nodes = kinds.get(package.name, [])
        if any(node.get("path") or node.get("workspace") for node in nodes):
            continue
        fixed = bool(nodes) and all(
            (node.get("git") or node.get("url")) and pinned_in_table(node) for node in nodes
        )
        yield package._replace(pinned=package.pinned or fixed)
