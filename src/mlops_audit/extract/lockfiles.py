"""Lock files of Python, conda and R: every package of an environment at one version."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from mlops_audit import parse
from mlops_audit.facts import Fact
from mlops_audit.packages import Manifest, Package, beside, declared, minor_version, normalised, unique
from mlops_audit.parse.nodes import Node, NotRead, ParseFailure, decode

MAX_BYTES = 20_000_000  # lock files are read line by line, and those of large projects are large
# file name -> (manager, the manifest that it locks)
TABLES = {"uv.lock": "uv", "poetry.lock": "poetry", "pdm.lock": "pdm"}


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of one lock file."""
    name = posixpath.basename(path).lower()
    if len(data) > MAX_BYTES:
        raise NotRead(f"larger than {MAX_BYTES} bytes")
    if name in TABLES or name.startswith("pylock"):
        return _declare(_tables(path, TABLES.get(name, "pip"), decode(data)))
    if name == "pipfile.lock":
        return _declare(_pipfile_lock(path, data))
    if name == "renv.lock":
        return _declare(_renv(path, data))
    if name.endswith((".yml", ".yaml")):
        return _declare(_conda_lock(path, decode(data)))
    return _declare(_explicit(path, decode(data)))


def _declare(manifest: Manifest | None) -> Iterator[Fact]:
    if manifest is not None and manifest.packages:
        yield from declared(manifest)


def _refuse_conflict(line: str, number: int) -> None:
    if line.startswith(("<<<<<<< ", ">>>>>>> ")):
        raise ParseFailure("a merge conflict", number)


def _tables(path: str, manager: str, text: str) -> Manifest:
    """uv.lock, poetry.lock, pdm.lock and pylock.toml: tables [[package]] with a name and a version."""
    packages: list[Package | None] = []
    runtime, runtime_line = "", 0
    table, name, version, start, own = "", "", "", 0, False
    for number, line in enumerate((text + "\n[end]").split("\n"), 1):
        _refuse_conflict(line, number)
        if line.startswith("["):
            if table in ("[[package]]", "[[packages]]") and name and not own:
                packages.append(Package(normalised(name), version, True, "main", start))
            table, name, version, start, own = line.strip(), "", "", number, False
            continue
        entry = re.match(
            r"(name|version|source|requires-python|requires_python|python-versions) = (.*)", line
        )
        if entry is None:
            continue
        key, value = entry[1], entry[2].strip().strip("\"'")
        if key == "name":
            name = value
        elif key == "version":
            version = value
        elif key == "source":
            own = re.search(r"\b(editable|virtual|directory)\b", value) is not None
        elif table in ("", "[metadata]"):
            runtime, runtime_line = minor_version(value), number
    source = beside(path, "pyproject.toml")
    return Manifest(path, "lock", manager, unique(packages), runtime, runtime_line, locks=source, lock=True)


def _pipfile_lock(path: str, data: bytes) -> Manifest:
    root = parse.json_document(data)
    packages = []
    for section, group in (("default", "main"), ("develop", "dev")):
        table = root.get(section)
        for name, node in table.items if table else []:
            line = table.line_of(name) if table else 0
            packages.append(Package(normalised(name), node.at("version"), True, group, line))
    requires = root.get("_meta", "requires") or Node({}, 1)
    key = "python_full_version" if requires.get("python_full_version") else "python_version"
    runtime, line = minor_version(requires.at(key)), requires.line_of(key)
    source = beside(path, "Pipfile")
    return Manifest(path, "lock", "pipenv", unique(packages), runtime, line, locks=source, lock=True)


def _renv(path: str, data: bytes) -> Manifest:
    root = parse.json_document(data)
    table = root.get("Packages") or Node({}, 1)
    packages = [
        Package(normalised(name), node.at("Version"), True, "main", table.line_of(name))
        for name, node in table.items
    ]
    language = root.get("R") or Node({}, 1)
    runtime, line = minor_version(language.at("Version")), language.line_of("Version")
    return Manifest(path, "renv", "renv", unique(packages), runtime, line, lock=True)


def _conda_lock(path: str, text: str) -> Manifest | None:
    """conda-lock.yml, line by line: items `- name:` with `version:`, once per platform and merged here."""
    packages: list[Package | None] = []
    name, start, runtime, runtime_line = "", 0, "", 0
    for number, line in enumerate(text.split("\n"), 1):
        _refuse_conflict(line, number)
        entry = re.match(r"(- | {2,4})(name|version): *(\S+)", line)
        if entry is None:
            continue
        value = entry[3].strip("\"'")
        if entry[2] == "name":
            name, start = value, number
        elif name in ("python", "r-base"):
            runtime, runtime_line, name = minor_version(value), start, ""
        elif name:
            packages.append(Package(normalised(name), value, True, "main", start))
            name = ""
    if "\npackage:" not in f"\n{text}":
        return None
    source = beside(path, "environment.yml")
    return Manifest(path, "lock", "conda", unique(packages), runtime, runtime_line, locks=source, lock=True)


def _explicit(path: str, text: str) -> Manifest | None:
    """A list of conda package URLs under @EXPLICIT."""
    if "@EXPLICIT" not in text[:5_000]:
        return None
    packages: list[Package | None] = []
    runtime, runtime_line = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        found = re.match(r"https?://\S*/([\w.+-]+?)-([\w.!+]+)-[\w.]+\.(?:conda|tar\.bz2)", line)
        if found and found[1] == "python":
            runtime, runtime_line = minor_version(found[2]), number
        elif found:
            packages.append(Package(normalised(found[1]), found[2], True, "main", number))
    return Manifest(path, "lock", "conda", unique(packages), runtime, runtime_line, lock=True)
