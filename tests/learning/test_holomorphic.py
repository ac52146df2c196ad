"""Complex nudges on a circle: against closed forms, published figures, and exact gradients of every kind of state."""

import numpy as np
import pytest
from cases import NO_INPUTS, SMALL_GRAPHS, random_network
from oscillators import three_oscillators, with_squared_error
from qiskit.quantum_info import SparsePauliOp
from reference import fitted_slope
from warned import warns

from qep_qiskit.continuous.equilibrium import EquilibriumPreparation
from qep_qiskit.continuous.executor import CoordinateExecutor
from qep_qiskit.continuous.oscillators import GaussianPreparation
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.core.errors import ConfigError, NudgeBeyondGapWarning, NudgeError
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.learning.holomorphic import HolomorphicEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import IsingNetwork, PauliNetwork, WeightInitialisation, chain, complete, ring
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.cost_terms import CostTerm
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import (
    AdiabaticPreparation,
    ExactPreparation,
    HamiltonianFamily,
    ThermalPreparation,
    WarmStart,
)

large_circles = pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.NudgeBeyondGapWarning")
KEY, NO_TARGETS = RequestKey("test", 0), np.zeros((1, 0))


def estimate(problem, preparation=None, *, executor=VectorExecutor, **circle):
    hamiltonian, weights, inputs, targets = problem
    estimator = HolomorphicEstimator(
        hamiltonian=hamiltonian,
        preparation=preparation or ExactPreparation(),
        contrast=Contrast(kind="holomorphic", **circle),
        shots=None,
    )
    return run_measurements(estimator.estimate(weights, inputs, targets, KEY), executor(Seeds(0)))[0]


def nudged_by_z(network, weights):
    """C = -Z of the last spin."""
    size = network.num_qubits
    cost = OperatorCost.from_terms([CostTerm(string=PauliString.of("Z", size - 1), coefficient=-1.0)], size)
    return NudgedHamiltonian(network, cost), weights, NO_INPUTS, NO_TARGETS


