"""Error signals of a batch, their noise, and what the free shots show of the response to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.rows import take_rows
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.excitation import Excitation, expected_excitation
from qep_qiskit.learning.free_phase import FreePhase
from qep_qiskit.measurement import MeasurementPlan, StateMoments
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes import is_none


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SignalBatch:
    """Error signals of a batch, with their shot noise.

    Args:
        signals: Error signals dL/d<O>, shape (samples, outputs).
        slope: d(signals)/d(free means), shape (samples, outputs, means). The means are estimates of the measurement
            plan where `is_free_phase`, and terms otherwise.
        covariance: Covariance of the free means that the signals follow from, shape (samples, means, means).
        fluctuations: Covariance of the free means of estimates and outputs, shape (samples, estimates, outputs); zero
            where the free batch does not measure the term of an estimate.
        output_covariance: Covariance of the measured outputs, shape (samples, outputs, outputs).
        moved: Whether the term of an estimate does not commute with the output, or may not, shape (estimates, outputs).
        excitation: Expected response, or None where nothing is known about it.
        is_free_phase: Whether the shots of the signals are also the free phase of the contrast.
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
        """Whether the signals have known, nonzero shot noise."""
        return not is_none(self.covariance) and bool(np.isfinite(self.covariance).all() and self.covariance.any())

    @property
    def noise(self) -> NDArray[np.float64]:
        """Covariance of the signals, shape (samples, outputs, outputs)."""
        return self.slope @ self.covariance @ self.slope.transpose(0, 2, 1)

    def rows(self, rows: slice) -> SignalBatch:
        """Return the signals of some of the samples."""
        names = ("signals", "slope", "covariance", "fluctuations", "output_covariance", "excitation")
        return take_rows(self, rows, *names)


def signal_batch(
    hamiltonian: NudgedHamiltonian,
    first: FreePhase,
    targets: NDArray,
    plan: MeasurementPlan,
    nudged: StateMoments,
    coefficients: NDArray,
) -> SignalBatch:
    """Return the error signals of the free phase.

    Args:
        hamiltonian: Network and cost.
        first: The free phase.
        targets: Shape (samples, targets).
        plan: Measurement plan of the gradient.
        nudged: Moments of the terms in all phases, shape (samples, phases, terms).
        coefficients: Coefficients of H, shape (samples, terms).
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
    """Whether terms do not commute with outputs, or may not, shape (terms, outputs)."""
    anticommuting = hamiltonian.anticommuting_with_outputs
    assert hamiltonian.output_map is not None
    matrix = hamiltonian.output_map[0]
    if anticommuting is None:
        return np.ones(matrix.T.shape, dtype=bool)
    return ((matrix[:, hamiltonian.output_strings] != 0.0) @ anticommuting).T


def _by_estimates(slope: NDArray, first: FreePhase, plan: MeasurementPlan) -> NDArray:
    """Slope of the signals by the estimates that the free means were averaged from."""
    known = np.flatnonzero(~np.isnan(first.estimates.means[:, 0]).any(axis=0))
    full = np.zeros((*slope.shape[:2], plan.num_estimates))
    full[:, :, known] = slope @ plan.averaging(known, slope.shape[2])
    return full
