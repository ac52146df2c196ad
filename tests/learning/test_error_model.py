"""The error model against the closed forms of ANCHORS: best nudges, best splits, and shots for an error."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cases import NO_INPUTS, SMALL_GRAPHS, random_network
from chi_square import LIMIT, variance_p_value
from exact_noise import ExactNoise

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, ErrorModel, GradientEstimator
from qep_qiskit.learning.error_model import split_shots
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

V, SECOND, THIRD = 0.7, 1.9, 5.3
ONE_SIDED = ErrorModel(order=1, bias_squared=SECOND**2 / 4, shot_variance=(2 * V,))
SYMMETRIC = ErrorModel(order=2, bias_squared=THIRD**2 / 36, shot_variance=(V / 2,))
FOUR_POINT = ErrorModel(order=4, bias_squared=0.3, shot_variance=(0.4, 0.9))
TWO_GROUPS = ErrorModel(order=2, bias_squared=0.8, shot_variance=(0.5, 2.0), signal_variance=0.4, cross_variance=-0.3)

every_model = pytest.mark.parametrize("model", [ONE_SIDED, SYMMETRIC, FOUR_POINT, TWO_GROUPS])
every_shots = pytest.mark.parametrize("shots", [1, 10, 1000, 10**6])


@every_shots
def test_best_one_sided_nudge(shots):
    assert ONE_SIDED.best_beta(shots) == pytest.approx((8 * V / (shots * SECOND**2)) ** (1 / 4), rel=1e-4)


@every_shots
def test_best_symmetric_nudge(shots):
    assert SYMMETRIC.best_beta(shots) == pytest.approx((9 * V / (shots * THIRD**2)) ** (1 / 6), rel=1e-4)


@every_shots
def test_best_four_point_nudge(shots):
    expected = (sum(FOUR_POINT.shot_variance) / (4 * shots * FOUR_POINT.bias_squared)) ** (1 / 10)
    assert FOUR_POINT.best_beta(shots) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("beta", [0.05, 0.3, 2.0])
def test_mean_squared_error(beta):
    one_sided = beta**2 * SECOND**2 / 4 + 2 * V / (100 * beta**2)
    symmetric = beta**4 * THIRD**2 / 36 + V / (2 * 100 * beta**2)
    assert ONE_SIDED.error(beta, 100) ** 2 == pytest.approx(one_sided)
    assert SYMMETRIC.error(beta, 100) ** 2 == pytest.approx(symmetric)


@pytest.mark.parametrize(("model", "slope"), [(ONE_SIDED, -1 / 4), (SYMMETRIC, -1 / 3), (FOUR_POINT, -2 / 5)])
def test_error_at_the_best_nudge_falls_with_shots(model, slope):
    shots = np.array([1e2, 1e4, 1e6])
    errors = [model.error(model.best_beta(m), m) for m in shots]
    assert np.diff(np.log(errors)) / np.diff(np.log(shots)) == pytest.approx([slope, slope], abs=1e-4)


@every_model
@every_shots
def test_no_other_nudge_is_better(model, shots):
    beta = model.best_beta(shots)
    best = model.error(beta, shots)
    assert all(model.error(beta * factor, shots) >= best * (1 - 1e-9) for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2.0))


@pytest.mark.parametrize("scale", [0.01, 0.1, 1.0])
def test_the_search_does_not_depend_on_where_the_model_was_measured(scale):
    model = ErrorModel(**{**SYMMETRIC.record(), "beta_scale": scale})
    assert model.best_beta(1000) == pytest.approx(SYMMETRIC.best_beta(1000), rel=1e-4)


def test_a_free_phase_that_is_shared_with_the_signals_breaks_the_symmetry_of_the_sides():
    """With the part in 1/beta below zero a positive nudge is the better one."""
    positive, negative = TWO_GROUPS.best_beta(100), TWO_GROUPS.best_beta(100, sign=-1.0)
    assert positive > 0 > negative
    assert TWO_GROUPS.error(positive, 100) < TWO_GROUPS.error(negative, 100)
    assert TWO_GROUPS.group_variances(0.5)[0] == pytest.approx(0.5 / 0.25 + 0.4 - 0.3 / 0.5)
    assert TWO_GROUPS.group_variances(-0.5)[0] == pytest.approx(0.5 / 0.25 + 0.4 + 0.3 / 0.5)


def test_without_a_bias_the_nudge_is_as_large_as_the_search_goes():
    model = ErrorModel(order=2, bias_squared=0.0, shot_variance=(1.0,), beta_scale=0.1)
    assert model.best_beta(10) == pytest.approx(0.1 * np.exp(4.0), rel=1e-2)


def test_best_split_of_an_ising_network(rng):
    """m_Z : m_X = sqrt(sum(1 - <ZZ>^2)) : sqrt(sum(1 - <X>^2)), with variances from dense matrices."""
    network, weights = random_network(SMALL_GRAPHS["complete"], rng, biases=None)
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error((3,), 4))
    words = [str(network.terms[term]) for term in network.jacobian(weights, NO_INPUTS).term]
    noise = ExactNoise.of(hamiltonian, weights, np.eye(16)).moments([0.0])[1][0]
    by_group = np.array([sum(noise[k] for k in range(len(words)) if words[k][0] == letter) for letter in "ZX"])
    model = ErrorModel(order=2, bias_squared=1.0, shot_variance=tuple(by_group / 2))
    shares = model.best_shot_fractions(0.2, np.array([2.0, 2.0]))
    assert shares[0] / shares[1] == pytest.approx(np.sqrt(by_group[0] / by_group[1]))
    assert shares.sum() == pytest.approx(2.0)


@pytest.mark.parametrize("batches", [[1.0, 1.0], [3.0, 2.0], [1.0, 4.0]])
@pytest.mark.parametrize("beta", [0.2, 1.0])
def test_no_other_split_of_as_many_shots_is_better(batches, beta, rng):
    batches = np.array(batches)
    shares = TWO_GROUPS.best_shot_fractions(beta, batches)
    assert shares @ batches == pytest.approx(batches.sum())
    best = TWO_GROUPS.variance(beta, 100, shares)
    for _ in range(50):
        other = rng.dirichlet([1.0, 1.0]) * batches.sum() / batches
        assert TWO_GROUPS.variance(beta, 100, other) >= best * (1 - 1e-12)


@pytest.mark.deep
def test_the_best_split_is_measured_to_be_better_by_what_the_model_says(rng):
    """A network whose X part is nearly quiet."""
    network, weights = random_network(SMALL_GRAPHS["complete"], rng)
    weights[network.layout.slice_of("h")] *= 3.0
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error((3,), 4))
    noise = ExactNoise.of(hamiltonian, weights, hamiltonian.cost.operator(np.array([0.3])).to_matrix())
    variances = noise.shot_variance("symmetric", [0.4])[0] * 0.4**2
    words = [str(network.terms[term]) for term in network.jacobian(weights, NO_INPUTS).term]
    parts = [sum(variances[k] for k in range(len(words)) if words[k][0] == letter) for letter in "ZX"]
    model = ErrorModel(order=2, bias_squared=1.0, shot_variance=tuple(parts))
    shares = model.best_shot_fractions(0.4, np.array([2.0, 2.0]))
    assert model.variance(0.4, 100, shares) < 0.95 * model.variance(0.4, 100)
    for split in (None, shares):
        shots = 100 if split is None else split_shots(100, split)
        estimator = GradientEstimator(
            hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=Contrast(beta=0.4), shots=shots
        )
        executor = VectorExecutor(Seeds(1))
        works = (estimator.estimate(weights, NO_INPUTS, np.array([[0.3]]), RequestKey("t", r)) for r in range(400))
        gradients = np.array([run_measurements(work, executor)[0].gradient for work in works])
        own = np.where([word[0] == "Z" for word in words], *(shots if split is not None else (100, 100)))
        assert variance_p_value(gradients, variances / 0.4**2 / own) > LIMIT


def test_a_group_without_noise_keeps_a_twentieth():
    model = ErrorModel(order=2, bias_squared=1.0, shot_variance=(1.0, 0.0))
    shares = model.best_shot_fractions(0.1, np.ones(2))
    assert shares[1] / shares[0] == pytest.approx(0.05)
    silent = ErrorModel(order=2, bias_squared=1.0, shot_variance=(0.0, 0.0))
    assert silent.best_shot_fractions(0.1, np.ones(2)).tolist() == [1.0, 1.0]


@every_model
@pytest.mark.parametrize("error", [0.02, 0.2, 0.8])
def test_shots_for_an_error_reach_it(model, error):
    shots, beta = model.shots_for(error)
    assert model.error(beta, shots) == pytest.approx(error, rel=1e-3)
    assert beta == pytest.approx(model.best_beta(shots), rel=1e-3)
    assert model.error(model.best_beta(shots / 1.05), shots / 1.05) > error


def test_shots_for_an_error_with_a_split_and_a_side():
    shares = TWO_GROUPS.best_shot_fractions(0.3, np.array([2.0, 2.0]))
    shots, beta = TWO_GROUPS.shots_for(0.1, shares, sign=-1.0)
    assert beta < 0
    assert TWO_GROUPS.error(beta, shots, shares) == pytest.approx(0.1, rel=1e-3)


def test_one_shot_suffices_for_a_large_error():
    assert ONE_SIDED.shots_for(100.0) == (1.0, ONE_SIDED.best_beta(1.0))


@pytest.mark.parametrize("error", [0.0, -0.1])
def test_error_must_be_positive(error):
    with pytest.raises(ConfigError, match="target error: expected a number above zero"):
        ONE_SIDED.shots_for(error)


def test_error_out_of_reach():
    with pytest.raises(ConfigError, match="not reached with 1e12 shots a batch"):
        ONE_SIDED.shots_for(1e-9)


@every_model
def test_record_survives_json(model):
    assert ErrorModel.from_record(json.loads(json.dumps(model.record()))) == model


@pytest.mark.parametrize(
    ("shots", "shares", "expected"),
    [
        (100, [1.5, 0.5], (150, 50)),
        (100, [1.999, 0.001], (200, 2)),
        (1, [1.9, 0.1], (2, 1)),
        (2, [1.9, 0.1], (4, 2)),
        (7, [1.0, 1.0], (7, 7)),
    ],
)
def test_whole_shots_of_a_split(shots, shares, expected):
    assert split_shots(shots, np.array(shares)) == expected


def test_an_interval_holds_what_is_open_of_noise_and_signals():
    """The ends of three equally likely values, where the bias is known: half the noise, half from error signals."""
    bias, parts, gradient = 0.01, 0.04, 0.25
    model = ErrorModel(
        order=1,
        bias_squared=bias,
        shot_variance=(parts,),
        signal_variance=parts,
        gradient_squared=gradient,
        variance_deviation=0.1,
    )
    known = replace(model, gradient_squared=0.0, variance_deviation=0.0)
    ends = [model.error_quantile(1.0, 1.0, confidence=end) ** 2 for end in (0.0, 1.0)]
    far = np.sqrt(1.5) * np.array([-1.0, 1.0])
    assert ends == pytest.approx(bias + parts * np.exp(0.1 * far) + parts * (1.0 + far * np.sqrt(bias / gradient)))
    for confidence in (0.0, 0.3, 1.0):
        assert known.error_quantile(1.0, 1.0, confidence=confidence) == pytest.approx(known.error(1.0, 1.0))
