"""Runs the examples of a rule pack and the laws that every rule obeys: for people who write rules."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlops_audit.catalogue import Aspect, data_folder, load
from mlops_audit.examination import examine
from mlops_audit.facts import Facts, Kind, Zone
from mlops_audit.judge import Finding, Verdict, judge
from mlops_audit.rule_packs import rule_pack
from mlops_audit.rules import Example, Pack, Rule
from mlops_audit.tree import Tree

Files = Mapping[str, str]

MARK = re.compile(r"evidence:\s*([^#\n]+?)\s*(?:-->|\*/)?\s*$")
# Traits of reach: what depends on them changes when a file is moved or becomes a notebook.
NOTHING = (Verdict.MISSING, Verdict.NA)
REACHED = frozenset({"heeded", "masked", "runs", "triggers", "sides", "uses"})
HASH_COMMENTS = (
    ".py",
    ".yaml",
    ".yml",
    ".toml",
    ".cfg",
    ".ini",
    ".txt",
    ".sh",
    ".tf",
    ".r",
    ".R",
    "file",
    "Jenkinsfile",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that does not do what its example or a law says."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def finding_of(files: Files, aspect: Aspect, rule: Rule, pack: Pack) -> Finding:
    """The finding for one aspect on files given as texts, as if the aspect applied."""
    facts, _, _ = examine(Tree.of(files), pack)
    return judge(aspect, rule, facts, frozenset(aspect.applies_to))


def verify_folder(folder: Path | None) -> tuple[int, list[Fault]]:
    """The number of rules of a pack's folder (the shipped one for None) and all their faults.

    Raises RuleError for a pack that does not load.
    """
    pack = rule_pack(() if folder is None else (folder,), examples=True)
    place = data_folder("rules") if folder is None else folder
    aspects = {aspect.id: aspect for aspect in load().aspects}
    rules = [rule for rule in pack.rules if Path(rule.path).is_relative_to(place)]
    return len(rules), [fault for rule in rules for fault in verify(aspects[rule.id], rule, pack)]


def verify(aspect: Aspect, rule: Rule, pack: Pack) -> Iterator[Fault]:
    """Every fault of one rule: its examples, then the laws over its passing examples."""
    for verdict in ("pass", "partial", "missing"):
        if not any(example.verdict == verdict for example in rule.examples):
            yield Fault(rule.path, 1, f"no example of the verdict {verdict!r}")
    for example in rule.examples:
        wrong = example_fault(example, aspect, rule, pack)
        if wrong:
            yield Fault(rule.path, example.line, f"{example.title}: {wrong}")
        elif example.verdict == "pass":
            for law in LAWS:
                if broken := law(example, aspect, rule, pack):
                    yield Fault(rule.path, example.line, f"{example.title}: {broken}")


def example_fault(example: Example, aspect: Aspect, rule: Rule, pack: Pack) -> str:
    """What is wrong with an example's verdict or marked lines, "" when nothing is."""
    finding = finding_of(example.files, aspect, rule, pack)
    found = {(e.fact.site.path, e.fact.site.line, e.signal) for e in finding.evidence}
    seen = ", ".join(f"{signal} ({path}:{line})" for path, line, signal in sorted(found)) or "nothing"
    if finding.verdict.value != example.verdict:
        lacks = ", ".join(finding.lacks)
        return f"the verdict is {finding.verdict}, not {example.verdict}; found: {seen}; lacks: {lacks}"
    marks = marked(example)
    unmet = marks - found
    if unmet:
        return f"marked and not found: {sorted(unmet)}; found: {seen}"
    lines = {(path, line) for path, line, _ in marks}
    stray = sorted({(path, line) for path, line, _ in found} - lines)
    return f"found and not marked: {stray}; found: {seen}" if marks and stray else ""


def marked(example: Example) -> set[tuple[str, int, str]]:
    """The marks of an example: (path, line, signal); a mark on a line of its own points at the next line."""
    found = set()
    for path, text in example.files.items():
        for number, line in enumerate(text.split("\n"), 1):
            if mark := MARK.search(line):
                alone = not line[: mark.start()].strip(" \t#/<!-*")
                for name in mark[1].split(" + "):
                    found.add((path, number + 1 if alone else number, name.strip()))
    return found


# ------------------------------------------------------------------------------------------------------ laws


def a_notebook_alone_is_partial(example: Example, aspect: Aspect, rule: Rule, pack: Pack) -> str:
    """Code moved into a notebook that nothing runs is no longer a pass, and still a partial.

    It may be missing where the rule asks what runs the code, or where the catalogue says so itself.
    """
    before = finding_of(example.files, aspect, rule, pack)
    if not all(e.fact.site.path.endswith(".py") for e in before.evidence):
        return ""
    files = {
        (path[:-3] + ".ipynb" if path.endswith(".py") else path): (
            _as_notebook(text) if path.endswith(".py") else text
        )
        for path, text in example.files.items()
    }
    after = finding_of(files, aspect, rule, pack).verdict
    asked = {trait for e in before.evidence for trait in rule.signals[e.signal].where}
    free = asked & (REACHED | {"file"}) or "missing" in aspect.meaning
    if after is Verdict.PASS or (after is not Verdict.PARTIAL and not free):
        return f"as a notebook it is {after}, not partial"
    return ""


