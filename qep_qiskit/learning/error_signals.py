"""The error signals of a batch: where they were read, and what their shots already tell of the response to them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.short_repr import short_repr
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
        outputs: Shape (samples, outputs), the measured outputs.
        moved: Shape (columns, outputs), whether the term of a column does not commute with the output, or may not.
        gain: Expected ratio of minus the response to the fluctuations, or None where nothing is known of it.
        shots: Variance of the outputs in one shot over that of their means, where a gain is expected.
        is_free_phase: Whether these very shots are also the free phase of the contrast.
    """

    signals: NDArray[np.float64]
    slope: NDArray[np.float64]
    covariance: NDArray[np.float64]
    fluctuations: NDArray[np.float64]
    output_covariance: NDArray[np.float64]
    outputs: NDArray[np.float64]
    moved: NDArray[np.bool_]
    gain: float | None
    shots: float
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
            outputs=self.outputs[rows],
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
    assert hamiltonian.readout is not None
    assert first.outputs is not None
    assert first.output_covariance is not None
    cost, matrix = hamiltonian.cost, hamiltonian.readout[0]
    slope, covariance = cost.curvature(first.outputs, targets) @ matrix, first.moments.covariance[:, 0]
    fluctuations = np.zeros((len(targets), plan.num_estimates, len(matrix)))
    if not is_none(covariance):
        fluctuations = (covariance @ matrix.T)[:, plan.terms]
    if not plan.of_entries:
        slope, covariance = _by_columns(slope, first, plan), first.columns.covariance[:, 0]
    gain, shots = _expected_gain(hamiltonian, first, nudged, coefficients)
    return SignalBatch(
        signals=cost.signals(first.outputs, targets),
        slope=slope,
        covariance=covariance,
        fluctuations=fluctuations,
        output_covariance=first.output_covariance,
        outputs=first.outputs,
        moved=_moved(hamiltonian)[plan.terms],
        gain=gain,
        shots=shots,
        is_free_phase=not plan.of_entries,
    )


def _moved(hamiltonian: NudgedHamiltonian) -> NDArray[np.bool_]:
    """Whether terms do not commute with outputs, or may not: shape (terms, outputs)."""
    anticommuting = hamiltonian.anticommuting_with_outputs
    if anticommuting is not None:
        return anticommuting.T > 0.0
    assert hamiltonian.readout is not None
    return np.ones(hamiltonian.readout[0].T.shape, dtype=bool)


def _by_columns(slope: NDArray, first: FreePhase, plan: MeasurementPlan) -> NDArray:
    """Slope of the signals by the columns that the free means were read from."""
    known = np.flatnonzero(~np.isnan(first.columns.means[:, 0]).any(axis=0))
    spread = np.zeros((*slope.shape[:2], plan.num_estimates))
    spread[:, :, known] = slope @ plan.averaging(known, slope.shape[2])
    return spread


def _expected_gain(
    hamiltonian: NudgedHamiltonian, first: FreePhase, nudged: StateMoments, coefficients: NDArray
) -> tuple[float | None, float]:
    """The gain that one excitation would give, of the energy that the sum rule says, and the shots of the outputs.

    An output O of variance V excites states by the energy (1/2) <[O, [H, O]]> / V on average. Were it one energy D, the
    response of any A to a nudge by O would be -2 Cov(A, O) / D. The double commutator of a Pauli string P with H is
    four times the terms that anticommute with P, with a minus sign. Covariances here are those of means, so that the
    variance of their outputs is divided out.
    """
    anticommuting, output_noise = hamiltonian.anticommuting_with_outputs, first.output_covariance
    if anticommuting is None or output_noise is None or is_none(output_noise):
        return None, 0.0
    weights, matrix = anticommuting, hamiltonian.readout[0] if hamiltonian.readout else np.zeros(0)
    seen = nudged.means[:, ~np.isnan(nudged.means[0]).all(axis=1)]
    with np.errstate(invalid="ignore"):
        means = np.nan_to_num(seen).sum(axis=1) / np.maximum((~np.isnan(seen)).sum(axis=1), 1)
    restoring = -2.0 * float(np.einsum("ot,st->", weights, coefficients * means))
    free = np.nan_to_num(first.moments.means[:, 0])
    variance = float(((1.0 - np.clip(free, -1.0, 1.0) ** 2) @ (matrix**2).T).sum())
    noise = float(np.trace(output_noise, axis1=1, axis2=2).sum())
    if not (restoring > 0.0 and variance > 0.0 and noise > 0.0):
        return None, 0.0
    return 2.0 * variance / restoring * variance / noise, variance / noise
