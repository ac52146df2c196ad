"""Parameter shift against adjoint gradients and finite differences, and its noise over repeats."""

import numpy as np
import pytest
from cases import SMALL_GRAPHS, random_network
from chi_square import LIMIT, mean_p_value, variance_p_value
from watched import Watched

from qep_qiskit.ansatz import hamiltonian_variational, hardware_efficient
from qep_qiskit.budget import costs
from qep_qiskit.budget.parameter_shift import ParameterShift, exact_angle_gradient
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.program import Layer, LayerProgram
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import evolve
from qep_qiskit.execution import RequestKey, StatevectorExecutor
from qep_qiskit.measurement import Usage, run_measurements
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.graphs import from_edges
from qep_qiskit.network.ising import IsingNetwork
from qep_qiskit.network.losses import SquaredError
from qep_qiskit.network.nudge import NudgedHamiltonian

SEEDS = Seeds(3)
SAMPLES = 3


def hamiltonian_of(cost, rng):
    network, _ = random_network(SMALL_GRAPHS["edges"], rng)
    observables = (
        sparse_pauli_op([(PauliString.of("Z", 2), 1.0), (PauliString.of("X", 0), 0.5)], 3),
        sparse_pauli_op([(PauliString.of("Y", 0, 1), 0.7), (PauliString(()), 0.2)], 3),
    )
    aim = OperatorCost.squared_error((1, 2), 3) if cost == "operator" else LossOnExpectations(observables)
    return NudgedHamiltonian(network, aim)


def shared_angles(groups, rng):
    """A program whose parameters drive several rotations, with factors and offsets, some none."""
    layers = [
        Layer(
            group=g,
            source=rng.integers(-1, 4, groups[g].num_terms),
            scale=rng.choice([0.0, 0.5, -1.3, 2.0], groups[g].num_terms),
            offset=rng.normal(size=groups[g].num_terms),
        )
        for g in (0, 1, 0, 1, 0)
    ]
    initial = np.full((3, 2), np.sqrt(0.5), dtype=complex)
    return LayerProgram(groups=groups, initial=initial, layers=tuple(layers), parameter_names=tuple("abcd"))


PROGRAMS = {
    "one rotation a parameter": lambda groups, rng: hamiltonian_variational(groups, 2),
    "with CX gates": lambda groups, rng: hardware_efficient(3, 2),
    "several rotations a parameter": shared_angles,
}
every_program = pytest.mark.parametrize("program", PROGRAMS)
every_cost = pytest.mark.parametrize("cost", ["operator", "loss"])


def problem_of(cost, program, rng):
    hamiltonian = hamiltonian_of(cost, rng)
    program = PROGRAMS[program](hamiltonian.groups, rng)
    return hamiltonian, program, rng.normal(size=(SAMPLES, program.num_parameters)), rng.normal(size=(SAMPLES, 2))


def estimated(problem, shots, step=0, executor=None):
    work = ParameterShift(shots=shots).estimate(*problem, RequestKey("test", step))
    return run_measurements(work, executor or StatevectorExecutor(SEEDS))[0]


def cost_of(problem, shift):
    """Mean cost at shifted parameters, by the matrices of its operators."""
    hamiltonian, program, parameters, targets = problem
    states = evolve(program, parameters + shift)
    if isinstance(hamiltonian.cost, OperatorCost):
        matrices = [hamiltonian.cost.operator(y).to_matrix() for y in targets]
        return np.mean([np.vdot(s, m @ s).real for s, m in zip(states, matrices, strict=True)])
    observables = [o.to_matrix() for o in hamiltonian.cost.observables]
    outputs = np.array([[np.vdot(s, o @ s).real for o in observables] for s in states])
    return np.mean(np.sum((outputs - targets) ** 2, axis=1))


