"""Where the program starts: it gives the answer that it gave to the very same question, else asks the command line.

What an option could bring in that is no part of the question (a revision, a file of another place) is not answered from
here. Imports next to nothing, so that an unchanged repository is told in the time that Python takes.
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

PROGRAM = "mlops-audit"
WITH_VALUE = frozenset({
    "--format", "--fail-below-maturity", "--fail-below-score", "--fail-on", "--profile", "--color", "--today",
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
    root = audited(words)
    if root is None:
        return _ask(words)
    from mlops_audit.answer import of_commit
    from mlops_audit.cache import Cache, user_folder
    from mlops_audit.question import question

    folder = user_folder(os.environ)
    if not folder or os.path.realpath(folder).startswith(os.path.join(root, "")):
        return _ask(words)
    cache = Cache(folder)
    asked = question(words, root, os.environ, cache)
    if asked is None:
        return _ask(words)
    answer = cache.get("report", asked.key)
    if answer is None:
        from mlops_audit import cutoff

        answer = cutoff.holding(cache, asked, root)
        if answer is not None:
            cache.put("report", asked.key, answer)
    if isinstance(answer, bytes):  # it is the same as to another question
        answer = cache.get("report", answer)
    if answer is not None:
        said, stand_in, told, code = answer
        sys.stderr.write(told)
        sys.stderr.flush()
        return _give(of_commit(said, stand_in, asked.commit), code)
    from mlops_audit import cli, cutoff

    code = cli.run(words)
    if cli.ANSWER.lasting and cli.ANSWER.report is not None:
        now = question(words, root, os.environ, cache)
        if now is not None and now.key == asked.key:
            told = "".join(cli.ANSWER.told)
            cache.put("report", asked.key, (bytes(cli.ANSWER.said), cli.ANSWER.stand_in, told, code))
            cutoff.remember(cache, asked, root, cli.ANSWER.report, told)
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
