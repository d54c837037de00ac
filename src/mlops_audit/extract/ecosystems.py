"""Manifests of other languages than Python: npm, Go, the JVM, Ruby, Rust and R packages."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator

from mlops_audit import parse
from mlops_audit.facts import Fact
from mlops_audit.packages import Manifest, Package, beside, declared, fixed_reference, normalised, unique
from mlops_audit.parse.nodes import MAX_BYTES, Node, NotRead, decode

EXACT = re.compile(r"v?\d+(\.\d+)*([.+-][\w.+-]*)?")
NPM_LOCKS = ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock")


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of one manifest."""
    name = posixpath.basename(path).lower()
    if name in NPM_LOCKS:
        return _declare(_npm_lock(path, name, data))
    if len(data) > MAX_BYTES:
        raise NotRead(f"larger than {MAX_BYTES} bytes")
    for end, reader in READERS:
        if name.startswith(end):
            return _declare(reader(path, data))
    return ()


def _declare(manifest: Manifest | None) -> Iterator[Fact]:
    if manifest is not None and (manifest.packages or manifest.runtime or manifest.count > 0):
        yield from declared(manifest)


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _package_json(path: str, data: bytes) -> Manifest:
    root = parse.json_document(data)
    packages = []
    for section, group in (
        ("dependencies", "main"),
        ("devDependencies", "dev"),
        ("optionalDependencies", "optional"),
    ):
        table = root.get(section) or Node({}, 1)
        for name, node in table.items:
            pinned = re.fullmatch(r"=?v?\d+\.\d+\.\d+([+-][\w.+-]*)?", node.text) is not None
            pinned = pinned or fixed_reference(node.text.rpartition("#")[2])
            packages.append(Package(name.lower(), node.text, pinned, group, table.line_of(name)))
    return Manifest(path, "npm", "npm", unique(packages))


def _npm_lock(path: str, name: str, data: bytes) -> Manifest:
    """Only the number of entries: what npm resolves says nothing of the machine learning."""
    if len(data) > 20_000_000:
        raise NotRead("larger than 20000000 bytes")
    text = decode(data)
    pattern = {
        "yarn.lock": r'^ {2}"?version"?:? ',
        "pnpm-lock.yaml": r"^ {4}resolution:",
        "bun.lock": r'^ {4}"[^"]+": \["',
    }.get(name, r'^\s+"resolved":')
    count = len(re.findall(pattern, text, re.MULTILINE))
    manager = {"yarn.lock": "yarn", "pnpm-lock.yaml": "pnpm", "bun.lock": "bun"}.get(name, "npm")
    return Manifest(path, "lock", manager, locks=beside(path, "package.json"), lock=True, count=count)


def _go(path: str, data: bytes) -> Manifest:
    packages: list[Package | None] = []
    runtime, runtime_line = "", 0
    for number, line in enumerate(decode(data).split("\n"), 1):
        if found := re.match(r"(?:require\s+|\t|\s+)([\w./~-]+)\s+(v\d\S*)(\s*// indirect)?", line):
            packages.append(Package(found[1].lower(), found[2], True, "main", number, bool(found[3])))
        elif found := re.match(r"go (\d+\.\d+(?:\.\d+)?)\s*$", line):
            runtime, runtime_line = found[1], number
    return Manifest(path, "go", "go", unique(packages), runtime, runtime_line)


def _pom(path: str, data: bytes) -> Manifest:
    text = re.sub(
        r"<!--.*?(?:-->|\Z)", lambda found: "\n" * found[0].count("\n"), decode(data), flags=re.DOTALL
    )
    values = {key: value.strip() for key, value in re.findall(r"<([\w.-]+)>([^<>]{1,200})</\1>", text)}
    packages = []
    at, line = 0, 1
    for block in text.split("<dependency>")[1:]:
        before = text.index("<dependency>", at)
        line, at = line + text.count("\n", at, before), before + 1
        entry = block.partition("</dependency>")[0][:4_000]
        fields = dict(re.findall(r"<(groupId|artifactId|version|scope)>([^<>]{1,200})</", entry))
        version = re.sub(
            r"\$\{([\w.-]+)\}", lambda m: values.get(m[1], m[0]), fields.get("version", "").strip()
        )
        name = f"{fields.get('groupId', '')}:{fields.get('artifactId', '')}".lower()
        group = "test" if fields.get("scope") == "test" else "main"
        pinned = EXACT.fullmatch(version) is not None
        packages.append(Package(name, version, pinned, group, line))
    keys = ("maven.compiler.release", "java.version", "maven.compiler.source", "release")
    runtime = next((values[key] for key in keys if re.fullmatch(r"\d+(\.\d+)?", values.get(key, ""))), "")
    return Manifest(path, "maven", "maven", unique(packages), runtime)


