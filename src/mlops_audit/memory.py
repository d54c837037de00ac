"""What one audit leaves for the next of the same repository: the facts of each content, and which names answer."""

from __future__ import annotations

import marshal
import zlib
from collections.abc import Callable, Iterator, MutableMapping, Sequence

from mlops_audit.budget import ENDLESS, Budget
from mlops_audit.cache import Cache, digest, program
from mlops_audit.extract import Sieve, readable
from mlops_audit.facts import Fact, Problem
from mlops_audit.hashes import sha1, sha256
from mlops_audit.names import Names
from mlops_audit.parse.nodes import ParseFailure
from mlops_audit.reach.listening import Listening
from mlops_audit.records import facts_of, plain_facts
from mlops_audit.tree import File
from mlops_audit.workers import Progress, extracted

Key = tuple[
    str, str, str, str
]  # path, place, zone and blob of a file: the same content there states the same facts
Extracted = tuple[list[Fact], list[Problem]]

MAX_FILES = 200_000
MAX_KEPT_BYTES = 80_000_000  # of one repository's facts in the cache, spread over its parts
PARTS = 32  # one file edited reads one of them, and rewrites it


class Memory:
    """Facts by the content of files, so that an audit reads only what those before it had not.

    `kept` may be any mapping: a dictionary that lives as long as the process, or one that lies on disk. The sieve
    is the same for all that is kept there.
    """

    def __init__(
        self, kept: MutableMapping[Key, Extracted] | None = None, sieve: Sieve | None = None
    ) -> None:
        self.names = Names()
        self._sieve = sieve
        self.consulted: set[str] = set()  # files whose text told more than their facts
        self.listening: Callable[[], Listening] | None = None  # what the last audit listened for in sums
        self._kept: MutableMapping[Key, Extracted] = {} if kept is None else kept
        self._added = 0

    def extract(
        self,
        files: Sequence[File],
        budget: Budget = ENDLESS,
        jobs: int = 1,
        progress: Progress | None = None,
    ) -> Extracted:
        """What `extract.extract` gives."""
        found = [self._known(file, budget) for file in files]
        unknown = [number for number, known in enumerate(found) if known is None]
        read = extracted(
            [files[number] for number in unknown],
            budget,
            jobs=jobs,
            progress=progress,
            identify=blob_id,
            sieve=self._sieve,
        )
        for number, one in zip(unknown, read, strict=True):
            file = files[number]
            found[number] = (one.facts, one.problems)
            blob = one.content
            # A file of a template is not read as it lies in its blob, and of one that nothing reads its presence is all
            # that it states. Of all others the id is that of what was read, not of what was said to be there.
            if file.blob and (file.placed if blob else not readable(file)):
                blob = file.blob
            if blob and not any(problem.unread for problem in one.problems):
                self._make_room()
                self._kept[_key(file, blob)] = (one.facts, one.problems)
        told = [each for each in found if each is not None]
        problems = dict.fromkeys(problem for each in told for problem in each[1])
        return [fact for each in told for fact in each[0]], list(problems)

    def _known(self, file: File, budget: Budget) -> Extracted | None:
        """What is kept of a file, by the id of its content; where git knows none, that is found out from its bytes."""
        if file.blob:
            return self._kept.get(_key(file, file.blob))
        if budget.over or not self._kept or not readable(file):
            return None
        try:
            return self._kept.get(_key(file, blob_id(file.read())))
        except ParseFailure:
            return None

    def _make_room(self) -> None:
        self._added += 1
        if self._added > MAX_FILES:
            self._kept.clear()
            self._added = 1


def _key(file: File, blob: str) -> Key:
    return (file.path, file.placed, file.zone.value, blob)


def blob_id(data: bytes, digits: int = 40) -> str:
    """git's id of a content (gitformat-pack): of 40 hexadecimal digits by SHA-1, of 64 by SHA-256."""
    told = b"blob %d\0" % len(data) + data
    return (sha256(told) if digits == 64 else sha1(told)).hexdigest()


class Shelf(MutableMapping[Key, Extracted]):
    """The facts of one repository's files as the cache keeps them: in parts by path, each read when a file of it is asked
    for, and decoded one by one.

    `close` puts back the parts to which anything was added: what this run used first, then the rest while there is room.
    """

    def __init__(self, cache: Cache, repository: str, asked: bytes = b"") -> None:
        self._cache = cache
        self._name = (repository.encode("utf-8", "surrogateescape"), program(), asked)
        self._parts: dict[int, dict[Key, bytes]] = {}
        self._used: dict[Key, None] = {}
        self._added: set[int] = set()

    def __getitem__(self, key: Key) -> Extracted:
        record = self._part(_number(key))[key]
        self._used[key] = None
        return facts_of(marshal.loads(record))

    def __setitem__(self, key: Key, found: Extracted) -> None:
        try:
            record = marshal.dumps(plain_facts(*found))
        except ValueError:
            return  # a value that is no plain one stays out
        number = _number(key)
        self._part(number)[key] = record
        self._used[key] = None
        self._added.add(number)

    def __delitem__(self, key: Key) -> None:
        del self._part(_number(key))[key]

    def __iter__(self) -> Iterator[Key]:
        return iter([key for number in range(PARTS) for key in self._part(number)])

    def __len__(self) -> int:
        return sum(len(self._part(number)) for number in range(PARTS))

    def close(self) -> None:
        used: dict[int, list[Key]] = {number: [] for number in self._added}
        for key in self._used:
            used.get(_number(key), []).append(key)
        for number in self._added:
            records, room = self._part(number), MAX_KEPT_BYTES // PARTS
            kept: dict[Key, bytes] = {}
            for key in (*used[number], *reversed(records)):
                record = records.get(key)
                if record is not None and key not in kept and len(record) <= room:
                    kept[key] = record
                    room -= len(record)
            self._cache.put("facts", self._place(number), kept)

    def _part(self, number: int) -> dict[Key, bytes]:
        part = self._parts.get(number)
        if part is None:
            part = self._parts[number] = self._cache.get("facts", self._place(number)) or {}
        return part

    def _place(self, number: int) -> bytes:
        return digest(*self._name, b"%d" % number)


def _number(key: Key) -> int:
    """The part in which a file's facts lie."""
    return zlib.crc32(key[0].encode("utf-8", "surrogateescape")) % PARTS
