"""Matrix product states by DMRG against diagonalisation and free fermions; warm starts, order and bonds too small."""

from dataclasses import replace

import numpy as np
import pytest
from cases import GRAPHS, NO_INPUTS, Instance, random_network
from chi_square import LIMIT, counts_p_value
from variational_cases import KEY, contrast_of, entangled, family_of
from warned import warns

from qep_qiskit.core import jobs
from qep_qiskit.core.errors import ConfigError, TruncatedStateWarning, UnconvergedError, UnconvergedWarning
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network import IsingNetwork, chain, lattice
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.cost_terms import CostTerm
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import (
    DmrgPreparation,
    ExactPreparation,
    HamiltonianFamily,
    WarmStart,
    chain_term_means,
    solve_chain,
)
from qep_qiskit.preparation.tensor_solver import site_order

pytest.importorskip("tenpy")

BETAS = (-0.1, 0.0, 0.1)


def converged(**options):
    """DMRG to the last digit."""
    settings = {"max_bond_dimension": 256, "cutoff": 0.0, "energy_tolerance": 0.0}
    return DmrgPreparation(seeds=Seeds(0), **settings | options)


def means_of(groups, states):
    """Means of all terms of all states, of matrix products or vectors."""
    if hasattr(states, "vectors"):
        return np.concatenate([group.expectations(states.vectors) for group in groups], axis=1)
    return np.array([np.concatenate([state.means(group) for group in groups]) for state in states.states])


def compare(case, level=0, **options):
    """DMRG and diagonalisation of a family with three phases."""
    family = family_of(case, BETAS)
    found = converged(level=level, **options).prepare(family, WarmStart())
    exact = ExactPreparation(level=level).prepare(family, WarmStart())
    return family, found, exact


@pytest.mark.deep(but=["lattice3x3"])
@pytest.mark.parametrize("name", ["lattice3x3", "lattice4x4", pytest.param("heavy-hex", marks=pytest.mark.slow)])
def test_states_and_contrasts_are_those_of_diagonalisation(name):
    graphs = GRAPHS | {"lattice3x3": lattice(3, 3), "lattice4x4": lattice(4, 4)}
    case = entangled(graphs[name], 3)
    family, found, exact = compare(case, max_bond_dimension=256 if name == "lattice4x4" else 64)
    got, wanted = means_of(family.groups, found.states), means_of(family.groups, exact.states)
    np.testing.assert_allclose(got, wanted, atol=1e-8)
    np.testing.assert_allclose((got[2] - got[0]) / 0.2, (wanted[2] - wanted[0]) / 0.2, atol=1e-8)
    np.testing.assert_allclose(found.report.energies, exact.report.energies, atol=1e-10)
    np.testing.assert_allclose(found.report.overlaps, exact.report.overlaps, atol=1e-8)
    assert found.report.unconverged == ()


@pytest.mark.parametrize("size", [12, pytest.param(100, marks=pytest.mark.slow)])
def test_chains_are_those_of_free_fermions(size, rng):
    """All means of an open chain, and the contrast of a nudge of its last spin."""
    network = IsingNetwork(graph=chain(size), outputs=(size - 1,))
    ends = np.zeros(size)
    ends[0] = 0.7
    weights = np.concatenate([rng.uniform(0.5, 1.5, size - 1), rng.uniform(0.5, 1.5, size), ends])
    last = OperatorCost.from_terms([CostTerm(string=PauliString.of("Z", size - 1), coefficient=1.0)], size)
    hamiltonian = NudgedHamiltonian(network, last)
    family = HamiltonianFamily(
        groups=hamiltonian.groups,
        free=hamiltonian.free_coefficients(weights, NO_INPUTS),
        nudge=hamiltonian.operator_nudge(NO_INPUTS)[0],
        betas=np.array([-0.1, 0.1]),
        key=KEY,
    )
    found = converged(cutoff=1e-18).prepare(family, WarmStart())
    got = means_of(family.groups, found.states)
    wanted = np.array([chain_term_means(family.groups, row) for row in family.coefficients()[0]])
    np.testing.assert_allclose(got, wanted, atol=1e-8)
    np.testing.assert_allclose(got[1] - got[0], wanted[1] - wanted[0], atol=2e-9)
    left = solve_chain(weights[: size - 1], weights[size - 1 : 2 * size - 1], 0.7, 0.1)
    assert found.report.energies[0, 0] == pytest.approx(left.energy, abs=1e-9)


