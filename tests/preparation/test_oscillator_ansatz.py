"""VQE on position grids: a layer of quadratic phases reaches the ground state and its gradient."""

import numpy as np
import pytest
from oscillator_cases import CONTRAST, ENERGY, anchor, anchor_grid, half_squares, on_grid

from qep_qiskit.continuous.oscillator_ansatz import OscillatorVariational
from qep_qiskit.continuous.oscillator_layers import OscillatorProduct
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import evolve
from qep_qiskit.execution import RequestKey
from qep_qiskit.measurement import run_measurements
from qep_qiskit.preparation import HamiltonianFamily, VariationalPreparation, WarmStart


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
