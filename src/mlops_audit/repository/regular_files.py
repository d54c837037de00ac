"""Regular files, read without following a link or waiting for a pipe."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read_regular(path: Path, cap: int) -> bytes:
    """The bytes of a regular file, never following a link or blocking. Raises OSError, also for what is larger."""
    handle = os.open(
        path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | os.O_CLOEXEC
    )
    with os.fdopen(handle, "rb") as stream:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise OSError(0, "not a regular file")
        if state.st_size > cap:
            raise OSError(0, f"larger than {cap} bytes")
        data = stream.read(cap + 1)
    if len(data) > cap:
        raise OSError(0, f"larger than {cap} bytes")
    return data


def small_text(path: Path, cap: int = 1_000_000) -> str:
    """The text of a regular file of no more than so many bytes, "" where there is none."""
    try:
        return os.fsdecode(read_regular(path, cap))
    except OSError:
        return ""
