"""The backend ``mps`` against the statevector engine, free fermions and its own truncation."""

import json

import numpy as np
import pytest
from cases import GRAPHS, NO_INPUTS, random_network
from chi_square import LIMIT, counts_p_value
from gaussian import ramped_means
from qiskit.quantum_info import SparsePauliOp
from reference import is_right_canonical
from warned import warns

from qep_qiskit.cli import main
from qep_qiskit.config import build, check_config
from qep_qiskit.core.clifford import CliffordBasis
from qep_qiskit.core.errors import ConfigError, ResourceError, TruncatedStateWarning
from qep_qiskit.core.fourier import FourierBasis, Register
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.program import Layer, LayerProgram
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import evolve
from qep_qiskit.evolution.evolving_state import BondLimits
from qep_qiskit.evolution.matrix_products import evolve_as_matrix_products
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey, StatevectorExecutor
from qep_qiskit.execution.matrix_products import MatrixProductExecutor
from qep_qiskit.network import chain, complete, heavy_hex_patch, lattice
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation, HardwareEfficient

WIDE = {"complete of 10": complete(10), "lattice of 12": lattice(3, 4), "heavy-hex of 12": heavy_hex_patch(12)}
NARROW = {name: graph for name, graph in GRAPHS.items() if graph.num_spins < 10}
FULL = BondLimits(truncation=0.0)
RAMP = AdiabaticPreparation(total_time=3.0, steps=6)


def measured(executor, states, groups, shots=None):
    measurements = tuple(
        GroupMeasurement(group=group, states=np.arange(states.num_states), shots=shots) for group in groups
    )
    return executor.collect(
        executor.submit(Request(key=RequestKey("test", 0), prepared=states, measurements=measurements))
    )


def ramped(graph, rng, ramp=RAMP):
    network, weights = random_network(graph, rng)
    rows = network.coefficients(weights, NO_INPUTS)
    return CircuitStates(program=ramp.program(network.groups), parameters=rows), network.groups


def assert_same_states(program, rows):
    vectors = evolve(program, rows)
    for state, vector in zip(evolve_as_matrix_products(program, rows, FULL), vectors, strict=True):
        assert is_right_canonical(state)
        found = state.vector()
        assert np.abs(found * np.exp(-1j * np.angle(np.vdot(vector, found))) - vector).max() < 1e-8
        assert state.discarded < 1e-12


@pytest.mark.parametrize("name", [*NARROW, *WIDE])
def test_ramps_on_all_graphs_are_those_of_the_engine(name, rng):
    states, _ = ramped((NARROW | WIDE)[name], rng)
    assert_same_states(states.program, states.parameters)


def random_program(rng, *groups, num_qubits):
    layers = []
    for index, group in enumerate(groups):
        own = {"source": np.arange(group.num_terms), "scale": rng.normal(size=group.num_terms)}
        layers.append(Layer(group=index, offset=rng.normal(size=group.num_terms), **own))
    initial = rng.normal(size=(num_qubits, 2)) + 1j * rng.normal(size=(num_qubits, 2))
    initial /= np.linalg.norm(initial, axis=1, keepdims=True)
    names = tuple(f"p{k}" for k in range(max(group.num_terms for group in groups)))
    return LayerProgram(groups=groups, initial=initial, layers=tuple(layers), parameter_names=names)


def letters(text, *masks):
    return CommutingGroup(name=text, basis=LocalBasis(text), masks=masks)


BELL = CliffordBasis(6, (("cx", (4, 1)), ("h", (4,)), ("s", (0,)), ("swap", (0, 3)), ("cz", (2, 5)), ("sdg", (3,))))
PAIRED = CommutingGroup(name="pairs", basis=BELL, masks=(0b000010, 0b010010, 0b101001, 0b111111))
MIXED = letters("XYZZYX", 0b000011, 0b100101, 0b101111, 0b111111, 0b010000)


def test_products_of_many_letters_and_clifford_bases_are_those_of_the_engine(rng):
    spread = letters("Z" * 6, 0b100001, 0b001100, 0b111000, 0b010010, 0b001000)
    program = random_program(rng, spread, MIXED, PAIRED, spread, num_qubits=6)
    assert_same_states(program, rng.normal(size=(2, program.num_parameters)))


@pytest.mark.parametrize("entanglement", ["linear", "circular"])
def test_circuits_of_cx_gates_are_those_of_the_engine(entanglement, rng):
    program = HardwareEfficient(3, entanglement).program([letters("Z" * 7, 1)])
    assert_same_states(program, rng.normal(size=(2, program.num_parameters)))


