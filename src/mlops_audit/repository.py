"""Git repositories, read so that nothing of theirs runs. The only module that starts git.

The work tree's list of files is read from the index by our own reader: no process, no configuration. Everything
else (commits, trees, blobs) is read from a clean bare git directory whose alternates point at the repository's
objects: no configuration, hook, filter, attribute or remote of the audited repository can act there.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import git

MAX_ENTRIES = 200_000
MAX_DEPTH = 64
MAX_INDEX_BYTES = 256_000_000
GIT_SECONDS = 30

LINK_MODE, SUBMODULE_MODE = 0o120000, 0o160000


class RepositoryError(ValueError):
    """A repository that cannot be read; the message is one clear line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A tracked path with its mode and the id of its blob (hexadecimal)."""

    path: str
    mode: int
    blob: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A work tree's git directory (`folder`) and the directory that holds its objects and refs (`common`)."""

    root: Path
    folder: Path
    common: Path

    @classmethod
    def at(cls, root: Path) -> Repository | None:
        """The repository whose work tree is exactly `root`; None for a folder that is none.

        Raises RepositoryError when `.git` leads to a repository that does not know this work tree.
        """
        dot = root / ".git"
        try:
            mode = os.lstat(dot).st_mode
        except OSError:
            return cls(root, root, root) if _is_git_folder(root) else None
        if stat.S_ISDIR(mode):
            return cls(root, dot, dot) if _is_git_folder(dot) else None
        if not stat.S_ISREG(mode):
            raise RepositoryError(".git is neither a folder nor a file: not followed")
        return cls._linked(root, dot)

    @classmethod
    def _linked(cls, root: Path, dot: Path) -> Repository:
        """A linked worktree or submodule: `.git` is a file, and the place it names must name this one back."""
        word = _small_text(dot).removeprefix("gitdir:").strip()
        folder = Path(os.path.normpath(root / word))
        back = _small_text(folder / "gitdir").strip()
        if back and Path(os.path.realpath(folder / back)) == Path(os.path.realpath(dot)):
            common = Path(os.path.normpath(folder / (_small_text(folder / "commondir").strip() or ".")))
            return cls(root, folder, common)
        worktree = re.search(r"^\s*worktree\s*=\s*(.+?)\s*$", _small_text(folder / "config"), re.MULTILINE)
        if worktree and Path(os.path.realpath(folder / worktree[1])) == Path(os.path.realpath(root)):
            return cls(root, folder, folder)
        raise RepositoryError(
            ".git points to a repository elsewhere that does not know this folder: not followed"
        )

    @property
    def bare(self) -> bool:
        """Whether `root` is a git directory itself, without a work tree."""
        return self.folder == self.root

    def head(self) -> str:
        """The id of the commit that HEAD names, "" before the first commit."""
        word = _small_text(self.folder / "HEAD").strip()
        for _ in range(5):
            if re.fullmatch(r"[0-9a-f]{40,64}", word):
                return word
            name = word.removeprefix("ref:").strip()
            if not re.fullmatch(r"refs/[^\0\n]+", name) or ".." in name:
                return ""
            word = _small_text(self.common / name).strip() or self._packed(name)
        return ""

    def _packed(self, name: str) -> str:
        for line in _small_text(self.common / "packed-refs", 50_000_000).split("\n"):
            commit, _, ref = line.partition(" ")
            if ref == name:
                return commit
        return ""

    @property
    def shallow(self) -> bool:
        return (self.common / "shallow").is_file()

    def tracked(self) -> list[Entry]:
        """The entries of the index, in its order; of unmerged paths the first stage.

        Raises RepositoryError for an index that is damaged, split or sparse.
        """
        try:
            data = read_regular(self.folder / "index", MAX_INDEX_BYTES)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RepositoryError(f"the index cannot be read: {error.strerror}") from error
        return list(dict.fromkeys(_index_entries(data, 32 if self._sha256() else 20)))

    def _sha256(self) -> bool:
        config = _small_text(self.common / "config")
        return bool(re.search(r"^\s*objectformat\s*=\s*sha256", config, re.IGNORECASE | re.MULTILINE))

    @contextmanager
    def clean(self) -> Iterator[git.Repo]:
        """This repository's objects seen from a clean bare git directory, removed afterwards."""
        if self._sha256():
            raise RepositoryError(
                "a repository with SHA-256 object ids: revisions cannot be read, only the work tree"
            )
        import git

        with tempfile.TemporaryDirectory(prefix="mlops-audit-") as place:
            clean = Path(place)
            for name in ("objects/info", "refs/heads", "refs/tags"):
                (clean / name).mkdir(parents=True)
            (clean / "HEAD").write_text("ref: refs/heads/none\n")
            (clean / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
            objects = os.path.realpath(self.common / "objects")
            (clean / "objects/info/alternates").write_bytes(os.fsencode(objects) + b"\n")
            if self.shallow:
                (clean / "shallow").write_bytes(read_regular(self.common / "shallow", 10_000_000))
            for name, commit in self.refs():
                target = clean / name
                if not os.path.lexists(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(commit + "\n")
            with _hardened_environment():
                repo = git.Repo(clean)
                try:
                    yield repo
                finally:
                    repo.close()

    def refs(self) -> list[tuple[str, str]]:
        """Branches, tags and remote branches: (full name, id)."""
        found: dict[str, str] = {}
        for line in _small_text(self.common / "packed-refs", 50_000_000).split("\n"):
            commit, _, ref = line.partition(" ")
            found[ref] = commit
        stack = [self.common / "refs"]
        while stack and len(found) < 10_000:
            here = stack.pop()
            try:
                entries = sorted(os.scandir(here), key=lambda e: e.name)
            except OSError:
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    name = Path(entry.path).relative_to(self.common).as_posix()
                    found[name] = _small_text(Path(entry.path)).strip()
        safe = re.compile(r"refs/(heads|tags|remotes)/[\w./@+\-]+")
        return [
            (name, commit)
            for name, commit in sorted(found.items())
            if safe.fullmatch(name)
            and ".." not in name
            and "//" not in name
            and re.fullmatch(r"[0-9a-f]{40}", commit)
        ]

    def resolve(self, repo: git.Repo, rev: str) -> str:
        """The id of the commit that a revision names (`HEAD`, a branch, a tag, an id, `v1~2`)."""
        import git

        name = self.head() + rev[4:] if rev == "HEAD" or rev.startswith(("HEAD~", "HEAD^")) else rev
        try:
            found = str(repo.git.rev_parse("--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"))
        except (git.GitCommandError, ValueError) as error:
            hint = " (a shallow clone: fetch more history)" if self.shallow else ""
            raise RepositoryError(f"no such revision: {rev!r}{hint}") from error
        if not re.fullmatch(r"[0-9a-f]{40}", found):
            raise RepositoryError(f"no such revision: {rev!r}")
        return found


def entries_of(repo: git.Repo, commit: str) -> tuple[list[Entry], bool]:
    """The files of a commit in the order of their paths, and whether a cap cut the list short.

    Trees are read one by one with a stack of our own: a git bomb costs the cap and no more.
    """
    found: list[Entry] = []
    stack = [("", repo.commit(commit).tree, 0)]
    visited = 0
    while stack:
        place, tree, depth = stack.pop()
        visited += 1
        if visited > MAX_ENTRIES or len(found) > MAX_ENTRIES:
            return sorted(found, key=lambda e: e.path), True
        for binsha, mode, name in tree._cache:
            path = f"{place}{name}"
            if stat.S_ISDIR(mode):
                if depth < MAX_DEPTH:
                    stack.append((f"{path}/", _subtree(repo, binsha, mode, path), depth + 1))
            else:
                found.append(Entry(path, mode, binsha.hex()))
    return sorted(found, key=lambda e: e.path), False


def _subtree(repo: git.Repo, binsha: bytes, mode: int, path: str) -> git.Tree:
    import git

    return git.Tree(repo, binsha, mode, path)


def blob(repo: git.Repo, entry: Entry, cap: int) -> bytes:
    """The bytes of an entry's blob. Raises RepositoryError when it is absent or larger than `cap`."""
    try:
        info = repo.odb.info(bytes.fromhex(entry.blob))
        if info.size > cap:
            raise RepositoryError(f"skipped: larger than {cap} bytes")
        data = repo.odb.stream(bytes.fromhex(entry.blob)).read()
    except (ValueError, KeyError, OSError) as error:
        if isinstance(error, RepositoryError):
            raise
        raise RepositoryError("skipped: its content is absent from this clone") from error
    return bytes(data)


def untracked_listing(root: Path) -> list[str]:
    """The files of a folder that is no repository, minus what its .gitignore files name, as git reads those.

    git runs with a clean git directory of ours; no configuration of the folder is read.
    """
    import subprocess

    with tempfile.TemporaryDirectory(prefix="mlops-audit-") as place, _hardened_environment():
        clean = Path(place)
        for name in ("objects/info", "refs/heads"):
            (clean / name).mkdir(parents=True)
        (clean / "HEAD").write_text("ref: refs/heads/none\n")
        (clean / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
        words = [
            "git",
            f"--git-dir={clean}",
            f"--work-tree={root}",
            "ls-files",
            "-z",
            "--others",
            "--exclude-standard",
        ]
        try:
            run = subprocess.run(words, cwd=root, capture_output=True, timeout=GIT_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RepositoryError(f"git cannot list the folder: {error}") from error
        if run.returncode:
            raise RepositoryError("git cannot list the folder")
    return [os.fsdecode(path) for path in run.stdout.split(b"\0") if path]


@contextmanager
def _hardened_environment() -> Iterator[None]:
    """No GIT_* variable of the caller, no configuration of the user or the system, no network, no prompt."""
    saved = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("GIT_") and name != "GIT_EXEC_PATH"
    }
    settings = {
        "core.fsmonitor": "false", "core.hooksPath": "/dev/null", "log.showSignature": "false", "gpg.program": "false",
        "protocol.allow": "never", "core.sshCommand": "false", "core.pager": "cat", "credential.helper": "",
        "submodule.recurse": "false", "gc.auto": "0", "maintenance.auto": "0", "safe.directory": "*",
    }  # fmt: skip
    ours = {
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "",
        "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }  # fmt: skip
    for number, (key, value) in enumerate(settings.items()):
        ours[f"GIT_CONFIG_KEY_{number}"], ours[f"GIT_CONFIG_VALUE_{number}"] = key, value
    for name in saved:
        del os.environ[name]
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
        os.environ.update(saved)


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


def _small_text(path: Path, cap: int = 1_000_000) -> str:
    try:
        return os.fsdecode(read_regular(path, cap))
    except OSError:
        return ""


def _is_git_folder(folder: Path) -> bool:
    head = folder / "HEAD"
    return os.path.isfile(head) and not os.path.islink(head) and (folder / "objects").is_dir()


def _index_entries(data: bytes, id_bytes: int) -> Iterator[Entry]:
    """The entries of a git index of version 2, 3 or 4 (gitformat-index)."""
    if len(data) < 12 or data[:4] != b"DIRC":
        raise RepositoryError("the index is damaged")
    version, count = struct.unpack(">II", data[4:12])
    if version not in (2, 3, 4) or count > MAX_ENTRIES * 5:
        raise RepositoryError(f"an index of version {version} with {count} entries cannot be read")
    at, path = 12, b""
    fixed = 40 + id_bytes
    for _ in range(count):
        if at + fixed + 2 > len(data):
            raise RepositoryError("the index is damaged")
        (mode,) = struct.unpack(">I", data[at + 24 : at + 28])
        blob_id = data[at + 40 : at + fixed].hex()
        (flags,) = struct.unpack(">H", data[at + fixed : at + fixed + 2])
        start = at + fixed + 2 + (2 if flags & 0x4000 and version >= 3 else 0)
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
            raise RepositoryError("the index is damaged")
        if mode & 0o170000 == 0o040000:
            raise RepositoryError("a sparse index cannot be read")
        yield Entry(os.fsdecode(path), mode, blob_id)
    if data.find(b"link", at, at + 4) == at:
        raise RepositoryError("a split index cannot be read")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number in the offset encoding of index version 4, and the place after it."""
    if at >= len(data):
        raise RepositoryError("the index is damaged")
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        if at >= len(data):
            raise RepositoryError("the index is damaged")
        value = ((value + 1) << 7) | (data[at] & 0x7F)
    return value, at + 1
