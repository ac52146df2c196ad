"""What runs where the work is done: asking whether to stop, and worker processes that outlive nobody.

A worker ignores Ctrl-C, because the parent decides what becomes of the work. It leaves at once where the parent is
gone, however that ended: what it was doing is kept by whoever wrote it, and its locks are free.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import connection, parent_process
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

GO_ON, STOP, AT_ONCE = 0, 1, 2
_SECONDS_BETWEEN_CHECKS = 0.2


class WorkStopped(Exception):  # noqa: N818
    """Work ended early because a stop was wanted; it keeps for itself what it had done."""


class StopFlag(Protocol):
    """A number that the parent writes and workers read: go on, stop, or stop at once."""

    value: int


class _NoFlag:
    value = GO_ON


_flag: StopFlag = _NoFlag()


def stop_wanted() -> bool:
    """Whether work that takes long should end now, by raising `WorkStopped`; cheap enough to ask often."""
    return _flag.value != GO_ON


def set_flag(flag: StopFlag | None) -> None:
    """Say which flag `stop_wanted` reads in this process; None for one that never stops anything."""
    global _flag
    _flag = _NoFlag() if flag is None else flag


def begin_worker(flag: StopFlag) -> None:
    """Make a process a worker: Ctrl-C is the parent's business, and without a parent there is no work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_flag(flag)
    threading.Thread(target=_leave_with_the_parent, args=(flag,), daemon=True).start()


def _leave_with_the_parent(flag: StopFlag) -> None:
    parent = parent_process()
    sentinels = [] if parent is None else [parent.sentinel]
    while flag.value != AT_ONCE and not connection.wait(sentinels, timeout=_SECONDS_BETWEEN_CHECKS):
        pass
    os._exit(1)


def run_item(work: Callable[[Item], Result], item: Item) -> Result:
    """Do one piece of work, unless a stop is wanted already.

    Raises:
        WorkStopped: It was not begun, or ended early.
    """
    if stop_wanted():
        raise WorkStopped
    return work(item)
