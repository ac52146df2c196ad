"""Oscillators on grids: the split-operator ramp equals the product of its steps; VQE of quadratic phases."""

import numpy as np
import pytest
from oscillator_cases import (
    CONTRAST,
    ENERGY,
    MEANS,
    VARIANCES,
    anchor,
    anchor_grid,
    axes,
    half_squares,
    on_grid,
    split_operator_ramp,
)
from warned import warns

from qep_qiskit.continuous.grid_energies import GridEnergies
from qep_qiskit.continuous.on_grid import OnGrid
from qep_qiskit.continuous.oscillator_ansatz import OscillatorVariational
from qep_qiskit.continuous.oscillator_layers import OscillatorProduct, gaussian_start
from qep_qiskit.continuous.position_grid import PositionGrid
from qep_qiskit.continuous.split_operator import SplitOperatorPreparation
from qep_qiskit.core.errors import CoarseTrotterWarning, ConfigError, NetworkError
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import evolve
from qep_qiskit.execution import RequestKey
from qep_qiskit.execution.aer import AerExecutor
from qep_qiskit.measurement import run_measurements
from qep_qiskit.preparation import HamiltonianFamily, VariationalPreparation, WarmStart
from qep_qiskit.preparation.ramp import RAMPS

KEY = RequestKey("test", 0)


def product(grid, stiffness=2.0):
    ones = (1.0,) * grid.num_coordinates
    return OscillatorProduct(grid=grid, stiffness=tuple(stiffness * np.array(ones)), kinetic=ones)


def prepared(preparation, betas=(0.0,)):
    """States of the anchor at several nudges."""
    grid = preparation.driver.grid
    groups, free, _ = on_grid(grid, *anchor())
    nudge = (on_grid(grid, *anchor(0.1))[1] - free) / 0.1
    family = HamiltonianFamily(groups=groups, free=free[None], nudge=nudge[None], betas=np.array(betas), key=KEY)
    return run_measurements(preparation.prepare(family, WarmStart()), None)[0].states


@pytest.mark.parametrize("num_qubits", [2, 3, 5])
def test_gaussians_are_prepared_to_rounding(num_qubits):
    grid, widths = PositionGrid(num_qubits=num_qubits, boxes=(5.0, 8.0), centres=(0.4, -2.0)), np.array([0.4, 1.1])
    start = gaussian_start(grid, widths)
    program = LayerProgram(groups=start.groups, initial=start.initial, layers=start.layers, parameter_names=())
    found = evolve(program, np.zeros((1, 0)))[0]
    expected = [np.exp(-(((grid.positions(i) - grid.centres[i]) / widths[i]) ** 2) / 4) for i in range(2)]
    expected = np.kron(expected[1] / np.linalg.norm(expected[1]), expected[0] / np.linalg.norm(expected[0]))
    assert found == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("start", ["equilibrium", "origin"])
def test_engine_and_aer_equal_the_matrix_product_of_the_steps(order, start):
    grid = PositionGrid(num_qubits=3, boxes=(6.0, 6.5, 7.0), centres=(0.6, 0.5, 0.7))
    driver = OscillatorProduct(grid=grid, stiffness=(1.5, 2.0, 2.5), kinetic=(1.0, 1.0, 1.0))
    settings = SplitOperatorPreparation(driver=driver, total_time=2.0, steps=6, order=order, start=start)
    states = prepared(settings, betas=(-0.1, 0.1))
    found = evolve(states.program, states.parameters)
    aer = AerExecutor(Seeds(0)).vectors(states)
    for row, beta in enumerate((-0.1, 0.1)):
        expected = split_operator_ramp(
            grid,
            *anchor(beta),
            driver,
            total_time=2.0,
            steps=6,
            schedule=RAMPS["cosine"],
            order=order,
            displaced=start == "equilibrium",
        )
        for vector in (found[row], aer[row]):
            overlap = np.vdot(expected, vector)
            assert np.abs(vector - expected * overlap / abs(overlap)).max() < 1e-10
            assert abs(overlap) == pytest.approx(1.0, abs=1e-12)


@pytest.fixture(scope="module")
def anchored():
    """The anchor's ramp of 20 steps: vectors at beta = -0.1, 0, 0.1."""
    states = prepared(SplitOperatorPreparation(driver=product(anchor_grid()), total_time=5.0), betas=(-0.1, 0.0, 0.1))
    return evolve(states.program, states.parameters)


