"""Shared shot batches: which states to measure in which groups, and the moments of all terms.

States are laid out as (samples, phases); every commuting group of a state is one circuit and one shot batch,
whatever the number of weights (Scellier 2024, sec. 4.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.checks import check_finite
from qep_qiskit.core.errors import ResultError
from qep_qiskit.core.groups import Group
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey
from qep_qiskit.measurement.driving import MeasurementCoroutine
from qep_qiskit.measurement.plan import MeasurementPlan, shared_plan
from qep_qiskit.measurement.state_moments import StateMoments
from qep_qiskit.outcomes import is_none, no_covariance
from qep_qiskit.outcomes.states import PreparedStates


def measure(
    plan: MeasurementPlan | Sequence[Group],
    prepared: PreparedStates,
    *,
    shape: tuple[int, int],
    phases: Mapping[int, Sequence[int]],
    shots: Sequence[int | Sequence[int] | None],
    key: RequestKey,
    prepared_phases: Sequence[int] | None = None,
    while_waiting: Callable[[], object] | None = None,
) -> MeasurementCoroutine[StateMoments]:
    """Measure states in commuting groups, one shared shot batch each.

    Args:
        plan: What to read in which batches; groups alone are read in one shared batch each, and then the columns are
            their generators, one group after the other: the terms.
        prepared: States in rows, sample by sample and within a sample phase by phase.
        shape: (samples, phases).
        phases: For every group that is wanted (by index), the phases to measure it in.
        shots: Shots per batch of every group, one number or one for every phase; None for exact.
        key: Names the request.
        prepared_phases: The phases that there are states of, in order; all by default.
        while_waiting: Other work, which an executor may do while it waits.

    Returns:
        Moments of shape (samples, phases, columns); NaN where they are not wanted, and there alone.

    Raises:
        ResultError: A mean is not finite.
    """
    plan = plan if isinstance(plan, MeasurementPlan) else shared_plan(plan)
    there = range(shape[1]) if prepared_phases is None else prepared_phases
    rows = np.arange(shape[0] * len(there)).reshape(shape[0], len(there))
    wanted = [batch for g, chosen in phases.items() for batch in _with_equal_shots(g, chosen, shots[g])]
    measurements = tuple(
        GroupMeasurement(
            group=plan.groups[g], states=rows[:, [there.index(p) for p in chosen]].ravel(), shots=own, part=part
        )
        for g, chosen, own, part in wanted
    )
    data = yield Request(key=key, prepared=prepared, measurements=measurements, while_waiting=while_waiting)
    means = np.full((*shape, plan.num_estimates), np.nan)
    every = [data.moments(place, plan.groups[g]) for place, (g, *_) in enumerate(wanted)]
    exact = all(is_none(found.covariance) for found in every)
    covariance = no_covariance(means.shape) if exact else np.zeros((*means.shape, plan.num_estimates))
    for (g, chosen, *_), found in zip(wanted, every, strict=True):
        estimates = plan.estimates[g]
        _check_means(found.means, plan.groups[g], key)
        block = (shape[0], len(chosen), len(estimates))
        where = np.array(chosen)[:, None]
        means[:, where, estimates] = found.means.reshape(block)
        if exact:
            continue
        pairs = where[:, :, None], estimates[:, None], estimates[None, :]
        covariance[:, pairs[0], pairs[1], pairs[2]] = found.covariance.reshape((*block, block[-1]))
    return StateMoments(means=means, covariance=covariance, discarded=data.discarded)


def _with_equal_shots(
    g: int, phases: Sequence[int], shots: int | Sequence[int] | None
) -> Iterator[tuple[int, list[int], int | None, int]]:
    """Yield phases of a group with equal shots: the group, the phases, their shots, and the number of the part.

    Those with the most shots come first: a calibration in the same job is repeated until it has its shots.
    """
    if not isinstance(shots, Sequence):
        if len(phases) > 0:
            yield g, list(phases), shots, 0
        return
    for part, own in enumerate(sorted({shots[p] for p in phases}, reverse=True)):
        yield g, [p for p in phases if shots[p] == own], own, part


def _check_means(means: NDArray, group: Group, key: RequestKey) -> None:
    """Whether all means of a group are numbers: zero stands for what was not measured, never for what came as NaN."""

    def where(state: int, term: int) -> str:
        name = f"{key.purpose} {key.step}: the mean of {group.terms[term]} in state {state}"
        return f"{name} (errors of the readout taken out, if there are any)"

    check_finite(means, where, error=ResultError)
