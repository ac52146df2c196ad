"""Parallel work on many items: in this process, on all cores, or on an existing Dask cluster.

All three are a `concurrent.futures.Executor` and are used by the same loop. Results do not depend on the number of
workers; only the order in which they arrive does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from qep_qiskit.core.errors import WorkerLostError
from qep_qiskit.core.worker_processes import (
    AT_ONCE,
    GO_ON,
    STOP,
    StopFlag,
    WorkStopped,
    run_item,
    stop_signals_are_not_inherited,
)
from qep_qiskit.runs.stop_signals import on_stop_signals

Item = TypeVar("Item")
Result = TypeVar("Result")

_SECONDS_BETWEEN_CHECKS = 0.5


class StudyStopped(KeyboardInterrupt):
    """Raised after Ctrl-C or a termination signal, when running work has ended and its results are stored."""


@dataclass(kw_only=True, eq=False)
class Pool:
    """Distributes work to workers; created by `qep_qiskit.runs.processes.open_pool`.

    Args:
        executor: Executor that runs the work.
        flag: Stop flag that running work reads.
        window: Number of items that are submitted at a time.
        workers: Number of items that are processed at a time.
        call: Function that wraps the work on the worker.
        cancels: Whether a stop cancels what was submitted. Processes read the flag instead: a pool of them that breaks
            cannot end futures that are cancelled, and prints a traceback.
        lost: Exceptions of the executor that mean a lost worker, and the message of each.
    """

    executor: Executor
    flag: StopFlag
    window: int
    workers: int
    call: Callable[..., Any] = run_item
    cancels: bool = False
    lost: tuple[type[BaseException], ...] = (BrokenProcessPool,)
    lost_line: str = (
        "a worker process died (killed, or out of memory); give it fewer neighbours with --jobs if memory is short"
    )

    def run(
        self, work: Callable[[Item], Result], items: Sequence[Item], receive: Callable[[Item, Result], None]
    ) -> None:
        """Process all items.

        The first Ctrl-C stops further submissions and sets the stop flag for running work; a second one ends running
        work at once. The first exception has the same effect as the first Ctrl-C and is raised when the running work
        has ended.

        Args:
            work: Function of an item; it, its items and its results can be pickled. Long work calls `stop_wanted` at
                intervals and raises `WorkStopped`.
            items: The items.
            receive: Called in this process with every result, in the order of arrival.

        Raises:
            StudyStopped: A stop was requested before all items were processed.
            WorkerLostError: A worker died.
        """
        waiting, running = list(reversed(items)), dict[Future[Result], Item]()
        problems: list[BaseException] = []
        with self._heeding_signals():
            while running or (waiting and self.flag.value == GO_ON):
                problems += self._hand_out(work, waiting, running)
                ready, _ = wait(running, timeout=_SECONDS_BETWEEN_CHECKS, return_when=FIRST_COMPLETED)
                for future in ready:
                    problems += self._take(future, running.pop(future), receive)
                if problems:
                    self.flag.value = max(self.flag.value, STOP)
                if self.flag.value != GO_ON and self.cancels:
                    for future in running:
                        future.cancel()
        if problems:
            raise min(problems, key=lambda problem: isinstance(problem, StudyStopped))
        if waiting:
            raise StudyStopped

    def _hand_out(
        self, work: Callable[[Item], Result], waiting: list[Item], running: dict[Future[Result], Item]
    ) -> list[BaseException]:
        while waiting and len(running) < self.window and self.flag.value == GO_ON:
            try:
                with stop_signals_are_not_inherited():
                    future = self.executor.submit(self.call, work, waiting[-1])
            except self.lost:
                return [WorkerLostError(self.lost_line)]
            running[future] = waiting.pop()
        return []

    def _take(self, future: Future[Result], item: Item, receive: Callable[[Item, Result], None]) -> list[BaseException]:
        """Pass a result to `receive`, or raise the error of the worker."""
        try:
            receive(item, future.result())
        except (WorkStopped, CancelledError):
            return [StudyStopped() if self.flag.value != GO_ON else WorkerLostError(self.lost_line)]
        except self.lost:
            return [WorkerLostError(self.lost_line)]
        except Exception as error:
            return [error]
        return []

    @contextmanager
    def _heeding_signals(self) -> Iterator[None]:
        """Handle signals: the first Ctrl-C or termination requests a stop, a second one stops at once."""

        def heed() -> None:
            self.flag.value += 1
            if self.flag.value >= AT_ONCE:
                raise KeyboardInterrupt

        with on_stop_signals(heed):
            yield