def random_problem(number):
    """The networks of the Chebyshev nodes, and gap / range(C)."""
    rng = np.random.default_rng([19, number])
    network, weights = random_network((chain, ring, complete)[number // 3 % 3](3 + number % 3), rng)
    levels = np.linalg.eigvalsh(network.hamiltonian(weights).to_matrix())
    return nudged_by_z(network, weights), (levels[1] - levels[0]) / 2.0


def error(problem, **circle):
    exact = exact_gradient(*problem).gradient
    return np.linalg.norm(estimate(problem, **circle).gradient - exact) / np.linalg.norm(exact)


def test_one_spin_is_its_closed_form():
    """H = -h X - b Z and C = -Z: <Z> = (b + beta) / ((b + beta)^2 + h^2)^(1/2), with rho = gap / range(C)."""
    field, bias = 0.8, 0.3
    network = IsingNetwork(graph=chain(1), outputs=(0,))
    weights = network.layout.vector_of({"h[0]": field, "b[0]": bias})
    problem = nudged_by_z(network, weights)
    betas, preparation = 0.7 * np.exp(1j * np.array([0.3, 1.9])), ExactPreparation()
    hamiltonian = problem[0]
    free = HamiltonianFamily.of_free(hamiltonian.groups, hamiltonian.free_coefficients(weights, NO_INPUTS), KEY)
    family = HamiltonianFamily(
        groups=free.groups, free=free.free, nudge=hamiltonian.nudge(NO_TARGETS), betas=free.betas, key=KEY
    )
    means = preparation.complex_means(family, preparation.prepare(free, WarmStart()), betas)[0]
    z = [str(term) for term in network.terms].index("Z0")
    root = np.sqrt((bias + betas) ** 2 + field**2)
    assert means[:, z] == pytest.approx((bias + betas) / root, abs=1e-12)
    found = estimate(problem, radius=0.5 * np.hypot(field, bias), points=16)
    assert found.diagnostics.convergence_radius == pytest.approx(np.hypot(field, bias), rel=0.01)
    assert found.diagnostics.weyl_beta == pytest.approx(np.hypot(field, bias), rel=1e-9)


@large_circles
@pytest.mark.deep(but=["8-0.5-0.0002"])
@pytest.mark.parametrize(
    ("points", "b", "figure"), [(4, 0.25, 6e-4), (4, 0.5, 9e-3), (8, 0.25, 7e-7), (8, 0.5, 2e-4), (8, 0.75, 5e-3)]
)
def test_errors_on_random_networks(points, b, figure):
    """The published values are typical ones; medians of other networks are within a factor of two."""
    problems = [random_problem(number) for number in range(9)]
    found = np.median([error(problem, points=points, radius=b * unit) for problem, unit in problems])
    assert 0.5 < found / figure < 2.0


@large_circles
def test_error_falls_as_the_radius_over_the_distance_to_the_exceptional_point():
    """A fit of b^N at N = 6, and of (b/rho)^N at b = rho/2 with the estimated rho."""
    problem, unit = random_problem(4)
    rho = estimate(problem, points=32, radius=0.5 * unit).diagnostics.convergence_radius
    assert rho > unit
    betas = np.array([0.2, 0.3, 0.4]) * unit
    assert fitted_slope(betas, [error(problem, points=6, radius=b) for b in betas]) == pytest.approx(6.0, abs=0.1)
    counts = np.arange(4, 21, 4)
    errors = [error(problem, points=int(count), radius=0.5 * rho) for count in counts]
    slope = np.polyfit(counts, np.log(errors * np.sqrt(counts)), 1)[0]
    assert slope == pytest.approx(np.log(0.5), rel=0.07)


def with_y(rng):
    """Three spins whose Hamiltonian and cost are no real matrices, and a followed excited level."""
    strings = {"a": ["YXI"], "b": ["IZY"], "c": ["XII", "IXI", "IIX"], "d": ["ZII"], "e": ["IYI"]}
    network = PauliNetwork.from_operators({name: SparsePauliOp(own) for name, own in strings.items()})
    cost = LossOnExpectations((SparsePauliOp("ZII"), SparsePauliOp("YXI")))
    weights = rng.normal(size=5) + np.array([0.0, 0.0, 1.5, 0.5, 0.0])
    return NudgedHamiltonian(network, cost), weights, NO_INPUTS, np.array([[0.5, -0.2]])


@pytest.mark.parametrize("solver", ["dense", "lanczos"])
@pytest.mark.parametrize("level", [0, 1])
def test_left_vectors_of_complex_matrices(solver, level, rng):
    problem = with_y(rng)
    exact = exact_gradient(*problem, level=level).gradient
    found = estimate(problem, ExactPreparation(solver=solver, level=level))
    assert found.gradient == pytest.approx(exact, abs=1e-9)
    assert np.linalg.norm(exact) > 0.1


def test_arnoldi_is_dense(rng):
    network, weights = random_network(SMALL_GRAPHS["lattice"], rng, num_inputs=1)
    inputs, targets = rng.normal(size=(2, 1)), np.array([[0.3], [-0.8]])
    problem = NudgedHamiltonian(network, LossOnExpectations.on_spins((5,), 6)), weights, inputs, targets
    exact = exact_gradient(*problem).gradient
    wide = []
    for solver in ("dense", "lanczos"):
        preparation = ExactPreparation(solver=solver)
        assert estimate(problem, preparation).gradient == pytest.approx(exact, abs=1e-9)
        wide.append(estimate(problem, preparation, radius=0.2).gradient)
    assert wide[0] == pytest.approx(wide[1], abs=1e-10)
    assert np.abs(wide[0] - exact).max() > 1e-6


@pytest.mark.parametrize("kind", ["quantum", "classical"])
def test_gibbs_states(kind, rng):
    network, weights = random_network(complete(3), rng)
    if kind == "classical":
        weights[[name[0] == "h" for name in network.layout.names]] = 0.0
        strings = {"J": SparsePauliOp(["IZZ", "ZZI"]), "b": SparsePauliOp(["IIZ"]), "c": SparsePauliOp(["ZII"])}
        network, weights = PauliNetwork.from_operators(strings), rng.normal(size=3)
    problem = nudged_by_z(network, weights)
    exact = exact_gradient(*problem, temperature=0.7).gradient
    assert estimate(problem, ThermalPreparation(0.7)).gradient == pytest.approx(exact, abs=1e-11)
    assert estimate(problem, ThermalPreparation(0.7), radius=0.5, points=24).gradient == pytest.approx(exact, abs=1e-9)


def test_oscillators_of_the_anchor():
    hamiltonian = with_squared_error(three_oscillators())
    weights, targets = hamiltonian.network.layout.initial(Seeds(0)), np.array([[0.6]])
    problem = hamiltonian, weights, NO_INPUTS, targets
    found = estimate(problem, GaussianPreparation(), executor=CoordinateExecutor)
    names = hamiltonian.network.layout.names
    of_springs = found.gradient[[names.index(name) for name in ("k[0,1]", "k[1,2]", "k[0,2]")]]
    assert of_springs == pytest.approx([-0.0087385, -0.0248281, -0.0614191], abs=5e-8)
    exact = exact_gradient(*problem, reference=GaussianPreparation()).gradient
    assert found.gradient == pytest.approx(exact, abs=1e-11)
    # The nudge 2 beta adds to the stiffness of one oscillator: the mean diverges where the softest mode does.
    wide = estimate(problem, GaussianPreparation(), executor=CoordinateExecutor, radius=0.3, points=16)
    assert wide.diagnostics.convergence_radius == pytest.approx(wide.diagnostics.weyl_beta, rel=0.1)


@pytest.mark.deep
def test_elastic_networks_with_rest_lengths(rng):
    network = SpringNetwork(
        graph=complete(4),
        outputs=(3,),
        rest_positions=2.0 * rng.normal(size=(4, 2)),
        clamped=(0,),
        inputs=((0, 0),),
        springs=WeightInitialisation(distribution="uniform", low=0.5, high=2.0, minimum=1e-3),
        rest_lengths=WeightInitialisation(distribution="uniform", low=0.8, high=1.6, minimum=0.0),
        anchored=(1, 2, 3),
    )
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations.on_outputs(network))
    problem = hamiltonian, network.layout.initial(Seeds(4)), rng.normal(size=(2, 1)), 0.3 * rng.normal(size=(2, 2))
    preparation = EquilibriumPreparation(rest_positions=network.rest_positions)
    exact = exact_gradient(*problem, reference=preparation).gradient
    found = estimate(problem, preparation, executor=CoordinateExecutor)
    assert found.gradient == pytest.approx(exact, abs=1e-9)
    assert np.linalg.norm(exact) > 0.05


def test_a_circle_past_the_exceptional_point_is_refused_with_one_that_works():
    problem, unit = random_problem(5)
    with pytest.raises(NudgeError, match=r"nearest exceptional point, about .*; use contrast\.radius = ") as caught:
        estimate(problem, radius=4.0 * unit, points=16)
    assert "\n" not in str(caught.value)
    advised = float(str(caught.value).split("contrast.radius = ")[1].split()[0])
    assert error(problem, radius=advised, points=16) < 1e-4


def test_a_circle_of_too_few_points_is_warned_of_with_a_radius_that_works():
    problem, unit = random_problem(5)
    with warns(NudgeBeyondGapWarning, "too few", detail="a radius of .* leaves 0.001") as given:
        found = error(problem, radius=0.9 * unit, points=6)
    assert found > 0.01
    advised = float(given[0].detail.split("a radius of ")[1].split()[0])
    assert 1e-4 < error(problem, radius=advised, points=6) < 3e-3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shots": 100}, "'holomorphic' nudges are complex: .* got measurement.shots = 100; .* 'chebyshev'"),
        ({"test_shots": 7}, "got measurement.shots = 7"),
        (
            {"preparation": AdiabaticPreparation(total_time=1.0, steps=2)},
            "not with AdiabaticPreparation; .*'chebyshev'",
        ),
        ({"contrast": Contrast()}, "kind: 'holomorphic' needs a HolomorphicEstimator"),
    ],
)
def test_what_has_no_complex_nudges_is_refused(options, words):
    (hamiltonian, *_), _ = random_problem(0)
    given = {"preparation": ExactPreparation(), "contrast": Contrast(kind="holomorphic"), "shots": None}
    with pytest.raises(ConfigError, match=words) as caught:
        HolomorphicEstimator(hamiltonian=hamiltonian, **(given | options))
    assert "\n" not in str(caught.value)
