"""The statevector engine against Aer, against matrix exponentials, and its adjoint gradient against differences."""

import foreign
import numpy as np
import pytest
from qiskit.quantum_info import Statevector
from reference import random_states, run_program

from qep_qiskit.core.arithmetic import Arithmetic
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.program import CxLayer, Layer, LayerProgram, lower
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import energy_and_gradient, evolve
from qep_qiskit.evolution.phase_factors import phase_factors
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey, StatevectorExecutor
from qep_qiskit.execution.aer import AerExecutor
from qep_qiskit.network import ClampedInputs, IsingNetwork, chain, complete, heavy_hex, lattice, layered, ring
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation

GRAPHS = {
    "one spin": chain(1),
    "chain": chain(5),
    "ring": ring(4),
    "lattice": lattice(2, 3),
    "complete": complete(6),
    "layered": layered([2, 3, 1]),
    "heavy hex cell": chain(9),
}
RAMPS = [AdiabaticPreparation(steps=6, order=order, ramp=ramp) for order in (1, 2) for ramp in ("linear", "cosine")]


def bindings(graph, preparation, rng, states=5):
    """A batch on a random network with inputs: shared couplings and fields, everything else its own."""
    inputs = ClampedInputs.all_to(2, range(graph.num_spins))
    network = IsingNetwork(graph=graph, outputs=(graph.num_spins - 1,), inputs=inputs)
    weights = rng.normal(size=network.layout.num_weights)
    coefficients = network.coefficients(weights, rng.normal(size=(states, 2)))
    return CircuitStates(program=preparation.program(network.groups), parameters=coefficients)


@pytest.mark.parametrize("preparation", RAMPS, ids=lambda ramp: f"{ramp.ramp}-{ramp.order}")
@pytest.mark.parametrize("name", GRAPHS)
def test_states_equal_those_of_aer(name, preparation, rng):
    batch = bindings(GRAPHS[name], preparation, rng)
    found = evolve(batch.program, batch.parameters)
    assert np.abs(found - AerExecutor(Seeds(0)).vectors(batch)).max() < 1e-10


def free_program(basis_letters, masks, rng, depth=4):
    """Layers with a free angle for every generator, in groups of any basis."""
    groups = tuple(
        CommutingGroup(name=letters, basis=LocalBasis(letters), masks=found)
        for letters, found in zip(basis_letters, masks, strict=True)
    )
    layers, names = [], []
    for number in range(depth):
        group = number % len(groups)
        size = groups[group].num_terms
        source = np.arange(len(names), len(names) + size)
        names += [f"p{number}_{i}" for i in range(size)]
        layers.append(Layer(group=group, source=source, scale=rng.normal(size=size), offset=rng.normal(size=size)))
    initial = rng.normal(size=(len(basis_letters[0]), 2)) + 1j * rng.normal(size=(len(basis_letters[0]), 2))
    initial /= np.linalg.norm(initial, axis=1)[:, None]
    return LayerProgram(groups=groups, initial=initial, layers=tuple(layers), parameter_names=tuple(names))


KINDS = {
    "Ising": (("ZZZ", "XXX"), ((3, 6, 1), (1, 2, 4))),
    "Y fields": (("ZZZ", "YYY"), ((3, 5, 4), (1, 4))),
    "two bodies in X": (("XXX", "ZZZ"), ((3, 6, 7), (1, 7))),
    "mixed": (("ZXY", "YXZ", "ZZZ"), ((1, 7), (2, 5, 6), (7, 3))),
}


@pytest.mark.parametrize("shared", [True, False], ids=["shared angles", "own angles"])
@pytest.mark.parametrize("kind", KINDS)
def test_states_of_any_groups_equal_matrix_exponentials(kind, shared, rng):
    program = free_program(*KINDS[kind], rng)
    parameters = rng.normal(size=(1 if shared else 3, program.num_parameters))
    parameters = np.repeat(parameters, 3, axis=0) if shared else parameters
    expected = np.array([run_program(program, row) for row in parameters])
    assert np.abs(evolve(program, parameters) - expected).max() < 1e-12


def with_cx(program):
    """The same layers with CX gates in between; the second of three undoes nothing of the first."""
    one, two, *rest = program.layers
    layers = (one, CxLayer(((0, 1), (1, 2))), two, CxLayer(((2, 0),)), *rest, CxLayer(((1, 0), (0, 1), (1, 2))))
    return LayerProgram(
        groups=program.groups, initial=program.initial, layers=layers, parameter_names=program.parameter_names
    )


