"""Lanczos with thick restarts against dense matrices: side by side, degenerate, and where a Krylov space ends."""

import numpy as np
import pytest
from cases import NO_INPUTS, random_network
from reference import random_states

from qep_qiskit.core.errors import DegenerateGroundStateWarning, QepError
from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.network import chain
from qep_qiskit.preparation import ExactPreparation, dense_hamiltonians, lanczos, matrix_free
from qep_qiskit.preparation.lanczos import lowest_levels
from qep_qiskit.preparation.matrix_free import MatrixFree
from qep_qiskit.preparation.spectra import lanczos as solved

EXACT = np.zeros(3)


class Matrices:
    def __init__(self, matrices):
        self.matrices = np.asarray(matrices)

    def apply(self, vectors):
        return np.einsum("rxy,ry->rx", self.matrices, vectors)

    def picked(self, rows):
        return Matrices(self.matrices[rows])


def hermitian(rng, rows, size):
    found = rng.normal(size=(rows, size, size)) + 1j * rng.normal(size=(rows, size, size))
    return (found + found.conj().swapaxes(1, 2)) / 2.0


def test_rows_that_end_at_different_times_are_those_of_each_alone(rng):
    matrices = hermitian(rng, 4, 90)
    matrices[2] = np.diag(np.arange(90.0) ** 2)  # converges first, at other levels
    starts = rng.normal(size=(4, 90)).astype(complex)
    levels, states = lowest_levels(Matrices(matrices), starts, EXACT)
    assert levels == pytest.approx(np.linalg.eigvalsh(matrices)[:, :3], abs=1e-9)
    images = np.einsum("rxy,rky->rkx", matrices, states)
    assert np.allclose(images, levels[:, :, None] * states, rtol=0, atol=1e-9)
    for row in range(4):
        alone, _ = lowest_levels(Matrices(matrices[[row]]), starts[[row]], EXACT)
        assert alone[0] == pytest.approx(levels[row], abs=1e-10)


@pytest.mark.parametrize("diagonal", [[0.0] * 40, [-1.0] * 3 + [2.0] * 37, [-1.0, -1.0, *range(18)]])
def test_where_a_krylov_space_ends_a_random_vector_goes_on(diagonal, rng):
    matrix = np.diag(np.array(diagonal, dtype=float))[None]
    levels, states = lowest_levels(Matrices(matrix), rng.normal(size=(1, len(diagonal))), EXACT)
    assert levels[0] == pytest.approx(np.sort(diagonal)[:3], abs=1e-12)
    assert np.allclose(states[0] @ states[0].T, np.eye(3), rtol=0, atol=1e-10)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_no_state_of_a_degenerate_level_is_left_out(count):
    """The states of every fourth of these are missed by one search, whose Krylov space holds one of each level."""
    for seed in range(12):
        draws = np.random.default_rng(seed)
        known = np.sort(np.repeat(draws.uniform(size=16), 2 + seed % 3))
        axes = np.linalg.qr(draws.normal(size=(len(known), len(known))))[0]
        matrix, start = (axes * known) @ axes.T, draws.normal(size=(1, len(known)))
        levels, states = lowest_levels(Matrices(matrix[None]), start, np.zeros(count), confirmed=True)
        assert levels[0] == pytest.approx(known[:count], abs=1e-12)
        assert np.allclose(states[0] @ states[0].T, np.eye(count), rtol=0, atol=1e-9)


def test_levels_of_free_spins_are_all_counted():
    """Eight spins in one transverse field: levels 1 to 8 are equal, so that level 3 has no gap."""
    groups = merge_into_groups((), [PauliString.parse(f"X{spin}") for spin in range(8)], 8)
    with pytest.warns(DegenerateGroundStateWarning, match="level 3"):
        found = ExactPreparation(level=3, solver="lanczos").solve(groups, np.full((1, 8), -1.0))
    assert found.energies == pytest.approx([-6.0], abs=1e-12)


def test_partner_of_a_degenerate_state_is_seen(rng):
    """Five of ten spins have no field, so all levels are pairs; the residual of the lowest is small before that."""
    network, weights = random_network(chain(10), rng, biases=None)
    fields = [f"h[{spin}]" for spin in range(5, 10)]
    weights[[network.layout.names.index(name) for name in fields]] = 0.0
    with pytest.warns(DegenerateGroundStateWarning):
        ExactPreparation(solver="lanczos").solve(network.groups, network.coefficients(weights, NO_INPUTS))


def test_nudged_rows_have_the_gaps_of_full_precision(rng):
    network, weights = random_network(chain(8), rng)
    rows = network.coefficients(weights, NO_INPUTS) * np.linspace(1.0, 1.3, 5)[:, None]
    preparation = ExactPreparation(solver="lanczos")
    near = np.repeat(preparation.solve(network.groups, rows[:1]).vectors, 5, axis=0)
    found, dense = preparation.solve(network.groups, rows, near=near), ExactPreparation(solver="dense")
    known = dense.solve(network.groups, rows)
    assert found.gaps == pytest.approx(known.gaps, abs=1e-10)
    assert np.abs(np.vecdot(found.vectors, known.vectors)) == pytest.approx(np.ones(5), abs=1e-13)


@pytest.mark.parametrize("same_fields", [True, False])
@pytest.mark.parametrize("words", ["Z0 Z1,Z2,X0,X1,X3", "Z0 Z1,Y0,Y1,Y2,X2 X3,Y3"])
def test_products_are_those_of_the_matrices(words, same_fields, rng, monkeypatch):
    monkeypatch.setattr(matrix_free, "sparse_structure", lambda _: None)
    strings = [PauliString.parse(word) for word in words.split(",")]
    groups = merge_into_groups((), strings, 4)
    rows = rng.normal(size=(3, len(strings)))
    rows = np.repeat(rows[:1], 3, axis=0) if same_fields else rows
    hamiltonians = MatrixFree.of(groups, rows)
    assert bool(hamiltonians.fields) == same_fields
    vectors = np.stack([random_states(rng, 16) for _ in range(3)])
    expected = np.einsum("rxy,ry->rx", dense_hamiltonians(groups, rows), vectors)
    assert np.allclose(hamiltonians.apply(vectors), expected, rtol=0, atol=1e-12)
    one = hamiltonians.picked(np.array([False, True, False]))
    assert np.allclose(one.apply(vectors[1:2]), expected[1:2], rtol=0, atol=1e-12)


def test_a_residual_that_stays_is_an_error(monkeypatch, rng):
    monkeypatch.setattr(lanczos, "_MOST_RESTARTS", 1)
    with pytest.raises(QepError, match="did not converge with 1 restarts"):
        lowest_levels(Matrices(hermitian(rng, 1, 60)), np.ones((1, 60), dtype=complex), EXACT)


@pytest.mark.parametrize("unit", [2.0**-700, 1e-200, 1e150])
def test_levels_scale_with_the_unit_of_energy(unit, rng):
    network, weights = random_network(chain(8), rng)
    groups, row = network.groups, network.coefficients(weights, NO_INPUTS)
    (levels,), (states,) = solved(groups, row, np.zeros(2))
    (scaled,), (others,) = solved(groups, unit * row, np.zeros(2))
    assert scaled / unit == pytest.approx(levels, abs=1e-12)
    assert abs(np.vdot(states[0], others[0])) == pytest.approx(1.0, abs=1e-10)
