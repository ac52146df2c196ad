"""Energies of ansatz states: simulated with exact gradients, or estimated from shots in shared batches.

For excited states the energy has penalties for the overlap with lower states (variational quantum deflation, Higgott,
Wang & Brierley 2019, arXiv:1805.08138):

    E(p) = <psi(p)|H|psi(p)> + b sum_j |<psi(q_j)|psi(p)>|^2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.ansatz import initial_state_measurement, overlap_program
from qep_qiskit.core.groups import blocks_of
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.evolution import energy_and_gradient, evolve
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey
from qep_qiskit.measurement import MeasurementCoroutine, measure
from qep_qiskit.outcomes import bits_of
from qep_qiskit.outcomes.states import CircuitStates


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Hamiltonians whose eigenstates are prepared, one per row.

    Args:
        groups: The commuting groups.
        coefficients: Shape (rows, terms), in energy.
        lower: Shape (rows, levels, parameters), angles of the lower states, whose overlap is penalised.
        nudge: Shape (rows, terms), coefficients of the cost C, where slopes of <C> are measured.
    """

    groups: Sequence[CommutingGroup]
    coefficients: NDArray[np.float64]
    lower: NDArray[np.float64]
    nudge: NDArray[np.float64] | None = None

    def penalties(self) -> NDArray[np.float64]:
        """Return the penalty b of every row, at least the width of its spectrum, shape (rows,)."""
        return 2.0 * np.abs(self.coefficients).sum(axis=1)


def simulated_energies(
    program: LayerProgram, problem: Problem, rows: NDArray, points: NDArray
) -> tuple[NDArray, NDArray]:
    """Return exact energies (some,) and their gradients (some, parameters), penalties included.

    Args:
        program: The ansatz.
        problem: The Hamiltonians.
        rows: Shape (some,), index of the Hamiltonian of each point.
        points: Shape (some, parameters), angles in radians.
    """
    coefficients, levels = problem.coefficients[rows], problem.lower.shape[1]
    if levels == 0:
        return energy_and_gradient(program, points, problem.groups, coefficients)
    lower = evolve(program, problem.lower[rows].reshape(-1, program.num_parameters)).reshape(len(rows), levels, -1)
    penalties = np.repeat(problem.penalties()[rows, None], levels, axis=1)
    return energy_and_gradient(program, points, problem.groups, coefficients, projectors=lower, penalties=penalties)


@dataclass(slots=True, kw_only=True, eq=False)
class SampledEnergies:
    """Estimate energies from shots; each call is one request, or two where overlaps are measured too.

    Args:
        program: The ansatz.
        shots: Shots per batch, or None for exact expectations.
        key: Key of the requests; each request increases its `iteration` by one.
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
        """Return the energies of points and their shot-noise variances, both of shape (points,).

        Args:
            problem: The Hamiltonians.
            rows: Shape (points,), index of the Hamiltonian of each point.
            points: Shape (points, parameters), angles in radians.
        """
        values, variances, _ = yield from self.energies_and_costs(problem, rows, points, self.shots)
        return values, variances

    def energies_and_costs(
        self, problem: Problem, rows: NDArray, points: NDArray, shots: int | None
    ) -> MeasurementCoroutine[tuple[NDArray, NDArray, NDArray]]:
        """Return energies, their variances, and <C> with its variance and covariance with the energy.

        Shapes are (points,), (points,) and (points, 3). All are estimated from the same shots. Where C has a term in a
        group in which no Hamiltonian has one, that term is not measured and counts as zero.

        Args:
            problem: The Hamiltonians.
            rows: Shape (points,), index of the Hamiltonian of each point.
            points: Shape (points, parameters), angles in radians.
            shots: Shots per batch, or None for exact expectations.
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
        """Return |<psi(one)|psi(other)>|^2 of pairs, shape (pairs,): apply one circuit, then the inverse of the other.

        Args:
            one: Shape (pairs, parameters), angles in radians.
            other: Shape (pairs, parameters), angles in radians.
            shots: Shots of each pair, or None for exact values.
        """
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
    """Return the variances of measured frequencies: NaN for one shot, zero for exact values."""
    if shots is None:
        return np.zeros_like(frequencies)
    return frequencies * (1.0 - frequencies) / (shots - 1 if shots > 1 else np.nan)


_overlap_program = lru_cache(maxsize=32)(overlap_program)
"""Made once for a program, so that executors recognise it."""


def _groups_in_use(problem: Problem) -> list[int]:
    """Return the groups in which some Hamiltonian has a term; the others are not measured."""
    blocks = blocks_of(problem.groups, problem.coefficients)
    return [g for g, (_, block) in enumerate(blocks) if block.any()]
