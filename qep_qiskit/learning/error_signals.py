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
from qep_qiskit.network.cost_interface import Cost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes import is_none

_DRAWS = 16
_STANDARD_ERRORS = 2.0
_NONLINEAR = 0.1  # squared deviation, of squared signals and their linear change


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SignalBatch:
    """Error signals of a batch, with their shot noise.

    Args:
        signals: Error signals dL/d<O>, shape (samples, outputs).
        slope: d(signals)/d(free means of the same sample), shape (samples, outputs, means). The means are
            estimates of the measurement plan where `is_free_phase`, and terms otherwise.
        covariance: Covariance of the free means that the signals follow from, shape (samples, means, means).
        fluctuations: Covariance of the free means of estimates and outputs, shape (samples, estimates, outputs); zero
            where the free batch does not measure the term of an estimate.
        output_covariance: Covariance of the measured outputs, shape (samples, outputs, outputs).
        moved: Whether the term of an estimate does not commute with the output, or may not, shape (estimates, outputs).
        excitation: Expected response, or None where nothing is known about it.
        is_free_phase: Whether the shots of the signals are also the free phase of the contrast.
        coupling: With a loss of a batch, d(signals)/d(free means of all samples of the batch), shape (samples, outputs,
            samples of a batch, means); otherwise None.
        is_nonlinear: Whether signals of a loss of a batch are far from linear within two standard errors of the
            outputs, so that the covariance of the gradient is only approximate.
        is_at_optimum: Whether all signals vanish because the loss is at its minimum.
        size_slope: d(what a nudge was divided by)/d(signals), shape (samples, outputs), where nudges are equal;
            otherwise None.
    """

    signals: NDArray[np.float64]
    slope: NDArray[np.float64]
    covariance: NDArray[np.float64]
    fluctuations: NDArray[np.float64]
    output_covariance: NDArray[np.float64]
    moved: NDArray[np.bool_]
    excitation: Excitation | None
    is_free_phase: bool
    coupling: NDArray[np.float64] | None = None
    is_nonlinear: bool = False
    is_at_optimum: bool = False
    size_slope: NDArray[np.float64] | None = None

    @property
    def is_noisy(self) -> bool:
        """Whether the signals have known, nonzero shot noise."""
        return not is_none(self.covariance) and bool(np.isfinite(self.covariance).all() and self.covariance.any())

    @property
    def noise(self) -> NDArray[np.float64]:
        """Covariance of the signals, shape (samples, outputs, outputs)."""
        if self.coupling is not None:
            return np.einsum("sosp->sop", self.coupled_noise)
        return self.slope @ self.covariance @ self.slope.transpose(0, 2, 1)

    @property
    def coupled_noise(self) -> NDArray[np.float64]:
        """Covariance of the signals of one batch, shape (samples, outputs, samples, outputs)."""
        assert self.coupling is not None
        if self.coupling.shape[2] != len(self.covariance):
            raise ValueError(f"expected the {self.coupling.shape[2]} samples of a batch, got {len(self.covariance)}")
        half = np.einsum("sorm,rmn->sorn", self.coupling, self.covariance)
        return np.einsum("sorn,tprn->sotp", half, self.coupling, optimize=True)

    def rows(self, rows: slice) -> SignalBatch:
        """Return the signals of some of the samples; with a loss of a batch, of whole batches."""
        names = ("signals", "slope", "covariance", "fluctuations", "output_covariance", "excitation", "coupling")
        return take_rows(self, rows, *names, "size_slope")


