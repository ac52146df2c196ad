"""Gaussian ground states: the anchor's digits, and the closed form."""

import tracemalloc

import numpy as np
import pytest
from chi_square import LIMIT, mean_p_value, variance_p_value
from oscillators import TARGET, costs_by_differences, reference, three_oscillators, with_squared_error

from qep_qiskit.continuous.coordinate_terms import CoordinateTerm
from qep_qiskit.continuous.equilibrium import EquilibriumPreparation
from qep_qiskit.continuous.executor import CoordinateExecutor
from qep_qiskit.continuous.gaussian import quadratic_energies
from qep_qiskit.continuous.oscillators import GaussianPreparation, stable_betas
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import JobHandle, Request, RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import WeightInitialisation, chain
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.cost_terms import CostTerm
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import HamiltonianFamily
from qep_qiskit.preparation import WarmStart as Begin

NAMES = ("k[0,1]", "k[1,2]", "k[0,2]")
NO_INPUT, TARGETS = np.zeros((1, 0)), np.array([[TARGET]])


def gradient(hamiltonian, weights, contrast, shots=None, **options):
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=GaussianPreparation(hbar=hamiltonian.network.hbar),
        contrast=contrast,
        shots=shots,
        **options,
    )
    work = estimator.estimate(weights, NO_INPUT, TARGETS, RequestKey("test", 0))
    return run_measurements(work, CoordinateExecutor(Seeds(3)))[0]


@pytest.fixture
def hamiltonian():
    return with_squared_error(three_oscillators())


@pytest.fixture
def weights(hamiltonian):
    return hamiltonian.network.layout.initial(Seeds(0))


def of_springs(hamiltonian, estimate):
    names = hamiltonian.network.layout.names
    return np.array([estimate.gradient[names.index(name)] for name in NAMES])


def prepared(hamiltonian, weights):
    free = hamiltonian.free_coefficients(weights, NO_INPUT)
    family = HamiltonianFamily.of_free(hamiltonian.groups, free, RequestKey("test", 0))
    prepared_states, _ = run_measurements(GaussianPreparation().prepare(family, Begin()), CoordinateExecutor(Seeds(0)))
    return prepared_states


def test_means_variances_cost_and_energy_of_the_anchor(hamiltonian, weights):
    prepared_states = prepared(hamiltonian, weights)
    states = prepared_states.states
    root = states.modes[0].covariance_root(of_momenta=False)
    assert states.centres[0, :, 0] == pytest.approx([0.9122807, 0.5614035, 0.5263158], abs=5e-8)
    assert np.diag(root @ root.T) == pytest.approx([0.4377954, 0.3874116, 0.4042062], abs=5e-8)
    assert states.modes[0].zero_point_energy == pytest.approx(2.325217, abs=5e-7)
    assert prepared_states.report.energies[0, 0] == pytest.approx(1.869077, abs=5e-7)
    estimate = gradient(hamiltonian, weights, Contrast(kind="one_sided", beta=0.01))
    assert estimate.cost.mean == pytest.approx(0.4096356, abs=5e-8)


@pytest.mark.parametrize(
    ("contrast", "expected"),
    [
        (Contrast(kind="symmetric", beta=0.1), (-0.0089515, -0.0251082, -0.0624761)),
        (Contrast(kind="one_sided", beta=0.01), (-0.0086102, -0.0246111, -0.0607138)),
        (Contrast(kind="four_point", beta=0.01), (-0.0087385, -0.0248281, -0.0614191)),
    ],
)
def test_contrasts_of_the_anchor(hamiltonian, weights, contrast, expected):
    found = gradient(hamiltonian, weights, contrast)
    assert of_springs(hamiltonian, found) == pytest.approx(expected, abs=5e-8)
    assert np.all(found.variance == 0.0)


