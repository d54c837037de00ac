"""What nobody looked at, and which verdicts it could have changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from posixpath import splitext
from typing import NamedTuple

from mlops_audit import extract as extractors
from mlops_audit.facts import Kind, Problem, Zone
from mlops_audit.globs import holds
from mlops_audit.judge import Finding, Verdict
from mlops_audit.rules import Clause, KindRule, Rule, Signal
from mlops_audit.tree import File, Tree, zone_of

BY_PATH = "file"  # the trait that rules ask for and that a path alone answers
ANYTHING = "."  # stands for files whose names are not known: a list of files that was cut short
# Languages in which services are written and whose code nobody here reads.
LANGUAGES: Mapping[str, str] = {
    ".rb": "Ruby", ".go": "Go", ".java": "Java", ".kt": "Kotlin", ".scala": "Scala", ".cs": "C#", ".fs": "F#", ".php": "PHP",
    ".rs": "Rust", ".cpp": "C++", ".cc": "C++", ".cxx": "C++", ".c": "C", ".swift": "Swift", ".jl": "Julia", ".ex": "Elixir",
    ".exs": "Elixir", ".erl": "Erlang", ".clj": "Clojure", ".hs": "Haskell", ".dart": "Dart", ".pl": "Perl", ".lua": "Lua",
}  # fmt: skip
FEW = 5  # files of such a language may be there for any reason
MOST = 500  # files that are looked at one by one for what they could have stated


class Unread(NamedTuple):
    """A file that was not read, or not to its end, with the kinds of fact that files of its name state."""

    path: str
    zone: Zone
    kinds: frozenset[Kind]

    def could_answer(self, signal: Signal) -> bool:
        """Whether a fact in this file could be what a signal asks for: its kind, its zone, its path."""
        if self.path == ANYTHING:
            return True
        if signal.kind not in self.kinds or self.zone not in signal.zones:
            return False
        return BY_PATH not in signal.where or holds((self.path,), signal.where[BY_PATH])


def unread_in(problems: Iterable[Problem], tree: Tree) -> list[Unread]:
    """The files that were not read, each with what it could have stated; a folder or list cut short could state anything."""
    zones = {file.path: file.zone for file in tree.files}
    found: dict[str, Unread] = {}
    for problem in problems:
        path = problem.site.path
        if problem.unread and len(found) >= MOST:
            return [*found.values(), Unread(ANYTHING, Zone.SOURCE, extractors.ANY)]
        if problem.unread and path not in found:
            kinds = extractors.ANY if path == ANYTHING or path not in zones else extractors.kinds_of(path)
            found[path] = Unread(path, zones.get(path) or zone_of(path), kinds)
    return list(found.values())


def other_languages(files: Iterable[File]) -> str:
    """The code of the project in languages that are not read: `37 files of Go, 12 of Ruby`, "" where there is hardly any."""
    counts = Counter(
        LANGUAGES.get(splitext(file.path)[1].lower(), "") for file in files if file.zone is not Zone.FOREIGN
    )
    found = [(count, language) for language, count in counts.items() if language and count >= FEW]
    told = [
        f"{count} of {language}" for count, language in sorted(found, key=lambda pair: (-pair[0], pair[1]))
    ]
    return ", ".join(told).replace(" of ", " files of ", 1)


def doubted(findings: Iterable[Finding], unread: Sequence[Unread]) -> list[Finding]:
    """The findings with what was not read taken into account.

    Missing becomes unknown where an unread file could answer a signal that makes a pass or a partial; so does a pass that
    asks that something be absent which an unread file could hold. A partial stays one: it names the files that could
    have made it a pass.
    """
    if not unread:
        return list(findings)
    return [_doubted(finding, unread) for finding in findings]


def _doubted(finding: Finding, unread: Sequence[Unread]) -> Finding:
    rule = finding.rule
    if finding.verdict is Verdict.MISSING:
        asked = _asked(rule, (*rule.passes, *rule.partial))
    elif finding.verdict is Verdict.PARTIAL:
        asked = _asked(rule, rule.passes)
    elif finding.verdict is Verdict.PASS:
        asked = [rule.signals[name] for name in _won(finding).none]
    else:
        return finding
    paths = tuple(file.path for file in unread if any(file.could_answer(signal) for signal in asked))
    if not paths:
        return finding
    if finding.verdict is Verdict.PARTIAL:
        return finding._replace(unread=paths)
    return finding._replace(verdict=Verdict.UNKNOWN, unread=paths)


def _asked(rule: Rule, clauses: Iterable[Clause]) -> list[Signal]:
    return [rule.signals[name] for clause in clauses for name in (*clause.all, *clause.any)]


def _won(finding: Finding) -> Clause:
    """The clause by which a finding passed: the first that its evidence answers."""
    found = {evidence.signal for evidence in finding.evidence}
    for clause in finding.rule.passes:
        if found.issuperset(clause.all) and sum(name in found for name in clause.any) >= min(
            clause.at_least, len(clause.any)
        ):
            return clause
    return Clause()


def undecided(kinds: Iterable[KindRule], told: Collection[str], unread: Sequence[Unread]) -> tuple[str, ...]:
    """The kinds of project that were not found and that an unread file could tell of."""
    return tuple(
        kind.id
        for kind in kinds
        if kind.id not in told
        and any(file.could_answer(signal) for file in unread for signal in _of_kind(kind))
    )


def _of_kind(kind: KindRule) -> list[Signal]:
    return [kind.signals[name] for clause in kind.when for name in (*clause.all, *clause.any)]
