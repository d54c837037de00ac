"""Where a finding points: a real line wherever there is one, else the file where the fix would go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from mlops_audit.facts import Zone
from mlops_audit.formats.line_hash import line_hash
from mlops_audit.globs import globs
from mlops_audit.hashes import sha256
from mlops_audit.judge import Evidence, Finding, Verdict
from mlops_audit.parse import ParseFailure, decode
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
    lines: dict[tuple[str, int], tuple[int, int, str] | None] = {}

    def line_of(path: str, line: int) -> tuple[int, int, str] | None:
        if (path, line) not in lines:
            lines[path, line] = _line(files[path], line)
        return lines[path, line]

    located = {}
    for finding in findings:
        if finding.verdict in (Verdict.PARTIAL, Verdict.MISSING):
            path, line = _place(finding, kinds, tree.files)
            located[finding.aspect.id] = _location(finding, path, line, path in files, line_of)
    return located


def _place(
    finding: Finding, kinds: Mapping[str, Sequence[Evidence]], files: Sequence[File]
) -> tuple[str, int]:
    """The path and line that a finding points at; line 0 when the file as a whole is meant."""
    for evidence in finding.evidence:
        return evidence.fact.site.path, 0 if evidence.fact.site.cell else evidence.fact.site.line
    home = HOMES.get(finding.aspect.pillar, ANYWHERE)
    within = f"{finding.project}/" if finding.project else ""
    for kind in (*finding.aspect.applies_to, *home.duties):
        sites = [evidence.fact.site for evidence in kinds.get(kind, ())]
        for site in [s for s in sites if s.path.startswith(within)] or sites:
            return site.path, 0 if site.cell else site.line
    own = [file.path for file in files if file.zone is not Zone.FOREIGN]
    for pattern in home.files:
        matches = globs((pattern,), True)
        for path in [p for p in own if p.startswith(within)] + own:
            if matches(path):
                return path, 0
    return within + home.expected, 0


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


def _line(file: File, line: int) -> tuple[int, int, str] | None:
    """A line of a file, the nearest that there is: its number, width in UTF-16 units and fingerprint."""
    try:
        text = decode(file.read())
    except ParseFailure:
        return None
    number = min(max(line, 1), text.count("\n") + 1)
    shown = text.split("\n", number)[number - 1]
    return number, len(shown.encode("utf-16-le", "surrogatepass")) // 2, line_hash(text, number)


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
