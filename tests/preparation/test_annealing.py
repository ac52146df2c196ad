"""Simulated annealing against the exact search, its pool of states, and its randomness."""

import numpy as np
import pytest
from chi_square import LIMIT, counts_p_value
from classical_cases import KEY, classical, gradient_by, prepared
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.core.errors import ConfigError, DegenerateGroundStateWarning
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network import IsingNetwork, PauliNetwork, complete, lattice
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.outcomes.known_states import SpinConfigurations
from qep_qiskit.preparation import AnnealingPreparation, ExactSearch, HamiltonianFamily, WarmStart
from qep_qiskit.preparation.annealing import _Spins, _Walk


def glass(graph, rng, samples=6):
    """Couplings and biases without order, and a nudge on the last spin."""
    network = IsingNetwork(graph=graph, outputs=(0,), fields=None)
    terms = network.groups[0].num_terms
    nudge = np.zeros((samples, terms))
    nudge[:, -1] = rng.choice([-2.0, 2.0], samples)
    betas = np.array([-1.0, 0.0, 1.0])
    return HamiltonianFamily(
        groups=network.groups, free=rng.normal(size=(samples, terms)), nudge=nudge, betas=betas, key=KEY
    )


@pytest.mark.parametrize("graph", [complete(6), complete(14), lattice(4, 4)])
def test_finds_the_ground_states_of_small_glasses(graph, rng):
    family = glass(graph, rng)
    exact, found = prepared(ExactSearch(), family), prepared(AnnealingPreparation(seeds=Seeds(1)), family)
    assert found.report.energies == pytest.approx(exact.report.energies, abs=1e-9)
    assert np.array_equal(found.states.spins, exact.states.spins)


def test_longer_words_and_spins_without_terms(rng):
    words = ["Z0 Z1 Z2", "Z1 Z3", "Z0", "Z2 Z3 Z5"]  # nothing acts on spin 4
    operators = {}
    for word in words:
        spins = [int(part[1:]) for part in word.split()]
        operators[word] = SparsePauliOp.from_sparse_list([("Z" * len(spins), spins, 1.0)], 6)
    network = PauliNetwork.from_operators(operators, outputs=(0,))
    free = rng.normal(size=(5, 4))
    family = HamiltonianFamily.of_free(network.groups, free, KEY)
    with pytest.warns(DegenerateGroundStateWarning):
        exact = prepared(ExactSearch(), family)
    found = prepared(AnnealingPreparation(seeds=Seeds(1)), family)
    assert found.report.energies == pytest.approx(exact.report.energies, abs=1e-12)


@pytest.mark.parametrize("loss", [False, True])
def test_gradient_is_that_of_the_exact_search(loss, rng):
    cost = LossOnExpectations.on_spins((0, 2), 6) if loss else None
    problem = classical("lattice", rng, cost)
    expected = gradient_by(ExactSearch(), problem)
    assert np.abs(expected).max() > 0.1
    assert gradient_by(AnnealingPreparation(seeds=Seeds(2)), problem) == pytest.approx(expected, abs=1e-12)


def test_energies_are_concave_even_where_the_search_is_poor(rng):
    """One sweep finds no ground states; the states of a sample are still the lowest of one pool."""
    family = glass(complete(30), rng)
    exact_enough = prepared(AnnealingPreparation(seeds=Seeds(0)), family).report.energies
    poor = prepared(AnnealingPreparation(seeds=Seeds(0), sweeps=1, restarts=1), family)
    energies = poor.report.energies
    assert np.any(energies > exact_enough + 1e-6)
    assert np.all(2 * energies[:, 1] >= energies[:, 0] + energies[:, 2] - 1e-9)


def test_nudged_states_are_no_higher_than_the_free_one_is_there(rng):
    family = glass(complete(30), rng)
    known = SpinConfigurations(spins=rng.choice([-1, 1], size=(6, 30)).astype(np.int8), energies=np.zeros(6))
    found = prepared(AnnealingPreparation(seeds=Seeds(0), sweeps=1, restarts=1), family, WarmStart(free=known))
    signs = np.array([[np.prod(row[list(word_of(w))]) for w in family.groups[0].masks] for row in known.spins])
    there = np.einsum("spt,st->sp", family.coefficients(), signs)
    assert np.all(found.report.energies <= there + 1e-9)


def word_of(mask):
    return [k for k in range(mask.bit_length()) if mask >> k & 1]


def test_what_it_remembers_is_tried_again(rng):
    family = glass(complete(30), rng)
    good = prepared(AnnealingPreparation(seeds=Seeds(0)), family)
    poor = AnnealingPreparation(seeds=Seeds(0), sweeps=1, restarts=1)
    warm_start = {name: np.where(np.arange(6)[:, None] < 3, array, np.nan) for name, array in good.warm_start.items()}
    helped = prepared(poor, family, WarmStart(arrays=warm_start)).report.energies
    alone = prepared(poor, family).report.energies
    assert np.all(helped[:3, 1] <= good.report.energies[:3, 1] + 1e-9)
    assert np.any(alone[:3, 1] > good.report.energies[:3, 1] + 1e-6)


def test_random_numbers_follow_from_the_key(rng):
    family = glass(complete(40), rng)
    poor = AnnealingPreparation(seeds=Seeds(0), sweeps=1, restarts=1)
    first, again = (prepared(poor, family).states.spins for _ in range(2))
    other = prepared(AnnealingPreparation(seeds=Seeds(1), sweeps=1, restarts=1), family).states.spins
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_heat_bath_samples_the_gibbs_distribution(rng):
    """At one constant temperature the walk has Boltzmann's frequencies."""
    network = IsingNetwork(graph=complete(4), outputs=(0,), fields=None)
    coefficients, temperature, rows = rng.normal(size=10), 1.3, 20_000
    first = np.ones((rows, 4), dtype=np.int8)
    walk = _Walk(_Spins.of(network.groups), np.tile(coefficients, (rows, 1)), first)
    for _ in range(40):
        walk.heat_bath(np.full(rows, temperature), rng)
    levels = network.groups[0].diagonal(coefficients)
    weights = np.exp(-(levels - levels.min()) / temperature)
    counts = np.bincount((walk.spins < 0).T @ (1 << np.arange(4)), minlength=16)
    assert counts_p_value(counts, weights / weights.sum()) > LIMIT
    assert walk.energies == pytest.approx(levels[(walk.spins < 0).T @ (1 << np.arange(4))], abs=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sweeps": 0}, "sweeps: expected at least 1, got 0"),
        ({"restarts": -1}, "restarts: expected at least 1, got -1"),
        ({"reheat": 1.5}, "reheat: expected at most 1, got 1.5"),
        ({"hot_temperature": -1.0}, "hot_temperature: expected more than 0, got -1.0"),
        (
            {"hot_temperature": 1.0, "cold_temperature": 2.0},
            "cold_temperature: 2.0 is above hot_temperature 1.0",
        ),
    ],
)
def test_bad_settings(options, message):
    with pytest.raises(ConfigError, match=message):
        AnnealingPreparation(seeds=Seeds(0), **options)


def test_quantum_networks_are_refused(rng):
    network = IsingNetwork(graph=complete(3), outputs=(0,))
    family = HamiltonianFamily.of_free(network.groups, np.ones((1, 9)), KEY)
    with pytest.raises(ConfigError, match="annealing is for classical spins"):
        prepared(AnnealingPreparation(seeds=Seeds(0)), family)
