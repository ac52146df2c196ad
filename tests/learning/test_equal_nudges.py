"""Nudges that are equal for all samples of a batch, and shots divided by their errors: gradients and shot noise."""

import numpy as np
import pytest
from cases import random_network
from chi_square import LIMIT, mean_p_value, variance_p_value
from gradient_cases import loss_problem
from qiskit.quantum_info import SparsePauliOp
from reference import expectation, ground, pauli_matrix

from qep_qiskit.config import from_file
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator, first_beta, measure_pilot
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.learning.shots import per_state, shares_by_size
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import PauliNetwork, chain
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

ERRORS = np.array([0.5, 0.2, 0.05, 0.01, 0.02, 0.3])[:, None]
"""Distances of targets from outputs: error signals differ by a factor of 50."""


def estimated(problem, contrast, **options):
    """Estimates of independent repeats."""
    return [estimate for estimate, _ in measured(problem, contrast, **options)]


def measured(problem, contrast, *, shots=None, repeats=1, equal=True, by_error=False):
    """Estimates of independent repeats, and what they used."""
    hamiltonian, weights, inputs, targets = problem
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=ExactPreparation(),
        contrast=contrast,
        shots=shots,
        measures_free_cost=True,
        equal_nudges=equal,
        shots_by_error=by_error,
    )
    executor = VectorExecutor(Seeds(1))
    works = (estimator.estimate(weights, inputs, targets, RequestKey("test", r)) for r in range(repeats))
    return [run_measurements(work, executor) for work in works]


def operator_problem(rng):
    """Costs (Z - y)^2 of one output: the nudge of a sample is proportional to its target."""
    network, weights = random_network(chain(3), rng, num_inputs=1)
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error((2,), 3))
    return hamiltonian, weights, rng.normal(size=(6, 1)), rng.uniform(-1.0, 1.0, size=(6, 1))


PROBLEMS = {
    "loss": lambda rng: loss_problem(rng, samples=6, distance=ERRORS),
    "two outputs": lambda rng: loss_problem(rng, samples=6, outputs=(0, 2), distance=ERRORS * [1.0, -0.3]),
    "operator": operator_problem,
}
problems = pytest.mark.parametrize("name", PROBLEMS)


@problems
@pytest.mark.parametrize("kind", ["one_sided", "symmetric", "four_point"])
def test_small_nudges_give_the_exact_gradient(name, kind, rng):
    problem = PROBLEMS[name](rng)
    (found,) = estimated(problem, Contrast(kind=kind, beta=1e-6 if kind == "one_sided" else 1e-3))
    expected = exact_gradient(*problem).gradient
    assert found.gradient == pytest.approx(expected, abs=1e-5 * np.abs(expected).max())


@problems
def test_chi_and_bounds_are_those_of_the_cost(name, rng):
    problem = PROBLEMS[name](rng)
    (equal,), (other,) = (
        estimated(problem, Contrast(kind="one_sided", beta=1e-4), equal=equal) for equal in (True, False)
    )
    assert equal.diagnostics.chi == pytest.approx(other.diagnostics.chi, rel=1e-3)
    assert equal.diagnostics.lower == pytest.approx(other.diagnostics.lower, abs=1e-4 * other.diagnostics.chi)


def test_a_nudge_is_an_energy(rng):
    """All samples are at +-beta Z of the output, whatever their error: from dense matrices, multiplied by the error."""
    hamiltonian, weights, inputs, targets = loss_problem(rng, samples=2, distance=ERRORS[:2])
    network = hamiltonian.network
    (found,) = estimated((hamiltonian, weights, inputs, targets), Contrast(beta=0.4))
    output, expected = pauli_matrix(str(network.terms[hamiltonian.output_strings[0]]), network.num_qubits), 0.0
    for row, target in zip(inputs, targets, strict=True):
        free = network.hamiltonian(weights, row).to_matrix()
        error = 2.0 * (expectation(output, ground(free)[1]) - target[0])
        jacobian = network.jacobian(weights, row[None])
        words = [pauli_matrix(str(network.terms[term]), network.num_qubits) for term in jacobian.term]
        ends = [ground(free + sign * 0.4 * output)[1] for sign in (1.0, -1.0)]
        own = [(expectation(word, ends[0]) - expectation(word, ends[1])) / 0.8 for word in words]
        expected = expected + np.bincount(jacobian.weight, error * jacobian.values[0] * own, len(weights)) / 2.0
    assert found.gradient == pytest.approx(expected, abs=1e-9)


