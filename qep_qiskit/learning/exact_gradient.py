"""Exact gradient of the cost in the limit beta -> 0, by linear or thermal response.

It is the reference for every contrast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.response import Responding, linear_response
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning.free_phase import cost_of_means
from qep_qiskit.measurement import measure, run_measurements
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes import no_covariance
from qep_qiskit.preparation import (
    ExactPreparation,
    ExactSearch,
    HamiltonianFamily,
    Preparation,
    ThermalPreparation,
    WarmStart,
    prepared,
    term_expectations,
    thermal_response,
)

_SAMPLER = VectorExecutor(Seeds(0))  # used for exact expectations only


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExactGradient:
    """Exact gradient of the mean cost of a batch.

    Args:
        gradient: d(cost)/d(weight), shape (weights,).
        cost: Mean cost.
        outputs: Exact expectations of the outputs, shape (samples, outputs), or None with an operator cost.
        nudge: Coefficients of the nudging operator at the exact outputs, shape (samples, terms).
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
    temperature: float | None = None,
    reference: Responding | None = None,
) -> ExactGradient:
    """Compute d(cost)/d(weight) of exact eigenstates or Gibbs states.

    Ground states of classical spins are constant between level crossings, so that their gradient is zero where it
    exists.

    Args:
        hamiltonian: Network and cost.
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).
        targets: Shape (samples, targets).
        level: Eigenstate, 0 for the ground state.
        temperature: Temperature of Gibbs states, in units of energy, or None for eigenstates.
        reference: Object that gives exact means and responses, for networks that are not of qubits; None for qubits.

    Example:
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,))
        >>> problem = qep.NudgedHamiltonian(network, qep.OperatorCost.squared_error([1], 2))
        >>> qep.exact_gradient(problem, np.full(5, 0.5), np.zeros((1, 0)), np.ones((1, 1))).gradient.round(3)
        array([-0.388,  0.153,  0.843, -0.112, -0.495])
    """
    free, targets = hamiltonian.free_coefficients(weights, inputs), hamiltonian.targets_of(inputs, targets)
    if reference is None:
        means = _means(hamiltonian, free, level, temperature)
    else:
        means = reference.term_means(hamiltonian.groups, free)
    outputs = hamiltonian.outputs(means) if hamiltonian.cost.has_signals else None
    nudge = hamiltonian.nudge(targets, outputs)
    cost = cost_of_means(hamiltonian, means, no_covariance(means.shape), targets).mean
    unit = _unit_of_beta(free, nudge)
    if reference is None:
        response = _response(hamiltonian, free, unit * nudge, level, temperature) / unit
    else:
        response = reference.response(hamiltonian.groups, free, unit * nudge) / unit
    gradient = hamiltonian.jacobian(weights, inputs).pull_back(response).mean(axis=0)
    return ExactGradient(gradient=gradient, cost=cost, outputs=outputs, nudge=nudge)


def _unit_of_beta(free: NDArray, nudge: NDArray) -> float:
    """The power of two that makes the nudge about as large as H.

    The response is linear in the nudge and is computed by adding it to H or to a state; equal sizes lose the least
    precision.
    """
    size, pull = float(np.abs(free).max(initial=0.0)), float(np.abs(nudge).max(initial=0.0))
    return float(2.0 ** np.round(np.log2(size / pull))) if size > 0.0 and pull > 0.0 else 1.0


def _is_search(hamiltonian: NudgedHamiltonian, level: int) -> bool:
    return hamiltonian.is_classical and level == 0


def _means(hamiltonian: NudgedHamiltonian, free: NDArray, level: int, temperature: float | None) -> NDArray[np.float64]:
    """Exact means of all terms, shape (samples, terms)."""
    if temperature is not None:
        return _measured(hamiltonian, ThermalPreparation(temperature), free)
    if _is_search(hamiltonian, level):
        return _measured(hamiltonian, ExactSearch(), free)
    solver = ExactPreparation(level=level)
    if solver.splits(hamiltonian.groups):
        return _measured(hamiltonian, solver, free)
    states = solver.solve(hamiltonian.groups, free)
    return term_expectations(hamiltonian.groups, states.vectors)


def _measured(hamiltonian: NudgedHamiltonian, preparation: Preparation, free: NDArray) -> NDArray[np.float64]:
    key, groups = RequestKey("exact", 0), hamiltonian.groups
    found, _ = run_measurements(
        prepared(preparation, HamiltonianFamily.of_free(groups, free, key), WarmStart()), _SAMPLER
    )
    wanted = {g: [0] for g in range(len(groups))}
    shape = (len(free), 1)
    work = measure(groups, found.states, shape=shape, phases=wanted, shots=[None] * len(groups), key=key)
    return run_measurements(work, _SAMPLER)[0].means[:, 0]


def _response(
    hamiltonian: NudgedHamiltonian, free: NDArray, nudge: NDArray, level: int, temperature: float | None
) -> NDArray[np.float64]:
    """d<P_t>/dbeta at beta = 0 of all terms, shape (samples, terms)."""
    if temperature is not None:
        return thermal_response(hamiltonian.groups, free, nudge, temperature)
    if _is_search(hamiltonian, level):
        return np.zeros_like(free)
    return linear_response(hamiltonian.groups, free, nudge, level=level)
