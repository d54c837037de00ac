"""git's index, read without git: what is tracked, and in which state git last saw it (gitformat-index)."""

from __future__ import annotations

import struct

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself is not needed here
if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    # path, mode, id of the blob, left out by a sparse checkout, stamp
    Row = tuple[bytes, int, str, bool, tuple[int, ...]]

MAX_ENTRIES = 200_000

_FIXED = struct.Struct(">10I")


class DamagedIndex(ValueError):
    """An index that nobody can read, and why, in one line."""


class OtherIndex(ValueError):
    """An index that only git reads: split in two files, or sparse."""


def entries(data: bytes, id_bytes: int = 20, written: int = 0) -> Iterator[Row]:
    """The entries of an index of version 2, 3 or 4, in its order.

    `written` is when the index was, in nanoseconds: a file modified no sooner may have changed since git looked at it, and
    its stamp is (). A stamp is when a file was changed and modified (seconds and nanoseconds each), its inode and its size,
    each in 32 bits.
    """
    if len(data) < 12 or data[:4] != b"DIRC":
        raise DamagedIndex("the index is damaged")
    version, count = struct.unpack(">II", data[4:12])
    if version not in (2, 3, 4) or count > MAX_ENTRIES * 5:
        raise DamagedIndex(f"an index of version {version} with {count} entries cannot be read")
    at, path = 12, b""
    fixed = 40 + id_bytes
    for _ in range(count):
        if at + fixed + 2 > len(data):
            raise DamagedIndex("the index is damaged")
        changed, changed_ns, modified, modified_ns, _, inode, mode, _, _, size = _FIXED.unpack_from(data, at)
        settled = changed and inode and modified * 1_000_000_000 + modified_ns < written
        stamp = (changed, changed_ns, modified, modified_ns, inode, size) if settled else ()
        blob = data[at + 40 : at + fixed].hex()
        more = data[at + fixed] & 0x40 and version >= 3
        left_out = bool(more and at + fixed + 4 <= len(data) and data[at + fixed + 2] & 0x40)  # skip-worktree
        start = at + fixed + 2 + (2 if more else 0)
        if version == 4:
            strip, start = _varint(data, start)
            end = data.find(b"\0", start)
            path = path[: len(path) - strip] + data[start:end]
            at = end + 1
        else:
            end = data.find(b"\0", start)
            path = data[start:end]
            at += (end - at + 8) // 8 * 8
        if end < 0:
            raise DamagedIndex("the index is damaged")
        if mode & 0o170000 == 0o040000:
            raise OtherIndex("a sparse index")
        yield path, mode, blob, left_out, stamp
    if _is_split(data, at, id_bytes):
        raise OtherIndex("a split index")


def stamp_of(state: os.stat_result) -> tuple[int, ...]:
    """The stamp of a file as it is now."""
    changed, changed_ns = divmod(state.st_ctime_ns, 1_000_000_000)
    modified, modified_ns = divmod(state.st_mtime_ns, 1_000_000_000)
    parts = (changed, changed_ns, modified, modified_ns, state.st_ino, state.st_size)
    return tuple([part & 0xFFFFFFFF for part in parts])


def _is_split(data: bytes, at: int, id_bytes: int) -> bool:
    """Whether the link to a shared index is among the extensions behind the entries."""
    while at + 8 <= len(data) - id_bytes:
        if data[at : at + 4] == b"link":
            return True
        (size,) = struct.unpack(">I", data[at + 4 : at + 8])
        at += 8 + size
    return False


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number in the offset encoding of index version 4, and the place after it."""
    if at >= len(data):
        raise DamagedIndex("the index is damaged")
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        if at >= len(data):
            raise DamagedIndex("the index is damaged")
        value = ((value + 1) << 7) | (data[at] & 0x7F)
    return value, at + 1
