"""Registers: positions and momenta are linear in Z, polynomials in Z multiply like their values, grids hold states."""

import numpy as np
import pytest
from oscillator_cases import anchor_spread, values_of

from qep_qiskit.continuous.position_grid import GaussianWidths, PositionGrid
from qep_qiskit.continuous.z_polynomials import ZPolynomial
from qep_qiskit.core.errors import NetworkError

MIXED = PositionGrid(num_qubits=3, boxes=(4.0, 6.5), centres=(0.3, -1.0))


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


@pytest.mark.parametrize("margin", [3.5, 4.5, 6.0])
def test_automatic_grids_have_the_reach_with_the_fewest_qubits(margin):
    gaussian_widths = GaussianWidths(
        means=np.array([[0.0, 1.0], [0.5, -1.0]]),
        widths=np.array([[0.4, 0.7], [0.5, 0.7]]),
        wave_widths=np.array([[1.3, 0.8], [1.2, 0.8]]),
    )
    grid = PositionGrid.around(gaussian_widths, margin=margin)
    to_wall, to_fastest = grid.margins(gaussian_widths)
    assert min(to_wall.min(), to_fastest.min()) >= margin
    assert to_wall.min(axis=0) == pytest.approx(to_fastest.min(axis=0), rel=0.15)
    assert grid.centres == pytest.approx((0.25, 0.0))
    coarser = PositionGrid.around(gaussian_widths, num_qubits=grid.num_qubits - 1)
    assert min(margins.min() for margins in coarser.margins(gaussian_widths)) < margin


def test_the_anchor_gets_four_qubits_an_atom():
    assert PositionGrid.around(anchor_spread(), margin=5.5).num_qubits == 4
    assert PositionGrid.around(anchor_spread()).num_qubits == 3


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"num_qubits": 1}, "expected 2 to 10 qubits a coordinate, got 1"),
        ({"num_qubits": 11}, "expected 2 to 10 qubits a coordinate, got 11"),
        ({"boxes": (0.0, 1.0)}, "box: expected a length above zero, got 0"),
        ({"centres": (0.0,)}, "one box and one centre for every coordinate"),
        ({"centres": (0.0, np.nan)}, "one box and one centre for every coordinate"),
    ],
)
def test_grids_are_validated(settings, match):
    with pytest.raises(NetworkError, match=match):
        PositionGrid(**{"num_qubits": 3, "boxes": (1.0, 1.0), "centres": (0.0, 0.0), **settings})


def test_states_beyond_ten_qubits_are_refused():
    gaussian_widths = GaussianWidths(
        means=np.array([[0.0], [1e4]]), widths=np.ones((2, 1)), wave_widths=np.ones((2, 1))
    )
    with pytest.raises(NetworkError, match="more than 10; use weaker springs"):
        PositionGrid.around(gaussian_widths)


def test_products_of_polynomials_are_products_of_values(rng):
    one, other = (ZPolynomial({int(m): float(v) for m, v in enumerate(rng.normal(size=16))}) for _ in range(2))
    values = [values_of(p, 4) for p in (one, other)]
    assert values_of(one * other, 4) == pytest.approx(values[0] * values[1], abs=1e-12)
    assert values_of(one - other * 0.5, 4) == pytest.approx(values[0] - values[1] / 2, abs=1e-12)


def test_masks_leave_the_constant_out():
    polynomial = ZPolynomial({0: 2.0, 5: 1.0, 3: -1.0})
    assert (polynomial.constant, polynomial.masks) == (2.0, (3, 5))
    assert (polynomial * polynomial).constant == 6.0
