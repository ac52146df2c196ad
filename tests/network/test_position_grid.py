"""Registers: positions and momenta are linear in Z, automatic grids hold their states, bad ones say what would do."""

import numpy as np
import pytest
from oscillator_cases import anchor, anchor_grid, gaussian, on_grid

from qep_qiskit.errors import CoarseGridWarning, NetworkError
from qep_qiskit.network import GridEnergies, PositionGrid, Spread, ZPolynomial, check_grid
from qep_qiskit.operators import CommutingGroup

MIXED = PositionGrid(num_qubits=3, boxes=(4.0, 6.5), centres=(0.3, -1.0))


def values_of(polynomial, num_qubits):
    """A polynomial at every bit string, by the signs of the bits."""
    bits = 1 - 2 * (np.arange(1 << num_qubits)[:, None] >> np.arange(num_qubits) & 1)
    total = np.zeros(1 << num_qubits)
    for mask, value in polynomial.terms.items():
        total += value * bits[:, [k for k in range(num_qubits) if mask >> k & 1]].prod(axis=1)
    return total


def spread_of(beta=0.0):
    means, covariance, _ = gaussian(*anchor(beta))
    squares, modes = np.linalg.eigh(anchor(beta)[0])
    momenta = ((modes * np.sqrt(squares) / 2) @ modes.T).diagonal()
    return Spread(means=means[None], widths=np.sqrt(covariance.diagonal())[None], wave_widths=np.sqrt(momenta)[None])


@pytest.mark.parametrize("coordinate", [0, 1])
def test_positions_and_wave_numbers_are_what_the_polynomials_say(coordinate):
    index = np.arange(64) >> 3 * coordinate & 7
    found = values_of(MIXED.position(coordinate), 6)
    assert found == pytest.approx(MIXED.positions(coordinate)[index], abs=1e-13)
    waves = values_of(MIXED.wave_number(coordinate), 6)
    assert waves == pytest.approx(MIXED.wave_numbers(coordinate)[index], abs=1e-13)


def test_points_lie_evenly_about_the_centre():
    points = MIXED.positions(1)
    assert np.diff(points) == pytest.approx(6.5 / 8)
    assert points.mean() == pytest.approx(-1.0)
    assert np.diff(MIXED.wave_numbers(1)) == pytest.approx(2 * np.pi / 6.5)


def test_products_of_polynomials_are_products_of_values(rng):
    one, other = (ZPolynomial({int(m): float(v) for m, v in enumerate(rng.normal(size=16))}) for _ in range(2))
    values = [values_of(p, 4) for p in (one, other)]
    assert values_of(one * other, 4) == pytest.approx(values[0] * values[1], abs=1e-12)
    assert values_of(one - other * 0.5, 4) == pytest.approx(values[0] - values[1] / 2, abs=1e-12)


def test_energies_are_read_back_from_coefficients(rng):
    root = rng.normal(size=(2, 2))
    stiffness, forces, kinetic = root @ root.T + np.eye(2), rng.normal(size=2), np.array([0.5, 1.7])
    groups, row, _ = on_grid(MIXED, stiffness, forces, kinetic)
    energies = GridEnergies.of(MIXED, groups, np.array([row, 2 * row]))
    assert energies.stiffness[1] == pytest.approx(2 * stiffness, abs=1e-12)
    assert energies.kinetic[0] == pytest.approx(kinetic, abs=1e-12)
    rest = energies.at_rest()[0] + np.array(MIXED.centres)
    assert rest == pytest.approx(np.linalg.solve(stiffness, forces), abs=1e-12)


def test_what_is_not_quadratic_is_refused():
    group = CommutingGroup(name="r", basis=MIXED.position_basis, masks=(0b111,))
    with pytest.raises(NetworkError, match="must be quadratic in the positions"):
        GridEnergies.of(MIXED, [group], np.ones((1, 1)))


