"""Manifests of Python and conda environments: which packages they declare, pinned or not, and which runtime."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from mlops_audit import parse
from mlops_audit.code.text import tree_of
from mlops_audit.facts import Fact
from mlops_audit.packages import (
    Manifest,
    Package,
    beside,
    declared,
    development,
    exact_reference,
    exact_specifier,
    fixed_reference,
    minor_version,
    normalised,
    requirement,
    unique,
)
from mlops_audit.parse.nodes import MAX_BYTES, Node, NotRead, ParseFailure, decode

FREEZE = (
    25  # packages, all pinned and in alphabetical order: what `pip freeze` prints, not what a person chose
)
LANGUAGES = frozenset({"python", "r", "java"})
INTERPRETERS = frozenset({"python", "r-base", "openjdk"})  # their names as conda packages


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of one manifest; nothing for a file that only looks like one by its name."""
    name = posixpath.basename(path).lower()
    if name == "pyproject.toml":
        return _declare(_pyproject(path, parse.toml(data)))
    if name == "setup.cfg":
        return _declare(_setup_cfg(path, parse.ini(data)))
    if name == "setup.py":
        return _declare(_setup_py(path, data))
    if name == "pipfile":
        return _declare(_pipfile(path, parse.toml(data)))
    if name.endswith(("conda-lock.yml", "conda-lock.yaml")):
        return ()
    if name.endswith((".yml", ".yaml")):
        return _declare(_environment(path, data))
    if name in (".python-version", "runtime.txt", ".tool-versions", "mise.toml", ".mise.toml"):
        return _declare(_runtime(path, name, data))
    return _declare(_requirements(path, decode(data)))


def _declare(manifest: Manifest | None) -> Iterator[Fact]:
    if manifest is not None and (manifest.packages or manifest.runtime or manifest.includes):
        yield from declared(manifest)


# ----------------------------------------------------------------------------------------------- requirements


def _requirements(path: str, text: str) -> Manifest | None:
    """A requirements or constraints file. A line that does not parse is skipped, as pip is not run here."""
    if "\x00" in text:
        return None
    packages: list[Package | None] = []
    includes: list[str] = []
    compiled = re.search(
        r"^#.*(?:pip-compile|uv pip compile|pip-tools|pdm export|poetry export)", text, re.MULTILINE
    )
    role = development(posixpath.basename(path).rpartition(".")[0])
    if posixpath.basename(posixpath.dirname(path)).lower() == "requirements" and not role:
        role = development(posixpath.basename(path))
    for line, logical, comment in _logical_lines(text):
        if option := re.match(r"(?:-r|--requirement|-c|--constraint)[\s=]*(\S+)", logical):
            includes.append(beside(path, option[1]))
            continue
        editable = re.match(r"(?:-e|--editable)[\s=]+(.*)", logical)
        if logical.startswith("-") and not editable:
            continue
        hashed = "--hash" in logical
        wanted = re.split(r"\s--?\w", editable[1] if editable else logical)[0]
        package = requirement(wanted, line, role or "main", hashed)
        if (
            package
            and compiled
            and re.search(r"\bvia\b", comment)
            and not re.search(r"via.*(-r |\.in\b|toml)", comment)
        ):
            package = package._replace(transitive=True)
        packages.append(package)
    found = unique(packages)
    names = [package.name for package in found]
    if len(found) >= FREEZE and all(p.pinned for p in found) and _nearly_sorted(names) and not compiled:
        found = tuple(package._replace(transitive=True) for package in found)
    form = "constraints" if posixpath.basename(path).lower().startswith("constraints") else "requirements"
    source = re.search(r"^#.*?([\w./-]+\.in|pyproject\.toml)\s*$", text, re.MULTILINE) if compiled else None
    locks = beside(path, posixpath.basename(source[1])) if source else ""
    return Manifest(path, form, "pip", found, role=role, locks=locks, includes=tuple(includes))


