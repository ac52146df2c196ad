"""beta = "auto" on networks it has not seen: how much of the best grid point's gain one pilot of a step's shots brings.

The gain is that of the root mean squared error over a fixed nudge of 0.1. Errors at every nudge are exact (bias and
variance, the noise of error signals averaged over), so that nothing but the pilot's own luck is random.
"""

import numpy as np
import pytest
from cases import FAR_NUDGES, NO_INPUTS, half_one_plus_z, random_network
from chi_square import LIMIT, mean_p_value
from exact_noise import ExactNoise, ExactSignalNoise

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator, PilotSettings, first_beta, measure_pilot
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import chain, complete, ring
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

pytestmark = FAR_NUDGES

FIXED, GRID = 0.1, np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0])
PILOTS = 6
every_kind = pytest.mark.parametrize("kind", ["one_sided", "symmetric"])


def problem_of(index, aim, size):
    """Fresh weights on a chain, a ring or a complete graph; the exact errors belong to it."""
    rng = np.random.default_rng([2024, index, size, aim == "loss"])
    network, weights = random_network((chain, ring, complete)[index % 3](size), rng)
    if aim == "operator":
        hamiltonian = NudgedHamiltonian(network, half_one_plus_z(size - 1, size))
        return hamiltonian, weights, NO_INPUTS, ExactNoise.of(hamiltonian, weights)
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations.on_spins((size - 1,), size))
    target = float(rng.choice([-0.8, 0.8]))
    return hamiltonian, weights, np.array([[target]]), ExactSignalNoise.of(hamiltonian, weights, target)


def estimator_of(hamiltonian, kind, shots, beta=FIXED):
    return GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=ExactPreparation(),
        contrast=Contrast(kind=kind, beta=beta),
        shots=shots,
    )


def piloted(problem, kind, shots):
    """Nudges that pilots choose as a training run would fly them."""
    hamiltonian, weights, targets, _ = problem
    start, executor = first_beta(hamiltonian, weights, NO_INPUTS, targets), VectorExecutor(Seeds(5))
    estimator, levels = estimator_of(hamiltonian, kind, shots), PilotSettings().levels

    def work(repeat):
        given = estimator, weights, NO_INPUTS, targets, RequestKey(f"pilot {shots}", repeat)
        every = np.ones(len(weights), dtype=bool)
        return measure_pilot(*given, beta=start, levels=levels, trainable=every, in_units_of_signals=True)

    return [run_measurements(work(repeat), executor)[0].model.best_beta(shots) for repeat in range(PILOTS)]


def gains(problem, kind, shots):
    """What the best grid point and what pilots gain over the fixed nudge, in lengths of the gradient."""
    exact = problem[3]
    length, grid = np.linalg.norm(exact.gradient), exact.errors(kind, GRID, shots)
    chosen = exact.errors(kind, piloted(problem, kind, shots), shots)
    fixed = grid[GRID == FIXED][0]
    return (fixed - grid.min()) / length, (fixed - np.sqrt((chosen**2).mean())) / length


def pooled_share(problems, kind, shots):
    best, auto = np.array([gains(problem, kind, shots) for problem in problems]).sum(axis=0)
    return auto / best


@pytest.mark.deep
@every_kind
@pytest.mark.parametrize("shots", [100, 1000, 10_000])
def test_gain_on_small_networks(kind, shots):
    problems = [problem_of(index, "operator", 4) for index in range(9)]
    assert pooled_share(problems, kind, shots) > 0.95


@pytest.mark.slow
@every_kind
@pytest.mark.parametrize("aim", ["operator", "loss"])
@pytest.mark.parametrize("shots", [100, 1000, 10_000])
def test_gain_on_networks_of_four_to_six_spins(kind, aim, shots):
    """Twenty-four of them with an operator cost, and as many with a loss: nine tenths of the gain, pooled."""
    problems = [problem_of(index, aim, 4 + index % 3) for index in (*range(100, 112), *range(200, 212))]
    assert pooled_share(problems, kind, shots) > 0.9


@pytest.mark.deep(but=["50-operator-symmetric"])
@pytest.mark.parametrize(
    ("shots", "aim", "kind"),
    [
        (50, "operator", "symmetric"),
        (1000, "operator", "one_sided"),
        (50, "loss", "one_sided"),
        (1000, "loss", "symmetric"),
    ],
)
def test_exact_errors_are_those_of_repeats(kind, aim, shots):
    problem = problem_of(1, aim, 4)
    hamiltonian, weights, targets, exact = problem
    assert exact.gradient == pytest.approx(exact_gradient(hamiltonian, weights, NO_INPUTS, targets).gradient, abs=1e-8)
    estimator, executor = estimator_of(hamiltonian, kind, shots, 0.6), VectorExecutor(Seeds(3))
    works = (estimator.estimate(weights, NO_INPUTS, targets, RequestKey("test", r)) for r in range(300))
    found = np.array([run_measurements(work, executor)[0].gradient for work in works])
    squares = ((found - exact.gradient) ** 2).sum(axis=1)
    assert mean_p_value(squares, exact.errors(kind, [0.6], shots)[0] ** 2) > LIMIT
