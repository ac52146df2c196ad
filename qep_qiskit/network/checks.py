"""Checks that several networks use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.checks import check_finite, whole_number
from qep_qiskit.core.errors import NetworkError


def check_spins(key: str, spins: Sequence[int], num_spins: int) -> None:
    """Check that spins are in range and distinct.

    Args:
        key: Config key, for messages.
        spins: Indices of spins.
        num_spins: Number of spins.

    Raises:
        NetworkError: An index is not a whole number, is out of range, or occurs twice.
    """
    for spin in spins:
        whole_number(key, spin, error=NetworkError)
    outside = [spin for spin in spins if not 0 <= spin < num_spins]
    if outside:
        raise NetworkError(
            f"{key}: spin {outside[0]} is out of range; there are {num_spins} spins, 0 to {num_spins - 1}"
        )
    if len(set(spins)) != len(spins):
        raise NetworkError(f"{key}: a spin is named twice in {list(spins)}; keep one")


def one_input(x: NDArray | Sequence[float] | None, num_inputs: int) -> NDArray[np.float64]:
    """Return one input vector as a batch, shape (1, inputs).

    Args:
        x: Shape (inputs,); None where there are no inputs.
        num_inputs: Number of inputs of the network.

    Raises:
        NetworkError: The vector has another length.
    """
    given = np.zeros(num_inputs) if x is None and not num_inputs else np.asarray(x, dtype=float)
    if given.shape != (num_inputs,):
        raise NetworkError(f"x: expected {num_inputs} clamped inputs, got shape {given.shape}")
    check_finite(given, lambda place: f"x: input {place}")
    return given[None, :]
