"""The exact gradient of the cost at beta -> 0, by linear response; the reference for every contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.cost import LossOnExpectations
from qep_qiskit.learning.free_phase import cost_of_means
from qep_qiskit.measurement import no_covariance
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactResponse, Responding

__all__ = ["ExactGradient", "exact_gradient"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExactGradient:
    """Exact gradient of the mean cost of a batch.

    Args:
        gradient: Shape (weights,).
        cost: Mean cost.
        outputs: Shape (samples, outputs), or None.
        nudge: Shape (samples, terms), coefficients of the nudging operator at the exact outputs.
    """

    gradient: NDArray[np.float64]
    cost: float
    outputs: NDArray[np.float64] | None
    nudge: NDArray[np.float64]


def exact_gradient(
    hamiltonian: NudgedHamiltonian,
    weights: NDArray,
    inputs: NDArray,
    targets: NDArray,
    *,
    level: int = 0,
    reference: Responding | None = None,
) -> ExactGradient:
    """d(cost)/d(weight) of exact eigenstates.

    Args:
        hamiltonian: Network and cost.
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).
        targets: Shape (samples, targets).
        level: Which eigenstate of qubits, 0 for the ground state.
        reference: Who knows the exact states, where they are not those of qubits.
    """
    free = hamiltonian.free_coefficients(weights, inputs)
    known = ExactResponse(level) if reference is None else reference
    means = known.term_means(hamiltonian.groups, free)
    outputs = None
    if isinstance(hamiltonian.cost, LossOnExpectations):
        assert hamiltonian.readout is not None
        matrix, constants = hamiltonian.readout
        outputs = means @ matrix.T + constants
        nudge = hamiltonian.signal_nudge(hamiltonian.cost.loss.gradient(outputs, targets))
        cost = float(hamiltonian.cost.loss.value(outputs, targets).mean())
    else:
        nudge, _ = hamiltonian.operator_nudge(targets)
        cost = cost_of_means(hamiltonian, means, no_covariance(means.shape), targets).mean
    response = known.response(hamiltonian.groups, free, nudge)
    gradient = hamiltonian.jacobian(weights, inputs).pull_back(response).mean(axis=0)
    return ExactGradient(gradient=gradient, cost=cost, outputs=outputs, nudge=nudge)
