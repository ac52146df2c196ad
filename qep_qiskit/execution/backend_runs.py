"""Bound circuits on a backend or through a sampler, and their bits; whatever goes wrong is one line.

Every call of a backend or a sampler has a random seed of its own: also the parts of one that takes so many circuits or
shots at a time only.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BackendSamplerV2, BaseSamplerV2
from qiskit.providers import BackendV2

from qep_qiskit.core.errors import QepError, ResultError
from qep_qiskit.execution.result_bits import bits_of_experiment, registers_of, require_bits
from qep_qiskit.outcomes.checks import num_bytes_of

BoundCircuits = Sequence[tuple[QuantumCircuit, NDArray[np.float64]]]
SamplerFactory = Callable[[int], BaseSamplerV2]
SeedOfPart = Callable[[int], int]
"""A seed for every part of a call, by its number."""

_STATES_THAT_FAILED = ("ERROR", "CANCELLED", "FAILED")


class Runs(Protocol):
    """Runs bound circuits."""

    name: str

    def __call__(self, bound: BoundCircuits, shots: int, seed: SeedOfPart) -> list[NDArray[np.uint8]]:
        """Bits of every circuit, shape (..., shots, bytes) for values of shape (..., parameters).

        Raises:
            ResultError: They cannot be run, or something else comes back.
        """
        ...


class SamplerRuns:
    """Through samplers, each made for one call.

    Args:
        make: Makes a sampler from a seed.
        name: Who runs.
        advice: What to do about circuits that it does not take.
    """

    def __init__(self, make: SamplerFactory, name: str, advice: str = "") -> None:
        self._make, self.name, self._advice = make, name, advice

    def __call__(self, bound: BoundCircuits, shots: int, seed: SeedOfPart) -> list[NDArray[np.uint8]]:
        """Bits of every circuit. Qiskit's own sampler of backends takes results that are not there for zeros."""
        with one_line(self.name, bound[0][0].name, self._advice):
            sampler = self._make(seed(0))
            if type(sampler) is BackendSamplerV2:
                return BackendRuns(sampler.backend, sampler.options.run_options)(bound, shots, seed)
            results = sampler.run(list(bound), shots=shots).result()
        return bits_of_pubs(results, bound, shots, self.name)


def bits_of_pubs(results: Any, bound: BoundCircuits, shots: int, where: str) -> list[NDArray[np.uint8]]:
    """Bits of every PUB.

    Raises:
        ResultError: They are the results of something else.
    """
    registers = registers_of(results, where)
    if len(registers) != len(bound):
        names = ", ".join(dict.fromkeys(f"'{circuit.name}'" for circuit, _ in bound))
        raise ResultError(f"{where}: expected {len(bound)} results (of the circuits {names}), got {len(registers)}")
    return [
        require_bits(register, circuit, values.shape[:-1], shots, where)
        for register, (circuit, values) in zip(registers, bound, strict=True)
    ]


class BackendRuns:
    """On a backend of any provider.

    Args:
        backend: The backend.
        options: Further options of its runs.
        finish: What is done with bound circuits before they run, where the backend's transpiler takes no free angles.
    """

    def __init__(
        self,
        backend: BackendV2,
        options: dict[str, Any] | None = None,
        finish: Callable[[list[QuantumCircuit]], list[QuantumCircuit]] = list,
    ) -> None:
        self._backend, self._options, self._finish = backend, dict(options or {}), finish
        self.name = str(backend.name or type(backend).__name__)
        self._known = inspect.signature(backend.run).parameters
        self._takes_any = any(known.kind is known.VAR_KEYWORD for known in self._known.values())

    def __call__(self, bound: BoundCircuits, shots: int, seed: SeedOfPart) -> list[NDArray[np.uint8]]:
        """Bits of every circuit, in as many runs as the backend needs."""
        circuits = bound_rows(bound)
        found: list[NDArray[np.uint8]] = []
        most = self._backend.max_circuits or len(circuits)
        for part, start in enumerate(range(0, len(circuits), most)):
            found += self._run(circuits[start : start + most], shots, seed(part))
        return bits_in_shape(found, bound, shots)

    def start(self, circuits: Sequence[QuantumCircuit], shots: int, seed: int | None = None) -> Any:
        """A job for bound circuits."""
        wanted = {"memory": True} | ({} if seed is None else {"seed_simulator": seed})
        options = self._options | {key: value for key, value in wanted.items() if self._takes_any or key in self._known}
        with warnings.catch_warnings():
            # Backends say so of options that they do not use.
            warnings.filterwarnings("ignore", message=".*(memory|seed_simulator)")
            return self._backend.run(self._finish(list(circuits)), **options | {"shots": shots})

    def _run(self, some: Sequence[QuantumCircuit], shots: int, seed: int) -> list[NDArray[np.uint8]]:
        """One run of bound circuits."""
        with one_line(self.name, template_name(some[0])):
            job = self.start(some, shots, seed)
            result = job.result()
            status = _status_of(job)
        return bits_of_result(result, some, shots, self.name, np.random.default_rng([seed, 1]), status)