def _logical_lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Number, text and comments of each requirement: `\\` continues a line, comments below belong to it."""
    pending: tuple[int, str, str] | None = None
    joined, start = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        start = start or number
        if line.rstrip().endswith("\\") and len(joined) < 100_000 and not line.lstrip().startswith("#"):
            joined += line.rstrip()[:-1] + " "
            continue
        whole, joined, at, start = joined + line, "", start, 0
        before, mark, after = whole.partition("#") if whole.lstrip().startswith("#") else _comment(whole)
        if before.strip():
            if pending:
                yield pending
            pending = (at, before.strip(), after)
        elif mark and pending:
            pending = (pending[0], pending[1], f"{pending[2]} {after}"[:2_000])
        elif pending:
            yield pending
            pending = None
    if pending:
        yield pending


def _comment(line: str) -> tuple[str, str, str]:
    found = re.search(r"\s#", line)
    return (line[: found.start()], "#", line[found.end() :]) if found else (line, "", "")


def _nearly_sorted(names: list[str]) -> bool:
    steps = sum(before <= after for before, after in pairwise(names))
    return steps >= 0.95 * (len(names) - 1)


# --------------------------------------------------------------------------------------------------- pyproject


def _pyproject(path: str, root: Node) -> Manifest | None:
    project, poetry = root.get("project"), root.get("tool", "poetry")
    packages: list[Package | None] = []
    if project is not None:
        packages += _requirement_list(project.get("dependencies"), "main")
        packages += _groups(project.get("optional-dependencies"))
    packages += _groups(root.get("dependency-groups"))
    packages += _groups(root.get("tool", "pdm", "dev-dependencies"))
    packages += _requirement_list(root.get("tool", "uv", "dev-dependencies"), "dev")
    for name, environment in (root.get("tool", "hatch", "envs") or Node("", 0)).items:
        for key in ("dependencies", "extra-dependencies"):
            packages += _requirement_list(environment.get(key), name)
    runtime, line, manager = "", 0, _manager(root)
    if project is not None and (wanted := project.get("requires-python")):
        runtime, line = minor_version(wanted.text), project.line_of("requires-python")
    if poetry is not None:
        packages += _poetry_table(poetry.get("dependencies"), "main")
        packages += _poetry_table(poetry.get("dev-dependencies"), "dev")
        for group, node in (poetry.get("group") or Node("", 0)).items:
            packages += _poetry_table(node.get("dependencies"), group)
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
    return [
        package for name, node in (table.items if table else []) for package in _requirement_list(node, name)
    ]


def _requirement_list(node: Node | None, group: str) -> list[Package | None]:
    items = node.list if node is not None else []
    return [requirement(item.text, item.line, group) for item in items if item.text]


def _poetry_table(table: Node | None, group: str) -> list[Package | None]:
    """A table of Poetry or Pipenv: name = version, or name = {version, git, path ...}, or a list of those."""
    found: list[Package | None] = []
    for name, node in table.items if table else []:
        if name.lower() == "python":
            continue
        kinds = node.list or [node]
        if all(kind.get("path") is not None for kind in kinds):
            continue
        version = " || ".join(kind.text or kind.at("version") or _git(kind) for kind in kinds)
        pinned = all(_pinned_in_table(kind) for kind in kinds)
        optional = any(kind.at("optional") == "true" for kind in kinds)
        chosen = "optional" if optional and group == "main" else group
        found.append(Package(normalised(name), version, pinned, chosen, table.line_of(name) if table else 0))
    return found


def _pinned_in_table(node: Node) -> bool:
    if node.get("git") is not None:
        return any(fixed_reference(node.at(key)) for key in ("rev", "tag", "ref"))
    if address := node.at("url") or node.at("file"):
        return exact_reference(address)
    version = (node.text or node.at("version")).strip()
    return exact_specifier(version) or re.fullmatch(r"=?\s*v?\d+(\.\d+)*([a-z.+-]+\d*)*", version) is not None


def _git(node: Node) -> str:
    return "@".join(filter(None, (node.at("git") or node.at("url"), node.at("rev") or node.at("tag"))))


def _with_sources(root: Node, packages: tuple[Package, ...]) -> Iterator[Package]:
    """The packages with what [tool.uv.sources] says of where they come from; the workspace's own are left out."""
    sources = root.get("tool", "uv", "sources")
    kinds = {normalised(name): node.list for name, node in (sources.items if sources else [])}
    for package in packages:
        nodes = kinds.get(package.name, [])
        if any(node.get("path") or node.get("workspace") for node in nodes):
            continue
        fixed = bool(nodes) and all(
            (node.get("git") or node.get("url")) and _pinned_in_table(node) for node in nodes
        )
        yield package._replace(pinned=package.pinned or fixed)


