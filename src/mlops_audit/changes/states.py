"""What audits of commits say, in short: each tree is audited once, and what it gave is kept from one run to the next."""

from __future__ import annotations

import marshal
import math
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

from mlops_audit import catalogue
from mlops_audit.asked import sieve_of
from mlops_audit.audit import MACHINE_LEARNING, PROFILES, Asked, findings
from mlops_audit.budget import Budget, of_time
from mlops_audit.cache import NOTHING_KEPT, Cache, digest, program
from mlops_audit.examination import examine
from mlops_audit.extract import kinds_of
from mlops_audit.facts import LENT, Facts, Kind
from mlops_audit.judge import answers
from mlops_audit.memory import Extracted, Key, Memory, Shelf
from mlops_audit.records import plain_pack
from mlops_audit.repository.clean_git import Objects
from mlops_audit.repository.history import Commit
from mlops_audit.rules import Pack
from mlops_audit.score import disable, maturity, pillar_score, score, verdicts, weigh
from mlops_audit.tree import File, Tree
from mlops_audit.unread import doubted, unread_in

RANKS: Mapping[str, int] = {"na": 0, "missing": 0, "unknown": 0, "partial": 1, "pass": 2}
CODE = frozenset({Kind.IMPORT, Kind.CALL, Kind.DEFINITION})
PROSE = (
    Kind.HEADING,
    Kind.SENTENCE,
)  # matter to rules alone, and to those only where a signal asks for their words
MOST_KEPT = 50_000  # states of one repository


@dataclass(frozen=True, slots=True)
class State:
    """What the audit of a commit says: `level` and scores are None where there is no machine learning to audit."""

    level: int | None = None
    score: float | None = None
    pillars: Mapping[str, float | None] = field(default_factory=dict)
    verdicts: Mapping[str, str] = field(default_factory=dict)
    files: int = 0

    def rank(self, aspect: str) -> int:
        return RANKS[self.verdicts.get(aspect, "missing")]


class States:
    """The states of commits of one repository under the same rules and the same configuration.

    `known` counts the trees whose state was asked for, `audited` those that had to be audited for it now.
    """

    def __init__(
        self, repo: Objects, root: Path, name: str, pack: Pack, exclude: Sequence[str] = (),
        asked: Asked = Asked(), cache: Cache = NOTHING_KEPT,  # noqa: B008 (frozen)
    ) -> None:  # fmt: skip
        self.name = name
        self.audited = 0
        self._repo, self._pack, self._exclude, self._asked, self._cache = repo, pack, exclude, asked, cache
        self._place = str(root)
        self._question = digest(
            self._place.encode("utf-8", "surrogateescape"), program(), marshal.dumps(plain_pack(pack)),
            (catalogue.data_folder("rules") / "catalogue.yaml").read_bytes(),
            repr((tuple(exclude), sorted(asked.disabled.items()), asked.profile, sorted(asked.weights.items()))).encode(),
        )  # fmt: skip
        self._kept: dict[str, tuple[object, ...]] = cache.get("states", self._question) or {}
        self._states: dict[str, State] = {}
        self._by_print: dict[bytes, State] = {}
        self._reading: _Reading | None = None
        self._added = False

    @property
    def known(self) -> int:
        return len(self._states)

    def has(self, commit: Commit) -> bool:
        """Whether the state of a commit is known without an audit."""
        return commit.tree in self._states or commit.tree in self._kept

    def of(self, commit: Commit) -> State:
        found = self._states.get(commit.tree)
        if found is None:
            record = self._kept.get(commit.tree)
            found = State(*record) if record is not None else self._looked_at(commit)  # type: ignore[arg-type]
            self._states[commit.tree] = found
        return found

    def close(self) -> None:
        """Keep what was found out; the states that were asked for now come first."""
        if self._reading is not None:
            self._reading.shelf.close()
        if self._added:
            trees = dict.fromkeys((*(tree for tree in self._states if tree in self._kept), *self._kept))
            kept = {tree: self._kept[tree] for tree in list(trees)[:MOST_KEPT]}
            self._cache.put("states", self._question, kept)

    def _looked_at(self, commit: Commit) -> State:
        if self._reading is None:
            self._reading = _Reading(Shelf(self._cache, self._place, sieve_of(self._pack).digest), self._pack)
        tree = Tree.of_commit(self._repo, commit.id, self.name, self._exclude)
        said = self._reading.print_of(tree)
        state = self._by_print.get(said) if said else None
        if state is None:
            state, lasting = self._audit(tree, self._reading.memory)
            self.audited += 1
            self._reading.forget()
        else:
            lasting = True
        if said and lasting:
            self._by_print[said] = state
        if lasting:
            self._kept[commit.tree] = astuple(state)
            self._added = True
        return state

    def _audit(self, tree: Tree, memory: Memory) -> tuple[State, bool]:
        """The state of a tree, and whether another run would find the same."""
        facts, problems, kinds = examine(tree, self._pack, memory)
        problems = [*tree.skipped, *problems]
        lasting = not any(of_time(problem.reason) for problem in problems)
        if not MACHINE_LEARNING & set(kinds):
            return State(files=len(tree.files)), lasting
        if self._asked.profile in PROFILES:
            kinds = {**kinds, PROFILES[self._asked.profile]: ()}
        found = doubted(findings(facts, kinds, self._pack), unread_in(problems, tree))
        found = weigh(disable(found, self._asked.disabled), self._asked.weights)
        standard = catalogue.load()
        return State(
            maturity(verdicts(found), standard.levels).level.level,
            score(found),
            {pillar.id: pillar_score(found, pillar.id) for pillar in standard.pillars},
            {finding.aspect.id: finding.verdict.value for finding in found},
            len(tree.files),
        ), lasting


