"""Gradients from shots of Gibbs states without a nudge: what they are on average, and how they scatter."""

import numpy as np
import pytest
from chi_square import LIMIT, mean_p_value
from classical_cases import KEY, classical

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, ShotData, VectorExecutor
from qep_qiskit.learning import Contrast, FluctuationEstimator, GradientEstimator, Replication
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import IsingNetwork, chain
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes import BitMemory
from qep_qiskit.preparation import ExactSearch, ThermalPreparation

TEMPERATURE = 0.9


def estimator_of(hamiltonian, **options):
    return FluctuationEstimator(
        **{
            "hamiltonian": hamiltonian,
            "preparation": ThermalPreparation(TEMPERATURE),
            "contrast": Contrast(kind="fluctuations"),
            "shots": None,
        }
        | options
    )


def repeated(parts, shots, repeats, **options):
    """Gradients and their claimed variances, shape (repeats, weights)."""
    estimator, executor = estimator_of(parts[0], shots=shots, **options), VectorExecutor(Seeds(7))
    found = [
        run_measurements(estimator.estimate(*parts[1:], RequestKey("test", k)), executor)[0] for k in range(repeats)
    ]
    return np.array([one.gradient for one in found]), np.array([one.variance for one in found])


def problem(cost, rng):
    own = OperatorCost.squared_error((0, 2), 4) if cost == "operator" else LossOnExpectations.on_spins((0, 2), 4)
    return classical("ring", rng, own)


@pytest.mark.deep
@pytest.mark.parametrize("grouping", ["shared", "qubit_wise"])
def test_operator_cost_is_unbiased_at_few_shots(grouping, rng):
    parts = problem("operator", rng)
    gradients, _ = repeated(parts, 5, 2000, grouping=grouping)
    expected = exact_gradient(*parts, temperature=TEMPERATURE).gradient
    assert mean_p_value(gradients, expected) > LIMIT


@pytest.mark.deep(but=["operator"])
@pytest.mark.parametrize("cost", ["operator", "loss"])
def test_scatter_is_the_claimed_variance(cost, rng):
    """Covariances are not normal: the spread of their squared deviations is taken from themselves."""
    parts = problem(cost, rng)
    gradients, variances = repeated(parts, 2000, 1500)
    expected = exact_gradient(*parts, temperature=TEMPERATURE).gradient
    squares = (gradients - gradients.mean(axis=0)) ** 2 * len(gradients) / (len(gradients) - 1)
    assert mean_p_value(squares - variances, np.zeros(gradients.shape[1])) > LIMIT
    assert np.abs(gradients.mean(axis=0) - expected).max() < 5 * np.sqrt(variances.mean(axis=0).max() / 1500) + 2e-3
    assert np.all(variances > 0)


def test_noise_of_the_signals_counts(rng):
    """With error signals taken as given the claimed variance would be another."""
    parts = problem("loss", rng)
    _, variances = repeated(parts, 2000, 20)
    fixed = NudgedHamiltonian(parts[0].network, OperatorCost.squared_error((0, 2), 4))
    given = classical("ring", rng, None)[3]
    _, alone = repeated((fixed, *parts[1:3], given), 2000, 20)
    assert not np.allclose(variances.mean(axis=0), alone.mean(axis=0), rtol=0.05)


def test_bits_and_counts_are_the_same_shots(rng):
    """Registers too wide for counts come as bits."""

    class InBits(VectorExecutor):
        def collect(self, job_handle):
            (counts,) = super().collect(job_handle).outcomes
            rows = [np.repeat(np.arange(16, dtype=np.uint8), row)[:, None] for row in counts.weights]
            return ShotData(outcomes=(BitMemory(bits=np.array(rows), num_qubits=4),))

    parts = problem("loss", rng)
    estimator = estimator_of(parts[0], shots=300)
    one, other = (
        run_measurements(estimator.estimate(*parts[1:], KEY), executor(Seeds(1)))[0]
        for executor in (VectorExecutor, InBits)
    )
    assert one.gradient == pytest.approx(other.gradient, abs=1e-12)
    assert one.variance == pytest.approx(other.variance, abs=1e-12)


def test_one_batch_serves_cost_and_gradient(rng):
    parts = problem("loss", rng)
    found, usage = run_measurements(
        estimator_of(parts[0], shots=100).estimate(*parts[1:], KEY), VectorExecutor(Seeds(0))
    )
    assert (usage.shots, usage.circuits) == (300, 3)
    assert found.group_variance.shape == (1, len(found.gradient))
    assert found.outputs.shape == (3, 2)


