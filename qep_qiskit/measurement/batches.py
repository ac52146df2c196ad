"""Shared shot batches: which states to measure in which groups, and the moments of all terms.

States are laid out as (samples, phases); every commuting group of a state is one circuit and one shot batch,
whatever the number of weights (Scellier 2024, sec. 4.1).

Work that measures is written as a generator: it yields a `Request` and is sent the `ShotData`. It never
sees an executor, so it can be driven at once, or stopped between a request and its answer, or replayed
from stored answers.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.execution import Executor, Readout, Request, RequestKey, ShotData
from qep_qiskit.measurement.moments import moments
from qep_qiskit.operators import CommutingGroup
from qep_qiskit.prepared import Prepared

__all__ = ["Measuring", "StateMoments", "Usage", "drive", "measure"]

Result = TypeVar("Result")
Measuring = Generator[Request, ShotData, Result]


@dataclass(frozen=True, slots=True)
class Usage:
    """What measuring cost.

    Args:
        shots: Shots in all.
        circuits: Bound circuits in all: states times groups.
    """

    shots: int = 0
    circuits: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.shots + other.shots, self.circuits + other.circuits)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StateMoments:
    """Means of all terms in a block of states.

    Args:
        means: Shape (samples, phases, terms); NaN where a group was not measured.
        covariance: Shape (samples, phases, terms, terms), of the means; zero between groups, and NaN
            within a group where one shot gives no estimate.
    """

    means: NDArray[np.float64]
    covariance: NDArray[np.float64]


def measure(
    groups: Sequence[CommutingGroup],
    prepared: Prepared,
    *,
    shape: tuple[int, int],
    phases: Mapping[int, Sequence[int]],
    shots: Sequence[int | None],
    key: RequestKey,
) -> Measuring[StateMoments]:
    """Measure states in commuting groups, one shared shot batch each.

    Args:
        groups: All groups; their generators, one group after the other, are the terms.
        prepared: States in rows, sample by sample and within a sample phase by phase.
        shape: (samples, phases).
        phases: For every group that is wanted (by index), the phases to measure it in.
        shots: Shots per batch of every group, or None for exact.
        key: Names the request.
    """
    rows = np.arange(shape[0] * shape[1]).reshape(shape)
    wanted = {g: list(chosen) for g, chosen in phases.items() if len(chosen) > 0}
    readouts = tuple(
        Readout(group=groups[g], states=rows[:, chosen].ravel(), shots=shots[g]) for g, chosen in wanted.items()
    )
    data = yield Request(key=key, prepared=prepared, readouts=readouts)
    ends = np.cumsum([group.num_generators for group in groups])
    total = int(ends[-1])
    means = np.full((*shape, total), np.nan)
    covariance = np.zeros((*shape, total, total))
    for (g, chosen), outcomes in zip(wanted.items(), data.outcomes, strict=True):
        found = moments(outcomes, groups[g])
        where = slice(int(ends[g]) - groups[g].num_generators, int(ends[g]))
        block = (shape[0], len(chosen), groups[g].num_generators)
        means[:, chosen, where] = found.means.reshape(block)
        covariance[:, chosen, where, where] = found.covariance.reshape((*block, block[-1]))
    return StateMoments(means=means, covariance=covariance)


def drive(measuring: Measuring[Result], executor: Executor) -> tuple[Result, Usage]:
    """Run measuring work to its end on an executor; returns its result and what it cost."""
    usage = Usage()
    try:
        request = next(measuring)
        while True:
            data = executor.collect(executor.submit(request))
            usage += Usage(request.num_shots, request.num_circuits)
            request = measuring.send(data)
    except StopIteration as finished:
        return finished.value, usage
    finally:
        measuring.close()
