"""Work for pools in tests; workers import it from here."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from qep_qiskit.core.errors import ConfigError, QepError
from qep_qiskit.core.worker_processes import WorkStopped, stop_wanted


def square(point):
    """One row; the slower, the earlier it is handed out."""
    time.sleep(point.get("seconds", 0.0))
    return {"key": point["key"], "square": np.float64(point["number"]) ** 2, "pair": (1, np.int64(2))}


def several(point):
    return [{"key": point["key"], "part": part} for part in range(point["number"])]


def refuses_odd_numbers(point):
    if point["number"] % 2:
        raise ConfigError(f"number: expected an even one,\n got {point['number']}")
    return square(point)


def breaks_at_three(point):
    if point["number"] == 3:
        raise ZeroDivisionError("three")
    return square(point)


def dies_at_three(point):
    """As the kernel kills what takes too much memory."""
    if point["number"] == 3:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    return square(point)


def interrupts_its_parent_at_three(point):
    if point["number"] == 3:
        os.kill(point["parent"], signal.SIGINT)
    return square(point)


def waits_for_the_stop(point):
    """Long work that looks whether it is still wanted."""
    Path(point["folder"], f"started-{point['key']}").touch()
    if point["number"] == 0:
        os.kill(point["parent"], signal.SIGINT)
    for _ in range(2000):
        if stop_wanted():
            Path(point["folder"], f"ended-{point['key']}").touch()
            raise WorkStopped
        time.sleep(0.01)
    return square(point)


def interrupts_its_parent_twice(point):
    """Long work that does not look whether it is wanted, and a user in a hurry."""
    for _ in range(2):
        os.kill(point["parent"], signal.SIGINT)
        time.sleep(1.0)
    time.sleep(60.0)
    return square(point)


_inside: list[str] = []


def alone(point):
    """Fails where two are worked on at once in one process."""
    _inside.append(point["key"])
    time.sleep(0.02)
    if len(_inside) > 1:
        raise RuntimeError(f"in one process at once: {_inside}")
    return {"key": _inside.pop()}


def threads(point):
    return {"process": os.getpid(), **{name: os.environ.get(name) for name in point["names"]}}


def refusing(item):
    """Refuses one item."""
    if item == 3:
        raise QepError("there is no state of item 3")
    return item
