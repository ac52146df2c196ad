"""Error bars of measured points: with the noise of the error signals they hold, without it they do not."""

from dataclasses import replace

import numpy as np
import pytest
from cases import random_network
from chi_square import LIMIT, mean_p_value

from qep_qiskit.budget.gradient_study import Setting, measure_setting
from qep_qiskit.budget.problem import GradientProblem, true_gradient
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import chain
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

pytestmark = pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.NudgeBeyondGapWarning")

SHOTS, BETA, REPEATS = 1000, 0.6, 1200


@pytest.fixture(scope="module")
def problem():
    """Four samples with clamped inputs; targets a little off the outputs, as late in training."""
    rng = np.random.default_rng(17)
    network, weights = random_network(chain(4), rng, num_inputs=2)
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations.on_spins((3,), 4))
    inputs = 0.5 * rng.normal(size=(4, 2))
    outputs = exact_gradient(hamiltonian, weights, inputs, np.zeros((4, 1))).outputs
    targets = outputs + 0.25 * np.array([[1.0], [-1.0], [1.0], [-1.0]])
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=Contrast(beta=BETA), shots=SHOTS
    )
    executor = VectorExecutor(Seeds(23))
    return GradientProblem(
        estimator=estimator,
        executor=executor,
        weights=weights,
        inputs=inputs,
        targets=targets,
        trainable=np.ones(len(weights), dtype=bool),
        truth=true_gradient(estimator, executor, weights, inputs, targets, level=0),
    )


@pytest.mark.deep
@pytest.mark.parametrize("kind", ["one_sided", "symmetric"])
def test_error_bars_of_repeats(kind, problem):
    """Summed over weights. Of single weights the bars are approximate: one response stands for samples that differ."""
    given = problem.weights, problem.inputs, problem.targets
    estimator = replace(problem.estimator, contrast=Contrast(kind=kind, beta=0.3))
    works = (estimator.estimate(*given, RequestKey(kind, r)) for r in range(REPEATS))
    found = [run_measurements(work, problem.executor)[0] for work in works]
    gradients = np.array([one.gradient for one in found])
    squares = ((gradients - gradients.mean(axis=0)) ** 2).sum(axis=1) * REPEATS / (REPEATS - 1)
    claimed = np.mean([one.variance for one in found], axis=0)
    fixed = np.mean([one.group_variance.sum(axis=0) for one in found], axis=0)
    assert mean_p_value(squares, claimed.sum()) > LIMIT
    assert mean_p_value(squares, fixed.sum()) < LIMIT
    true = gradients.var(axis=0, ddof=1)
    assert (np.abs(np.log(true / claimed)) < np.log(1.5)).all()
    assert (true / fixed).max() > 1.5


@pytest.mark.deep
def test_chi_square_of_a_measured_point(problem):
    """The table's own columns tell the two apart; error signals that are known leave nothing to tell."""
    measured = measure_setting(problem, Setting(contrast="symmetric", beta=BETA, shots=SHOTS), 600)
    assert measured["chi2_per_dof"] == pytest.approx(1.0, abs=0.06)
    assert measured["chi2_without_signals"] > 1.1
    known = measure_setting(problem, Setting(contrast="symmetric", beta=BETA, shots=SHOTS, signals="known"), 600)
    assert known["chi2_per_dof"] == pytest.approx(known["chi2_without_signals"])
    assert known["chi2_per_dof"] == pytest.approx(1.0, abs=0.06)
