"""Compute many states at once, on threads or processes of this machine.

The number of jobs changes no result: work is cut into items that do not depend on it, every item is computed in the
same way wherever it runs, and results come in the order of the items. Threads are for work that numpy does in long
calls, which let go of Python's lock; processes are for work of many short calls. Work gives no warnings.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from multiprocessing import parent_process
from types import ModuleType
from typing import Annotated, Any, TypeVar

from annotated_types import Ge, Le

from qep_qiskit.core.errors import WorkerLostError
from qep_qiskit.core.limits import check_value
from qep_qiskit.core.worker_processes import (
    AT_ONCE,
    StopFlag,
    num_cores,
    one_thread_each,
    stop_signals_are_not_inherited,
)
from qep_qiskit.core.worker_processes import worker_pool as new_worker_pool

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_JOBS = 61
Jobs = Annotated[int, Ge(1), Le(MOST_JOBS)]
"""A number of jobs; Windows waits for no more processes."""

# What the start of a process costs; shorter work is done before it would begin.
_SECONDS_WORTH_PROCESSES = 2.0
_TURN = 1e-4  # seconds
_CALLS_PER_JOB = 16


@dataclass(slots=True, kw_only=True)
class Cluster:
    """Workers on other machines.

    Args:
        executor: Hands items to them.
        call: Function that wraps the work on a worker.
        lost: Exceptions of the executor that mean a lost worker.
        lost_line: Message for them.
        items: Number of items that were handed to them so far.
    """

    executor: Executor
    call: Callable[..., Any]
    lost: tuple[type[BaseException], ...]
    lost_line: str
    items: int = 0


@dataclass(slots=True)
class _Setting:
    jobs: int | None = None
    seconds_alone: float = 0.0
    cluster: Cluster | None = None


_setting = _Setting()
_thread = threading.local()


def set_jobs(jobs: int | None) -> None:
    """Set how many states are computed at the same time; a configuration sets it to its key ``execution.jobs``.

    Args:
        jobs: The number; None for one per core that this process may use, and one within a worker process.

    Raises:
        ConfigError: It is not a whole number of at least 1.

    Example:
        >>> qep.set_jobs(2)
        >>> qep.set_jobs(None)  # the default
    """
    check_value("jobs", jobs, Jobs | None)
    _setting.jobs = jobs


def current_jobs() -> int:
    """Return how many states are computed at the same time; 1 within such a computation."""
    if getattr(_thread, "works", False):
        return 1
    if _setting.jobs is not None:
        return _setting.jobs
    return 1 if parent_process() is not None else min(num_cores(), MOST_JOBS)


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return the result of every item; threads share the items.

    Args:
        work: Function of an item, with most of its time in numpy.
        items: The items.
    """
    jobs = current_jobs()
    if jobs == 1 or len(items) < 2:
        return [work(item) for item in items]
    with _turns_are_short():
        return _gathered([_threads(jobs).submit(copy_context().run, work, item) for item in items])


