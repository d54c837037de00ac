"""Where the program starts: it gives the answer that it gave to the very same question, else asks the command line.

The question is everything that an answer depends on: the words of the command line, the state of the work tree file by
file, the configuration, this program. What else an option could bring in (a revision, a file of another place) is not
answered from here. Imports next to nothing, so that an unchanged repository is told in the time that Python takes.
"""

from __future__ import annotations

import os
import stat
import sys

from mlops_audit import __version__

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself is not needed here
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROGRAM = "mlops-audit"
WITH_VALUE = frozenset({
    "--format", "--fail-below-maturity", "--fail-below-score", "--fail-on", "--profile", "--color", "--today",
})  # fmt: skip
FLAGS = frozenset(
    {"--isolated", "--strict", "--no-snippets", "-q", "--quiet", "--no-waivers", "--no-baseline"}
)
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
MAX_READ = 50_000_000  # of one file that git has not seen as it is


def main() -> int:
    """Run the program and give its exit code, see cli.main."""
    words = sys.argv[1:]
    if words == ["--version"]:
        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        return 0
    root = audited(words)
    if root is None:
        return _ask(words)
    from mlops_audit.cache import Cache, user_folder

    folder = user_folder(os.environ)
    if not folder or os.path.realpath(folder).startswith(os.path.join(root, "")):
        return _ask(words)
    cache = Cache(folder)
    asked = question(words, root, os.environ)
    answer = cache.get("report", asked) if asked else None
    if answer is not None:
        said, told, code = answer
        sys.stderr.write(told)
        sys.stderr.flush()
        return _give(said, code)
    if not asked:
        return _ask(words)
    from mlops_audit import cli

    code = cli.run(words)
    if cli.ANSWER.lasting and question(words, root, os.environ) == asked:
        cache.put("report", asked, (bytes(cli.ANSWER.said), "".join(cli.ANSWER.told), code))
    return code


def _ask(words: Sequence[str]) -> int:
    from mlops_audit import cli

    return cli.run(words)


def _give(said: bytes, code: int) -> int:
    try:
        sys.stdout.buffer.write(said)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def audited(words: Sequence[str]) -> str | None:
    """The folder of an audit whose answer depends on nothing but it and its options; None for any other command."""
    if not words or words[0] != "audit":
        return None
    paths, rest = [], list(words[1:])
    while rest:
        word = rest.pop(0)
        name = word.partition("=")[0]
        if name in WITH_VALUE and ("=" in word or rest):
            value = word.partition("=")[2] if "=" in word else rest.pop(0)
            if value == "github":
                return None  # it writes a summary beside the report
        elif not word.startswith("-"):
            paths.append(word)
        elif word not in FLAGS:
            return None
    if len(paths) > 1:
        return None
    return os.path.realpath(paths[0] if paths else ".")


def question(words: Sequence[str], root: str, environment: Mapping[str, str]) -> bytes:
    """What tells this question from any other, b"" where that takes a closer look."""
    from mlops_audit import cache, index

    try:
        tree = _state(root)
        if tree is None:
            return b""
        home = environment.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        own = _content(os.path.join(home, PROGRAM, "config.toml"))
        settings = [_content(os.path.join(root, name)) for name in CONFIGURATION]
        look = [f"{name}={environment.get(name)}" for name in SURROUNDINGS]
        size = tuple(os.get_terminal_size()) if sys.stdout.isatty() else ()
        look += [str(sys.stdout.isatty()), str(sys.stdout.encoding), str(size), _day(), root]
        parts = [
            cache.program(),
            _data(),
            own,
            *settings,
            *tree,
            *(word.encode("utf-8", "surrogateescape") for word in (*words, *look)),
        ]
    except (OSError, ValueError, index.OtherIndex, index.DamagedIndex):
        return b""
    return cache.digest(*parts)


def _state(root: str) -> list[bytes] | None:
    """What an audit could read of a work tree: HEAD, the tracked paths, and of each file what it holds.

    None for what is no plain repository with all its folders in their places.
    """
    from mlops_audit import index

    folder = os.path.join(root, ".git")
    if not stat.S_ISDIR(os.lstat(folder).st_mode):
        return None
    head = _content(os.path.join(folder, "HEAD"), whole=True)
    state = [head, _content(os.path.join(folder, "config"), whole=True)]
    if head.startswith(b"ref: refs/") and b".." not in head:
        state.append(_content(os.path.join(folder, os.fsdecode(head[5:].strip()))))
    state.append(_content(os.path.join(folder, "packed-refs")))
    if b"sha256" in state[1].lower():
        return None
    place = os.path.join(folder, "index")
    written = os.lstat(place).st_mtime_ns
    real: set[str] = {root}
    for path, mode, blob, left_out, stamp in index.entries(_content(place, whole=True), 20, written):
        name = os.path.join(root, os.fsdecode(path))
        above = os.path.dirname(name)
        if above not in real and not _all_folders(above, real):
            return None
        state.append(b"%s\0%o\0%d\0%s" % (path, mode, left_out, _held(name, blob, stamp)))
    return state


def _all_folders(place: str, real: set[str]) -> bool:
    """Whether a folder, and all above it that are not known yet, are folders themselves or absent."""
    while place not in real:
        try:
            if not stat.S_ISDIR(os.lstat(place).st_mode):
                return False
        except FileNotFoundError:
            pass
        real.add(place)
        place = os.path.dirname(place)
    return True


def _held(name: str, blob: str, stamp: tuple[int, ...]) -> bytes:
    """What a tracked path holds: its blob where git saw this very file, else its content, or what stands in its place."""
    from mlops_audit.index import stamp_of

    try:
        now = os.lstat(name)
    except FileNotFoundError:
        return b"absent"
    if stat.S_ISREG(now.st_mode):
        return blob.encode() if stamp and stamp_of(now) == stamp else _content(name)
    if stat.S_ISLNK(now.st_mode):
        return b"link " + os.fsencode(os.readlink(name))
    return b"mode %o" % now.st_mode


def _content(place: str, whole: bool = False) -> bytes:
    """What tells a file's content from others (or the content itself), b"" where there is none.

    Raises OSError for what is no regular file, or larger than any that is read.
    """
    from mlops_audit.cache import digest, opened

    try:
        handle = opened(place)
    except FileNotFoundError:
        return b""
    with os.fdopen(handle, "rb") as stream:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode) or state.st_size > MAX_READ:
            raise OSError(0, "not read")
        data = stream.read(MAX_READ)
    return data if whole else digest(data, b"%o" % state.st_mode)


def _data() -> bytes:
    """What tells the rules and templates of this program from others: names, sizes and times."""
    from mlops_audit.cache import digest

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
