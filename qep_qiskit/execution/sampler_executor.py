"""Execution on any Qiskit backend or sampler.

It serves large noisy simulations and any `BackendV2` or `SamplerV2` of a user. Every measurement of a request becomes
one PUB that binds all its states; more where shots or circuits of one call are limited.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.primitives import BaseSamplerV2
from qiskit.providers import BackendV2
from qiskit.transpiler import Target

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution.backend_runs import Runs, SamplerFactory, SamplerRuns, most_shots, runs_of
from qep_qiskit.execution.circuits import Bound, MeasuredCircuits, Transpile, transpile_on
from qep_qiskit.execution.device_snapshot import DeviceSnapshot
from qep_qiskit.execution.interface import GroupMeasurement, Request, ShotData
from qep_qiskit.execution.repeats import Repeats, backend_behind, gates_of_run_noise, require_unseeded
from qep_qiskit.execution.sampling import LocalExecutor
from qep_qiskit.execution.twirled_readout import in_randomizations, untwirled
from qep_qiskit.outcomes import BitMemory
from qep_qiskit.outcomes.states import ProgramStates

_GATES = frozenset({"rx", "ry", "rz", "rxx", "rzz", "h", "x", "s", "sdg", "cx"})
"""Gates of measured circuits before transpilation."""


class SamplerExecutor(LocalExecutor):
    """Runs measured circuits on a `BackendV2` or through a `SamplerV2`.

    A backend is run by its own ``run`` and needs no sampler: results with single shots and results with counts are both
    read, every call has a random seed of its own, and more shots than the backend accepts at once are split into
    several calls. Circuits are transpiled for the backend, also for that of a sampler where the sampler states it.

    Args:
        target: A backend or a sampler. A sampler draws its own random numbers, so its runs are not repeatable from the
            root seed.
        seeds: Root of the random streams; every call of a backend has a seed of its own.
        optimization_level: Optimisation level of the transpiler, 0 to 3, for backends.
        sampler_factory: Makes a sampler from an integer seed, called once for every call of a sampler; it replaces the
            execution on `target`, while circuits are still transpiled for `target`. It makes runs through a sampler
            repeatable, ``lambda seed: SamplerV2.from_backend(simulator, seed=seed)``, or runs them through a sampler
            that accepts no seed, ``lambda seed: Sampler(mode=backend)``.
        place: Transpiles programs otherwise than for `target`, such as for a part of a device that `target` simulates.

    Raises:
        ConfigError: The target is neither; or the sampler has a fixed seed, in its options or in its backend, and would
            repeat the same random numbers in every call.

    Example:
        >>> from qiskit.providers.basic_provider import BasicSimulator
        >>> executor = qep.SamplerExecutor(BasicSimulator(), qep.Seeds(0))
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
        >>> states = qep.CircuitStates(program=qep.hardware_efficient(1, depth=0), parameters=np.zeros((1, 2)))
        >>> measurement = qep.GroupMeasurement(group=group, states=np.array([0]), shots=100)
        >>> request = qep.Request(key=qep.RequestKey("demo", 0), prepared=states, measurements=(measurement,))
        >>> executor.collect(executor.submit(request)).moments(0, group).means
        array([[1.]])
    """

    def __init__(
        self,
        target: BackendV2 | BaseSamplerV2,
        seeds: Seeds,
        *,
        optimization_level: int = 2,
        sampler_factory: SamplerFactory | None = None,
        place: Transpile | None = None,
    ) -> None:
        super().__init__(seeds)
        backend = _backend_of(target)
        if sampler_factory is None and isinstance(target, BackendV2):
            self._runs: Runs = runs_of(target, optimization_level, seeds.simulator_seed("transpiler") % 2**31)
        else:
            self._runs = _sampler_runs(target, sampler_factory)
        self.backend_name = self._runs.name
        self._most_shots = most_shots(backend)
        self._repeats = Repeats(self.backend_name)
        self._circuits = MeasuredCircuits(
            place or transpile_on(_transpiled_for(target, backend), seeds, optimization_level)
        )

    def circuit(self, program: LayerProgram, group: CommutingGroup, folding: int = 1) -> QuantumCircuit:
        """Build the measured circuit of a group, transpiled for the backend; cached.

        Args:
            program: The program that prepares the states.
            group: The group to measure.
            folding: Number of executions of every two-qubit gate, odd.
        """
        return self._circuits.of_group(program, group, folding)

    def _run(self, request: Request, circuits: ProgramStates) -> ShotData:
        """Run one PUB for each measurement and return the bits of every shot.

        Raises:
            ResultError: Circuits cannot be run, the result does not match them, or it repeats an earlier one.
        """
        bits = [
            self._bits(request, circuits, measurement, _shots_of(measurement)) for measurement in request.measurements
        ]
        words = [measurement.seed_words for measurement in request.measurements]
        self._repeats.require_new(request.key.seed_words, dict(zip(words, bits, strict=True)))
        return ShotData(outcomes=tuple(BitMemory(bits=own, num_qubits=circuits.num_qubits) for own in bits))

    def _bits(
        self, request: Request, prepared: ProgramStates, measurement: GroupMeasurement, shots: int
    ) -> NDArray[np.uint8]:
        """Bits of one measurement, shape (measured, shots, bytes)."""

        def seed(part: int) -> int:
            more: tuple[str | int, ...] = ("part", part) if part else ()
            return self._seeds.simulator_seed(*request.key.seed_words, *measurement.seed_words, *more)

        if request.randomizations is not None:
            return self._sampled_under_twirling(request, prepared, measurement, shots, seed)
        return self._sampled(self._pubs(prepared, measurement), seed, shots)

    def _sampled(self, pubs: list[Bound], seed: Callable[[int], int], shots: int) -> NDArray[np.uint8]:
        """Bits of all rows in their order, shape (rows, ..., shots, bytes)."""
        bound = [(circuit, values) for _, circuit, values in pubs]
        most = self._most_shots or shots
        calls = -(-shots // most)
        parts = [
            self._runs(bound, min(most, shots - call * most), partial(_seed_of_part, seed, call, calls))
            for call in range(calls)
        ]
        rows = np.concatenate([rows for rows, *_ in pubs])
        return np.concatenate([np.concatenate(part) for part in parts], axis=-2)[np.argsort(rows)]

    def _sampled_under_twirling(
        self,
        request: Request,
        prepared: ProgramStates,
        measurement: GroupMeasurement,
        shots: int,
        seed: Callable[[int], int],
    ) -> NDArray[np.uint8]:
        """Bits under random readout twirls, with the flips undone."""
        draws, each = in_randomizations(shots, request.randomizations or 1)
        generator = self._seeds.generator(*request.key.seed_words, *measurement.seed_words, "flips")
        twirls = generator.integers(0, 2, (len(measurement.states), draws, prepared.num_qubits), dtype=bool)
        bits = self._sampled(self._pubs(prepared, measurement, twirls), seed, each)
        read = untwirled(bits, twirls)
        return read.reshape(len(twirls), -1, bits.shape[-1])[:, :shots]

    def _pubs(
        self, prepared: ProgramStates, measurement: GroupMeasurement, twirls: NDArray[np.bool_] | None = None
    ) -> list[Bound]:
        return prepared.bound_by(self._circuits, measurement.paulis, measurement.states, measurement.folding, twirls)


def _shots_of(measurement: GroupMeasurement) -> int:
    if measurement.shots is None:
        raise ConfigError(
            "measurement.shots: 'exact' needs an ideal simulator or the density matrix of few qubits; "
            "give a number of shots for this backend"
        )
    return measurement.shots


def _seed_of_part(seed: Callable[[int], int], call: int, calls: int, part: int) -> int:
    """A seed that differs for all parts of all calls."""
    return seed(call + part * calls)


def _backend_of(target: Any) -> BackendV2 | None:
    """The backend that circuits are transpiled for, or None where it is unknown."""
    if isinstance(target, BackendV2):
        return target
    if not callable(getattr(target, "run", None)) or isinstance(target, type):
        advice = "; the name of a device goes into a configuration, as execution.backend" * isinstance(target, str)
        raise ConfigError(f"SamplerExecutor: expected a BackendV2 or a SamplerV2, got {target!r:.60}{advice}")
    return backend_behind(target)


def _transpiled_for(target: Any, backend: BackendV2 | None) -> BackendV2 | None:
    """The backend that circuits are transpiled for.

    None where it is unknown, or where the backend of a sampler runs all circuits on any qubits: a plain simulator.
    """
    if isinstance(target, BackendV2) or backend is None or backend.coupling_map is not None:
        return backend
    noisy = gates_of_run_noise(target)
    if noisy is not None:
        known = [name for name in noisy if name in get_standard_gate_name_mapping()]
        return DeviceSnapshot(f"{backend.name} with noise", Target.from_configuration([*known, "measure"]))
    return None if set(backend.target.operation_names) >= _GATES else backend


def _sampler_runs(target: Any, factory: SamplerFactory | None) -> Runs:
    """Choose how circuits run: by a sampler factory or a sampler."""
    name = _name(target)
    if factory is not None:
        return SamplerRuns(factory, name)
    require_unseeded(target)
    advice = (
        "; where the sampler wants circuits of its device, give the backend: SamplerExecutor(backend, seeds, "
        "sampler_factory=lambda seed: sampler)"
    )
    return SamplerRuns(lambda _: target, name, advice if backend_behind(target) is None else "")


def _name(target: Any) -> str:
    backend = target if isinstance(target, BackendV2) else backend_behind(target)
    own = str(getattr(backend, "name", None) or type(backend).__name__)
    if isinstance(target, BackendV2):
        return own
    return type(target).__name__ if backend is None else f"{type(target).__name__} on {own}"
