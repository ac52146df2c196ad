"""The same Hamiltonian in other units of energy: all of H, beta, temperature and 1/time times 1e-12 or 1e12."""

from dataclasses import dataclass

import numpy as np
import pytest

import qep_qiskit as qep
from qep_qiskit.budget.problem import true_gradient
from qep_qiskit.continuous.equilibrium import EquilibriumPreparation
from qep_qiskit.continuous.executor import CoordinateExecutor
from qep_qiskit.continuous.grid_energies import GridEnergies
from qep_qiskit.continuous.grid_network import GridNetwork
from qep_qiskit.continuous.on_grid import OnGrid
from qep_qiskit.continuous.oscillator_layers import OscillatorProduct
from qep_qiskit.continuous.oscillators import GaussianPreparation, variance_of
from qep_qiskit.continuous.position_grid import PositionGrid
from qep_qiskit.continuous.split_operator import SplitOperatorPreparation
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, StatevectorExecutor, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator, first_beta
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.learning.fluctuations import FluctuationEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import WeightInitialisation, chain, complete, from_edges
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import (
    AdiabaticPreparation,
    AnnealingPreparation,
    ExactPreparation,
    ExactSearch,
    ThermalPreparation,
)

UNITS = (1e-12, 1e12)
INPUTS, TARGETS = np.array([[0.6, -0.4], [-1.0, 0.8]]), np.array([[0.3], [-0.5]])


@dataclass(frozen=True)
class Problem:
    """A network in some unit of energy.

    Args:
        hamiltonian: Network and cost.
        weights: In that unit.
        preparation: How its states are reached.
        powers: Shape (weights,): a weight is proportional to so many powers of the unit.
    """

    hamiltonian: NudgedHamiltonian
    weights: np.ndarray
    preparation: object
    powers: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray


def of(network, cost, values, preparation, unit, powers=1.0, inputs=INPUTS):
    powers = np.broadcast_to(np.asarray(powers, dtype=float), np.shape(values))
    weights = np.asarray(values) * unit**powers
    return Problem(NudgedHamiltonian(network, cost), weights, preparation, powers, inputs, TARGETS)


def ising(unit, preparation, fields=True, cost="loss"):
    start = {
        "couplings": WeightInitialisation(),
        "biases": WeightInitialisation(),
        "fields": WeightInitialisation() if fields else None,
    }
    inputs = qep.ClampedInputs.all_to(2, (0, 1))
    network = qep.IsingNetwork(graph=complete(3), outputs=(2,), inputs=inputs, **start)
    values = np.random.default_rng(1).normal(size=network.layout.num_weights)
    values[network.layout.slice_of("h")] = 1.0 + 0.1 * np.arange(network.num_qubits) if fields else []
    if cost == "loss":
        aim = qep.LossOnExpectations.on_outputs(network)
    elif cost == "tiny terms":
        words = [("Z2", 1.0, 0), ("X0 Y1", 1e-9, None), ("Z0 Z2", 3e-9, None)]
        terms = [qep.CostTerm(string=PauliString.parse(w), coefficient=c, target=t) for w, c, t in words]
        aim = qep.OperatorCost.from_terms(terms, network.num_qubits)
    else:
        aim = qep.OperatorCost.squared_error_of(network)
    return of(network, aim, values, preparation, unit)


def pauli(unit, preparation, entangling=False):
    """Tied weights, a weight times an input, fixed terms with and without inputs, and a constant."""
    from qiskit.quantum_info import SparsePauliOp

    parts = (
        qep.Interaction(operator=SparsePauliOp(["IZZ", "ZZI"], [1.0, 0.3]), weight="a"),
        qep.Interaction(operator=SparsePauliOp(["IIX", "IXI", "YYI"], [-1.0, -0.8, 1e-9]), weight="b"),
        qep.Interaction(operator=SparsePauliOp(["IIZ", "III"], [1.0, 0.2]), weight="c", input=0),
        qep.Interaction(operator=SparsePauliOp(["XII", "XXI"], [-0.9 * unit, 0.2 * unit])),
        qep.Interaction(operator=SparsePauliOp(["ZII", "IZI"], [0.4 * unit, 1e-3 * unit]), input=1),
    )
    network = qep.PauliNetwork(
        interactions=parts, outputs=(2,), num_inputs=2, start=WeightInitialisation(), entangling=entangling
    )
    return of(network, qep.LossOnExpectations.on_outputs(network), [0.5, 1.0, 0.7], preparation, unit)


