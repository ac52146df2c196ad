"""Start worker processes with one thread each, and the code that runs in them: the stop flag, the end with the parent.

A worker ignores signals that ask for a stop, because terminals and batch systems send them to all processes of a group
and the parent process handles them. It exits as soon as the parent is gone, however the parent ended; files that it was
writing stay valid, and its locks are released.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

GO_ON, STOP, AT_ONCE = 0, 1, 2
STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that ask for a stop: Ctrl-C, termination, and, except on Windows, the end of the terminal."""
_SECONDS_BETWEEN_CHECKS = 0.2
# One thread per worker: more compete for the cores, and sums over threads round differently. Aer sets the number
# of its threads itself, so there the limit counts.
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "QISKIT_PARALLEL": "FALSE",
}


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
    """Initialise a worker process: it ignores signals that ask for a stop, and exits when its parent is gone."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
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


def num_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker(SpawnProcess):
    """Process that its pool, which terminates the others when one is lost, has to kill."""

    def terminate(self) -> None:
        """End the process."""
        self.kill()


class _Workers(SpawnContext):
    Process = _Worker


def worker_pool(jobs: int) -> tuple[ProcessPoolExecutor, StopFlag]:
    """Return an executor on spawned processes, and the flag that stops them. Submit inside of `one_thread_each`.

    Forked processes are not used: a fork of a process with running threads can hang. The flag is shared memory without
    a lock, because a worker that is killed could leave a lock held.
    """
    context = _Workers()
    flag: StopFlag = context.RawValue(ctypes.c_int, GO_ON)
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=begin_worker, initargs=(flag,)), flag


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Set environment variables so that processes started inside have one thread for linear algebra."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def stop_signals_are_not_inherited() -> Iterator[None]:
    """Block signals that ask for a stop while processes are started, so that they receive none before they ignore them.

    Blocked signals are inherited. One that arrives meanwhile is delivered to this process afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows: a worker ignores them once it has started
        yield
        return
    from multiprocessing import resource_tracker

    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        resource_tracker.ensure_running()  # unblocks some where it starts the tracker
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
