"""The commit that a repository's HEAD names, read without git."""

from __future__ import annotations

import os
import stat

from mlops_audit.cache import opened

DEEPEST = 5  # refs that name each other
MAX_BYTES, MAX_PACKED_BYTES = 1_000_000, 50_000_000


def commit(folder: str, common: str) -> str:
    """The id of the commit that the HEAD of a git directory names, "" before the first commit.

    `common` is the directory that holds the refs.
    """
    word = _text(os.path.join(folder, "HEAD")).strip()
    for _ in range(DEEPEST):
        if 40 <= len(word) <= 64 and not word.strip("0123456789abcdef"):
            return word
        name = word.removeprefix("ref:").strip()
        if not name.startswith("refs/") or len(name) < 6 or {"\0", "\n"} & set(name) or ".." in name:
            return ""
        word = _text(os.path.join(common, name)).strip() or _packed(common, name)
    return ""


def _packed(common: str, name: str) -> str:
    for line in _text(os.path.join(common, "packed-refs"), MAX_PACKED_BYTES).split("\n"):
        found, _, ref = line.partition(" ")
        if ref == name:
            return found
    return ""


def _text(place: str, cap: int = MAX_BYTES) -> str:
    """The text of a regular file of no more than so many bytes, "" where there is none."""
    try:
        with os.fdopen(opened(place), "rb") as stream:
            state = os.fstat(stream.fileno())
            if not stat.S_ISREG(state.st_mode) or state.st_size > cap:
                return ""
            data = stream.read(cap + 1)
    except OSError:
        return ""
    return os.fsdecode(data) if len(data) <= cap else ""