def _gradle(path: str, data: bytes) -> Manifest:
    text = decode(data)
    packages = []
    pattern = r"""^[ \t]*(\w+)[ (]+(?:platform\()?["']([\w.-]+:[\w.-]+)(?::([^"'@:]*))?["']"""
    for found in re.finditer(pattern, text, re.MULTILINE):
        version = found[3] or ""
        group = "test" if "test" in found[1].lower() else "main"
        pinned = EXACT.fullmatch(version) is not None and "+" not in version
        packages.append(Package(found[2].lower(), version, pinned, group, _line(text, found.start(1))))
    runtime = re.search(
        r"JavaLanguageVersion\.of\((\d+)\)|sourceCompatibility\s*=\s*\D{0,25}(\d+(?:\.\d+)?)", text
    )
    return Manifest(path, "gradle", "gradle", unique(packages), (runtime[1] or runtime[2]) if runtime else "")


def _sbt(path: str, data: bytes) -> Manifest:
    text = decode(data)
    values = dict(re.findall(r'\bval\s+(\w+)\s*=\s*"([^"]{1,100})"', text))
    packages = []
    for found in re.finditer(
        r'"([\w.-]+)"\s*%{1,3}\s*"([\w.-]+)"\s*%\s*("[^"]+"|\w+)(\s*%\s*"?test)?', text, re.I
    ):
        version = str(values.get(found[3], found[3])).strip('"')
        name, pinned = f"{found[1]}:{found[2]}".lower(), EXACT.fullmatch(version) is not None
        packages.append(
            Package(name, version, pinned, "test" if found[4] else "main", _line(text, found.start()))
        )
    runtime = re.search(r'scalaVersion\s*:=\s*"(\d+\.\d+[\d.]*)"', text)
    return Manifest(path, "sbt", "sbt", unique(packages), runtime[1] if runtime else "")


def _gemfile(path: str, data: bytes) -> Manifest:
    packages: list[Package | None] = []
    runtime, runtime_line, group = "", 0, "main"
    for number, line in enumerate(decode(data).split("\n"), 1):
        if found := re.match(r"""\s*gem\s*\(?\s*["']([\w.-]+)["']\s*(?:,\s*["']([^"']*)["'])?""", line):
            version = found[2] or ""
            packages.append(
                Package(normalised(found[1]), version, EXACT.fullmatch(version) is not None, group, number)
            )
        elif found := re.match(r"\s*group\s+:(\w+)", line):
            group = "dev" if found[1] in ("development", "test") else found[1]
        elif re.match(r"\s*end\b", line):
            group = "main"
        elif found := re.match(r"""ruby\s+["']~?>?\s*(\d+\.\d+(?:\.\d+)?)["']""", line):
            runtime, runtime_line = found[1], number
    return Manifest(path, "gem", "bundler", unique(packages), runtime, runtime_line)


def _gemfile_lock(path: str, data: bytes) -> Manifest:
    rows = enumerate(decode(data).split("\n"), 1)
    entries = ((n, re.fullmatch(r" {4}([\w.-]+) \(([^)]+)\)", line)) for n, line in rows)
    packages = [Package(normalised(found[1]), found[2], True, "main", n) for n, found in entries if found]
    return Manifest(path, "lock", "bundler", unique(packages), locks=beside(path, "Gemfile"), lock=True)


def _cargo(path: str, data: bytes) -> Manifest:
    root = parse.toml(data)
    packages = []
    for section, group in (
        ("dependencies", "main"),
        ("dev-dependencies", "dev"),
        ("build-dependencies", "build"),
    ):
        table = root.get(section) or Node({}, 1)
        for name, node in table.items:
            version = node.text or node.at("version")
            pinned = version.strip().startswith("=") or fixed_reference(node.at("rev") or node.at("tag"))
            if node.get("path") is None:
                packages.append(Package(normalised(name), version, pinned, group, table.line_of(name)))
    return Manifest(path, "cargo", "cargo", unique(packages))


def _cargo_lock(path: str, data: bytes) -> Manifest:
    count = len(re.findall(rb"^\[\[package\]\]", data, re.MULTILINE))
    return Manifest(path, "lock", "cargo", locks=beside(path, "Cargo.toml"), lock=True, count=count)


def _description(path: str, data: bytes) -> Manifest | None:
    """The DESCRIPTION of an R package or project."""
    text = decode(data)
    if not re.search(r"^(Package|Type|Imports|Depends):", text, re.MULTILINE):
        return None
    packages: list[Package | None] = []
    field = ""
    for number, line in enumerate(text.split("\n"), 1):
        if opened := re.match(r"([A-Za-z@/]+):(.*)", line):
            field, line = opened[1], opened[2]
        group = {"Imports": "main", "Depends": "main", "LinkingTo": "main", "Suggests": "dev"}.get(field)
        for name, version in (
            re.findall(r"([A-Za-z][\w.]+|R)\s*(?:\(([^)]*)\))?\s*(?:,|$)", line) if group else []
        ):
            if name != "R":
                pinned = version.strip().startswith("==")
                packages.append(Package(normalised(name), version.strip(), pinned, group or "main", number))
    return Manifest(path, "description", "r", unique(packages))


READERS: tuple[tuple[str, Callable[[str, bytes], Manifest | None]], ...] = (
    ("package.json", _package_json),
    ("go.mod", _go),
    ("pom.xml", _pom),
    ("build.gradle", _gradle),
    ("build.sbt", _sbt),
    ("gemfile.lock", _gemfile_lock),
    ("gemfile", _gemfile),
    ("cargo.toml", _cargo),
    ("cargo.lock", _cargo_lock),
    ("description", _description),
)
