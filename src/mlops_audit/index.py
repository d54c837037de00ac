"""git's index, read without git: what is tracked, and in which state git last saw it (gitformat-index)."""

from __future__ import annotations

import struct

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself is not needed here
if TYPE_CHECKING:
    import os

    # path, mode, id of the blob, left out by a sparse checkout, stamp
    Row = tuple[bytes, int, bytes, bool, tuple[int, ...]]

MAX_ENTRIES = 200_000

SECOND = 1_000_000_000  # nanoseconds
LOW = 0xFFFFFFFF  # the bits that the index keeps of an inode and of a size


class DamagedIndex(ValueError):
    """An index that nobody can read, and why, in one line."""


class OtherIndex(ValueError):
    """An index that only git reads: split in two files, or sparse."""


def entries(data: bytes, id_bytes: int = 20, written: int = 0) -> list[Row]:
    """The entries of an index of version 2, 3 or 4, in its order.

    `written` is when the index was, in nanoseconds: a file modified no sooner may have changed since git looked at it, and
    its stamp is (). A stamp is when a file was changed and modified (in nanoseconds), its inode and its size.
    """
    if len(data) < 12 or data[:4] != b"DIRC":
        raise DamagedIndex("the index is damaged")
    version, count = struct.unpack(">II", data[4:12])
    if version not in (2, 3, 4) or count > MAX_ENTRIES * 5:
        raise DamagedIndex(f"an index of version {version} with {count} entries cannot be read")
    found: list[Row] = []
    at, path = 12, b""
    fixed = 40 + id_bytes + 2
    last = len(data) - fixed
    unpacked = struct.Struct(f">4I4xII8xI{id_bytes}sH").unpack_from
    for _ in range(count):
        if at > last:
            raise DamagedIndex("the index is damaged")
        changed, changed_ns, modified, modified_ns, inode, mode, size, blob, flags = unpacked(data, at)
        modified = modified * SECOND + modified_ns
        settled = changed and inode and modified < written
        start, left_out = at + fixed, False
        if flags & 0x4000 and version >= 3:
            left_out = start < len(data) and data[start] & 0x40 != 0  # skip-worktree
            start += 2
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
        stamp = (changed * SECOND + changed_ns, modified, inode, size) if settled else ()
        found.append((path, mode, blob, left_out, stamp))
    if _is_split(data, at, id_bytes):
        raise OtherIndex("a split index")
    return found


def stamp_of(state: os.stat_result) -> tuple[int, ...]:
    """The stamp of a file as it is now."""
    return state.st_ctime_ns, state.st_mtime_ns, state.st_ino & LOW, state.st_size & LOW


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