def springs(unit, preparation_of, kind="oscillators", **changes):
    """k, a, f are energies over lengths; hbar stays, so masses go with the inverse."""
    soft = WeightInitialisation(mean=unit, minimum=1e-3 * unit)
    network = qep.SpringNetwork(
        graph=from_edges(4, [(0, 1), (1, 2), (2, 3), (1, 3), (0, 2)]),
        outputs=(3,),
        clamped=(0,),
        inputs=((0, 0),),
        anchored=(3,),
        springs=soft,
        anchors=soft,
        masses=WeightInitialisation(mean=1 / unit, minimum=1e-3 / unit, frozen=True),
        **changes,
    )
    layout = network.layout
    powers = np.array([0.0 if name.startswith("l") else 1.0 for name in layout.names])
    values = 1.0 + 0.1 * np.arange(layout.num_weights)
    problem = of(network, qep.OperatorCost.squared_error_of(network), values, None, unit, powers, inputs=INPUTS[:, :1])
    return Problem(**{**problem.__dict__, "preparation": preparation_of(network, problem.weights, unit)})


def grid(unit, preparation_of):
    soft = WeightInitialisation(mean=unit, minimum=1e-3 * unit)
    atoms = qep.SpringNetwork(
        graph=chain(3),
        outputs=(2,),
        clamped=(0,),
        inputs=((0, 0),),
        anchored=(2,),
        springs=soft,
        anchors=soft,
        forces=WeightInitialisation(),
        masses=WeightInitialisation(mean=1 / unit, minimum=1e-3 / unit),
    )
    values, powers = np.array([1.0, 1.5, 0.5, 0.2, -0.1, 1.0, 1.2]), np.array([1.0] * 5 + [-1.0] * 2)
    weights = values * unit**powers
    found = PositionGrid.around(variance_of(atoms, weights, INPUTS[:, :1]), num_qubits=4)
    network = GridNetwork(atoms=atoms, grid=found)
    cost = qep.OperatorCost.squared_error_of(network)
    hamiltonian = NudgedHamiltonian(network, cost)
    rows = hamiltonian.free_coefficients(weights, INPUTS[:, :1])
    preparation = OnGrid(preparation=preparation_of(found, hamiltonian, rows, unit), grid=found)
    return of(network, cost, values, preparation, unit, powers, inputs=INPUTS[:, :1])


def ramp(unit, **options):
    return AdiabaticPreparation(total_time=6.0 / unit, steps=30, driver_field=unit, **options)


def split_operator(grid, hamiltonian, rows, unit):
    driver = OscillatorProduct.like(GridEnergies.of(grid, hamiltonian.groups, rows))
    return SplitOperatorPreparation(driver=driver, total_time=5.0 / unit, steps=10)


PROBLEMS = {
    "ising": lambda unit: ising(unit, ExactPreparation()),
    "ising, squared error": lambda unit: ising(unit, ExactPreparation(), cost="operator"),
    "ising, tiny terms of the cost": lambda unit: ising(unit, ExactPreparation(), cost="tiny terms"),
    "ising, level 1": lambda unit: ising(unit, ExactPreparation(level=1)),
    "ising, Lanczos": lambda unit: ising(unit, ExactPreparation(solver="lanczos")),
    "ising, ramp": lambda unit: ising(unit, ramp(unit)),
    "ising, Gibbs states": lambda unit: ising(unit, ThermalPreparation(0.4 * unit)),
    "classical": lambda unit: ising(unit, ExactSearch(), fields=False),
    "classical, annealed": lambda unit: ising(unit, AnnealingPreparation(seeds=Seeds(1)), fields=False),
    "classical, Gibbs states": lambda unit: ising(unit, ThermalPreparation(0.4 * unit), fields=False),
    "pauli": lambda unit: pauli(unit, ExactPreparation()),
    "pauli, entangling groups": lambda unit: pauli(unit, ExactPreparation(), entangling=True),
    "pauli, ramp": lambda unit: pauli(unit, ramp(unit)),
    "oscillators": lambda unit: springs(unit, lambda network, weights, unit: GaussianPreparation(hbar=1.0)),
    "elastic": lambda unit: springs(
        unit, lambda network, weights, unit: EquilibriumPreparation(rest_positions=network.rest_positions), "elastic"
    ),
    "elastic, rest lengths": lambda unit: springs(
        unit,
        lambda network, weights, unit: EquilibriumPreparation(rest_positions=network.rest_positions),
        "elastic",
        rest_positions=np.array([[0.0], [1.0], [2.1], [3.3]]),
        rest_lengths=WeightInitialisation(minimum=0.0),
    ),
    "grid": lambda unit: grid(unit, lambda *_: ExactPreparation()),
    "grid, ramp": lambda unit: grid(unit, split_operator),
}


