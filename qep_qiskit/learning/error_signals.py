"""The error signals of a batch: where they were read, and what their shots already tell of the response to them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.excitation import Excitation, expected_excitation
from qep_qiskit.learning.free_phase import FreePhase
from qep_qiskit.measurement import MeasurementPlan, StateMoments
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes import is_none


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SignalBatch:
    """Where the error signals of a batch came from.

    Args:
        signals: Shape (samples, outputs).
        slope: Shape (samples, outputs, means), d(signals)/d(free means); the means are columns of the plan where
            `is_free_phase`, and terms otherwise.
        covariance: Shape (samples, means, means), of the free means that the signals were read from.
        fluctuations: Shape (samples, columns, outputs), covariance of the free means of columns and outputs; zero
            where the free batch does not read the term of a column.
        output_covariance: Shape (samples, outputs, outputs), of the measured outputs.
        moved: Shape (columns, outputs), whether the term of a column does not commute with the output, or may not.
        excitation: What is expected of the response, or None where nothing is known of it.
        is_free_phase: Whether these very shots are also the free phase of the contrast.
    """

    signals: NDArray[np.float64]
    slope: NDArray[np.float64]
    covariance: NDArray[np.float64]
    fluctuations: NDArray[np.float64]
    output_covariance: NDArray[np.float64]
    moved: NDArray[np.bool_]
    excitation: Excitation | None
    is_free_phase: bool

    @property
    def is_noisy(self) -> bool:
        """Whether the signals have shot noise, and it is known."""
        return not is_none(self.covariance) and bool(np.isfinite(self.covariance).all() and self.covariance.any())

    @property
    def noise(self) -> NDArray[np.float64]:
        """Covariance of the signals, shape (samples, outputs, outputs)."""
        return self.slope @ self.covariance @ self.slope.transpose(0, 2, 1)

    def rows(self, rows: slice) -> SignalBatch:
        """Those of some of the samples."""
        return replace(
            self,
            signals=self.signals[rows],
            slope=self.slope[rows],
            covariance=self.covariance[rows],
            fluctuations=self.fluctuations[rows],
            output_covariance=self.output_covariance[rows],
            excitation=None if self.excitation is None else self.excitation.rows(rows),
        )


def signal_batch(
    hamiltonian: NudgedHamiltonian,
    first: FreePhase,
    targets: NDArray,
    plan: MeasurementPlan,
    nudged: StateMoments,
    coefficients: NDArray,
) -> SignalBatch:
    """Error signals from the free phase.

    Args:
        hamiltonian: Network and cost.
        first: The free phase.
        targets: Shape (samples, targets).
        plan: In which batches the gradient is read.
        nudged: Moments of the terms in all phases.
        coefficients: Shape (samples, terms), of H.
    """
    assert hamiltonian.output_map is not None
    assert first.outputs is not None
    assert first.output_covariance is not None
    cost, matrix = hamiltonian.cost, hamiltonian.output_map[0]
    slope, covariance = cost.curvature(first.outputs, targets) @ matrix, first.moments.covariance[:, 0]
    fluctuations = np.zeros((len(targets), plan.num_estimates, len(matrix)))
    if not is_none(covariance):
        fluctuations = (covariance @ matrix.T)[:, plan.terms]
    if not plan.of_entries:
        slope, covariance = _by_estimates(slope, first, plan), first.estimates.covariance[:, 0]
    signals = cost.signals(first.outputs, targets)
    return SignalBatch(
        signals=signals,
        slope=slope,
        covariance=covariance,
        fluctuations=fluctuations,
        output_covariance=first.output_covariance,
        moved=_moved(hamiltonian)[plan.terms],
        excitation=expected_excitation(hamiltonian, first, nudged, coefficients, signals),
        is_free_phase=not plan.of_entries,
    )


def _moved(hamiltonian: NudgedHamiltonian) -> NDArray[np.bool_]:
    """Whether terms do not commute with outputs, or may not: shape (terms, outputs)."""
    anticommuting = hamiltonian.anticommuting_with_outputs
    assert hamiltonian.output_map is not None
    matrix = hamiltonian.output_map[0]
    if anticommuting is None:
        return np.ones(matrix.T.shape, dtype=bool)
    return ((matrix[:, hamiltonian.output_strings] != 0.0) @ anticommuting).T


def _by_estimates(slope: NDArray, first: FreePhase, plan: MeasurementPlan) -> NDArray:
    """Slope of the signals by the columns that the free means were read from."""
    known = np.flatnonzero(~np.isnan(first.estimates.means[:, 0]).any(axis=0))
    full = np.zeros((*slope.shape[:2], plan.num_estimates))
    full[:, :, known] = slope @ plan.averaging(known, slope.shape[2])
    return full