@pytest.mark.parametrize("letter", ["Y", "X"], ids=["complex", "real"])
def test_pauli_networks_in_all_letters(letter, rng):
    """Where all terms are real matrices the states are real, with Y in pairs."""
    size, terms = 5, []
    for k in range(size - 1):
        terms += [f"X{k} X{k + 1}", f"Y{k} Y{k + 1}", f"Z{k} Z{k + 1}"]
    terms += ["Y0 Z2 Y4", f"{letter}0 Z1", "Z3", "X4"]
    strings = [PauliString.parse(text) for text in terms]
    groups = grouped(strings, size)
    free = rng.normal(size=(1, len(strings)))
    family = HamiltonianFamily.of_free(groups, free, KEY)
    found = converged().prepare(family, WarmStart())
    exact = ExactPreparation().prepare(family, WarmStart())
    np.testing.assert_allclose(means_of(groups, found.states), means_of(groups, exact.states), atol=1e-8)
    assert np.iscomplexobj(found.states.states[0].tensors[2]) == (letter == "Y")


def grouped(strings, size):
    """One group for every Pauli string."""
    found = []
    for string in strings:
        letters = ["Z"] * size
        for qubit, letter in string.factors:
            letters[qubit] = letter
        basis = LocalBasis("".join(letters))
        found.append(CommutingGroup(name=str(string), basis=basis, masks=(string.mask,)))
    return tuple(found)


@pytest.mark.deep(but=["1"])
@pytest.mark.parametrize("level", [1, 2])
def test_excited_levels_are_orthogonal_to_those_below(level):
    case = entangled(chain(4), 2)
    family, found, exact = compare(case, level=level)
    np.testing.assert_allclose(found.report.energies, exact.report.energies, atol=1e-9)
    got, wanted = means_of(family.groups, found.states), means_of(family.groups, exact.states)
    np.testing.assert_allclose(got, wanted, atol=1e-7)
    again = converged(level=level).prepare(family, WarmStart(free=found.free))
    np.testing.assert_allclose(means_of(family.groups, again.states), got, atol=1e-7)


def test_shots_are_those_of_the_exact_state():
    case = entangled(chain(5), 4)
    family, found, exact = compare(case)
    for group in family.groups:
        outcomes = found.states.measured(group, np.array([2]), 20_000, np.random.default_rng(0))
        counts = np.bincount(outcomes.bits[0, :, 0], minlength=32)
        assert counts_p_value(counts, exact.states.probabilities(group, np.array([2]))[0]) > LIMIT


def test_gradients_with_shots_are_those_of_exact_states_within_their_errors():
    case = entangled(lattice(2, 3), 1)
    wanted = contrast_of(ExactPreparation(), case)
    found = contrast_of(converged(), case)
    np.testing.assert_allclose(found.gradient, wanted.gradient, atol=1e-8)
    assert found.diagnostics.discarded < 1e-12
    assert found.diagnostics.judged


def test_an_epoch_starts_from_the_last_one_and_comes_to_the_same_states():
    family = family_of(entangled(lattice(2, 4), 3), BETAS)
    dmrg = DmrgPreparation(seeds=Seeds(0))
    cold = dmrg.prepare(family, WarmStart())
    warm = dmrg.prepare(family, WarmStart(arrays=cold.warm_start))
    assert warm.report.evaluations < cold.report.evaluations
    np.testing.assert_allclose(warm.report.energies, cold.report.energies, atol=1e-8)
    unknown = {name: np.full_like(array, np.nan) for name, array in cold.warm_start.items()}
    again = dmrg.prepare(family, WarmStart(arrays=unknown))
    assert np.array_equal(again.report.energies, cold.report.energies)
    for one, other in zip(again.states.states, cold.states.states, strict=True):
        assert all(np.array_equal(*pair) for pair in zip(one.tensors, other.tensors, strict=True))


