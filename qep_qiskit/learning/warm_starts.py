"""Warm starts of the training samples, and nearest-neighbour warm starts of new samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.preparation import WarmStartArrays

_MOST_WARM_START_BYTES = 1 << 26


def store_warm_start(
    warm_starts: dict[str, NDArray[np.float64]], num_samples: int, rows: NDArray[np.int64], warm_start: WarmStartArrays
) -> None:
    """Store the warm-start arrays of some samples; arrays too large for a checkpoint are left out.

    Args:
        warm_starts: Arrays of all samples, samples on the first axis, NaN where unknown; changed in place.
        num_samples: Number of all samples.
        rows: Indices of the samples to store, shape (rows,).
        warm_start: Arrays of these samples, on the first axis.
    """
    for name, array in warm_start.items():
        if array[:1].nbytes * num_samples > _MOST_WARM_START_BYTES:
            continue
        nothing = np.full((num_samples, *array.shape[1:]), np.nan, dtype=array.dtype)
        warm_starts.setdefault(name, nothing)[rows] = array


def nearest_warm_start(warm_start: Mapping[str, NDArray], known_inputs: NDArray, inputs: NDArray) -> WarmStartArrays:
    """Return for every new sample the warm start of the known sample with the nearest inputs.

    Args:
        warm_start: Arrays of the known samples, on the first axis.
        known_inputs: Shape (known samples, inputs).
        inputs: Inputs of the new samples, shape (samples, inputs).
    """
    if not warm_start:
        return {}
    distances = ((inputs[:, None, :] - known_inputs[None, :, :]) ** 2).sum(axis=2)
    nearest = distances.argmin(axis=1)
    return {name: array[nearest] for name, array in warm_start.items()}
