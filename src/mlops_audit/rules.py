"""Rules: read from YAML and checked; every fault is named with file and line, all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mlops_audit import parse
from mlops_audit.facts import Kind, Zone
from mlops_audit.parse.nodes import Node, ParseFailure

PROFILES = "profiles"  # the folder of weights and thresholds, which are no rules
VERDICTS = ("pass", "partial", "missing", "na")
EFFORTS = ("quick", "medium", "long")
RULE_KEYS = (
    "why",
    "fix",
    "references",
    "effort",
    "claims",
    "risk",
    "signals",
    "pass",
    "partial",
    "na",
    "examples",
)
RISK_KEYS = ("risk", "probability", "impact", "mitigation")
CLAUSE_KEYS = ("all", "any", "none", "at_least", "same")
SAME = ("file", "place")


class RuleError(ValueError):
    """All faults of a rule pack, each `file:line: what`."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class Signal(NamedTuple):
    """A named question to the facts; `name` is a third-person sentence that reports print.

    A fact answers it when its kind is `kind`, its name matches `patterns`, it stands in one of `zones`, and each
    trait of `where` has a value that matches.
    """

    name: str
    kind: Kind
    patterns: tuple[str, ...]
    where: Mapping[str, tuple[str, ...]]
    zones: frozenset[Zone]


class Clause(NamedTuple):
    """Holds when all of `all`, at least `at_least` of `any` and none of `none` do.

    With `same` they do so in one file, or in one place: at one line, such as that of a heading.
    """

    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    at_least: int = 1
    same: str = ""


class Example(NamedTuple):
    """Files (path -> text) and the verdict that they deserve; lines marked `# evidence: NAME` are its evidence."""

    verdict: str
    title: str
    files: Mapping[str, str]
    line: int


class Risk(NamedTuple):
    risk: str
    probability: str
    impact: str
    mitigation: str


class Rule(NamedTuple):
    """One aspect's rule. `passes`, `partial` and `na` are alternatives: any one clause decides."""

    id: str
    path: str
    why: str
    fix: str
    references: tuple[str, ...]
    effort: str
    risk: Risk
    signals: Mapping[str, Signal]
    passes: tuple[Clause, ...]
    partial: tuple[Clause, ...]
    na: tuple[Clause, ...]
    examples: tuple[Example, ...]
    claims: tuple[str, ...] = ()  # globs over sentences of prose that claim the practice; never evidence


class KindRule(NamedTuple):
    """A kind of project (trains, deep, serves, llm) and the clauses that tell it."""

    id: str
    signals: Mapping[str, Signal]
    when: tuple[Clause, ...]


class Pack(NamedTuple):
    """All rules of a folder, in the order of their ids, and the kinds."""

    rules: tuple[Rule, ...]
    kinds: tuple[KindRule, ...]

    def rule(self, aspect: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.id == aspect), None)


def load(folder: Path, shared: Path | None = None) -> Pack:
    """The rules of a folder: vocabulary.yaml, kinds.yaml and <pillar>/<aspect>.yaml.

    `shared` is a folder whose vocabulary may be used too. Raises RuleError with every fault of every file.
    """
    reader = _Reader()
    vocabulary: dict[str, tuple[str, ...]] = {}
    for place in (shared, folder):
        if place is not None and (place / "vocabulary.yaml").is_file():
            vocabulary |= reader.vocabulary(place / "vocabulary.yaml", vocabulary)
    kinds: tuple[KindRule, ...] = ()
    if (folder / "kinds.yaml").is_file():
        kinds = reader.kinds(folder / "kinds.yaml", vocabulary)
    rules = [
        reader.rule(path, folder, vocabulary)
        for path in sorted(folder.glob("*/*.yaml"))
        if path.parent.name != PROFILES
    ]
    if reader.faults:
        raise RuleError(reader.faults)
    return Pack(tuple(rule for rule in rules if rule is not None), kinds)


def nearest(word: str, known: Sequence[str]) -> list[str]:
    """The word of those that are known that is most like another, [] where none is."""
    from difflib import get_close_matches

    return get_close_matches(word, known, 1)


