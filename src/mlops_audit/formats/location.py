"""Where a finding points: a real line wherever there is one, else the file where the fix would go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from mlops_audit.facts import Zone
from mlops_audit.formats.line_hash import line_hash
from mlops_audit.globs import globs
from mlops_audit.hashes import sha256
from mlops_audit.judge import Evidence, Finding, Verdict
from mlops_audit.parse.nodes import ParseFailure, decode
from mlops_audit.tree import File, Tree


class Location(NamedTuple):
    """A place in a file. `line` counts from 1, `end_column` is one past the line's last UTF-16 unit.

    `exists` is false for the expected path of a file that is not there. `line_hash` is the fingerprint of GitHub code
    scanning; `fingerprint` knows neither lines nor paths, so that a finding stays the same one while files move.
    """

    path: str
    line: int
    end_column: int
    exists: bool
    line_hash: str
    fingerprint: str


class Home(NamedTuple):
    """Where what a pillar's aspects ask for belongs: the kinds whose code creates the duty, files where a fix goes if
    they are there, and the file to expect when none is."""

    duties: tuple[str, ...]
    files: tuple[str, ...]
    expected: str


HOMES: Mapping[str, Home] = {
    "data": Home(("trains", "llm"), ("**/dvc.yaml", "**/params.yaml", "**/requirements*.txt"), "dvc.yaml"),
    "model": Home(("trains", "llm"), ("pyproject.toml", "**/requirements*.txt", "**/environment*.y*ml"), "pyproject.toml"),
    "deploy": Home(("serves",), ("**/Dockerfile*", "**/*compose*.y*ml", "pyproject.toml"), "Dockerfile"),
    "monitor": Home(("serves",), ("**/*compose*.y*ml", "**/Dockerfile*"), "monitoring/checks.py"),
    "cicd": Home(
        (),
        (
            ".github/workflows/*.y*ml", ".gitlab-ci.yml", "azure-pipelines.y*ml", "**/Jenkinsfile*",
            ".circleci/config.yml", "bitbucket-pipelines.yml", "**/cloudbuild.y*ml", ".buildkite/*.y*ml",
        ),
        ".github/workflows/ci.yml",
    ),
    "govern": Home((), ("**/MODEL_CARD*", "README*"), "MODEL_CARD.md"),
}  # fmt: skip
ANYWHERE = Home(("trains", "serves", "llm"), ("README*",), "README.md")


def locate(
    findings: Iterable[Finding], kinds: Mapping[str, Sequence[Evidence]], tree: Tree
) -> dict[str, Location]:
    """The location of each finding that is partial or missing, by aspect.

    In this order: what evidence a partial has; the code that creates the duty; a file where the fix would go; the path
    where a file would be expected.
    """
    files = {file.path: file for file in tree.files}
    text_of = cache(lambda path: _text(files[path]))
    line_of = cache(lambda path, line: _line(text_of(path), line))

    own = _Paths([file.path for file in tree.files if file.zone is not Zone.FOREIGN])
    located = {}
    for finding in findings:
        if finding.verdict in (Verdict.PARTIAL, Verdict.MISSING):
            path, line = _place(finding, kinds, own)
            located[finding.aspect.id] = _location(finding, path, line, path in files, line_of)
    return located


def _place(finding: Finding, kinds: Mapping[str, Sequence[Evidence]], own: _Paths) -> tuple[str, int]:
    """The path and line that a finding points at; line 0 when the file as a whole is meant."""
    for evidence in finding.evidence:
        return evidence.fact.site.path, 0 if evidence.fact.site.cell else evidence.fact.site.line
    home = HOMES.get(finding.aspect.pillar, ANYWHERE)
    within = f"{finding.project}/" if finding.project else ""
    for kind in (*finding.aspect.applies_to, *home.duties):
        found = kinds.get(kind)
        if found:
            site = next(
                (e.fact.site for e in found if e.fact.site.path.startswith(within)), found[0].fact.site
            )
            return site.path, 0 if site.cell else site.line
    return own.first(home.files, within) or within + home.expected, 0


class _Paths:
    """The paths of a tree in order, asked for the first that answers to globs."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths
        self._known: dict[tuple[tuple[str, ...], str], str] = {}

    def first(self, patterns: tuple[str, ...], within: str) -> str:
        """The first path, one below a folder before all others, that answers to the first glob that any answers to."""
        if (patterns, within) not in self._known:
            self._known[patterns, within] = next(self._all(patterns, within), "")
        return self._known[patterns, within]

    def _all(self, patterns: tuple[str, ...], within: str) -> Iterator[str]:
        for pattern in patterns:
            matches = globs((pattern,), True)
            yield from (path for path in self._paths if path.startswith(within) and matches(path))
            yield from filter(matches, self._paths)


def _location(
    finding: Finding,
    path: str,
    line: int,
    exists: bool,
    line_of: Callable[[str, int], tuple[int, int, str] | None],
) -> Location:
    own = _digest("mlops-audit/v1", finding.aspect.id, finding.project)
    found = line_of(path, line) if exists else None
    if found is None:
        return Location(path, 1, 1, exists, f"{_digest(finding.aspect.id, path)}:1", own)
    number, width, fingerprint = found
    return Location(path, number, width + 1, exists, fingerprint, own)


def _text(file: File) -> str | None:
    try:
        return decode(file.read())
    except ParseFailure:
        return None


def _line(text: str | None, line: int) -> tuple[int, int, str] | None:
    """A line of a text, the nearest that there is: its number, width in UTF-16 units and fingerprint."""
    if text is None:
        return None
    number = min(max(line, 1), text.count("\n") + 1)
    shown = text.split("\n", number)[number - 1]
    return number, len(shown.encode("utf-16-le", "surrogatepass")) // 2, line_hash(text, number)


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
