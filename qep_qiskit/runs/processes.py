"""Pools of workers: this process, processes on all cores, or an existing Dask cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, TypeVar

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.worker_processes import STOP, PlainFlag, num_cores, one_thread_each, set_flag, worker_pool
from qep_qiskit.runs.cluster import cluster_pool
from qep_qiskit.runs.pool import Pool

Result = TypeVar("Result")

_MOST_JOBS = 61 if sys.platform == "win32" else 1000  # limit of handles that Windows waits for


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
    jobs = min(num_cores(), _MOST_JOBS) if jobs is None else jobs
    if not 1 <= jobs <= _MOST_JOBS:
        side = "at least 1" if jobs < 1 else f"at most {_MOST_JOBS}"
        raise ConfigError(f"--jobs: expected {side}, got {jobs}")
    with _pool_here() if jobs == 1 else _pool_of_processes(jobs) as pool:
        yield pool


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
    """Return a pool of spawned processes."""
    executor, flag = worker_pool(jobs)
    with one_thread_each():
        try:
            yield Pool(executor=executor, flag=flag, window=2 * jobs, workers=jobs)
        finally:
            flag.value = max(flag.value, STOP)
            executor.shutdown(wait=True, cancel_futures=True)