def bound_rows(bound: BoundCircuits) -> list[QuantumCircuit]:
    """Every circuit with every row of its values, one after the other."""
    return [
        circuit.assign_parameters(row)
        for circuit, values in bound
        for row in values.reshape(int(np.prod(values.shape[:-1], dtype=int)), values.shape[-1])
    ]


def template_name(circuit: QuantumCircuit) -> str:
    """The name of what was bound: Qiskit numbers bound circuits."""
    return re.sub(r"-\d+$", "", circuit.name)


def bits_in_shape(rows: Sequence[NDArray[np.uint8]], bound: BoundCircuits, shots: int) -> list[NDArray[np.uint8]]:
    """The bits of `bound_rows`, for every circuit as an array of shape (..., shots, bytes)."""
    following = iter(rows)
    found = []
    for circuit, values in bound:
        own = [next(following) for _ in range(int(np.prod(values.shape[:-1], dtype=int)))]
        shape = (*values.shape[:-1], shots, num_bytes_of(circuit.num_clbits))
        found.append(np.array(own, dtype=np.uint8).reshape(shape))
    return found


def bits_of_result(
    result: Any,
    circuits: Sequence[QuantumCircuit],
    shots: int,
    name: str,
    generator: np.random.Generator,
    status: str = "",
) -> list[NDArray[np.uint8]]:
    """Bits of every circuit of a job in a backend's result, each of shape (shots, bytes).

    Args:
        result: The result.
        circuits: What was to run.
        shots: Shots asked for.
        name: Of the backend.
        generator: Puts counts in random order.
        status: How the job says that it ended, in capitals.

    Raises:
        ResultError: The job failed, or these are not its circuits and shots.
    """
    experiments = list(getattr(result, "results", None) or ())
    bits = [
        bits_of_experiment(
            found,
            circuit,
            shots,
            f"{name}: circuit '{template_name(circuit)}', {row + 1} of {len(circuits)}",
            generator,
        )
        for row, (found, circuit) in enumerate(zip(experiments, circuits, strict=False))
    ]
    first = template_name(circuits[0])
    if len(experiments) != len(circuits):
        raise ResultError(
            f"{name}: circuit '{first}' and others: expected results of {len(circuits)} circuits, got "
            f"{len(experiments)}{_state_of(result, status)}"
        )
    if not getattr(result, "success", True) or status in _STATES_THAT_FAILED:
        raise ResultError(f"{name}: the job of circuit '{first}' failed{_state_of(result, status)}")
    return bits


def most_shots(backend: Any) -> int | None:
    """Shots that a backend takes of one circuit, where it says so."""
    found = getattr(backend, "max_shots", None)
    if found is None:
        configuration = getattr(backend, "configuration", None)
        with _quiet():
            found = getattr(configuration(), "max_shots", None) if callable(configuration) else None
    if found is None:
        limits = getattr(getattr(backend, "options", None), "validator", {}).get("shots")
        found = limits[1] if isinstance(limits, tuple) else None
    return int(found) if isinstance(found, int | float | np.integer) and found >= 1 else None


@contextmanager
def _quiet() -> Iterator[None]:
    try:
        yield
    except Exception:  # a configuration that cannot be had says nothing
        return


@contextmanager
def one_line(where: str, circuit: str, advice: str = "") -> Iterator[None]:
    """Turn whatever a backend or a sampler raises into one line.

    Raises:
        ResultError: It raised something.
    """
    try:
        yield
    except (QepError, MemoryError):
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:400]
        raise ResultError(f"{where}: circuit '{circuit}' could not be run ({said}){advice}") from error


def _status_of(job: Any) -> str:
    """How a job ended, in capitals, or nothing where it does not say."""
    with _quiet():
        found = job.status() if callable(getattr(job, "status", None)) else ""
        return str(getattr(found, "name", found)).upper()
    return ""


def _state_of(result: Any, status: str) -> str:
    said = str(getattr(result, "status", "") or status)
    return f" (status {said})" if said else ""
