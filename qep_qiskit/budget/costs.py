"""Mean cost of a batch at many weight vectors, measured together; the basis of all methods without nudges.

Equal points are prepared once and measured as often as they occur. Many points are divided into several requests, so
that the moments of one request need at most some hundred MiB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.components import widest_component
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning.free_phase import CostEstimate, measure_free
from qep_qiskit.measurement import MeasurementCoroutine
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.states import PreparedStates
from qep_qiskit.preparation import (
    ConvergenceReport,
    HamiltonianFamily,
    Preparation,
    PreparationResult,
    WarmStart,
    prepared,
)

_NUMBERS_PER_REQUEST = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostAtPoints:
    """Mean cost of a batch at every point.

    Args:
        values: Shape (points,).
        variances: Shape (points,), due to shots; NaN where a single shot gives no estimate.
    """

    values: NDArray[np.float64]
    variances: NDArray[np.float64]


def measured_costs(
    hamiltonian: NudgedHamiltonian,
    preparation: Preparation,
    points: NDArray,
    inputs: NDArray,
    targets: NDArray,
    *,
    shots: int | None,
    key: RequestKey,
) -> MeasurementCoroutine[CostAtPoints]:
    """Return the mean cost of a batch at given weights, measured in the free phase and in the groups of the cost only.

    Args:
        hamiltonian: Network and cost.
        preparation: Preparation of the states.
        points: Shape (points, weights).
        inputs: Shape (samples, inputs).
        targets: Shape (samples, targets).
        shots: Shots per batch, or None for exact expectations.
        key: Key of the requests; their stages are counted from it.
    """
    samples = len(inputs)
    hamiltonian, targets = hamiltonian.in_batches_of(samples), hamiltonian.targets_of(inputs, targets)

    def costs_of(points: NDArray, key: RequestKey) -> MeasurementCoroutine[CostEstimate]:
        """Return costs in the order of points, and within a point in the order of samples."""
        distinct, which = np.unique(points, axis=0, return_inverse=True)
        free = np.concatenate([hamiltonian.free_coefficients(point, inputs) for point in distinct])
        family = HamiltonianFamily.of_free(hamiltonian.groups, free, key)
        prepared_states = yield from prepared(preparation, family, WarmStart())
        rows = (which.reshape(-1, 1) * samples + np.arange(samples)).ravel()
        states, repeated = _Given(prepared_states.states.rows(rows)), np.tile(targets, (len(points), 1))
        per_group = [shots] * len(hamiltonian.groups)
        phase = yield from measure_free(
            hamiltonian, states, free[rows], repeated, shots=per_group, key=key, with_outputs=False
        )
        return phase.cost

    values, variances = [], []
    for number, rows in enumerate(request_parts(hamiltonian, len(points), samples)):
        found = yield from costs_of(points[rows], replace(key, stage=key.stage + number))
        values.append(found.values.reshape(-1, samples).mean(axis=1))
        variances.append(found.variances.reshape(-1, samples).sum(axis=1) / samples**2)
    return CostAtPoints(values=np.concatenate(values), variances=np.concatenate(variances))


def request_parts(hamiltonian: NudgedHamiltonian, num_points: int, num_samples: int) -> Iterator[slice]:
    """Yield slices of the points, one for each request.

    Amplitudes of the widest unconnected part and covariances of terms determine the memory of a request.

    Args:
        hamiltonian: Network and cost.
        num_points: Number of points.
        num_samples: Number of samples of the batch.
    """
    num_qubits = widest_component(hamiltonian.groups) if hamiltonian.num_qubits else 0  # atoms in space have none
    per_state = max(1 << num_qubits, hamiltonian.num_terms**2)
    size = max(1, _NUMBERS_PER_REQUEST // (per_state * num_samples))
    return (slice(start, min(start + size, num_points)) for start in range(0, num_points, size))


@dataclass(frozen=True, slots=True)
class _Given:
    """A preparation that returns given states."""

    states: PreparedStates

    def prepare(self, family: HamiltonianFamily, start: WarmStart) -> PreparationResult:
        return PreparationResult(states=self.states, report=ConvergenceReport.silent(family))
