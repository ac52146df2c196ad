"""Checks that several networks use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.checks import check_finite, whole_number
from qep_qiskit.core.errors import NetworkError


def check_sites(key: str, sites: Sequence[int], count: int, kind: str = "a spin") -> None:
    """Check that spins or atoms are in range and distinct.

    Args:
        key: Config key, for messages.
        sites: Indices of spins or atoms.
        count: Number of them.
        kind: What they are, with its article.

    Raises:
        NetworkError: An index is not a whole number, is out of range, or occurs twice.
    """
    name = kind.split()[1]
    for site in sites:
        whole_number(key, site, error=NetworkError)
    outside = [site for site in sites if not 0 <= site < count]
    if outside:
        raise NetworkError(f"{key}: {name} {outside[0]} is out of range; there are {count} {name}s, 0 to {count - 1}")
    if len(set(sites)) != len(sites):
        raise NetworkError(f"{key}: {kind} is named twice in {list(sites)}; keep one")


def check_copies(copies: int, outputs: int) -> None:
    """Check the number of copies of outputs.

    Raises:
        NetworkError: The number of copies is below 1, or does not divide the number of outputs.
    """
    if whole_number("copies", copies, error=NetworkError) < 1 or outputs % copies:
        raise NetworkError(f"copies: expected a divisor of the number of outputs, {outputs}; got {copies}")


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
