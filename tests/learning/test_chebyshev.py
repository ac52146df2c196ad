"""Contrasts at Chebyshev nodes: their bias and noise against the published figures, and shots that differ by phase."""

import tomllib
from dataclasses import replace

import numpy as np
import pytest
from cases import NO_INPUTS, exact_contrast, random_network
from reference import fitted_slope
from watched import Watched

from qep_qiskit.budget.gradient_study import CountingExecutor, Setting, measure_setting, study_pilot
from qep_qiskit.budget.problem import GradientProblem, true_gradient
from qep_qiskit.budget.recommendation import BudgetProblem, Recommendation
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.pubs import DeviceCircuits
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.execution.aer import fake_device
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.branches import Curve, find_jumps
from qep_qiskit.learning.contrast import joint_phases
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.learning.gradient_call import gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import chain, complete, ring
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.cost_terms import CostTerm
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import AdiabaticPreparation, ConvergenceReport, ExactPreparation, HamiltonianFamily

NO_TARGETS = np.zeros((1, 0))


def problem_of(number):
    """A random transverse-field network of 3 to 5 spins with C = -Z of the last one, and gap / range(C)."""
    rng = np.random.default_rng([19, number])
    size = 3 + number % 3
    network, weights = random_network((chain, ring, complete)[number // 3 % 3](size), rng)
    cost = CostTerm(string=PauliString.of("Z", size - 1), coefficient=-1.0)
    return NudgedHamiltonian(network, OperatorCost.from_terms([cost], size)), weights


@pytest.mark.parametrize(("order", "factor"), [(4, 11.4), (6, 28.8), (8, 54.0)])
def test_weights_and_noise(order, factor):
    """sum c_i x_i^k = delta_k1 below the order, and the variance at equal total shots in units of two points at +-b."""
    contrast, beta = Contrast(kind="chebyshev", order=order, beta=0.3), 0.3
    powers = np.vander(contrast.betas, order + 1, increasing=True)
    assert contrast.stencil @ powers == pytest.approx(np.eye(order + 1)[1], abs=1e-12)
    assert np.abs(contrast.betas).max() < beta
    two = Contrast(kind="symmetric", beta=beta)
    noise = contrast.noise * len(contrast.betas) / (two.noise * len(two.betas))
    assert noise == pytest.approx(factor, rel=0.006)
    assert contrast.shot_fractions.mean() == pytest.approx(1.0)


@pytest.fixture(scope="module")
def errors():
    """Relative error of the gradient by kind, order and nudge in units of gap / range(C), on ten networks."""

    def relative(number, contrast):
        hamiltonian, weights = problem_of(number)
        exact = exact_gradient(hamiltonian, weights, NO_INPUTS, NO_TARGETS)
        levels = np.linalg.eigvalsh(hamiltonian.network.hamiltonian(weights).to_matrix())
        beta = contrast.beta * (levels[1] - levels[0]) / 2.0
        found = exact_contrast(hamiltonian, weights, replace(contrast, beta=beta), NO_INPUTS, NO_TARGETS).gradient
        return np.linalg.norm(found - exact.gradient) / np.linalg.norm(exact.gradient)

    return lambda kind, order, b: np.array(
        [relative(number, Contrast(kind=kind, order=order, beta=b)) for number in range(10)]
    )


@pytest.mark.deep(but=["6-0.5-4e-05"])
@pytest.mark.parametrize(
    ("order", "b", "error"), [(4, 0.25, 7e-5), (4, 0.5, 1e-3), (6, 0.25, 7e-7), (6, 0.5, 4e-5), (6, 0.75, 3e-4)]
)
def test_errors_on_random_networks(errors, order, b, error):
    """The published values are typical ones; medians of other networks are within a factor of two."""
    assert 0.5 < np.median(errors("chebyshev", order, b)) / error < 2.0


@pytest.mark.deep(but=["4"])
@pytest.mark.parametrize("order", [4, 6])
def test_bias_falls_with_the_number_of_nodes(errors, order):
    betas = np.array([0.15, 0.2, 0.3])
    found = np.median([errors("chebyshev", order, b) for b in betas], axis=1)
    assert fitted_slope(betas, found) == pytest.approx(order, abs=0.15)


def test_shots_follow_the_weights():
    """1000 shots a batch in the mean; the parts of a group have random numbers of their own."""
    hamiltonian, weights = problem_of(0)
    contrast = Contrast(kind="chebyshev", order=6, beta=0.3)
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=contrast, shots=1000
    )
    recorder = Watched(VectorExecutor(Seeds(3)))
    run_measurements(estimator.estimate(weights, NO_INPUTS, NO_TARGETS, RequestKey("test", 0)), recorder)
    (request,) = recorder.requests
    groups = len(estimator.measurement_plan.groups)
    assert len(request.measurements) == 3 * groups
    assert len({measurement.seed_words for measurement in request.measurements}) == 3 * groups
    shots = np.zeros((groups, 6))
    for measurement in request.measurements:
        shots[estimator.measurement_plan.groups.index(measurement.group), measurement.states] = measurement.shots
    wanted = 6000 * np.abs(contrast.stencil) / np.abs(contrast.stencil).sum()
    assert np.abs(shots - wanted).max() <= 0.5
    assert request.num_shots == pytest.approx(6000 * groups, abs=3 * groups)


def test_contrasts_that_share_a_phase_measure_it_with_the_larger_share():
    inner, outer = (Contrast(kind="chebyshev", order=4, beta=beta) for beta in (0.2, 0.4))
    betas, fractions = joint_phases([inner, outer])
    assert betas == pytest.approx(np.sort(np.concatenate([inner.betas, outer.betas])))
    assert fractions.sum() == pytest.approx(8.0)
    betas, fractions = joint_phases([inner, Contrast(kind="one_sided", beta=inner.betas[-1])])
    assert len(betas) == 5
    assert fractions[[0, 2, -1]] == pytest.approx([inner.shot_fractions[0], 1.0, 1.0])


class NoStore:
    def circuit(self, name):
        return None

    def keep_circuit(self, name, content):
        pass


@pytest.mark.deep
def test_jobs_of_a_device_have_equal_shots():
    """Inner and outer nodes go in two jobs, each with both groups."""
    pytest.importorskip("qiskit_ibm_runtime")
    hamiltonian, weights = problem_of(0)
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=AdiabaticPreparation(total_time=1.0, steps=3),
        contrast=Contrast(kind="chebyshev", beta=0.3),
        shots=1000,
    )
    request = next(estimator.estimate(weights, NO_INPUTS, NO_TARGETS, RequestKey("test", 0)))
    jobs = DeviceCircuits(fake_device("fake_manila", 3), Seeds(1), NoStore()).jobs_of_any_size(request)
    assert [job.shots for job in jobs] == [1867, 133]
    assert [job.num_circuits for job in jobs] == [4, 4]
    assert sum(job.executions for job in jobs) == 8000


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.NudgeBeyondGapWarning")
def test_pilot_and_points_of_a_study():
    """Of ten billion shots a pilot knows bias and noise to a few percent, and repeated points agree with it."""
    hamiltonian, weights = problem_of(3)
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=ExactPreparation(),
        contrast=Contrast(kind="chebyshev", order=4, beta=0.1),
        shots=10**10,
    )
    given = estimator, VectorExecutor(Seeds(4)), weights, NO_INPUTS, NO_TARGETS
    problem = GradientProblem(
        **dict(zip(("estimator", "executor", "weights", "inputs", "targets"), given, strict=True)),
        trainable=np.ones(len(weights), dtype=bool),
        truth=true_gradient(*given, level=0),
    )
    pilot = study_pilot(problem, Setting(contrast="chebyshev_4", beta=0.1, shots=10**10), shots=10**10, levels=5)
    assert (pilot.model.order, pilot.resolved) == (4, True)
    for beta in (0.4, 0.8):
        contrast = replace(estimator.contrast, beta=beta)
        exact = exact_contrast(hamiltonian, weights, contrast, NO_INPUTS, NO_TARGETS).gradient
        assert pilot.model.bias(beta) == pytest.approx(np.linalg.norm(exact - problem.truth.gradient), rel=0.1)
        row = measure_setting(problem, Setting(contrast="chebyshev_4", beta=beta, shots=1000), repeats=60, pilot=pilot)
        assert abs(row["model_pull"]) < 4.0
        assert row["total_shots"] == pytest.approx(1000 * 8, abs=4)


