"""Runs of bound circuits on a backend or through a sampler; every failure is an error of one line.

Every call of a backend or a sampler has a random seed of its own, also each part of a call that is split because the
number of circuits or shots is limited.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BackendSamplerV2, BaseSamplerV2
from qiskit.providers import BackendV2

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import QepError, ResultError
from qep_qiskit.execution.bound_circuits import takes_free_angles, transpiled
from qep_qiskit.execution.result_bits import bits_of_experiment, registers_of, require_bits
from qep_qiskit.outcomes.checks import num_bytes_of

BoundCircuits = Sequence[tuple[QuantumCircuit, NDArray[np.float64]]]
SamplerFactory = Callable[[int], BaseSamplerV2]
SeedOfPart = Callable[[int], int]
"""Returns the seed of a part of a call from its number."""

_STATES_THAT_FAILED = ("ERROR", "CANCELLED", "FAILED")


class Runs(Protocol):
    """Protocol of callables that run bound circuits."""

    name: str

    def __call__(self, bound: BoundCircuits, shots: int, seed: SeedOfPart) -> list[NDArray[np.uint8]]:
        """Bits of every circuit, shape (..., shots, bytes) for values of shape (..., parameters).

        Args:
            bound: Circuits with the values of their parameters.
            shots: Shots of every binding.
            seed: Returns the seed of each part of the call.

        Raises:
            ResultError: The circuits cannot be run, or the result does not match them.
        """


class SamplerRuns:
    """Runs circuits through samplers, each made for one call.

    Args:
        make: Makes a sampler from a seed.
        name: Name of the sampler, for messages.
        advice: Text for messages about circuits that the sampler refuses.
    """

    def __init__(self, make: SamplerFactory, name: str, advice: str = "") -> None:
        self._make, self.name, self._advice = make, name, advice

    def __call__(self, bound: BoundCircuits, shots: int, seed: SeedOfPart) -> list[NDArray[np.uint8]]:
        """Bits of every circuit.

        Qiskit's `BackendSamplerV2` reads missing results as zeros, so its backend is run directly.
        """
        with one_line(self.name, bound[0][0].name, self._advice):
            sampler = self._make(seed(0))
            if type(sampler) is BackendSamplerV2:
                return BackendRuns(sampler.backend, sampler.options.run_options)(bound, shots, seed)
            results = sampler.run(list(bound), shots=shots).result()
        return bits_of_pubs(results, bound, shots, self.name)


def bits_of_pubs(results: Any, bound: BoundCircuits, shots: int, where: str) -> list[NDArray[np.uint8]]:
    """Return the bits of every PUB, after checking them.

    Args:
        results: Results of a sampler, one for each PUB.
        bound: Circuits with the values of their parameters.
        shots: Shots of every binding.
        where: Name of the sampler, for messages.

    Raises:
        ResultError: The results do not match the circuits.
    """
    registers = registers_of(results, where)
    if len(registers) != len(bound):
        names = ", ".join(dict.fromkeys(f"'{circuit.name}'" for circuit, _ in bound))
        raise ResultError(
            f"{where}: expected {amount(len(bound), 'result')} (of the circuits {names}), got {len(registers)}"
        )
    return [
        require_bits(register, circuit.num_clbits, values.shape[:-1], shots, f"{where}: circuit '{circuit.name}'")
        for register, (circuit, values) in zip(registers, bound, strict=True)
    ]


class BackendRuns:
    """Runs circuits on a backend of any provider.

    Args:
        backend: The backend.
        options: Further options of its runs.
        finish: Transforms bound circuits before they run, where the backend's transpiler accepts no free angles.
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
        """Start a job of bound circuits and return it.

        Args:
            circuits: The circuits, all parameters bound.
            shots: Shots of each.
            seed: Seed of a simulator, or None.
        """
        wanted = {"memory": True} | ({} if seed is None else {"seed_simulator": seed})
        options = self._options | {key: value for key, value in wanted.items() if self._takes_any or key in self._known}
        with warnings.catch_warnings():
            # Backends warn of options that they do not use.
            warnings.filterwarnings("ignore", message=".*(memory|seed_simulator)")
            return self._backend.run(self._finish(list(circuits)), **options | {"shots": shots})

    def _run(self, some: Sequence[QuantumCircuit], shots: int, seed: int) -> list[NDArray[np.uint8]]:
        """One run of bound circuits."""
        with one_line(self.name, template_name(some[0])):
            job = self.start(some, shots, seed)
            result = job.result()
            status = _status_of(job)
        return bits_of_result(result, some, shots, self.name, np.random.default_rng([seed, 1]), status)


def runs_of(backend: BackendV2, optimization_level: int = 3, seed: int = 0) -> BackendRuns:
    """Return the runs of a backend. Where its transpiler takes no free angles, circuits are transpiled once bound.

    Args:
        backend: The backend.
        optimization_level: Optimisation level of the transpiler, 0 to 3.
        seed: Seed of the transpiler.
    """
    if takes_free_angles(backend, optimization_level):
        return BackendRuns(backend)
    finish = partial(transpiled, backend=backend, optimization_level=optimization_level, seed=seed)
    return BackendRuns(backend, finish=finish)


def bound_rows(bound: BoundCircuits) -> list[QuantumCircuit]:
    """Bind every circuit to each row of its values, in order."""
    return [
        circuit.assign_parameters(row)
        for circuit, values in bound
        for row in values.reshape(int(np.prod(values.shape[:-1], dtype=int)), values.shape[-1])
    ]


def template_name(circuit: QuantumCircuit) -> str:
    """Name of a circuit before binding: Qiskit appends a number to the names of bound circuits."""
    return re.sub(r"-\d+$", "", circuit.name)


def bits_in_shape(rows: Sequence[NDArray[np.uint8]], bound: BoundCircuits, shots: int) -> list[NDArray[np.uint8]]:
    """Arrange the bits of `bound_rows` as one array for each circuit, shape (..., shots, bytes).

    Args:
        rows: Bits of every bound circuit, each of shape (shots, bytes).
        bound: Circuits with the values of their parameters.
        shots: Shots of every binding.
    """
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
    """Return the bits of every circuit of a job from a backend's result, each of shape (shots, bytes).

    Args:
        result: The result of the job.
        circuits: The circuits of the job.
        shots: Shots requested.
        name: Name of the backend, for messages.
        generator: Puts counts in random order.
        status: Final status of the job, in capitals.

    Raises:
        ResultError: The job failed, or the result does not match its circuits and shots.
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
    """Largest number of shots of a circuit that a backend states, or None."""
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
    except Exception:  # an unavailable configuration states no limit
        return


@contextmanager
def one_line(where: str, circuit: str, advice: str = "") -> Iterator[None]:
    """Turn any error of a backend or a sampler into one line.

    Args:
        where: Name of the backend or sampler.
        circuit: Name of the circuit.
        advice: Text to append to the message.

    Raises:
        ResultError: The backend or sampler raised an error.
    """
    try:
        yield
    except (QepError, MemoryError):
        raise
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:400]
        raise ResultError(f"{where}: circuit '{circuit}' could not be run ({said}){advice}") from error


def _status_of(job: Any) -> str:
    """Final status of a job in capitals, or an empty string where it has none."""
    with _quiet():
        found = job.status() if callable(getattr(job, "status", None)) else ""
        return str(getattr(found, "name", found)).upper()
    return ""


def _state_of(result: Any, status: str) -> str:
    said = str(getattr(result, "status", "") or status)
    return f" (status {said})" if said else ""
