"""What was said to a question, kept so that it can be said of another commit too."""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself is not needed here
if TYPE_CHECKING:
    from typing import AnyStr

SHORT = 12  # digits of a commit's id that people read


def of_commit(said: AnyStr, stand_in: str, commit: str) -> AnyStr:
    """What was said with a stand-in for the commit's id, whole or in short, of a commit itself."""
    if not stand_in:
        return said
    for length in (None, SHORT):
        before, after = stand_in[:length], commit[:length]
        if isinstance(said, bytes):
            said = said.replace(before.encode(), after.encode())
        else:
            said = said.replace(before, after)
    return said
