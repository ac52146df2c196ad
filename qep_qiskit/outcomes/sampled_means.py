"""Hold means from the samples of a simulation, with the noise of the sampling, where there are no shots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.outcomes.interface import ExactMeans, GroupMoments, ReadoutErrorModel


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledMeans(ExactMeans):
    """Hold means of terms from Monte Carlo samples, and their covariance. No shots are counted.

    Args:
        means: Shape (measured, terms).
        covariance: Shape (measured, terms, terms), of the means.

    Example:
        >>> from qep_qiskit.outcomes.sampled_means import SampledMeans
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
        >>> means = SampledMeans(means=np.array([[0.5]]), covariance=np.array([[[0.01]]]))
        >>> means.shots, means.moments(group).covariance.item()
        (None, 0.01)
    """

    covariance: NDArray[np.float64]

    def moments(self, group: Any, errors: ReadoutErrorModel | None = None) -> GroupMoments:
        """Return the means and their covariance.

        Args:
            group: The group that was measured.
            errors: Ignored: a simulation has no readout errors.
        """
        return GroupMoments(means=self.means, covariance=self.covariance, shots=None)
