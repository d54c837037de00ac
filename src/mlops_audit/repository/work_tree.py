"""The files of a work tree, from the index: read by our own reader, or by git where it is one of another kind."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mlops_audit import index
from mlops_audit.repository import Entry, Repository, RepositoryError
from mlops_audit.repository.regular_files import read_regular

MAX_INDEX_BYTES = 256_000_000


def tracked(repository: Repository) -> list[Entry]:
    """The entries of the index, in its order; of unmerged paths the first stage.

    A split or a sparse index is given to git, in a clean git directory. Raises RepositoryError for a damaged one.
    """
    try:
        written = os.lstat(repository.folder / "index").st_mtime_ns
        data = read_regular(repository.folder / "index", MAX_INDEX_BYTES)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RepositoryError(f"the index cannot be read: {error.strerror}") from error
    try:
        found = [
            Entry(os.fsdecode(path), mode, blob_id.hex(), left_out, stamp)
            for path, mode, blob_id, left_out, stamp in index.entries(
                data, 32 if repository.sha256 else 20, written
            )
        ]
    except index.OtherIndex:
        found = _listed_by_git(repository, data)
    except index.DamagedIndex as error:
        raise RepositoryError(str(error)) from error
    return list({entry.path: entry for entry in reversed(found)}.values())[::-1]


def _listed_by_git(repository: Repository, data: bytes) -> list[Entry]:
    """The entries of a split or sparse index as git reads a copy of it, away from all configuration."""
    from mlops_audit.repository.clean_git import clean, git_output

    with clean(repository) as repo:
        place = Path(repo.git_dir)
        (place / "index").write_bytes(data)
        for shared in repository.folder.glob("sharedindex.*"):
            if re.fullmatch(r"sharedindex\.[0-9a-f]{40}", shared.name):
                (place / shared.name).write_bytes(read_regular(shared, MAX_INDEX_BYTES))
        out = git_output([f"--git-dir={place}", "ls-files", "-s", "-v", "-z"], place)
    found = []
    for row in out.split(b"\0"):
        about, tab, path = row.partition(b"\t")
        words = about.split()
        if tab and len(words) == 4:
            left_out = words[0] in (b"S", b"s")
            found.append(Entry(os.fsdecode(path), int(words[1], 8), words[2].decode(), left_out))
    return found