def in_processes(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return the result of every item; processes share the items once the work is longer than their start.

    Inside of `on_cluster` they are processes of other machines, and share all items. The processes stay for the next
    call. Without threadpoolctl all items are computed here, because linear algebra on several threads, as in this
    process, rounds differently from that on one thread, as in a worker.

    Args:
        work: Function of an item; it, its items and its results can be pickled.
        items: The items.

    Raises:
        WorkerLostError: A process died.
    """
    if _setting.cluster is not None and not getattr(_thread, "works", False):
        return _on_workers(_setting.cluster, work, items)
    jobs, found = current_jobs(), list[Result]()
    alone = jobs == 1 or len(items) < 2 or _controller() is None or b"__main__" in pickle.dumps(work)
    while len(found) < len(items) and (alone or _setting.seconds_alone < _SECONDS_WORTH_PROCESSES):
        with counting_seconds_alone():
            found.append(work(items[len(found)]))
    rest = items[len(found) :]
    if len(rest) < 2:
        return found + [work(item) for item in rest]
    return found + _started(work, rest)()


def start_in_processes(work: Callable[[Item], Result], items: Sequence[Item]) -> Callable[[], list[Result]] | None:
    """Begin work on processes, which share the items, once such work has been longer than their start.

    Args:
        work: Function of an item; it, its items and its results can be pickled.
        items: The items.

    Returns:
        A function that waits for the results of all items and may raise WorkerLostError; or None where this process
        should do the work, inside of `counting_seconds_alone`.
    """
    alone = len(items) < 2 or current_jobs() == 1 or _controller() is None
    if alone or _setting.seconds_alone < _SECONDS_WORTH_PROCESSES:
        return None
    return _started(work, items)


@contextmanager
def counting_seconds_alone() -> Iterator[None]:
    """Count the time of work that processes could share: they are started once it is longer than their start."""
    started = time.perf_counter()
    yield
    _setting.seconds_alone += time.perf_counter() - started


def _started(work: Callable[[Item], Result], items: Sequence[Item]) -> Callable[[], list[Result]]:
    """Begin items on processes, several at once where there are many, and return what waits for their results."""
    size = -(-len(items) // (_CALLS_PER_JOB * current_jobs()))
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    executor, flag = _processes(current_jobs())
    with _ending_the_pool(flag):
        calls = [executor.submit(_each, work, part) for part in parts]

    def results() -> list[Result]:
        with _ending_the_pool(flag):
            found = _gathered(calls, (KeyboardInterrupt, BrokenProcessPool))  # the pool ends them itself
        return [result for part in found for result in part]

    return results


def _each(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [work(item) for item in items]


@contextmanager
def _ending_the_pool(flag: StopFlag) -> Iterator[None]:
    """End the pool at Ctrl-C, and where a process died; the next call makes another."""
    try:
        yield
    except BrokenProcessPool:
        _processes.cache_clear()
        raise WorkerLostError(
            "a worker process died (killed, or out of memory); give execution.jobs a smaller number if memory is short"
        ) from None
    except KeyboardInterrupt:
        _processes.cache_clear()
        flag.value = AT_ONCE
        raise


@contextmanager
def on_cluster(cluster: Cluster) -> Iterator[Cluster]:
    """Hand the work of processes to workers on other machines."""
    _setting.cluster = cluster
    try:
        yield cluster
    finally:
        _setting.cluster = None


def _on_workers(cluster: Cluster, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    cluster.items += len(items)
    try:
        return _gathered([cluster.executor.submit(cluster.call, partial(_on_one_thread, work), item) for item in items])
    except cluster.lost:
        raise WorkerLostError(cluster.lost_line) from None


def _on_one_thread(work: Callable[[Item], Result], item: Item) -> Result:
    with one_blas_thread():
        return work(item)


@contextmanager
def _main_is_not_imported() -> Iterator[None]:
    """Hide the main module from processes that start: a script without a guard would run again in each of them."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _turns_are_short() -> Iterator[None]:
    """Let a thread that waits for Python's lock ask for it soon: by default it waits as long as a part of work takes.

    A thread that lets go of the lock for a short call of numpy has it again before another thread is awake.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _gathered(calls: Sequence[Future[Result]], ends_all: tuple[type[BaseException], ...] = ()) -> list[Result]:
    """Return the results in order; after an error no further item is started, unless it ends all items anyway."""
    try:
        return [call.result() for call in calls]
    except ends_all:
        raise
    except BaseException:
        for call in calls:
            call.cancel()
        raise


@cache
def _threads(jobs: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(jobs, "qep", lambda: setattr(_thread, "works", True))


@lru_cache(maxsize=1)  # the processes of another number of jobs would stay without work
def _processes(jobs: int) -> tuple[Executor, StopFlag]:
    """Return a pool and its flag; all its processes are started here, so that later calls cost little."""
    executor, flag = new_worker_pool(jobs)
    with one_thread_each(), stop_signals_are_not_inherited(), _main_is_not_imported():
        for _ in range(jobs):
            executor.submit(os.getpid)
    return executor, flag


def _forget_pools() -> None:
    _threads.cache_clear()
    _processes.cache_clear()


if hasattr(os, "register_at_fork"):  # a forked process has no threads
    os.register_at_fork(after_in_child=_forget_pools)


@cache
def _controller() -> Any:
    """Return threadpoolctl's controller of the libraries for linear algebra, or None where it is not installed."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    import scipy.linalg  # noqa: F401 - brings a library of its own, which is limited too

    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit linear algebra to one thread, for the same rounding and no waiting; needs threadpoolctl."""
    several = [(library, count) for library in _blas_libraries() if (count := library.num_threads) != 1]
    for library, _ in several:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, count in several:
            library.set_num_threads(count)


@cache
def _blas_libraries() -> list[Any]:
    """Return threadpoolctl's handles of the libraries; found once, because a step of a training asks several times."""
    controller = _controller()
    return [] if controller is None else controller.select(user_api="blas").lib_controllers
