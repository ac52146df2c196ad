"""The exact gradient of the cost at beta -> 0, by linear response; the reference for every contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.cost import LossOnExpectations
from qep_qiskit.learning.free_phase import cost_of_means
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation, linear_response, term_expectations

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
    hamiltonian: NudgedHamiltonian, weights: NDArray, inputs: NDArray, targets: NDArray, *, level: int = 0
) -> ExactGradient:
    """d(cost)/d(weight) of exact eigenstates.

    Args:
        hamiltonian: Network and cost.
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).
        targets: Shape (samples, targets).
        level: Which eigenstate, 0 for the ground state.
    """
    free = hamiltonian.free_coefficients(weights, inputs)
    states = ExactPreparation(level=level).solve(hamiltonian.groups, free)
    means = term_expectations(hamiltonian.groups, states.vectors)
    outputs = None
    if isinstance(hamiltonian.cost, LossOnExpectations):
        assert hamiltonian.readout is not None
        matrix, constants = hamiltonian.readout
        outputs = means @ matrix.T + constants
        nudge = hamiltonian.signal_nudge(hamiltonian.cost.loss.gradient(outputs, targets))
        cost = float(hamiltonian.cost.loss.value(outputs, targets).mean())
    else:
        nudge, _ = hamiltonian.operator_nudge(targets)
        cost = cost_of_means(hamiltonian, means, np.zeros((*means.shape, means.shape[1])), targets).mean
    response = linear_response(hamiltonian.groups, free, nudge, level=level)
    gradient = hamiltonian.jacobian(weights, inputs).pull_back(response).mean(axis=0)
    return ExactGradient(gradient=gradient, cost=cost, outputs=outputs, nudge=nudge)
