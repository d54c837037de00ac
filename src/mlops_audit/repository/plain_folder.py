"""The files of a folder that is no repository."""

from __future__ import annotations

import os
from pathlib import Path

from mlops_audit.index import MAX_ENTRIES
from mlops_audit.repository import LINK_MODE, MAX_DEPTH, MAX_PATH_BYTES, SPECIAL_MODE, SUBMODULE_MODE, Entry


def untracked(root: Path) -> tuple[list[Entry], bool]:
    """The files of a folder that is no repository, minus what its .gitignore files name, as git reads those.

    Also whether a cap cut the list short. git runs with a clean git directory of ours; no configuration of the folder is
    read. Where git could be held up, by a .gitignore that is no regular file, all files are listed.
    """
    walked, cut, plain = _walked(root)
    if not plain:
        return walked, cut
    from mlops_audit.repository.clean_git import empty, git_output

    with empty(bare=False) as place:
        words = [
            f"--git-dir={place}",
            f"--work-tree={root}",
            "ls-files",
            "-z",
            "--others",
            "--exclude-standard",
        ]
        kept = {os.fsdecode(path) for path in git_output(words, root).split(b"\0") if path}
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
