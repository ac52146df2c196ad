"""Code that runs in workers: the check of the stop flag, and worker processes that end with their parent.

A worker ignores Ctrl-C, because the parent process handles it. It exits as soon as the parent is gone, however the
parent ended; files that it was writing stay valid, and its locks are released.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

GO_ON, STOP, AT_ONCE = 0, 1, 2
_SECONDS_BETWEEN_CHECKS = 0.2


class WorkStopped(Exception):  # noqa: N818
    """Raised by work that ends early because a stop was requested; finished parts are stored by the work itself."""


class StopFlag(Protocol):
    """Shared integer that the parent writes and workers read: continue, stop, or stop at once."""

    value: int


@dataclass(slots=True)
class PlainFlag:
    """Stop flag within one process."""

    value: int = GO_ON


_flag: StopFlag = PlainFlag()


def stop_wanted() -> bool:
    """Return whether long work should end now by raising `WorkStopped`; cheap enough for frequent calls."""
    return _flag.value != GO_ON


def set_flag(flag: StopFlag | None) -> None:
    """Set the flag that `stop_wanted` reads in this process; None for work that is never stopped."""
    global _flag
    _flag = PlainFlag() if flag is None else flag


def begin_worker(flag: StopFlag) -> None:
    """Initialise a worker process: it ignores Ctrl-C and exits when its parent is gone."""
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
    """Process one item, unless a stop is already requested.

    Args:
        work: Function that is called with the item.
        item: The item.

    Returns:
        The result of `work`.

    Raises:
        WorkStopped: The work was not started, or ended early.
    """
    if stop_wanted():
        raise WorkStopped
    return work(item)
