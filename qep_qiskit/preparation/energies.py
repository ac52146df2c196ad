"""Energies of ansatz states: simulated with exact gradients, or sampled in the shared shot batches.

To reach excited states the energy carries penalties for overlapping with lower ones (variational quantum deflation,
Higgott, Wang & Brierley 2019, arXiv:1805.08138):

    E(p) = <psi(p)|H|psi(p)> + b sum_j |<psi(q_j)|psi(p)>|^2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.ansatz import initial_state_measurement, overlap_program
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.evolution import energy_and_gradient, evolve
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey
from qep_qiskit.measurement import MeasurementCoroutine, measure
from qep_qiskit.outcomes import bits_of
from qep_qiskit.outcomes.states import CircuitStates


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Hamiltonians whose states are looked for, one per row.

    Args:
        groups: The commuting groups.
        coefficients: Shape (rows, terms).
        lower: Shape (rows, levels, parameters), angles of the states below, which cost a penalty to overlap with.
        nudge: Shape (rows, terms), coefficients of the cost C that they are nudged by, where slopes of <C> are wanted.
    """

    groups: Sequence[CommutingGroup]
    coefficients: NDArray[np.float64]
    lower: NDArray[np.float64]
    nudge: NDArray[np.float64] | None = None

    def penalties(self) -> NDArray[np.float64]:
        """Penalty b of every row: no less than the width of its spectrum."""
        return 2.0 * np.abs(self.coefficients).sum(axis=1)


def simulated_energies(
    program: LayerProgram, problem: Problem, rows: NDArray, points: NDArray
) -> tuple[NDArray, NDArray]:
    """Exact energies and gradients.

    Args:
        program: The ansatz.
        problem: The Hamiltonians.
        rows: Shape (some,), which Hamiltonian each point belongs to.
        points: Shape (some, parameters).
    """
    coefficients, levels = problem.coefficients[rows], problem.lower.shape[1]
    if levels == 0:
        return energy_and_gradient(program, points, problem.groups, coefficients)
    lower = evolve(program, problem.lower[rows].reshape(-1, program.num_parameters)).reshape(len(rows), levels, -1)
    penalties = np.repeat(problem.penalties()[rows, None], levels, axis=1)
    return energy_and_gradient(program, points, problem.groups, coefficients, projectors=lower, penalties=penalties)


@dataclass(slots=True, kw_only=True, eq=False)
class SampledEnergies:
    """Energies from shots; every call is one request, or two where overlaps are asked for too.

    Args:
        program: The ansatz.
        shots: Per batch, or None for exact expectations.
        key: Names the requests; their `iteration` is counted on.
    """

    program: LayerProgram
    shots: int | None
    key: RequestKey
    num_requests: int = field(default=0)

    def _next_key(self) -> RequestKey:
        self.num_requests += 1
        return replace(self.key, iteration=self.num_requests)

    def energies(
        self, problem: Problem, rows: NDArray, points: NDArray
    ) -> MeasurementCoroutine[tuple[NDArray, NDArray]]:
        """Energies of points, each of the Hamiltonian of its row, and their variances by shots."""
        values, variances, _ = yield from self.energies_and_costs(problem, rows, points, self.shots)
        return values, variances

    def energies_and_costs(
        self, problem: Problem, rows: NDArray, points: NDArray, shots: int | None
    ) -> MeasurementCoroutine[tuple[NDArray, NDArray, NDArray]]:
        """The same at another number of shots, and <C>, its variance and its covariance with the energy, shape (n, 3).

        These come from the same shots. Where C has a term in a group in which no Hamiltonian has one, that term is not
        measured and counts as zero.
        """
        coefficients = problem.coefficients[rows]
        nudges = np.zeros_like(coefficients) if problem.nudge is None else problem.nudge[rows]
        moments = yield from measure(
            problem.groups,
            CircuitStates(program=self.program, parameters=points),
            shape=(len(points), 1),
            phases={g: [0] for g in _groups_in_use(problem)},
            shots=[shots] * len(problem.groups),
            key=self._next_key(),
        )
        means, covariance = np.nan_to_num(moments.means[:, 0]), moments.covariance[:, 0]

        def covariance_of(one: NDArray, other: NDArray) -> NDArray:
            return np.einsum("rt,rtu,ru->r", one, covariance, other)

        values, variances = np.einsum("rt,rt->r", coefficients, means), covariance_of(coefficients, coefficients)
        costs = np.einsum("rt,rt->r", nudges, means)
        costs = np.stack([costs, covariance_of(nudges, nudges), covariance_of(nudges, coefficients)], axis=1)
        levels = problem.lower.shape[1]
        if levels == 0:
            return values, variances, costs
        one, other = np.repeat(points, levels, axis=0), problem.lower[rows].reshape(-1, points.shape[1])
        overlaps = (yield from self.overlaps(one, other, shots)).reshape(len(points), levels)
        penalties = problem.penalties()[rows]
        values = values + penalties * overlaps.sum(axis=1)
        return values, variances + penalties**2 * _noise(overlaps, shots).sum(axis=1), costs

    def overlaps(self, one: NDArray, other: NDArray, shots: int | None) -> MeasurementCoroutine[NDArray]:
        """|<psi(one)|psi(other)>|^2 of pairs of points, shape (pairs,), by preparing one and undoing the other."""
        measurement = initial_state_measurement(self.program)
        states = CircuitStates(program=_overlap_program(self.program), parameters=np.concatenate([one, other], axis=1))
        request = Request(
            key=self._next_key(),
            prepared=states,
            measurements=(GroupMeasurement(group=measurement.group, states=np.arange(len(one)), shots=shots),),
            for_means=False,
        )
        data = yield request
        return bits_of(data.outcomes[0]).share_of(measurement.outcome)


def _noise(frequencies: NDArray, shots: int | None) -> NDArray:
    """Variances of measured frequencies; NaN for one shot, zero where exact."""
    if shots is None:
        return np.zeros_like(frequencies)
    return frequencies * (1.0 - frequencies) / (shots - 1 if shots > 1 else np.nan)


_overlap_program = lru_cache(maxsize=32)(overlap_program)
"""Made once for a program, so that executors recognise it."""


def _groups_in_use(problem: Problem) -> list[int]:
    """Groups in which some Hamiltonian has a term; the others need no shots."""
    ends = np.cumsum([group.num_terms for group in problem.groups])
    blocks = np.split(problem.coefficients, ends[:-1], axis=1)
    return [g for g, block in enumerate(blocks) if block.any()]
