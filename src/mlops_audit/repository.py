"""Git repositories, read so that nothing of theirs runs. The only module that starts git.

The work tree's list of files is read from the index by our own reader: no process, no configuration. Everything
else (commits, trees, blobs) is read from a clean bare git directory whose alternates point at the repository's
objects: no configuration, hook, filter, attribute or remote of the audited repository can act there.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mlops_audit import head, index
from mlops_audit.index import MAX_ENTRIES

if TYPE_CHECKING:
    import git

Objects: TypeAlias = "git.Repo"  # a repository's objects, seen from a clean git directory

MAX_DEPTH = 64
MAX_INDEX_BYTES = 256_000_000
MAX_TREE_BYTES = 20_000_000
MAX_PATH_BYTES = 4096
MAX_PLACES = 100  # of one and the same folder in a commit, when more than two files stand in it
MAX_PATHS_BYTES = 50_000_000  # of all paths of a commit together
GIT_SECONDS = 60  # by the clock: a busy machine or a slow disk makes no repository unreadable

_ROW = re.compile(rb"([0-7]{5,6}) ([^\0]{1,4096})\0(.{20})", re.DOTALL)  # of a tree object: mode, name, id
_WORKTREE = re.compile(r"(?:^|\])[ \t]*worktree[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE | re.IGNORECASE)

LINK_MODE, SUBMODULE_MODE = 0o120000, 0o160000
SPECIAL_MODE = 0  # a pipe, socket or device of a plain folder


class RepositoryError(ValueError):
    """A repository that cannot be read; the message is one clear line."""


class Entry(NamedTuple):
    """A tracked path with its mode and the id of its blob (hexadecimal).

    `left_out` is set where a sparse checkout leaves it out of the work tree. `stamp` is what the file's state was when
    git compared it with the blob (index.entries), () where not known.
    """

    path: str
    mode: int
    blob: str
    left_out: bool = False
    stamp: tuple[int, ...] = ()


class Repository(NamedTuple):
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
            return cls._own(root, dot)
        if not stat.S_ISREG(mode):
            raise RepositoryError(".git is neither a folder nor a file: not followed")
        return cls._linked(root, dot)

    @classmethod
    def _own(cls, root: Path, dot: Path) -> Repository | None:
        """The ordinary case, a folder `.git`: none of its parts a link or pipe, and the work tree where it stands."""
        for name in ("HEAD", "config", "index", "packed-refs"):
            place = dot / name
            if os.path.lexists(place) and not stat.S_ISREG(os.lstat(place).st_mode):
                raise RepositoryError(f".git/{name} is no regular file: not read")
        if not _is_git_folder(dot):
            return None
        elsewhere = _WORKTREE.search(_small_text(dot / "config"))
        if elsewhere and os.path.realpath(dot / elsewhere[1].strip('"')) != os.path.realpath(root):
            raise RepositoryError("core.worktree of .git/config points to another folder: not followed")
        return cls(root, dot, dot)

    @classmethod
    def _linked(cls, root: Path, dot: Path) -> Repository:
        """A linked worktree or submodule: `.git` is a file, and the place it names must name this one back."""
        word = _small_text(dot).removeprefix("gitdir:").strip()
        folder = Path(os.path.normpath(root / word))
        back = _small_text(folder / "gitdir").strip()
        if back and Path(os.path.realpath(folder / back)) == Path(os.path.realpath(dot)):
            common = Path(os.path.normpath(folder / (_small_text(folder / "commondir").strip() or ".")))
            return cls(root, folder, common)
        worktree = _WORKTREE.search(_small_text(folder / "config"))
        if worktree and os.path.realpath(folder / worktree[1].strip('"')) == os.path.realpath(root):
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
        return head.commit(str(self.folder), str(self.common))

    @property
    def shallow(self) -> bool:
        return (self.common / "shallow").is_file()

    def tracked(self) -> list[Entry]:
        """The entries of the index, in its order; of unmerged paths the first stage.

        A split or a sparse index is given to git, in a clean git directory. Raises RepositoryError for a damaged one.
        """
        try:
            written = os.lstat(self.folder / "index").st_mtime_ns
            data = read_regular(self.folder / "index", MAX_INDEX_BYTES)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RepositoryError(f"the index cannot be read: {error.strerror}") from error
        try:
            found = [
                Entry(os.fsdecode(path), mode, blob_id.hex(), left_out, stamp)
                for path, mode, blob_id, left_out, stamp in index.entries(
                    data, 32 if self._sha256() else 20, written
                )
            ]
        except index.OtherIndex:
            found = self._listed_by_git(data)
        except index.DamagedIndex as error:
            raise RepositoryError(str(error)) from error
        return list({entry.path: entry for entry in reversed(found)}.values())[::-1]

    def _listed_by_git(self, index: bytes) -> list[Entry]:
        """The entries of a split or sparse index as git reads a copy of it, away from all configuration."""
        with self.clean() as repo:
            place = Path(repo.git_dir)
            (place / "index").write_bytes(index)
            for shared in self.folder.glob("sharedindex.*"):
                if re.fullmatch(r"sharedindex\.[0-9a-f]{40}", shared.name):
                    (place / shared.name).write_bytes(read_regular(shared, MAX_INDEX_BYTES))
            out = _git([f"--git-dir={place}", "ls-files", "-s", "-v", "-z"], place)
        found = []
        for row in out.split(b"\0"):
            about, tab, path = row.partition(b"\t")
            words = about.split()
            if tab and len(words) == 4:
                left_out = words[0] in (b"S", b"s")
                found.append(Entry(os.fsdecode(path), int(words[1], 8), words[2].decode(), left_out))
        return found

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
        import tempfile

        import git

        with tempfile.TemporaryDirectory(prefix="mlops-audit-") as place:
            clean = Path(place)
            for name in ("objects", "refs/heads", "refs/tags"):
                (clean / name).mkdir(parents=True)
            (clean / "HEAD").write_text("ref: refs/heads/none\n")
            (clean / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
            for name in self._object_folders():
                (clean / "objects" / name).symlink_to(os.path.realpath(self.common / "objects" / name))
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

    def _object_folders(self) -> list[str]:
        """The folders of the object store, without its `info`: objects that it borrows from elsewhere stay there.

        Raises RepositoryError where something stands among the objects that is no regular file: git would follow a
        link, and wait for a pipe.
        """
        store = self.common / "objects"
        if store.is_symlink():
            raise RepositoryError("the objects of the repository are a link: not followed")
        found = []
        for folder in os.scandir(store):
            if not re.fullmatch(r"[0-9a-f]{2}|pack", folder.name):
                continue
            if not folder.is_dir(follow_symlinks=False):
                raise RepositoryError(f"objects/{folder.name} is no folder: not read")
            for entry in os.scandir(folder.path):
                if not entry.is_file(follow_symlinks=False):
                    raise RepositoryError(f"an object in objects/{folder.name} is no regular file: not read")
            found.append(folder.name)
        return sorted(found)

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
            words = ("--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
            found = str(repo.git.rev_parse(*words, kill_after_timeout=GIT_SECONDS))
        except (git.GitCommandError, ValueError) as error:
            hint = " (a shallow clone: fetch more history)" if self.shallow else ""
            if not hint and (self.common / "objects/info/alternates").exists():
                hint = " (objects borrowed from another repository are not followed)"
            if not self.head() and rev.startswith("HEAD"):
                hint = " (there is no commit yet)"
            raise RepositoryError(f"no such revision: {rev!r}{hint}") from error
        if not re.fullmatch(r"[0-9a-f]{40}", found):
            raise RepositoryError(f"no such revision: {rev!r}")
        return found


class Commit(NamedTuple):
    """A commit: its id, that of its tree, when it was committed (seconds since 1970) and its author's name."""

    id: str
    tree: str
    when: int
    author: str