def _pipfile(path: str, root: Node) -> Manifest:
    packages = [*_poetry_table(root.get("packages"), "main"), *_poetry_table(root.get("dev-packages"), "dev")]
    requires = root.get("requires") or Node({}, 1, keys={})
    key = "python_full_version" if requires.get("python_full_version") else "python_version"
    runtime = minor_version(requires.at(key))
    return Manifest(path, "pipfile", "pipenv", unique(packages), runtime, requires.line_of(key))


# ------------------------------------------------------------------------------------------------ setup.cfg/.py


def _setup_cfg(path: str, root: Node) -> Manifest:
    options = root.get("options") or Node({}, 1, keys={})
    packages = _lines(options.get("install_requires"), "main")
    for name, node in (root.get("options.extras_require") or Node("", 0)).items:
        packages += _lines(node, name)
    runtime = minor_version(options.at("python_requires"))
    includes = tuple(
        beside(path, file.strip()) for file in re.findall(r"file:\s*(\S+)", options.at("install_requires"))
    )
    line = options.line_of("python_requires")
    return Manifest(path, "setup", "setuptools", unique(packages), runtime, line, includes=includes)


def _lines(node: Node | None, group: str) -> list[Package | None]:
    if node is None or node.text.startswith("file:"):
        return []
    return [requirement(row, line, group) for line, row in enumerate(node.text.split("\n"), node.line)]


def _setup_py(path: str, data: bytes) -> Manifest | None:
    """What setup() is given as literals; nothing of it is run. The Python extractor reports a syntax error."""
    if len(data) > MAX_BYTES // 4:
        raise NotRead(f"larger than {MAX_BYTES // 4} bytes")
    try:
        module = tree_of(decode(data))
    except ParseFailure:
        return None
    constants = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if name == "setup":
                return _setup_call(path, node, constants)
    return None