def test_exact_means_and_shots_of_every_group_are_those_of_the_engine(rng):
    program = random_program(rng, letters("Z" * 6, 0b110000, 0b000110, 0b011000), MIXED, PAIRED, num_qubits=6)
    states = CircuitStates(program=program, parameters=rng.normal(size=(3, program.num_parameters)))
    groups = [letters("Z" * 6, 1, 0b111111), MIXED, PAIRED]
    engine, own = StatevectorExecutor(Seeds(0)), MatrixProductExecutor(Seeds(0), BondLimits(truncation=0.0))
    exact, found = measured(engine, states, groups), measured(own, states, groups)
    for place, group in enumerate(groups):
        np.testing.assert_allclose(found.moments(place, group).means, exact.moments(place, group).means, atol=1e-8)
    shots = measured(own, states, groups, 20_000)
    for drawn, distribution in zip(shots.outcomes, exact.outcomes, strict=True):
        for row in range(3):
            counts = np.bincount(drawn.bits[row, :, 0], minlength=64)
            assert counts_p_value(counts, distribution.weights[row]) > LIMIT


def test_states_that_are_not_asked_for_are_not_evolved_and_equal_ones_once(rng, monkeypatch):
    states, groups = ramped(NARROW["ring"], rng)
    four = CircuitStates(program=states.program, parameters=states.parameters[[0, 0, 0]] * [[1.0], [1.0], [0.5]])
    made = []
    monkeypatch.setattr(
        "qep_qiskit.execution.matrix_products.evolve_as_matrix_products",
        lambda program, rows, limits: made.append(len(rows)) or evolve_as_matrix_products(program, rows, limits),
    )
    one = GroupMeasurement(group=groups[0], states=np.array([1, 0]), shots=5)
    request = Request(key=RequestKey("test", 0), prepared=four, measurements=(one,))
    executor = MatrixProductExecutor(Seeds(0))
    outcomes = executor.collect(executor.submit(request)).outcomes[0]
    assert made == [1]
    assert outcomes.bits.shape == (2, 5, 1)


@pytest.mark.parametrize("bond", [4, 6, 8, 12])
def test_the_discarded_weight_bounds_the_infidelity(bond, rng):
    """Cuts of one bond are not independent: what they discard together is more than what the state loses."""
    states, _ = ramped(lattice(3, 4), rng, AdiabaticPreparation(total_time=6.0, steps=8))
    (vector,) = evolve(states.program, states.parameters)
    (state,) = evolve_as_matrix_products(states.program, states.parameters, BondLimits(max_bond_dimension=bond))
    assert max(state.bond_dimensions) == bond
    infidelity = 1.0 - abs(np.vdot(vector, state.vector())) ** 2
    assert infidelity > 1e-6
    assert infidelity < state.discarded < 10.0 * infidelity


def test_truncation_keeps_bonds_small(rng):
    """What one cut discards stays below the limit, and a larger limit gives smaller bonds."""
    states, _ = ramped(lattice(3, 4), rng)
    sizes = []
    for truncation in (1e-12, 1e-8, 1e-4):
        (state,) = evolve_as_matrix_products(states.program, states.parameters, BondLimits(truncation=truncation))
        cuts = 12 * len(states.program.layers) * 4
        assert state.discarded < cuts * truncation
        sizes.append(sum(state.bond_dimensions))
    assert sizes[0] > sizes[1] > sizes[2]


def test_a_state_that_loses_too_much_is_a_warning(rng):
    states, groups = ramped(lattice(3, 4), rng)
    with warns(TruncatedStateWarning, "raise execution.max_bond_dimension", detail="a state lost 0"):
        data = measured(MatrixProductExecutor(Seeds(0), BondLimits(max_bond_dimension=1)), states, groups)
    assert 0.01 < data.discarded < 1.0


def test_a_chain_of_a_hundred_is_that_of_free_fermions(rng):
    graph = chain(100)
    network, weights = random_network(graph, rng, biases=None)
    cost = OperatorCost.from_operator(SparsePauliOp(["ZZ" + "I" * 98]))
    hamiltonian = NudgedHamiltonian(network, cost)
    rows = hamiltonian.free_coefficients(weights, NO_INPUTS)
    program = AdiabaticPreparation(total_time=4.0, steps=10).program(hamiltonian.groups)
    executor = MatrixProductExecutor(Seeds(0), BondLimits(truncation=1e-18))
    found = measured(executor, CircuitStates(program=program, parameters=rows), hamiltonian.groups)
    means = np.concatenate([found.moments(place, group).means[0] for place, group in enumerate(hamiltonian.groups)])
    np.testing.assert_allclose(means, ramped_means(program, rows[0], hamiltonian.terms), atol=1e-8)