def test_recommendation_is_written_as_keys():
    one = Recommendation(
        contrast="chebyshev_6", beta=0.3, shots=100, split=None, error=0.1, relative_error=0.1, relative_error_low=0.1,
        relative_error_high=0.1, total_shots=1, qpu_seconds=1.0, run_shots=1, run_qpu_seconds=1.0,
    )  # fmt: skip
    keys = tomllib.loads(one.toml)["contrast"]
    assert keys == {"kind": "chebyshev", "order": 6, "beta": 0.3}


def test_jobs_are_priced():
    """A gradient of an operator cost is one request: one job for symmetric contrasts, three for six nodes."""
    problem = BudgetProblem(pilots={}, groups=("Z", "X"), gradient_length=1.0, samples=1, jobs=1, steps=1)
    assert (problem.jobs_of("symmetric"), problem.jobs_of("chebyshev_6")) == (1, 3)
    hamiltonian, weights = problem_of(0)
    counting = CountingExecutor(VectorExecutor(Seeds(0)))
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=ExactPreparation(),
        contrast=Contrast(kind="chebyshev", order=6, beta=0.3),
        shots=1000,
    )
    run_measurements(estimator.estimate(weights, NO_INPUTS, NO_TARGETS, RequestKey("test", 0)), counting)
    assert counting.jobs == 3


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.NoisyGradientWarning")
@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.NudgeBeyondGapWarning")
def test_few_equal_shots_are_no_jump():
    """Order 8 gives an outer node few of seven shots on average: where these agree by chance, no noise is seen."""
    network, weights = random_network(complete(3), np.random.default_rng(5))
    cost = OperatorCost.from_terms([CostTerm(string=PauliString.of("Z", 2), coefficient=-1.0)], 3)
    contrast = Contrast(kind="chebyshev", order=8, beta=0.4)
    for seed in range(10):
        found = gradient(network, cost, weights, contrast=contrast, shots=7, seed=seed)
        assert found.diagnostics.jumps == 0


def test_a_jump_between_certain_states_is_seen():
    """Where no phase has noise, the whole change of <C> is a jump; where inner ones have some, outer ones may too."""
    betas, fractions = np.array([-0.4, -0.1, 0.1, 0.4]), np.array([0.1, 1.9, 1.9, 0.1])
    problem, _ = problem_of(0)
    free = np.zeros((1, problem.num_terms))
    family = HamiltonianFamily(groups=problem.groups, free=free, nudge=free, betas=betas, key=RequestKey("jump", 0))
    report, changes = ConvergenceReport.silent(family), np.array([[1.0, 1.0, -1.0, -1.0]])

    def count(variance):
        cost = Curve(changes, np.array([[0.0, variance, variance, 0.0]]))
        return find_jumps(betas, cost, np.array([2.0]), report, fractions).count

    assert count(0.0) == 1
    changes = changes[:, [0, 2, 2, 2]]
    assert (count(0.0), count(0.1)) == (1, 0)
