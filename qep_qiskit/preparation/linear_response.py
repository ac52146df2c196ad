"""Interface of preparations whose states answer a nudge by their linear response, from samples of the free state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.outcomes.states import PreparedStates
from qep_qiskit.preparation.interface import HamiltonianFamily


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledResponse:
    """Linear responses of all terms, with the replicas of a jackknife.

    Args:
        values: Shape (samples, directions, terms), d<P_t>/dbeta at beta = 0 for a nudge along each direction.
        replicas: Shape (blocks, samples, directions, terms): the same without one of the blocks of samples.

    Example:
        >>> from qep_qiskit.preparation.linear_response import SampledResponse
        >>> found = SampledResponse(values=np.zeros((1, 1, 2)), replicas=np.array([[[[-0.1, 0.0]]], [[[0.1, 0.0]]]]))
        >>> found.along(np.ones((1, 1))).variance.round(3)
        array([[0.01, 0.  ]])
    """

    values: NDArray[np.float64]
    replicas: NDArray[np.float64]

    def along(self, signals: NDArray) -> Responses:
        """Return the responses to sums of the directions.

        Args:
            signals: Shape (samples, directions), factors of the directions.
        """
        return Responses(
            values=np.einsum("sd,sdt->st", signals, self.values),
            replicas=np.einsum("sd,bsdt->bst", signals, self.replicas),
        )


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Responses:
    """Values with the replicas of a jackknife.

    Args:
        values: Shape (...).
        replicas: Shape (blocks, ...).
    """

    values: NDArray[np.float64]
    replicas: NDArray[np.float64]

    @property
    def variance(self) -> NDArray[np.float64]:
        """Variances of the values by the jackknife, shape (...); zero without blocks."""
        count = len(self.replicas)
        return (count - 1) * self.replicas.var(axis=0) if count else np.zeros_like(self.values)


@runtime_checkable
class LinearlyResponding(Protocol):
    """Interface of preparations that give free states and their linear responses, but no nudged states."""

    def responses(self, family: HamiltonianFamily, states: PreparedStates, directions: NDArray) -> SampledResponse:
        """Return linear responses of free states.

        Args:
            family: The Hamiltonians; its key selects the random numbers.
            states: The free states, one per sample.
            directions: Shape (samples, directions, terms), coefficients of nudging operators.
        """
