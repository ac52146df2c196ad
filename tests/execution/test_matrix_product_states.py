"""Aer's matrix product states: shots against exact ramps, which free fermions give up to a hundred spins."""

from pathlib import Path

import numpy as np
import pytest
from cases import NO_INPUTS, random_network
from chi_square import LIMIT, counts_p_value, vector_p_value
from gaussian import ramped_means
from qiskit_aer import AerSimulator
from reference import expectation, pauli_matrix, run_program
from scipy.stats import norm
from warned import warns

from qep_qiskit.config import build, check_config, from_file
from qep_qiskit.core.errors import ConfigError, TruncatedStateWarning
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.program import to_circuit_per_gate
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey
from qep_qiskit.execution.aer import AerExecutor, aer_sampler_executor
from qep_qiskit.execution.circuits import gate_values
from qep_qiskit.execution.truncation import discarded_weight, is_checked
from qep_qiskit.learning import Contrast, GradientEstimator, evaluate
from qep_qiskit.learning.callback import Callback
from qep_qiskit.measurement import measure, run_measurements
from qep_qiskit.network import ClampedInputs, IsingNetwork, chain
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation, chain_term_means
from qep_qiskit.runs.summary import run_summary

CONFIGS = Path(__file__).parents[2] / "configs"

DRIVEN = np.ones((1, 1))


def matrix_product_states(seed=0, bond=8):
    return aer_sampler_executor(Seeds(seed), method="matrix_product_state", max_bond_dimension=bond)


def end_driven(size, rng):
    """A chain driven by a clamped input on its two end spins; the cost is Z of the last one."""
    inputs = ClampedInputs(count=1, links=((0, 0), (0, size - 1)) if size > 1 else ((0, 0),))
    network = IsingNetwork(graph=chain(size), outputs=(size - 1,), inputs=inputs, biases=None)
    spread = {"J": (0.5, 0.7), "h": (0.9, 1.1), "W": (0.8, 1.0)}
    draws = [rng.uniform(*spread[block.symbol], len(block.names)) for block in network.layout.blocks]
    cost = OperatorCost.from_operator(sparse_pauli_op([(PauliString.of("Z", size - 1), 1.0)], size))
    return NudgedHamiltonian(network, cost), np.concatenate(draws)


def nudged_rows(hamiltonian, weights, betas):
    free, nudge = hamiltonian.free_coefficients(weights, DRIVEN)[0], hamiltonian.operator_nudge(NO_INPUTS)[0][0]
    return np.array([free + beta * nudge for beta in betas])


def sampled(executor, hamiltonian, prepared, shots):
    """Moments of all groups in all states, group by group."""
    measurements = tuple(
        GroupMeasurement(group=group, states=np.arange(prepared.num_states), shots=shots)
        for group in hamiltonian.groups
    )
    request = Request(key=RequestKey("test", 0), prepared=prepared, measurements=measurements)
    outcomes = executor.collect(executor.submit(request)).outcomes
    return [one.moments(group) for one, group in zip(outcomes, hamiltonian.groups, strict=True)]


def p_values(found, hamiltonian, prepared, shots):
    """Of every group and state, against the exact means of the same ramp."""
    for row in range(prepared.num_states):
        exact = ramped_means(prepared.program, prepared.parameters[row], hamiltonian.terms)
        for group, where in zip(found, hamiltonian.group_slices, strict=True):
            yield vector_p_value(group.means[row], exact[where], group.covariance[row], shots)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_reference_by_fermions_is_the_ramp_by_matrices(size, rng):
    hamiltonian, weights = end_driven(size, rng)
    row = nudged_rows(hamiltonian, weights, [0.4])[0]
    program = AdiabaticPreparation(total_time=2.0, steps=5).program(hamiltonian.groups)
    state = run_program(program, row)
    exact = [expectation(pauli_matrix(str(word), size), state) for word in hamiltonian.terms]
    assert ramped_means(program, row, hamiltonian.terms) == pytest.approx(exact, abs=1e-12)


@pytest.mark.deep(but=["10"])
@pytest.mark.parametrize("size", [10, 12])
def test_shots_follow_the_state_vector(size, rng):
    network, weights = random_network(chain(size), rng)
    program = AdiabaticPreparation(total_time=3.0, steps=8).program(network.groups)
    prepared = CircuitStates(program=program, parameters=network.coefficients(weights, NO_INPUTS))
    shots = 8000

    def outcomes(executor, count):
        measurements = tuple(
            GroupMeasurement(group=group, states=np.array([0]), shots=count) for group in network.groups
        )
        request = Request(key=RequestKey("test", 0), prepared=prepared, measurements=measurements)
        return executor.collect(executor.submit(request)).outcomes

    exact = outcomes(AerExecutor(Seeds(0)), None)
    for found, distribution in zip(outcomes(matrix_product_states(bond=16), shots), exact, strict=True):
        values = found.bits[0].astype(int) @ [256, 1]
        assert counts_p_value(np.bincount(values, minlength=1 << size), distribution.weights[0]) > LIMIT


