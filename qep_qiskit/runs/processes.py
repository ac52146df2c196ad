"""Pools of workers: this process, processes on all cores, or an existing Dask cluster."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.runs.cluster import cluster_pool
from qep_qiskit.runs.pool import Pool
from qep_qiskit.runs.workers import GO_ON, STOP, PlainFlag, StopFlag, begin_worker, set_flag

Result = TypeVar("Result")

_MOST_JOBS = 61 if sys.platform == "win32" else 1000  # limit of handles that Windows waits for
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


class _Here(Executor):
    """Executor that runs work in the calling process when it is submitted."""

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        future: Future[Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def open_pool(jobs: int | None = None, scheduler: str | None = None) -> Iterator[Pool]:
    """Open a pool of workers.

    Args:
        jobs: Number of worker processes, each with one thread for linear algebra; by default the number of cores. With
            1, work runs in the calling process.
        scheduler: Address of a running Dask scheduler, such as ``tcp://10.0.0.1:8786``, instead of processes.

    Raises:
        ConfigError: Both arguments are given, or the number of jobs is not positive or too large.
        ResourceError: The package distributed is missing, or no scheduler answers at the address.
    """
    if scheduler is not None:
        if jobs is not None:
            raise ConfigError(
                "--jobs: goes with processes on this machine, not with --scheduler; leave one of them out"
            )
        with cluster_pool(scheduler) as pool:
            yield pool
        return
    jobs = min(_cores(), _MOST_JOBS) if jobs is None else jobs
    if not 1 <= jobs <= _MOST_JOBS:
        side = "at least 1" if jobs < 1 else f"at most {_MOST_JOBS}"
        raise ConfigError(f"--jobs: expected {side}, got {jobs}")
    with _pool_here() if jobs == 1 else _pool_of_processes(jobs) as pool:
        yield pool


def _cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _pool_here() -> Iterator[Pool]:
    flag = PlainFlag()
    set_flag(flag)
    try:
        yield Pool(executor=_Here(), flag=flag, window=1, workers=1)
    finally:
        set_flag(None)


@contextmanager
def _pool_of_processes(jobs: int) -> Iterator[Pool]:
    """Return a pool of spawned processes.

    Forked processes are not used: a fork of a process with running threads can hang.

    The flag is shared memory without a lock, because a worker that is killed could leave a lock held.
    """
    context = multiprocessing.get_context("spawn")
    flag: StopFlag = context.RawValue(ctypes.c_int, GO_ON)
    executor = ProcessPoolExecutor(jobs, mp_context=context, initializer=begin_worker, initargs=(flag,))
    with _environment(_ONE_THREAD):
        try:
            yield Pool(executor=executor, flag=flag, window=2 * jobs, workers=jobs)
        finally:
            flag.value = max(flag.value, STOP)
            executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the processes that are started in this context."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
