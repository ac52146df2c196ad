"""Minimisation of the energies of a batch, all states in parallel, with simulated or sampled energies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.jobs import in_processes, one_blas_thread
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution import evolve
from qep_qiskit.execution import RequestKey
from qep_qiskit.measurement import MeasurementCoroutine, as_coroutine
from qep_qiskit.preparation.descent import descend
from qep_qiskit.preparation.energies import Problem, SampledEnergies, simulated_energies
from qep_qiskit.preparation.lockstep import EvaluationRequest, run_in_lockstep
from qep_qiskit.preparation.optimizers import BFGS, Optimum, minimising_work
from qep_qiskit.preparation.resolution import ROUNDING, units_of

CONVERGED = 1e-4
"""Norm of a gradient, as a part of the largest coefficient, at which a state counts as converged."""

_SLOPE_STEP = 0.1  # of sampled energies, whose noise a smaller one would raise
_SLOPE_STEP_EXACT = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Minima:
    """Minima of the energies of a batch, one row per state.

    Args:
        points: Shape (rows, parameters), angles in radians.
        values: Shape (rows,), energies; NaN where they are not known exactly.
        residuals: Shape (rows,), norms of the energies' gradients; NaN where not measured.
        inverse_hessians: Shape (rows, parameters, parameters), where the minimiser estimates them.
        gradients: Shape (rows, parameters), gradients of the energies, where they are known exactly.
        directions: Shape (rows, directions, parameters), along which slopes are measured where gradients are not known.
        slopes: Shape (rows, directions, 5): slopes of the energy and of <C>, the shot-noise variances of both, and
            their covariance.
    """

    points: NDArray[np.float64]
    values: NDArray[np.float64]
    residuals: NDArray[np.float64]
    inverse_hessians: NDArray[np.float64] | None = None
    gradients: NDArray[np.float64] | None = None
    directions: NDArray[np.float64] | None = None
    slopes: NDArray[np.float64] | None = None

    def _map(self, change: Callable[..., NDArray], *others: Minima) -> Minima:
        """Apply a function to every array, together with those of other minima; omit arrays that one of them lacks."""
        values = [[getattr(part, field.name) for part in (self, *others)] for field in fields(Minima)]
        changed = [None if any(part is None for part in parts) else change(*parts) for parts in values]
        return Minima(**dict(zip([field.name for field in fields(Minima)], changed, strict=True)))  # type: ignore[arg-type]

    def lower_of(self, other: Minima) -> Minima:
        """Return, row by row, the minimum of lower energy."""
        better = other.values < self.values

        def lower(mine: NDArray, its: NDArray) -> NDArray:
            return np.where(better.reshape(-1, *[1] * (mine.ndim - 1)), its, mine)

        return self._map(lower, other)

    @staticmethod
    def joined(parts: Sequence[Minima]) -> Minima:
        """Return the rows of all parts, one part after the other."""
        return parts[0]._map(lambda *arrays: np.concatenate(arrays), *parts[1:])

    def split(self, count: int) -> list[Minima]:
        """Split into parts of equal size; the inverse of `joined`."""
        rows = np.split(np.arange(len(self.points)), count)
        return [self._map(lambda array, chosen=chosen: array[chosen]) for chosen in rows]


@dataclass(slots=True, kw_only=True, eq=False)
class Minimiser(ABC):
    """Base class of minimisers: find minima of energies and count the evaluations.

    Args:
        program: The ansatz.
        optimizer: ``"bfgs"`` for the whole batch at once with exact gradients, or the name of an optimiser of
            qiskit-algorithms for every row by itself.
        options: Options of an optimiser of qiskit-algorithms.
        seeds: Root of the random streams.
        key: Key of the random streams and requests.
        evaluations: Number of evaluations so far.
    """

    program: LayerProgram
    optimizer: str
    options: Mapping[str, Any]
    seeds: Seeds
    key: RequestKey
    evaluations: int = 0

    def sharpen(self, needed: float) -> None:  # noqa: B027 - sampled energies have no tolerance
        """Set the norm of the gradient that the nudge needs."""

    @abstractmethod
    def minimise(
        self, problem: Problem, start: NDArray, inverse: NDArray | None = None, directions: NDArray | None = None
    ) -> MeasurementCoroutine[Minima]:
        """Return minima of all rows.

        Args:
            problem: The Hamiltonians.
            start: Shape (rows, parameters), initial angles in radians.
            inverse: Shape (rows, parameters, parameters), initial inverse Hessians, or None.
            directions: Shape (rows, directions, parameters), along which slopes are measured; random by default.
        """


class _Shuffle:
    """Seed the global random generator of qiskit-algorithms before each worker runs.

    The n-th calls of all workers get the same seed. The states of a batch are then perturbed in the same directions, so
    that the error of an unfinished minimisation is common to the free and the nudged states and cancels in the
    contrast. Shots stay independent.
    """

    def __init__(self, seeds: Seeds, key: RequestKey) -> None:
        from qiskit_algorithms.utils import algorithm_globals

        self._globals, self._seeds, self._key = algorithm_globals, seeds, key
        self._turns: dict[int, int] = {}

    def __call__(self, worker: int) -> None:
        turn = self._turns.get(worker, 0)
        self._turns[worker] = turn + 1
        words = ("optimizer", self._key.purpose, self._key.step, self._key.stage, turn)
        self._globals.random_seed = self._seeds.simulator_seed(*words) % 2**32


@dataclass(slots=True, kw_only=True, eq=False)
class SimulatedMinimiser(Minimiser):
    """Minimise exact energies with exact gradients from statevectors, without measurements.

    Args:
        tolerance: Largest norm of the gradient; by default 1e-4 of the largest coefficient of each row, or less where
            the nudge needs it.
        max_evaluations: Largest number of evaluations of every row.
        needed: Norm of the gradient that the nudge needs.
    """

    tolerance: float | None
    max_evaluations: int
    needed: float = np.inf

    def sharpen(self, needed: float) -> None:
        """Set the norm of the gradient that the nudge needs."""
        self.needed = needed

    def minimise(
        self, problem: Problem, start: NDArray, inverse: NDArray | None = None, directions: NDArray | None = None
    ) -> MeasurementCoroutine[Minima]:
        """Return minima of all rows; gradients are exact, so `directions` are not used."""
        return as_coroutine(self._minima(problem, start, inverse))

    def _minima(self, problem: Problem, start: NDArray, inverse: NDArray | None) -> Minima:
        """Minimise the energies in units of their largest coefficient."""
        if self.optimizer != BFGS:
            return self._one_by_one(problem, start)
        units = units_of(problem.coefficients)

        def objective(rows: NDArray, points: NDArray) -> tuple[NDArray, NDArray]:
            values, gradients = simulated_energies(self.program, problem, rows, points)
            return values / units[rows], gradients / units[rows, None]

        found = descend(
            objective,
            start,
            tolerance=self._tolerances(units) / units,
            max_evaluations=self.max_evaluations,
            inverse_hessians=None if inverse is None else inverse * units[:, None, None],
        )
        self.evaluations += int(found.evaluations.sum())
        return Minima(
            points=found.points,
            values=found.values * units,
            residuals=found.residuals * units,
            inverse_hessians=found.inverse_hessians / units[:, None, None],
            gradients=found.gradients * units[:, None],
        )

    def _tolerances(self, units: NDArray) -> NDArray[np.float64]:
        if self.tolerance is not None:
            return np.full_like(units, self.tolerance)
        return np.clip(self.needed, ROUNDING * units, CONVERGED * units)

    def _one_by_one(self, problem: Problem, start: NDArray) -> Minima:
        """Minimise each row by itself; simulated energies need no shared requests."""
        with one_blas_thread():
            optima = in_processes(partial(self._optimum, problem), list(enumerate(start)))
        points = np.array([point for point, _ in optima])
        self.evaluations += sum(num_evaluations for _, num_evaluations in optima) + len(points)
        values, gradients = simulated_energies(self.program, problem, np.arange(len(points)), points)
        return Minima(points=points, values=values, residuals=np.linalg.norm(gradients, axis=1), gradients=gradients)

    def _optimum(self, problem: Problem, item: tuple[int, NDArray]) -> Optimum:
        (row, start), shuffle = item, _Shuffle(self.seeds, self.key)

        def evaluate(kind: str, content: Any) -> Any:
            answer = self._answer(problem, row, kind, content)
            shuffle(row)
            return answer

        shuffle(row)
        return minimising_work(self.optimizer, self.options, start, simulated=True)(evaluate)

    def _answer(self, problem: Problem, row: int, kind: str, content: Any) -> Any:
        if kind == "fidelity":
            one, other = (evolve(self.program, points) for points in content)
            return np.abs(np.einsum("rx,rx->r", one.conj(), other)) ** 2
        points = np.atleast_2d(content)
        values, gradients = simulated_energies(self.program, problem, np.full(len(points), row), points)
        return (float(values[0]), gradients[0]) if kind == "gradient" else values


@dataclass(slots=True, kw_only=True, eq=False)
class SampledMinimiser(Minimiser):
    """Minimise energies from shot batches, with one request for all states.

    Args:
        shots: Shots per batch, or None for exact expectations.
        directions: Number of random directions in which slopes are measured at the minima.
        slope_shots: Shots per batch of these slopes; by default `shots`.
    """

    shots: int | None
    directions: int
    slope_shots: int | None = None
    _energies: SampledEnergies = field(init=False)

    def __post_init__(self) -> None:
        self._energies = SampledEnergies(program=self.program, shots=self.shots, key=self.key)

    def minimise(
        self, problem: Problem, start: NDArray, inverse: NDArray | None = None, directions: NDArray | None = None
    ) -> MeasurementCoroutine[Minima]:
        """Return minima of all rows, with slopes along the directions; `inverse` is not used."""

        def answer(requests: list[EvaluationRequest]) -> MeasurementCoroutine[list[Any]]:
            return (yield from self._answers(problem, requests))

        works = [minimising_work(self.optimizer, self.options, row, simulated=False) for row in start]
        optima = yield from run_in_lockstep(works, answer, _Shuffle(self.seeds, self.key))
        points = np.array([point for point, _ in optima])
        self.evaluations += sum(num_evaluations for _, num_evaluations in optima)
        unknown = np.full(len(points), np.nan)
        if not self.directions:
            return Minima(points=points, values=unknown, residuals=unknown)
        along = self._random_directions(points) if directions is None else directions
        slopes = yield from self._slopes(problem, points, along)
        residuals = self._residuals(slopes)
        return Minima(points=points, values=unknown, residuals=residuals, directions=along, slopes=slopes)

    def _answers(self, problem: Problem, requests: list[EvaluationRequest]) -> MeasurementCoroutine[list[Any]]:
        """Evaluate all energies in one request, and all overlaps in another."""
        answers: dict[int, Any] = {}
        energies = [request for request in requests if request.kind == "energy"]
        if energies:
            rows = np.concatenate([np.full(len(request.content), request.worker) for request in energies])
            points = np.concatenate([request.content for request in energies])
            values, _ = yield from self._energies.energies(problem, rows, points)
            answers |= _shared_out(energies, values, [len(request.content) for request in energies])
        fidelities = [request for request in requests if request.kind == "fidelity"]
        if fidelities:
            one, other = (np.concatenate([request.content[side] for request in fidelities]) for side in (0, 1))
            values = yield from self._energies.overlaps(one, other, self.shots)
            answers |= _shared_out(fidelities, values, [len(request.content[0]) for request in fidelities])
        return [answers[request.worker] for request in requests]

    def _random_directions(self, points: NDArray) -> NDArray[np.float64]:
        """Return random signs +-1, shape (rows, directions, parameters)."""
        generator = self.seeds.generator(*self.key.seed_words, "residual", self._energies.num_requests)
        return generator.choice((-1.0, 1.0), size=(len(points), self.directions, points.shape[1]))

    def _slopes(self, problem: Problem, points: NDArray, directions: NDArray) -> MeasurementCoroutine[NDArray]:
        """Return slopes of the energy and of <C> along directions, see `Minima.slopes`; exact ones have no variance."""
        shots = self.shots if self.slope_shots is None else self.slope_shots
        step = _SLOPE_STEP_EXACT if shots is None else _SLOPE_STEP
        trials = points[:, None] + step * np.stack([directions, -directions])
        rows = np.tile(np.repeat(np.arange(len(points)), directions.shape[1]), 2)
        self.evaluations += len(rows)
        flat = trials.reshape(len(rows), -1)
        energies, noise, costs = yield from self._energies.energies_and_costs(problem, rows, flat, shots)
        values = [energies, costs[:, 0], noise, costs[:, 1], costs[:, 2]]
        found = np.stack(values, axis=1).reshape(2, *directions.shape[:2], 5)
        slopes = (found[0] - found[1])[..., :2] / (2.0 * step)
        cost_slopes = np.nan_to_num(found.sum(axis=0)[..., 2:]) / (2.0 * step) ** 2
        return np.concatenate([slopes, cost_slopes], axis=2)

    def _residuals(self, slopes: NDArray) -> NDArray[np.float64]:
        """Return norms of gradients from slopes along random directions, with shot noise subtracted.

        For directions d of +-1 the mean of (g . d)^2 is |g|^2. Where shots cannot distinguish it from zero, its
        standard error is returned instead, so that few shots do not make a state converged.
        """
        noise = slopes[..., 2]
        squares = slopes[..., 0] ** 2 - noise
        count = squares.shape[1]
        scatter = squares.std(axis=1, ddof=1) / np.sqrt(count) if count > 1 else noise[:, 0]
        return np.sqrt(np.maximum(squares.mean(axis=1), scatter if self.shots is not None else 0.0))


def _shared_out(requests: Sequence[EvaluationRequest], values: NDArray, sizes: Sequence[int]) -> dict[int, NDArray]:
    """Return the values of each request, by worker."""
    parts = np.split(values, np.cumsum(sizes)[:-1])
    return {request.worker: part for request, part in zip(requests, parts, strict=True)}
