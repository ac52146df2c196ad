"""Trotter ramps against matrix products, instances.json and the adiabatic theorem."""

import warnings

import numpy as np
import pytest
from cases import NO_INPUTS, SMALL_GRAPHS, exact_contrast, load_instances, random_network
from qiskit.quantum_info import SparsePauliOp
from reference import SCHEDULES, fitted_slope, ground, pauli_matrix, sum_of_paulis, trotter_ramp
from scipy.integrate import solve_ivp
from warned import warns

from qep_qiskit.core.errors import CoarseTrotterWarning, ConfigError, ReversedDriverWarning
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.execution.aer import AerExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import IsingNetwork, chain
from qep_qiskit.network import WeightInitialisation as WeightStart
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.cost_terms import CostTerm
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import (
    END_CURVATURES,
    RAMPS,
    AdiabaticPreparation,
    HamiltonianFamily,
    WarmStart,
    term_expectations,
)

TROTTER_FIGURES = "cosine_ramp_trotter2_against_symmetric_contrast"
FAMILIES = ["chain4", "chain6", "chain8", "complete4", "complete6", "complete8"]
TIMES = ["T=6,steps=20", "T=12,steps=40", "T=10,steps=40", "T=20,steps=80", "T=20,steps=200"]


def vectors_of(preparation, groups, coefficients):
    states = CircuitStates(program=preparation.program(groups), parameters=np.atleast_2d(coefficients))
    return AerExecutor(Seeds(0)).vectors(states)


def group_matrices(groups, coefficients):
    ends = np.cumsum([group.num_terms for group in groups])[:-1]
    parts = zip(groups, np.split(coefficients, ends), strict=True)
    return [sum_of_paulis(group.terms, part, group.num_qubits) for group, part in parts]


def driver_matrices(num_qubits, num_groups, strength=1.0):
    words = [f"X{k}" for k in range(num_qubits)]
    driver = [np.zeros((1 << num_qubits,) * 2, dtype=complex) for _ in range(num_groups)]
    driver[1] = sum_of_paulis(words, [-strength] * num_qubits, num_qubits)
    return driver


@pytest.mark.deep(but=["chain4-T=20,steps=80", "complete6-T=10,steps=40", "chain8-T=6,steps=20"])
@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("family", FAMILIES)
def test_trotter_figures_of_the_instances(family, times):
    cases = [case for case in load_instances() if case.name.startswith(family + "-")]
    total_time, steps = (float(part.split("=")[1]) for part in times.split(","))
    nudge = cases[0].hamiltonian.operator_nudge(NO_INPUTS)[0]
    rows = np.concatenate([case.coefficients + 0.2 * np.array([[-1.0], [1.0]]) * nudge for case in cases])
    groups = cases[0].hamiltonian.groups
    ramp = AdiabaticPreparation(total_time=total_time, steps=int(steps))
    means = term_expectations(groups, vectors_of(ramp, groups, rows))
    for case, low, high in zip(cases, means[::2], means[1::2], strict=True):
        found = case.hamiltonian.jacobian(case.weights, NO_INPUTS).pull_back((high - low)[None] / 0.4)[0]
        exact, figures = np.array(case.record["contrast_symmetric_beta_0p2"]), case.record[TROTTER_FIGURES][times]
        error = np.linalg.norm(found - exact) / np.linalg.norm(exact)
        cosine = found @ exact / np.linalg.norm(found) / np.linalg.norm(exact)
        assert (error, cosine) == pytest.approx((figures["relative_error"], figures["cosine"]), abs=0.51e-4)


