"""Shared batches against each weight on its own at equal total shots: M/2 in the variance, measured."""

import numpy as np
import pytest
from cases import NO_INPUTS, exact_contrast, half_one_plus_z, random_network
from chi_square import LIMIT, mean_p_value, variance_p_value
from scipy.stats import f

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import complete
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

pytestmark = pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.NudgeBeyondGapWarning")

REPEATS, EACH = 600, 60
CONTRAST = Contrast(kind="symmetric", beta=0.4)


def estimates(hamiltonian, weights, inputs, grouping, shots):
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=CONTRAST, shots=shots, grouping=grouping
    )
    targets = np.zeros((len(inputs), 0))
    executor = VectorExecutor(Seeds(8))
    works = (estimator.estimate(weights, inputs, targets, RequestKey(grouping, r)) for r in range(REPEATS))
    found = [run_measurements(work, executor) for work in works]
    return np.array([one.gradient for one, _ in found]), np.array([one.variance for one, _ in found]), found[0][1]


@pytest.mark.deep(but=["0"])
@pytest.mark.parametrize("num_inputs", [0, 2])
def test_variance_ratio_is_half_the_number_of_weights(num_inputs, rng):
    """Two groups of M weights, one word a weight; with clamped inputs several weights have the same word."""
    network, weights = random_network(complete(4), rng, num_inputs=num_inputs)
    hamiltonian = NudgedHamiltonian(network, half_one_plus_z(3, 4))
    inputs = rng.uniform(0.5, 1.5, size=(1, num_inputs)) if num_inputs else NO_INPUTS
    half = len(weights) // 2
    assert 2 * half == len(weights)
    shared, shared_claims, shared_usage = estimates(hamiltonian, weights, inputs, "shared", EACH * half)
    alone, alone_claims, alone_usage = estimates(hamiltonian, weights, inputs, "per_weight", EACH)
    assert shared_usage.shots == alone_usage.shots
    assert alone_usage.circuits == half * shared_usage.circuits
    exact = exact_contrast(hamiltonian, weights, CONTRAST, inputs, np.zeros((1, 0))).gradient
    for gradients, claims in ((shared, shared_claims), (alone, alone_claims)):
        assert mean_p_value(gradients, exact) > LIMIT
        assert variance_p_value(gradients, claims.mean(axis=0)) > LIMIT
    ratios = alone.var(axis=0, ddof=1) / shared.var(axis=0, ddof=1)
    tails = [f.sf(ratio / half, REPEATS - 1, REPEATS - 1) for ratio in ratios]
    assert min(2 * len(ratios) * min(tail, 1 - tail) for tail in tails) > LIMIT
    # All weights together: independent batches, so that only the shared side has fewer degrees of freedom.
    total = alone.var(axis=0, ddof=1).sum() / shared.var(axis=0, ddof=1).sum()
    assert total == pytest.approx(half, rel=4 * np.sqrt(2 * 2 / REPEATS))
