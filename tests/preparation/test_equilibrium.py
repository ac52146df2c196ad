"""Elastic networks at rest: contrasts against finite differences in 1, 2 and 3 dimensions, and critical points."""

import numpy as np
import pytest
from oscillators import costs_by_differences
from scipy.optimize import minimize
from warned import warns

from qep_qiskit.continuous.elastic import PotentialEnergy
from qep_qiskit.continuous.equilibrium import EquilibriumPreparation
from qep_qiskit.continuous.executor import CoordinateExecutor
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.core.errors import ConfigError, FloppyModesWarning
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import WeightInitialisation, chain, complete, from_edges, lattice, ring
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import HamiltonianFamily
from qep_qiskit.preparation import WarmStart as Begin

KEY = RequestKey("test", 0)


def network_of(dims, rng, **changes):
    """Five atoms, one of them clamped; all anchored weakly, so that there is a minimum in any dimension."""
    rest_positions = 2.0 * rng.normal(size=(5, dims))
    keys = {
        "graph": complete(5),
        "outputs": (4,),
        "rest_positions": rest_positions,
        "clamped": (0,),
        "inputs": ((0, 0),),
        "springs": WeightInitialisation(distribution="uniform", low=0.5, high=2.0, minimum=1e-3),
        "rest_lengths": WeightInitialisation(distribution="uniform", low=0.8, high=1.6, minimum=0.0),
        "anchored": (1, 2, 3, 4),
        "forces": WeightInitialisation(distribution="normal", std=0.2),
    }
    return SpringNetwork(**(keys | changes))


def problem(dims, rng, *, loss):
    network = network_of(dims, rng)
    cost = LossOnExpectations.on_outputs(network) if loss else OperatorCost.squared_error_of(network)
    weights = network.layout.initial(Seeds(4))
    return NudgedHamiltonian(network, cost), weights, rng.normal(size=(2, 1)), 0.3 * rng.normal(size=(2, dims))


def estimate(problem, contrast, preparation=None, warm_start=None):
    hamiltonian, weights, inputs, targets = problem
    preparation = preparation or EquilibriumPreparation(rest_positions=hamiltonian.network.rest_positions)
    estimator = GradientEstimator(hamiltonian=hamiltonian, preparation=preparation, contrast=contrast, shots=None)
    return run_measurements(
        estimator.estimate(weights, inputs, targets, KEY, warm_start), CoordinateExecutor(Seeds(0))
    )[0]


def exact(problem, preparation=None):
    hamiltonian, weights, inputs, targets = problem
    reference = preparation or EquilibriumPreparation(rest_positions=hamiltonian.network.rest_positions)
    return exact_gradient(hamiltonian, weights, inputs, targets, reference=reference)


@pytest.mark.deep(but=["1-True"])
@pytest.mark.parametrize("loss", [False, True])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_contrast_is_the_derivative_of_the_cost(dims, loss, rng):
    """By spring constants, anchors, rest lengths and forces."""
    chosen = problem(dims, rng, loss=loss)
    hamiltonian, weights, inputs, targets = chosen
    expected = costs_by_differences(lambda w: exact((hamiltonian, w, inputs, targets)).cost, weights)
    assert np.abs(expected).max() > 0.05
    assert exact(chosen).gradient == pytest.approx(expected, abs=1e-7)
    found = estimate(chosen, Contrast(kind="four_point", beta=0.003))
    assert found.gradient == pytest.approx(expected, abs=1e-5)
    assert found.diagnostics.residual < 1e-8
    assert np.all(found.variance == 0.0)


def test_bias_is_of_second_order_in_beta(rng):
    chosen = problem(2, rng, loss=False)
    expected, betas = exact(chosen).gradient, np.array([0.08, 0.04, 0.02, 0.01])
    errors = [np.linalg.norm(estimate(chosen, Contrast(kind="symmetric", beta=b)).gradient - expected) for b in betas]
    assert np.polyfit(np.log(betas), np.log(errors), 1)[0] == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_forces_and_second_derivatives(dims, rng):
    hamiltonian, weights, inputs, targets = problem(dims, rng, loss=False)
    row = hamiltonian.free_coefficients(weights, inputs)[0] + 0.3 * hamiltonian.operator_nudge(targets)[0][0]
    potential = PotentialEnergy.of(hamiltonian.groups, row)
    moving, step = rng.normal(size=4 * dims), 1e-5
    shifts = step * np.eye(len(moving))
    slopes = [(potential.value(moving + s) - potential.value(moving - s)) / (2 * step) for s in shifts]
    bends = [(potential.gradient(moving + s) - potential.gradient(moving - s)) / (2 * step) for s in shifts]
    assert potential.gradient(moving) == pytest.approx(np.array(slopes), abs=1e-7)
    assert potential.dense_hessian(moving) == pytest.approx(np.array(bends), abs=1e-6)


