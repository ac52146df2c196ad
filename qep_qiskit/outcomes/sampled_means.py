"""Hold means from the samples of a simulation, with the noise of the sampling, where there are no shots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.outcomes.checks import require_real, require_shape
from qep_qiskit.outcomes.interface import GroupMoments, Outcomes, ReadoutErrorModel


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledMeans(Outcomes):
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

    means: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @property
    def shots(self) -> None:
        """Return None: the samples are those of a simulation."""
        return

    def moments(self, group: Any, errors: ReadoutErrorModel | None = None) -> GroupMoments:
        """Return the means and their covariance.

        Args:
            group: The group that was measured.
            errors: Ignored: a simulation has no readout errors.
        """
        return GroupMoments(means=self.means, covariance=self.covariance, shots=None)

    def check(self, measured: int, group: Any, num_qubits: int | None, name: str) -> None:
        """Check that there are real numbers, one for each term.

        Args:
            measured: Number of measured states.
            group: The group that was measured.
            num_qubits: Qubits of the states.
            name: Circuit and backend, for messages.
        """
        require_shape(self.means, (measured, group.num_terms), name)
        require_real(self.means, name)
