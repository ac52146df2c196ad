"""Taking out calibrated errors against M3, an independent implementation on probabilities of bit strings."""

import numpy as np
import pytest
from chi_square import LIMIT, mean_p_value

from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.execution import ReadoutErrors
from qep_qiskit.outcomes import Distribution

mthree = pytest.importorskip("mthree", reason="the comparison needs mthree, of the extra 'dev'")


def by_m3(counts, errors, masks):
    """Means of products of Z's, shape (states, masks)."""
    size = errors.num_qubits
    mitigation = mthree.M3Mitigation()
    mitigation.cals_from_matrices([np.array([[1 - a, b], [a, 1 - b]]) for a, b in errors.flip_probabilities.T])
    found = []
    for row in counts:
        strings = {format(word, f"0{size}b"): int(count) for word, count in enumerate(row) if count}
        corrected = mitigation.apply_correction(strings, list(range(size)))
        found.append([sum(p * (-1) ** (int(s, 2) & mask).bit_count() for s, p in corrected.items()) for mask in masks])
    return np.array(found, dtype=float)


def problem(errors, truth, shots, rng, repeats=1):
    """Means by the package and by M3, the true ones, and the counts."""
    size = errors.num_qubits
    truth = np.repeat(truth, repeats, axis=0)
    counts = np.array([rng.multinomial(shots, row) for row in errors.blurred(truth)])
    masks = tuple(1 << k for k in range(size)) + tuple(3 << k for k in range(size - 1))
    group = CommutingGroup(name="Z", basis=LocalBasis("Z" * size), masks=masks)
    signs = np.array([[(-1) ** (word & mask).bit_count() for mask in masks] for word in range(1 << size)])
    own = Distribution(weights=counts, shots=shots).moments(group, errors)
    return own, by_m3(counts, errors, masks), truth @ signs, counts


def test_the_same_where_every_string_came(rng):
    errors = ReadoutErrors(flip_probabilities=rng.uniform(0.005, 0.1, (2, 3)))
    own, m3, _, counts = problem(errors, rng.dirichlet(np.full(8, 2.0), 20), 200_000, rng)
    assert counts.min() > 0
    assert np.allclose(own.means, m3, rtol=0, atol=2e-6)  # M3 computes in single precision


def test_unbiased_where_few_strings_came_unlike_m3(rng):
    """M3 corrects among the strings that came, which is less noise for some bias."""
    errors = ReadoutErrors(flip_probabilities=rng.uniform(0.005, 0.1, (2, 8)))
    truth = rng.dirichlet(np.full(1 << 8, 0.3))
    own, m3, means, counts = problem(errors, truth[None], 300, rng, repeats=400)
    assert (counts == 0).mean() > 0.4
    assert mean_p_value(own.means, means[0]) > LIMIT
    assert mean_p_value(m3, means[0]) < LIMIT
    ratio = np.sqrt(np.mean((own.means - means) ** 2) / np.mean((m3 - means) ** 2))
    assert 0.9 < ratio < 1.2
