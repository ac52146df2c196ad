"""The free phase: cost estimates that are unbiased, shown exactly by summing over all outcomes of few shots."""

import itertools
from math import comb, factorial

import numpy as np
import pytest

from qep_qiskit.execution import RequestKey, ShotData
from qep_qiskit.learning import loss_noise
from qep_qiskit.learning.free_phase import measure_free
from qep_qiskit.network import IsingNetwork, chain
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes import Distribution
from qep_qiskit.preparation import ExactPreparation

TARGET = 0.3


def estimate(cost, shots, ups):
    """Cost of a one-spin network whose shots gave `ups` times +1."""
    hamiltonian = NudgedHamiltonian(IsingNetwork(graph=chain(1), outputs=(0,)), cost)
    work = measure_free(
        hamiltonian,
        ExactPreparation(),
        np.array([[-0.4, -1.0]]),
        np.array([[TARGET]]),
        shots=[shots, shots],
        key=RequestKey("test", 0),
    )
    next(work)
    counts = np.array([[ups, shots - ups]])
    with pytest.raises(StopIteration) as finished:
        work.send(ShotData(outcomes=(Distribution(weights=counts, shots=shots),)))
    return finished.value.value.cost


def expected(cost, shots, chance):
    """Mean of the estimates, mean of their variances, and true variance, over all outcomes."""
    weights = np.array([comb(shots, k) * chance**k * (1 - chance) ** (shots - k) for k in range(shots + 1)])
    found = [estimate(cost, shots, k) for k in range(shots + 1)]
    values, variances = (np.array([getattr(e, name)[0] for e in found]) for name in ("values", "variances"))
    mean = weights @ values
    return mean, weights @ variances, weights @ (values - mean) ** 2


@pytest.mark.parametrize("chance", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("shots", [2, 3, 10])
def test_squared_error_is_unbiased(shots, chance):
    loss = LossOnExpectations.on_spins((0,), 1)
    mean, _, _ = expected(loss, shots, chance)
    assert mean == pytest.approx((2 * chance - 1 - TARGET) ** 2, abs=1e-12)


@pytest.mark.parametrize("chance", [0.1, 0.5, 0.8])
def test_operator_cost_and_its_variance_are_unbiased(chance):
    mean, reported, true = expected(OperatorCost.squared_error((0,), 1), 5, chance)
    assert mean == pytest.approx(1 + TARGET**2 - 2 * TARGET * (2 * chance - 1), abs=1e-12)
    assert reported == pytest.approx(true, abs=1e-12)


@pytest.mark.deep(but=["0.5"])
@pytest.mark.parametrize("chance", [0.3, 0.5, 0.9])
def test_variance_of_a_loss_is_right_for_many_shots(chance):
    """Within two percent at 400 shots: the expansion is of second order in the noise."""
    _, reported, true = expected(LossOnExpectations.on_spins((0,), 1), 400, chance)
    assert reported == pytest.approx(true, rel=0.02)


@pytest.mark.deep(but=["100-0.05"])
@pytest.mark.parametrize("distance", [0.0, 0.02, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("shots", [100, 400])
def test_variance_of_a_loss_near_its_target(shots, distance):
    """Where the slope is about zero its noise is what is left; the mean estimate is right whatever the slope.

    A tenth, and as much again for 100 shots, of which a share decides by one count more or less.
    """
    cost = LossOnExpectations.on_spins((0,), 1)
    _, reported, true = expected(cost, shots, (1 + TARGET + distance) / 2)
    assert reported == pytest.approx(true, rel=0.1 if shots == 400 else 0.2)


def test_cost_at_one_shot_has_no_variance_and_is_not_debiased():
    found = estimate(LossOnExpectations.on_spins((0,), 1), 1, 1)
    assert np.isnan(found.variances[0])
    assert found.values[0] == pytest.approx((1 - TARGET) ** 2)


@pytest.mark.parametrize("signs", [(1, 1), (1, -1)])
def test_variance_of_a_loss_on_correlated_outputs_is_unbiased(signs, monkeypatch):
    """Summed over all outcomes of five shots of two correlated spins, before anything is made positive."""
    monkeypatch.setattr(loss_noise, "_positive", lambda unbiased, _: unbiased)
    shots, chances, target = 5, np.array([0.35, 0.1, 0.15, 0.4]), np.array([0.5, -0.2])
    cost = LossOnExpectations.on_spins((0, 1), 2)
    hamiltonian = NudgedHamiltonian(IsingNetwork(graph=chain(2), outputs=(0, 1)), cost)
    spins = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * signs
    counts = np.array([c for c in itertools.product(range(shots + 1), repeat=4) if sum(c) == shots])
    weights = np.array([factorial(shots) / np.prod([factorial(k) for k in c]) for c in counts])
    weights *= (chances**counts).prod(axis=1)
    outputs = counts @ spins / shots
    seconds = np.einsum("nk,ka,kb->nab", counts, spins, spins) / shots
    covariance = (seconds - outputs[:, :, None] * outputs[:, None, :]) / (shots - 1)
    targets = np.tile(target, (len(counts), 1))
    found, _ = loss_noise.variances_of_loss(hamiltonian, outputs, covariance, targets)
    values = ((outputs - target) ** 2).sum(axis=1) - np.trace(covariance, axis1=1, axis2=2)
    true = weights @ (values - weights @ values) ** 2
    assert weights @ found == pytest.approx(true, rel=1e-9)
