"""Fields and couplings of classical Hamiltonians, and what an annealer can set of them."""

import sys

import numpy as np
import pytest
from classical_cases import KEY, classical
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.network import IsingNetwork, PauliNetwork, chain
from qep_qiskit.preparation import CouplerLimits, HamiltonianFamily
from qep_qiskit.preparation.classical import classical_energies
from qep_qiskit.preparation.ising_problems import IsingTerms
from qep_qiskit.preparation.ocean import require_ocean


def test_energies_are_those_of_the_operators(rng):
    hamiltonian, weights, inputs, _ = classical("lattice", rng)
    terms, rows = IsingTerms.of(tuple(hamiltonian.groups)), hamiltonian.free_coefficients(weights, inputs)
    spins = rng.choice(np.array([-1, 1], dtype=np.int8), size=(len(rows), 7, terms.count))
    index = (spins < 0) @ (1 << np.arange(terms.count))
    expected = np.take_along_axis(classical_energies(hamiltonian.groups, rows), index, axis=1)
    assert terms.energies(rows, spins) == pytest.approx(expected, abs=1e-12)


def test_quantum_terms_and_longer_products_are_refused():
    with pytest.raises(ConfigError, match=r"annealers are for classical spins, and network or cost hold 'X0'"):
        IsingTerms.of(tuple(IsingNetwork(graph=chain(2), outputs=(0,)).groups))
    network = PauliNetwork.from_operators({"K": SparsePauliOp("ZZZ")}, outputs=(0,))
    with pytest.raises(ConfigError, match=r"couplings of two spins, and network or cost hold 'Z0 Z1 Z2'; use prep"):
        IsingTerms.of(tuple(HamiltonianFamily.of_free(network.groups, np.ones((1, 1)), KEY).paulis))


def test_problems_beyond_the_bounds_are_refused_or_scaled_by_one_factor():
    fields, couplings = np.array([[1.0, -0.5], [0.5, 0.0]]), np.array([[-3.0], [0.5]])
    limits = CouplerLimits(h_range=[-4.0, 4.0], j_range=[-2.0, 1.0])
    with pytest.raises(ConfigError, match=r"j_range: a coupling of -3 is beyond \[-2, 1\]; set auto_scale = true"):
        limits.applied(fields, couplings)
    scaled = CouplerLimits(h_range=[-4.0, 4.0], j_range=[-2.0, 1.0], auto_scale=True).applied(fields, couplings)
    assert scaled[1] == pytest.approx(np.array([[-2.0], [0.5]]))
    assert scaled[0] == pytest.approx(np.array([[2 / 3, -1 / 3], [0.5, 0.0]]))  # the second problem fits as it is
    with pytest.raises(ConfigError, match=r"h_range: a field .* of 5 is beyond \[-4, 4\]; .*network.biases"):
        limits.applied(np.array([[5.0]]), np.zeros((1, 0)))


def test_numbers_are_rounded_to_those_of_so_many_bits(rng):
    couplings = rng.uniform(-1, 1, size=(1, 500))
    _, rounded = CouplerLimits(j_range=[-1.0, 1.0], bits=4).applied(np.zeros((1, 2)), couplings)
    levels = rounded * 7  # -7 to 7: four bits with the sign
    assert levels == pytest.approx(np.rint(levels), abs=1e-12)
    assert set(np.rint(levels).astype(int)[0]) == set(range(-7, 8))
    assert np.abs(rounded - couplings).max() <= 0.5 / 7 + 1e-12
    _, free = CouplerLimits(bits=2).applied(np.zeros((1, 2)), np.array([[0.1, -0.03, 0.06]]))
    assert free == pytest.approx(np.array([[0.1, 0.0, 0.1]]))  # without bounds: over the largest of the problem


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"h_range": [1.0, 2.0]}, "h_range: expected a number below zero and one above"),
        ({"j_range": [-1.0]}, "j_range: expected the lowest and the highest value"),
        ({"auto_scale": True}, "auto_scale: goes with h_range or j_range"),
        ({"bits": 1}, "bits: expected at least 2, got 1"),
    ],
)
def test_bad_limits(given, message):
    with pytest.raises(ConfigError, match=message):
        CouplerLimits(**given)


@pytest.mark.parametrize("missing", ["dimod", "dwave.samplers"])
def test_without_the_libraries(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ResourceError, match=r"'ocean:...' needs dimod and dwave-samplers; .*'qep_qiskit\[ocean\]'"):
        require_ocean()