def test_many_atoms_are_solved_sparsely(rng):
    """More coordinates than are solved densely: the same contrast as by the linear response."""
    network = network_of(
        2,
        rng,
        graph=lattice(18, 18),
        outputs=(200,),
        rest_positions=lattice(18, 18).positions,
        anchored=tuple(range(1, 324)),
        rest_lengths=WeightInitialisation(mean=0.9, minimum=0.0),
        springs=WeightInitialisation(mean=1.0, minimum=1e-3),
        forces=None,
    )
    chosen = (
        NudgedHamiltonian(network, OperatorCost.squared_error_of(network)),
        network.layout.initial(Seeds(0)),
        np.array([[0.4]]),
        np.array([[0.1, -0.2]]),
    )
    found = estimate(chosen, Contrast(kind="symmetric", beta=0.005))
    assert found.gradient == pytest.approx(exact(chosen).gradient, rel=2e-3, abs=1e-6)


def family_of(hamiltonian, weights, inputs, targets, betas):
    nudge, _ = hamiltonian.operator_nudge(targets)
    free = hamiltonian.free_coefficients(weights, inputs)
    return HamiltonianFamily(groups=hamiltonian.groups, free=free, nudge=nudge, betas=np.array(betas), key=KEY)


def test_any_critical_point_has_its_contrast(rng):
    """One atom in front of two clamped ones, squeezed between: the straight line is a saddle of the energy."""
    network = SpringNetwork(
        graph=complete(3),
        outputs=(2,),
        rest_positions=np.array([[-1.0, 0.0], [1.0, 0.0], [0.1, 0.0]]),
        clamped=(0, 1),
        inputs=((0, 0),),
        rest_lengths=WeightInitialisation(values=[1.5, 1.4], minimum=0.0),
        springs=WeightInitialisation(values=[1.0, 1.3], minimum=1e-3),
    )
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error_of(network))
    chosen = hamiltonian, network.layout.initial(Seeds(0)), np.array([[0.1]]), np.array([[0.3, 0.2]])
    saddle = EquilibriumPreparation(rest_positions=network.rest_positions, critical_point="any")
    states = run_measurements(saddle.prepare(family_of(*chosen, [0.0]), Begin()), CoordinateExecutor(Seeds(0)))[0]
    potential = PotentialEnergy.of(hamiltonian.groups, hamiltonian.free_coefficients(*chosen[1:3])[0])
    moving = states.states.points[0, 2]
    assert np.linalg.eigvalsh(potential.dense_hessian(moving))[0] < -0.1
    assert not states.report.minima
    expected = costs_by_differences(lambda w: exact((hamiltonian, w, *chosen[2:]), saddle).cost, chosen[1])
    found = estimate(chosen, Contrast(kind="four_point", beta=0.003), saddle)
    assert found.gradient == pytest.approx(expected, abs=1e-6)
    off_the_line = EquilibriumPreparation(rest_positions=network.rest_positions + np.array([0.0, 0.3]))
    minimum = run_measurements(off_the_line.prepare(family_of(*chosen, [0.0]), Begin()), CoordinateExecutor(Seeds(0)))[
        0
    ]
    assert minimum.report.energies[0, 0] < states.report.energies[0, 0] - 0.01


def test_nudged_points_follow_the_free_one_and_are_remembered(rng):
    hamiltonian, weights, inputs, targets = problem(2, rng, loss=False)
    preparation = EquilibriumPreparation(rest_positions=hamiltonian.network.rest_positions)
    family = family_of(hamiltonian, weights, inputs, targets, [-0.1, 0.0, 0.1])
    first = run_measurements(preparation.prepare(family, Begin()), CoordinateExecutor(Seeds(0)))[0]
    lost = EquilibriumPreparation(rest_positions=np.full_like(hamiltonian.network.rest_positions, np.nan))
    again = run_measurements(lost.prepare(family, Begin(arrays=first.warm_start)), CoordinateExecutor(Seeds(0)))[0]
    assert again.states.points == pytest.approx(first.states.points, abs=1e-8)
    later = run_measurements(lost.prepare(family, Begin(free=first.free)), CoordinateExecutor(Seeds(0)))[0]
    assert later.states.points == pytest.approx(first.states.points, abs=1e-8)
    assert np.all(first.report.residuals < 1e-8)