def estimated(problem, unit, shots=None, beta=0.2):
    estimator = GradientEstimator(
        hamiltonian=problem.hamiltonian,
        preparation=problem.preparation,
        contrast=Contrast(kind="four_point", beta=beta * unit),
        shots=shots,
        measures_free_cost=True,
    )
    work = estimator.estimate(problem.weights, problem.inputs, problem.targets, RequestKey("test", 0))
    atoms = problem.hamiltonian.num_qubits == 0
    return run_measurements(work, (CoordinateExecutor if atoms else StatevectorExecutor)(Seeds(3)))[0]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_gradients_are_the_same_in_other_units(name, unit):
    here, there = PROBLEMS[name](1.0), PROBLEMS[name](unit)
    expected, found = estimated(here, 1.0), estimated(there, unit)
    scaled = found.gradient * unit**there.powers
    assert np.linalg.norm(expected.gradient) > 1e-3
    assert np.allclose(scaled, expected.gradient, rtol=0, atol=1e-9 * np.abs(expected.gradient).max())
    assert found.cost.mean == pytest.approx(expected.cost.mean, rel=1e-9)
    assert found.diagnostics.jumps == expected.diagnostics.jumps
    assert found.diagnostics.chi * unit == pytest.approx(expected.diagnostics.chi, rel=1e-6, nan_ok=True)
    assert found.diagnostics.lower == pytest.approx(expected.diagnostics.lower, rel=1e-6, nan_ok=True)


def variational(unit, **options):
    """A gradient by an ansatz in units of its own, and the residual of its states."""
    settings = {"ansatz": qep.HamiltonianVariational(depth=2), "seeds": Seeds(5)} | options
    problem = ising(unit, qep.VariationalPreparation(**settings))
    found = estimated(problem, unit)
    return found.gradient * unit, found.diagnostics.residual / unit


@pytest.mark.parametrize("unit", [2.0**-40, 2.0**40])
@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("ansatz", [qep.HardwareEfficient(depth=2), qep.HamiltonianVariational(depth=2)])
def test_variational_states_are_the_same_in_other_units(unit, level, ansatz):
    """In powers of two, so that a descent takes the very same steps."""
    (found, residual), (expected, same) = (
        variational(u, ansatz=ansatz, level=level, tolerance=1e-7 * u) for u in (unit, 1.0)
    )
    assert np.array_equal(found, expected)
    assert residual == same