@pytest.mark.deep
@pytest.mark.parametrize("name", ["loss", "two outputs"])
@pytest.mark.parametrize("kind", ["one_sided", "symmetric"])
def test_shots_have_the_exact_mean_and_the_claimed_variance(kind, name, rng):
    problem, contrast = PROBLEMS[name](rng), Contrast(kind=kind, beta=0.1)
    estimates = estimated(problem, contrast, shots=2000, repeats=200)
    gradients, variances = (np.array([getattr(one, key) for one in estimates]) for key in ("gradient", "variance"))
    (exact,) = estimated(problem, contrast)
    assert mean_p_value(gradients, exact.gradient) > LIMIT
    assert variance_p_value(gradients, variances.mean(axis=0)) > LIMIT


def test_samples_without_errors_bring_no_noise(rng):
    """With the same largest nudge the noise of a sample falls with the square of its error."""
    problem = loss_problem(rng, samples=6, distance=ERRORS)
    signals = 2.0 * ERRORS[:, 0]
    (equal,) = estimated(problem, Contrast(beta=0.05), shots=10_000)
    (other,) = estimated(problem, Contrast(beta=0.05 / signals.max()), shots=10_000, equal=False)
    ratio = equal.group_variance.sum() / other.group_variance.sum()
    assert ratio == pytest.approx((signals**2).mean() / signals.max() ** 2, rel=0.1)


@pytest.mark.parametrize("by_error", [False, True])
def test_samples_without_nudge_bring_no_noise(by_error, rng):
    """Targets of zero have no nudge: their contrasts would be shot noise over beta, as large as those of all others."""
    hamiltonian, weights, inputs, targets = operator_problem(rng)
    targets[1:] = 0.0
    (found,) = estimated((hamiltonian, weights, inputs, targets), Contrast(beta=0.1), shots=1000, by_error=by_error)
    first = slice(0, 1)
    alone = (hamiltonian, weights, inputs[first], targets[first])
    shots = 1000 if not by_error else 4000  # it has 16 of 21 parts of the shots of six samples: 4571
    (own,) = estimated(alone, Contrast(beta=0.1), shots=shots)
    assert found.variance.sum() * 6.0**2 < 1.2 * own.variance.sum()
    (none,) = estimated((hamiltonian, weights, inputs, 0.0 * targets), Contrast(beta=0.1), shots=10, by_error=by_error)
    assert not none.gradient.any()
    assert not none.variance.any()


def test_pilots_take_nudges_as_they_are(rng):
    """Elsewhere the nudges of a first pilot grow as error signals shrink."""
    hamiltonian, weights, inputs, targets = loss_problem(rng, distance=0.01)
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=ExactPreparation(),
        contrast=Contrast(beta=0.1),
        shots=10_000,
        equal_nudges=True,
    )
    options = {"beta": 0.05, "levels": 3, "trainable": np.ones(len(weights), dtype=bool)}
    work = measure_pilot(
        estimator, weights, inputs, targets, RequestKey("pilot", 0), **options, in_units_of_signals=True
    )
    found, _ = run_measurements(work, VectorExecutor(Seeds(0)))
    assert found.measured.betas == pytest.approx([-0.2, -0.1, -0.05, 0.05, 0.1, 0.2])


def test_the_first_nudge_is_in_units_of_energy(rng):
    """A tenth of the largest coefficient over the range of Z, however the cost is scaled."""
    hamiltonian, weights, inputs, targets = operator_problem(rng)
    size = np.median(np.abs(hamiltonian.free_coefficients(weights, inputs)).max(axis=1))
    assert first_beta(hamiltonian, weights, inputs, targets, equal_nudges=True) == pytest.approx(size / 20.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["contrast={kind='holomorphic', equal_nudges=true}"], "contrast.equal_nudges: 'holomorphic' has no real"),
        (["contrast.equal_nudges=true", "update={kind='agnostic', epsilon=0.1}"], "leave out contrast.equal_nudges"),
        (
            ["contrast={kind='one_sided', equal_nudges=true}", "measurement.shots=1"],
            "measurement.shots: expected at least 2 with equal nudges",
        ),
        (["measurement.shots_by_error=true", "measurement.shots=10"], "set contrast.equal_nudges = true"),
        (["measurement.shots_by_error=true", "contrast.equal_nudges=true"], "expected a number of shots, got 'exact'"),
        (
            [
                "network.kind='classical_ising'",
                *("measurement.shots=10", "measurement.shots_by_error=true", "contrast.equal_nudges=true"),
            ],
            "measurement.shots_by_error: all samples have",
        ),
    ],
)
def test_contrasts_without_equal_nudges(settings, message):
    with pytest.raises(ConfigError, match=message):
        from_file("configs/xor.toml", ["measurement.shots='exact'", "preparation={kind='exact'}", *settings])


