"""Finite differences of the reported cost: against exact gradients, and against pipelines broken on purpose."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import random_network
from chi_square import LIMIT
from scipy.stats import chi2

import qep_qiskit as qep
from qep_qiskit.config import from_file
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.learning.finite_differences import finite_differences, idle_names
from qep_qiskit.measurement import run_measurements

CONFIGS = Path(__file__).parents[2] / "configs"
SEEDS = qep.Seeds(5)
NO_INPUTS = np.zeros((2, 0))


def problem(cost, rng, shots=None):
    network, weights = random_network(qep.chain(3), rng, outputs=(0, 2))
    estimator = qep.GradientEstimator(
        hamiltonian=qep.NudgedHamiltonian(network, cost),
        preparation=qep.ExactPreparation(),
        contrast=qep.Contrast(kind="four_point", beta=0.02),
        shots=shots,
    )
    return estimator, weights


COSTS = {
    "loss": (qep.LossOnExpectations.on_spins((0, 2), 3), [[0.3, -0.5], [0.1, 0.7]]),
    "entropy": (qep.LossOnExpectations.on_spins((0, 2), 3, qep.CrossEntropy()), [[0.3, 0.7], [1.0, 0.0]]),
    "operator": (qep.OperatorCost.squared_error((0, 2), 3), [[0.3, -0.5], [0.1, 0.7]]),
}


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_exact_states_have_the_exact_gradient_in_any_unit(name, unit, rng):
    cost, targets = COSTS[name]
    estimator, weights = problem(cost, rng)
    weights, y = unit * weights, np.array(targets)
    found = finite_differences(estimator, VectorExecutor(SEEDS), weights, NO_INPUTS, y)
    exact = exact_gradient(estimator.hamiltonian, weights, NO_INPUTS, y).gradient
    assert found.shots is None
    assert np.abs(found.gradient - exact).max() < 1e-7 * np.abs(exact).max()
    assert np.all(np.abs(found.gradient - exact) <= found.error + 1e-9 * np.abs(exact).max())


@pytest.mark.parametrize(
    ("config", "overrides"),
    [
        ("oscillators", []),
        pytest.param("elastic", [], marks=pytest.mark.deep),
        ("thermal", ["measurement.shots='exact'"]),
        ("excited", []),
        ("xor", ["preparation.kind='variational'", "preparation.tolerance=1e-10"]),
    ],
)
def test_every_kind_of_state(config, overrides):
    """The contrast without shots at a small nudge is the derivative of the cost that its free phase reports."""
    beta = [] if config == "thermal" else ["contrast.kind='four_point'", "contrast.beta=0.002"]
    experiment = from_file(CONFIGS / f"{config}.toml", [*overrides, *beta])
    sample = experiment.task.train.take(np.array([0]))
    weights = experiment.network.layout.initial(experiment.seeds)
    estimator = replace(experiment.estimator, shots=None)
    key = RequestKey("test", 0)
    contrast = run_measurements(estimator.estimate(weights, sample.inputs, sample.targets, key), experiment.executor)[
        0
    ].gradient
    found = finite_differences(estimator, experiment.executor, weights, sample.inputs, sample.targets)
    assert found.gradient == pytest.approx(contrast, rel=1e-3, abs=2e-4 * np.abs(contrast).max())


def test_a_loss_with_the_gradient_of_another_is_found(rng):
    """A cross-entropy whose error signals forget the sum of its targets, as one of another function would."""

    class ForgetsTheSumError(qep.CrossEntropy):
        def gradient(self, outputs, targets):
            return self.gain * (np.exp(self._log_probabilities(outputs)) - targets)

    y = np.array([[0.3, 0.3], [0.3, 0.3]])
    executor = VectorExecutor(SEEDS)
    relative = {}
    for loss in (qep.CrossEntropy(), ForgetsTheSumError()):
        estimator, weights = problem(qep.LossOnExpectations.on_spins((0, 2), 3, loss), np.random.default_rng(1))
        work = estimator.estimate(weights, NO_INPUTS, y, RequestKey("test", 0))
        contrast = run_measurements(work, executor)[0].gradient
        found = finite_differences(estimator, executor, weights, NO_INPUTS, y).gradient
        exact = exact_gradient(estimator.hamiltonian, weights, NO_INPUTS, y).gradient
        assert contrast == pytest.approx(exact, abs=1e-4)  # --compare exact shares the mistake
        relative[type(loss)] = np.linalg.norm(contrast - found) / np.linalg.norm(found)
    assert relative[qep.CrossEntropy] < 1e-4
    assert relative[ForgetsTheSumError] > 0.5


def test_a_lost_input_and_a_lost_weight_are_named():
    """Coefficients that a tolerance has cut: nothing moves with what multiplies them."""
    experiment = from_file(CONFIGS / "xor.toml")
    network, inputs = experiment.network, experiment.task.train.inputs[:1]
    weights = network.layout.initial(experiment.seeds)
    assert idle_names(network, weights, inputs, ("a", "b")) == []

    class Cut:
        layout = network.layout

        def coefficients(self, weights, inputs):
            whole = weights.copy()
            whole[self.layout.index_of("h[2]")] = 1.0
            return network.coefficients(whole, inputs * [1.0, 0.0])

    lost = [f"weight W[1,{spin}]" for spin in range(4)]
    assert idle_names(Cut(), weights, inputs, ("a", "b")) == ["weight h[2]", *lost, "input b"]


def test_shots_have_honest_errors(rng):
    """An executor without exact expectations: many shots, and deviations within the errors by chi-square."""
    cost, targets = COSTS["loss"]
    estimator, weights = problem(cost, rng, shots=50)

    class Sampled(VectorExecutor):
        def submit(self, request):
            if any(measurement.shots is None for measurement in request.measurements):
                raise ConfigError("measurement.shots: no exact expectations here")
            return super().submit(request)

    y = np.array(targets)
    exact = exact_gradient(estimator.hamiltonian, weights, NO_INPUTS, y).gradient
    squares = 0.0
    for seed in range(8):
        found = finite_differences(estimator, Sampled(qep.Seeds(seed)), weights, NO_INPUTS, y)
        assert found.shots == 20_000
        squares += float((((found.gradient - exact) / found.error) ** 2).sum())
    p = chi2.sf(squares, 8 * len(weights))
    assert LIMIT < p < 1 - LIMIT
