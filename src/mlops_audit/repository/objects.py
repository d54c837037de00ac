"""The files of a commit, from its tree objects and blobs."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter

from mlops_audit.index import MAX_ENTRIES
from mlops_audit.repository import MAX_DEPTH, MAX_PATH_BYTES, SUBMODULE_MODE, Entry, RepositoryError
from mlops_audit.repository.clean_git import Objects, content

MAX_TREE_BYTES = 20_000_000
MAX_PLACES = 100  # of one and the same folder in a commit, when more than two files stand in it
MAX_PATHS_BYTES = 50_000_000  # of all paths of a commit together

_ROW = re.compile(rb"([0-7]{5,6}) ([^\0]{1,4096})\0(.{20})", re.DOTALL)  # of a tree object: mode, name, id


def entries_of(repo: Objects, commit: str) -> tuple[list[Entry], bool]:
    """The files of a commit in the order of their paths, and whether a cap cut the list short.

    Each tree is read once, and paths are made with a stack of our own: a git bomb costs the cap and no more. Raises
    RepositoryError for a commit whose own tree is absent or larger than the cap.
    """
    rows: dict[bytes, list[tuple[bytes, int, str]]] = {}
    places: Counter[bytes] = Counter()
    found: list[Entry] = []
    root = _root_of(repo, commit)
    stack, cut, room, visited = [("", root, 0)], False, MAX_PATHS_BYTES, 0
    while stack:
        place, tree, depth = stack.pop()
        visited += 1
        if tree not in rows:
            try:
                rows[tree] = _rows(repo, tree)
            except RepositoryError:
                if tree == root:
                    raise
                # a folder that this clone has not got
                found.append(Entry(place.rstrip("/"), SUBMODULE_MODE, ""))
                continue
        places[tree] += len(rows[tree]) > 2 or any(stat.S_ISDIR(mode) for _, mode, _ in rows[tree])
        if places[tree] > MAX_PLACES:
            cut = True
            continue
        for binsha, mode, name in rows[tree]:
            path = f"{place}{name}"
            room -= len(path)
            if visited > MAX_ENTRIES or len(found) >= MAX_ENTRIES or room < 0:
                return sorted(found, key=lambda e: e.path), True
            if not stat.S_ISDIR(mode):
                found.append(Entry(path, mode, binsha.hex()))
            elif depth < MAX_DEPTH and len(path) < MAX_PATH_BYTES:
                stack.append((f"{path}/", binsha, depth + 1))
            else:
                cut = True
    return sorted(found, key=lambda e: e.path), cut


def _root_of(repo: Objects, commit: str) -> bytes:
    """The id of a commit's tree."""
    head = content(repo, bytes.fromhex(commit), MAX_TREE_BYTES)
    named = re.match(rb"tree ([0-9a-f]{40})\n", head)
    if named is None:
        raise RepositoryError(f"the commit {commit[:12]} is damaged")
    return bytes.fromhex(named[1].decode())


def _rows(repo: Objects, tree: bytes) -> list[tuple[bytes, int, str]]:
    """The (id, mode, name) of a tree object; names that lead out of their folder are left out."""
    data, at = content(repo, tree, MAX_TREE_BYTES), 0
    rows = []
    while at < len(data):
        named = _ROW.match(data, at)
        if named is None:
            raise RepositoryError("a tree of the commit is damaged")
        at = named.end()
        name = os.fsdecode(named[2])
        if name not in (".", "..", ".git") and "/" not in name:
            rows.append((named[3], int(named[1], 8), name))
    return rows


def blob(repo: Objects, entry: Entry, cap: int) -> bytes:
    """The bytes of an entry's blob. Raises RepositoryError when it is absent or larger than `cap`."""
    return content(repo, bytes.fromhex(entry.blob), cap)
