"""What one audit leaves for the next of the same repository: the facts of each content, and which names answer."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping

from mlops_audit.budget import ENDLESS, Budget
from mlops_audit.extract import extract
from mlops_audit.facts import Fact, Names, Problem
from mlops_audit.tree import File

Key = tuple[str, str, str, str]  # path, place, zone and blob of a file: the same content there states the same facts
Extracted = tuple[list[Fact], list[Problem]]

MAX_FILES = 200_000


class Memory:
    """Facts by the content of files, so that the audit of a commit reads only what the commits before it had not.

    `kept` may be any mapping: a dictionary that lives as long as the process, or one that lies on disk.
    """

    def __init__(self, kept: MutableMapping[Key, Extracted] | None = None) -> None:
        self.names = Names()
        self._kept: MutableMapping[Key, Extracted] = {} if kept is None else kept

    def extract(self, files: Iterable[File], budget: Budget = ENDLESS) -> Extracted:
        """What `extract.extract` gives; files whose content is not known by an id are read each time."""
        facts: list[Fact] = []
        problems: list[Problem] = []
        for file in files:
            key = (file.path, file.placed, file.zone.value, file.blob)
            found = self._kept.get(key) if file.blob else None
            if found is None:
                found = extract([file], budget)
                if file.blob and not any(problem.unread for problem in found[1]):
                    self._make_room()
                    self._kept[key] = found
            facts.extend(found[0])
            problems.extend(found[1])
        return facts, list(dict.fromkeys(problems))

    def _make_room(self) -> None:
        if len(self._kept) >= MAX_FILES:
            self._kept.clear()
