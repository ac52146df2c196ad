"""Hold means of blocks of states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.rows import take_rows
from qep_qiskit.core.short_repr import short_repr


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StateMoments:
    """Hold means in a block of states: of all terms, or of the estimates of a measurement plan.

    Args:
        means: Shape (samples, phases, terms); NaN where a group was not measured.
        covariance: Shape (samples, phases, terms, terms), of the means; zero between groups, and NaN
            within a group where one shot gives no estimate.
        discarded: The weight that truncation took from one of the states, where somebody looked; else NaN.
    """

    means: NDArray[np.float64]
    covariance: NDArray[np.float64]
    discarded: float = float("nan")

    def rows(self, rows: slice) -> StateMoments:
        """Return the moments of some samples."""
        return take_rows(self, rows, "means", "covariance")