@pytest.mark.deep
def test_processes_compute_the_same_states(monkeypatch):
    monkeypatch.setattr(jobs, "_SECONDS_WORTH_PROCESSES", 0.0)
    alone = family_of(entangled(chain(4), 3), BETAS)
    family = replace(alone, free=np.repeat(alone.free, 4, axis=0), nudge=np.repeat(alone.nudge, 4, axis=0))
    family.free[:] *= np.linspace(1.0, 1.2, 4)[:, None]
    found = []
    for number in (1, 2):
        monkeypatch.setattr(jobs._setting, "jobs", number)
        found.append(converged().prepare(family, WarmStart()))
    for one, other in zip(found[0].states.states, found[1].states.states, strict=True):
        assert all(np.array_equal(*pair) for pair in zip(one.tensors, other.tensors, strict=True))
    assert np.array_equal(found[0].report.energies, found[1].report.energies)
    again = converged().prepare(family, WarmStart(free=found[0].free))
    assert again.report.evaluations < found[0].report.evaluations  # free states are not computed again


def test_bonds_too_small_for_a_state_are_named_with_the_number_to_try():
    family = family_of(entangled(lattice(2, 4), 3), BETAS)
    small = {"seeds": Seeds(0), "max_bond_dimension": 2}
    with warns(TruncatedStateWarning, "raise preparation.max_bond_dimension", detail="3 of 3 states.*try 4") as given:
        found = DmrgPreparation(**small).prepare(family, WarmStart())
    assert len(given) == 1
    assert (found.report.residuals > 1e-5).all()
    assert found.states.discarded == found.report.residuals.max()
    with pytest.raises(UnconvergedError, match=r"discard .* of its weight\); try preparation.max_bond_dimension = 4"):
        DmrgPreparation(**small, on_unconverged="stop").prepare(family, WarmStart())
    exact = ExactPreparation().prepare(family, WarmStart()).report.energies
    lost = found.report.energies - exact
    assert (lost > 1e-4).all()
    larger = DmrgPreparation(seeds=Seeds(0), max_bond_dimension=4, on_unconverged="go_on").prepare(family, WarmStart())
    assert (larger.report.energies - exact < lost / 10).all()


def test_sweeps_that_end_early_are_named():
    family = family_of(entangled(lattice(2, 4), 3))
    with warns(UnconvergedWarning, "raise preparation.max_sweeps", detail="sweep 1 still changes its energy"):
        DmrgPreparation(seeds=Seeds(0), max_sweeps=1).prepare(family, WarmStart())


def test_any_order_gives_the_same_means(rng):
    network, weights = random_network(lattice(2, 3), rng)
    case = Instance("order", network, weights, {})
    family = family_of(case)
    orders = ["reverse_cuthill_mckee", tuple(range(6)), (3, 0, 4, 1, 5, 2)]
    found = [means_of(family.groups, converged(order=order).prepare(family, WarmStart()).states) for order in orders]
    np.testing.assert_allclose(found[1:], [found[0]] * 2, atol=1e-8)


def test_spins_that_share_a_term_are_close_in_the_default_order():
    graph = GRAPHS["heavy-hex"]
    groups = IsingNetwork(graph=graph, outputs=(0,)).groups
    place = np.argsort(site_order(groups, "reverse_cuthill_mckee"))
    assert max(abs(place[a] - place[b]) for a, b in graph.edges) <= 5


@pytest.mark.parametrize(
    ("size", "options", "text"),
    [
        (4, {"order": (0, 1, 2)}, "order: expected each of the spins 0 to 3 once"),
        (2, {}, "sweeps over pairs of at least 3 spins, got 2"),
        (3, {"level": 8}, "level: 8 is beyond the spectrum"),
    ],
)
def test_what_cannot_be_prepared_is_one_line(size, options, text):
    groups = IsingNetwork(graph=chain(size), outputs=(0,)).groups
    with pytest.raises(ConfigError, match=text):
        converged(**options).solver(groups)
