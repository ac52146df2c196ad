"""Excited states: exact, by ramps, and by deflation; and equilibrium propagation on them."""

from itertools import product

import numpy as np
import pytest
from cases import NO_INPUTS, SMALL_GRAPHS, Instance, half_one_plus_z, random_network
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import Statevector
from qiskit_algorithms import VQD
from qiskit_algorithms.optimizers import L_BFGS_B
from reference import derivative, sum_of_paulis
from variational_cases import contrast_of, family_of, prepare

from qep_qiskit.core.errors import ConfigError, DegenerateGroundStateWarning
from qep_qiskit.core.program import lower
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import evolve
from qep_qiskit.network import chain, complete
from qep_qiskit.preparation import (
    AdiabaticPreparation,
    ExactPreparation,
    HamiltonianVariational,
    HardwareEfficient,
    VariationalPreparation,
    WarmStart,
)
from qep_qiskit.preparation.adiabatic import flipped_spins


def case_of(graph, seed):
    network, weights = random_network(graph, np.random.default_rng(seed))
    return Instance(f"seed{seed}", network, weights, {})


def spectrum(case, row=None):
    """All levels and states, from the matrix of Paulis."""
    row = case.coefficients[0] if row is None else row
    return np.linalg.eigh(sum_of_paulis(case.hamiltonian.terms, row, case.network.num_qubits))


# Exact states


@pytest.mark.parametrize("solver", ["dense", "lanczos"])
@pytest.mark.parametrize("name", ["edges", "complete", "chain", "lattice"])
def test_exact_levels_are_those_of_the_matrix(name, solver, rng):
    network, weights = random_network(SMALL_GRAPHS[name], rng)
    case = Instance(name, network, weights, {})
    levels, states = spectrum(case)
    for level in range(6):
        solved = ExactPreparation(level=level, solver=solver).solve(case.hamiltonian.groups, case.coefficients)
        assert solved.energies[0] == pytest.approx(levels[level], abs=1e-10)
        assert abs(np.vdot(states[:, level], solved.vectors[0])) == pytest.approx(1.0, abs=1e-9)
        gap = np.abs(np.delete(levels, level) - levels[level]).min()
        assert solved.gaps[0] == pytest.approx(gap, abs=1e-9)


@pytest.mark.parametrize("solver", ["dense", "lanczos"])
def test_nudged_levels_are_those_of_the_matrix_where_none_cross(solver):
    case, betas = case_of(chain(5), 3), (-0.05, 0.0, 0.05)
    family = family_of(case, betas)
    for level in (1, 2, 3):
        report = prepare(ExactPreparation(level=level, solver=solver), family)[0].report
        expected = [spectrum(case, row)[0][level] for row in family.rows()]
        assert report.energies[0] == pytest.approx(np.array(expected), abs=1e-10)
        assert report.overlaps.min() > 0.9
        assert not report.minima


def test_the_free_level_is_not_solved_for_twice(monkeypatch):
    case = case_of(chain(3), 0)
    free, _ = prepare(ExactPreparation(level=2), family_of(case))
    monkeypatch.setattr(ExactPreparation, "solve", lambda *args, **options: pytest.fail("solved again"))
    again, _ = prepare(ExactPreparation(level=2), family_of(case, (0.0,)), WarmStart(free=free.free))
    assert np.array_equal(again.states.vectors, free.states.vectors)


@pytest.mark.parametrize("level", [8, 9, 1000])
def test_levels_beyond_the_spectrum_are_refused(level):
    case = case_of(chain(3), 0)
    preparations = [
        ExactPreparation(level=level),
        AdiabaticPreparation(level=level),
        VariationalPreparation(ansatz=HardwareEfficient(1), seeds=Seeds(0), level=level),
    ]
    for preparation in preparations:
        with pytest.raises(ConfigError, match=rf"level: {level} is beyond the spectrum; 3 spins") as caught:
            prepare(preparation, family_of(case))
        assert "\n" not in str(caught.value)


def test_negative_levels_are_refused():
    case = case_of(chain(3), 0)
    for kind in (ExactPreparation, AdiabaticPreparation):
        with pytest.raises(ConfigError, match=r"level: expected .* got -1") as caught:
            prepare(kind(level=-1), family_of(case))
        assert "\n" not in str(caught.value)


