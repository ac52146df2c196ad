"""One ladder for every preparation that makes circuits: engine, Aer's vectors, exact means, and shots of circuits."""

from pathlib import Path

import numpy as np
import pytest
from cases import SMALL_GRAPHS, random_network
from chi_square import LIMIT, counts_p_value
from qiskit.quantum_info import SparsePauliOp
from reference import sum_of_paulis

from qep_qiskit.ansatz import initial_state_measurement, overlap_program, read_ansatz
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey, StatevectorExecutor
from qep_qiskit.execution.aer import AerExecutor, aer_sampler_executor
from qep_qiskit.measurement import measure, run_measurements
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import (
    AdiabaticPreparation,
    FixedAnsatz,
    HamiltonianFamily,
    HamiltonianVariational,
    HardwareEfficient,
    VariationalPreparation,
    WarmStart,
)

ANSAETZE = Path(__file__).parents[2] / "circuits" / "ansaetze"
SHOTS = 4000
RAMP = {"total_time": 2.0, "steps": 8}


def variational(ansatz, **options):
    return VariationalPreparation(ansatz=ansatz, seeds=Seeds(3), max_evaluations=20, on_unconverged="go_on", **options)


def from_file():
    return FixedAnsatz(read_ansatz(ANSAETZE / "brick_wall.qasm", 4, []))


PREPARATIONS = {
    "ramp of order 1": lambda: AdiabaticPreparation(**RAMP, order=1, ramp="linear"),
    "ramp of order 2": lambda: AdiabaticPreparation(**RAMP, order=2),
    "ramp with a spread driver": lambda: AdiabaticPreparation(**RAMP, driver_width=0.7, ramp="smoothstep"),
    "ramp to level 2": lambda: AdiabaticPreparation(**RAMP, level=2),
    "Hamiltonian-variational": lambda: variational(HamiltonianVariational(3)),
    "product states": lambda: variational(HardwareEfficient(0)),
    "hardware-efficient": lambda: variational(HardwareEfficient(2)),
    "hardware-efficient, circular": lambda: variational(HardwareEfficient(1, "circular")),
    "deflation": lambda: variational(HamiltonianVariational(2), level=1),
    "sampled": lambda: variational(
        HardwareEfficient(1), energies="sampled", optimizer="spsa", options={"maxiter": 2}, residual_directions=0
    ),
    "OpenQASM file": lambda: variational(from_file()),
}
FOUR_SPINS_ONLY = {"OpenQASM file"}
NETWORKS = ["edges", "ring", "complete"]
EVERY = [
    pytest.param(name, graph, id=f"{name}, {graph}", marks=[] if graph == "ring" else [pytest.mark.deep])
    for name in PREPARATIONS
    for graph in NETWORKS
    if not (name in FOUR_SPINS_ONLY and graph == "edges")
]
every_preparation = pytest.mark.parametrize(("name", "graph"), EVERY)


def prepared(name, graph, rng):
    """States of two samples at two nudges, and the groups of a network and a cost with a basis of its own."""
    network, weights = random_network(SMALL_GRAPHS[graph], rng, num_inputs=1)
    rest = "I" * (network.num_qubits - 2)
    cost = OperatorCost.from_operator(SparsePauliOp([rest + "ZZ", rest + "YX"], [0.5, 0.7]))
    hamiltonian = NudgedHamiltonian(network, cost)
    family = HamiltonianFamily(
        groups=hamiltonian.groups,
        free=hamiltonian.free_coefficients(weights, rng.normal(size=(2, 1))),
        nudge=np.repeat(hamiltonian.operator_nudge(np.zeros((1, 0)))[0], 2, axis=0),
        betas=np.array([-0.2, 0.2]),
        key=RequestKey("test", 0),
    )
    prepared_states, _ = run_measurements(
        PREPARATIONS[name]().prepare(family, WarmStart()), StatevectorExecutor(Seeds(1))
    )
    assert isinstance(prepared_states.states, CircuitStates)
    return prepared_states.states, hamiltonian.groups


def same_up_to_phase(one, other):
    """Largest distance of amplitudes when the phase of each state is free."""
    overlap = np.einsum("sx,sx->s", other.conj(), one)
    return np.abs(one - other * (overlap / np.abs(overlap))[:, None]).max()