@pytest.mark.parametrize("ramp", RAMPS)
@pytest.mark.parametrize("order", [1, 2])
def test_program_is_the_product_of_exponentials(order, ramp, rng):
    network, weights = random_network(SMALL_GRAPHS["complete"], rng, num_inputs=1)
    coefficients = network.coefficients(weights, rng.normal(size=(2, 1)))
    settings = {"total_time": 1.7, "steps": 5, "order": order, "ramp": ramp}
    found = vectors_of(AdiabaticPreparation(**settings, driver_field=0.6), network.groups, coefficients)
    for row, vector in zip(coefficients, found, strict=True):
        parts = group_matrices(network.groups, row)
        expected = trotter_ramp(parts, driver_matrices(4, 2, 0.6), **settings)
        assert np.allclose(vector, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("order", [1, 2])
def test_program_of_more_than_two_groups(order, rng):
    network, weights = random_network(chain(3), rng)
    cost = OperatorCost.from_operator(SparsePauliOp(["YYI", "IZX", "XIX", "YII"], rng.normal(size=4)))
    hamiltonian = NudgedHamiltonian(network, cost)
    assert len(hamiltonian.groups) > 3
    row = hamiltonian.free_coefficients(weights, NO_INPUTS)[0] + 0.5 * hamiltonian.operator_nudge(NO_INPUTS)[0][0]
    settings = {"total_time": 2.0, "steps": 4, "order": order}
    found = vectors_of(AdiabaticPreparation(**settings), hamiltonian.groups, row)[0]
    parts = group_matrices(hamiltonian.groups, row)
    expected = trotter_ramp(parts, driver_matrices(3, len(parts)), **settings)
    assert np.allclose(found, expected, rtol=0, atol=1e-10)


def test_outer_half_steps_are_merged(rng):
    network, _ = random_network(chain(3), rng)
    program = AdiabaticPreparation(steps=7).program(network.groups)
    assert [layer.group for layer in program.layers] == [0, 1] * 7 + [0]
    assert program.parameter_names == tuple(str(word) for word in network.terms)
    assert AdiabaticPreparation(steps=7).program(network.groups) is program


@pytest.mark.parametrize("name", RAMPS)
def test_ramps_rise_from_zero_to_one(name):
    times = np.linspace(0, 1, 21)
    assert RAMPS[name](times) == pytest.approx(SCHEDULES[name](times), abs=1e-12)
    assert AdiabaticPreparation(steps=4, ramp=name).schedule() == pytest.approx(
        SCHEDULES[name](np.array([0.125, 0.375, 0.625, 0.875])), abs=1e-12
    )


@pytest.mark.parametrize("name", RAMPS)
def test_end_curvatures(name):
    start, end = (abs(np.diff(SCHEDULES[name](x + np.array([-1e-3, 0.0, 1e-3])), 2)[0]) / 1e-6 for x in (1e-3, 0.999))
    assert (start, end) == pytest.approx((END_CURVATURES[name] or 0.0,) * 2, rel=5e-3, abs=1e-8)


@pytest.mark.parametrize(("order", "slope"), [(1, 1.0), (2, 2.0)])
def test_trotter_error_falls_as_a_power_of_the_step(order, slope, rng):
    network, weights = random_network(chain(3), rng)
    row = network.coefficients(weights, NO_INPUTS)[0]
    steps = np.array([16, 24, 32, 48, 64])
    limit = continuous_ramp(network, row, 3.0)
    found = [vectors_of(AdiabaticPreparation(total_time=3.0, steps=n, order=order), network.groups, row) for n in steps]
    errors = [np.linalg.norm(vector[0] - limit) for vector in found]
    assert fitted_slope(3.0 / steps, errors) == pytest.approx(slope, abs=0.08)


def continuous_ramp(network, row, total_time):
    """The ramp without steps, by integrating Schroedinger's equation."""
    target, driver = sum(group_matrices(network.groups, row)), driver_matrices(3, 2)[1]

    def change(time, state):
        s = SCHEDULES["cosine"](time / total_time)
        return -1j * (s * target + (1 - s) * driver) @ state

    start = np.full(8, 8**-0.5, dtype=complex)
    return solve_ivp(change, (0.0, total_time), start, method="DOP853", rtol=1e-10, atol=1e-12).y[:, -1]


ONE_SPIN = IsingNetwork(graph=chain(1), outputs=(0,))
ONE_WEIGHTS = ONE_SPIN.weights_from({"h[0]": 0.8, "b[0]": 1.5})
# The textbook qubit -A Z - B X with cost <Z>, seen through a Hadamard: A is the field h, B the bias b, the cost <X>.
ONE_COST = OperatorCost.from_terms([CostTerm(string=PauliString.of("X", 0), coefficient=1.0)], 1)
ONE = NudgedHamiltonian(ONE_SPIN, ONE_COST)


def one_qubit_infidelity(ramp, total_time, dt=0.02):
    row = ONE.free_coefficients(ONE_WEIGHTS, NO_INPUTS)
    ramped = AdiabaticPreparation(total_time=total_time, steps=round(total_time / dt), ramp=ramp)
    target = ground(-0.8 * pauli_matrix("X0", 1) - 1.5 * pauli_matrix("Z0", 1))[1]
    return 1 - abs(np.vdot(target, vectors_of(ramped, ONE.groups, row)[0])) ** 2


@pytest.mark.deep(but=["cosine--4.0"])
@pytest.mark.parametrize(("ramp", "slope"), [("linear", -2.0), ("cosine", -4.0)])
def test_infidelity_falls_as_a_power_of_the_total_time(ramp, slope):
    starts, window = np.geomspace(7.0, 28.0, 5), np.linspace(1.0, 1.4, 6)
    # Excitations of both ends of the ramp interfere: the mean over a window of times is what falls as a power.
    means = [np.mean([one_qubit_infidelity(ramp, start * factor) for factor in window]) for start in starts]
    assert fitted_slope(starts, means) == pytest.approx(slope, abs=0.3)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("one_sided", (0.461775, -0.243193)), ("symmetric", (0.457972, -0.244218)), ("four_point", (0.457969, -0.244250))],
)
def test_one_qubit_contrasts(kind, expected):
    found = exact_contrast(ONE, ONE_WEIGHTS, Contrast(kind=kind, beta=0.02))
    assert tuple(found.gradient) == pytest.approx(expected, abs=0.51e-6)