def test_lanczos_says_which_levels_it_cannot_give():
    case = case_of(chain(3), 0)
    with pytest.raises(ConfigError, match=r"Lanczos gives levels 0 to 5 of 3 spins, got 6"):
        prepare(ExactPreparation(level=6, solver="lanczos"), family_of(case))


def test_degenerate_levels_are_told():
    network, _ = random_network(chain(2), np.random.default_rng(0))
    weights = network.weights_from({"h[0]": 1.0, "h[1]": 1.0})
    case = Instance("degenerate", network, weights, {})
    with pytest.warns(DegenerateGroundStateWarning, match="level 1 is degenerate"):
        prepare(ExactPreparation(level=1), family_of(case))


# Ramps


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6])
def test_flipped_spins_are_those_of_all_subsets_in_order(size, rng):
    fields = rng.uniform(0.5, 1.5, size)
    energies = sorted(
        (sum(f for f, flip in zip(fields, flips, strict=True) if flip), flips) for flips in product((0, 1), repeat=size)
    )
    for level, (_, flips) in enumerate(energies):
        assert sorted(flipped_spins(fields, level)) == [k for k in range(size) if flips[k]]
    with pytest.raises(ConfigError, match="is beyond the spectrum"):
        flipped_spins(fields, 1 << size)


@pytest.mark.parametrize("spread", [None, 0.1, 1.9])
@pytest.mark.parametrize("size", [2, 3, 4, 8])
def test_no_two_states_of_a_driver_with_spread_are_degenerate(size, spread):
    ramp = AdiabaticPreparation(level=1, driver_field=0.7, driver_width=spread)
    fields = ramp.driver_fields(size)
    width = 0.5 if spread is None else spread
    assert np.all(np.abs(fields / 0.7 - 1) <= width / 2)
    sums = np.sort(
        [sum(f for f, flip in zip(fields, flips, strict=True) if flip) for flips in product((0, 1), repeat=size)]
    )
    assert np.diff(sums).min() > 1e-5


def test_the_ground_states_driver_is_uniform():
    assert AdiabaticPreparation(driver_field=0.7).driver_fields(4) == pytest.approx(0.7 * np.ones(4))


def test_degenerate_drivers_are_refused():
    with pytest.raises(ConfigError, match=r"driver_width: level 1 needs driver fields that differ") as w:
        AdiabaticPreparation(level=1, driver_width=0.0)
    assert "\n" not in str(w.value)
    AdiabaticPreparation(level=0, driver_width=0.0)


@pytest.mark.parametrize("level", range(1, 8))
def test_a_ramp_starts_in_the_wanted_state_of_its_driver(level):
    case = case_of(chain(3), 0)
    ramp = AdiabaticPreparation(level=level, total_time=1e-9, steps=1)
    states = prepare(ramp, family_of(case))[0].states
    driver = sum_of_paulis(["X0", "X1", "X2"], -ramp.driver_fields(3), 3)
    levels, vectors = np.linalg.eigh(driver)
    found = evolve(states.program, states.parameters)[0]
    assert np.abs(np.vdot(vectors[:, level], found)) == pytest.approx(1.0, abs=1e-8)
    assert np.diff(levels).min() > 0.01


@pytest.mark.parametrize(
    ("graph", "seed", "level"),
    [
        (chain(3), 0, 3),
        (chain(3), 0, 4),
        (chain(3), 2, 1),
        (complete(3), 1, 1),
        (complete(3), 0, 3),
        (chain(4), 1, 1),
        (chain(4), 1, 2),
        (chain(4), 0, 4),
    ],
)
def test_slow_ramps_reach_the_wanted_level(graph, seed, level):
    case = case_of(graph, seed)
    ramp = AdiabaticPreparation(total_time=150.0, steps=1500, level=level)
    states = prepare(ramp, family_of(case))[0].states
    target = spectrum(case)[1][:, level]
    assert abs(np.vdot(target, evolve(states.program, states.parameters)[0])) ** 2 > 0.99


# Deflation


