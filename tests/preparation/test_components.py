"""Unconnected parts: their products are the states, shots and gradients of the joint vector, which is never formed."""

from dataclasses import replace

import numpy as np
import pytest
from cases import NO_INPUTS, random_network
from chi_square import LIMIT, counts_p_value, vector_p_value
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.ansatz import hardware_efficient
from qep_qiskit.config import build, check_config
from qep_qiskit.core import memory
from qep_qiskit.core.components import components, program_components, widest_component
from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.program import CxLayer, LayerProgram
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import evolve, evolve_parts
from qep_qiskit.execution import RequestKey, StatevectorExecutor, VectorExecutor, statevector
from qep_qiskit.execution.interface import GroupMeasurement, Request
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import from_edges
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.known_states import VectorStates
from qep_qiskit.outcomes.product_states import ProductStates
from qep_qiskit.outcomes.states import CalibrationStates, CircuitStates
from qep_qiskit.preparation import (
    AdiabaticPreparation,
    ExactPreparation,
    HamiltonianFamily,
    ThermalPreparation,
    WarmStart,
    thermal,
)

PARTS = ((0, 3, 5), (1, 4), (2,), (6, 7))
GRAPH = from_edges(8, [(0, 3), (3, 5), (1, 4), (6, 7)])
KEY = RequestKey("demo", 0)


@pytest.fixture
def network(rng):
    return random_network(GRAPH, rng, outputs=(5, 4))


@pytest.fixture
def rows(network, rng):
    ising, weights = network
    return rng.uniform(0.7, 1.2, size=(3, 1)) * ising.coefficients(weights, NO_INPUTS)


def family_of(groups, rows, rng):
    nudge = np.zeros_like(rows)
    nudge[:, :12] = rng.normal(size=(len(rows), 12))
    betas = np.array([-0.2, 0.0, 0.2])
    return HamiltonianFamily(groups=groups, free=rows, nudge=nudge, betas=betas, key=KEY)


def without_phases(vectors):
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1)[:, None], axis=1)
    return vectors * (np.abs(largest) / largest)


def test_parts_follow_from_the_terms(network):
    groups = network[0].groups
    assert tuple(part.qubits for part in components(groups)) == PARTS
    assert widest_component(groups) == 3
    terms = [string for group in groups for string in group.terms]
    first = components(groups)[1]
    assert [str(terms[term]) for term in first.terms] == ["Z1 Z4", "Z1", "Z4", "X1", "X4"]
    assert [str(string) for group in first.groups for string in group.terms] == ["Z0 Z1", "Z0", "Z1", "X0", "X1"]


def test_ground_states_of_parts_are_those_of_the_whole(network, rows, rng):
    groups = network[0].groups
    family = family_of(groups, rows, rng)
    free = HamiltonianFamily.of_free(groups, rows, KEY)
    found, whole = (
        preparation.prepare(family, WarmStart(free=preparation.prepare(free, WarmStart()).free))
        for preparation in (ExactPreparation(), ExactPreparation(solver="dense"))
    )
    assert isinstance(found.states, ProductStates)
    assert found.states.qubits == PARTS
    vectors = without_phases(found.states.vectors), without_phases(whole.states.vectors)
    assert np.allclose(*vectors, rtol=0, atol=1e-10)
    for name in ("energies", "gaps", "overlaps"):
        assert np.allclose(getattr(found.report, name), getattr(whole.report, name), rtol=0, atol=1e-10)
    assert found.report.lowest
    assert not ExactPreparation(solver="dense").splits(groups)
    assert not ExactPreparation(level=1).splits(groups)
    with pytest.raises(ConfigError, match="ground states only, got level 1"):
        ExactPreparation(solver="components", level=1)


def test_programs_of_parts_evolve_as_the_whole(network, rows):
    ramp = AdiabaticPreparation(total_time=2.0, steps=5, order=2, driver_width=0.3)
    program = ramp.program(network[0].groups)
    assert tuple(part.qubits for part in program_components(program)) == PARTS
    found = evolve_parts(program, rows)
    assert np.allclose(found.vectors, evolve(program, rows), rtol=0, atol=1e-12)


def test_parts_that_do_the_same_are_one_program(rng):
    groups = random_network(from_edges(6, [(0, 3), (1, 4), (2, 5)]), rng)[0].groups
    program = AdiabaticPreparation(total_time=2.0, steps=3).program(groups)
    assert len({part.program for part in program_components(program)}) == 1
    angles = rng.normal(size=(4, program.num_parameters))
    assert np.allclose(evolve_parts(program, angles).vectors, evolve(program, angles), rtol=0, atol=1e-12)