def test_spread_is_that_of_the_gaussian_ground_state():
    groups, row, _ = on_grid(anchor_grid(), *anchor())
    found, expected = GridEnergies.of(anchor_grid(), groups, row[None]).spread(), spread_of()
    for name in ("means", "widths", "wave_widths"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-12)


def test_an_energy_without_minimum_is_refused():
    groups, row, _ = on_grid(anchor_grid(), *anchor(-1.5))
    with pytest.raises(NetworkError, match=r"1 of 1 energies have no minimum .* use a smaller contrast.beta"):
        GridEnergies.of(anchor_grid(), groups, row[None]).at_rest()


@pytest.mark.parametrize("reach", [3.5, 4.5, 6.0])
def test_automatic_grids_have_the_reach_with_the_fewest_qubits(reach):
    spread = Spread(
        means=np.array([[0.0, 1.0], [0.5, -1.0]]),
        widths=np.array([[0.4, 0.7], [0.5, 0.7]]),
        wave_widths=np.array([[1.3, 0.8], [1.2, 0.8]]),
    )
    grid = PositionGrid.around(spread, reach=reach)
    to_wall, to_fastest = grid.reaches(spread)
    assert min(to_wall.min(), to_fastest.min()) >= reach
    assert to_wall.min(axis=0) == pytest.approx(to_fastest.min(axis=0), rel=0.15)
    assert grid.centres == pytest.approx((0.25, 0.0))
    coarser = PositionGrid.around(spread, num_qubits=grid.num_qubits - 1)
    assert min(reaches.min() for reaches in coarser.reaches(spread)) < reach


def test_the_anchor_gets_four_qubits_an_atom():
    assert PositionGrid.around(spread_of(), reach=5.5).num_qubits == 4
    assert PositionGrid.around(spread_of()).num_qubits == 3


def test_states_that_fit_pass_in_silence(recwarn):
    check_grid(anchor_grid(4, 9.0), spread_of())
    assert not recwarn.list


@pytest.mark.parametrize(
    ("grid", "what"), [(anchor_grid(4, 4.5), "box of coordinate 0 is too small"), (anchor_grid(3, 14.0), "too coarse")]
)
def test_a_bad_grid_says_which_one_would_do(grid, what):
    with pytest.raises(NetworkError, match=what) as caught:
        check_grid(grid, spread_of())
    message = str(caught.value)
    assert "network.grid.num_qubits = 3 and network.grid.box = " in message
    box = float(message.rpartition("network.grid.box = ")[2].split(",")[0])
    better = PositionGrid.around(spread_of(), num_qubits=3, box=box)
    assert min(reaches.min() for reaches in better.reaches(spread_of())) > 4.0


def test_a_doubtful_grid_warns():
    with pytest.warns(CoarseGridWarning, match="box of coordinate 0 is too small"):
        check_grid(anchor_grid(4, 6.0), spread_of())


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"num_qubits": 1}, "expected 2 to 10 qubits a coordinate, got 1"),
        ({"num_qubits": 11}, "expected 2 to 10 qubits a coordinate, got 11"),
        ({"boxes": (0.0, 1.0)}, "network.grid.box: expected a length above zero, got 0"),
        ({"centres": (0.0,)}, "one box and one centre for every coordinate"),
        ({"centres": (0.0, np.nan)}, "one box and one centre for every coordinate"),
    ],
)
def test_grids_are_validated(settings, match):
    with pytest.raises(NetworkError, match=match):
        PositionGrid(**{"num_qubits": 3, "boxes": (1.0, 1.0), "centres": (0.0, 0.0), **settings})


def test_states_beyond_ten_qubits_are_refused():
    spread = Spread(means=np.array([[0.0], [1e4]]), widths=np.ones((2, 1)), wave_widths=np.ones((2, 1)))
    with pytest.raises(NetworkError, match="more than 10; use weaker springs"):
        PositionGrid.around(spread)