MAX_COMMITS = 100_000


def first_parents(repo: Objects, commit: str) -> list[Commit]:
    """The commits on the first-parent line that ends in `commit`, oldest first."""
    text = repo.git.log(
        "--first-parent", "-z", f"--max-count={MAX_COMMITS}", "--format=%H%n%T%n%ct%n%an", commit, "--"
    )
    rows = (row.split("\n", 3) for row in str(text).split("\0") if row.strip())
    return [Commit(row[0].strip(), row[1], int(row[2]), row[3]) for row in rows][::-1]


def tagged(repo: Objects) -> list[tuple[str, Commit]]:
    """Each tag that leads to a commit, by date: (name, commit)."""
    import git

    names = [
        str(ref) for ref in repo.git.for_each_ref("--format=%(refname)", "refs/tags/").split("\n") if ref
    ]
    found = []
    for name in names:
        try:
            text = repo.git.log(
                "-1", "--format=%H%n%T%n%ct%n%an", "--end-of-options", f"{name}^{{commit}}", "--"
            )
        except git.GitCommandError:
            continue  # a tag of a tree or blob
        row = str(text).split("\n", 3)
        found.append((name.removeprefix("refs/tags/"), Commit(row[0], row[1], int(row[2]), row[3])))
    return sorted(found, key=lambda pair: (pair[1].when, pair[0]))


