"""The six eigenstates of X, Y and Z of a qubit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_R = np.sqrt(0.5)

PAULI_STATES: dict[tuple[str, int], NDArray[np.complex128]] = {
    ("Z", 0): np.array([1.0, 0.0], dtype=complex),
    ("Z", 1): np.array([0.0, 1.0], dtype=complex),
    ("X", 0): np.array([_R, _R], dtype=complex),
    ("X", 1): np.array([_R, -_R], dtype=complex),
    ("Y", 0): np.array([_R, 1j * _R]),
    ("Y", 1): np.array([_R, -1j * _R]),
}
"""Amplitudes by the Pauli's letter and the measured bit (0 for the eigenvalue +1)."""

_SAME = 1e-12


def pauli_state(amplitudes: NDArray[np.complex128]) -> tuple[str, int] | None:
    """Key in `PAULI_STATES` of a normalised state of shape (2,), whatever its phase; None for other states."""
    for key, state in PAULI_STATES.items():
        if np.linalg.norm(amplitudes - np.vdot(state, amplitudes) * state) < _SAME:
            return key
    return None
