"""What an answer of `audit` depends on: words, configuration, program, and the state of the work tree file by file.

Read without git and with next to nothing imported, so that an unchanged repository is told in the time that Python takes.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
from operator import attrgetter

from mlops_audit import cache, head, index
from mlops_audit.cache import digest, opened

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself is not needed here
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    # path, mode, left out by a sparse checkout, what it holds: a blob's id, or words of another length for anything else
    Held = tuple[bytes, int, bool, bytes]

PROGRAM = "mlops-audit"
CONFIGURATION = (".mlops-audit.toml", "pyproject.toml")
SURROUNDINGS = (
    "NO_COLOR",
    "FORCE_COLOR",
    "TERM",
    "COLUMNS",
    "LINES",
    "PYTHONUTF8",
    "PYTHONIOENCODING",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
)
_STAMP = attrgetter("st_ctime_ns", "st_mtime_ns", "st_ino", "st_size")  # index.stamp_of, of small numbers
BLOB = 20  # bytes of a blob's id
MAX_READ = 50_000_000  # of one file that git has not seen as it is


class Question:
    """One question: `terms` tell all that it asks beside the tracked `files` and the `commit` that HEAD names.

    An answer differs by the commit only in its name, so `key` does without: `terms` tell whether there is one.
    """

    __slots__ = ("commit", "files", "key", "terms")

    def __init__(self, terms: bytes, commit: str, files: list[Held]) -> None:
        self.commit, self.files = commit, files
        self.terms = digest(terms, b"%d" % len(commit))
        self.key = digest(self.terms, marshal.dumps(files, 2))


def question(words: Sequence[str], root: str, environment: Mapping[str, str]) -> Question | None:
    """The question that some words ask of the work tree at `root`; None where that takes a closer look."""
    try:
        if "0".encode(sys.stdout.encoding) != b"0":
            return None  # a kept answer is completed byte by byte
        folder = os.path.join(root, ".git")
        if not _is_plain(folder):
            return None
        config = bytes_of(place) if os.path.lexists(place := os.path.join(folder, "config")) else b""
        if b"sha256" in config.lower():
            return None
        files = _files(root, os.path.join(folder, "index"))
        if files is None:
            return None
        home = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        settings = [
            os.path.join(home, PROGRAM, "config.toml"),
            *(os.path.join(root, n) for n in CONFIGURATION),
        ]
        look = [f"{name}={environment.get(name)}" for name in SURROUNDINGS]
        size = tuple(os.get_terminal_size()) if sys.stdout.isatty() else ()
        look += [str(sys.stdout.isatty()), str(sys.stdout.encoding), str(size), _day(), root]
        terms = digest(
            cache.program(),
            _data(),
            config,
            *(digest(bytes_of(place)) if os.path.lexists(place) else b"" for place in settings),
            *(word.encode("utf-8", "surrogateescape") for word in (*words, *look)),
        )
    except (OSError, ValueError, index.OtherIndex, index.DamagedIndex):
        return None
    return Question(terms, head.commit(folder, folder), files)


def _is_plain(folder: str) -> bool:
    """Whether a git directory is a folder of plain files, as `repository` wants it. Raises OSError."""
    if not stat.S_ISDIR(os.lstat(folder).st_mode) or not os.path.isdir(os.path.join(folder, "objects")):
        return False
    names = [name for name in ("config", "packed-refs") if os.path.lexists(os.path.join(folder, name))]
    return all(
        stat.S_ISREG(os.lstat(os.path.join(folder, name)).st_mode) for name in ("HEAD", "index", *names)
    )


def _files(root: str, place: str) -> list[Held] | None:
    """Every path of an index with what an audit could read there; None where a folder is not in its place.

    A file is what the index says where git saw this very file, and is read where not.
    """
    written = os.lstat(place).st_mtime_ns
    rows = index.entries(bytes_of(place), 20, written)
    top = os.fsencode(os.path.join(root, ""))
    names = [top + row[0] for row in rows]
    if not _all_folders({row[0].rpartition(b"/")[0] for row in rows}, top):
        return None
    stamps: Sequence[tuple[int, ...]]
    try:
        stamps = list(map(_STAMP, map(os.lstat, names)))
    except FileNotFoundError:
        stamps = ((),) * len(names)  # each is looked at by itself
    return [
        (path, mode, left_out, blob)
        if stamp == now and stamp and mode & 0o170000 == 0o100000
        else (path, mode, left_out, _held(name, blob, stamp))
        for (path, mode, blob, left_out, stamp), now, name in zip(rows, stamps, names, strict=True)
    ]


def _all_folders(places: Iterable[bytes], top: bytes) -> bool:
    """Whether some folders below the root, and all above them, are folders themselves or absent."""
    real = {b""}
    for place in places:
        while place not in real:
            try:
                if not stat.S_ISDIR(os.lstat(top + place).st_mode):
                    return False
            except FileNotFoundError:
                pass
            real.add(place)
            place = place.rpartition(b"/")[0]
    return True


def _held(name: bytes, blob: bytes, stamp: tuple[int, ...]) -> bytes:
    """What a tracked path holds: its blob where git saw this very file, else its content, or what stands in its place."""
    try:
        now = os.lstat(name)
    except FileNotFoundError:
        return b"absent"
    if stat.S_ISREG(now.st_mode):
        return blob if stamp and index.stamp_of(now) == stamp else blob_of(bytes_of(name))
    if stat.S_ISLNK(now.st_mode):
        return b"a symbolic link that leads to " + os.readlink(name)
    return b"mode %o" % now.st_mode


def blob_of(data: bytes) -> bytes:
    """git's id of a content (memory.blob_id)."""
    from mlops_audit.hashes import sha1

    return sha1(b"blob %d\0" % len(data) + data).digest()


def bytes_of(place: str | bytes) -> bytes:
    """The bytes of a regular file. Raises OSError for what is none, or larger than any that is read."""
    handle = opened(place)
    with os.fdopen(handle, "rb") as stream:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode) or state.st_size > MAX_READ:
            raise OSError(0, "not read")
        return stream.read(MAX_READ)


def _data() -> bytes:
    """What tells the rules and templates of this program from others: names, sizes and times."""
    package = os.path.dirname(os.path.abspath(__file__))
    inside = os.path.join(package, "_data")
    home = inside if os.path.isdir(inside) else os.path.dirname(os.path.dirname(package))
    told = []
    folders = [os.path.join(home, "rules"), os.path.join(home, "reports")]
    while folders:
        with os.scandir(folders.pop()) as files:
            for file in files:
                if file.is_dir():
                    folders.append(file.path)
                else:
                    state = file.stat()
                    told.append(
                        f"{file.path} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}".encode()
                    )
    return digest(*sorted(told))


def _day() -> str:
    """Waivers end at a day."""
    import time

    return time.strftime("%Y-%m-%d")