@pytest.mark.parametrize(
    ("shots", "replication", "words"),
    [
        (1, None, "at least 2 shots, expected 2 or more, got 1"),
        (4, Replication(replicates=4), "at least 2 shots in each of 4 replicates, expected 8 or more, got 4"),
    ],
)
def test_one_shot_has_no_covariance(shots, replication, words, rng):
    with pytest.raises(ConfigError, match=words):
        estimator_of(problem("operator", rng)[0], shots=shots, replication=replication)


@pytest.mark.deep(but=["operator"])
@pytest.mark.parametrize("cost", ["operator", "loss"])
def test_replicates_scatter_as_they_claim(cost, rng):
    """By chi-square of the summed squares over blocks, which are right whatever the covariances propagate."""
    parts = problem(cost, rng)
    gradients, variances = repeated(parts, 40, 500, replication=Replication(replicates=4))
    blocks = parts[0].network.layout.block_numbers
    squares = (gradients - gradients.mean(axis=0)) ** 2 * len(gradients) / (len(gradients) - 1)
    excess = np.array([(squares - variances)[:, blocks == block].sum(axis=1) for block in np.unique(blocks)]).T
    assert mean_p_value(excess, np.zeros(excess.shape[1])) > LIMIT
    if cost == "operator":
        assert mean_p_value(gradients, exact_gradient(*parts, temperature=TEMPERATURE).gradient) > LIMIT


@pytest.mark.slow
def test_replicates_see_the_bias_of_signals_from_the_same_shots(rng):
    """Gradients of five shots a replicate are biased; less the bias that they see, they are not."""
    parts, repeats = problem("loss", rng), 2000
    estimator = estimator_of(parts[0], shots=20, replication=Replication(replicates=4))
    executor = VectorExecutor(Seeds(3))
    works = (estimator.estimate(*parts[1:], RequestKey("test", k)) for k in range(repeats))
    found = [run_measurements(work, executor)[0] for work in works]
    true = exact_gradient(*parts, temperature=TEMPERATURE).gradient
    gradients = np.array([one.gradient for one in found])
    seen = np.array([one.scatter.signal_bias for one in found])
    claimed = np.array([one.scatter.signal_bias_variance for one in found])
    assert mean_p_value(gradients, true) < 1e-6
    assert mean_p_value(gradients - seen, true) > LIMIT
    squares = (seen - seen.mean(axis=0)) ** 2 * repeats / (repeats - 1)
    excess = (squares - claimed).sum(axis=1)
    assert abs(excess.mean()) < 4 * excess.std() / np.sqrt(repeats)


def test_bias_is_taken_off_on_request(rng):
    parts, found = problem("loss", rng), {}
    for remove in (False, True):
        replication = Replication(replicates=4, remove_signal_bias=remove)
        work = estimator_of(parts[0], shots=20, replication=replication).estimate(*parts[1:], KEY)
        found[remove] = run_measurements(work, VectorExecutor(Seeds(3)))[0]
    assert found[True].gradient == pytest.approx(found[False].gradient - found[False].scatter.signal_bias, abs=1e-14)
    assert np.abs(found[False].scatter.signal_bias).max() > 1e-3


def test_what_it_cannot_do(rng):
    hamiltonian = problem("operator", rng)[0]
    network = IsingNetwork(graph=chain(3), outputs=(2,))
    quantum = NudgedHamiltonian(network, OperatorCost.squared_error((2,), 3))
    for own, options, message in (
        (hamiltonian, {"preparation": ExactSearch()}, "are those of Gibbs states"),
        (quantum, {"shots": 10}, "shots of a quantum network do not give its fluctuations"),
        (hamiltonian, {"grouping": "per_weight"}, "estimate all weights from one batch"),
        (hamiltonian, {"contrast": Contrast()}, "'fluctuations' needs a FluctuationEstimator"),
    ):
        with pytest.raises(ConfigError, match=message):
            estimator_of(own, **options)


def test_other_estimators_read_no_fluctuations(rng):
    with pytest.raises(ConfigError, match="'fluctuations' needs a FluctuationEstimator"):
        GradientEstimator(
            hamiltonian=problem("operator", rng)[0],
            preparation=ThermalPreparation(TEMPERATURE),
            contrast=Contrast(kind="fluctuations"),
            shots=None,
        )
