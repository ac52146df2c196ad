"""Many pieces of work at once: in this process, on all cores, or on an existing Dask cluster.

All three are a `concurrent.futures.Executor`, and one loop serves them. What comes back does not depend on how many
workers there are; only the order in which it comes does.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from qep_qiskit.core.errors import WorkerLostError
from qep_qiskit.runs.workers import AT_ONCE, GO_ON, STOP, StopFlag, WorkStopped, run_item

Item = TypeVar("Item")
Result = TypeVar("Result")

_SECONDS_BETWEEN_CHECKS = 0.5


class StudyStopped(KeyboardInterrupt):
    """Ctrl-C (or a termination) was heeded: what was under way has ended and what was done is kept."""


@dataclass(kw_only=True, eq=False)
class Pool:
    """Hands out work; made by `qep_qiskit.runs.processes.open_pool`.

    Args:
        executor: Where work runs.
        flag: Tells work that is running to stop.
        window: How many pieces are handed out at a time.
        workers: How many are worked on at a time.
        call: Wraps the work where it runs.
        lost: Errors of the executor that mean a lost worker, and what to say of them.
    """

    executor: Executor
    flag: StopFlag
    window: int
    workers: int
    call: Callable[..., Any] = run_item
    lost: tuple[type[BaseException], ...] = (BrokenProcessPool,)
    lost_line: str = (
        "a worker process died (killed, or out of memory); give it fewer neighbours with --jobs if memory is short"
    )

    def run(
        self, work: Callable[[Item], Result], items: Sequence[Item], receive: Callable[[Item, Result], None]
    ) -> None:
        """Work on all items.

        The first Ctrl-C stops handing out work and lets or tells running work end; a second one ends it at once.
        The first error does the same and is raised when the rest has ended.

        Args:
            work: Picklable, as are its items and results. Where it takes long it looks at `stop_wanted` now and then
                and raises `WorkStopped`.
            items: What to work on.
            receive: Called in this process with every result, in the order in which they come.

        Raises:
            StudyStopped: Not everything was done, because a stop was asked for.
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
                if self.flag.value != GO_ON:
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
                with _ctrl_c_is_not_inherited():
                    future = self.executor.submit(self.call, work, waiting[-1])
            except self.lost:
                return [WorkerLostError(self.lost_line)]
            running[future] = waiting.pop()
        return []

    def _take(self, future: Future[Result], item: Item, receive: Callable[[Item, Result], None]) -> list[BaseException]:
        """Pass a result on, or say what went wrong."""
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
        """The first Ctrl-C or termination asks to stop, a second one stops at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def heed(number: int, frame: object) -> None:
            self.flag.value += 1
            if self.flag.value >= AT_ONCE:
                raise KeyboardInterrupt

        try:
            for number in before:
                signal.signal(number, heed)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _ctrl_c_is_not_inherited() -> Iterator[None]:
    """Processes started meanwhile never see Ctrl-C, not even before they can say that they ignore it.

    It is blocked for a moment, and blocked signals are inherited; one that comes meanwhile is delivered afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows: a worker ignores it once it has begun
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # would unblock it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
