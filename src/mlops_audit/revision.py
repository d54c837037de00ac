"""The question that is asked of a commit: told by its files, as git lists them in a clean directory of ours."""

from __future__ import annotations

import marshal
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_audit.question import CONFIGURATION, MAX_READ, Question, blob_of, bytes_of, terms_of
from mlops_audit.repository import Repository, RepositoryError
from mlops_audit.repository.clean_git import clean_folder, git_output, resolve

if TYPE_CHECKING:
    from mlops_audit.question import Held

MAX_LISTED = 50_000_000  # bytes of a list of files; a longer one takes a closer look
MAX_TEXTS = 200_000_000  # bytes of the files that are read at once

_ROW = re.compile(rb"([0-7]{6}) (\w+) ([0-9a-f]{40})\t([^\0]*)\0")
_FOUND = re.compile(rb"([0-9a-f]{40}) blob (\d+)\n")


def question_of_commit(
    words: Sequence[str], root: str, rev: str, environment: Mapping[str, str]
) -> Question | None:
    """The question that some words ask of a commit of the repository at `root`; "" is the HEAD of a bare one.

    None where that takes a closer look. The words are those without the revision: it is the commit that counts.
    """
    try:
        repository = Repository.at(Path(root))
        if repository is None or not (rev or repository.bare):
            return None
        with clean_folder(repository) as place:
            commit = resolve(repository, place, rev or "HEAD")
            # with folders, so that one without files is seen to be too deep as well
            listed = git_output(["ls-tree", "-r", "-t", "-z", "--full-tree", commit], place, most=MAX_LISTED)
        settings = repository.common / "config"
        config = bytes_of(str(settings)) if settings.exists() else b""
        rows: list[Held] = [
            (path, int(mode, 8), False, bytes.fromhex(name.decode()))
            for mode, kind, name, path in _ROW.findall(listed)
            if kind != b"tree"
        ]
        blobs = {row[0]: row[3] for row in rows}
        configured = [config, *(blobs.get(os.fsencode(name), b"") for name in CONFIGURATION)]
        terms = terms_of(words, root, environment, configured)
    except (OSError, ValueError):  # what git refuses is one too
        return None
    return Question(terms, commit, marshal.dumps(rows, 2), lambda asked: _texts(repository, asked))


def _texts(repository: Repository, blobs: Mapping[str, bytes]) -> dict[str, bytes]:
    """The content of files of a commit; none where they are too large to be read at once."""
    names = b"".join(b"%s\n" % blob.hex().encode() for blob in blobs.values())
    try:
        with clean_folder(repository) as place:
            sizes = git_output(["cat-file", "--batch-check"], place, names)
            if sum(int(size) for _, size in _FOUND.findall(sizes)) > MAX_TEXTS:
                return {}
            said = git_output(["cat-file", "--batch"], place, names)
    except (OSError, RepositoryError):
        return {}
    found, at = {}, 0
    for path, blob in blobs.items():
        told = _FOUND.match(said, at)
        if told is None or told[1] != blob.hex().encode() or int(told[2]) > MAX_READ:
            return {}
        at = told.end() + int(told[2]) + 1
        text = said[told.end() : at - 1]
        if blob_of(text) != blob:
            return {}
        found[path] = text
    return found