def test_closed_form_with_masses_and_hbar(rng):
    network = three_oscillators(masses=WeightInitialisation(values=[0.7, 1.9, 3.1], minimum=1e-3), hbar=0.3)
    weights = network.layout.initial(Seeds(0))
    row = network.coefficients(weights, NO_INPUT)
    energies = quadratic_energies(network.groups, row)
    mean, positions, momenta, energy = reference(energies.stiffness[0], energies.masses[0], energies.forces[0], 0.3)
    family = HamiltonianFamily.of_free(network.groups, row, RequestKey("test", 0))
    prepared_states, _ = run_measurements(
        GaussianPreparation(hbar=0.3).prepare(family, Begin()), CoordinateExecutor(Seeds(0))
    )
    modes = prepared_states.states.modes[0]
    assert prepared_states.states.centres[0, :, 0] == pytest.approx(mean)
    for expected, of_momenta in ((positions, False), (momenta, True)):
        root = modes.covariance_root(of_momenta=of_momenta)
        assert root @ root.T == pytest.approx(expected)
    assert prepared_states.report.energies[0, 0] == pytest.approx(energy)
    assert prepared_states.report.gaps[0, 0] == pytest.approx(
        0.3 * np.sqrt(np.linalg.eigvals(np.diag(1 / energies.masses[0]) @ energies.stiffness[0]).real.min())
    )


def exact_cost(hamiltonian, inputs=NO_INPUT, targets=TARGETS):
    preparation = GaussianPreparation(hbar=hamiltonian.network.hbar)
    return lambda weights: exact_gradient(hamiltonian, weights, inputs, targets, reference=preparation).cost


@pytest.mark.parametrize("loss", [False, True])
def test_masses_train_through_the_momenta(loss):
    """dC/dm from <p^2>; with a loss on <r> masses do not matter, with (r - y)^2 they do."""
    network = three_oscillators(masses=WeightInitialisation(values=[0.7, 1.9, 3.1], minimum=1e-3))
    hamiltonian = (
        NudgedHamiltonian(network, LossOnExpectations.on_outputs(network)) if loss else with_squared_error(network)
    )
    weights = network.layout.initial(Seeds(0))
    expected = costs_by_differences(exact_cost(hamiltonian), weights)
    exact = exact_gradient(hamiltonian, weights, NO_INPUT, TARGETS, reference=GaussianPreparation())
    found = gradient(hamiltonian, weights, Contrast(kind="four_point", beta=0.01))
    assert exact.gradient == pytest.approx(expected, abs=1e-8)
    assert found.gradient == pytest.approx(expected, abs=1e-6)
    assert (np.abs(expected[-3:]).max() < 1e-9) == loss


def test_operator_costs_of_any_quadratic_kind():
    """Products of two positions and distances between atoms, whose nudges change the stiffness."""
    network = three_oscillators()
    terms = [
        CostTerm(string=CoordinateTerm.product((0, 0), (2, 0)), coefficient=0.7),
        CostTerm(string=CoordinateTerm.square(1, 2), coefficient=0.2, target=0),
        CostTerm(string=CoordinateTerm.one(), coefficient=0.1),
        CostTerm(string=CoordinateTerm.momentum(1), coefficient=0.3),
    ]
    hamiltonian = NudgedHamiltonian(network, OperatorCost.from_terms(terms, 0))
    weights = network.layout.initial(Seeds(0))
    expected = costs_by_differences(exact_cost(hamiltonian), weights)
    found = gradient(hamiltonian, weights, Contrast(kind="four_point", beta=0.01))
    assert found.gradient == pytest.approx(expected, abs=1e-6)


@pytest.mark.deep(but=["True"])
@pytest.mark.parametrize("loss", [False, True])
def test_shots_have_the_variance_they_say(loss):
    network = three_oscillators(masses=WeightInitialisation(mean=1.5, minimum=1e-3))
    hamiltonian = (
        NudgedHamiltonian(network, LossOnExpectations.on_outputs(network)) if loss else with_squared_error(network)
    )
    weights = network.layout.initial(Seeds(0))
    contrast, repeats = Contrast(kind="symmetric", beta=0.2), 400
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=GaussianPreparation(), contrast=contrast, shots=60
    )
    exact = gradient(hamiltonian, weights, contrast).gradient
    found, variances = [], []
    for number in range(repeats):
        work = estimator.estimate(weights, NO_INPUT, TARGETS, RequestKey("noise", number))
        estimate, usage = run_measurements(work, CoordinateExecutor(Seeds(11)))
        found.append(estimate.gradient)
        variances.append(estimate.variance)
    found = np.array(found)
    assert usage.circuits == (5 if loss else 4)
    assert variance_p_value(found, np.mean(variances, axis=0)) > LIMIT
    assert mean_p_value(found, exact) > LIMIT