def test_an_atom_without_hold_is_named():
    """In the plane a hinge turns freely about its clamped atom."""
    network = SpringNetwork(
        graph=complete(2),
        outputs=(1,),
        rest_positions=np.array([[0.0, 0.0], [1.0, 0.0]]),
        clamped=(0,),
        inputs=((0, 0),),
        rest_lengths=WeightInitialisation(mean=1.0, minimum=0.0),
    )
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error_of(network))
    chosen = hamiltonian, network.layout.initial(Seeds(0)), np.zeros((1, 1)), np.zeros((1, 2))
    message = (
        "atom 1 along y is free to drift in the equilibrium at beta = 0, which has 1 floppy mode and is not unique"
    )
    with pytest.raises(ConfigError, match=message):
        estimate(chosen, Contrast(kind="one_sided", beta=0.1))


def test_a_nudge_that_overcomes_the_springs_is_refused(rng):
    chosen = problem(1, rng, loss=False)
    with pytest.raises(ConfigError, match="at beta = -50 the nudge may overcome the springs"):
        estimate(chosen, Contrast(kind="one_sided", beta=-50.0))


def test_an_input_may_put_a_clamped_atom_onto_another(rng):
    """Where two atoms touch a spring with a rest length has no direction; the search starts beside it."""
    rest_positions = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]])
    network = SpringNetwork(
        graph=complete(3),
        outputs=(2,),
        rest_positions=rest_positions,
        clamped=(0,),
        inputs=((0, 0), (0, 1)),
        anchored=(1, 2),
        rest_lengths=WeightInitialisation(mean=1.0, minimum=0.0),
    )
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error_of(network))
    onto = np.array([[1.0, 0.0], [0.5, 1.0]])
    chosen = hamiltonian, network.layout.initial(Seeds(0)), onto, np.zeros((2, 2))
    found = estimate(chosen, Contrast(kind="four_point", beta=0.003))
    assert found.gradient == pytest.approx(exact(chosen).gradient, abs=1e-5)


def sheet(graph, rest_positions, clamped=(0,), **changes):
    network = SpringNetwork(
        graph=graph, outputs=(len(rest_positions) - 1,), rest_positions=rest_positions, clamped=clamped, **changes
    )
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error_of(network))
    weights = network.layout.initial(Seeds(0))
    return (
        hamiltonian,
        weights,
        np.zeros((1, network.num_inputs)),
        np.array([[0.2] + [0.0] * (network.coordinate_layout.dims - 1)]),
    )


SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("graph", "clamped", "modes"),
    [
        (chain(4), (0,), 3),  # a chain folds at every joint
        (ring(4), (0,), 2),  # a square shears and turns
        (complete(4), (0,), 1),  # a rigid body turns about the atom that is clamped
        (ring(4), (0, 1), 1),
    ],
)
def test_floppy_modes_are_counted(graph, clamped, modes):
    """By Maxwell: coordinates that move less independent springs."""
    lengths = {"rest_lengths": WeightInitialisation(minimum=0.0), "inputs": ((0, 0),)}
    network = SpringNetwork(graph=graph, outputs=(3,), rest_positions=SQUARE, clamped=clamped, **lengths)
    natural = [float(np.linalg.norm(SQUARE[i] - SQUARE[j])) for i, j in graph.edges if not {i, j} <= set(clamped)]
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error_of(network))
    springs = network.layout.slice_of("l")
    weights = network.layout.initial(Seeds(0))
    weights[springs] = natural
    chosen = hamiltonian, weights, np.zeros((1, 1)), np.zeros((1, 2))
    plural = "s" if modes > 1 else ""
    with pytest.raises(ConfigError, match=f"has {modes} floppy mode{plural} and is not unique; clamp another atom"):
        estimate(chosen, Contrast(kind="one_sided", beta=0.1))