class _Reader:
    """Reads rule files and collects faults."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.file = ""

    def fault(self, line: int, what: str) -> None:
        self.faults.append(f"{self.file}:{line}: {what}")

    def document(self, path: Path) -> Node | None:
        self.file = path.as_posix()
        try:
            documents = parse.yaml(path.read_bytes())
        except ParseFailure as failure:
            self.fault(failure.line or 1, failure.reason)
            return None
        if len(documents) != 1 or not isinstance(documents[0].value, dict):
            self.fault(1, "one mapping is expected")
            return None
        return documents[0]

    def known(self, node: Node, allowed: Iterable[str], what: str) -> None:
        names = list(allowed)
        for key, _ in node.items:
            if key not in names:
                near = nearest(key, names)
                hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names)}"
                self.fault(node.line_of(key), f"unknown {what} {key!r}{hint}")

    def words(self, node: Node | None, vocabulary: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """A list of patterns with `$name` (or `!$name`) replaced by the vocabulary's words."""
        found: list[str] = []
        for item in node.list if node else []:
            word = item.text
            if not word:
                self.fault(item.line, "a pattern is a text that is not empty")
                continue
            negated = "!" if word.startswith("!$") else ""
            if word.startswith(("$", "!$")):
                name = word.removeprefix("!")[1:]
                if name not in vocabulary:
                    near = nearest(name, list(vocabulary))
                    self.fault(
                        item.line,
                        f"unknown word list ${name}" + (f"; did you mean ${near[0]}?" if near else ""),
                    )
                    continue
                found.extend(negated + w for w in vocabulary[name])
            else:
                found.append(word)
        return tuple(dict.fromkeys(found))

    def vocabulary(self, path: Path, known: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        lists: dict[str, tuple[str, ...]] = dict(known)
        root = self.document(path)
        for name, node in root.items if root else []:
            lists[name] = self.words(node, lists)
        return lists

    def kinds(self, path: Path, vocabulary: Mapping[str, tuple[str, ...]]) -> tuple[KindRule, ...]:
        root = self.document(path)
        found = []
        for name, node in root.items if root else []:
            self.known(node, ("signals", "when"), "key")
            signals = self.signals(node.get("signals"), vocabulary)
            found.append(KindRule(name, signals, self.clauses(node, "when", signals)))
        return tuple(found)

    def rule(self, path: Path, folder: Path, vocabulary: Mapping[str, tuple[str, ...]]) -> Rule | None:
        root = self.document(path)
        if root is None:
            return None
        self.known(root, RULE_KEYS, "key")
        for key in ("why", "fix", "effort", "risk", "signals", "pass", "partial", "examples"):
            if root.get(key) is None:
                self.fault(1, f"the key {key!r} is absent")
        if (effort := root.at("effort")) and effort not in EFFORTS:
            self.fault(root.line_of("effort"), f"unknown effort {effort!r}; known: {', '.join(EFFORTS)}")
        risk = root.get("risk") or Node({}, 1)
        self.known(risk, RISK_KEYS, "key of the risk")
        signals = self.signals(root.get("signals"), vocabulary)
        references = root.get("references")
        return Rule(
            id=path.relative_to(folder).with_suffix("").as_posix(),
            path=path.as_posix(),
            why=" ".join(root.at("why").split()),
            fix=" ".join(root.at("fix").split()),
            references=tuple(r.text for r in references.list) if references else (),
            effort=effort,
            risk=Risk(*(" ".join(risk.at(key).split()) for key in RISK_KEYS)),
            signals=signals,
            passes=self.clauses(root, "pass", signals),
            partial=self.clauses(root, "partial", signals),
            na=self.clauses(root, "na", signals),
            examples=self.examples(root.get("examples")),
            claims=self.words(root.get("claims"), vocabulary),
        )

    def signals(self, node: Node | None, vocabulary: Mapping[str, tuple[str, ...]]) -> dict[str, Signal]:
        signals = {}
        kinds = [kind.value for kind in Kind]
        for name, body in node.items if node else []:
            self.known(body, [*kinds, "where", "in"], "kind of fact")
            asked = [key for key, _ in body.items if key in kinds]
            if len(asked) != 1:
                self.fault(
                    body.line, f"the signal {name!r} asks for exactly one kind of fact, not {len(asked)}"
                )
                continue
            where = body.get("where") or Node({}, body.line)
            zones = {Zone.SOURCE, Zone.NOTEBOOK}
            if (places := body.get("in")) is not None:
                zones = set()
                for place in places.list:
                    if place.text in [zone.value for zone in Zone]:
                        zones.add(Zone(place.text))
                    else:
                        self.fault(
                            place.line,
                            f"unknown zone {place.text!r}; known: {', '.join(z.value for z in Zone)}",
                        )
            signals[name] = Signal(
                name=name,
                kind=Kind(asked[0]),
                patterns=self.words(body.get(asked[0]), vocabulary),
                where={trait: self.words(globs, vocabulary) for trait, globs in where.items},
                zones=frozenset(zones),
            )
        return signals

    def clauses(self, node: Node, key: str, signals: Mapping[str, Signal]) -> tuple[Clause, ...]:
        found = []
        body = node.get(key)
        for item in body.list if body else []:
            if item.value == "any":
                found.append(Clause(any=tuple(signals)))
                continue
            self.known(item, CLAUSE_KEYS, "key of a clause")
            named: dict[str, tuple[str, ...]] = {}
            for part in ("all", "any", "none"):
                names = item.get(part)
                for name in names.list if names else []:
                    if name.text not in signals:
                        near = nearest(name.text, list(signals))
                        hint = f"; did you mean {near[0]!r}?" if near else ""
                        self.fault(name.line, f"{key!r} names an unknown signal {name.text!r}{hint}")
                named[part] = tuple(name.text for name in names.list) if names else ()
            at_least = item.at("at_least") or "1"
            if not at_least.isdigit():
                self.fault(item.line, f"at_least is a number, not {at_least!r}")
                at_least = "1"
            if not (named["all"] or named["any"]):
                self.fault(item.line, f"a clause of {key!r} needs signals under all or any")
            same = item.at("same")
            if same and (same not in SAME or key == "when"):
                self.fault(item.line, f"same is one of {', '.join(SAME)} in a clause of a rule, not {same!r}")
            found.append(Clause(named["all"], named["any"], named["none"], int(at_least), same))
        return tuple(found)

    def examples(self, node: Node | None) -> tuple[Example, ...]:
        found = []
        for item in node.list if node else []:
            self.known(item, ("verdict", "title", "files"), "key of an example")
            if item.at("verdict") not in VERDICTS:
                self.fault(item.line, f"unknown verdict {item.at('verdict')!r}; known: {', '.join(VERDICTS)}")
            files = item.get("files")
            if files is None or not files.items:
                self.fault(item.line, "an example has files")
                continue
            found.append(
                Example(item.at("verdict"), item.at("title"), {p: t.text for p, t in files.items}, item.line)
            )
        return tuple(found)