def entries_of(repo: git.Repo, commit: str) -> tuple[list[Entry], bool]:
    """The files of a commit in the order of their paths, and whether a cap cut the list short.

    Each tree is read once, and paths are made with a stack of our own: a git bomb costs the cap and no more. Raises
    RepositoryError for a commit whose own tree is absent or larger than the cap.
    """
    rows: dict[bytes, list[tuple[bytes, int, str]]] = {}
    places: Counter[bytes] = Counter()
    found: list[Entry] = []
    root = _root_of(repo, commit)
    stack, cut, room, visited = [("", root, 0)], False, MAX_PATHS_BYTES, 0
    while stack:
        place, tree, depth = stack.pop()
        visited += 1
        if tree not in rows:
            try:
                rows[tree] = _rows(repo, tree)
            except RepositoryError:
                if tree == root:
                    raise
                found.append(
                    Entry(place.rstrip("/"), SUBMODULE_MODE, "")
                )  # a folder that this clone has not got
                continue
        places[tree] += len(rows[tree]) > 2 or any(stat.S_ISDIR(mode) for _, mode, _ in rows[tree])
        if places[tree] > MAX_PLACES:
            cut = True
            continue
        for binsha, mode, name in rows[tree]:
            path = f"{place}{name}"
            room -= len(path)
            if visited > MAX_ENTRIES or len(found) >= MAX_ENTRIES or room < 0:
                return sorted(found, key=lambda e: e.path), True
            if not stat.S_ISDIR(mode):
                found.append(Entry(path, mode, binsha.hex()))
            elif depth < MAX_DEPTH and len(path) < MAX_PATH_BYTES:
                stack.append((f"{path}/", binsha, depth + 1))
            else:
                cut = True
    return sorted(found, key=lambda e: e.path), cut


def _root_of(repo: git.Repo, commit: str) -> bytes:
    """The id of a commit's tree."""
    head = _object(repo, bytes.fromhex(commit), MAX_TREE_BYTES)
    named = re.match(rb"tree ([0-9a-f]{40})\n", head)
    if named is None:
        raise RepositoryError(f"the commit {commit[:12]} is damaged")
    return bytes.fromhex(named[1].decode())


def _rows(repo: git.Repo, tree: bytes) -> list[tuple[bytes, int, str]]:
    """The (id, mode, name) of a tree object; names that lead out of their folder are left out."""
    data, at = _object(repo, tree, MAX_TREE_BYTES), 0
    rows = []
    while at < len(data):
        named = _ROW.match(data, at)
        if named is None:
            raise RepositoryError("a tree of the commit is damaged")
        at = named.end()
        name = os.fsdecode(named[2])
        if name not in (".", "..", ".git") and "/" not in name:
            rows.append((named[3], int(named[1], 8), name))
    return rows