BRACED = from_edges(5, [(0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (2, 4)])
"""Atoms 0 and 1 are clamped, 2 and 3 are held by three springs each, and atom 4 dangles from 2 on one spring."""


def dangling(output, **changes):
    rest_positions = np.array([[0.0, 0.0], [1.0, 0.0], [0.9, 1.1], [0.1, 0.8], [1.9, 1.3]])
    network = SpringNetwork(
        graph=BRACED,
        outputs=(output,),
        rest_positions=rest_positions,
        clamped=(0, 1),
        inputs=((0, 0),),
        rest_lengths=WeightInitialisation(minimum=0.0),
        **changes,
    )
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error_of(network))
    weights = network.layout.initial(Seeds(0))
    weights[network.layout.slice_of("l")] = [1.3, 1.0, 0.9, 1.2, 0.7, 1.1]
    return hamiltonian, weights, np.array([[0.1]]), np.array([[0.2, 0.7]])


def cost_at(chosen, weights):
    """The cost at the equilibrium that scipy finds from plain energies of the springs."""
    hamiltonian, _, inputs, targets = chosen
    network = hamiltonian.network
    stiffness, natural = (weights[network.layout.slice_of(block)] for block in "kl")
    held = {0: network.rest_positions[0] + [inputs[0, 0], 0.0], 1: network.rest_positions[1]}

    def at(moving):
        points = network.rest_positions.copy()
        points[[*held]], points[2:] = [*held.values()], moving.reshape(-1, 2)
        return points

    def energy(moving):
        points = at(moving)
        lengths = [np.linalg.norm(points[i] - points[j]) for i, j in network.graph.edges]
        return 0.5 * stiffness @ (np.array(lengths) - natural) ** 2

    found = minimize(energy, network.rest_positions[2:].ravel(), method="BFGS", options={"gtol": 1e-10}).x
    moved = (at(found) - network.rest_positions)[network.outputs[0]]
    return np.sum((moved - targets[0]) ** 2)


def test_an_atom_that_dangles_where_no_output_sees_it_is_told_only():
    """The gradient is that of finite differences, and zero for the spring of the atom that dangles."""
    chosen = dangling(output=3)
    with warns(FloppyModesWarning, "no output and no weight's energy depends on where they are"):
        found = estimate(chosen, Contrast(kind="four_point", beta=0.003)).gradient
    weights = chosen[1]
    steps = 1e-4 * np.eye(len(weights))
    truth = np.array([(cost_at(chosen, weights + s) - cost_at(chosen, weights - s)) / 2e-4 for s in steps])
    assert np.abs(truth).max() > 0.1
    assert found == pytest.approx(truth, abs=1e-4)
    layout = chosen[0].network.layout
    for block in ("k", "l"):
        assert abs(found[layout.slice_of(block)][5]) < 1e-7
    assert exact(chosen).gradient == pytest.approx(truth, abs=1e-5)


@pytest.mark.parametrize("case", [{"output": 4}, {"output": 3, "forces": WeightInitialisation(minimum=None)}])
def test_an_atom_that_dangles_is_refused_where_an_output_or_a_weight_depends_on_it(case):
    with pytest.raises(ConfigError, match=r"atom 4 along [xy] is free to drift in the equilibrium"):
        estimate(dangling(**case), Contrast(kind="four_point", beta=0.003))


@pytest.mark.parametrize("graph", [chain(4), ring(4), complete(4)])
def test_a_network_that_collapses_is_told(graph):
    chosen = sheet(graph, SQUARE, springs=WeightInitialisation(mean=1.0, minimum=1e-3))
    with warns(FloppyModesWarning, "no spring is stretched", detail="in 1 of 1 sample"):
        found = estimate(chosen, Contrast(beta=0.01))
        truth = exact(chosen).gradient
    assert np.abs(truth).max() < 1e-14
    assert np.abs(found.gradient).max() < 0.01 * found.cost.mean  # what the nudge itself stretches, O(beta^2)
    assert found.diagnostics.record()["collapsed"] == 1


@pytest.mark.parametrize("change", ["second clamped atom", "anchor", "force", "rest lengths"])
def test_what_stretches_springs_is_not_told(change):
    stretched = {
        "second clamped atom": {"clamped": (0, 1)},
        "anchor": {"anchored": (2,)},
        "force": {"forces": WeightInitialisation(mean=0.1)},
        "rest lengths": {"rest_lengths": WeightInitialisation(minimum=0.0), "anchored": (1, 2, 3)},
    }
    found = estimate(sheet(complete(4), SQUARE, **stretched[change]), Contrast(beta=0.01))
    assert np.abs(found.gradient).max() > 1e-6
