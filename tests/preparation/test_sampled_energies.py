"""Energies from shots: unbiased, with true variances, and counted to the last shot."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from cases import NO_INPUTS, load_instances, random_network
from chi_square import LIMIT, mean_p_value, variance_p_value
from qiskit.quantum_info import SparsePauliOp
from reference import sum_of_paulis
from variational_cases import KEY, family_of, prepare
from watched import Watched

from qep_qiskit.ansatz import hamiltonian_variational, hardware_efficient
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import evolve
from qep_qiskit.execution import RequestKey, StatevectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.measurement import Usage, run_measurements
from qep_qiskit.network import chain
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import (
    HamiltonianFamily,
    HamiltonianVariational,
    HardwareEfficient,
    VariationalPreparation,
    WarmStart,
)
from qep_qiskit.preparation.energies import Problem, SampledEnergies, simulated_energies
from qep_qiskit.preparation.minimisers import SampledMinimiser

CASES = {case.name: case for case in load_instances()}
SHOTS, REPEATS = 150, 500


def sampled(optimizer="spsa", ansatz=None, **options):
    settings = {"options": {"maxiter": 5}, "shots": 20, "energies": "sampled"} | options
    return VariationalPreparation(
        ansatz=ansatz or HardwareEfficient(0), seeds=Seeds(1), optimizer=optimizer, **settings
    )


def batch(rng, levels=0, rows=3):
    """A problem with random coefficients in groups that have Y too, and points of an ansatz."""
    network, _ = random_network(chain(3), rng)
    cost = OperatorCost.from_operator(SparsePauliOp(["YYI", "ZIZ", "IIX"], [0.5, 0.3, 0.2]))
    groups = NudgedHamiltonian(network, cost).groups
    program = hardware_efficient(3, 1)
    terms = sum(group.num_terms for group in groups)
    problem = Problem(
        groups=groups,
        coefficients=rng.normal(size=(rows, terms)),
        lower=rng.normal(size=(rows, levels, program.num_parameters)),
    )
    return program, problem, rng.normal(size=(rows, program.num_parameters))


def repeats_of(work_of, repeats=REPEATS):
    """Results of the same work under different keys."""
    executor = StatevectorExecutor(Seeds(5))
    return [run_measurements(work_of(RequestKey("test", step)), executor)[0] for step in range(repeats)]


def variance_by_shots(program, problem, points, shots):
    """Variance of every energy, from matrices: the groups are measured apart, so their variances add up."""
    total = np.zeros(len(points))
    for row, ket in enumerate(evolve(program, points)):
        start = 0
        for group in problem.groups:
            part = problem.coefficients[row, start : start + group.num_terms]
            start += group.num_terms
            matrix = sum_of_paulis(group.terms, part, group.num_qubits)
            mean = np.vdot(ket, matrix @ ket).real
            total[row] += (np.vdot(matrix @ ket, matrix @ ket).real - mean**2) / shots
    return total


def test_energies_have_no_bias_and_their_true_variance(rng):
    program, problem, points = batch(rng)
    rows = np.array([2, 0, 1])
    found = repeats_of(
        lambda key: SampledEnergies(program=program, shots=SHOTS, key=key).energies(problem, rows, points)
    )
    values, variances = (np.array(column) for column in zip(*found, strict=True))
    moved = replace(problem, coefficients=problem.coefficients[rows])
    true = variance_by_shots(program, moved, points, SHOTS)
    assert mean_p_value(values, simulated_energies(program, problem, rows, points)[0], true) > LIMIT
    assert variance_p_value(values, true) > LIMIT
    assert mean_p_value(variances, true) > LIMIT


def test_exact_expectations_give_the_simulated_energies(rng):
    program, problem, points = batch(rng)
    work = SampledEnergies(program=program, shots=None, key=KEY).energies(problem, np.arange(3), points)
    (values, variances), usage = run_measurements(work, StatevectorExecutor(Seeds(0)))
    assert values == pytest.approx(simulated_energies(program, problem, np.arange(3), points)[0], abs=1e-12)
    assert not variances.any()
    assert usage.shots == 0


def test_penalised_energies_have_no_bias(rng):
    program, problem, points = batch(rng, levels=2)
    found = repeats_of(
        lambda key: SampledEnergies(program=program, shots=SHOTS, key=key).energies(problem, np.arange(3), points)
    )
    values = np.array([values for values, _ in found])
    assert mean_p_value(values, simulated_energies(program, problem, np.arange(3), points)[0]) > LIMIT


def test_variances_of_penalised_energies_hold_the_noise_of_the_overlaps(rng):
    program, problem, points = batch(rng, levels=2)
    found = repeats_of(
        lambda key: SampledEnergies(program=program, shots=SHOTS, key=key).energies(problem, np.arange(3), points)
    )
    values, variances = (np.array(column) for column in zip(*found, strict=True))
    assert variance_p_value(values, variances.mean(axis=0)) > LIMIT


def test_overlaps_are_binomial(rng):
    program, _, points = batch(rng)
    others = points + 0.4 * rng.normal(size=points.shape)
    exact = np.abs(np.einsum("rx,rx->r", evolve(program, points).conj(), evolve(program, others))) ** 2
    found = repeats_of(
        lambda key: SampledEnergies(program=program, shots=SHOTS, key=key).overlaps(points, others, SHOTS)
    )
    assert mean_p_value(found, exact, exact * (1 - exact) / SHOTS) > LIMIT
    assert variance_p_value(found, exact * (1 - exact) / SHOTS) > LIMIT


def test_requests_of_one_key_have_shots_of_their_own(rng):
    program, problem, points = batch(rng)
    energies = SampledEnergies(program=program, shots=SHOTS, key=KEY)
    executor = Watched(StatevectorExecutor(Seeds(0)))
    one, other = (run_measurements(energies.energies(problem, np.arange(3), points), executor)[0][0] for _ in range(2))
    assert not np.array_equal(one, other)
    assert [request.key.iteration for request in executor.requests] == [1, 2]


def batch_family(betas=(0.0,), samples=3):
    cases = [CASES[f"chain4-{k}"] for k in range(samples)]
    hamiltonian = cases[0].hamiltonian
    free = np.concatenate([case.coefficients for case in cases])
    nudge = np.repeat(hamiltonian.operator_nudge(NO_INPUTS)[0], samples, axis=0)
    return HamiltonianFamily(groups=hamiltonian.groups, free=free, nudge=nudge, betas=np.array(betas), key=KEY)


@pytest.mark.parametrize("directions", [0, 3])
@pytest.mark.filterwarnings("ignore:COBYLA. Invalid MAXFUN")
@pytest.mark.parametrize("optimizer", ["spsa", "cobyla", "nft", "umda"])
def test_every_evaluation_circuit_and_shot_is_counted(optimizer, directions):
    options = {"maxiter": 5} if optimizer != "nft" else {"maxfev": 12}
    preparation = sampled(optimizer, options=options, residual_directions=directions)
    executor = Watched(StatevectorExecutor(Seeds(0)))
    prepared_states, usage = prepare(preparation, batch_family((-0.2, 0.0, 0.2)), executor=executor)
    states = [len(request.prepared.parameters) for request in executor.requests]
    assert prepared_states.report.evaluations == sum(states)
    assert usage == Usage(shots=2 * 20 * sum(states), circuits=2 * sum(states))
    for request in executor.requests:
        assert [len(measurement.states) for measurement in request.measurements] == [
            len(request.prepared.parameters)
        ] * 2


def test_all_states_of_a_batch_share_one_request():
    """A step of SPSA is one request; then come the slopes. Free states first, then both nudges."""
    executor = Watched(StatevectorExecutor(Seeds(0)))
    preparation = sampled(options={"maxiter": 5}, residual_directions=2)
    prepare(preparation, batch_family((-0.2, 0.0, 0.2)), executor=executor)
    states = [len(request.prepared.parameters) for request in executor.requests]
    assert states == [2 * 3] * 5 + [4 * 3] + [2 * 6] * 5 + [4 * 6]


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.UnresolvedContrastWarning")
def test_no_two_requests_of_a_step_have_the_same_key():
    executor = Watched(StatevectorExecutor(Seeds(0)))
    case = CASES["chain4-0"]
    estimator = GradientEstimator(
        hamiltonian=case.hamiltonian, preparation=sampled(), contrast=Contrast(kind="four_point"), shots=30
    )
    run_measurements(estimator.estimate(case.weights, NO_INPUTS, NO_INPUTS, KEY), executor)
    counts = Counter(request.key for request in executor.requests)
    assert max(counts.values()) == 1
    assert [request.key.iteration == 0 for request in executor.requests].count(True) == 1


def test_groups_without_terms_are_not_measured(rng):
    """A cost in a basis of its own is read where states are nudged by it, and not before."""
    network, weights = random_network(chain(3), rng)
    hamiltonian = NudgedHamiltonian(network, OperatorCost.from_operator(SparsePauliOp(["YYI"], [1.0])))
    nudge, _ = hamiltonian.operator_nudge(NO_INPUTS)
    free = hamiltonian.free_coefficients(weights, NO_INPUTS)
    family = HamiltonianFamily(groups=hamiltonian.groups, free=free, nudge=nudge, betas=np.array([0.0, 0.1]), key=KEY)
    executor = Watched(StatevectorExecutor(Seeds(0)))
    prepare(sampled(residual_directions=0), family, executor=executor)
    groups = [len(request.measurements) for request in executor.requests]
    assert groups == [2] * 5 + [3] * 5


@pytest.mark.deep(but=["spsa-options2-0.02"])
@pytest.mark.parametrize(
    ("optimizer", "options", "accuracy"),
    [
        ("cobyla", {"maxiter": 2000, "tol": 1e-7}, 1e-5),
        ("nft", {"maxfev": 600}, 1e-4),
        ("spsa", {"maxiter": 400}, 0.02),
    ],
)
def test_optimisers_without_gradients_come_close_to_the_minimum(optimizer, options, accuracy):
    family = family_of(CASES["complete4-1"])
    best = prepare(VariationalPreparation(ansatz=HardwareEfficient(0), seeds=Seeds(1), restarts=5), family)[0]
    preparation = sampled(optimizer, options=options, shots=None)
    states = prepare(preparation, family)[0].states
    found = simulated_energies(
        states.program,
        Problem(groups=family.groups, coefficients=family.free, lower=np.zeros((1, 0, 8))),
        np.zeros(1, dtype=int),
        states.parameters,
    )[0][0]
    lowest = best.report.energies[0, 0]
    assert -1e-9 <= found - lowest < accuracy * abs(lowest)


def test_qnspsa_asks_for_overlaps():
    executor = Watched(StatevectorExecutor(Seeds(0)))
    preparation = sampled("qnspsa", options={"maxiter": 3}, residual_directions=0)
    prepared_states, usage = prepare(preparation, batch_family(), executor=executor)
    names = Counter(measurement.group.name for request in executor.requests for measurement in request.measurements)
    assert names["initial"] > 0
    assert np.isfinite(prepared_states.states.parameters).all()
    states = [len(request.prepared.parameters) for request in executor.requests]
    assert prepared_states.report.evaluations == sum(states)
    circuits = sum(len(measurement.states) for request in executor.requests for measurement in request.measurements)
    assert usage == Usage(shots=20 * circuits, circuits=circuits)


def slopes_by_patterns(program, problem, point, step=0.1):
    """Squared slopes along all directions of signs at one point."""
    size = len(point)
    signs = 1.0 - 2.0 * ((np.arange(1 << size)[:, None] >> np.arange(size)) & 1)
    zeros = np.zeros(len(signs), dtype=int)
    high, low = (simulated_energies(program, problem, zeros, point + s * step * signs)[0] for s in (1, -1))
    return ((high - low) / (2 * step)) ** 2


def residual_problem(rng):
    """Two spins, eight angles: all 256 directions can be listed."""
    network, weights = random_network(chain(2), rng)
    coefficients = network.coefficients(weights, NO_INPUTS)
    program = hardware_efficient(2, 1)
    problem = Problem(groups=network.groups, coefficients=coefficients, lower=np.zeros((1, 0, 8)))
    return program, problem, rng.normal(size=(1, 8))


def residuals_of(program, problem, points, *, shots, directions, repeats):
    executor = StatevectorExecutor(Seeds(2))

    def residual(step):
        minimiser = SampledMinimiser(
            program=program,
            optimizer="spsa",
            options={},
            seeds=Seeds(2),
            key=RequestKey("test", step),
            shots=shots,
            directions=directions,
        )
        slopes = run_measurements(minimiser._slopes(problem, points, minimiser._random_directions(points)), executor)[0]
        return minimiser._residuals(slopes)[0]

    return np.array([residual(step) for step in range(repeats)])


def test_the_mean_square_of_all_slopes_is_the_norm_of_the_gradient(rng):
    program, problem, points = residual_problem(rng)
    norm = np.linalg.norm(simulated_energies(program, problem, np.arange(1), points)[1])
    assert np.sqrt(slopes_by_patterns(program, problem, points[0], step=1e-4).mean()) == pytest.approx(norm, rel=1e-6)
    assert np.sqrt(slopes_by_patterns(program, problem, points[0]).mean()) == pytest.approx(norm, rel=0.05)


@pytest.mark.parametrize("shots", [None, 200])
def test_residuals_scatter_about_the_norm_of_the_gradient(shots, rng):
    """Squares of residuals have the mean of all directions, with the noise of the shots taken off."""
    program, problem, points = residual_problem(rng)
    squares = slopes_by_patterns(program, problem, points[0], step=0.1 if shots else 1e-3)
    found = residuals_of(program, problem, points, shots=shots, directions=16, repeats=400) ** 2
    assert np.mean(found == 0) < 0.01
    assert mean_p_value(found, squares.mean()) > LIMIT
    if shots is None:
        assert variance_p_value(found, squares.var() / 16) > LIMIT
    else:
        noise = 2 * variance_by_shots(program, problem, points, shots)[0] / 0.2**2
        assert mean_p_value(found, squares.mean() + noise) < LIMIT


def test_residuals_are_small_at_a_minimum(rng):
    program, problem, _ = residual_problem(rng)
    family = HamiltonianFamily.of_free(problem.groups, problem.coefficients, KEY)
    best = prepare(VariationalPreparation(ansatz=HardwareEfficient(1), seeds=Seeds(0), tolerance=1e-9), family)[0]
    found = residuals_of(program, problem, best.states.parameters, shots=None, directions=16, repeats=3)
    assert found.max() < 0.03


def test_sampled_states_say_nothing_that_they_do_not_know():
    prepared_states, _ = prepare(sampled(residual_directions=0), batch_family((-0.1, 0.1)))
    report = prepared_states.report
    assert np.isnan(report.energies).all()
    assert np.isnan(report.overlaps).all()
    assert np.isnan(report.residuals).all()
    assert not report.minima
    assert report.unconverged == ()


def test_sampled_states_are_judged_where_a_tolerance_is_given():
    preparation = sampled(options={"maxiter": 1}, shots=5000, tolerance=1e-3, on_unconverged="go_on")
    report = prepare(preparation, batch_family((-0.1, 0.1)))[0].report
    assert len(report.unconverged) == 6


def test_sampled_runs_repeat_from_their_seeds():
    family = batch_family((-0.2, 0.2))
    one, other = (prepare(sampled(), family, executor=StatevectorExecutor(Seeds(3)))[0] for _ in range(2))
    assert np.array_equal(one.states.parameters, other.states.parameters)
    different = prepare(sampled(), family, executor=StatevectorExecutor(Seeds(4)))[0]
    assert not np.array_equal(one.states.parameters, different.states.parameters)


def test_a_stopped_minimisation_goes_on_from_the_same_answers():
    """Replaying the answers leads to the same requests, bit for bit."""
    family, executor, answers = batch_family((-0.2, 0.2)), Watched(StatevectorExecutor(Seeds(3))), []
    work = sampled().prepare(family, WarmStart())
    request = next(work)
    for _ in range(5):
        answers.append(executor.collect(executor.submit(request)))
        request = work.send(answers[-1])
    work.close()
    again = sampled().prepare(family, WarmStart())
    replayed = next(again)
    for answer in answers:
        replayed = again.send(answer)
    assert replayed.key == request.key
    assert np.array_equal(replayed.prepared.parameters, request.prepared.parameters)
    again.close()


@pytest.mark.parametrize("optimizer", ["l_bfgs_b", "adam", "slsqp"])
def test_optimisers_by_differences_ask_for_whole_points(optimizer):
    preparation = sampled(optimizer, options={"maxiter": 3}, shots=None, residual_directions=0)
    executor = Watched(StatevectorExecutor(Seeds(0)))
    prepare(preparation, family_of(CASES["chain4-0"]), executor=executor)
    assert {request.prepared.parameters.shape[1] for request in executor.requests} == {8}


def test_hamiltonian_variational_energies_are_sampled_too(rng):
    """Sampled and simulated energies of the Hamiltonian's own gates at the same points."""
    case = CASES["complete4-0"]
    program = hamiltonian_variational(case.hamiltonian.groups, 2)
    points = rng.normal(size=(4, program.num_parameters))
    problem = Problem(
        groups=case.hamiltonian.groups,
        coefficients=case.coefficients,
        lower=np.zeros((1, 0, program.num_parameters)),
    )
    rows = np.zeros(4, dtype=int)
    work = SampledEnergies(program=program, shots=None, key=KEY).energies(problem, rows, points)
    found = run_measurements(work, StatevectorExecutor(Seeds(0)))[0][0]
    assert found == pytest.approx(simulated_energies(program, problem, rows, points)[0], abs=1e-12)
    assert HamiltonianVariational(2).program(case.hamiltonian.groups).num_parameters == program.num_parameters


def test_few_shots_never_report_a_residual_of_zero(rng):
    """At 20 shots slopes often drown in noise; then the residual is its own uncertainty."""
    found = residuals_of(*residual_problem(rng), shots=20, directions=4, repeats=40)
    assert found.min() > 0
