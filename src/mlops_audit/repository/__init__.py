"""Git repositories, read so that nothing of theirs runs.

What stands in their files is read by our own readers: no process, no configuration. Where it takes git (commits, trees,
blobs), it works in a clean directory of ours (clean_git).
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from mlops_audit import head
from mlops_audit.repository.regular_files import small_text

MAX_DEPTH = 64  # of folders, in a commit and in a plain folder
MAX_PATH_BYTES = 4096
ABSENT = "its content is absent from this clone"  # why a file is not read that another clone could read

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
        elsewhere = _WORKTREE.search(small_text(dot / "config"))
        if elsewhere and os.path.realpath(dot / elsewhere[1].strip('"')) != os.path.realpath(root):
            raise RepositoryError("core.worktree of .git/config points to another folder: not followed")
        return cls(root, dot, dot)

    @classmethod
    def _linked(cls, root: Path, dot: Path) -> Repository:
        """A linked worktree or submodule: `.git` is a file, and the place it names must name this one back."""
        word = small_text(dot).removeprefix("gitdir:").strip()
        folder = Path(os.path.normpath(root / word))
        back = small_text(folder / "gitdir").strip()
        if back and Path(os.path.realpath(folder / back)) == Path(os.path.realpath(dot)):
            common = Path(os.path.normpath(folder / (small_text(folder / "commondir").strip() or ".")))
            return cls(root, folder, common)
        worktree = _WORKTREE.search(small_text(folder / "config"))
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
        """Whether its history was cut off when it was cloned."""
        return (self.common / "shallow").is_file()

    @property
    def sha256(self) -> bool:
        """Whether the ids of its objects are SHA-256."""
        config = small_text(self.common / "config")
        return bool(re.search(r"^\s*objectformat\s*=\s*sha256", config, re.IGNORECASE | re.MULTILINE))

    def refs(self) -> list[tuple[str, str]]:
        """Branches, tags and remote branches: (full name, id)."""
        found: dict[str, str] = {}
        for line in small_text(self.common / "packed-refs", 50_000_000).split("\n"):
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
                    found[name] = small_text(Path(entry.path)).strip()
        safe = re.compile(r"refs/(heads|tags|remotes)/[\w./@+\-]+")
        return [
            (name, commit)
            for name, commit in sorted(found.items())
            if safe.fullmatch(name)
            and ".." not in name
            and "//" not in name
            and re.fullmatch(r"[0-9a-f]{40}", commit)
        ]


def _is_git_folder(folder: Path) -> bool:
    head = folder / "HEAD"
    return os.path.isfile(head) and not os.path.islink(head) and (folder / "objects").is_dir()
