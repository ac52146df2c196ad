"""Noise of the error signals in a gradient of a loss of a batch, whose signals depend on the shots of all samples.

The shots of sample r move the signals of every sample s of its batch, delta eps_s = K_sr delta P_r, and through them
the gradient, sum_s J_s R_s delta eps_s, with J_s = d(coefficients)/d(weights) and R_s the response. These add before
they are squared, so that the covariance is one of weights and not a sum over samples:

    Cov = sum_s J_s Cov_s J_s^T + sum_r T_r Cov(P_r) T_r^T ,     T_r = sum_s J_s R_s K_sr .

The responses, and what is not known of them, are those of `signal_noise`; deviations and gain are common to all
samples. The summed variance is right to a tenth or so, but the errors of the responses add up over the batch, and that
of a single weight may be off by a factor. All that the signals add therefore counts as uncertain, so that estimates are
marked approximate where it matters; error bars from replicates have no such part.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.learning.error_signals import SignalBatch
from qep_qiskit.learning.signal_noise import UNSEEN_SHARE, UsedPhases, expected_response, unseen_directions


def coupled_covariance(
    covariance: NDArray, derivative: NDArray, batch: SignalBatch, jacobian: NDArray, used: UsedPhases
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the covariance of the summed gradient, and the part of its diagonal that is uncertain.

    Args:
        covariance: Covariance of the derivatives at fixed error signals, shape (samples, estimates, estimates).
        derivative: Derivatives of the estimates by beta, shape (samples, estimates).
        batch: Error signals of one batch, with their coupling.
        jacobian: d(coefficient)/d(weight), shape (samples, weights, estimates).
        used: Phases of the contrast.

    Returns:
        Shapes (weights, weights) and (weights,).
    """
    assert batch.coupling is not None
    found = expected_response(covariance, derivative, batch, used)
    noise, bent = batch.coupled_noise, found.bend[:, None, None] * jacobian
    by_signals = bent @ found.response
    through = np.einsum("swo,sorm->rwm", by_signals, batch.coupling, optimize=True)
    half = through @ batch.covariance
    fixed = (jacobian @ covariance @ jacobian.transpose(0, 2, 1)).sum(axis=0)
    total = fixed + (half @ through.transpose(0, 2, 1)).sum(axis=0)
    if used.free_weight:
        own = used.sizes[:, None, None] * (half @ jacobian.transpose(0, 2, 1))
        cross = used.free_weight * own.sum(axis=0)
        total += cross + cross.T
    uncertain = np.einsum("swt,zwt,top,sozp->w", bent, bent, found.residual_variance, noise, optimize=True)
    uncertain += found.gain_variance * _through(bent @ batch.fluctuations, noise)
    total[np.diag_indices(len(total))] += uncertain
    uncertain += UNSEEN_SHARE * _through(by_signals @ unseen_directions(batch.signals), noise)
    return total, np.maximum(uncertain, np.abs(np.diag(total - fixed)))


def _through(by_signals: NDArray, noise: NDArray) -> NDArray[np.float64]:
    """Variances of weights, from their derivatives by signals (samples, weights, outputs) and the noise of these."""
    return np.asarray(np.einsum("swo,sozp,zwp->w", by_signals, noise, by_signals, optimize=True))
