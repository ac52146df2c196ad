"""Run many optimisers at the same time, with one request for all their pending evaluations.

Optimisers of other libraries call a function and wait for its value. Here the value comes from a shot batch that all
states of a batch share, and a run may be interrupted between request and result. Each optimiser therefore runs in a
thread of its own that sleeps while its evaluation is pending. One thread runs at a time, in a fixed order, so that a
run is reproducible bit for bit. All pending evaluations are answered together.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from threading import Semaphore, Thread
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
Evaluate = Callable[[str, Any], Any]
Yielded = TypeVar("Yielded")
Sent = TypeVar("Sent")


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """The evaluation that one worker waits for.

    Args:
        worker: Index of the worker.
        kind: Kind of the evaluation, such as ``"energy"``.
        content: Arguments of the evaluation.
    """

    worker: int
    kind: str
    content: Any


class _AbandonedError(BaseException):
    """Raised inside a worker whose evaluation is cancelled.

    It does not derive from Exception, so that no optimiser catches it.
    """


class _Worker(Generic[Result]):
    """A function that runs in a thread of its own, alternating with the caller."""

    def __init__(self, index: int, work: Callable[[Evaluate], Result]) -> None:
        self.index = index
        self.request: EvaluationRequest | None = None
        self.result: Result
        self.error: BaseException | None = None
        self._answer: Any = None
        self._work, self._abandoned = work, False
        self._its_turn, self._our_turn = Semaphore(0), Semaphore(0)
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Run until the first evaluation request or the end."""
        self._thread.start()
        self._our_turn.acquire()

    def resume(self, answer: Any) -> None:
        """Pass the result of the evaluation, and run until the next request or the end."""
        self._answer, self.request = answer, None
        self._its_turn.release()
        self._our_turn.acquire()

    def end(self) -> None:
        """Cancel the pending evaluation, and wait for the thread to end."""
        if self.request is not None:
            self._abandoned = True
            self.resume(None)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            self.result = self._work(self._evaluate)
        except _AbandonedError:
            pass
        except BaseException as error:
            self.error = error
        self._our_turn.release()

    def _evaluate(self, kind: str, content: Any) -> Any:
        self.request = EvaluationRequest(self.index, kind, content)
        self._our_turn.release()
        self._its_turn.acquire()
        if self._abandoned:
            raise _AbandonedError
        return self._answer


def run_in_lockstep(
    works: Sequence[Callable[[Evaluate], Result]],
    answer: Callable[[list[EvaluationRequest]], Generator[Yielded, Sent, list[Any]]],
    before_turn: Callable[[int], None] = lambda worker: None,
) -> Generator[Yielded, Sent, list[Result]]:
    """Run functions that request evaluations, and answer all pending requests together.

    Args:
        works: The functions; each gets a function `ask(kind, content)` that returns the result of an evaluation.
        answer: A generator function from the pending requests to their results, in the same order.
        before_turn: Called with the index of a worker before that worker runs.

    Returns:
        The results of all functions.
    """
    workers = [_Worker(index, work) for index, work in enumerate(works)]
    try:
        for worker in workers:
            before_turn(worker.index)
            worker.start()
            _raise_error_of(worker)
        while waiting := [worker for worker in workers if worker.request is not None]:
            requests = [worker.request for worker in waiting if worker.request is not None]
            answers = yield from answer(requests)
            for worker, content in zip(waiting, answers, strict=True):
                before_turn(worker.index)
                worker.resume(content)
                _raise_error_of(worker)
    finally:
        for worker in workers:
            worker.end()
    return [worker.result for worker in workers]


def _raise_error_of(worker: _Worker[Result]) -> None:
    if worker.error is not None:
        raise worker.error