@pytest.mark.parametrize("kind", KINDS)
def test_layers_of_cx_equal_their_circuit(kind, rng):
    program = with_cx(free_program(*KINDS[kind], rng))
    parameters = rng.normal(size=(2, program.num_parameters))
    found = evolve(program, parameters)
    for row, state in zip(parameters, found, strict=True):
        expected = Statevector(lower(program).assign_parameters(row)).data
        assert abs(np.vdot(expected, state)) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("cx", [False, True], ids=["rotations", "with CX"])
@pytest.mark.parametrize("kind", KINDS)
def test_adjoint_gradient_equals_differences(kind, cx, rng):
    program = free_program(*KINDS[kind], rng)
    program = with_cx(program) if cx else program
    parameters = rng.normal(size=(3, program.num_parameters))
    terms = sum(group.num_terms for group in program.groups)
    coefficients = rng.normal(size=(3, terms))
    energies, gradient = energy_and_gradient(program, parameters, program.groups, coefficients)
    step = 1e-5
    for index in range(program.num_parameters):
        shift = step * np.eye(program.num_parameters)[index]
        high, low = (
            energy_and_gradient(program, parameters + s, program.groups, coefficients)[0] for s in (shift, -shift)
        )
        assert (high - low) / (2 * step) == pytest.approx(gradient[:, index], abs=1e-8)
    assert np.isfinite(energies).all()


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_penalised_projectors_are_part_of_energy_and_gradient(kind, levels, rng):
    program = free_program(*KINDS[kind], rng)
    parameters = rng.normal(size=(2, program.num_parameters))
    coefficients = rng.normal(size=(2, sum(group.num_terms for group in program.groups)))
    projectors = random_states(rng, 2, levels, 8)
    penalties = rng.uniform(1.0, 3.0, levels if levels == 1 else (2, levels))
    arguments = (program.groups, coefficients)
    options = {"projectors": projectors, "penalties": penalties}
    energies, gradient = energy_and_gradient(program, parameters, *arguments, **options)
    plain, _ = energy_and_gradient(program, parameters, *arguments)
    overlaps = np.einsum("slx,sx->sl", projectors.conj(), evolve(program, parameters))
    assert energies == pytest.approx(plain + (penalties * np.abs(overlaps) ** 2).sum(axis=1), abs=1e-12)
    step = 1e-5
    for index in range(program.num_parameters):
        shift = step * np.eye(program.num_parameters)[index]
        high, low = (energy_and_gradient(program, parameters + s, *arguments, **options)[0] for s in (shift, -shift))
        assert (high - low) / (2 * step) == pytest.approx(gradient[:, index], abs=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_adjoint_gradient_layer_by_layer_is_that_of_kept_layers(kind, rng, monkeypatch):
    program = with_cx(free_program(*KINDS[kind], rng))
    parameters = rng.normal(size=(2, program.num_parameters))
    coefficients = rng.normal(size=(2, sum(group.num_terms for group in program.groups)))
    kept = energy_and_gradient(program, parameters, program.groups, coefficients)
    monkeypatch.setattr("qep_qiskit.evolution.adjoint._KEPT_UP_TO_QUBITS", 0)
    monkeypatch.setattr("qep_qiskit.evolution.phase_factors._SIGNS_UP_TO_QUBITS", 0)
    found = energy_and_gradient(program, parameters, program.groups, coefficients)
    for one, other in zip(kept, found, strict=True):
        assert np.abs(one - other).max() < 1e-12


def test_adjoint_gradient_through_a_ramp(rng):
    """Every parameter of a ramp enters every layer: the chain rule adds them up."""
    batch = bindings(chain(4), AdiabaticPreparation(steps=5), rng)
    weights = rng.normal(size=batch.parameters.shape)
    groups = batch.program.groups
    _, gradient = energy_and_gradient(batch.program, batch.parameters, groups, weights)
    step = 1e-5
    for index in (0, 4, batch.parameters.shape[1] - 1):
        shift = step * np.eye(batch.parameters.shape[1])[index]
        high, low = (
            energy_and_gradient(batch.program, batch.parameters + s, groups, weights)[0] for s in (shift, -shift)
        )
        assert (high - low) / (2 * step) == pytest.approx(gradient[:, index], abs=1e-8)


WIDE = [chain(13), complete(13)]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("graph", WIDE, ids=["chain", "complete"])
def test_wide_states_equal_those_of_aer(graph, order, rng):
    """Wide registers go state by state, with phases that are scaled from layer to layer."""
    batch = bindings(graph, AdiabaticPreparation(steps=3, order=order, total_time=2.0), rng, states=3)
    found = evolve(batch.program, batch.parameters)
    assert np.abs(found - AerExecutor(Seeds(0)).vectors(batch)).max() < 1e-10


@pytest.mark.parametrize("states", [1, 3], ids=["shared angles", "own angles"])
@pytest.mark.parametrize("fields", [True, False], ids=["shared fields", "own fields"])
@pytest.mark.parametrize("name", GRAPHS)
def test_all_paths_lead_to_the_same_states(name, fields, states, rng, monkeypatch):
    """Tables of all layers or phases layer by layer, all states together or one after the other."""
    batch = bindings(GRAPHS[name], AdiabaticPreparation(steps=4), rng, states=states)
    parameters = batch.parameters + (0.0 if fields else 0.3 * rng.normal(size=batch.parameters.shape))
    expected = evolve(batch.program, parameters)
    monkeypatch.setattr("qep_qiskit.evolution.phase_factors._TABLE_AMPLITUDES", 0)
    assert np.abs(evolve(batch.program, parameters) - expected).max() < 1e-13
    monkeypatch.setattr("qep_qiskit.evolution.phase_factors._SIGNS_UP_TO_QUBITS", 0)
    assert np.abs(evolve(batch.program, parameters) - expected).max() < 1e-13
    monkeypatch.setattr("qep_qiskit.evolution.states._TOGETHER_UP_TO_QUBITS", 0)
    assert np.abs(evolve(batch.program, parameters) - expected).max() < 1e-13


def test_phases_have_length_one_at_any_angle(rng):
    angles = np.concatenate([rng.normal(size=1000), np.pi * np.arange(-6, 7) / 2, rng.normal(size=1000) * 1e6])
    phases = phase_factors(angles)
    assert np.abs(np.abs(phases) - 1.0).max() < 1e-14
    assert np.abs(phases - np.exp(-1j * angles)).max() < 1e-14


def test_batches_larger_than_a_chunk(rng):
    batch = bindings(chain(2), AdiabaticPreparation(steps=2), rng, states=40_000)
    found = evolve(batch.program, batch.parameters)
    some = [0, 32_767, 32_768, 39_999]
    assert np.abs(found[some] - evolve(batch.program, batch.parameters[some])).max() < 1e-14


def test_the_same_shots_as_on_aer(rng):
    """Equal states, seeds and keys give equal counts, up to rounding of probabilities: here none differs."""
    batch = bindings(chain(4), AdiabaticPreparation(steps=5), rng)
    measurements = tuple(
        GroupMeasurement(group=group, states=np.arange(5), shots=300) for group in batch.program.groups
    )
    request = Request(key=RequestKey("train", 3), prepared=batch, measurements=measurements)
    found = [executor(Seeds(4)) for executor in (AerExecutor, StatevectorExecutor)]
    one, other = (executor.collect(executor.submit(request)).outcomes for executor in found)
    for left, right in zip(one, other, strict=True):
        assert np.array_equal(left.weights, right.weights)


def test_heavy_hex_of_nineteen_spins_is_normalised(rng):
    batch = bindings(heavy_hex(3), AdiabaticPreparation(steps=1, total_time=0.3), rng, states=1)
    assert np.linalg.norm(evolve(batch.program, batch.parameters)) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("name", ["Ising", "mixed", "ramp", "wide"])
def test_kernels_take_their_array_library_from_one_place(name, precision, rng):
    """A library whose arrays mix with none of numpy, as those of a GPU."""
    if name in KINDS:
        program = with_cx(free_program(*KINDS[name], rng))
        parameters = rng.normal(size=(3, program.num_parameters))
    else:
        batch = bindings(complete(6 if name == "ramp" else 13), RAMPS[2], rng)
        program, parameters = batch.program, batch.parameters
    found = evolve(program, parameters, Arithmetic(precision=precision, library=foreign.library))
    assert type(found) is foreign.ForeignArray
    error = np.abs(found.view(np.ndarray) - evolve(program, parameters)).max()
    assert error < {"double": 1e-12, "single": 1e-5}[precision]
