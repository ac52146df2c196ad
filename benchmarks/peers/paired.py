"""Times of contestants that take turns, each in a process of its own with its own number of cores.

A contestant is a function of another module, called by its name with JSON values in a process that may use some cores
only (affinity, and the threads of OpenMP and BLAS). It returns what is timed and, for a check, what that has found.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import psutil  # qiskit-aer asks for it
from numpy.typing import NDArray

from qep_qiskit.core.amounts import amount

_ROOT = Path(__file__).resolve().parents[2]
Work: TypeAlias = "Callable[[int], NDArray | None]"
_SHORTEST = 0.05
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """Something that is timed.

    Args:
        name: Its name in tables.
        cores: Number of cores that it may use.
        work: ``module:function``; it takes `options` and returns a function that takes the number of the round and
            returns an array, or None where the contestant failed.
        options: Arguments of that function.
    """

    name: str
    cores: int
    work: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Times:
    """Seconds of a contestant, a number for every round.

    Args:
        wall: Seconds on the clock.
        cpu: Seconds of processors, over all threads and processes.
        first: Seconds of the first call, which makes and compiles what is kept.
        found: What the first call has found.
    """

    wall: NDArray[np.float64]
    cpu: NDArray[np.float64]
    first: float
    found: NDArray[np.float64]


def quartiles(values: NDArray) -> tuple[float, float, float]:
    """First quartile, median and third quartile."""
    low, middle, high = np.nanquantile(values, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


class PairedProcesses:
    """Processes of contestants; each is kept for the next comparison that has a contestant of its name and cores."""

    def __init__(self) -> None:
        self._workers: dict[tuple[str, int], _Worker] = {}

    def __enter__(self) -> PairedProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            worker.close()

    def times(self, contestants: Sequence[Contestant], rounds: int) -> list[Times]:
        """Time contestants, one after the other in every round.

        Args:
            contestants: Those that take turns.
            rounds: Number of rounds after a first one that is not counted.
        """
        workers = []
        for one in contestants:
            worker = self._workers.get((one.name, one.cores)) or _Worker(one.name, one.cores)
            self._workers[one.name, one.cores] = worker
            worker.load(one)
            workers.append(worker)
        first = [worker.timed(0) for worker in workers]
        turns = [[worker.timed(1 + number) for worker in workers] for number in range(rounds)]
        return [
            Times(
                wall=np.array([turn[place]["wall"] for turn in turns]),
                cpu=np.array([turn[place]["cpu"] for turn in turns]),
                first=before["wall"],
                found=np.array(before["found"], dtype=float),
            )
            for place, before in enumerate(first)
        ]


class _Worker:
    """A process that waits for its turn."""

    def __init__(self, name: str, cores: int) -> None:
        self._name = f"{name} on {amount(cores, 'core')}"
        threads = dict.fromkeys(_THREADS, str(cores)) | {"OPENBLAS_NUM_THREADS": "1"}
        environment = dict(os.environ) | threads | {"OMP_WAIT_POLICY": "passive", "JAX_PLATFORMS": "cpu"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.paired", str(cores)],
            cwd=_ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def load(self, contestant: Contestant) -> None:
        self._ask({"work": contestant.work, "options": dict(contestant.options)})

    def timed(self, number: int) -> dict[str, Any]:
        return self._ask({"round": number})

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise SystemExit(f"{self._name} failed; its error is above")
        return json.loads(answer)

    def close(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


def _cpu_of_children() -> float:
    """CPU seconds of the processes that this one has started."""
    used = 0.0
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            times = child.cpu_times()
            used += times.user + times.system
    return used


def _timed(work: Work, number: int, repeats: int) -> dict[str, Any]:
    children = _cpu_of_children()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        found = work(number)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    cpu += _cpu_of_children() - children
    if found is None:
        return {"wall": float("nan"), "cpu": float("nan"), "found": []}
    return {"wall": wall / repeats, "cpu": cpu / repeats, "found": np.ravel(found).tolist()}


def serve(cores: int) -> None:
    """Answer questions on standard input until it ends.

    Args:
        cores: Number of cores that this process may use.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores:])
    loaded: dict[str, Any] = {}
    for line in sys.stdin:
        question = json.loads(line)
        if "work" in question:
            module, name = question["work"].split(":")
            made = getattr(importlib.import_module(module), name)(cores=cores, **question["options"])
            loaded, answer = {"work": made, "repeats": 1}, {}
        else:
            answer = _timed(loaded["work"], question["round"], loaded["repeats"])
            seconds = answer["wall"]
            loaded["repeats"] = max(1, round(_SHORTEST / seconds)) if seconds > 0 else 1
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