def test_failures_of_the_fast_decomposition_take_the_slow_one(rng, monkeypatch):
    states, _ = ramped(NARROW["ring"], rng)
    (expected,) = evolve_as_matrix_products(states.program, states.parameters, FULL)

    def fails(*args, **options):
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setattr("numpy.linalg.svd", fails)
    (found,) = evolve_as_matrix_products(states.program, states.parameters, FULL)
    assert abs(found.overlap(expected)) == pytest.approx(1.0, abs=1e-12)


def test_position_grids_are_refused():
    group = CommutingGroup(name="momenta", basis=FourierBasis(3, (Register(0, 3),)), masks=(1,))
    program = random_program(np.random.default_rng(0), group, num_qubits=3)
    with pytest.raises(ConfigError, match=r"execution\.backend: 'mps' takes bases of letters"):
        evolve_as_matrix_products(program, np.zeros((1, 1)), FULL)


CONFIG = {
    "task": {"kind": "xor"},
    "network": {"graph": "heavy_hex", "num_spins": 6, "outputs": [5], "inputs": {"spins": [3, 4]}},
    "preparation": {"kind": "adiabatic", "total_time": 1.0, "steps": 2},
    "execution": {"backend": "mps", "max_bond_dimension": 8},
}


def configured(**sections):
    return build(check_config(CONFIG | sections, "run.toml"))


@pytest.mark.parametrize(
    ("execution", "message"),
    [
        ({"backend": "aer", "truncation": 1e-3}, "execution.truncation: goes with backend = 'mps' only, got 'aer'"),
        ({"backend": "mps", "truncation": 1.0}, "execution.truncation: "),
        ({"backend": "mps", "max_bond_dimension": 0}, "execution.max_bond_dimension: "),
        ({"backend": "mps", "method": "matrix_product_state"}, "execution.method: does not go with backend = 'mps'"),
        ({"backend": "mps", "noise": {"two_qubit": 0.1}}, "'mps' is ideal"),
        ({"backend": "mps", "mitigation": {"readout": "calibrated"}}, "execution.mitigation.readout: "),
        ({"backend": "statevector", "max_bond_dimension": 8}, "execution.max_bond_dimension: goes with method"),
    ],
)
def test_bad_keys_are_one_line(execution, message):
    with pytest.raises(ConfigError) as caught:
        configured(execution=execution)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("bond", "states"), [(1 << 20, 1), (4096, 100)])
def test_what_does_not_fit_is_refused(bond, states):
    executor = MatrixProductExecutor(Seeds(0), BondLimits(max_bond_dimension=bond))
    with pytest.raises(ResourceError, match=r"execution\.max_bond_dimension: .* of 150 qubits and bond dimension"):
        executor.check_memory(150, states)
    network = {"graph": "chain", "num_spins": 150, "outputs": [149], "inputs": {"spins": [148]}}
    with pytest.raises(ResourceError, match=r"execution\.max_bond_dimension: "):
        configured(network=network, execution={"backend": "mps", "max_bond_dimension": 1 << 20})


@pytest.mark.parametrize("shots", [500, "exact"])
def test_a_run_that_stops_and_goes_on_is_the_run_in_one(shots):
    parts = {"measurement": {"shots": shots}, "training": {"epochs": 3, "batch_size": 2}}
    whole = configured(**parts).trainer()
    whole.run()
    experiment = configured(**parts)
    stopped = configured(**parts | {"training": {"epochs": 1, "batch_size": 2}}).trainer()
    stopped.run()
    again = experiment.trainer(state=stopped.state)
    again.run()
    np.testing.assert_array_equal(again.weights, whole.weights)


def test_wide_registers_are_compared_with_twice_the_bond_dimension(capsys, tmp_path):
    config = tmp_path / "wide.toml"
    config.write_text(WIDE_CONFIG, encoding="utf-8")
    words = ["gradient", str(config), "--sample", "0", "--compare", "exact"]
    assert main([*words, "--json", "--set", "execution.max_bond_dimension=2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["finer_bond_dimension"] == 4
    assert 0.0 < found["finer_discarded_weight"] < found["diagnostics"]["discarded_weight"] / 3
    assert 0.0 < found["relative_error"] < 0.3
    capsys.readouterr()
    assert main(words) == 0
    assert "against the contrast with bonds of 128: relative error" in " ".join(capsys.readouterr().out.split())


WIDE_CONFIG = """
[task]
kind = "xor"
[network]
graph = "heavy_hex"
num_spins = 24
outputs = [5]
inputs = { spins = [3, 4] }
couplings = { distribution = "constant", mean = 0.4 }
[preparation]
kind = "adiabatic"
total_time = 1.8
steps = 3
[measurement]
shots = "exact"
[execution]
backend = "mps"
"""
