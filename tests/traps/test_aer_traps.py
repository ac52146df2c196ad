"""Known traps of Aer and of the physics: they are still there, and the package does not walk into them."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from cases import NO_INPUTS, random_network
from chi_square import LIMIT, mean_p_value, variance_p_value
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit_aer.primitives import SamplerV2
from reference import random_states

from qep_qiskit.core.errors import DegenerateGroundStateWarning
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.program import Layer, LayerProgram, lower, to_circuit_per_gate
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.execution.aer import AerExecutor, aer_sampler_executor
from qep_qiskit.learning import Contrast, GradientDescent, GradientEstimator, Schedule, Update
from qep_qiskit.measurement import measure, run_measurements
from qep_qiskit.network import IsingNetwork, WeightInitialisation, chain
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation, ExactPreparation

SEED_STEP = 2113


def plus_states(num_qubits=4):
    """Sixteen equal outcomes, and a parameter that does nothing."""
    circuit = QuantumCircuit(num_qubits)
    circuit.h(range(num_qubits))
    circuit.rz(Parameter("a"), 0)
    circuit.measure_all()
    return circuit


def bits(seed, bindings=1, shots=200):
    pub = (plus_states(), np.zeros((bindings, 1)))
    return SamplerV2(seed=seed).run([pub], shots=shots).result()[0].data.meas.array


def test_trap_1_the_same_integer_seed_repeats_every_bit():
    assert np.array_equal(bits(11), bits(11))
    assert not np.array_equal(bits(11), bits(12))


def test_trap_1_binding_i_of_a_call_is_seeded_with_s_plus_2113_i():
    assert np.array_equal(bits(11, bindings=4)[1:], bits(11 + SEED_STEP, bindings=3))


def differences(executor, hamiltonian, weights, shots, repeats):
    """Means of the nudged minus those of the free phase, over repeats."""
    free = hamiltonian.free_coefficients(weights, NO_INPUTS)
    rows = np.concatenate([free, free + 0.05 * hamiltonian.operator_nudge(np.array([[0.5]]))[0]])
    groups = hamiltonian.groups
    prepared = CircuitStates(program=AdiabaticPreparation(total_time=2.0, steps=4).program(groups), parameters=rows)

    def once(step, shots):
        key = RequestKey("trap", step)
        work = measure(groups, prepared, shape=(1, 2), phases={0: [0, 1], 1: [0, 1]}, shots=[shots] * 2, key=key)
        means = run_measurements(work, executor if shots else AerExecutor(Seeds(0)))[0].means[0]
        return means[1] - means[0], ((1 - means**2) / (shots or 1)).sum(axis=0)

    exact, variance = once(0, None)
    return np.array([once(step, shots)[0] for step in range(repeats)]), exact, variance / shots


@pytest.mark.deep(but=["AerExecutor"])
@pytest.mark.parametrize("make", [AerExecutor, aer_sampler_executor])
def test_trap_1_nudged_minus_free_has_its_full_variance(make, rng):
    network, weights = random_network(chain(3), rng)
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error((2,), 3))
    found, exact, variance = differences(make(Seeds(8)), hamiltonian, weights, shots=100, repeats=150)
    assert mean_p_value(found, exact, variance) > LIMIT
    assert variance_p_value(found, variance) > LIMIT


@pytest.mark.deep
def test_trap_1_would_be_noticed(rng, monkeypatch):
    """Under one integer seed for both phases the difference is too quiet, and the chi-square says so."""
    network, weights = random_network(chain(3), rng)
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error((2,), 3))
    executor = aer_sampler_executor(Seeds(8))
    bits = executor._bits

    def one_phase_at_a_time(request, prepared, measurement, shots):
        rows = [replace(measurement, states=measurement.states[[phase]]) for phase in (0, 1)]
        return np.concatenate([bits(request, prepared, row, shots) for row in rows])

    monkeypatch.setattr(executor, "_bits", one_phase_at_a_time)
    found, _, variance = differences(executor, hamiltonian, weights, shots=100, repeats=60)
    assert variance_p_value(found, variance) < LIMIT


SIZE = 3
GROUPS = (
    CommutingGroup(name="Z", basis=LocalBasis("ZZZ"), masks=(0b001, 0b110, 0b111)),
    CommutingGroup(name="X", basis=LocalBasis("XXX"), masks=(0b010, 0b101, 0b111)),
    CommutingGroup(name="Y", basis=LocalBasis("YYY"), masks=(0b100, 0b011, 0b111)),
    CommutingGroup(name="XYZ", basis=LocalBasis("XYZ"), masks=(0b011, 0b110, 0b111)),
)
EMITTED = {"h", "x", "s", "sdg", "cx", "rx", "ry", "rz", "rxx", "rzz"}


def every_rotation(rng):
    """A program with every kind of word that lowering knows."""
    layers = [
        Layer(group=g, source=np.arange(3) + 3 * g, scale=rng.normal(size=3), offset=rng.normal(size=3))
        for g in range(len(GROUPS))
    ]
    names = tuple(f"p{i}" for i in range(3 * len(GROUPS)))
    return LayerProgram(
        groups=GROUPS, initial=random_states(rng, SIZE, 2), layers=(*layers, *layers), parameter_names=names
    )


@pytest.mark.parametrize("synthesis", [lower, to_circuit_per_gate])
def test_trap_2_lowering_knows_only_rotations_that_bind_rightly(synthesis, rng):
    circuit = synthesis(every_rotation(rng))
    assert {instruction.operation.name for instruction in circuit.data} <= EMITTED
    assert {i.operation.name for i in circuit.data if is_parametrised(i)} == {"rx", "ry", "rz", "rxx", "rzz"}


def is_parametrised(instruction):
    return any(getattr(parameter, "parameters", None) for parameter in instruction.operation.params)


@pytest.mark.parametrize("synthesis", [lower, to_circuit_per_gate])
def test_trap_2_values_bound_by_a_pub_are_values_bound_before(synthesis, rng):
    circuit = synthesis(every_rotation(rng))
    circuit.measure_all()
    values = rng.normal(size=(3, circuit.num_parameters))
    together = SamplerV2(seed=5).run([(circuit, values)], shots=2000).result()[0].data.meas.array
    for i, row in enumerate(values):
        alone = SamplerV2(seed=5 + SEED_STEP * i).run([circuit.assign_parameters(row)], shots=2000).result()
        assert np.array_equal(together[i], alone[0].data.meas.array)


@pytest.mark.parametrize("gate", ["crx", "cry", "crz", "cp"])
def test_trap_2_controlled_rotations_still_bind_wrongly(gate):
    """The reason why lowering emits none. If this fails, Aer has been mended."""
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    getattr(circuit, gate)(Parameter("a"), 0, 1)
    circuit.h([0, 1])
    circuit.measure_all()
    together = SamplerV2(seed=5).run([(circuit, [1.3])], shots=2000).result()[0].data.meas.get_counts()
    alone = SamplerV2(seed=5).run([circuit.assign_parameters([1.3])], shots=2000).result()[0].data.meas.get_counts()
    assert together == {"00": 2000}
    assert alone["00"] < 1900


def doublet():
    """A chain whose couplings dominate, with nothing that tells up from down."""
    network = IsingNetwork(graph=chain(4), outputs=(3,), biases=None)
    weights = network.weights_from({f"J[{k},{k + 1}]": 3.0 for k in range(3)} | {f"h[{k}]": 0.01 for k in range(4)})
    return NudgedHamiltonian(network, LossOnExpectations.on_spins((3,), 4)), weights


def test_trap_9_a_ground_state_that_may_jump_is_told():
    hamiltonian, weights = doublet()
    assert hamiltonian.flip_symmetric(weights, NO_INPUTS).all()
    with pytest.warns(DegenerateGroundStateWarning):
        ExactPreparation().solve(hamiltonian.groups, hamiltonian.free_coefficients(weights, NO_INPUTS))


def test_trap_9_a_bias_ends_it():
    network = IsingNetwork(graph=chain(4), outputs=(3,))
    named = {f"J[{k},{k + 1}]": 3.0 for k in range(3)} | {f"h[{k}]": 0.01 for k in range(4)} | {"b[0]": 0.1}
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations.on_spins((3,), 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = hamiltonian.free_coefficients(network.weights_from(named), NO_INPUTS)
        ExactPreparation().solve(hamiltonian.groups, rows)
    assert not hamiltonian.flip_symmetric(network.weights_from(named), NO_INPUTS).any()


@pytest.mark.parametrize(("fields", "frozen_out"), [({}, False), ({"fields": WeightInitialisation(mean=1.0)}, True)])
def test_trap_10_fields_keep_a_floor_unless_it_is_taken_away(fields, frozen_out):
    network = IsingNetwork(
        graph=chain(2),
        outputs=(1,),
        couplings=WeightInitialisation(mean=0.2),
        biases=WeightInitialisation(mean=0.2),
        **fields,
    )
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error((0, 1), 2))
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=Contrast(beta=0.05), shots=None
    )
    update = Update(optimizer=GradientDescent(), schedule=Schedule(learning_rate=0.3))
    weights, executor, targets = network.layout.initial(Seeds(0)), VectorExecutor(Seeds(0)), np.array([[1.0, 1.0]])
    options = {"total_steps": 60, "trainable": network.layout.trainable(), "bounds": network.layout.bounds()}
    for step in range(60):
        work = estimator.estimate(weights, NO_INPUTS, targets, RequestKey("trap", step))
        weights, _ = update.apply(weights, run_measurements(work, executor)[0].gradient, {}, step=step, **options)
    lowest = weights[network.layout.slice_of("h")].min()
    assert (lowest < 0.09) if frozen_out else (lowest == 0.1)


def test_trap_14_a_state_is_evolved_once_for_all_groups(rng, monkeypatch):
    network, weights = random_network(chain(3), rng)
    prepared = CircuitStates(
        program=AdiabaticPreparation(steps=3).program(network.groups),
        parameters=np.repeat(network.coefficients(weights, NO_INPUTS), 5, axis=0),
    )
    executor, evolved = AerExecutor(Seeds(0)), []
    run = executor._simulator.run

    def counting(circuits, **options):
        evolved.append(len(next(iter(options["parameter_binds"][0].values()))))
        return run(circuits, **options)

    monkeypatch.setattr(executor._simulator, "run", counting)
    every = {0: range(5), 1: range(5)}
    work = measure(network.groups, prepared, shape=(1, 5), phases=every, shots=[10, 10], key=RequestKey("trap", 0))
    run_measurements(work, executor)
    assert evolved == [5]