def signal_batch(
    hamiltonian: NudgedHamiltonian,
    first: FreePhase,
    targets: NDArray,
    plan: MeasurementPlan,
    nudged: StateMoments,
    coefficients: NDArray,
    signals: NDArray,
    *,
    equal_nudges: bool,
) -> SignalBatch:
    """Return the error signals of the free phase.

    Args:
        hamiltonian: Network and cost.
        first: The free phase.
        targets: Shape (samples, targets).
        plan: Measurement plan of the gradient.
        nudged: Moments of the terms in all phases, shape (samples, phases, terms).
        coefficients: Coefficients of H, shape (samples, terms).
        signals: The error signals, shape (samples, outputs).
        equal_nudges: Whether every nudge was divided by its largest coefficient.
    """
    assert hamiltonian.output_map is not None
    assert first.outputs is not None
    assert first.output_covariance is not None
    cost, matrix = hamiltonian.cost, hamiltonian.output_map.matrix
    curvature, covariance = cost.curvature(first.outputs, targets), first.moments.covariance[:, 0]
    slope = curvature @ matrix
    fluctuations = np.zeros((len(targets), plan.num_estimates, len(matrix)))
    if not is_none(covariance):
        fluctuations = (covariance @ matrix.T)[:, plan.terms]
    coupling, is_nonlinear = None, False
    if cost.couples_samples and not is_none(covariance):
        by_outputs = cost.coupling(first.outputs, targets)
        is_nonlinear = _is_nonlinear(cost, first, targets, signals, by_outputs)
        coupling = by_outputs @ matrix
    if not plan.of_entries:
        if coupling is not None:
            rows = coupling.reshape(len(coupling), -1, coupling.shape[3])
            coupling = _by_estimates(rows, first, plan).reshape(*coupling.shape[:3], plan.num_estimates)
        slope, covariance = _by_estimates(slope, first, plan), first.estimates.covariance[:, 0]
    return SignalBatch(
        signals=signals,
        slope=slope,
        covariance=covariance,
        fluctuations=fluctuations,
        output_covariance=first.output_covariance,
        moved=hamiltonian.output_map.moved[plan.terms],
        excitation=expected_excitation(hamiltonian, first, nudged, coefficients, signals),
        is_free_phase=not plan.of_entries,
        coupling=coupling,
        is_nonlinear=is_nonlinear,
        is_at_optimum=cost.is_at_optimum(signals, curvature, first.outputs, targets),
        size_slope=_size_slope(signals, matrix) if equal_nudges else None,
    )


def _size_slope(signals: NDArray, matrix: NDArray) -> NDArray[np.float64]:
    """d(largest coefficient of a nudge)/d(signals), shape (samples, outputs).

    Args:
        signals: Shape (samples, outputs).
        matrix: Coefficients of the terms in the outputs, shape (outputs, terms).
    """
    nudge = signals @ matrix
    largest = np.abs(nudge).argmax(axis=1)
    return np.asarray(np.sign(nudge[np.arange(len(nudge)), largest])[:, None] * matrix[:, largest].T)


def _is_nonlinear(cost: Cost, first: FreePhase, targets: NDArray, signals: NDArray, coupling: NDArray) -> bool:
    """Whether signals change otherwise than by their slopes when outputs move by two standard errors."""
    assert first.outputs is not None
    assert first.output_covariance is not None
    sizes, vectors = np.linalg.eigh(np.nan_to_num(first.output_covariance))
    root = vectors * np.sqrt(np.maximum(sizes, 0.0))[:, None, :]
    size = coupling.shape[2]
    square = expected = 0.0
    for draw in np.random.default_rng(20250717).normal(size=(_DRAWS, *signals.shape)):
        moved = _STANDARD_ERRORS * np.einsum("sop,sp->so", root, draw)
        blocks = np.repeat(moved.reshape(-1, size, moved.shape[1]), size, axis=0)
        linear = np.einsum("sorp,srp->so", coupling, blocks)
        square += float(((cost.signals(first.outputs + moved, targets) - signals - linear) ** 2).sum())
        expected += float((linear**2).sum() + (signals**2).sum())
    return square > _NONLINEAR * expected


def _by_estimates(slope: NDArray, first: FreePhase, plan: MeasurementPlan) -> NDArray:
    """Slope of the signals by the estimates that the free means were averaged from."""
    known = np.flatnonzero(~np.isnan(first.estimates.means[:, 0]).any(axis=0))
    full = np.zeros((*slope.shape[:2], plan.num_estimates))
    full[:, :, known] = plan.shares(slope, known)
    return full
