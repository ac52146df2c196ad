"""Energies on grids: read back from coefficients, refused where they are none, and checked against the grid."""

import numpy as np
import pytest
from oscillator_cases import anchor, anchor_grid, anchor_spread, on_grid

from qep_qiskit.continuous.grid_energies import GridEnergies, check_grid
from qep_qiskit.continuous.position_grid import PositionGrid
from qep_qiskit.core.errors import CoarseGridWarning, NetworkError, NudgeError
from qep_qiskit.core.operators import CommutingGroup

MIXED = PositionGrid(num_qubits=3, boxes=(4.0, 6.5), centres=(0.3, -1.0))


def test_energies_are_read_back_from_coefficients(rng):
    root = rng.normal(size=(2, 2))
    stiffness, forces, kinetic = root @ root.T + np.eye(2), rng.normal(size=2), np.array([0.5, 1.7])
    groups, row, _ = on_grid(MIXED, stiffness, forces, kinetic)
    energies = GridEnergies.of(MIXED, groups, np.array([row, 2 * row]))
    assert energies.stiffness[1] == pytest.approx(2 * stiffness, abs=1e-12)
    assert energies.kinetic[0] == pytest.approx(kinetic, abs=1e-12)
    rest = energies.equilibrium()[0] + np.array(MIXED.centres)
    assert rest == pytest.approx(np.linalg.solve(stiffness, forces), abs=1e-12)


def test_what_is_not_quadratic_is_refused():
    group = CommutingGroup(name="r", basis=MIXED.position_basis, masks=(0b111,))
    with pytest.raises(NetworkError, match="must be quadratic in the positions"):
        GridEnergies.of(MIXED, [group], np.ones((1, 1)))


def test_spread_is_that_of_the_gaussian_ground_state():
    groups, row, _ = on_grid(anchor_grid(), *anchor())
    found, expected = GridEnergies.of(anchor_grid(), groups, row[None]).gaussian_widths(), anchor_spread()
    for name in ("means", "widths", "wave_widths"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-12)


def test_an_energy_without_minimum_is_refused():
    groups, row, _ = on_grid(anchor_grid(), *anchor(-1.5))
    with pytest.raises(NudgeError, match=r"1 of 1 energies have no minimum .* use a smaller contrast.beta"):
        GridEnergies.of(anchor_grid(), groups, row[None]).equilibrium()


def test_states_that_fit_pass_in_silence(recwarn):
    check_grid(anchor_grid(4, 9.0), anchor_spread())
    assert not recwarn.list


@pytest.mark.parametrize(
    ("grid", "what"), [(anchor_grid(4, 4.5), "box of coordinate 0 is too small"), (anchor_grid(3, 14.0), "too coarse")]
)
def test_a_bad_grid_says_which_one_would_do(grid, what):
    with pytest.raises(NetworkError, match=what) as caught:
        check_grid(grid, anchor_spread())
    message = str(caught.value)
    assert "network.grid.num_qubits = 4 and network.grid.box = " in message
    box = float(message.rpartition("network.grid.box = ")[2].split(",")[0])
    assert min(margins.min() for margins in anchor_grid(4, box).margins(anchor_spread())) > 4.5


def test_a_doubtful_grid_warns():
    with pytest.warns(CoarseGridWarning, match="box of coordinate 0 is too small"):
        check_grid(anchor_grid(4, 6.0), anchor_spread())
