"""Estimate of the response to a nudge by one excitation: its energy, and the change of the outputs.

The sum rule of the double commutator gives the mean energy of the excitations by an operator N: (1/2) <[N, [H, N]]>
over the variance of N. Let H = sum_h c_h h and N_h be the strings of N that anticommute with h. A flip by h turns N_h
into -N_h, and [N, [h, N]] = -4 N_h^2 h where the strings of N commute. For a single Pauli string N_h^2 is a number.
For sums of strings <N_h^2 h> is not measured, and <N_h^2> <h> is used in its place. The excited state is the state
after such a flip, in which the mean of N differs by -2 <N_h>.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.rows import take_rows
from qep_qiskit.learning.free_phase import FreePhase
from qep_qiskit.measurement import StateMoments
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes import is_none


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Excitation:
    """Expected response of outputs to a nudge, before it is measured.

    Args:
        gain: Expected ratio of minus the response to the covariances of measured means.
        shots: Variance of the outputs in one shot over that of their means.
        shift: Mean of the nudging operator in the excited state minus that in the free state, shape (samples,). None
            where outputs are sums of strings, for which one excitation describes strong nudges too roughly.
    """

    gain: float
    shots: float
    shift: NDArray[np.float64] | None

    def rows(self, rows: slice) -> Excitation:
        """Return the excitation of some of the samples."""
        return take_rows(self, rows, "shift")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Flips:
    """Flips of the strings of the outputs by the terms of H.

    Args:
        anticommuting: Shape (strings, flips), whether a flip changes the sign of a string.
        rates: Shape (samples, flips), -c_h <h>.
        means: Shape (samples, strings).
        products: Shape (samples, strings, strings), means of products of commuting strings, else zero.
    """

    anticommuting: NDArray[np.bool_]
    rates: NDArray[np.float64]
    means: NDArray[np.float64]
    products: NDArray[np.float64]

    def of(self, operators: NDArray) -> tuple[NDArray, NDArray]:
        """Return (1/2) <[N, [H, N]]> and the shift of <N>, each of shape (samples,); N has shape (samples, strings)."""
        turned = operators[:, :, None] * self.anticommuting
        squares = np.einsum("sih,sih->sh", self.products @ turned, turned)
        rates = 2.0 * self.rates * squares
        restoring = rates.sum(axis=1)
        moved = -2.0 * np.einsum("sih,si,sh->s", turned, self.means, rates)
        return restoring, np.divide(moved, restoring, out=np.zeros_like(moved), where=restoring > 0.0)


def expected_excitation(
    hamiltonian: NudgedHamiltonian, first: FreePhase, nudged: StateMoments, coefficients: NDArray, signals: NDArray
) -> Excitation | None:
    """Return the excitation whose energy follows from the sum rule, or None where the sum rule gives none.

    With a single excitation of energy D the response of any A to a nudge by O is -2 Cov(A, O) / D. Covariances are
    those of means, so that the number of shots enters the gain. One energy is used for all outputs and samples.

    Args:
        hamiltonian: Network and cost.
        first: The free phase.
        nudged: Moments of the terms in all phases, shape (samples, phases, terms).
        coefficients: Coefficients of H, shape (samples, terms).
        signals: Error signals, shape (samples, outputs).
    """
    outputs, covariance = hamiltonian.output_map, first.moments.covariance[:, 0]
    if outputs is None or outputs.anticommuting is None or is_none(covariance):
        return None
    anticommuting, strings = outputs.anticommuting, outputs.strings
    matrix, covariance = outputs.matrix[:, strings], covariance[:, strings[:, None], strings]
    means = np.clip(np.nan_to_num(first.moments.means[:, 0, strings]), -1.0, 1.0)
    own, diagonal = 1.0 - means**2, np.arange(len(strings))
    variance, noise = (float((one @ (matrix**2).T).sum()) for one in (own, covariance[:, diagonal, diagonal]))
    if not (variance > 0.0 and noise > 0.0):
        return None
    shots = variance / noise
    one_shot = shots * covariance
    one_shot[:, diagonal, diagonal] = own
    products = one_shot + means[:, :, None] * means[:, None, :]
    products[:, anticommuting[:, strings]] = 0.0
    flips = np.flatnonzero(anticommuting.any(axis=0))
    found = _Flips(
        anticommuting=anticommuting[:, flips],
        rates=-coefficients[:, flips] * _over_phases(nudged.means[:, :, flips]),
        means=means,
        products=products,
    )
    restoring = sum(float(found.of(np.broadcast_to(row, means.shape))[0].sum()) for row in matrix)
    whole = float(np.einsum("oi,sij,oj->", matrix, one_shot, matrix))
    if not (restoring > 0.0 and whole > 0.0):
        return None
    are_single = bool((np.count_nonzero(matrix, axis=1) == 1).all())
    shift = found.of(signals @ matrix)[1] if are_single else None
    return Excitation(gain=2.0 * whole / restoring * shots, shots=shots, shift=shift)


def _over_phases(means: NDArray) -> NDArray[np.float64]:
    """Means over the measured phases, shape (samples, terms); zero where none was measured."""
    read = ~np.isnan(means)
    return np.asarray(np.nan_to_num(means).sum(axis=1) / np.maximum(read.sum(axis=1), 1))