def test_gates_join_parts(rng):
    layered = hardware_efficient(5, depth=1)
    layers = [CxLayer(((0, 2), (4, 3))) if isinstance(layer, CxLayer) else layer for layer in layered.layers]
    names = layered.parameter_names
    program = LayerProgram(groups=layered.groups, initial=layered.initial, layers=tuple(layers), parameter_names=names)
    assert tuple(part.qubits for part in program_components(program)) == ((0, 2), (1,), (3, 4))
    angles = rng.normal(size=(3, program.num_parameters))
    assert np.allclose(evolve_parts(program, angles).vectors, evolve(program, angles), rtol=0, atol=1e-12)
    assert len(program_components(layered)) == 1


@pytest.fixture
def states(rng):
    """Products of random complex states of three parts, whose qubits are in no order, and their joint vectors."""
    qubits = ((4, 0), (3,), (1, 5, 2))
    parts = []
    for own in qubits:
        vectors = rng.normal(size=(2, 1 << len(own))) + 1j * rng.normal(size=(2, 1 << len(own)))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        parts.append(VectorStates(vectors=vectors, energies=np.zeros(2), gaps=np.ones(2)))
    found = ProductStates(parts=tuple(parts), qubits=qubits)
    return found, VectorStates(vectors=found.vectors, energies=np.zeros(2), gaps=np.ones(2))


GROUP = CommutingGroup(name="mixed", basis=LocalBasis("ZXYZYX"), masks=(1, 2, 17, 63, 34, 8, 40))


def test_means_are_products(states, rng):
    found, joint = (own.measured(GROUP, np.array([1, 0, 1]), None, rng).moments(GROUP) for own in states)
    assert np.allclose(found.means, joint.means, rtol=0, atol=1e-12)
    assert found.shots is None


def test_shots_of_parts_are_those_of_the_joint_vector(states, rng):
    products, joint = states
    shots = 20_000
    found = products.measured(GROUP, np.array([1]), shots, rng)
    counts = np.bincount(found.bits[0, :, 0], minlength=64)
    assert counts_p_value(counts, joint.probabilities(GROUP, np.array([1]))[0]) > LIMIT
    moments, exact = found.moments(GROUP), joint.measured(GROUP, np.array([1]), None, rng).moments(GROUP)
    assert vector_p_value(moments.means[0], exact.means[0], moments.covariance[0], shots) > LIMIT


def test_bits_are_in_the_order_of_qiskit(rng):
    down = VectorStates(vectors=np.array([[0.0, 1.0]]), energies=np.zeros(1), gaps=np.ones(1))
    up = VectorStates(vectors=np.array([[1.0, 0.0]]), energies=np.zeros(1), gaps=np.ones(1))
    wide = ProductStates(parts=(*[up] * 69, down), qubits=(*((k,) for k in range(70) if k != 66), (66,)))
    group = CommutingGroup(name="Z", basis=LocalBasis("Z" * 70), masks=(1, 1 << 66, 1 << 66 | 3))
    drawn = wide.measured(group, np.array([0]), 3, rng)
    assert int.from_bytes(drawn.bits[0, 1].tobytes(), "big") == 1 << 66
    assert drawn.moments(group).means.tolist() == [[1.0, -1.0, -1.0]]
    assert wide.measured(group, np.array([0]), None, rng).means.tolist() == [[1.0, -1.0, -1.0]]


def test_joint_vectors_that_do_not_fit_are_refused():
    up = VectorStates(vectors=np.array([[1.0, 0.0]]), energies=np.zeros(1), gaps=np.ones(1))
    with pytest.raises(ResourceError, match="the joint vector of unconnected parts of 70 qubits does not fit"):
        _ = ProductStates(parts=(up,) * 70, qubits=tuple((k,) for k in range(70))).vectors


def loss_problem(network):
    return NudgedHamiltonian(network, LossOnExpectations.on_spins(network.outputs, network.num_qubits))


def contrast_of(problem, weights, preparation, executor, shots=None):
    estimator = GradientEstimator(
        hamiltonian=problem, preparation=preparation, contrast=Contrast(beta=0.1), shots=shots
    )
    work = estimator.estimate(weights, np.zeros((1, 0)), np.array([[0.4, -0.7]]), KEY)
    return run_measurements(work, executor)[0]


def test_gradients_of_parts_are_those_of_the_whole(network, monkeypatch):
    ising, weights = network
    problem, ramp = loss_problem(ising), AdiabaticPreparation(total_time=3.0, steps=8)
    joint = contrast_of(problem, weights, ramp, StatevectorExecutor(Seeds(0))).gradient
    monkeypatch.setattr(statevector, "JOINT_UP_TO_QUBITS", 0)
    monkeypatch.setattr(statevector, "evolve", None)
    by_parts = contrast_of(problem, weights, ramp, StatevectorExecutor(Seeds(0))).gradient
    assert np.allclose(by_parts, joint, rtol=0, atol=1e-12)
    exact = [
        contrast_of(problem, weights, ExactPreparation(solver=solver), VectorExecutor(Seeds(0))).gradient
        for solver in ("auto", "dense")
    ]
    assert np.allclose(*exact, rtol=0, atol=1e-10)