def _setup_call(path: str, call: ast.Call, constants: dict[str, ast.expr]) -> Manifest:
    given = {word.arg: _resolved(word.value, constants) for word in call.keywords if word.arg}
    packages = _literals(given.get("install_requires"), "main", constants)
    extras = given.get("extras_require")
    if isinstance(extras, ast.Dict):
        for key, value in zip(extras.keys, extras.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                packages += _literals(_resolved(value, constants), key.value, constants)
    wanted = given.get("python_requires")
    runtime = minor_version(str(wanted.value)) if isinstance(wanted, ast.Constant) else ""
    line = wanted.lineno if wanted is not None else 0
    return Manifest(path, "setup", "setuptools", unique(packages), runtime, line)


def _resolved(value: ast.expr, constants: dict[str, ast.expr]) -> ast.expr:
    return constants.get(value.id, value) if isinstance(value, ast.Name) else value


def _literals(value: ast.expr | None, group: str, constants: dict[str, ast.expr]) -> list[Package | None]:
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        sides = (_resolved(value.left, constants), _resolved(value.right, constants))
        return [
            p for side in sides if not isinstance(side, ast.BinOp) for p in _literals(side, group, constants)
        ]
    if not isinstance(value, ast.List | ast.Tuple | ast.Set):
        return []
    texts = [item for item in value.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return [requirement(str(item.value), item.lineno, group) for item in texts]


# ------------------------------------------------------------------------------------------------ environments


def _environment(path: str, data: bytes) -> Manifest | None:
    """A conda environment, or one of the small formats like it; None for any other YAML."""
    documents = parse.yaml(data)
    root = documents[0] if len(documents) == 1 else Node("", 0)
    dependencies = root.get("dependencies")
    role = development(posixpath.basename(path).rpartition(".")[0])
    if root.get("python") is not None and (
        root.get("build_dependencies") or dependencies
    ):  # MLflow's python_env
        items = dependencies.list if dependencies else []
        includes = [beside(path, i.text[2:].strip()) for i in items if i.text.startswith("-r")]
        found = unique(requirement(i.text, i.line) for i in items if not i.text.startswith("-"))
        runtime, line = minor_version(root.at("python")), root.line_of("python")
        return Manifest(path, "python_env", "pip", found, runtime, line, includes=tuple(includes))
    if ray := root.get("python", "pip_packages"):  # an Anyscale or Ray cluster environment
        found = unique(_requirement_list(ray, "main"))
        return Manifest(path, "cluster_env", "pip", found)
    if dependencies is None or not isinstance(dependencies.value, list):
        return None
    if not all(item.text or item.get("pip") is not None for item in dependencies.list):
        return None
    if not any(root.get(key) for key in ("channels", "name", "prefix")) and dependencies.get("pip") is None:
        return None
    return _conda(path, dependencies, role)


def _conda(path: str, dependencies: Node, role: str) -> Manifest:
    packages: list[Package | None] = []
    includes: list[str] = []
    runtime, runtime_line = "", 0
    for item in dependencies.list:
        if (nested := item.get("pip")) is not None:
            for entry in nested.list:
                if option := re.match(r"(?:-r|-c|--requirement)[\s=]+(\S+)", entry.text):
                    includes.append(beside(path, option[1].removeprefix("file:")))
                elif not entry.text.startswith("-"):
                    packages.append(requirement(entry.text.split(" #")[0], entry.line, role or "main"))
            continue
        found = re.fullmatch(r"(?:[\w./-]+::)?([\w.-]+)\s*(?:\[[^\]]*\])?\s*(.*)", item.text.strip())
        if found is None:
            continue
        name, version = normalised(found[1]), found[2].strip()
        if name in INTERPRETERS:
            runtime = runtime or minor_version(re.sub(r"(?<=[\d*])[=\s].*", "", version).lstrip("= "))
            runtime = runtime or minor_version(version)
            runtime_line = item.line
            continue
        packages.append(Package(name, version, _exact_match(version), role or "main", item.line))
    found_packages = unique(packages)
    built = sum(1 for p in found_packages if re.search(r"\d=\w+_?\d*$", p.version))
    if (
        len(found_packages) >= FREEZE
        and all(p.pinned for p in found_packages)
        and built * 2 > len(found_packages)
    ):
        found_packages = tuple(package._replace(transitive=True) for package in found_packages)
    return Manifest(
        path, "conda", "conda", found_packages, runtime, runtime_line, role, includes=tuple(includes)
    )


def _exact_match(version: str) -> bool:
    """Whether a conda match specification allows one version: `==1.2`, `=1.2.3`, `=1.2=build`, `1.2 build`."""
    if "*" in version or re.search(r"[<>!~,|]", version):
        return False
    if re.fullmatch(r"==\s*[\w.+!]+", version):
        return True
    parts = re.fullmatch(r"=?\s*([\w.+!]+)(?:[=\s]\s*(\S+))?", version)
    if parts is None or not parts[1][0].isdigit():
        return False
    return bool(parts[2]) or not version.startswith("=") or parts[1].count(".") >= 2


# ----------------------------------------------------------------------------------------------------- runtime


def _runtime(path: str, name: str, data: bytes) -> Manifest | None:
    if name.endswith("mise.toml"):
        tools = parse.toml(data).get("tools") or Node("", 0)
        rows = [(tools.line_of(tool), tool, (node.list or [node])[0]) for tool, node in tools.items]
        versions = [(line, tool, node.text or node.at("version")) for line, tool, node in rows]
    else:
        lines = enumerate(decode(data)[:10_000].split("\n"), 1)
        versions = [(n, *_tool_version(name, line.partition("#")[0].strip())) for n, line in lines]
    for line, tool, version in versions:
        if tool.lower() in LANGUAGES and (runtime := minor_version(version.split("-")[0])):
            manager = {".tool-versions": "asdf", "mise.toml": "mise", ".mise.toml": "mise"}.get(name, "pyenv")
            return Manifest(path, "runtime", manager, (), runtime, line, count=0)
    return None


def _tool_version(name: str, line: str) -> tuple[str, str]:
    """The tool and version on a line of a runtime file."""
    if name == ".tool-versions":
        tool, _, version = line.partition(" ")
        return tool, (version.split() or [""])[0]
    if found := re.match(r"(python|r)-(\d[\d.]*)", line.lower()):
        return found[1], found[2]
    return "python", (line if name == ".python-version" else "").removeprefix("cpython-")
