"""Derivative of the reported cost by finite differences of the weights: an independent check of every contrast.

The cost is measured as in evaluations, in the free phase, at weights moved up and down. No nudge, no error signal, no
response and no derivative of the cost, of the loss or of the Hamiltonian enters the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import Executor, RequestKey
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.measurement import Calibrations, Usage, run_measurements
from qep_qiskit.network import Network
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import WarmStartArrays

_STATES_PER_REQUEST = 64
_EXACT_STEP, _NOISY_STEP = 0.02, 0.2
_REFINEMENTS, _FINE_ENOUGH = 3, 1e-4
_MARGIN = 0.2  # of the distance to a bound: the longest of three steps is four times the shortest
_SHOTS = 20_000
_STENCIL = np.array([-4.0, -2.0, -1.0, 1.0, 2.0, 4.0])


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiniteDifferences:
    """Derivative of the mean cost of a batch by the weights.

    Args:
        gradient: d(cost)/d(weight), shape (weights,).
        error: Shape (weights,): the change by the last order of extrapolation plus rounding or, with shots, the
            standard error.
        shots: Shots per batch, or None where expectations are exact.
        usage: Shots and circuits used.
    """

    gradient: NDArray[np.float64]
    error: NDArray[np.float64]
    shots: int | None
    usage: Usage


@dataclass(slots=True, kw_only=True)
class _Costs:
    """Measures the mean cost of a batch at many weights."""

    estimator: GradientEstimator
    executor: Executor
    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]
    warm_start: WarmStartArrays = field(default_factory=dict)
    calibrations: Calibrations = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    requests: int = 0

    def at(self, points: NDArray) -> tuple[NDArray, NDArray]:
        """Mean cost and its variance at every point in weight space, each of shape (points,)."""
        each = max(1, _STATES_PER_REQUEST // len(self.inputs))
        found = [self._measured(points[start : start + each]) for start in range(0, len(points), each)]
        return np.concatenate([values for values, _ in found]), np.concatenate([variances for _, variances in found])

    def _measured(self, points: NDArray) -> tuple[NDArray, NDArray]:
        estimator, samples = self.estimator, len(self.inputs)
        rows = [estimator.hamiltonian.free_coefficients(weights, self.inputs) for weights in points]
        targets, key = np.tile(self.targets, (len(points), 1)), RequestKey("finite-difference", self.requests)
        warm_start = {name: np.concatenate([array] * len(points)) for name, array in self.warm_start.items()}
        work = estimator.free_phase(np.concatenate(rows), targets, key, warm_start)
        free, usage = run_measurements(estimator.without_errors(work, self.calibrations), self.executor)
        self.requests, self.usage = self.requests + 1, self.usage + usage
        self.warm_start = self.warm_start or {
            name: array[:samples] for name, array in free.prepared_states.warm_start.items()
        }
        values = free.cost.values.reshape(len(points), samples)
        variances = free.cost.variances.reshape(len(points), samples)
        return values.mean(axis=1), variances.sum(axis=1) / samples**2


def finite_differences(
    estimator: GradientEstimator, executor: Executor, weights: NDArray, inputs: NDArray, targets: NDArray
) -> FiniteDifferences:
    """Differentiate the reported cost by every weight.

    If the executor gives exact expectations, they are used with three steps in each direction, extrapolated to zero and
    shortened where they disagree. Otherwise steps are long and shots many.

    Args:
        estimator: Estimator whose free phase is measured.
        executor: Runs the circuits.
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).
        targets: Shape (samples, targets).

    Example:
        >>> experiment = qep.from_file("configs/xor.toml")
        >>> weights, data = experiment.network.layout.initial(qep.Seeds(1)), experiment.task.train
        >>> estimator, executor = experiment.ideal
        >>> found = qep.finite_differences(estimator, executor, weights, data.inputs, data.targets)
        >>> exact = qep.exact_gradient(estimator.hamiltonian, weights, data.inputs, data.targets).gradient
        >>> float(np.abs(found.gradient - exact).max()) < 1e-6
        True
    """
    hamiltonian = estimator.hamiltonian.in_batches_of(len(inputs))
    estimator = replace(estimator, hamiltonian=hamiltonian)
    exact = replace(estimator, shots=None, test_shots=None)
    targets = hamiltonian.targets_of(inputs, targets)
    costs = _Costs(estimator=exact, executor=executor, inputs=inputs, targets=targets)
    try:
        costs.at(weights[None])
    except ConfigError:  # no exact expectations here
        most = np.max([shots or 0 for shots in estimator.group_shots], initial=0)
        shots = max(_SHOTS, int(most))
        costs.estimator = replace(estimator, shots=shots, test_shots=None)
        costs.at(weights[None])
        steps = _steps(estimator.hamiltonian, weights, inputs, _NOISY_STEP)
        return _noisy(costs, weights, steps, shots)
    steps = _steps(estimator.hamiltonian, weights, inputs, _EXACT_STEP)
    gradient, error = _extrapolated(costs, weights, steps)
    for _ in range(_REFINEMENTS):
        if error.max(initial=0.0) <= _FINE_ENOUGH * np.abs(gradient).max(initial=0.0):
            break
        steps = steps / 4.0
        finer, left = _extrapolated(costs, weights, steps)
        better = left < error
        gradient, error = np.where(better, finer, gradient), np.where(better, left, error)
    return FiniteDifferences(gradient=gradient, error=error, shots=None, usage=costs.usage)


def _differences(costs: _Costs, weights: NDArray, steps: NDArray, stencil: NDArray) -> tuple[NDArray, NDArray]:
    """Costs and variances at weights moved one by one, shape (weights, points of the stencil)."""
    moves = np.diag(steps)[:, None, :] * stencil[None, :, None]
    values, variances = costs.at((weights + moves).reshape(-1, len(weights)))
    shape = (len(weights), len(stencil))
    return values.reshape(shape), variances.reshape(shape)


def _extrapolated(costs: _Costs, weights: NDArray, steps: NDArray) -> tuple[NDArray, NDArray]:
    """Richardson extrapolation of steps one, two and four, of error order six, and the change by its last order."""
    values, _ = _differences(costs, weights, steps, _STENCIL)
    by_step = (values[:, [3, 4, 5]] - values[:, [2, 1, 0]]) / (2.0 * steps[:, None] * np.array([1.0, 2.0, 4.0]))
    second = (4.0 * by_step[:, :2] - by_step[:, 1:]) / 3.0
    third = (16.0 * second[:, 0] - second[:, 1]) / 15.0
    rounding = 1e-15 * np.abs(values).max(axis=1) / steps
    return third, np.abs(third - second[:, 0]) + rounding


def _noisy(costs: _Costs, weights: NDArray, steps: NDArray, shots: int) -> FiniteDifferences:
    """Differences of steps one and two with an error of order four, and the shot noise of all four points."""
    values, variances = _differences(costs, weights, steps, _STENCIL[1:-1])
    factors = np.array([1.0, -8.0, 8.0, -1.0]) / (12.0 * steps[:, None])
    return FiniteDifferences(
        gradient=(factors * values).sum(axis=1),
        error=np.sqrt((factors**2 * variances).sum(axis=1)),
        shots=shots,
        usage=costs.usage,
    )


def _steps(hamiltonian: NudgedHamiltonian, weights: NDArray, inputs: NDArray, share: float) -> NDArray[np.float64]:
    """Steps that move the Hamiltonian by a fraction of its largest coefficient, and no weight beyond its bounds.

    They only set the accuracy: a coefficient of the wrong size shows in `FiniteDifferences.error`.
    """
    free = hamiltonian.free_coefficients(weights, inputs)
    sizes = _moved(hamiltonian, weights, inputs, np.maximum(np.abs(weights), 1e-3 * np.abs(free).max(initial=1e-300)))
    steps = share * np.abs(free).max(initial=0.0) / np.where(sizes > 0.0, sizes, np.inf)
    steps = np.where(steps > 0.0, steps, share * np.maximum(np.abs(weights), 1.0))
    low, high = hamiltonian.network.layout.bounds()
    margin = np.minimum(weights - low, high - weights)
    return np.where(margin > 0.0, np.minimum(steps, _MARGIN * margin), steps)


def _moved(hamiltonian: NudgedHamiltonian, weights: NDArray, inputs: NDArray, moves: NDArray) -> NDArray[np.float64]:
    """Largest change of a coefficient per change of each weight, shape (weights,)."""
    free = hamiltonian.free_coefficients(weights, inputs)
    found = []
    for index, move in enumerate(moves):
        moved = weights.copy()
        moved[index] += move
        found.append(float(np.abs(hamiltonian.free_coefficients(moved, inputs) - free).max(initial=0.0)) / move)
    return np.array(found)


def idle_names(network: Network, weights: NDArray, inputs: NDArray, input_names: Sequence[str]) -> list[str]:
    """Return the weights and inputs that change no coefficient of the Hamiltonian, by exact comparison.

    Args:
        network: The network.
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).
        input_names: Names of the inputs, in order.

    Returns:
        Entries ``"weight NAME"`` and ``"input NAME"``.
    """
    scale = np.abs(weights).max(initial=0.0) or 1.0
    # An input acts through its weights, even where these are zero.
    nonzero_weights = np.where(weights == 0.0, scale, weights)
    nonzero_inputs = np.where(inputs == 0.0, np.abs(inputs).max(initial=0.0) or 1.0, inputs)
    before = network.coefficients(nonzero_weights, nonzero_inputs)

    def is_idle(moved_weights: NDArray, moved_inputs: NDArray) -> bool:
        return np.array_equal(network.coefficients(moved_weights, moved_inputs), before)

    idle = []
    for index, name in enumerate(network.layout.names):
        if is_idle(nonzero_weights * np.where(np.arange(len(weights)) == index, 1.5, 1.0), nonzero_inputs):
            idle.append(f"weight {name}")
    for index, name in enumerate(input_names):
        if is_idle(nonzero_weights, nonzero_inputs * np.where(np.arange(inputs.shape[1]) == index, 1.5, 1.0)):
            idle.append(f"input {name}")
    return idle