@pytest.mark.deep(but=["symmetric-loss"])
@pytest.mark.parametrize("name", ["loss", "two outputs"])
@pytest.mark.parametrize("kind", ["one_sided", "symmetric", "chebyshev"])
def test_shots_divided_by_errors_have_the_exact_mean_and_the_claimed_variance(kind, name, rng):
    problem, contrast = PROBLEMS[name](rng), Contrast(kind=kind, beta=0.1)
    estimates = estimated(problem, contrast, shots=2000, repeats=100, by_error=True)
    gradients, variances = (np.array([getattr(one, key) for one in estimates]) for key in ("gradient", "variance"))
    (exact,) = estimated(problem, contrast)
    assert mean_p_value(gradients, exact.gradient) > LIMIT
    assert variance_p_value(gradients, variances.mean(axis=0)) > LIMIT


@pytest.mark.deep
@pytest.mark.parametrize("by_error", [False, True])
@pytest.mark.parametrize("distance", [0.0, 0.05, 0.3])
def test_few_free_shots_that_are_in_sizes_and_contrasts(distance, by_error):
    """The product of both noises has a mean: without its part each sample is off by the same, whatever its error."""
    hamiltonian, weights, inputs, targets = loss_problem(np.random.default_rng(3), samples=6, distance=0.0)
    problem, contrast = (hamiltonian, weights, inputs, targets - distance), Contrast(kind="one_sided", beta=0.1)
    estimates = estimated(problem, contrast, shots=20, repeats=150, by_error=by_error)
    gradients, variances = (np.array([getattr(one, key) for one in estimates]) for key in ("gradient", "variance"))
    (exact,) = estimated(problem, contrast)
    assert mean_p_value(gradients, exact.gradient) > LIMIT
    assert variance_p_value(gradients, variances.mean(axis=0)) > LIMIT


def test_shots_divided_by_errors_have_the_least_noise(rng):
    """(mean |s|)^2 over mean s^2 of the variance of equal shots, where one shot of any sample is equally noisy."""
    problem = loss_problem(rng, samples=6, distance=ERRORS)
    ((own, used),) = measured(problem, Contrast(beta=0.05), shots=10_000, by_error=True)
    (equal,) = estimated(problem, Contrast(beta=0.05), shots=10_000)
    sizes = 2.0 * ERRORS[:, 0]
    ratio = own.group_variance.sum() / equal.group_variance.sum()
    assert ratio == pytest.approx(sizes.mean() ** 2 / (sizes**2).mean(), rel=0.15)
    groups, phases = 2, 2
    free = 6 * 10_000
    assert 0 <= free + groups * phases * 6 * 10_000 - used.shots < groups * phases * 6


@pytest.mark.parametrize("shots", [1, 2, 3, 10, 1000])
def test_no_more_shots_than_given(shots):
    shares = shares_by_size(np.array([1.0, 0.4, 0.1, 0.0, 0.02, 0.9, 0.0]))
    (own,) = per_state([shots], np.ones(2), shares)
    assert own.shape == (7, 2)
    assert own.min() >= min(2, shots)
    assert shots * 7 - 8 < own[:, 0].sum() <= shots * 7


def test_shares_fall_with_errors_in_five_steps():
    shares = shares_by_size(np.array([1.0, 0.5, 0.24, 0.13, 0.06, 1e-9, 0.0]))
    assert shares / shares[0] == pytest.approx([1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16, 1 / 16])
    assert shares.mean() == pytest.approx(1.0)
    assert shares_by_size(np.zeros(3)) == pytest.approx([1.0, 1.0, 1.0])


@pytest.mark.parametrize("kind", ["one_sided", "symmetric"])
def test_one_sample_is_nudged_as_by_the_cost_at_another_beta(kind):
    """The same states and shots, so the same gradient and error bar, but for the product of noises that share shots.

    An output that is a sum of strings has no expected saturation.
    """
    operators = {"h": SparsePauliOp(["IX", "XI"], [-0.8, -0.8]), "b": SparsePauliOp(["IZ", "ZI"], [-0.3, -0.3])}
    cost = LossOnExpectations((SparsePauliOp(["IZ", "ZZ"], [1.0, 1.0]),))
    problem = (
        NudgedHamiltonian(PauliNetwork.from_operators(operators), cost),
        np.ones(2),
        np.zeros((1, 0)),
        np.array([[-2.0]]),
    )
    ((equal, _),) = measured(problem, Contrast(kind=kind, beta=0.2), shots=500)
    size = 2.0 * abs(equal.outputs[0, 0] + 2.0)
    ((other, _),) = measured(problem, Contrast(kind=kind, beta=0.2 / size), shots=500, equal=False)
    assert size > 2.0
    mean = 0.3 / np.hypot(0.8, 0.3)
    shared = 2.0 * (1.0 + 2.0 * mean) * (1.0 - mean**2) / 500.0  # Cov(2 (Z0 + Z0 Z1), Z0 + Z1)
    between = other.gradient - equal.gradient
    assert between == pytest.approx([0.0, 0.3 * shared / 0.2 if kind == "one_sided" else 0.0], rel=0.2, abs=1e-9)
    assert equal.variance == pytest.approx(other.variance, rel=1e-3 if kind == "one_sided" else 1e-9)
