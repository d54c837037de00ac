"""What an answer of `audit` depends on: words, configuration, program, and the state of the work tree file by file.

Read without git and with next to nothing imported, so that an unchanged repository is told in the time that Python takes.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
from operator import attrgetter

from mlops_audit import head, index
from mlops_audit.cache import NOTHING_KEPT, digest, opened, program

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself is not needed here
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mlops_audit.cache import Cache

    # path, mode, left out by a sparse checkout, what it holds: a blob's id, or words of another length for anything else
    Held = tuple[bytes, int, bool, bytes]
    Texts = Callable[[Mapping[str, bytes]], Mapping[str, bytes]]

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

    An answer differs by the commit only in its name, so `key` does without: `terms` tell whether there is one. `texts` reads
    some of the files, those that are still what they are said to hold, by path and blob.
    """

    __slots__ = ("_told", "commit", "key", "terms", "texts")

    def __init__(self, terms: bytes, commit: str, told: bytes, texts: Texts) -> None:
        self.commit, self._told, self.texts = commit, told, texts
        self.terms = digest(terms, b"%d" % len(commit))
        self.key = digest(self.terms, told)

    @property
    def files(self) -> list[Held]:
        return marshal.loads(self._told)  # type: ignore[no-any-return]


def question(
    words: Sequence[str], root: str, environment: Mapping[str, str], cache: Cache = NOTHING_KEPT
) -> Question | None:
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
        told = _told(root, os.path.join(folder, "index"), cache)
        if not told:
            return None
        configured = [_digest_of(os.path.join(root, name)) for name in CONFIGURATION]
        terms = terms_of(words, root, environment, [config, *configured])
    except (OSError, ValueError, index.OtherIndex, index.DamagedIndex):
        return None
    return Question(terms, head.commit(folder, folder), told, lambda blobs: _texts(root, blobs))


def terms_of(
    words: Sequence[str], root: str, environment: Mapping[str, str], configured: Sequence[bytes]
) -> bytes:
    """All that some words ask, beside the files. Raises OSError for what the user configured and cannot be read."""
    home = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    look = [f"{name}={environment.get(name)}" for name in SURROUNDINGS]
    size = tuple(os.get_terminal_size()) if sys.stdout.isatty() else ()
    look += [str(sys.stdout.isatty()), str(sys.stdout.encoding), str(size), _day(), root]
    return digest(
        program(),
        _data(),
        _digest_of(os.path.join(home, PROGRAM, "config.toml")),
        *configured,
        *(word.encode("utf-8", "surrogateescape") for word in (*words, *look)),
    )


def _digest_of(place: str) -> bytes:
    return digest(bytes_of(place)) if os.path.lexists(place) else b""


def _is_plain(folder: str) -> bool:
    """Whether a git directory is a folder of plain files, as `repository` wants it. Raises OSError."""
    if not stat.S_ISDIR(os.lstat(folder).st_mode) or not os.path.isdir(os.path.join(folder, "objects")):
        return False
    names = [name for name in ("config", "packed-refs") if os.path.lexists(os.path.join(folder, name))]
    return all(
        stat.S_ISREG(os.lstat(os.path.join(folder, name)).st_mode) for name in ("HEAD", "index", *names)
    )


def _told(root: str, place: str, cache: Cache) -> bytes:
    """Every path of an index with what an audit could read there, as marshal writes it; b"" where a folder is not in its place.

    A file is what the index says where git saw this very file, and is read where not.
    """
    written, data = os.lstat(place).st_mtime_ns, bytes_of(place)
    top = os.fsencode(os.path.join(root, ""))
    state = digest(b"%d" % written, data)
    known = cache.get("index", digest(top))
    if known is None or known[0] != state:
        known = state, *_indexed(data, written, top)
        cache.put("index", digest(top), known)
    _, names, folders, stamps, told = known
    if not _all_folders(folders.split(b"\0")):
        return b""
    paths = names.split(b"\0") if names else []
    now: list[tuple[int, ...]]
    try:
        now = list(map(_STAMP, map(os.lstat, paths)))
    except FileNotFoundError:
        now = [()] * len(paths)  # each is looked at by itself
    if marshal.dumps(now, 2) == stamps:
        return told  # type: ignore[no-any-return]
    rows: list[Held] = marshal.loads(told)
    seen = zip(rows, paths, marshal.loads(stamps), now, strict=True)
    held = [
        row if stamp and stamp == is_now else (*row[:3], _held(name, row[3], stamp))
        for row, name, stamp, is_now in seen
    ]
    return marshal.dumps(held, 2)


def _indexed(data: bytes, written: int, top: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """What an index says: where its files lie, the folders that hold them and all above, the stamps of files, and what they
    hold when each has its stamp."""
    rows = index.entries(data, BLOB, written)
    folders, real = {row[0].rpartition(b"/")[0] for row in rows}, {b""}
    for folder in folders:
        while folder not in real:
            real.add(folder)
            folder = folder.rpartition(b"/")[0]
    return (
        b"\0".join([top + row[0] for row in rows]),
        b"\0".join([top + folder for folder in real]),
        marshal.dumps([stamp if mode & 0o170000 == 0o100000 else () for _, mode, _, _, stamp in rows], 2),
        marshal.dumps([(path, mode, left_out, blob) for path, mode, blob, left_out, _ in rows], 2),
    )


def _all_folders(places: Iterable[bytes]) -> bool:
    """Whether some places are folders themselves or absent."""
    for place in places:
        try:
            if not stat.S_ISDIR(os.lstat(place).st_mode):
                return False
        except FileNotFoundError:
            pass
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


def _texts(root: str, blobs: Mapping[str, bytes]) -> dict[str, bytes]:
    """The content of files of a work tree."""
    found: dict[str, bytes] = {}
    for path, blob in blobs.items():
        try:
            data = bytes_of(os.path.join(root, path))
        except OSError:
            continue
        if blob_of(data) == blob:
            found[path] = data
    return found


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