class _Reading:
    """What files state, as the shelf keeps it; decoded is only what the last tree holds."""

    def __init__(self, shelf: Shelf, pack: Pack) -> None:
        self.shelf = shelf
        self.decoded = _Decoded(shelf)
        self.memory = Memory(self.decoded, sieve_of(pack))
        named = [*(rule.signals for rule in pack.rules), *(kind.signals for kind in pack.kinds)]
        asked = [signal for by_name in named for signal in by_name.values() if signal.kind in PROSE]
        self._of_prose = [s._replace(where={t: g for t, g in s.where.items() if t not in LENT or t == "file"})
                          for s in asked]  # fmt: skip
        self._prints: dict[tuple[str, str, str, str], bytes] = {}

    def forget(self) -> None:
        self.decoded.forget()

    def print_of(self, tree: Tree) -> bytes:
        """What tells this tree from those that an audit could judge otherwise; b"" where that cannot be told.

        Two trees of one print differ in files that state nothing, in words of documents that answer the same signals,
        or in numbers of lines of files that hold no code.
        """
        if tree.skipped or any(not file.blob for file in tree.files):
            return b""
        return digest(*map(self._of_file, tree.files))

    def _of_file(self, file: File) -> bytes:
        key = (file.path, file.placed, file.zone.value, file.blob)
        found = self._prints.get(key)
        if found is None:
            found = self._prints[key] = digest(*(word.encode("utf-8", "surrogateescape") for word in key[:3]),
                                               self._stated(file))  # fmt: skip
        return found

    def _stated(self, file: File) -> bytes:
        """The blob of a file of code, of any other what it states, with the order of its lines and not their numbers."""
        kinds = kinds_of(file.placed or file.path)
        if not kinds:
            return b""
        if kinds & CODE:
            return file.blob.encode()
        facts, problems = self.memory.extract([file], Budget(math.inf))
        if problems:
            return file.blob.encode()
        told = Facts([fact for fact in facts if fact.kind in PROSE], known=self.memory.names)
        said = [
            (number, fact) for number, signal in enumerate(self._of_prose) for fact in answers(signal, told)
        ]
        kept = [fact for fact in facts if fact.kind not in PROSE]
        lines = sorted({(fact.site.cell, fact.site.line) for fact in (*kept, *(fact for _, fact in said))})
        ranks = {line: number for number, line in enumerate(lines)}
        try:
            return marshal.dumps((
                [(ranks[fact.site.cell, fact.site.line], fact.kind.value, fact.name, sorted(fact.traits.items()))
                 for fact in kept],
                [(ranks[fact.site.cell, fact.site.line], number) for number, fact in said],
            ), 2)  # fmt: skip
        except ValueError:
            return file.blob.encode()


class _Decoded(MutableMapping[Key, Extracted]):
    """A shelf whose records are decoded once while trees that follow each other hold them."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._before: dict[Key, Extracted] = {}
        self._now: dict[Key, Extracted] = {}

    def forget(self) -> None:
        """A tree is done: what neither it nor the next one holds is no longer kept decoded."""
        self._before, self._now = self._now, {}

    def __getitem__(self, key: Key) -> Extracted:
        found = self._now.get(key)
        if found is None:
            found = self._before.get(key)
            self._now[key] = found = self._shelf[key] if found is None else found
        return found

    def __setitem__(self, key: Key, found: Extracted) -> None:
        self._shelf[key] = self._now[key] = found

    def __delitem__(self, key: Key) -> None:
        self._now.pop(key, None)
        self._before.pop(key, None)
        del self._shelf[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._shelf)

    def __len__(self) -> int:
        return len(self._shelf)
