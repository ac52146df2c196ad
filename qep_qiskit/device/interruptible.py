"""Calls that may wait for ever, and how not to wait with them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from queue import Empty, Queue
from threading import Thread
from typing import Any, TypeVar

_CHECK_EVERY = 0.2

Answer = TypeVar("Answer")


class AbandonedError(Exception):
    """A stop was asked for before the answer came."""


def answer_of(
    call: Callable[[], Answer], *, seconds: float = math.inf, stopping: Callable[[], bool] = lambda: False
) -> Answer:
    """The answer of a call that changes nothing, so that it can be left alone.

    It runs in a thread, which is left behind where nobody waits any more and ends with the process.

    Args:
        call: The call; what it raises is raised here.
        seconds: How long to wait.
        stopping: Whether to stop waiting; asked several times a second.

    Raises:
        TimeoutError: It took longer.
        AbandonedError: A stop was asked for.
    """
    answers: Queue[tuple[bool, Any]] = Queue()

    def work() -> None:
        try:
            answers.put((True, call()))
        except BaseException as error:
            answers.put((False, error))

    Thread(target=work, daemon=True).start()
    deadline = time.monotonic() + seconds
    while True:
        try:
            good, answer = answers.get(timeout=_CHECK_EVERY)
        except Empty:
            if stopping():
                raise AbandonedError from None
            if time.monotonic() > deadline:
                raise TimeoutError(f"no answer in {seconds:.0f} s") from None
            continue
        if good:
            return answer
        raise answer
