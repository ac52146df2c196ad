"""Reciprocity: how A answers a nudge by C is how <C> answers the weight of A, in networks of every kind.

It is what lets one nudge give the derivatives of the cost by all weights; no adjoint network is run. Both sides are
computed here on their own: one linear solve, and central differences of exact states.
"""

import numpy as np
import pytest
from cases import NO_INPUTS, SMALL_GRAPHS, random_network
from qiskit.quantum_info import SparsePauliOp, random_hermitian
from reference import derivative

from qep_qiskit.continuous.response import linear_response
from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.observables import pauli_strings
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation, term_expectations


def response_of_the_cost(groups, coefficients, nudge):
    """d<C>/dc_t of every term, by differences of exact states."""

    def costs(step):
        """With the coefficient of one term moved by a step, for every term."""
        rows = coefficients + step * np.eye(len(coefficients))
        return term_expectations(groups, ExactPreparation().solve(groups, rows).vectors) @ nudge

    return derivative(costs, step=0.02, levels=3)


def assert_reciprocal(groups, coefficients, nudge):
    forth = linear_response(groups, coefficients[None], nudge[None])[0]
    back = response_of_the_cost(groups, coefficients, nudge)
    assert np.abs(back).max() > 0.01
    assert forth == pytest.approx(back, abs=1e-7)


@pytest.mark.parametrize("cost", ["Z of the output", "correlations", "with Y"])
@pytest.mark.parametrize("name", ["edges", "ring", "complete", "lattice", "layered"])
def test_networks_of_every_shape(name, cost, rng):
    network, weights = random_network(SMALL_GRAPHS[name], rng, num_inputs=2)
    size = network.num_qubits
    labels = {"Z of the output": ["Z"], "correlations": ["ZIZ", "XX", "Z"], "with Y": ["YY", "ZXI", "XZ"]}[cost]
    operator = SparsePauliOp(
        [label + "I" * (size - len(label)) for label in labels], rng.uniform(0.5, 1.0, len(labels))
    )
    hamiltonian = NudgedHamiltonian(network, OperatorCost.from_operator(operator))
    row = hamiltonian.free_coefficients(weights, rng.normal(size=(1, 2)))[0]
    assert_reciprocal(hamiltonian.groups, row, hamiltonian.operator_nudge(NO_INPUTS)[0][0])


@pytest.mark.parametrize("seed", range(3))
def test_terms_with_y_and_words_of_any_length(seed, rng):
    """A random Hermitian matrix on three qubits: all 63 words, a complex ground state."""
    words, coefficients = zip(*pauli_strings(SparsePauliOp.from_operator(random_hermitian(8, seed=seed))), strict=True)
    groups = merge_into_groups((), words, 3)
    value_of = dict(zip(words, coefficients, strict=True))
    ordered = [word for group in groups for word in group.terms]
    assert PauliString.parse("Y0 Y1 Y2") in ordered
    assert_reciprocal(groups, np.array([value_of[word] for word in ordered]), rng.normal(size=len(ordered)))
