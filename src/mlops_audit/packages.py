"""Declared packages of any ecosystem, whether they are pinned, and the facts of the file that declares them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mlops_audit.facts import Fact, Kind, Site, TraitValue
from mlops_audit.parse.nodes import Node

# Packages, all pinned and in alphabetical order: what `pip freeze` prints, not what a person chose.
FREEZE = 25
MAX_LINE = 4_096  # characters of one requirement: the parser of markers recurses

# Installers and build tools: their versions do not decide what the project computes.
INSTALLERS = frozenset({"pip", "setuptools", "wheel", "conda", "mamba"})
DEVELOPMENT = re.compile(
    r"(?:^|[-_./])(dev|develop|development|tests?|testing|docs?|documentation|lint|linting|style|format|ci|typing|"
    r"types|mypy|build|bench|benchmarks?|notebooks?|jupyter|debug|tools?|pre-commit|release)(?=$|[-_./])",
    re.IGNORECASE,
)
# What most requirements are: a name, extras, and one version, any of its line or a range of two.
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_NUMBERS = r"[ \t]*[0-9]+(?:\.[0-9]+)"
_VERSION = rf"{_NUMBERS}*(?:(?:a|b|rc|\.post|\.dev)[0-9]+)?"
_SIMPLE = re.compile(
    rf"({_NAME})[ \t]*(?:\[[ \t]*{_NAME}(?:[ \t]*,[ \t]*{_NAME})*[ \t]*\][ \t]*)?"
    rf"((?:==|[<>]=?){_VERSION}|=={_NUMBERS}*\.\*|~={_NUMBERS}+|>=?{_VERSION}[ \t]*,[ \t]*<=?{_VERSION})?"
)
_EXTRAS = re.compile(rf"\s*{_NAME}[ \t]*\[([^\[\]]*)\]")


class Package(NamedTuple):
    """One declared package: `version` as it is written; `pinned` to one exact version, file or commit."""

    name: str
    version: str = ""
    pinned: bool = False
    group: str = "main"
    line: int = 0
    transitive: bool = False  # not chosen by a person: the entry of a lock file or of a full freeze
    extras: str = ""  # as they are written, without the brackets
    when: str = ""  # the marker: the Python or system for which alone it is asked


@dataclass(frozen=True, slots=True)
class Manifest:
    """A file that declares an environment; the fields are the traits of docs/facts.md."""

    path: str
    form: str
    manager: str
    packages: tuple[Package, ...] = ()
    runtime: str = ""
    runtime_line: int = 0
    role: str = ""
    locks: str = ""
    lock: bool = False
    includes: tuple[str, ...] = ()
    count: int = -1  # of a lock whose entries are only counted


def normalised(name: str) -> str:
    """A package's name in the form in which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def development(name: str) -> str:
    """The word in the name of a file or group that says that it serves development only, "" for none."""
    found = DEVELOPMENT.search(name)
    return found[1].lower() if found else ""


def beside(path: str, name: str) -> str:
    """The path, relative to the root, of a file that `path` names relative to itself."""
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
    return joined.removeprefix("./")


def minor_version(specifier: str) -> str:
    """The version that a requirement on a language names exactly or to the minor, "" for a wider range.

    `3.11.4`, `==3.11.*`, `~=3.11.0`, `~3.11` and `>=3.11,<3.12` do; `>=3.9`, `^3.9` and `~=3.9` do not.
    """
    text = specifier.strip().strip("\"'")
    if exact := re.fullmatch(r"(?:===?|=)?\s*(\d+\.\d+(?:\.\d+)?)(?:[.-](?:\*|[xX]))?", text):
        return exact[1]
    if re.fullmatch(r"~\s*\d+\.\d+(?:\.\d+)?", text):
        return text.lstrip("~ ")
    if compatible := re.fullmatch(r"~=\s*(\d+\.\d+)\.\d+", text):
        return compatible[1]
    if between := re.fullmatch(r">=?\s*(\d+)\.(\d+)(?:\.\d+)?\s*,\s*<\s*(\d+)\.(\d+)(?:\.0)?", text):
        major, minor, above, below = map(int, between.groups())
        return f"{major}.{minor}" if (above, below) == (major, minor + 1) else ""
    return ""


def exact_specifier(specifier: str) -> bool:
    """Whether a version specifier of PEP 440 allows exactly one version: `==1.2` or `===x`, no `==1.2.*`."""
    return any(
        re.fullmatch(r"===?\s*[^*\s]+", part.strip()) is not None
        for part in specifier.strip("() ").split(",")
    )


def exact_reference(url: str) -> bool:
    """Whether a URL names one version: an archive with a version in its name, a commit, or a version tag."""
    address, _, fragment = url[:1_000].partition("#")
    if re.search(r"\b(sha256|sha512|md5)=", fragment):
        return True
    if address.startswith("file:"):
        return False
    if re.search(r"-\d[^/]*\.(whl|zip|tar\.gz|tar\.bz2|tgz|conda)$", address):
        return True
    reference = address.rpartition("@")[2] if "@" in address.rpartition("/")[2] else ""
    archive = re.search(r"/archive/(?:refs/tags/)?([^/]+?)\.(?:zip|tar\.gz)$", address)
    return fixed_reference(reference or (archive[1] if archive else ""))


