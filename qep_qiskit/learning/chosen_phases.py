"""Nudges of the phases, the groups that they are measured in, and the phases that give the reported cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.learning.diagnostics import typical_nudge_size
from qep_qiskit.learning.free_phase import CostEstimate, cost_of_means
from qep_qiskit.measurement import MeasurementPlan, StateMoments
from qep_qiskit.network import TermJacobian
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes import is_none

_MOST_DOUBLINGS = 4
_SAME_BETA = 1e-9


def wanted_phases(
    hamiltonian: NudgedHamiltonian, plan: MeasurementPlan, jacobian: TermJacobian, betas: NDArray, given: NDArray
) -> dict[int, list[int]]:
    """Return the phases to measure of every group; a free phase that was measured before is left out.

    A group whose weights are all frozen is measured in the phase of the smallest nudge, where error bars read it.

    Args:
        hamiltonian: Network and cost.
        plan: Measurement plan of the gradient.
        jacobian: d(coefficient)/d(weight) of the weights whose gradient is measured.
        betas: Nudges of all phases, shape (phases,).
        given: Nudges of the contrast, without those of the reported cost.
    """
    signals, known = hamiltonian.cost.has_signals, set[int]()
    if signals and not plan.of_entries:
        known = set(plan.groups_measuring(hamiltonian.measured_terms))
    used = [p for p, beta in enumerate(betas) if signals or beta in given]
    wanted = {g: [p for p in used if betas[p] != 0.0 or g not in known] for g in plan.serving(jacobian.term)}
    for g in plan.groups_measuring(hamiltonian.cost_terms_of_phases):
        wanted[g] = sorted({*wanted.get(g, []), *cost_phases(betas)})
    if signals and not plan.of_entries:  # the response to error signals, for error bars: one phase is enough
        for g in set(plan.serving(hamiltonian.responding_terms)) - set(wanted):
            wanted[g] = [min(used, key=lambda p: abs(betas[p]))]
    return wanted


def cost_phases(betas: NDArray) -> list[int]:
    """Return the indices of the phases that give the reported cost: the free phase, else the two smallest nudges."""
    if 0.0 in betas:
        return [int(np.flatnonzero(betas == 0.0)[0])]
    smallest = np.abs(betas).min()
    return [int(p) for p in np.flatnonzero(np.isclose(np.abs(betas), smallest, rtol=_SAME_BETA, atol=0.0))]


def cost_of_phases(
    hamiltonian: NudgedHamiltonian, moments: StateMoments, betas: NDArray, targets: NDArray
) -> CostEstimate:
    """Return the reported cost, from the phases of `cost_phases`.

    Args:
        hamiltonian: Network and cost.
        moments: Moments of the terms, shape (samples, phases, terms).
        betas: Nudges, shape (phases,).
        targets: Shape (samples, targets).
    """
    chosen = cost_phases(betas)
    means = moments.means[:, chosen].mean(axis=1)
    covariance = moments.covariance[:, 0]
    if not is_none(covariance):
        covariance = moments.covariance[:, chosen].sum(axis=1) / len(chosen) ** 2
    return cost_of_means(hamiltonian, means, covariance, targets)


def equalized(nudge: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return nudges divided by their largest coefficients, shape (samples, terms), and these, shape (samples,).

    A nudge without coefficients stays as it is. Its size is zero, so that the noise of its contrast does not count.

    Args:
        nudge: Coefficients of the nudging operators, shape (samples, terms).
    """
    sizes = np.abs(nudge).max(axis=1, initial=0.0)
    return nudge / np.where(sizes > 0.0, sizes, 1.0)[:, None], sizes


def unit_of_signals(hamiltonian: NudgedHamiltonian, nudge: NDArray, targets: NDArray) -> float:
    """Return the power of two closest to the size of unit error signals over that of given ones, within bounds.

    Args:
        hamiltonian: Network and cost.
        nudge: Coefficients of the nudging operators, shape (samples, terms).
        targets: Shape (samples, targets).
    """
    groups, unit = hamiltonian.groups, hamiltonian.nudge_in_units(targets)
    ratio = typical_nudge_size(groups, unit) / max(typical_nudge_size(groups, nudge), 1e-300)
    return float(2.0 ** np.clip(np.round(np.log2(ratio)), -_MOST_DOUBLINGS, _MOST_DOUBLINGS))


def without_frozen_groups(
    jacobian: TermJacobian, plan: MeasurementPlan, hamiltonian: NudgedHamiltonian
) -> TermJacobian:
    """Return the derivatives without groups whose weights are all frozen and that measure no output.

    Args:
        jacobian: d(coefficient)/d(weight), by terms.
        plan: Measurement plan of the gradient.
        hamiltonian: Network and cost; all derivatives are returned where it trains no weight.
    """
    trained = hamiltonian.network.layout.trainable()[jacobian.weight]
    if trained.all() or not trained.any():
        return jacobian
    serving = {*plan.serving(jacobian.term[trained]), *plan.groups_measuring(hamiltonian.measured_terms)}
    others = [where for g, where in enumerate(plan.estimates) if g not in serving]
    kept = ~np.isin(jacobian.term, plan.terms[np.concatenate([np.zeros(0, dtype=np.int64), *others])])
    return replace(jacobian, weight=jacobian.weight[kept], term=jacobian.term[kept], values=jacobian.values[:, kept])