@pytest.mark.parametrize("unit", UNITS)
def test_variational_states_are_the_same_in_units_that_are_no_powers_of_two(unit):
    """Descents start at the same angles up to rounding, which they amplify up to the tolerance."""
    found, expected = (variational(u, tolerance=1e-11 * u)[0] for u in (unit, 1.0))
    assert np.allclose(found, expected, rtol=0, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("unit", [*UNITS, 2.0**40])
def test_an_ansatz_starts_at_the_same_angles_in_any_unit(unit):
    rows = np.random.default_rng(1).normal(size=(3, ising(1.0, None).hamiltonian.num_terms))
    groups, ansatz = ising(1.0, None).hamiltonian.groups, qep.HamiltonianVariational(depth=3)
    one, other = (ansatz.cold_start(groups, rows * u, 0, np.random.default_rng(2)) for u in (1.0, unit))
    assert np.allclose(one, other, rtol=1e-14, atol=1e-14)
    assert (unit != 2.0**40) or np.array_equal(one, other)


REFERENCES = {
    "ising": {},
    "ising, squared error": {},
    "ising, level 1": {"level": 1},
    "ising, Gibbs states": {"temperature": 0.4},
    "classical, Gibbs states": {"temperature": 0.4},
    "pauli": {},
    "oscillators": {"reference": True},
    "elastic": {"reference": True},
    "elastic, rest lengths": {"reference": True},
    "grid": {},
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", REFERENCES)
def test_exact_gradients_are_the_same_in_other_units(name, unit):
    def gradient(unit):
        problem, options = PROBLEMS[name](unit), dict(REFERENCES[name])
        if "reference" in options:
            options["reference"] = problem.preparation
        if "temperature" in options:
            options["temperature"] *= unit
        found = exact_gradient(problem.hamiltonian, problem.weights, problem.inputs, problem.targets, **options)
        return found.gradient * unit**problem.powers

    assert np.allclose(gradient(unit), gradient(1.0), rtol=0, atol=1e-9 * np.abs(gradient(1.0)).max())


@pytest.mark.parametrize("unit", UNITS)
def test_scales_of_nudges_follow_the_unit(unit):
    here, there = ising(1.0, ExactPreparation()), ising(unit, ExactPreparation())
    scales, truths = [], []
    for problem in (here, there):
        data = (problem.weights, problem.inputs, problem.targets)
        scales.append(first_beta(problem.hamiltonian, *data))
        estimator = GradientEstimator(
            hamiltonian=problem.hamiltonian, preparation=problem.preparation, contrast=Contrast(), shots=None
        )
        truths.append(true_gradient(estimator, StatevectorExecutor(Seeds(1)), *data, level=None).gradient)
    assert scales[1] == pytest.approx(unit * scales[0], rel=1e-12)
    assert np.allclose(truths[1] * unit, truths[0], rtol=0, atol=1e-9 * np.abs(truths[0]).max())


@pytest.mark.parametrize("unit", UNITS)
def test_a_broken_symmetry_is_seen_in_any_unit(unit):
    problem = ising(unit, ExactPreparation())
    rows = np.array([[0.0, 0.0], [1e-6, 0.0]])
    weights = problem.weights.copy()
    weights[problem.hamiltonian.network.layout.slice_of("b")] = 0.0
    assert problem.hamiltonian.flip_symmetric(weights, rows).tolist() == [True, False]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("fields", [True, False])
def test_fluctuations_are_the_same_in_other_units(unit, fields):
    def gradient(unit):
        problem = ising(unit, ThermalPreparation(0.4 * unit), fields=fields)
        estimator = FluctuationEstimator(
            hamiltonian=problem.hamiltonian,
            preparation=problem.preparation,
            contrast=Contrast(kind="fluctuations"),
            shots=None,
        )
        work = estimator.estimate(problem.weights, problem.inputs, problem.targets, RequestKey("test", 0))
        return run_measurements(work, StatevectorExecutor(Seeds(1)))[0].gradient * unit

    assert np.allclose(gradient(unit), gradient(1.0), rtol=0, atol=1e-9 * np.abs(gradient(1.0)).max())


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", ["ising", "ising, ramp", "pauli", "classical, annealed"])
def test_shots_are_the_same_in_other_units(name, unit):
    """The same random numbers fall on the same distributions, but for one in 1e9 that rounding moves."""
    expected, found = estimated(PROBLEMS[name](1.0), 1.0, shots=50), estimated(PROBLEMS[name](unit), unit, shots=50)
    assert np.allclose(found.gradient * unit, expected.gradient, rtol=1e-9, atol=1e-9)
    assert np.allclose(found.standard_error * unit, expected.standard_error, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("unit", [*UNITS, 1.0])
def test_what_rounding_leaves_of_a_true_gradient_is_zero_in_any_unit(unit):
    """Outputs and targets vanish, and so do the error signals."""
    problem = ising(unit, ExactPreparation())
    weights, layout = problem.weights.copy(), problem.hamiltonian.network.layout
    weights[layout.slice_of("b")] = 0.0
    estimator = GradientEstimator(
        hamiltonian=problem.hamiltonian, preparation=problem.preparation, contrast=Contrast(), shots=None
    )
    data = (weights, np.zeros((1, 2)), np.zeros((1, 1)))
    assert not true_gradient(estimator, StatevectorExecutor(Seeds(1)), *data, level=0).gradient.any()


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("shots", [None, 30])
def test_training_is_the_same_in_other_units(unit, shots):
    """A step is a weight: learning rates go with the unit, and epsilon with the gradient."""

    def trained(unit):
        soft = WeightInitialisation(mean=unit, minimum=0.1 * unit)
        drawn = WeightInitialisation(distribution="normal", std=0.3 * unit)
        network = qep.IsingNetwork(
            graph=complete(3),
            outputs=(2,),
            inputs=qep.ClampedInputs.all_to(2, (0, 1), drawn),
            couplings=drawn,
            fields=soft,
            biases=drawn,
        )
        hamiltonian = NudgedHamiltonian(network, qep.LossOnExpectations.on_outputs(network))
        trainer = qep.Trainer(
            estimator=GradientEstimator(
                hamiltonian=hamiltonian,
                preparation=ExactPreparation(),
                contrast=Contrast(beta=0.1 * unit),
                shots=shots,
            ),
            executor=VectorExecutor(Seeds(4)),
            update=qep.Update(
                optimizer=qep.Adam(epsilon=1e-8 / unit), schedule=qep.Schedule(learning_rate=0.05 * unit)
            ),
            task=qep.xor_task(),
            settings=qep.TrainingSettings(epochs=5, batch_size=4),
            seeds=Seeds(4),
        )
        trainer.run()
        return trainer.weights / unit

    assert np.allclose(trained(unit), trained(1.0), rtol=1e-8, atol=1e-8)
