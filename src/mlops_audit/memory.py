"""What one audit leaves for the next of the same repository: the facts of each content, and which names answer."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Iterator, MutableMapping

from mlops_audit.budget import ENDLESS, Budget
from mlops_audit.cache import Cache, digest, program
from mlops_audit.extract import extract, kinds_of
from mlops_audit.facts import Fact, Problem
from mlops_audit.hashes import sha1, sha256
from mlops_audit.names import Names
from mlops_audit.parse import ParseFailure
from mlops_audit.records import facts_of, plain_facts
from mlops_audit.shapes import replace
from mlops_audit.tree import File

Key = tuple[
    str, str, str, str
]  # path, place, zone and blob of a file: the same content there states the same facts
Extracted = tuple[list[Fact], list[Problem]]

MAX_FILES = 200_000
MAX_KEPT_BYTES = 60_000_000  # of one repository's facts in the cache


class Memory:
    """Facts by the content of files, so that an audit reads only what those before it had not.

    `kept` may be any mapping: a dictionary that lives as long as the process, or one that lies on disk.
    """

    def __init__(self, kept: MutableMapping[Key, Extracted] | None = None) -> None:
        self.names = Names()
        self._kept: MutableMapping[Key, Extracted] = {} if kept is None else kept

    def extract(self, files: Iterable[File], budget: Budget = ENDLESS) -> Extracted:
        """What `extract.extract` gives."""
        facts: list[Fact] = []
        problems: list[Problem] = []
        for file in files:
            found = self._kept.get(_key(file, file.blob)) if file.blob else None
            if found is None:
                found = self._read(file, budget)
            facts.extend(found[0])
            problems.extend(found[1])
        return facts, list(dict.fromkeys(problems))

    def _read(self, file: File, budget: Budget) -> Extracted:
        """The facts of a file whose content is not known by an id: by its bytes, else extracted."""
        if budget.over:
            return extract([file], budget)
        if not kinds_of(file.placed or file.path):  # its presence is all that it states, whatever it holds
            found = extract([file], budget)
            return self._keep(_key(file, file.blob), found) if file.blob else found
        try:
            data = file.read()
        except ParseFailure:
            return extract([file], budget)
        # A file of a template is not read as it lies in its blob. Of all others the id is that of what was read, not of
        # what was said to be there.
        key = _key(file, file.blob if file.blob and file.placed else blob_id(data, len(file.blob)))
        known = self._kept.get(key)
        if known is not None:
            return known
        found = extract([replace(file, read=lambda: data)], budget)
        return found if any(problem.unread for problem in found[1]) else self._keep(key, found)

    def _keep(self, key: Key, found: Extracted) -> Extracted:
        self._make_room()
        self._kept[key] = found
        return found

    def _make_room(self) -> None:
        if len(self._kept) >= MAX_FILES:
            self._kept.clear()


def _key(file: File, blob: str) -> Key:
    return (file.path, file.placed, file.zone.value, blob)


def blob_id(data: bytes, digits: int = 40) -> str:
    """git's id of a content (gitformat-pack): of 40 hexadecimal digits by SHA-1, of 64 by SHA-256."""
    told = b"blob %d\0" % len(data) + data
    return (sha256(told) if digits == 64 else sha1(told)).hexdigest()


class Shelf(MutableMapping[Key, Extracted]):
    """The facts of one repository's files as the cache keeps them; decoded one by one, when asked for.

    `close` puts them back when anything was added: what this run used first, then the rest while there is room.
    """

    def __init__(self, cache: Cache, repository: str) -> None:
        self._cache = cache
        self._name = digest(repository.encode("utf-8", "surrogateescape"), program())
        self._records: dict[Key, bytes] = cache.get("facts", self._name) or {}
        self._used: dict[Key, None] = {}
        self._added = False

    def __getitem__(self, key: Key) -> Extracted:
        record = self._records[key]
        self._used[key] = None
        return facts_of(marshal.loads(record))

    def __setitem__(self, key: Key, found: Extracted) -> None:
        try:
            record = marshal.dumps(plain_facts(*found))
        except ValueError:
            return  # a value that is no plain one stays out
        self._records[key] = record
        self._used[key] = None
        self._added = True

    def __delitem__(self, key: Key) -> None:
        del self._records[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def close(self) -> None:
        if not self._added:
            return
        room = MAX_KEPT_BYTES
        kept: dict[Key, bytes] = {}
        for key in (*self._used, *reversed(self._records)):
            record = self._records.get(key)
            if record is not None and key not in kept and len(record) <= room:
                kept[key] = record
                room -= len(record)
        self._cache.put("facts", self._name, kept)
