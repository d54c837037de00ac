"""Where the program starts: it gives the answer that it gave to the very same question, else asks the command line.

What an option could bring in that is no part of the question (a file of another place) is not answered from here. Imports
next to nothing, so that an unchanged repository is told in the time that Python takes.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

from mlops_audit import __version__

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself is not needed here
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_audit.cache import Cache
    from mlops_audit.question import Question

PROGRAM = "mlops-audit"
WITH_VALUE = frozenset({
    "--format", "--fail-below-maturity", "--fail-below-score", "--fail-on", "--profile", "--color", "--today", "--rev",
})  # fmt: skip
FLAGS = frozenset(
    {"--isolated", "--strict", "--no-snippets", "-q", "--quiet", "--no-waivers", "--no-baseline"}
)


def main() -> int:
    """Run the program and give its exit code, see cli.main."""
    gc.disable()  # one answer and the process ends; what reads many files sweeps by itself (extract.uncollected)
    atexit.register(gc.freeze)  # at the end Python looks for garbage once more: among nothing then
    words = sys.argv[1:]
    if words == ["--version"]:
        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        return 0
    audit = audited(words)
    if audit is None:
        return _ask(words)
    root, rev, rest = audit
    from mlops_audit.answer import of_commit
    from mlops_audit.cache import Cache, user_folder

    folder = user_folder(os.environ)
    if not folder or os.path.realpath(folder).startswith(os.path.join(root, "")):
        return _ask(words)
    cache = Cache(folder)
    asked = _question(rest, root, rev, cache)
    if asked is None:
        return _ask(words)
    answer = _kept(cache, asked.key)
    if answer is None:
        from mlops_audit import cutoff

        other = cutoff.holding(cache, asked, root)
        answer = _kept(cache, other) if other is not None else None
        if answer is not None:
            cache.put("report", asked.key, other)  # it is the same as to another question
    if answer is not None:
        said, stand_in, told, code = answer
        sys.stderr.write(told)
        sys.stderr.flush()
        return _give(of_commit(said, stand_in, asked.commit), code)
    from mlops_audit import cli, cutoff

    code = cli.run(words)
    if cli.ANSWER.lasting and cli.ANSWER.report is not None:
        now = _question(rest, root, rev, cache)
        if now is not None and now.key == asked.key:
            told = "".join(cli.ANSWER.told)
            cache.put("report", asked.key, (bytes(cli.ANSWER.said), cli.ANSWER.stand_in, told, code))
            cutoff.remember(cache, asked, cli.ANSWER.report, told)
    return code


def _kept(cache: Cache, key: bytes) -> tuple[bytes, str, str, int] | None:
    """The answer that is kept to a question, or to the other one that it is the same as."""
    answer = cache.get("report", key)
    if isinstance(answer, bytes):
        answer = cache.get("report", answer)
    return answer if isinstance(answer, tuple) else None


def _question(words: Sequence[str], root: str, rev: str, cache: Cache) -> Question | None:
    """What is asked of a work tree, or of a commit of it."""
    if not rev and os.path.isdir(os.path.join(root, ".git")):
        from mlops_audit.question import question

        return question(words, root, os.environ, cache)
    from mlops_audit.revision import question_of_commit

    return question_of_commit(words, root, rev, os.environ)


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


def audited(words: Sequence[str]) -> tuple[str, str, list[str]] | None:
    """The folder of an audit whose answer depends on nothing but it, its options and a revision; that revision, "" for
    none; and the words without it. None for any other command."""
    if not words or words[0] != "audit":
        return None
    paths, revisions, kept, rest = [], [], [], list(words[1:])
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in WITH_VALUE and (equals or rest):
            value = value if equals else rest.pop(0)
            if value == "github":
                return None  # it writes a summary beside the report
            if name == "--rev":
                revisions.append(value)
            kept += [name, "" if name == "--rev" else value]
        elif not word.startswith("-"):
            paths.append(word)
        elif word in FLAGS:
            kept.append(word)
        else:
            return None
    if len(paths) > 1 or len(revisions) > 1 or "" in revisions:
        return None
    return os.path.realpath(paths[0] if paths else "."), "".join(revisions), [*kept, *paths]