def test_one_shot_batch_reads_all_positions():
    states = prepared(with_squared_error(three_oscillators()), three_oscillators().layout.initial(Seeds(0))).states
    group = three_oscillators().groups[0]
    points = states.sampled(group, np.array([0]), 20_000, np.random.default_rng(1))[0, :, :, 0]
    root = states.modes[0].covariance_root(of_momenta=False)
    covariance = root @ root.T
    error = np.sqrt((np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2) / 20_000)
    assert np.all(np.abs(np.cov(points, rowvar=False) - covariance) < 4.5 * error)


def test_classical_limit_is_the_elastic_network_without_rest_lengths():
    """The quantum correction of the gradient is of first order in hbar: the zero-point variance."""
    elastic = three_oscillators(rest_lengths=WeightInitialisation(mean=0.0, minimum=0.0, frozen=True))
    weights = three_oscillators().layout.initial(Seeds(0))
    whole = elastic.layout.initial(Seeds(0))
    springs = [elastic.layout.names.index(name) for name in three_oscillators().layout.names]
    whole[springs] = weights
    classical = exact_gradient(
        with_squared_error(elastic),
        whole,
        NO_INPUT,
        TARGETS,
        reference=EquilibriumPreparation(rest_positions=elastic.rest_positions),
    ).gradient[springs]
    hbars = np.array([1e-1, 1e-2, 1e-3, 1e-4])
    errors = []
    for hbar in hbars:
        quantum = gradient(
            with_squared_error(three_oscillators(hbar=hbar)), weights, Contrast(kind="four_point", beta=1e-2)
        )
        errors.append(np.linalg.norm(quantum.gradient - classical))
    slopes = np.diff(np.log(errors)) / np.diff(np.log(hbars))
    assert slopes == pytest.approx(np.ones(3), abs=1e-2)
    assert errors[-1] < 1e-4 * np.linalg.norm(classical)


def test_a_nudge_that_overcomes_the_springs_is_refused_with_its_bound(hamiltonian, weights):
    free = hamiltonian.free_coefficients(weights, NO_INPUT)[0]
    nudge = hamiltonian.operator_nudge(TARGETS)[0][0]
    lowest, highest = stable_betas(hamiltonian.groups, free, nudge)
    assert highest == np.inf
    gradient(hamiltonian, weights, Contrast(kind="one_sided", beta=0.999 * lowest))
    with pytest.raises(ConfigError, match=f"no ground state; give a beta below {abs(lowest):.4g} in size"):
        gradient(hamiltonian, weights, Contrast(kind="one_sided", beta=1.001 * lowest))


def test_states_of_atoms_and_of_qubits_are_not_mistaken(hamiltonian, weights):
    states = prepared(hamiltonian, weights).states
    with pytest.raises(ConfigError, match="this executor reads qubits"):
        VectorExecutor(Seeds(0)).collect(
            JobHandle(key=RequestKey("a", 0), request=Request(key=RequestKey("a", 0), prepared=states, measurements=()))
        )


def test_exact_means_store_no_covariances():
    """Thousands of terms: zeros between all pairs would fill the memory."""
    network = three_oscillators(
        graph=chain(300),
        outputs=(150,),
        anchored=tuple(range(300)),
        springs=WeightInitialisation(mean=1.0, minimum=1e-3),
        forces=None,
    )
    hamiltonian = with_squared_error(network)
    weights = network.layout.initial(Seeds(0))
    tracemalloc.start()
    found = gradient(hamiltonian, weights, Contrast(kind="symmetric", beta=0.005))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * 300**2 * 8  # far below (samples, phases, terms, terms), 2 * 900^2 numbers and their copies
    exact = exact_gradient(hamiltonian, weights, NO_INPUT, TARGETS, reference=GaussianPreparation())
    assert found.gradient == pytest.approx(exact.gradient, rel=1e-3, abs=1e-6)
