"""Run measurement coroutines.

A measurement coroutine is a generator: it yields a `Request` and is sent the `ShotData`. It never has an executor, so
it can run at once, or stop between a request and its answer, or be replayed from stored answers. Calibrations, counting
and logs of answers are handlers of single requests, given to `relayed`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, overload

from qep_qiskit.execution import Executor, Request, ShotData, answered

Result = TypeVar("Result")
MeasurementCoroutine = Generator[Request, ShotData, Result]
"""A generator that yields requests, receives their outcomes and returns a result, MeasurementCoroutine[Result].

Example:
    >>> def z_mean(request, group):
    ...     shot_data = yield request
    ...     return shot_data.moments(0, group).means.item()
    ...
    >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
    >>> measurement = qep.GroupMeasurement(group=group, states=np.array([0]), shots=100)
    >>> states = qep.VectorStates(vectors=np.array([[1.0, 0.0]]), energies=np.zeros(1), gaps=np.ones(1))
    >>> request = qep.Request(key=qep.RequestKey("demo", 0), prepared=states, measurements=(measurement,))
    >>> qep.run_measurements(z_mean(request, group), qep.VectorExecutor(qep.Seeds(0)))
    (1.0, Usage(shots=100, circuits=1))
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """Count what measurements cost.

    Args:
        shots: Shots in all.
        circuits: Bound circuits in all: states times groups.
    """

    shots: int = 0
    circuits: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.shots + other.shots, self.circuits + other.circuits)

    @classmethod
    def of(cls, request: Request) -> Usage:
        """Return what one request costs."""
        return cls(request.num_shots, request.num_circuits)


def as_coroutine(work: Any) -> MeasurementCoroutine[Any]:
    """Measuring work as a term; a plain result is work that asks for nothing."""
    if isinstance(work, Generator):
        return (yield from work)
    return work


def relayed(
    work: MeasurementCoroutine[Result], handle: Callable[[Request], MeasurementCoroutine[ShotData]]
) -> MeasurementCoroutine[Result]:
    """Run a coroutine with each of its requests handled by another coroutine.

    The handler may yield requests of its own and returns the answer.

    Args:
        work: The measurement coroutine. It is closed when this is, and when a request fails.
        handle: Handles a request: it may yield others, none or several, and may change the answer.
    """
    try:
        request = next(work)
        while True:
            answer = yield from handle(request)
            request = work.send(answer)
    except StopIteration as finished:
        return finished.value
    finally:
        work.close()


class Queue(Generic[Result]):
    """Measurement coroutines that run one after another, where none needs the results of another.

    Args:
        works: The coroutines; each is made when it begins.
        ahead: Whether an executor that waits for the first request of one may begin the next one.
    """

    def __init__(self, works: Iterator[MeasurementCoroutine[Result]], *, ahead: bool = True) -> None:
        self._works, self._ahead = works, ahead
        self._started: tuple[MeasurementCoroutine[Result], Request] | None = None

    def next_result(self) -> MeasurementCoroutine[Result]:
        """Run the next coroutine to its end."""
        self._begin()
        assert self._started is not None
        (work, request), self._started = self._started, None
        try:
            if self._ahead:
                request = replace(request, while_waiting=self._begin)
            while True:
                answer = yield request
                request = work.send(answer)
        except StopIteration as finished:
            return finished.value
        finally:
            work.close()

    def _begin(self) -> Request | None:
        """Run the next coroutine to its first request, unless it has started; None where there is no other."""
        if self._started is None and (work := next(self._works, None)) is not None:
            self._started = work, next(work)
        return None if self._started is None else self._started[1]


def completed(work: MeasurementCoroutine[Result], answer: Callable[[Request], ShotData]) -> Result:
    """Return the result of a coroutine whose requests are all answered at once."""

    def handle(request: Request) -> MeasurementCoroutine[ShotData]:
        return answer(request)
        yield

    try:
        request = next(relayed(work, handle))
    except StopIteration as finished:
        return finished.value
    raise AssertionError(f"request {request.key} was not answered")


@overload
def run_measurements(work: MeasurementCoroutine[Result], executor: Executor) -> tuple[Result, Usage]: ...


@overload
def run_measurements(work: Result, executor: Executor) -> tuple[Result, Usage]: ...


def run_measurements(work: Any, executor: Executor) -> tuple[Any, Usage]:
    """Run a measurement coroutine to its end on an executor.

    Args:
        work: The measurement coroutine.
        executor: Runs its requests.

    Returns:
        Its result, and what it cost.

    Example:
        >>> def asks_for_nothing():
        ...     return 3
        ...     yield
        ...
        >>> qep.run_measurements(asks_for_nothing(), qep.VectorExecutor(qep.Seeds(0)))
        (3, Usage(shots=0, circuits=0))
    """
    usage = Usage()

    def answer(request: Request) -> ShotData:
        nonlocal usage
        data = answered(executor, request)
        usage += Usage.of(request)
        return data

    return completed(as_coroutine(work), answer), usage


def counted(work: MeasurementCoroutine[Result]) -> MeasurementCoroutine[tuple[Result, Usage]]:
    """Run a measurement; return its result with the shots and circuits of all its requests."""
    usage = Usage()

    def handle(request: Request) -> MeasurementCoroutine[ShotData]:
        nonlocal usage
        usage += Usage.of(request)
        return (yield request)

    return (yield from relayed(work, handle)), usage