def test_exact_gradients_of_parts_are_those_of_the_whole(network, monkeypatch):
    ising, weights = network
    given = loss_problem(ising), weights, np.zeros((1, 0)), np.array([[0.4, -0.7]])
    by_parts = exact_gradient(*given)
    monkeypatch.setattr(ExactPreparation, "splits", lambda *_: False)
    whole = exact_gradient(*given)
    assert np.allclose(by_parts.gradient, whole.gradient, rtol=0, atol=1e-8)
    assert by_parts.cost == pytest.approx(whole.cost, abs=1e-10)


def test_complex_nudges_of_parts_are_those_of_the_whole(network, rows, rng):
    groups, betas = network[0].groups, np.array([0.1, 0.1j])
    family = family_of(groups, rows[:1], rng)
    free = HamiltonianFamily.of_free(groups, rows[:1], KEY)
    found, whole = (
        own.complex_means(family, own.prepare(free, WarmStart()), betas)
        for own in (ExactPreparation(), ExactPreparation(solver="dense"))
    )
    assert np.allclose(found, whole, rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", ["quantum", "classical"])
def test_gibbs_states_of_parts_are_those_of_the_whole(kind, rng, monkeypatch):
    fields = {} if kind == "quantum" else {"fields": None}
    ising, weights = random_network(GRAPH, rng, outputs=(5, 4), **fields)
    problem, gibbs, rows = loss_problem(ising), ThermalPreparation(0.6), np.zeros((1, 0))
    data, executor, betas = (rows, np.array([[0.4, -0.7]])), VectorExecutor(Seeds(0)), np.array([0.2, 0.2j])

    def found():
        family = HamiltonianFamily.of_free(problem.groups, problem.free_coefficients(weights, rows), KEY)
        states = gibbs.prepare(family, WarmStart())
        contrast = contrast_of(problem, weights, gibbs, executor).gradient
        exact = exact_gradient(problem, weights, *data, temperature=0.6)
        complex_means = gibbs.complex_means(replace(family, nudge=family.free), states, betas)
        return states.states, [states.report.energies, contrast, exact.gradient, exact.cost, complex_means]

    products, by_parts = found()
    monkeypatch.setattr(thermal, "components", lambda _: ("all",))
    joint, whole = found()
    for own, other in zip(by_parts, whole, strict=True):
        assert np.allclose(own, other, rtol=0, atol=1e-10)
    group, first = problem.groups[-1], np.array([0])
    counts = np.bincount(products.measured(group, first, 20_000, rng).bits[0, :, 0], minlength=256)
    assert counts_p_value(counts, joint.probabilities(group, first)[0]) > LIMIT


def test_a_cost_that_couples_parts_joins_them(network):
    ising, _ = network
    problem = NudgedHamiltonian(ising, OperatorCost.from_operator(SparsePauliOp("IIZZIIII")))
    assert {part.qubits for part in components(problem.groups)} == {(0, 1, 3, 4, 5), (2,), (6, 7)}


def test_wide_registers_are_calibrated_and_measured_by_parts(rng):
    ising, weights = random_network(from_edges(40, [(2 * k, 2 * k + 1) for k in range(20)]), rng)
    program = AdiabaticPreparation(total_time=2.0, steps=3).program(ising.groups)
    states = CircuitStates(program=program, parameters=ising.coefficients(weights, NO_INPUTS))
    group, executor = ising.groups[0], StatevectorExecutor(Seeds(0))
    for prepared, signs in ((CalibrationStates(program), [1.0, -1.0]), (states, None)):
        own = GroupMeasurement(group=group, states=np.arange(prepared.num_states), shots=50)
        request = Request(key=KEY, prepared=prepared, measurements=(own,))
        means = executor.collect(executor.submit(request)).moments(0, group).means
        assert means.shape == (prepared.num_states, 60)
        if signs is not None:
            assert np.array_equal(means[:, -40:], np.outer(signs, np.ones(40)))


def make(**sections):
    network = {"graph": "edges", "num_spins": 40, "edges": [[2 * k, 2 * k + 1] for k in range(20)]}
    return build(check_config({"name": "x", "task": {"kind": "xor"}, "network": network} | sections, "x.toml"))


@pytest.mark.parametrize("preparation", ["exact", "adiabatic"])
def test_memory_is_that_of_the_widest_part(preparation, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 1 << 20)
    assert make(preparation={"kind": preparation}).network.num_qubits == 40
    with pytest.raises(ResourceError, match=r"of 40 qubits does not fit .*'statevector' evolves parts"):
        make(preparation={"kind": "adiabatic"}, execution={"backend": "aer"})
    coupling = {"kind": "operator", "terms": [{"pauli": " ".join(f"Z{2 * k}" for k in range(20))}]}
    with pytest.raises(ResourceError, match="of 40 qubits does not fit in memory"):
        make(preparation={"kind": preparation}, cost=coupling)
