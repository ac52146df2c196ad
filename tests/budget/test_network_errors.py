"""Errors of gradients from exact means alone, against dense matrices: bias, noise, shots needed, distances."""

from dataclasses import replace

import numpy as np
import pytest
from cases import NO_INPUTS, half_one_plus_z, random_network
from exact_noise import ExactNoise, ExactSignalNoise
from scipy.optimize import minimize_scalar

from qep_qiskit.budget.network_errors import _Batch, exact_contrasts
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.pauli_strings import sparse_pauli_op
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.distances import distances_of_weights, qubits_of_inputs, qubits_of_outputs
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import ClampedInputs, IsingNetwork, chain, complete, lattice
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

GRAPHS = {"chain": chain(4), "complete": complete(4), "lattice": lattice(2, 3)}
ERROR = 0.1


def contrasts_of(hamiltonian, weights, inputs=NO_INPUTS, targets=None, kind="symmetric", error=ERROR):
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=Contrast(kind=kind, beta=0.1), shots=None
    )
    targets = np.zeros((len(inputs), 0)) if targets is None else targets
    return exact_contrasts(estimator, VectorExecutor(Seeds(0)), weights, inputs, targets, relative_error=error)


@pytest.fixture(params=GRAPHS, scope="module")
def network(request):
    return random_network(GRAPHS[request.param], np.random.default_rng(5))


def test_bias_noise_and_shots_are_those_of_dense_matrices(network):
    own, weights = network
    hamiltonian = NudgedHamiltonian(own, half_one_plus_z(own.num_qubits - 1, own.num_qubits))
    dense, found = ExactNoise.of(hamiltonian, weights), contrasts_of(hamiltonian, weights)
    length = np.linalg.norm(dense.gradient)
    assert found.gradient == pytest.approx(dense.gradient, abs=1e-4 * length)
    noise = dense.shot_variance("symmetric", found.betas).sum(axis=1)
    assert found.group_variances.sum(axis=1) == pytest.approx(noise, rel=1e-8)
    needed = found.shots_for(ERROR)
    bias = np.linalg.norm(dense.bias("symmetric", [needed.beta])) / length
    assert needed.bias == pytest.approx(bias, rel=0.02)

    def shots(log_beta):
        beta = np.exp([log_beta])
        left = (ERROR * length) ** 2 - (dense.bias("symmetric", beta) ** 2).sum()
        return dense.shot_variance("symmetric", beta).sum() / max(left, 1e-12)

    best = minimize_scalar(shots, bracket=np.log([0.7 * needed.beta, needed.beta]))
    assert needed.shots == pytest.approx(best.fun, rel=0.01)
    assert needed.beta == pytest.approx(np.exp(best.x), rel=0.05)


@pytest.mark.parametrize("target", [0.9, -0.4])
def test_the_noise_of_the_error_signal_counts(network, target):
    """The error at the nudge and the shots that were found, with the distribution of the signal's shots."""
    own, weights = network
    cost = LossOnExpectations.on_spins((own.num_qubits - 1,), own.num_qubits)
    hamiltonian = NudgedHamiltonian(own, cost)
    found = contrasts_of(hamiltonian, weights, targets=np.array([[target]]))
    dense = ExactSignalNoise.of(hamiltonian, weights, target)
    assert found.length == pytest.approx(np.linalg.norm(dense.gradient), rel=1e-4)
    needed = found.shots_for(ERROR)
    (error,) = dense.errors("symmetric", [needed.beta], needed.shots)
    assert error / found.length == pytest.approx(ERROR, rel=0.01)
    without = np.sqrt(found.group_variances.sum(axis=1) / needed.shots) / found.length
    assert without.min() < ERROR  # and the signal's part is not nothing
    assert found.model.level_signals[0] > 0.01 * found.model.level_variance[0][0]


def test_a_batch_with_inputs_has_the_mean_gradient_and_its_noise():
    """Error of the mean over samples, by repeats with shots."""
    own, weights = random_network(chain(3), np.random.default_rng(2), num_inputs=2)
    hamiltonian = NudgedHamiltonian(own, LossOnExpectations.on_spins((2,), 3))
    inputs, targets = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]]), np.array([[0.8], [-0.8], [0.3]])
    found = contrasts_of(hamiltonian, weights, inputs, targets)
    exact = exact_gradient(hamiltonian, weights, inputs, targets).gradient
    assert found.gradient == pytest.approx(exact, abs=1e-4 * np.linalg.norm(exact))
    needed = found.shots_for(ERROR)
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=ExactPreparation(),
        contrast=Contrast(beta=needed.beta),
        shots=needed.shots,
    )
    gradients = [_measured(estimator, weights, inputs, targets, number).gradient for number in range(60)]
    squares = ((np.array(gradients) - exact) ** 2).sum(axis=1)
    mean, error = np.mean(squares), np.std(squares) / np.sqrt(60)
    assert abs(mean - (ERROR * found.length) ** 2) < 4 * error


