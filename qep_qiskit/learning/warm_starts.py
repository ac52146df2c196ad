"""What a preparation remembers of the training samples, and lends to samples that are new."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.preparation import WarmStartArrays

_MOST_WARM_START_BYTES = 1 << 26


def store_warm_start(
    warm_starts: dict[str, NDArray[np.float64]], num_samples: int, rows: NDArray[np.int64], warm_start: WarmStartArrays
) -> None:
    """Keep what a preparation leaves of some samples; what would make checkpoints too large is left out.

    Args:
        warm_starts: Arrays with all samples on the first axis, NaN where nothing is known; changed in place.
        num_samples: Samples in all.
        rows: Which ones these are.
        warm_start: Arrays with these samples on the first axis.
    """
    for name, array in warm_start.items():
        if array[:1].nbytes * num_samples > _MOST_WARM_START_BYTES:
            continue
        nothing = np.full((num_samples, *array.shape[1:]), np.nan, dtype=array.dtype)
        warm_starts.setdefault(name, nothing)[rows] = array


def nearest_warm_start(warm_start: Mapping[str, NDArray], known_inputs: NDArray, inputs: NDArray) -> WarmStartArrays:
    """For new samples, what is remembered of the known sample whose inputs are nearest.

    Args:
        warm_start: Arrays with known samples on the first axis.
        known_inputs: Shape (known samples, inputs).
        inputs: Shape (samples, inputs), of the new samples.
    """
    if not warm_start:
        return {}
    distances = ((inputs[:, None, :] - known_inputs[None, :, :]) ** 2).sum(axis=2)
    nearest = distances.argmin(axis=1)
    return {name: array[nearest] for name, array in warm_start.items()}
