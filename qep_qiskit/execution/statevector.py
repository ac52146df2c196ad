"""An executor on the statevector engine, which simulates ideal circuits by their commuting groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.arithmetic import Arithmetic, Precision
from qep_qiskit.core.limits import check_value
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import evolve
from qep_qiskit.execution.sampling import VectorExecutor
from qep_qiskit.outcomes.states import CircuitStates


class StatevectorExecutor(VectorExecutor):
    """Evolves every state once by its commuting groups and measures it in all of them.

    In double precision it draws the same shots as `AerExecutor` from equal seeds.

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