@every_program
@every_cost
def test_exact_shots_give_the_adjoint_gradient(cost, program, rng):
    problem = problem_of(cost, program, rng)
    found, truth = estimated(problem, None), exact_angle_gradient(*problem)
    assert np.allclose(found.gradient, truth, rtol=0, atol=1e-10)
    assert not found.variance.any()
    shifts = 1e-5 * np.eye(problem[1].num_parameters)
    differences = [(cost_of(problem, d) - cost_of(problem, -d)) / 2e-5 for d in shifts]
    assert np.allclose(truth, differences, rtol=0, atol=1e-7)


@pytest.mark.deep(but=["operator-several rotations a parameter", "loss-with CX gates"])
@every_program
@every_cost
def test_noise_is_as_claimed_and_without_bias(cost, program, rng):
    problem = problem_of(cost, program, rng)
    found = [estimated(problem, 500, step) for step in range(200)]
    gradients, variances = np.array([e.gradient for e in found]), np.array([e.variance for e in found])
    assert mean_p_value(gradients, exact_angle_gradient(*problem), variances.mean(axis=0).clip(1e-20)) > LIMIT
    moving = variances.mean(axis=0) > 0
    assert variance_p_value(gradients[:, moving], variances.mean(axis=0)[moving]) > LIMIT


@every_cost
def test_what_it_took_is_what_was_asked_for(cost, rng, monkeypatch):
    problem, executor = problem_of(cost, "several rotations a parameter", rng), Watched(StatevectorExecutor(SEEDS))
    found = estimated(problem, 5, executor=executor)
    rotations = sum(1 for _, _, source, scale, _ in problem[1].rotations() if source >= 0 and scale != 0)
    groups = len(problem[0].cost_groups)
    assert found.usage == Usage(shots=sum(executor.shots), circuits=sum(executor.circuits))
    assert found.evaluations == 2 * rotations + (cost == "loss")
    assert found.usage.circuits == found.evaluations * groups * SAMPLES
    whole = estimated(problem, None)
    monkeypatch.setattr(costs, "_NUMBERS_PER_REQUEST", 4 * SAMPLES * max(8, problem[0].num_terms ** 2))
    assert np.allclose(estimated(problem, None).gradient, whole.gradient, rtol=0, atol=1e-12)
    in_parts = Watched(StatevectorExecutor(SEEDS))
    assert estimated(problem, 5, executor=in_parts).usage == found.usage
    keys = [request.key for request in in_parts.requests]
    assert len(set(keys)) == len(keys) == -(-2 * rotations // 4) + (cost == "loss")


def test_one_shot_claims_no_variance(rng):
    found = estimated(problem_of("operator", "one rotation a parameter", rng), 1)
    assert np.isfinite(found.gradient).all()
    assert np.isnan(found.variance).all()


def test_description_and_refusals(rng):
    hamiltonian, program, parameters, targets = problem_of("operator", "with CX gates", rng)
    assert ParameterShift(shots=5).description.startswith("parameter shift of a circuit's own angles, 5 shots")
    with pytest.raises(ConfigError, match="expected at least 1, got 0"):
        ParameterShift(shots=0)
    with pytest.raises(ConfigError, match="expected parameters of shape \\(3, 18\\), got \\(18,\\)"):
        estimated((hamiltonian, program, parameters[0], targets), None)
    still = LayerProgram(groups=program.groups, initial=program.initial, layers=(), parameter_names=("a",))
    with pytest.raises(ConfigError, match="nothing to shift"):
        exact_angle_gradient(hamiltonian, still, np.zeros((3, 1)), targets)


def test_unconnected_parts_share_requests():
    """Only the states of each part are held, however many qubits there are together."""
    pairs = IsingNetwork(graph=from_edges(40, [(k, k + 1) for k in range(0, 40, 2)]), outputs=(0,))
    hamiltonian = NudgedHamiltonian(pairs, LossOnExpectations.on_outputs(pairs, SquaredError()))
    assert len(list(costs.request_parts(hamiltonian, 20, 10))) == 1
