"""Signals that ask for a stop: Ctrl-C, termination, and the end of the terminal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from qep_qiskit.core.worker_processes import STOP_SIGNALS


@contextmanager
def on_stop_signals(handle: Callable[[], None]) -> Iterator[None]:
    """Call a function at every signal that asks for a stop; afterwards the signals mean what they did before.

    The end of the terminal stays ignored where it is (`nohup`). Other threads than the main one handle no signals.

    Args:
        handle: Called at every signal; it may raise.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _numbers()}
    try:
        for number in before:
            signal.signal(number, lambda *_: handle())
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _numbers() -> tuple[signal.Signals, ...]:
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    return tuple(one for one in STOP_SIGNALS if one != hangup or signal.getsignal(one) != signal.SIG_IGN)
