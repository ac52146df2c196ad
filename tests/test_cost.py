"""Operator costs and losses on expectations as operators."""

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp
from reference import pauli_matrix

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.cost_terms import CostTerm
from qep_qiskit.network.losses import CrossEntropy

WORD = PauliString.parse


def close(operator, matrix):
    return np.allclose(operator.to_matrix(), matrix, rtol=0, atol=1e-12)


def test_terms_are_affine_in_the_targets(rng):
    terms = [
        CostTerm(string=WORD("Z0 Z1"), coefficient=0.7),
        CostTerm(string=WORD("X1"), coefficient=-0.4, target=1),
        CostTerm(string=WORD("X1"), coefficient=0.2),
        CostTerm(string=WORD("I"), coefficient=2.0, target=0),
        CostTerm(string=WORD("I"), coefficient=-0.5),
    ]
    cost = OperatorCost.from_terms(terms, 2)
    y = rng.normal(size=2)
    expected = 0.7 * pauli_matrix("Z0 Z1", 2) + (0.2 - 0.4 * y[1]) * pauli_matrix("X1", 2)
    assert close(cost.operator(y), expected + (2.0 * y[0] - 0.5) * np.eye(4))
    coefficients, constants = cost.expand(np.stack([y, 2 * y]))
    assert (coefficients.shape, constants.shape) == ((2, 2), (2,))


def test_fixed_observable_has_no_targets(rng):
    operator = SparsePauliOp(["XYZ", "III", "ZIZ"], rng.normal(size=3))
    assert close(OperatorCost.from_operator(operator).operator(), operator.to_matrix())


def test_any_function_of_the_targets(rng):
    def function(y):
        return SparsePauliOp(["ZZ", "XI", "II"], [y[0] ** 2, np.sin(y[1]), 1.0])

    targets = rng.normal(size=(5, 2))
    cost = OperatorCost.from_function(function, targets, 2)
    for y in targets:
        assert close(cost.operator(y), function(y).to_matrix())


def test_function_with_a_word_nobody_announced():
    cost = OperatorCost.from_function(lambda y: SparsePauliOp(["ZI", "IX"], [1.0, y[0]]), np.zeros((1, 1)), 2)
    with pytest.raises(NetworkError, match="no known target"):
        cost.expand(np.ones((1, 1)))


def test_squared_error_is_a_square_of_operators(rng):
    y = rng.normal(size=2)
    cost = OperatorCost.squared_error((0, 2), 3)
    square = [(pauli_matrix(word, 3) - value * np.eye(8)) for word, value in zip(("Z0", "Z2"), y, strict=True)]
    assert close(cost.operator(y), sum(part @ part for part in square))


@pytest.mark.parametrize(
    "make",
    [
        lambda: OperatorCost.from_terms([], 2),
        lambda: OperatorCost.from_terms([CostTerm(string=WORD("I"), coefficient=1.0)], 2),
        lambda: OperatorCost.from_terms([CostTerm(string=WORD("Z2"), coefficient=1.0)], 2),
        lambda: OperatorCost.from_operator(SparsePauliOp("II")),
        lambda: LossOnExpectations.on_spins((), 2),
        lambda: LossOnExpectations.on_spins((2,), 2),
        lambda: OperatorCost.squared_error((2,), 2),
        lambda: OperatorCost.squared_error((), 2),
    ],
)
def test_costs_without_an_operator_in_range_are_refused(make):
    with pytest.raises(NetworkError) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_readout_is_the_observables(rng):
    observables = (SparsePauliOp(["ZI", "XX", "II"], [0.5, -1.0, 0.3]), SparsePauliOp(["XX"], [2.0]))
    matrix, constants = LossOnExpectations(observables).output_map()
    words = LossOnExpectations(observables).terms
    for row, observable in enumerate(observables):
        built = sum(matrix[row, i] * pauli_matrix(word, 2) for i, word in enumerate(words)) + constants[row] * np.eye(4)
        assert close(observable, built)


@pytest.mark.parametrize("loss", [None, CrossEntropy(gain=2.0)])
def test_nudging_operator_is_the_signals_times_the_observables(loss, rng):
    cost = LossOnExpectations.on_spins((0, 2), 3, loss)
    means, y = rng.uniform(-1, 1, 2), np.array([1.0, 0.0])
    signals = cost.loss.gradient(means[None], y[None])[0]
    expected = sum(e * pauli_matrix(word, 3) for e, word in zip(signals, ("Z0", "Z2"), strict=True))
    assert close(cost.operator(y, means), expected)
    assert cost.num_outputs == 2
