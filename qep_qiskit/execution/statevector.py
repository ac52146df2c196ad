"""An executor on the statevector engine, which simulates ideal circuits by their commuting groups."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.arithmetic import Arithmetic, Precision
from qep_qiskit.core.components import program_components
from qep_qiskit.core.jobs import counting_seconds_alone, current_jobs, start_in_processes
from qep_qiskit.core.limits import check_value
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import (
    evolve,
    evolve_part,
    evolve_parts,
    packed_batch,
    parts_for_jobs,
    require_states,
)
from qep_qiskit.execution.interface import GroupMeasurement, Request, ShotData
from qep_qiskit.execution.sampling import VectorExecutor, draw_pieces, joined, states_of_vectors
from qep_qiskit.outcomes import Outcomes
from qep_qiskit.outcomes.product_states import ProductStates
from qep_qiskit.outcomes.states import CalibrationStates, CircuitStates, PreparedStates, ProgramStates

Waiting = Callable[[], list[list[list[Outcomes]]]]
"""Waits for the outcomes of every measurement, for every piece of every part of a batch."""

_WORTH_PROCESSES = 1 << 20  # amplitudes times layers; to send less takes as long as the work
JOINT_UP_TO_QUBITS = 13
"""Up to here states of unconnected parts are joint vectors too, so that their shots are those of `AerExecutor`."""


class StatevectorExecutor(VectorExecutor):
    """Evolves every state once by its commuting groups and measures it in all of them.

    In double precision it draws the same shots as `AerExecutor` from equal seeds. Registers of more than 13 qubits that
    fall into unconnected parts are evolved and sampled part by part, without their joint vector.

    Args:
        seeds: Root of the random streams.
        precision: ``"double"``; ``"single"`` for state vectors of half the memory, about twice as fast, with means that
            are right to 1e-5. Probabilities and their sums are double in both.

    Raises:
        ConfigError: There is no such precision.

    Example:
        >>> program = qep.hardware_efficient(1, depth=0)
        >>> states = qep.CircuitStates(program=program, parameters=np.array([[np.pi / 3, 0.0]]))
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
        >>> measurement = qep.GroupMeasurement(group=group, states=np.array([0]), shots=None)
        >>> request = qep.Request(key=qep.RequestKey("demo", 0), prepared=states, measurements=(measurement,))
        >>> executor = qep.StatevectorExecutor(qep.Seeds(0))
        >>> executor.collect(executor.submit(request)).moments(0, group).means.round(6)
        array([[0.5]])
    """

    def __init__(self, seeds: Seeds, *, precision: Precision = "double") -> None:
        super().__init__(seeds)
        check_value("precision", precision, Precision)
        self._arithmetic = Arithmetic(precision=precision)
        self._ahead: tuple[Request, Waiting | None] | None = None

    def vectors(self, prepared: CircuitStates) -> NDArray[np.complexfloating]:
        """Simulate state vectors of circuits, shape (states, 2^N), index bit k = qubit k."""
        return evolve(prepared.program, prepared.parameters, self._arithmetic)

    def _run(self, request: Request, circuits: ProgramStates) -> ShotData:
        """Measure the circuits; each process evolves and measures some of a large batch, and sends outcomes back.

        Meanwhile this process does the other work of the request, and begins the one that follows.
        """
        waiting = self._started(request)
        if waiting is None:
            with counting_seconds_alone():
                return super()._run(request, circuits)
        following = None if request.while_waiting is None else request.while_waiting()
        if isinstance(following, Request):
            self._ahead = following, self._started(following)
        pieces = [piece for part in waiting() for piece in part]
        return joined(pieces, request.measurements, circuits.num_qubits)

    def _started(self, request: Request) -> Waiting | None:
        """Begin a request on processes unless it has started; None where this process should measure it."""
        ahead, prepared = self._ahead, request.prepared
        if ahead is not None and ahead[0].prepared is prepared and ahead[0].measurements is request.measurements:
            self._ahead = None
            return ahead[1]
        if not isinstance(prepared, CircuitStates) or self._are_products(request, prepared):
            return None
        num_qubits = prepared.num_qubits
        if prepared.num_states * len(prepared.program.layers) << num_qubits < _WORTH_PROCESSES:
            return None
        parts = parts_for_jobs(num_qubits, prepared.num_states)
        require_states(num_qubits, min(len(parts), current_jobs()) * parts[0].stop, self._arithmetic)
        batch = packed_batch(prepared.program, prepared.parameters, self._arithmetic)
        rest = request.measurements, self._seeds, request.key.seed_words
        return start_in_processes(partial(_measured_part, batch, rest), parts)

    def _known(self, request: Request, circuits: ProgramStates) -> PreparedStates:
        """Return the states of circuits; wide ones as products where they are products of unconnected parts."""
        if self._are_products(request, circuits):
            if isinstance(circuits, CircuitStates):
                return evolve_parts(circuits.program, circuits.parameters, self._arithmetic)
            every = tuple((qubit,) for qubit in range(circuits.num_qubits))
            return ProductStates(parts=(states_of_vectors(np.eye(2)),) * len(every), qubits=every)
        return super()._known(request, circuits)

    def _are_products(self, request: Request, circuits: ProgramStates) -> bool:
        """Whether the states of circuits are evolved and measured part by part."""
        if circuits.num_qubits <= JOINT_UP_TO_QUBITS:
            return False
        if not all(own.paulis.basis.is_local for own in request.measurements):
            return False
        return isinstance(circuits, CalibrationStates) or (
            isinstance(circuits, CircuitStates) and len(program_components(circuits.program)) > 1
        )


def _measured_part(
    batch: bytes, rest: tuple[tuple[GroupMeasurement, ...], Seeds, tuple[str | int, ...]], rows: slice
) -> list[list[Outcomes]]:
    return draw_pieces(evolve_part(batch, rows), *rest, start=rows.start)
