"""The statevector engine as an executor: ideal circuits without gates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.evolution import evolve
from qep_qiskit.execution.sampling import VectorExecutor
from qep_qiskit.outcomes.states import CircuitStates


class StatevectorExecutor(VectorExecutor):
    """Evolves every state once by its commuting groups and measures it in all of them.

    Draws the same shots as `AerExecutor` from equal seeds.
    """

    def vectors(self, prepared: CircuitStates) -> NDArray[np.complex128]:
        """State vectors of circuits, shape (states, 2^N)."""
        return evolve(prepared.program, prepared.parameters)
