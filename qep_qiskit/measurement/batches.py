"""Shared shot batches: which states to measure in which groups, and the moments of all terms.

States are laid out as (samples, phases); every commuting group of a state is one circuit and one shot batch,
whatever the number of weights (Scellier 2024, sec. 4.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

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

ShotsOfGroup = int | Sequence[int] | NDArray[np.int64] | None


def measure(
    plan: MeasurementPlan | Sequence[Group],
    prepared: PreparedStates,
    *,
    shape: tuple[int, int],
    phases: Mapping[int, Sequence[int]],
    shots: Sequence[ShotsOfGroup],
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
        shots: Shots per batch of every group: one number, one for every phase, or one for every sample and phase,
            shape (samples, phases); None for exact.
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
    wanted = [batch for g, chosen in phases.items() for batch in _with_equal_shots(g, chosen, shots[g], shape[0])]
    measurements = tuple(
        GroupMeasurement(
            group=plan.groups[batch.g],
            states=rows[batch.samples][:, [there.index(p) for p in batch.phases.tolist()]].ravel(),
            shots=batch.shots,
            part=batch.part,
        )
        for batch in wanted
    )
    data = yield Request(key=key, prepared=prepared, measurements=measurements, while_waiting=while_waiting)
    means = np.full((*shape, plan.num_estimates), np.nan)
    every = [data.moments(place, plan.groups[batch.g]) for place, batch in enumerate(wanted)]
    exact = all(is_none(found.covariance) for found in every)
    covariance = no_covariance(means.shape) if exact else np.zeros((*means.shape, plan.num_estimates))
    for batch, found in zip(wanted, every, strict=True):
        estimates = plan.estimates[batch.g]
        _check_means(found.means, plan.groups[batch.g], key)
        where = np.ix_(batch.samples, batch.phases, estimates)
        means[where] = found.means.reshape(where[0].shape[0], where[1].shape[1], len(estimates))
        if not exact:
            pairs = np.ix_(batch.samples, batch.phases, estimates, estimates)
            covariance[pairs] = found.covariance.reshape(np.broadcast_shapes(*(index.shape for index in pairs)))
    return StateMoments(means=means, covariance=covariance, discarded=data.discarded)


class _Batch(NamedTuple):
    """States of a group with equal shots: those of some samples in some phases."""

    g: int
    phases: NDArray[np.int64]
    shots: int | None
    part: int
    samples: NDArray[np.int64]


def _with_equal_shots(g: int, phases: Sequence[int], shots: ShotsOfGroup, num_samples: int) -> Iterator[_Batch]:
    """Yield the states of a group by their shots: samples that have the same in all phases, phase by phase.

    Those with the most shots come first: a calibration in the same job is repeated until it has its shots.
    """
    if len(phases) == 0:
        return
    if shots is None or isinstance(shots, int):
        yield _Batch(g, np.array(phases, dtype=np.int64), shots, 0, np.arange(num_samples))
        return
    given, chosen = np.asarray(shots, dtype=np.int64), np.array(phases, dtype=np.int64)
    rows, kind = np.unique(
        np.broadcast_to(given, (num_samples, given.shape[-1]))[:, chosen], axis=0, return_inverse=True
    )
    kinds = [(own, index) for index, row in enumerate(rows) for own in set(row.tolist())]
    for part, (own, index) in enumerate(sorted(kinds, key=lambda of_kind: -of_kind[0])):
        yield _Batch(g, chosen[rows[index] == own], own, part, np.flatnonzero(kind == index))


def _check_means(means: NDArray, group: Group, key: RequestKey) -> None:
    """Whether all means of a group are numbers: zero stands for what was not measured, never for what came as NaN."""

    def where(state: int, term: int) -> str:
        name = f"{key.purpose} {key.step}: the mean of {group.terms[term]} in state {state}"
        return f"{name} (errors of the readout taken out, if there are any)"

    check_finite(means, where, error=ResultError)