@pytest.mark.deep(but=["complete3-1", "chain3-2", "complete4-1"])
@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize(
    "case",
    [case_of(complete(3), 0), case_of(chain(3), 1), case_of(complete(4), 0)],
    ids=["complete3", "chain3", "complete4"],
)
def test_deflated_energies_are_the_levels(case, level):
    preparation = VariationalPreparation(
        ansatz=HamiltonianVariational(4), seeds=Seeds(1), level=level, tolerance=1e-5, restarts=3
    )
    prepared_states, _ = prepare(preparation, family_of(case))
    levels, vectors = spectrum(case)
    assert prepared_states.report.energies[0, 0] == pytest.approx(levels[level], abs=1e-6)
    found = evolve(prepared_states.states.program, prepared_states.states.parameters)[0]
    assert abs(np.vdot(vectors[:, level], found)) ** 2 > 1 - 1e-5
    assert not prepared_states.report.minima  # a descent cannot know
    assert prepared_states.warm_start["angles"].shape == (1, level + 1, prepared_states.states.program.num_parameters)


class ExactFidelity:
    """|<a|b>|^2 of bound circuits, with the interface that VQD asks for."""

    def run(self, one, other, values_one=None, values_other=None):
        bare = [[] for _ in one]
        pairs = zip(
            one,
            other,
            bare if values_one is None else values_one,
            bare if values_other is None else values_other,
            strict=True,
        )
        self.fidelities = [abs(self._state(a, p).inner(self._state(b, q))) ** 2 for a, b, p, q in pairs]
        return self

    def _state(self, circuit, values):
        return Statevector(circuit.assign_parameters(values) if len(values) else circuit)

    def result(self):
        return self


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore:scipy.optimize. The `disp`:DeprecationWarning")
@pytest.mark.parametrize(
    "graph",
    [pytest.param(chain(2), id="two spins"), pytest.param(chain(3), id="three spins", marks=pytest.mark.slow)],
)
def test_deflation_agrees_with_qiskit_algorithms(graph):
    case = case_of(graph, 1)
    program = HamiltonianVariational(3).program(case.hamiltonian.groups)
    operator = case.network.hamiltonian(case.weights)
    start = HamiltonianVariational(3).cold_start(
        case.hamiltonian.groups, case.coefficients, 1, np.random.default_rng(0)
    )[0]
    penalty = 2 * np.abs(case.coefficients).sum()
    theirs = VQD(
        StatevectorEstimator(),
        ExactFidelity(),
        lower(program),
        L_BFGS_B(maxiter=200),
        k=2,
        betas=np.array([penalty, penalty]),
        initial_point=[start, start + 0.3],
    ).compute_eigenvalues(operator)
    for level in (0, 1):
        ours = VariationalPreparation(
            ansatz=HamiltonianVariational(3), seeds=Seeds(1), level=level, tolerance=1e-6, restarts=2
        )
        energy = prepare(ours, family_of(case))[0].report.energies[0, 0]
        assert energy == pytest.approx(theirs.eigenvalues[level].real, abs=1e-5)


# Equilibrium propagation on excited states


def cost_of_level(case, level):
    """<C> in the k-th eigenstate, as a function of the step of every weight, from matrices."""
    size = case.network.num_qubits
    cost = half_one_plus_z(size - 1, size).operator().to_matrix()

    def costs(step):
        found = []
        for weights in case.weights + step * np.eye(len(case.weights)):
            row = case.hamiltonian.free_coefficients(weights, NO_INPUTS)[0]
            state = spectrum(case, row)[1][:, level]
            found.append(np.vdot(state, cost @ state).real)
        return np.array(found)

    return costs


@pytest.mark.parametrize("level", [1, 2, 4])
@pytest.mark.parametrize("solver", ["dense", "lanczos"])
def test_the_contrast_of_exact_levels_is_the_gradient_of_their_cost(solver, level):
    case = case_of(chain(4), 5)
    found = contrast_of(ExactPreparation(level=level, solver=solver), case, 1e-3, kind="four_point").gradient
    expected = derivative(cost_of_level(case, level), step=2e-3)
    assert np.abs(expected).max() > 0.05
    assert found == pytest.approx(expected, rel=0, abs=1e-6)


@pytest.mark.parametrize("level", [1, 2])
def test_the_contrast_of_deflated_levels_is_the_gradient_of_their_cost(level):
    case = case_of(complete(3), 0)
    preparation = VariationalPreparation(
        ansatz=HamiltonianVariational(4), seeds=Seeds(1), level=level, tolerance=1e-9, restarts=3
    )
    found = contrast_of(preparation, case, 5e-3, kind="four_point")
    expected = derivative(cost_of_level(case, level), step=2e-3)
    assert np.abs(expected).max() > 0.05
    assert found.gradient == pytest.approx(expected, rel=0, abs=1e-6)
    assert np.isnan(found.diagnostics.lower)