def _measured(estimator, weights, inputs, targets, number):
    work = estimator.estimate(weights, inputs, targets, RequestKey("repeat", number))
    return run_measurements(work, VectorExecutor(Seeds(3)))[0]


def test_a_gradient_that_vanishes_needs_no_answer():
    own, weights = random_network(chain(2), np.random.default_rng(1), biases=None)
    hamiltonian = NudgedHamiltonian(own, half_one_plus_z(1, 2))
    found = contrasts_of(hamiltonian, weights)
    assert found.length == 0.0
    assert found.shots_for(ERROR) is None


def test_an_error_that_no_shots_reach():
    own, weights = random_network(chain(3), np.random.default_rng(1))
    hamiltonian = NudgedHamiltonian(own, half_one_plus_z(2, 3))
    assert contrasts_of(hamiltonian, weights, error=1e-7).shots_for(1e-7) is None


def test_what_means_alone_do_not_give_is_refused():
    own, weights = random_network(chain(3), np.random.default_rng(1))
    two = NudgedHamiltonian(own, LossOnExpectations.on_spins((0, 2), 3))
    with pytest.raises(ConfigError, match=r"a loss on one output of one Pauli string.*got 2 outputs of 2 strings"):
        contrasts_of(two, weights, targets=np.zeros((1, 2)))
    summed = LossOnExpectations((sparse_pauli_op([(t, 0.5) for t in own.terms[:2]], 3),))
    with pytest.raises(ConfigError, match="got 1 output of 2 strings"):
        contrasts_of(NudgedHamiltonian(own, summed), weights, targets=np.zeros((1, 1)))
    one = NudgedHamiltonian(own, half_one_plus_z(2, 3))
    with pytest.raises(ConfigError, match="contrasts without a free phase, got 'one_sided'"):
        contrasts_of(one, weights, kind="one_sided")


def test_distances_count_couplings():
    own, weights = random_network(lattice(2, 3), np.random.default_rng(1), num_inputs=0)
    hamiltonian = NudgedHamiltonian(own, half_one_plus_z(5, 6))
    assert qubits_of_outputs(hamiltonian) == [5]
    assert qubits_of_inputs(hamiltonian, weights, NO_INPUTS) == []
    by_name = dict(zip(own.layout.names, distances_of_weights(hamiltonian, [5]), strict=True))
    assert [by_name[f"h[{spin}]"] for spin in range(6)] == [3, 2, 1, 2, 1, 0]
    assert (by_name["J[0,1]"], by_name["J[2,5]"], by_name["J[0,3]"]) == (2, 0, 2)
    assert np.isinf(distances_of_weights(hamiltonian, [])).all()


def test_qubits_of_inputs_are_those_that_they_act_on():
    own = IsingNetwork(graph=chain(4), outputs=(3,), inputs=ClampedInputs.all_to(2, (0, 1)))
    hamiltonian, weights = NudgedHamiltonian(own, half_one_plus_z(3, 4)), own.layout.initial(Seeds(1))
    assert qubits_of_inputs(hamiltonian, weights, np.ones((1, 2))) == [0, 1]


def test_equal_nudges_are_those_of_the_cost_at_another_beta(network):
    """With one sample of error signal s the nudge beta is that of beta / |s|; only the slope by the signal differs.

    A contrast at equal nudges is proportional to the signal, so that its slope is the contrast over the signal.
    """
    own, weights = network
    cost = LossOnExpectations.on_spins((own.num_qubits - 1,), own.num_qubits)
    plain = GradientEstimator(
        hamiltonian=NudgedHamiltonian(own, cost),
        preparation=ExactPreparation(),
        contrast=Contrast(beta=0.1),
        shots=None,
    )
    equal = replace(plain, equal_nudges=True)
    batches = (
        _Batch(estimator, VectorExecutor(Seeds(0)), weights, NO_INPUTS, np.array([[0.9]]), None, {})
        for estimator in (plain, equal)
    )
    first = next(batches).contrasts([0.3, 0.6])
    (signal,) = first.signals
    second = next(batches).contrasts([0.3 * abs(signal), 0.6 * abs(signal)])
    assert abs(signal) < 0.99 or abs(signal) > 1.01
    assert second.values == pytest.approx(first.values, rel=1e-8, abs=1e-10)
    assert second.group_variances == pytest.approx(first.group_variances, rel=1e-8)
    slopes = (second.values[:, 0] / signal) ** 2
    assert second._from_signals() == pytest.approx(slopes.sum(axis=1) * second.signal_variances[0], rel=1e-12)
