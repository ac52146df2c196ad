"""Pilots of networks whose springs give way to strong nudges."""

import numpy as np
import pytest
from oscillators import TARGET, three_oscillators, with_squared_error

from qep_qiskit.continuous.executor import CoordinateExecutor
from qep_qiskit.continuous.oscillators import GaussianPreparation
from qep_qiskit.core.errors import NudgeError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.pilot import measure_pilot
from qep_qiskit.measurement import run_measurements


def pilot(beta, levels=3):
    network = three_oscillators()
    estimator = GradientEstimator(
        hamiltonian=with_squared_error(network),
        preparation=GaussianPreparation(),
        contrast=Contrast(kind="symmetric", beta=0.1),
        shots=4000,
    )
    work = measure_pilot(
        estimator,
        network.layout.initial(Seeds(0)),
        np.zeros((1, 0)),
        np.array([[TARGET]]),
        RequestKey("pilot", 0),
        beta=beta,
        levels=levels,
        trainable=network.layout.trainable(),
    )
    return run_measurements(work, CoordinateExecutor(Seeds(1)))[0]


def test_a_ladder_that_holds_is_kept():
    assert np.abs(pilot(0.02).measured.betas).max() == pytest.approx(0.08)


def test_a_ladder_that_is_too_strong_is_made_weaker():
    """The springs hold up to 0.594: neither 2, 4, 8 nor a quarter of them do, a sixteenth does."""
    found = pilot(2.0)
    assert np.abs(found.measured.betas).max() == pytest.approx(0.5)
    assert found.model.most_beta == pytest.approx(0.5)
    assert found.model.best_beta(1.0) <= 0.5
    assert found.model.best_beta(1e9) < found.model.best_beta(1e3)


def test_nothing_holds_any_nudge():
    with pytest.raises(NudgeError, match=r"^at beta = "):
        pilot(1e6)
