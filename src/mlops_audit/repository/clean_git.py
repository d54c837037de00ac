"""Git in a clean directory of ours: whoever asks git something has it from here.

The directory borrows the objects of the audited repository and nothing else: no configuration, hook, filter, attribute
or remote of it can act there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mlops_audit.repository import ABSENT, Repository, RepositoryError
from mlops_audit.repository.regular_files import read_regular

if TYPE_CHECKING:
    import git

Objects: TypeAlias = "git.Repo"  # a repository's objects, seen from a clean git directory

GIT_SECONDS = 60  # by the clock: a busy machine or a slow disk makes no repository unreadable
MAX_OUTPUT = 500_000_000  # bytes that a git command may print


@contextmanager
def clean(repository: Repository) -> Iterator[Objects]:
    """A repository's objects seen from a clean bare git directory, removed afterwards."""
    with clean_folder(repository) as place:
        import git

        repo = git.Repo(place)
        try:
            yield repo
        finally:
            repo.close()


@contextmanager
def clean_folder(repository: Repository) -> Iterator[Path]:
    """A clean bare git directory that borrows a repository's objects and names, removed afterwards."""
    if repository.sha256:
        raise RepositoryError(
            "a repository with SHA-256 object ids: revisions cannot be read, only the work tree"
        )
    with empty(bare=True) as place:
        objects = os.path.realpath(repository.common / "objects")
        for name in _object_folders(repository):
            os.symlink(os.path.join(objects, name), os.path.join(place, "objects", name))
        if repository.shallow:
            (place / "shallow").write_bytes(read_regular(repository.common / "shallow", 10_000_000))
        for name, commit in repository.refs():
            target = place / name
            if not os.path.lexists(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(commit + "\n")
        yield place


@contextmanager
def empty(bare: bool) -> Iterator[Path]:
    """A git directory without any objects, in an environment where git asks nobody; removed afterwards."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="mlops-audit-") as folder, _hardened_environment():
        place = Path(folder)
        for name in ("objects/info", "refs/heads", "refs/tags"):
            (place / name).mkdir(parents=True)
        (place / "HEAD").write_text("ref: refs/heads/none\n")
        (place / "config").write_text(
            f"[core]\n\trepositoryformatversion = 0\n\tbare = {str(bare).lower()}\n"
        )
        yield place


def _object_folders(repository: Repository) -> list[str]:
    """The folders of the object store, without its `info`: objects that it borrows from elsewhere stay there.

    Raises RepositoryError where something stands among the objects that is no regular file: git would follow a
    link, and wait for a pipe.
    """
    store = repository.common / "objects"
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


def resolve(repository: Repository, place: Path, rev: str) -> str:
    """The id of the commit that a revision names (`HEAD`, a branch, a tag, an id, `v1~2`), asked in its clean directory."""
    name = repository.head() + rev[4:] if rev == "HEAD" or rev.startswith(("HEAD~", "HEAD^")) else rev
    words = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    try:
        found = git_output(words, place).decode("ascii", "replace").strip()
    except (RepositoryError, ValueError) as error:
        hint = " (a shallow clone: fetch more history)" if repository.shallow else ""
        if not hint and (repository.common / "objects/info/alternates").exists():
            hint = " (objects borrowed from another repository are not followed)"
        if not repository.head() and rev.startswith("HEAD"):
            hint = " (there is no commit yet)"
        raise RepositoryError(f"no such revision: {rev!r}{hint}") from error
    if not re.fullmatch(r"[0-9a-f]{40}", found):
        raise RepositoryError(f"no such revision: {rev!r}")
    return found


def content(repo: Objects, sha: bytes, cap: int) -> bytes:
    """The bytes of an object. Raises RepositoryError when it is absent, damaged or larger than `cap`."""
    try:
        size = repo.odb.info(sha).size
        if size > cap:
            raise RepositoryError(f"larger than {cap} bytes")
        return bytes(repo.odb.stream(sha).read())
    except (ValueError, KeyError, OSError, AssertionError) as error:
        if isinstance(error, RepositoryError):
            raise
        raise RepositoryError(ABSENT) from error


def git_output(words: list[str], folder: Path, given: bytes = b"", most: int = MAX_OUTPUT) -> bytes:
    """What a git command prints that is run in a folder and given something. Only inside `clean` or `empty`.

    Raises RepositoryError, in one clear line, when it fails, takes too long or prints more than so many bytes.
    """
    import subprocess
    from tempfile import TemporaryFile
    from threading import Timer

    with TemporaryFile() as asked:
        asked.write(given)
        asked.seek(0)
        try:
            run = subprocess.Popen(
                ["git", *words], cwd=folder, stdin=asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise RepositoryError(f"git cannot be started: {error.strerror}") from error
        with run:
            assert run.stdout is not None
            late = Timer(GIT_SECONDS, run.kill)
            late.start()
            said = None
            try:
                said = run.stdout.read(most + 1)
            finally:
                in_time = late.is_alive()
                late.cancel()
                late.join()
                if said is None or len(said) > most:
                    run.kill()  # nobody reads on
    if not in_time:
        raise RepositoryError(f"git took more than {GIT_SECONDS} seconds to list the files")
    if len(said) > most:
        raise RepositoryError(f"git lists more than {most} bytes")
    if run.returncode:
        raise RepositoryError("git cannot list the files")
    return said


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