def test_positions_of_the_anchor_are_right_after_twenty_steps(anchored):
    grid = anchor_grid()
    probabilities = np.abs(anchored[1].reshape((16,) * 3)) ** 2
    r = axes([grid.positions(i) for i in range(3)])
    means = np.array([(probabilities * r[i]).sum() for i in range(3)])
    variances = np.array([(probabilities * r[i] ** 2).sum() for i in range(3)]) - means**2
    assert means == pytest.approx(MEANS, abs=1e-4)
    assert variances == pytest.approx(VARIANCES, abs=0.03)


def test_gradient_of_the_anchor_after_twenty_steps(anchored):
    grid = anchor_grid()
    contrast = (half_squares(anchored[2], grid) - half_squares(anchored[0], grid)) / 0.2
    assert np.linalg.norm(contrast - CONTRAST) < 0.03 * np.linalg.norm(CONTRAST)


def test_from_the_origin_the_means_are_not_there_yet():
    states = prepared(SplitOperatorPreparation(driver=product(anchor_grid()), total_time=5.0, start="origin"))
    probabilities = np.abs(evolve(states.program, states.parameters)[0].reshape((16,) * 3)) ** 2
    r = axes([anchor_grid().positions(i) for i in range(3)])
    assert max(abs((probabilities * r[i]).sum() - MEANS[i]) for i in range(3)) > 0.02


def test_one_template_serves_all_nudges_and_weights():
    settings = SplitOperatorPreparation(driver=product(anchor_grid(3, 7.0)))
    states = prepared(settings, betas=(-0.1, 0.1))
    assert states.program is prepared(settings).program
    assert states.program.parameter_names[-3:] == ("c0", "c1", "c2")
    _, free, _ = on_grid(anchor_grid(3, 7.0), *anchor())
    assert states.parameters.shape == (2, len(free) + 3)


def test_a_driver_like_the_ground_state_has_its_widths():
    grid = anchor_grid()
    groups, row, _ = on_grid(grid, *anchor())
    driver = OscillatorProduct.like(GridEnergies.of(grid, groups, row[None]))
    assert driver.widths**2 == pytest.approx(VARIANCES, abs=1e-6)


def test_a_step_that_is_too_long_warns():
    with warns(CoarseTrotterWarning, "fastest mode", detail="frequency 2.31"):
        prepared(SplitOperatorPreparation(driver=product(anchor_grid()), total_time=5.0, steps=10))


def test_states_that_do_not_fit_are_refused():
    grid = anchor_grid(4, 4.5)
    checked = OnGrid(preparation=SplitOperatorPreparation(driver=product(grid)), grid=grid)
    groups, free, _ = on_grid(grid, *anchor())
    with pytest.raises(NetworkError, match=r"grid: the box of coordinate 0 is too small"):
        run_measurements(checked.prepare(HamiltonianFamily.of_free(groups, free[None], KEY), WarmStart()), None)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"steps": 0}, "steps: expected at least 1"),
        ({"total_time": -1.0}, "total_time: expected more than 0, got -1.0"),
        ({"order": 3}, "order: expected 1 or 2"),
        ({"ramp": "sudden"}, "ramp: expected 'linear', 'cosine' or 'smoothstep', got 'sudden'"),
        ({"start": "somewhere"}, "start: expected 'equilibrium' or 'origin'"),
    ],
)
def test_settings_are_validated(settings, match):
    with pytest.raises(ConfigError, match=match):
        SplitOperatorPreparation(driver=product(anchor_grid()), **settings)


def test_the_driver_is_validated():
    with pytest.raises(ConfigError, match=r"driver_stiffness: expected 3 positive numbers"):
        OscillatorProduct(grid=anchor_grid(), stiffness=(1.0, -1.0, 1.0), kinetic=(1.0,) * 3)


def test_one_layer_reaches_the_anchors_energy_and_gradient():
    grid = anchor_grid()
    ansatz = OscillatorVariational(OscillatorProduct(grid=grid, stiffness=(2.0,) * 3, kinetic=(1.0,) * 3), 1)
    groups, free, constant = on_grid(grid, *anchor())
    nudge = (on_grid(grid, *anchor(0.1))[1] - free) / 0.1
    family = HamiltonianFamily(
        groups=groups,
        free=free[None],
        nudge=nudge[None],
        betas=np.array([-0.1, 0.0, 0.1]),
        key=RequestKey("test", 0),
    )
    found = run_measurements(VariationalPreparation(ansatz=ansatz, seeds=Seeds(0)).prepare(family, WarmStart()), None)[
        0
    ]
    assert found.report.energies[0, 1] + constant == pytest.approx(ENERGY, abs=1e-5)
    vectors = evolve(found.states.program, found.states.parameters)
    contrast = (half_squares(vectors[2], grid) - half_squares(vectors[0], grid)) / 0.2
    assert contrast == pytest.approx(CONTRAST, rel=2e-3)
