"""The history of a repository: its commits and tags."""

from __future__ import annotations

from typing import NamedTuple

from mlops_audit.repository.clean_git import Objects

MAX_COMMITS = 100_000


class Commit(NamedTuple):
    """A commit: its id, that of its tree, when it was committed (seconds since 1970) and its author's name."""

    id: str
    tree: str
    when: int
    author: str


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
