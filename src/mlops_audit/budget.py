"""How long an audit may take: an alarm over each file, and a deadline for the whole run. The only reader of the clock."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

RUN_SECONDS = 60.0
LIMIT = "the time limit of"
FILE_SECONDS = 5.0  # of computing, not of waiting: a busy machine makes no file unreadable


class OutOfTime(BaseException):
    """The alarm rang. Not an Exception, so that no reader of a format takes it for a fault of the text."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The time that one run may take, in seconds from when this was made; None is without end."""

    seconds: float | None = RUN_SECONDS
    started: float = field(default_factory=time.monotonic)

    @property
    def over(self) -> bool:
        return self.seconds is not None and time.monotonic() - self.started >= self.seconds

    @property
    def words(self) -> str:
        return f"{LIMIT} {self.seconds or 0:g} seconds was over before it was read to its end"

    @contextmanager
    def alarm(self, seconds: float = FILE_SECONDS) -> Iterator[None]:
        """Raises OutOfTime inside the block once it has computed for so long.

        Only the main thread of a POSIX system has an alarm, and one that is set already is left alone; elsewhere the
        caps on sizes have to do.
        """
        if self.seconds is None or not _has_alarm():
            yield
            return
        left = self.seconds - (time.monotonic() - self.started)
        before = signal.signal(signal.SIGVTALRM, _ring)
        signal.setitimer(signal.ITIMER_VIRTUAL, min(seconds, max(left, 0.05)))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)


ENDLESS = Budget(None)


def of_time(reason: str) -> bool:
    """Whether the reason of a problem is that the time was short: another run may well read what this one did not."""
    return LIMIT in reason or "took more than" in reason


def _has_alarm() -> bool:
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        return False
    unused = signal.getsignal(signal.SIGVTALRM) in (signal.SIG_DFL, signal.SIG_IGN)
    return unused and signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0


def _ring(number: int, frame: FrameType | None) -> None:
    raise OutOfTime
