"""Requirements and constraints files of pip."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from itertools import pairwise

from mlops_audit.packages import FREEZE, Manifest, Package, beside, development, requirement, unique


def manifest(path: str, text: str) -> Manifest | None:
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
