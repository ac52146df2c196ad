"""An executor on the statevector engine, which simulates ideal circuits by their commuting groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.arithmetic import Arithmetic, Precision
from qep_qiskit.core.components import program_components
from qep_qiskit.core.limits import check_value
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import evolve, evolve_parts
from qep_qiskit.execution.interface import Request
from qep_qiskit.execution.sampling import VectorExecutor, states_of_vectors
from qep_qiskit.outcomes.product_states import ProductStates
from qep_qiskit.outcomes.states import CalibrationStates, CircuitStates, PreparedStates, ProgramStates

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

    def vectors(self, prepared: CircuitStates) -> NDArray[np.complexfloating]:
        """Simulate state vectors of circuits, shape (states, 2^N), index bit k = qubit k."""
        return evolve(prepared.program, prepared.parameters, self._arithmetic)

    def _known(self, request: Request, circuits: ProgramStates) -> PreparedStates:
        """Return the states of circuits; wide ones as products where they are products of unconnected parts."""
        is_wide = circuits.num_qubits > JOINT_UP_TO_QUBITS
        if is_wide and all(own.paulis.basis.is_local for own in request.measurements):
            if isinstance(circuits, CalibrationStates):
                every = tuple((qubit,) for qubit in range(circuits.num_qubits))
                return ProductStates(parts=(states_of_vectors(np.eye(2)),) * len(every), qubits=every)
            if isinstance(circuits, CircuitStates) and len(program_components(circuits.program)) > 1:
                return evolve_parts(circuits.program, circuits.parameters, self._arithmetic)
        return super()._known(request, circuits)
