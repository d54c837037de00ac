"""What was found out before, under the user's cache folder: kept by what it follows from, never in an audited repository.

Each entry is a file that is written beside its place and put there whole, so that neither concurrent runs nor kills
leave half of one. Values are plain (texts, numbers, tuples, lists, dictionaries): reading one runs nothing. What is
damaged, written by another Python, owned by another user or open to the writing of others counts as absent.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
import zlib

TYPE_CHECKING = (
    False  # type checkers take it for true; the answer that is known is given before `typing` is needed
)
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

PROGRAM = "mlops-audit"
MAX_BYTES = 300_000_000  # of all entries; the ones not used for longest go first
MAX_ENTRIES = 2_000
MAX_ENTRY = 100_000_000
ENDING = ".entry"

_MAGIC = f"mlops-audit cache 1 {sys.implementation.cache_tag} {marshal.version}\n".encode()


def user_folder(environment: Mapping[str, str], platform: str = sys.platform) -> str:
    """Where the platform keeps what can be made again, "" where it cannot be told."""
    home = environment.get("USERPROFILE" if platform == "win32" else "HOME", "")
    if platform == "win32":
        local = environment.get("LOCALAPPDATA") or (f"{home}\\AppData\\Local" if home else "")
        return f"{local}\\{PROGRAM}\\Cache" if local else ""
    given = environment.get("XDG_CACHE_HOME", "")
    if given.startswith("/"):
        return f"{given}/{PROGRAM}"
    if not home.startswith("/"):
        return ""
    return f"{home}/Library/Caches/{PROGRAM}" if platform == "darwin" else f"{home}/.cache/{PROGRAM}"


class Cache:
    """Values by part and key; a folder "" keeps nothing. Nothing here ever fails: what cannot be kept is not."""

    def __init__(self, folder: str = "", limit: int = MAX_BYTES) -> None:
        self.folder, self._limit = folder, limit

    def get(self, part: str, key: bytes) -> Any:
        """The value that was put under a key, None where there is none."""
        if not self.folder:
            return None
        place = self._place(part, key)
        try:
            data = _own_file(place)
            if not data.startswith(_MAGIC) or zlib.crc32(data[len(_MAGIC) + 4 :]) != _number(
                data[len(_MAGIC) :]
            ):
                return None
            known, value = marshal.loads(data[len(_MAGIC) + 4 :])
            if known != key:
                return None
            os.utime(place)
        except (OSError, ValueError, EOFError, TypeError):
            return None
        return value

    def put(self, part: str, key: bytes, value: object) -> None:
        if not self.folder:
            return
        try:
            body = marshal.dumps((key, value))  # type: ignore[arg-type]  # what it cannot hold is refused
        except ValueError:
            return
        if len(body) > min(MAX_ENTRY, self._limit):
            return
        place = self._place(part, key)
        fresh = f"{place}.{os.getpid()}.tmp"
        try:
            os.makedirs(self.folder, 0o700, exist_ok=True)
            if not _only_ours(os.lstat(self.folder)):
                return
            handle = os.open(
                fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600
            )
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(_MAGIC + zlib.crc32(body).to_bytes(4, "big") + body)
                os.replace(fresh, place)
            except OSError:
                os.unlink(fresh)
                return
            self._make_room()
        except OSError:
            return

    def known(self, part: str, key: bytes, find_out: Callable[[], Any]) -> Any:
        """The value that is kept, else the one that is found out now. None is never kept."""
        value = self.get(part, key)
        if value is None:
            value = find_out()
            self.put(part, key, value)
        return value

    def entries(self) -> list[tuple[str, int, float]]:
        """Part, size in bytes and time of the last use of each entry, and of what killed runs left."""
        return [(name.partition("-")[0], state.st_size, state.st_mtime) for name, state in self._files()]

    def clear(self) -> int:
        """Forget everything; how many entries that were."""
        return sum(self._forget(name) for name, _ in self._files())

    def _make_room(self) -> None:
        files = sorted(self._files(), key=lambda file: file[1].st_mtime)
        room = self._limit - sum(state.st_size for _, state in files)
        over = len(files) - MAX_ENTRIES
        for name, state in files[:-1]:
            if room >= 0 and over <= 0:
                return
            if self._forget(name):
                room, over = room + state.st_size, over - 1

    def _files(self) -> list[tuple[str, os.stat_result]]:
        found = []
        try:
            with os.scandir(self.folder or os.devnull) as files:
                for file in files:
                    if file.name.endswith((ENDING, ".tmp")) and file.is_file(follow_symlinks=False):
                        found.append((file.name, file.stat(follow_symlinks=False)))
        except OSError:
            pass  # another run takes away what this one lists
        return found

    def _forget(self, name: str) -> bool:
        try:
            os.unlink(os.path.join(self.folder, name))
        except OSError:
            return False
        return True

    def _place(self, part: str, key: bytes) -> str:
        return os.path.join(self.folder, f"{part}-{digest(key).hex()}{ENDING}")


NOTHING_KEPT = Cache()


def digest(*parts: bytes) -> bytes:
    """What tells some texts, in their order, from all others."""
    try:
        from _blake2 import blake2b  # what hashlib gives, ten times sooner
    except ImportError:
        from hashlib import blake2b

    state = blake2b(digest_size=20)
    for part in parts:
        state.update(len(part).to_bytes(8, "big") + part)
    return state.digest()


def program() -> bytes:
    """What tells this program, as it is installed, and this Python from others: names, sizes and times of its files."""
    here = os.path.dirname(os.path.abspath(__file__))
    told = [sys.version.encode(), here.encode()]
    for folder in sys.path:
        if folder.endswith("-packages") and os.path.isdir(
            folder
        ):  # its time tells when any parser came or went
            told.append(f"{folder} {os.stat(folder).st_mtime_ns}".encode())
    folders = [here]
    while folders:
        folder = folders.pop()
        for file in sorted(os.scandir(folder), key=lambda file: file.name):
            if file.name.endswith(".py"):
                state = file.stat()
                told.append(f"{file.name} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}".encode())
            elif not file.name.startswith("_") and file.is_dir():
                folders.append(file.path)
    return digest(*told)


def _number(data: bytes) -> int:
    return int.from_bytes(data[:4], "big")


def opened(place: str | bytes) -> int:
    """A handle on a file that follows no link and waits for no pipe. Raises OSError."""
    flags = ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")
    return os.open(place, os.O_RDONLY | sum(getattr(os, flag, 0) for flag in flags))


def _own_file(place: str) -> bytes:
    """The bytes of a regular file that nobody but this user can have written. Raises OSError for any other."""
    if not _only_ours(os.lstat(os.path.dirname(place))):
        raise PermissionError(place)
    handle = opened(place)
    with os.fdopen(handle, "rb") as stream:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode) or not _only_ours(state) or state.st_size > MAX_ENTRY + 1000:
            raise PermissionError(place)
        return stream.read()


def _only_ours(state: os.stat_result) -> bool:
    if not hasattr(os, "geteuid"):
        return True  # the profile of a Windows user is closed to others by itself
    return state.st_uid == os.geteuid() and not state.st_mode & 0o022
