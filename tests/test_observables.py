"""Operators that come in: classes of Qiskit, tiny and huge coefficients, and what is refused."""

import numpy as np
import pytest
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator, Pauli, PauliList, SparseObservable, SparsePauliOp

import qep_qiskit as qep
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.observables import hermitian, pauli_strings
from qep_qiskit.core.pauli_strings import sparse_pauli_op


def terms(operator):
    return {str(word): value for word, value in pauli_strings(operator)}


def test_operator_goes_to_words_and_back(rng):
    labels = ["XIZY", "IIII", "ZZII", "IXXI"]
    operator = SparsePauliOp(labels, rng.normal(size=4))
    again = sparse_pauli_op(pauli_strings(operator), 4)
    assert np.allclose(again.to_matrix(), operator.to_matrix(), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        (SparseObservable("ZX"), {"X0 Z1": 1.0}),
        (SparseObservable.from_list([("0+", 2.0), ("IX", -0.5)]), {"I": 0.5, "Z1": 0.5, "X0 Z1": 0.5}),
        (Pauli("-ZI"), {"Z1": -1.0}),
        (PauliList(["ZI", "-IX"]), {"Z1": 1.0, "X0": -1.0}),
        (Operator(np.diag([1.0, -1.0, -1.0, 1.0])), {"Z0 Z1": 1.0}),
        (Operator(np.diag([3e-30, -1e-30])), {"I": 1e-30, "Z0": 2e-30}),
        (SparsePauliOp(["ZZ", "XI"], [1.0 + 0j, 0j]), {"Z0 Z1": 1.0}),
        (SparsePauliOp(["ZZ"], np.array([Parameter("a")], dtype=object)).assign_parameters([0.5]), {"Z0 Z1": 0.5}),
        (SparsePauliOp(["ZI", "IX", "ZI"], [1e-9, 1.0, 1e-9]), {"Z1": 2e-9, "X0": 1.0}),
        (SparsePauliOp(["ZI", "IX", "ZI"], [1e-9, 1e-250, -1e-9]), {"X0": 1e-250}),
        (SparsePauliOp(["ZI", "ZI"], [0.5, -0.5]), {"I": 0.0}),
        (SparsePauliOp(["ZI", "IX"], [1.0, 1e-9 + 1e-20j]), {"Z1": 1.0, "X0": 1e-9}),
    ],
)
def test_operators_are_read_and_only_exact_zeros_go(operator, expected):
    assert terms(operator) == pytest.approx(expected, rel=1e-15, abs=0.0)


def test_a_dense_matrix_keeps_its_small_terms_and_not_its_rounding(rng):
    given = SparsePauliOp(["ZZI", "IXY", "YII", "XXX"], [1.0, 3e-11, -0.4, 1e-12])
    for unit in (1e-200, 1.0, 1e200):
        found = hermitian(Operator(given.to_matrix() * unit))
        assert set(found.paulis.to_labels()) == set(given.paulis.to_labels())
        assert dict(found.to_list())["XXX"] == pytest.approx(1e-12 * unit, rel=1e-3)


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        (SparsePauliOp(["XI", "ZZ"], [1.0, 0.5j]), "term ZZ: expected a real coefficient"),
        (SparsePauliOp(["XI", "ZZ"], [1e-9, 1e-9j]), "term ZZ: expected a real coefficient"),
        (Pauli("iZZ"), "term ZZ: expected a real coefficient"),
        (Operator(np.array([[0.0, 1.0], [0.0, 0.0]])), "term Y: expected a real coefficient"),
        (SparsePauliOp(["ZZ"], np.array([Parameter("a")], dtype=object)), "got the parameter 'a'"),
        (SparsePauliOp(["ZZ"], [np.nan]), "term ZZ: expected a finite coefficient"),
        (SparsePauliOp(["ZZ"], [np.inf]), "term ZZ: expected a finite coefficient"),
        (Operator(np.diag([1.0, np.nan])), "expected a matrix of finite numbers"),
        (Operator(np.eye(3)), "expected an operator on qubits"),
        ("Z0 Z1", "SparseObservable, Pauli, PauliList or Operator of Qiskit's, got str"),
        (np.eye(2), "got ndarray"),
    ],
)
def test_others_are_refused_in_one_line_that_says_whose_they_are(operator, words):
    doors = {
        "operator of weight 'w'": lambda: qep.PauliNetwork.from_operators({"w": operator}),
        "fixed operator": lambda: qep.PauliNetwork.from_operators({"w": Pauli("ZZ")}, operator),
        "observable 1": lambda: qep.LossOnExpectations((Pauli("ZZ"), operator)),
        "cost": lambda: qep.OperatorCost.from_operator(operator),
    }
    for name, door in doors.items():
        with pytest.raises(NetworkError) as caught:
            door()
        assert str(caught.value).startswith(name)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("operator", [SparseObservable("ZZ"), Pauli("ZZ"), Operator(Pauli("ZZ")), PauliList(["ZZ"])])
def test_every_door_takes_every_class(operator):
    network = qep.PauliNetwork.from_operators({"w": operator}, operator)
    assert dict(network.hamiltonian([0.5]).to_list()) == {"ZZ": 1.5}
    assert qep.OperatorCost.from_operator(operator).operator([]).to_list() == [("ZZ", 1.0)]
    assert qep.LossOnExpectations((operator,)).operator([0.0], [0.5]).to_list() == [("ZZ", 1.0)]
    of_targets = qep.OperatorCost.from_function(lambda y: operator, np.zeros((1, 1)), 2)
    assert of_targets.operator([0.0]).to_list() == [("ZZ", 1.0)]
