"""Noisy circuits without shot noise: the exact distribution of every state, and shots drawn from it.

A density matrix describes the full effect of noise on a state. It is evolved once for a state and a group, whatever the
number of shots, and its probabilities are cached: a second measurement of the same states draws from them without a
simulation. Readout errors are confusion matrices on these probabilities.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qep_qiskit.core.cache import Cache
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution.circuits import Bound, MeasuredCircuits, Transpile
from qep_qiskit.execution.interface import Executor, GroupMeasurement, Request, ShotData
from qep_qiskit.execution.outcome_check import answered
from qep_qiskit.execution.readout_errors import ReadoutErrors
from qep_qiskit.execution.sampling import LocalExecutor
from qep_qiskit.execution.twirled_readout import in_randomizations, probabilities_under_twirling
from qep_qiskit.outcomes.checks import require_probabilities, require_shape
from qep_qiskit.outcomes.drawing import draw
from qep_qiskit.outcomes.states import ProgramStates, StateName

MOST_QUBITS = 10
"""Up to this number a density matrix is fastest: 0.01 s a state at 4 qubits, 0.2 at 8, 4 at 10 (20 Trotter steps)."""

_KEPT_BYTES = 1 << 26


class NoisyDistributions(Protocol):
    """Protocol of simulators of measured circuits with noise."""

    def __call__(self, circuit: QuantumCircuit, values: NDArray) -> NDArray[np.float64]:
        """Probabilities of the measured bits, shape (bindings, 2^bits).

        Args:
            circuit: Measured circuit, as the simulated device runs it.
            values: Shape (bindings, parameters), in the order of the circuit's parameters.
        """

    def readout(self, circuit: QuantumCircuit) -> ReadoutErrors:
        """Readout errors of the bits of a circuit; its probabilities include them already."""


class NoisyExecutor(LocalExecutor):
    """Measures noisy circuits by their exact distributions.

    Args:
        place: Transpiles programs for the simulated device.
        distributions: Simulates measured circuits.
        seeds: Root of the random streams.
        kept_bytes: Largest size in bytes of the cache of distributions.
    """

    def __init__(
        self, place: Transpile, distributions: NoisyDistributions, seeds: Seeds, *, kept_bytes: int = _KEPT_BYTES
    ) -> None:
        super().__init__(seeds)
        self._circuits = MeasuredCircuits(place)
        self._distributions = distributions
        self._kept = _DistributionCache(kept_bytes)

    def circuit(self, program: LayerProgram, group: CommutingGroup, folding: int = 1) -> QuantumCircuit:
        """Build the measured circuit of a group as the simulated device runs it.

        Args:
            program: The program that prepares the states.
            group: The group to measure.
            folding: Number of executions of every two-qubit gate, odd.
        """
        return self._circuits.of_group(program, group, folding)

    def _run(self, request: Request, circuits: ProgramStates) -> ShotData:
        return ShotData(
            outcomes=tuple(
                draw(
                    self._read(request, circuits, measurement).__getitem__,
                    (len(measurement.states), 1 << circuits.num_qubits),
                    measurement.shots,
                    self._seeds.generator(*request.key.seed_words, *measurement.seed_words),
                    f"simulation: circuit '{measurement.group.name}'",
                )
                for measurement in request.measurements
            )
        )

    def _read(self, request: Request, prepared: ProgramStates, measurement: GroupMeasurement) -> NDArray[np.float64]:
        """Probabilities of the measured bits, shape (measured, 2^N); with readout twirls, the mean over the flips."""
        found = self._probabilities(prepared, measurement)
        if request.randomizations is None:
            return found
        errors = self._distributions.readout(self._circuits.of_calibration(prepared.program)[0])
        twirls = None
        if measurement.shots is not None:
            draws = in_randomizations(measurement.shots, request.randomizations)[0]
            generator = self._seeds.generator(*request.key.seed_words, *measurement.seed_words, "flips")
            twirls = generator.integers(0, 2, (len(found), draws, prepared.num_qubits), dtype=bool)
        return probabilities_under_twirling(found, errors.offsets, twirls)

    def _probabilities(self, prepared: ProgramStates, measurement: GroupMeasurement) -> NDArray[np.float64]:
        """Probabilities, shape (measured, 2^N), from the cache, all others simulated in one call."""
        group, rows, folding = measurement.paulis, measurement.states, measurement.folding
        return self._kept.gather(
            prepared.names(group, rows, folding),
            lambda missing: self._simulated(prepared.bound_by(self._circuits, group, rows[missing], folding)),
        )

    def _simulated(self, bound: list[Bound]) -> NDArray[np.float64]:
        """Simulate the distributions of all bound rows, in their order."""
        rows = np.concatenate([rows for rows, *_ in bound])
        return np.concatenate([self._distribution(circuit, values) for _, circuit, values in bound])[np.argsort(rows)]

    def _distribution(self, circuit: QuantumCircuit, values: NDArray) -> NDArray[np.float64]:
        found = self._distributions(circuit, values)
        name = f"{type(self._distributions).__name__.lstrip('_')}: circuit '{circuit.name}'"
        require_shape(found, (len(values), 1 << circuit.num_clbits), name)
        require_probabilities(found, name)
        return found


class _DistributionCache:
    """A cache of distributions; the least recently used are removed first."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._bytes = most_bytes, 0
        self._rows: OrderedDict[StateName, NDArray[np.float64]] = OrderedDict()

    def gather(self, keys: list[StateName], make: Callable[[list[int]], NDArray]) -> NDArray[np.float64]:
        """Rows of all keys in a new array; `make` receives the positions of missing keys, each key once."""
        indices = {key: place for place, key in reversed(list(enumerate(keys)))}
        missing = sorted(place for key, place in indices.items() if key not in self._rows)
        made = dict(zip([keys[place] for place in missing], make(missing), strict=True)) if missing else {}
        found = np.stack([made[key] if key in made else self._rows[key] for key in keys])
        for key in indices:
            self._keep(key, made.get(key))
        return found

    def _keep(self, key: StateName, row: NDArray | None) -> None:
        if row is None:
            if key in self._rows:
                self._rows.move_to_end(key)
            return
        self._rows[key] = row
        self._bytes += row.nbytes + len(key[-1])
        while self._bytes > self._most:
            (*_, name), dropped = self._rows.popitem(last=False)
            self._bytes -= dropped.nbytes + len(name)


class ExecutorPerProgram(LocalExecutor):
    """An executor that makes and uses a separate executor for each program.

    A device is simulated on the qubits that a program uses, so every program has a simulator of its own. It depends on
    the program alone, so a resumed run builds the same simulators.

    Args:
        make: Makes the executor of a program.
        seeds: Root of the random streams, for states that need no program.
    """

    def __init__(self, make: Callable[[LayerProgram], Executor], seeds: Seeds) -> None:
        super().__init__(seeds)
        self._make, self._made = make, Cache[LayerProgram, Executor]()

    def executor(self, program: LayerProgram) -> Executor:
        """Return the executor of a program; made at the first call."""
        return self._made.of(program, lambda: self._make(program))

    def _run(self, request: Request, circuits: ProgramStates) -> ShotData:
        """Measure a request, calibration included, with the executor of its program."""
        return answered(self.executor(circuits.program), request)
