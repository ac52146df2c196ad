"""An executor of ramps with dephasing and relaxation: one density matrix for every state serves every group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution.density_matrices import DecoherenceRates, evolve_densities
from qep_qiskit.execution.interface import Request, ShotData
from qep_qiskit.execution.noisy import MOST_QUBITS
from qep_qiskit.execution.sampling import LocalExecutor, sample_known
from qep_qiskit.outcomes.known_states import MixedStates
from qep_qiskit.outcomes.states import CircuitStates, ProgramStates


class DecoherenceExecutor(LocalExecutor):
    """Evolves density matrices of ramps with dephasing and relaxation, and measures them in all groups.

    Args:
        seeds: Root of the random streams.
        rates: The rates, per unit of the time of a ramp.

    Example:
        >>> ramp = qep.AdiabaticPreparation(total_time=2.0, steps=20)
        >>> program = ramp.program(qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)).groups)
        >>> states = qep.CircuitStates(program=program, parameters=-np.ones((1, program.num_parameters)))
        >>> executor = qep.DecoherenceExecutor(qep.Seeds(0), qep.DecoherenceRates(dephasing=0.1))
        >>> matrix = executor.density_matrices(states)[0]
        >>> bool(np.trace(matrix @ matrix).real < 0.95)  # a mixed state
        True
    """

    def __init__(self, seeds: Seeds, rates: DecoherenceRates) -> None:
        super().__init__(seeds)
        self._rates = rates

    def density_matrices(self, prepared: CircuitStates) -> NDArray[np.complex128]:
        """Compute density matrices of ramps, shape (states, 2^N, 2^N), index bit k = qubit k.

        Raises:
            ConfigError: The circuits are no evolution in time.
            ResourceError: There are too many qubits.
        """
        require_narrow(prepared.num_qubits)
        return evolve_densities(prepared.program, prepared.parameters, self._rates)

    def _run(self, request: Request, circuits: ProgramStates) -> ShotData:
        """Sample the states; calibrations are ideal, since rates make no errors of the readout."""
        if any(measurement.folding != 1 for measurement in request.measurements):
            raise ConfigError(
                "execution.mitigation.noise_factors: repeated gates do not lengthen the time in which dephasing and "
                "relaxation act; leave them out"
            )
        vectors = circuits.vectors_by(self._mixtures)
        states = MixedStates(vectors if vectors.ndim == 3 else vectors[:, None])
        known = Request(key=request.key, prepared=states, measurements=request.measurements)
        return sample_known(known, self._seeds)

    def _mixtures(self, prepared: CircuitStates) -> NDArray[np.complex128]:
        """Return eigenvectors of the density matrices times the roots of their probabilities, in rows."""
        probabilities, vectors = np.linalg.eigh(self.density_matrices(prepared))
        weighted = vectors * np.sqrt(np.maximum(probabilities, 0.0))[:, None]
        return np.ascontiguousarray(weighted.swapaxes(1, 2))


def require_narrow(num_qubits: int) -> None:
    """Check that density matrices of this many qubits are simulated.

    Raises:
        ResourceError: There are too many.
    """
    if num_qubits > MOST_QUBITS:
        raise ResourceError(
            f"execution.noise: rates of dephasing and relaxation are simulated by density matrices of at most "
            f"{MOST_QUBITS} qubits, got {num_qubits}; use a smaller network, or leave dephasing_rate and "
            "relaxation_rate out"
        )