@pytest.mark.deep
def test_means_of_twenty_spins(rng):
    hamiltonian, weights = end_driven(20, rng)
    program = AdiabaticPreparation(total_time=4.0, steps=20).program(hamiltonian.groups)
    prepared = CircuitStates(program=program, parameters=nudged_rows(hamiltonian, weights, [-0.5, 0.5]))
    found = sampled(matrix_product_states(), hamiltonian, prepared, 4000)
    assert min(p_values(found, hamiltonian, prepared, 4000)) > LIMIT


def test_the_bond_dimension_is_held(rng):
    """One Schmidt coefficient holds product states only, and these miss the means by many standard errors."""
    hamiltonian, weights = end_driven(20, rng)
    program = AdiabaticPreparation(total_time=4.0, steps=20).program(hamiltonian.groups)
    prepared = CircuitStates(program=program, parameters=nudged_rows(hamiltonian, weights, [0.0]))
    with warns(TruncatedStateWarning, "raise execution.max_bond_dimension", detail="a state lost 0"):
        found = sampled(matrix_product_states(bond=1), hamiltonian, prepared, 4000)
    exact = ramped_means(program, prepared.parameters[0], hamiltonian.terms)
    sigma = np.sqrt((1.0 - exact**2) / 4000)
    assert (np.abs(np.concatenate([group.means[0] for group in found]) - exact) / sigma).max() > 10


@pytest.mark.parametrize("bond", [2, 3, 4])
def test_the_discarded_weight_is_the_infidelity(bond, rng):
    """Of a ten-spin ramp against the state that is not cut; asking twice gives the same, though Aer's log goes on."""
    hamiltonian, weights = end_driven(10, rng)
    program = AdiabaticPreparation(total_time=8.0, steps=10).program(hamiltonian.groups)
    rows = nudged_rows(hamiltonian, 2.0 * weights, [0.3])
    values = gate_values(program, rows)[0]
    circuit = to_circuit_per_gate(program)
    exact = AerExecutor(Seeds(0)).vectors(CircuitStates(program=program, parameters=rows))[0]
    simulator = AerSimulator(method="matrix_product_state", matrix_product_state_max_bond_dimension=bond)
    cut = circuit.assign_parameters(values)
    cut.save_statevector()
    infidelity = 1.0 - abs(np.vdot(exact, np.asarray(simulator.run(cut).result().get_statevector()))) ** 2
    measured = circuit.copy()
    measured.measure_all()
    first, second = (discarded_weight(simulator, measured, values) for _ in range(2))
    assert first == pytest.approx(second, rel=1e-9)
    assert first == pytest.approx(infidelity, rel=0.3)


def test_what_is_not_cut_is_quiet(rng):
    """A bond dimension that holds the states: nothing is discarded beyond Aer's own threshold."""
    hamiltonian, weights = end_driven(8, rng)
    program = AdiabaticPreparation(total_time=4.0, steps=10).program(hamiltonian.groups)
    prepared = CircuitStates(program=program, parameters=nudged_rows(hamiltonian, weights, [0.0]))
    executor = matrix_product_states(bond=16)
    sampled(executor, hamiltonian, prepared, 10)
    assert executor.discarded < 1e-12


def test_gradient_at_eighty_spins(rng):
    """More spins than Aer declares (63): the measured contrast is that of the exact ramps."""
    size, shots, contrast = 80, 500, Contrast(kind="symmetric", beta=0.5)
    hamiltonian, weights = end_driven(size, rng)
    ramp = AdiabaticPreparation(total_time=2.0, steps=8)
    estimator = GradientEstimator(hamiltonian=hamiltonian, preparation=ramp, contrast=contrast, shots=shots)
    work = estimator.estimate(weights, DRIVEN, NO_INPUTS, RequestKey("train", 0))
    estimate, usage = run_measurements(work, matrix_product_states())
    program, rows = ramp.program(hamiltonian.groups), nudged_rows(hamiltonian, weights, contrast.betas)
    exact = contrast.stencil @ np.array([ramped_means(program, row, hamiltonian.terms) for row in rows])
    exact = hamiltonian.jacobian(weights, DRIVEN).pull_back(exact[None])[0]
    z = np.abs(estimate.gradient - exact) / estimate.standard_error
    assert len(z) * 2 * norm.sf(z.max()) > LIMIT
    assert np.abs(exact / estimate.standard_error).max() > 5
    assert usage.shots == 4 * shots