def fixed_reference(reference: str) -> bool:
    """Whether a git reference is a commit or a version tag, not a branch."""
    return re.fullmatch(r"[0-9a-f]{7,40}|v?\d+(\.\d+)+[\w.+-]*", reference) is not None


def requirement(text: str, line: int = 0, group: str = "main", hashed: bool = False) -> Package | None:
    """A requirement of PEP 508, None for what is none or is part of the project itself (a path)."""
    found = _requirement(text.strip(), line, group, hashed)
    if found is None:
        return None
    extras = _EXTRAS.match(text)
    when = text.partition(";")[2].strip()
    return found._replace(extras=extras[1].strip() if extras else "", when=when) if extras or when else found


def _requirement(text: str, line: int, group: str, hashed: bool) -> Package | None:
    if not text or len(text) > MAX_LINE or text.startswith((".", "/", "~")):
        return None
    if re.match(r"(git|hg|svn|bzr)\+|https?://|file:", text):
        return _from_url(text, line, group)
    if simple := _SIMPLE.fullmatch(text):  # what the parser of packaging makes of it, without its import
        version = ",".join(sorted("".join(part.split()) for part in (simple[2] or "").split(",")))
        return Package(normalised(simple[1]), version, hashed or exact_specifier(version), group, line)
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(text)
    except (InvalidRequirement, ValueError, RecursionError):
        # versions that PEP 440 forbids (`===0.18ubuntu0.1`, `==2004d-custom_1`) stand in real freezes
        loose = re.fullmatch(
            r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*([=<>!~]=?=?\s*[^;\s]+)?\s*(?:;.*)?", text
        )
        if loose is None:
            return None
        version = loose[2] or ""
        return Package(normalised(loose[1]), version, hashed or exact_specifier(version), group, line)
    if parsed.url is not None:
        local = parsed.url.startswith(("file:", ".", "/"))
        pinned = hashed or (not local and exact_reference(parsed.url))
        return Package(normalised(parsed.name), parsed.url[:300], pinned, group, line)
    version = ",".join(sorted(part.strip() for part in str(parsed.specifier).split(",")))
    return Package(normalised(parsed.name), version, hashed or exact_specifier(version), group, line)


def requirements(node: Node | None, group: str) -> list[Package | None]:
    """The packages of a list of requirements, each of them as `requirement` gives it."""
    items = node.list if node is not None else []
    return [requirement(item.text, item.line, group) for item in items if item.text]


def _from_url(text: str, line: int, group: str) -> Package | None:
    url = text.split()[0].split(";")[0]
    if egg := re.search(r"#(?:.*&)?egg=([\w.-]+)", url):
        name = egg[1]
    else:
        last = re.sub(r"@[^/]*$", "", url.partition("#")[0].rstrip("/")).rpartition("/")[2]
        name = re.split(r"-\d|\.git$|\.zip$|\.tar", last)[0]
    return Package(normalised(name), url[:300], exact_reference(url), group, line) if name else None


def declared(manifest: Manifest) -> Iterator[Fact]:
    """The manifest and its packages as facts.

    Whether everything is pinned is asked of the packages that the file is for: the main ones, or all of them in a
    file that serves development only. Without any such package the trait `pinned` is absent.
    """
    chosen = [p for p in manifest.packages if p.group == "main" or manifest.role]
    asked = [p for p in chosen if p.name not in INSTALLERS] or chosen
    traits: dict[str, TraitValue] = {"form": manifest.form, "manager": manifest.manager}
    if manifest.lock:
        traits["pinned"] = "all"
    elif asked:
        fixed = sum(package.pinned for package in asked)
        traits["pinned"] = "all" if fixed == len(asked) else "some" if fixed else "none"
    traits["count"] = str(manifest.count if manifest.count >= 0 else len(manifest.packages))
    for name, value in (("runtime", manifest.runtime), ("role", manifest.role), ("locks", manifest.locks)):
        if value:
            traits[name] = value
    if manifest.includes:
        traits["includes"] = manifest.includes
    lines = [package.line for package in chosen if package.line] or [manifest.runtime_line]
    yield Fact(Kind.MANIFEST, manifest.path, Site(manifest.path, max(1, min(lines))), traits)
    for package in manifest.packages:
        yield _dependency(manifest, package)


def _dependency(manifest: Manifest, package: Package) -> Fact:
    traits: dict[str, TraitValue] = {
        "pinned": "yes" if package.pinned or manifest.lock else "no",
        "group": package.group,
        "manager": manifest.manager,
    }
    if package.version:
        traits["version"] = package.version
    if manifest.lock or package.transitive:
        traits["lock"] = "yes"
    if package.extras:
        traits["extras"] = package.extras
    if package.when:
        traits["when"] = package.when
    return Fact(Kind.DEPENDENCY, package.name, Site(manifest.path, package.line), traits)


def unique(packages: Iterable[Package | None]) -> tuple[Package, ...]:
    """The packages without gaps, once per name and group, the first of several."""
    found: dict[tuple[str, str], Package] = {}
    for package in packages:
        if package is not None:
            found.setdefault((package.name, package.group), package)
    return tuple(found.values())
