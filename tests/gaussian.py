"""Trotter ramps of open Ising chains, exactly at any size: every rotation turns two Majorana operators.

A slow reference of its own: it shares no kernel with the package's free fermions, only the letters. Sites are counted
from an ancilla at the left end to one at the right; end fields are couplings to them (b_0 and a_(N+1) below).
"""

import numpy as np


def _majoranas(word, num_spins):
    """Indices (m, k) with word = i m k, among b_0 ... b_N, a_1 ... a_(N+1)."""
    sites = [spin + 1 for spin, _ in word.factors]
    letters = "".join(letter for _, letter in word.factors)
    if letters == "X":
        return num_spins + sites[0], sites[0]
    if letters == "ZZ":
        assert sites[1] == sites[0] + 1
        return sites[0], num_spins + sites[1]
    assert letters == "Z"
    assert sites[0] in (1, num_spins)
    return (0, num_spins + 1) if sites[0] == 1 else (num_spins, 2 * num_spins + 1)


def _all_plus(num_spins):
    """<i m k> where every X is 1 and the ancillas agree, shape (2N+2, 2N+2)."""
    mixed = np.zeros((num_spins + 1, num_spins + 1))
    mixed[range(1, num_spins + 1), range(num_spins)] = -1.0
    mixed[0, num_spins] = 1.0
    mixed[0, num_spins] = np.linalg.det(mixed)
    zero = np.zeros_like(mixed)
    return np.block([[zero, mixed], [-mixed.T, zero]])


def ramped_means(program, parameters, words):
    """Means of words after a layer program from the state of all plus."""
    size = program.num_qubits
    correlations = _all_plus(size)
    for _, word, source, scale, offset in program.rotations():
        angle = 2.0 * (offset + (scale * parameters[source] if source >= 0 else 0.0))
        pair = list(_majoranas(word, size))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        correlations[pair] = turn @ correlations[pair]
        correlations[:, pair] = correlations[:, pair] @ turn.T
    return np.array([correlations[_majoranas(word, size)] for word in words])