@pytest.mark.slow
def test_a_hundred_spins_against_the_ramp_and_the_ground_state(rng):
    """Shots follow the ramp, and the ramp misses the ground state by less than 0.01 in any mean."""
    size, shots = 100, 2000
    hamiltonian, weights = end_driven(size, rng)
    ramp = AdiabaticPreparation(total_time=12.0, steps=100)
    rows = nudged_rows(hamiltonian, weights, [-0.3, 0.3])
    program = ramp.program(hamiltonian.groups)
    work = measure(
        hamiltonian.groups,
        CircuitStates(program=program, parameters=rows),
        shape=(1, 2),
        phases={0: [0, 1], 1: [0, 1]},
        shots=[shots, shots],
        key=RequestKey("test", 0),
    )
    found, _ = run_measurements(work, matrix_product_states(bond=16))
    for phase, row in enumerate(rows):
        means, covariance = found.means[0, phase], found.covariance[0, phase]
        ramped = ramped_means(program, row, hamiltonian.terms)
        ground = chain_term_means(hamiltonian.groups, row)
        for where in hamiltonian.group_slices:
            assert vector_p_value(means[where], ramped[where], covariance[where, where], shots) > LIMIT
        assert np.abs(ramped - ground).max() < 0.01
        excess = row @ (ramped - ground)
        assert 0.0 < excess < 0.003 * abs(row @ ground)
        assert 2 * norm.sf(abs(row @ (means - ramped)) / np.sqrt(row @ covariance @ row)) > LIMIT


LONG = {
    "network": {
        "graph": "chain",
        "num_spins": 100,
        "outputs": [99],
        "inputs": {"spins": [97, 98], "minimum": -1.2, "maximum": 1.2, "truncate": True},
        "biases": {"minimum": -1.2, "maximum": 1.2},
        "couplings": {"distribution": "constant", "mean": 0.5},
    },
    "preparation": {"kind": "adiabatic", "total_time": 4.0, "steps": 18},
    "execution": {"method": "matrix_product_state", "max_bond_dimension": 8},
}


def configured(**sections):
    return build(check_config({"task": {"kind": "xor"}} | LONG | sections, "run.toml"))


@pytest.mark.slow
def test_a_hundred_spins_learn(tmp_path):
    """Inputs clamped near the output learn the logical and, on the package's own matrix product states."""
    table = tmp_path / "and.csv"
    table.write_text("a,b,both\n-1,-1,no\n-1,1,no\n1,-1,no\n1,1,yes\n", encoding="utf-8")
    task = {"kind": "csv", "file": str(table), "inputs": ["a", "b"], "target": "both", "test_fraction": 0.0}
    experiment = configured(
        task=task | {"scaling": "none"},
        measurement={"shots": 500},
        contrast={"beta": 0.5},
        update={"learning_rate": 0.05},
        training={"epochs": 14, "batch_size": 4},
        execution={"backend": "mps", "max_bond_dimension": 8},
    )
    trainer = experiment.trainer()
    trainer.run()
    start = experiment.network.layout.initial(experiment.seeds)
    before, after = (
        evaluate(experiment.estimator, experiment.executor, w, experiment.task.train, purpose="judge", index=0).tally
        for w in (start, trainer.weights)
    )
    assert after.accuracy == 1.0
    assert after.mean_cost < before.mean_cost / 4


@pytest.mark.parametrize("method", ["automatic", "statevector", "density_matrix"])
def test_bond_dimension_goes_with_matrix_product_states_only(method):
    execution = {"method": method, "max_bond_dimension": 4}
    with pytest.raises(ConfigError, match=r"execution\.max_bond_dimension: goes with method") as caught:
        configured(network={"num_spins": 2}, execution=execution)
    assert "\n" not in str(caught.value)


class Records(Callback):
    """A callback that keeps what the metrics would hold."""

    def __init__(self):
        self.lines = []

    def keep(self, trainer, record):
        self.lines.append(dict(record))

    on_step = on_epoch = on_pilot = keep


def test_every_step_of_a_run_says_what_its_states_lost():
    """In the metrics and, the worst of them, in the summary."""
    texts = [
        "preparation={kind='adiabatic', total_time=1.0, steps=2}",
        "execution={backend='aer', method='matrix_product_state', max_bond_dimension=1}",
        "measurement.shots=20",
        "training.epochs=3",
    ]
    records = Records()
    trainer = from_file(CONFIGS / "xor.toml", texts).trainer([records])
    with warns(TruncatedStateWarning):
        trainer.run()
    lost = [line["discarded_weight"] for line in records.lines if line["event"] == "step"]
    assert len(lost) == 3
    assert 1e-3 < min(lost) < max(lost) < 1.0
    assert run_summary(records.lines, trainer.state)["worst_discarded_weight"] == max(lost)


def test_looks_at_truncation_become_rarer_in_long_runs():
    """Aer's log goes on, and every look copies all of it."""
    looked = [step for step in range(1024) if is_checked(RequestKey("train", step))]
    assert looked[:128] == list(range(128))
    assert len(looked) == 128 + 3 * 64
    assert not is_checked(RequestKey("train", 1, iteration=1))
