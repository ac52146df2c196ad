"""Matrix product states against state vectors: means, covariances, shots, overlaps."""

import io
from itertools import pairwise

import numpy as np
import pytest
from chi_square import LIMIT, counts_p_value
from reference import is_right_canonical

from qep_qiskit.core.errors import ConfigError, ResultError
from qep_qiskit.core.fourier import FourierBasis, Register
from qep_qiskit.core.npz import arrays_of
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.measurement import measure, run_measurements
from qep_qiskit.outcomes.known_states import VectorStates
from qep_qiskit.outcomes.matrix_product import MatrixProductState
from qep_qiskit.outcomes.matrix_product_states import MatrixProductStates

ORDER = (3, 0, 4, 1, 2)
GROUPS = [
    CommutingGroup(name="Z", basis=LocalBasis("ZZZZZ"), masks=(0b00001, 0b01000, 0b11000, 0b10110, 0b11111)),
    CommutingGroup(name="mixed", basis=LocalBasis("XYZXY"), masks=(0b00010, 0b00101, 0b11011)),
]


def random_state(rng, *, bond=4, order=ORDER, is_complex=True, discarded=0.0):
    bonds = [1, *(bond for _ in order[1:]), 1]
    shapes = [(left, 2, right) for left, right in pairwise(bonds)]
    tensors = [rng.normal(size=shape) + (1j * rng.normal(size=shape) if is_complex else 0.0) for shape in shapes]
    return MatrixProductState.of(tensors, order, discarded)


def amplitudes_one_by_one(state):
    """The vector by its definition: a product of matrices for each bit string."""
    found = []
    for index in range(1 << state.num_qubits):
        row = np.ones((1, 1))
        for tensor, qubit in zip(state.tensors, state.order, strict=True):
            row = row @ tensor[:, index >> qubit & 1]
        found.append(row[0, 0])
    return np.array(found)


@pytest.fixture
def state():
    return random_state(np.random.default_rng(5))


def test_vector_is_the_product_of_matrices_and_normalised(state):
    np.testing.assert_allclose(state.vector(), amplitudes_one_by_one(state), atol=1e-12)
    assert np.linalg.norm(state.vector()) == pytest.approx(1.0, abs=1e-12)
    assert is_right_canonical(state)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_means_and_covariance_are_those_of_the_vector(group, state):
    vector = state.vector()
    np.testing.assert_allclose(state.means(group), group.expectations(vector), atol=1e-12)
    probabilities = np.abs(group.basis.rotate(vector)) ** 2
    x = np.arange(len(probabilities))
    values = np.array([1.0 - 2.0 * (np.bitwise_count(x & mask) % 2) for mask in group.masks])
    np.testing.assert_allclose(state.covariance(group), np.cov(values, aweights=probabilities, bias=True), atol=1e-12)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_shots_have_the_probabilities_of_the_vector(group, state):
    drawn = state.sample(group.basis, 20_000, np.random.default_rng(1)) @ (1 << np.arange(5))
    probabilities = np.abs(group.basis.rotate(state.vector())) ** 2
    assert counts_p_value(np.bincount(drawn, minlength=32), probabilities) > LIMIT


def test_no_shot_has_probability_zero():
    pair = MatrixProductState.of([np.eye(2).reshape(1, 2, 2), np.eye(2).reshape(2, 2, 1)])
    drawn = pair.sample(LocalBasis("ZZ"), 1000, np.random.default_rng(0))
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert 400 < drawn[:, 0].sum() < 600


def test_overlap_is_that_of_the_vectors(state):
    other = random_state(np.random.default_rng(6), bond=3, is_complex=False)
    assert state.overlap(other) == pytest.approx(np.vdot(state.vector(), other.vector()), abs=1e-12)
    with pytest.raises(ConfigError, match="same order"):
        state.overlap(random_state(np.random.default_rng(6), order=(0, 1, 2, 3, 4)))


def test_npz_returns_the_same_state(state):
    file = io.BytesIO()
    np.savez(file, **state.packed())
    again = MatrixProductState.of_packed(arrays_of(file.getvalue()))
    assert all(np.array_equal(one, other) for one, other in zip(again.tensors, state.tensors, strict=True))
    assert (again.order, again.discarded) == (state.order, state.discarded)
    with pytest.raises(ResultError, match="entries"):
        MatrixProductState.of_packed(state.packed() | {"entries": np.zeros(3)})


def test_executors_measure_them_as_they_measure_vectors():
    rng = np.random.default_rng(2)
    products = tuple(random_state(rng, discarded=0.01 * number) for number in range(3))
    states = MatrixProductStates(states=products, energies=np.full(3, np.nan))
    vectors = VectorStates(vectors=np.array([own.vector() for own in products]), energies=np.zeros(3), gaps=np.zeros(3))

    def measured(prepared, shots):
        work = measure(
            GROUPS,
            prepared,
            shape=(3, 1),
            phases={0: [0], 1: [0]},
            shots=[shots] * 2,
            key=RequestKey("demo", 0),
        )
        return run_measurements(work, VectorExecutor(Seeds(0)))[0]

    exact = measured(states, None)
    np.testing.assert_allclose(exact.means, measured(vectors, None).means, atol=1e-12)
    assert exact.discarded == 0.02
    drawn, wanted = measured(states, 40_000), measured(vectors, 40_000)
    np.testing.assert_allclose(drawn.covariance, wanted.covariance, atol=6.0 / 40_000**1.5)
    assert np.abs(drawn.means - exact.means).max() < 5.0 / np.sqrt(40_000)


def test_a_register_of_a_hundred_qubits_is_read_bit_by_bit():
    cat = [np.eye(2).reshape(1, 2, 2)]
    cat += [np.stack([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])], axis=1)] * 98
    cat += [np.eye(2).reshape(2, 2, 1)]
    order = tuple(np.random.default_rng(0).permutation(100).tolist())
    states = MatrixProductStates(states=(MatrixProductState.of(cat, order),), energies=np.zeros(1))
    group = CommutingGroup(name="Z", basis=LocalBasis("Z" * 100), masks=(1, 1 << 99, 1 << 99 | 1, (1 << 100) - 1))
    outcomes = states.measured(group, np.array([0]), 50, np.random.default_rng(0))
    means = outcomes.moments(group).means[0]
    assert means[0] == means[1]
    np.testing.assert_array_equal(means[2:], 1.0)
    np.testing.assert_allclose(states.states[0].means(group), [0.0, 0.0, 1.0, 1.0], atol=1e-12)


def test_bases_that_couple_qubits_are_refused(state):
    group = CommutingGroup(name="momenta", basis=FourierBasis(5, (Register(0, 5),)), masks=(1,))
    with pytest.raises(ConfigError, match="group momenta: matrix product states are measured after rotations"):
        state.means(group)


@pytest.mark.parametrize(
    ("tensors", "order"),
    [([np.ones((1, 2, 2)), np.ones((3, 2, 1))], (0, 1)), ([np.ones((1, 2, 1))] * 2, (0, 0))],
    ids=["bonds", "order"],
)
def test_tensors_that_do_not_fit_are_one_line(tensors, order):
    with pytest.raises(ResultError, match="a matrix product state: expected"):
        MatrixProductState(tensors=tuple(tensors), order=order)


def test_a_state_of_norm_zero_is_one_line():
    with pytest.raises(ResultError, match="norm of zero"):
        MatrixProductState.of([np.zeros((1, 2, 1))])