def exact_means(executor, states, groups):
    work = measure(
        groups,
        states,
        shape=(states.num_states, 1),
        phases={g: [0] for g in range(len(groups))},
        shots=[None] * len(groups),
        key=RequestKey("test", 1),
    )
    return run_measurements(work, executor)[0].means[:, 0]


def outcomes_of(executor, states, groups, shots):
    measurements = tuple(
        GroupMeasurement(group=group, states=np.arange(states.num_states), shots=shots) for group in groups
    )
    return executor.collect(
        executor.submit(Request(key=RequestKey("test", 2), prepared=states, measurements=measurements))
    ).outcomes


def counts_of(outcomes, row):
    """Counts of all bit strings of one state, from bits or counts."""
    if hasattr(outcomes, "weights"):
        return outcomes.weights[row]
    values = np.zeros(outcomes.shots, dtype=np.int64)
    for byte in outcomes.bits[row].T:
        values = 256 * values + byte
    return np.bincount(values, minlength=1 << outcomes.num_qubits)


def assert_shots_agree(states, groups):
    """Circuits measured on Aer against exact probabilities of the engine."""
    exact = outcomes_of(StatevectorExecutor(Seeds(0)), states, groups, None)
    found = outcomes_of(aer_sampler_executor(Seeds(7)), states, groups, SHOTS)
    for probabilities, outcomes in zip(exact, found, strict=True):
        for row in range(states.num_states):
            assert counts_p_value(counts_of(outcomes, row), probabilities.weights[row]) > LIMIT


@every_preparation
def test_vectors_of_the_engine_are_those_of_aer(name, graph, rng):
    states, _ = prepared(name, graph, rng)
    engine, aer = (kind(Seeds(0)).vectors(states) for kind in (StatevectorExecutor, AerExecutor))
    assert same_up_to_phase(engine, aer) < 1e-10


@every_preparation
def test_exact_means_are_the_same_everywhere(name, graph, rng):
    states, groups = prepared(name, graph, rng)
    engine, aer = (exact_means(kind(Seeds(0)), states, groups) for kind in (StatevectorExecutor, AerExecutor))
    assert np.abs(engine - aer).max() < 1e-10
    vectors = AerExecutor(Seeds(0)).vectors(states)
    words = [word for group in groups for word in group.terms]
    for column, word in enumerate(words):
        matrix = sum_of_paulis([word], [1.0], states.num_qubits)
        expected = np.einsum("sx,xy,sy->s", vectors.conj(), matrix, vectors).real
        assert np.abs(engine[:, column] - expected).max() < 1e-10


@pytest.mark.deep(but=["product states"])
@pytest.mark.parametrize("name", PREPARATIONS)
def test_shots_of_measured_circuits_follow_the_engine(name, rng):
    """On one graph: what others change is in the vectors and the exact means."""
    states, groups = prepared(name, "ring", rng)
    assert_shots_agree(states, groups)


OVERLAPS = ["Hamiltonian-variational", "hardware-efficient", "OpenQASM file", "ramp of order 2"]


def overlap_states(name, rng):
    """Circuits that prepare one state and undo another."""
    states, _ = prepared(name, "complete", rng)
    others = states.parameters + 0.2 * rng.normal(size=states.parameters.shape)
    program = overlap_program(states.program)
    return CircuitStates(program=program, parameters=np.hstack([states.parameters, others])), states, others


@pytest.mark.parametrize("name", OVERLAPS)
def test_overlap_circuits_agree(name, rng):
    both, states, others = overlap_states(name, rng)
    engine, aer = (kind(Seeds(0)).vectors(both) for kind in (StatevectorExecutor, AerExecutor))
    assert same_up_to_phase(engine, aer) < 1e-10
    reading = initial_state_measurement(states.program)
    seen = outcomes_of(StatevectorExecutor(Seeds(0)), both, [reading.group], None)[0].weights[:, reading.outcome]
    one, other = (
        AerExecutor(Seeds(0)).vectors(CircuitStates(program=states.program, parameters=p))
        for p in (states.parameters, others)
    )
    assert np.abs(seen - np.abs(np.einsum("sx,sx->s", other.conj(), one)) ** 2).max() < 1e-10
    assert_shots_agree(both, [reading.group])