def code_commented_out_is_missing(example: Example, aspect: Aspect, rule: Rule, pack: Pack) -> str:
    if aspect.document:
        return ""
    files = {
        path: "\n".join(f"{_comment_sign(path)} {line}" for line in text.split("\n"))
        for path, text in example.files.items()
        if path.endswith(HASH_COMMENTS)
    }
    if _has_file_evidence(example, aspect, rule, pack):
        return ""
    after = finding_of(files, aspect, rule, pack)
    return "" if after.verdict in NOTHING else f"commented out it is {after.verdict}: {_shown(after)}"


def foreign_code_is_missing(example: Example, aspect: Aspect, rule: Rule, pack: Pack) -> str:
    """Moved into the tests, the examples or a vendored folder it is not the project's practice."""
    if aspect.document:
        return ""
    for folder in ("tests", "examples", "third_party"):
        if folder == "tests" and any(Zone.TEST in signal.zones for signal in rule.signals.values()):
            continue
        files = {f"{folder}/{path}": text for path, text in example.files.items()}
        after = finding_of(files, aspect, rule, pack)
        if after.verdict not in NOTHING:
            return f"moved under {folder}/ it is {after.verdict}: {_shown(after)}"
    return ""


def code_in_a_readme_is_missing(example: Example, aspect: Aspect, rule: Rule, pack: Pack) -> str:
    if aspect.document:
        return ""
    blocks = "\n\n".join(f"`{path}`:\n\n```\n{text}\n```" for path, text in example.files.items())
    after = finding_of({"README.md": f"# Project\n\n{blocks}\n"}, aspect, rule, pack)
    return (
        "" if after.verdict in NOTHING else f"pasted into the README it is {after.verdict}: {_shown(after)}"
    )


def unrelated_files_change_nothing(example: Example, aspect: Aspect, rule: Rule, pack: Pack) -> str:
    unrelated = {
        "NOTES.md": "# Notes\n\nNothing of interest.\n",
        "src/unrelated_colours.py": "PALETTE = ['red']\n\n\ndef brighten(colour):\n    return colour.upper()\n",
        "colours.yaml": "palette:\n  - red\n",
        "tests/test_unrelated_colours.py": "def test_brighten():\n    assert 'a'.upper() == 'A'\n",
    }
    after = finding_of({**unrelated, **example.files}, aspect, rule, pack).verdict
    return "" if after is Verdict.PASS else f"with unrelated files beside it it is {after}"


def names_given_by_as_change_nothing(example: Example, aspect: Aspect, rule: Rule, pack: Pack) -> str:
    files = {path: _renamed(text) if path.endswith(".py") else text for path, text in example.files.items()}
    if files == dict(example.files):
        return ""
    after = finding_of(files, aspect, rule, pack)
    return "" if after.verdict is Verdict.PASS else f"with imports renamed by `as` it is {after.verdict}"


def the_order_of_facts_changes_nothing(example: Example, aspect: Aspect, rule: Rule, pack: Pack) -> str:
    facts, _, _ = examine(Tree.of(example.files), pack)
    kinds = frozenset(aspect.applies_to)
    one, other = (
        judge(aspect, rule, facts, kinds),
        judge(aspect, rule, Facts(reversed(list(facts))).told(facts.sides, facts.uses, facts.bodies), kinds),
    )
    same = [(e.signal, e.fact.site) for e in one.evidence] == [
        (e.signal, e.fact.site) for e in other.evidence
    ]
    return "" if same and one.verdict is other.verdict else "another order of the facts changes the finding"


Law = Callable[[Example, Aspect, Rule, Pack], str]
LAWS: tuple[Law, ...] = (
    a_notebook_alone_is_partial,
    code_commented_out_is_missing,
    foreign_code_is_missing,
    code_in_a_readme_is_missing,
    unrelated_files_change_nothing,
    names_given_by_as_change_nothing,
    the_order_of_facts_changes_nothing,
)


def _comment_sign(path: str) -> str:
    return "//" if path.endswith("Jenkinsfile") else "#"


def _shown(finding: Finding) -> str:
    return ", ".join(f"{e.signal} ({e.fact.site})" for e in finding.evidence[:3])


def _has_file_evidence(example: Example, aspect: Aspect, rule: Rule, pack: Pack) -> bool:
    """Whether a file counts by its mere presence, which no comment takes away."""
    return any(
        e.fact.kind in (Kind.FILE, Kind.MANIFEST)
        for e in finding_of(example.files, aspect, rule, pack).evidence
    )


def _as_notebook(text: str) -> str:
    cell: dict[str, object] = {
        "cell_type": "code",
        "source": text,
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


class _Rename(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._names.get(node.id, node.id), node.ctx)

    def _alias(self, node: ast.Import | ast.ImportFrom) -> ast.stmt:
        for alias in node.names:
            bound = alias.asname or alias.name
            if bound in self._names:
                alias.asname = self._names[bound]
        return node

    visit_Import = _alias
    visit_ImportFrom = _alias


def _renamed(text: str) -> str:
    """The code with every imported name of one part bound to another name; unchanged where names are rebound."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return text
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    rebound = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    rebound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    rebound |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names = {name: f"{name}_by_another_name" for name in imported - rebound if name.isidentifier()}
    return ast.unparse(ast.fix_missing_locations(_Rename(names).visit(tree))) if names else text
