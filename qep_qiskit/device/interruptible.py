"""Calls that may block without limit, made interruptible."""

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
    """A stop is requested before a call returns."""


def answer_of(
    call: Callable[[], Answer], *, seconds: float = math.inf, stopping: Callable[[], bool] = lambda: False
) -> Answer:
    """Return the result of a call that changes nothing, and that can therefore be abandoned.

    It runs in a thread. An abandoned thread ends with the process.

    Args:
        call: The call; its errors are raised here.
        seconds: Longest time to wait in seconds.
        stopping: Whether to stop waiting; called several times a second.

    Raises:
        TimeoutError: The call takes longer than `seconds`.
        AbandonedError: A stop is requested.
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