@pytest.mark.deep
def test_one_qubit_gradient_needs_a_ramp_with_zero_slope_at_its_end():
    exact = np.array([0.457969, -0.244250])
    deviations = {}
    for ramp in ("linear", "cosine"):
        found = np.array([ramped_gradient(ramp, total_time) for total_time in (20.0, 40.0, 80.0, 160.0)])
        deviations[ramp] = np.mean(np.linalg.norm(found - exact, axis=1) / np.linalg.norm(exact))
    assert deviations["cosine"] == pytest.approx(0.02, abs=0.01)
    assert deviations["linear"] > 10 * deviations["cosine"]


def ramped_gradient(ramp, total_time):
    preparation = AdiabaticPreparation(total_time=total_time, steps=round(total_time / 0.05), ramp=ramp)
    contrast = Contrast(kind="symmetric", beta=0.02)
    estimator = GradientEstimator(hamiltonian=ONE, preparation=preparation, contrast=contrast, shots=None)
    work = estimator.estimate(ONE_WEIGHTS, NO_INPUTS, NO_INPUTS, RequestKey("test", 0))
    return run_measurements(work, AerExecutor(Seeds(0)))[0].gradient


def prepare(settings, largest):
    family = HamiltonianFamily.of_free(ONE_SPIN.groups, np.array([[0.1, largest]]), RequestKey("test", 0))
    return run_measurements(settings.prepare(family, WarmStart()), VectorExecutor(Seeds(0)))


def test_coarse_steps_are_told():
    with warns(CoarseTrotterWarning, "preparation.steps", detail=r"dt = 0\.3 .* coefficient 3\.1 of 'X0': 0\.93"):
        prepare(AdiabaticPreparation(total_time=6.0, steps=20), -3.1)


def test_fine_steps_are_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepared_states, usage = prepare(AdiabaticPreparation(total_time=6.0, steps=20), -2.9)
    assert prepared_states.states.num_states == 1
    assert usage.circuits == usage.shots == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"total_time": 0.0}, r"total_time: expected more than 0, got 0\.0"),
        ({"steps": 0}, r"steps: expected at least 1, got 0"),
        ({"driver_field": 0.0}, r"driver_field"),
        ({"total_time": float("nan")}, r"total_time"),
        ({"ramp": "sine"}, r"ramp: expected 'linear', 'cosine' or 'smoothstep', got 'sine'"),
        ({"order": 4}, r"order: expected 1 or 2, got 4"),
    ],
)
def test_settings_are_checked(change, words):
    with pytest.raises(ConfigError, match=words):
        AdiabaticPreparation(**change)


def free_family(rng, sign):
    """A chain with fields along X of a sign, as a family of one free state."""
    network, weights = random_network(chain(3), rng, fields=WeightStart())
    weights[network.layout.slice_of("h")] *= sign
    hamiltonian = NudgedHamiltonian(network, OperatorCost.from_operator(SparsePauliOp("ZII")))
    free = hamiltonian.free_coefficients(weights, NO_INPUTS)
    return HamiltonianFamily.of_free(hamiltonian.groups, free, RequestKey("test", 0))


def ramped(family, **settings):
    ramp = AdiabaticPreparation(total_time=3.0, steps=10, **settings)
    return AerExecutor(Seeds(0)).vectors(
        run_measurements(ramp.prepare(family, WarmStart()), VectorExecutor(Seeds(0)))[0].states
    )[0]


def test_driver_against_the_fields_is_told(rng):
    with warns(ReversedDriverWarning, r"use preparation\.driver_field = -1", detail="in 1 of 1 state"):
        ramped(free_family(rng, -1.0))


@pytest.mark.parametrize("level", [0, 1, 5])
def test_driver_and_fields_of_the_other_sign_give_the_same_states_turned_about_z(level):
    """Turning every spin by pi about Z changes the sign of X and of nothing else."""
    both = [ramped(free_family(np.random.default_rng(7), s), driver_field=0.8 * s, level=level) for s in (1.0, -1.0)]
    turned = pauli_matrix("Z0 Z1 Z2", 3) @ both[1]
    assert np.allclose(turned, both[0], rtol=0, atol=1e-10)


def test_driver_of_the_other_sign_starts_from_its_own_ground_state():
    groups = IsingNetwork(graph=chain(2), outputs=(1,)).groups
    initial = AdiabaticPreparation(driver_field=-0.5).program(groups).initial
    assert np.allclose(initial, np.sqrt(0.5) * np.array([[1, -1], [1, -1]]), rtol=0, atol=1e-15)
