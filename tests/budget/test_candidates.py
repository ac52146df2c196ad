"""Settings to choose from spend the shots that there are, and no more."""

import numpy as np
import pytest
from cases import SMALL_GRAPHS, half_one_plus_z, random_network

from qep_qiskit.budget.candidates import finite_difference_candidates, spsa_candidates
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network import WeightInitialisation
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.nudge import NudgedHamiltonian

SEEDS = Seeds(0)


@pytest.fixture
def hamiltonian(rng):
    network, _ = random_network(SMALL_GRAPHS["edges"], rng)
    return NudgedHamiltonian(network, half_one_plus_z(2, 3))


@pytest.fixture
def with_loss(rng):
    """Outputs in two groups."""
    network, _ = random_network(SMALL_GRAPHS["edges"], rng, couplings=WeightInitialisation(frozen=True))
    observables = tuple(sparse_pauli_op([(PauliString.of(letter, 2), 1.0)], 3) for letter in "ZX")
    return NudgedHamiltonian(network, LossOnExpectations(observables))


def test_finite_differences_share_the_shots(hamiltonian, with_loss):
    assert hamiltonian.network.layout.num_weights == 8
    found = finite_difference_candidates(hamiltonian, total_shots=1000, num_samples=3, shifts=(0.1, 0.2))
    assert [(c.delta, c.shots) for c in found] == [(0.1, 20), (0.2, 20)]
    # Six weights train, and two groups are read.
    found = finite_difference_candidates(with_loss, total_shots=1000, shifts=(0.1,))
    assert [c.shots for c in found] == [41]


def test_spsa_splits_the_shots_in_powers_of_two(hamiltonian):
    found = spsa_candidates(hamiltonian, total_shots=100, seeds=SEEDS, shifts=(0.1,))
    assert [(c.perturbations, c.shots) for c in found] == [(1, 50), (2, 25), (4, 12), (8, 6), (16, 3), (50, 1)]
    assert all(0.9 * 100 <= 2 * c.perturbations * c.shots <= 100 for c in found)
    assert len(spsa_candidates(hamiltonian, total_shots=100, seeds=SEEDS, shifts=(0.1, 0.2))) == 2 * len(found)


def test_a_loss_takes_two_shots(with_loss):
    found = spsa_candidates(with_loss, total_shots=4000, seeds=SEEDS, num_samples=2, shifts=(0.1,))
    assert found[-1].perturbations == 250
    assert min(c.shots for c in found) == 2
    assert max(c.perturbations * c.shots for c in found) <= 4000 / 8


@pytest.mark.parametrize(("circuits", "counts"), [(1, []), (2, [1]), (4, [1, 2]), (6, [1, 2, 3])])
def test_equal_circuits(hamiltonian, circuits, counts):
    found = spsa_candidates(hamiltonian, total_shots=1000, seeds=SEEDS, shifts=(0.1,), circuits=circuits)
    assert [c.perturbations for c in found] == counts
    assert all(2 * c.perturbations * c.shots > 990 for c in found)


def test_too_few_shots_leave_nothing_to_choose(hamiltonian, with_loss):
    assert finite_difference_candidates(hamiltonian, total_shots=15) == ()
    assert len(finite_difference_candidates(hamiltonian, total_shots=16, shifts=(0.1,))) == 1
    assert spsa_candidates(hamiltonian, total_shots=1, seeds=SEEDS) == ()
    assert spsa_candidates(with_loss, total_shots=7, seeds=SEEDS) == ()
    assert [c.shots for c in spsa_candidates(with_loss, total_shots=8, seeds=SEEDS, shifts=(0.1,))] == [2]


def test_nothing_trains(rng):
    frozen = WeightInitialisation(frozen=True)
    network, _ = random_network(SMALL_GRAPHS["edges"], rng, couplings=frozen, biases=frozen, fields=frozen)
    hamiltonian = NudgedHamiltonian(network, half_one_plus_z(2, 3))
    assert not np.any(network.layout.trainable())
    assert finite_difference_candidates(hamiltonian, total_shots=1000) == ()


def test_refusals(hamiltonian):
    with pytest.raises(ConfigError, match="at least 1 shot and 1 sample, got 0 and 1"):
        finite_difference_candidates(hamiltonian, total_shots=0)
    with pytest.raises(ConfigError, match="at least one shift"):
        spsa_candidates(hamiltonian, total_shots=10, seeds=SEEDS, shifts=())