def _object(repo: git.Repo, sha: bytes, cap: int) -> bytes:
    """The bytes of an object. Raises RepositoryError when it is absent, damaged or larger than `cap`."""
    try:
        size = repo.odb.info(sha).size
        if size > cap:
            raise RepositoryError(f"larger than {cap} bytes")
        return bytes(repo.odb.stream(sha).read())
    except (ValueError, KeyError, OSError, AssertionError) as error:
        if isinstance(error, RepositoryError):
            raise
        raise RepositoryError("its content is absent from this clone") from error


def blob(repo: git.Repo, entry: Entry, cap: int) -> bytes:
    """The bytes of an entry's blob. Raises RepositoryError when it is absent or larger than `cap`."""
    return _object(repo, bytes.fromhex(entry.blob), cap)


def untracked_listing(root: Path) -> tuple[list[Entry], bool]:
    """The files of a folder that is no repository, minus what its .gitignore files name, as git reads those.

    Also whether a cap cut the list short. git runs with a clean git directory of ours; no configuration of the folder is
    read. Where git could be held up, by a .gitignore that is no regular file, all files are listed.
    """
    walked, cut, plain = _walked(root)
    if not plain:
        return walked, cut
    import tempfile

    with tempfile.TemporaryDirectory(prefix="mlops-audit-") as place, _hardened_environment():
        clean = Path(place)
        for name in ("objects/info", "refs/heads"):
            (clean / name).mkdir(parents=True)
        (clean / "HEAD").write_text("ref: refs/heads/none\n")
        (clean / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
        words = [
            f"--git-dir={clean}",
            f"--work-tree={root}",
            "ls-files",
            "-z",
            "--others",
            "--exclude-standard",
        ]
        kept = {os.fsdecode(path) for path in _git(words, root).split(b"\0") if path}
    found = [entry for entry in walked if entry.path in kept or entry.mode == SPECIAL_MODE]
    nested = [Entry(path, SUBMODULE_MODE, "") for path in kept if path.endswith("/")]
    return sorted([*found, *nested], key=lambda e: e.path), cut


def _walked(root: Path) -> tuple[list[Entry], bool, bool]:
    """All that stands in a folder, whether a cap cut it short, and whether git can read every .gitignore there.

    Links are entries and never followed; the stack is our own, so that depth costs nothing.
    """
    found: list[Entry] = []
    cut, plain = False, True
    stack = [("", 0)]
    while stack:
        place, depth = stack.pop()
        try:
            entries = list(os.scandir(root / place))
        except OSError:
            cut = True
            continue
        for entry in entries:
            path = f"{place}{entry.name}"
            if len(found) >= MAX_ENTRIES:
                return found, True, plain
            if entry.is_symlink():
                found.append(Entry(path, LINK_MODE, ""))
            elif not entry.is_dir(follow_symlinks=False):
                found.append(
                    Entry(path, 0o100644 if entry.is_file(follow_symlinks=False) else SPECIAL_MODE, "")
                )
                plain = plain and (entry.name != ".gitignore" or entry.is_file(follow_symlinks=False))
            elif entry.name != ".git":
                if depth < MAX_DEPTH and len(path) < MAX_PATH_BYTES:
                    stack.append((f"{path}/", depth + 1))
                else:
                    cut = True
    return found, cut, plain


def _git(words: list[str], folder: Path) -> bytes:
    """What a git command prints. Only inside a hardened environment."""
    import subprocess

    try:
        run = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, timeout=GIT_SECONDS, check=False
        )
    except OSError as error:
        raise RepositoryError(f"git cannot be started: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise RepositoryError(f"git took more than {GIT_SECONDS} seconds to list the files") from None
    if run.returncode:
        raise RepositoryError("git cannot list the files")
    return run.stdout


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
        "submodule.recurse": "false", "core.excludesFile": "/dev/null", "gc.auto": "0", "maintenance.auto": "0", "safe.directory": "*",
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
