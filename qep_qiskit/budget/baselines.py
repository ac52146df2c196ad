"""Gradients without nudges: what one would measure of a network instead of equilibrium propagation.

Both methods evaluate the cost of the free state at shifted weights, M the number of weights that train:

    finite differences   g_k = [C(w + delta e_k) - C(w - delta e_k)] / (2 delta)                2 M evaluations
    SPSA                 g = mean over random signs D of D [C(w + c D) - C(w - c D)] / (2 c)    2 P evaluations

Simultaneous perturbation: Spall 1992, IEEE Trans. Autom. Control 37, 332. With V the variance of one shot of the cost
and m shots an evaluation, in all groups that the cost lives in, the summed variances are

    finite differences   M V / (2 delta^2 m)                        bias O(delta^2)
    SPSA                 (M - 1) |g|^2 / P + M V / (2 c^2 m P)       bias O(c^2)

to lowest order in the shifts. Frozen weights are not shifted and have gradient zero: compare the others. Bounds of
weights are not heeded: a gradient does not move them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.budget.costs import measured_costs
from qep_qiskit.budget.counting import counted
from qep_qiskit.core.checks import check_shots, whole_number
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning import GradientEstimator
from qep_qiskit.measurement import MeasurementCoroutine, Usage
from qep_qiskit.network.nudge import NudgedHamiltonian


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BaselineEstimate:
    """A gradient of the mean cost of a batch, and what it took.

    Args:
        gradient: Shape (weights,), d(cost)/d(weight); zero for frozen weights.
        variance: Shape (weights,), as the method itself can claim it, without its bias: from shots for finite
            differences, from the spread over perturbations for SPSA. NaN where that is impossible.
        usage: Shots and bound circuits in all, those of the preparation included.
        evaluations: Evaluations of the mean cost of the batch.
        distinct_circuits: Bound circuits that differ from each other, of the evaluations alone.
    """

    gradient: NDArray[np.float64]
    variance: NDArray[np.float64]
    usage: Usage
    evaluations: int
    distinct_circuits: int


class Baseline(Protocol):
    """A method and its settings."""

    @property
    def description(self) -> str:
        """The settings in words, for tables."""
        ...

    def estimate(
        self, estimator: GradientEstimator, weights: NDArray, inputs: NDArray, targets: NDArray, key: RequestKey
    ) -> MeasurementCoroutine[BaselineEstimate]:
        """Gradient of the mean cost of a batch; only Hamiltonian and preparation of the estimator are used.

        Args:
            estimator: Its contrast and its shots are not used.
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).
            targets: Shape (samples, targets).
            key: Names the requests; stages are counted from it.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FiniteDifferences:
    """Central differences of the cost by every weight that trains.

    Args:
        delta: Shift of a weight, in its own unit.
        shots: Shots per batch of an evaluation, or None for exact expectations.

    Raises:
        ConfigError: The shift is not above zero, or the shots are below one.
    """

    delta: float
    shots: int | None

    def __post_init__(self) -> None:
        _check("delta", self.delta)
        check_shots("shots", self.shots)

    @property
    def description(self) -> str:
        """The settings in words."""
        return f"finite differences, delta {self.delta:g}, {shots_in_words(self.shots)} an evaluation"

    def estimate(
        self, estimator: GradientEstimator, weights: NDArray, inputs: NDArray, targets: NDArray, key: RequestKey
    ) -> MeasurementCoroutine[BaselineEstimate]:
        """Two evaluations for every weight that trains, all in one request; see `Baseline`."""
        hamiltonian = estimator.hamiltonian
        shifts = self.delta * np.eye(len(weights))[hamiltonian.network.layout.trainable()]
        points = weights + np.concatenate([shifts, -shifts])
        work = measured_costs(hamiltonian, estimator.preparation, points, inputs, targets, shots=self.shots, key=key)
        costs, usage = yield from counted(work)
        plus, minus = costs.values.reshape(2, -1)
        return BaselineEstimate(
            gradient=_to_weights((plus - minus) / (2.0 * self.delta), hamiltonian),
            variance=_to_weights(costs.variances.reshape(2, -1).sum(axis=0) / (4.0 * self.delta**2), hamiltonian),
            usage=usage,
            evaluations=len(points),
            distinct_circuits=_distinct(points, hamiltonian, len(inputs)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SPSA:
    """Simultaneous perturbation: all weights shifted at once by random signs, averaged.

    Args:
        perturbation: Shift c of every weight, in its own unit.
        perturbations: How many random sign vectors P.
        shots: Shots per batch of an evaluation, or None for exact expectations.
        seeds: Root of the random signs; they depend on the key of the estimate and are new for every repeat.

    Raises:
        ConfigError: The shift is not above zero, or a count is below one.
    """

    perturbation: float
    perturbations: int
    shots: int | None
    seeds: Seeds

    def __post_init__(self) -> None:
        _check("perturbation", self.perturbation)
        whole_number("perturbations", self.perturbations, 1)
        check_shots("shots", self.shots)

    @property
    def description(self) -> str:
        """The settings in words."""
        plural = "" if self.perturbations == 1 else "s"
        return (
            f"SPSA, {self.perturbations} perturbation{plural} of {self.perturbation:g}, "
            f"{shots_in_words(self.shots)} an evaluation"
        )

    def signs(self, key: RequestKey, count: int) -> NDArray[np.float64]:
        """Random signs of an estimate, shape (perturbations, count)."""
        terms = (key.purpose, key.step, key.stage, key.attempt)
        return self.seeds.generator("perturbations", *terms).choice([-1.0, 1.0], (self.perturbations, count))

    def estimate(
        self, estimator: GradientEstimator, weights: NDArray, inputs: NDArray, targets: NDArray, key: RequestKey
    ) -> MeasurementCoroutine[BaselineEstimate]:
        """Two evaluations for every perturbation, all in one request where it fits; see `Baseline`."""
        hamiltonian = estimator.hamiltonian
        trainable = hamiltonian.network.layout.trainable()
        signs = self.signs(key, int(trainable.sum()))
        shifts = np.zeros((len(signs), len(weights)))
        shifts[:, trainable] = self.perturbation * signs
        points = weights + np.concatenate([shifts, -shifts])
        work = measured_costs(hamiltonian, estimator.preparation, points, inputs, targets, shots=self.shots, key=key)
        costs, usage = yield from counted(work)
        plus, minus = costs.values.reshape(2, -1)
        each = signs * ((plus - minus) / (2.0 * self.perturbation))[:, None]
        variance_of_mean = each.var(axis=0, ddof=1) / len(each) if len(each) > 1 else np.full(each.shape[1], np.nan)
        return BaselineEstimate(
            gradient=_to_weights(each.mean(axis=0), hamiltonian),
            variance=_to_weights(variance_of_mean, hamiltonian),
            usage=usage,
            evaluations=len(points),
            distinct_circuits=_distinct(points, hamiltonian, len(inputs)),
        )


def _to_weights(values: NDArray, hamiltonian: NudgedHamiltonian) -> NDArray[np.float64]:
    """From weights that train to all, zero for the others."""
    trainable = hamiltonian.network.layout.trainable()
    whole = np.zeros(len(trainable))
    whole[trainable] = values
    return whole


def _distinct(points: NDArray, hamiltonian: NudgedHamiltonian, num_samples: int) -> int:
    return len(np.unique(points, axis=0)) * len(hamiltonian.cost_groups) * num_samples


def _check(name: str, shift: float) -> None:
    if not (shift > 0 and np.isfinite(shift)):
        raise ConfigError(f"{name}: expected a number above zero, got {shift}")


def shots_in_words(shots: int | None) -> str:
    """Such as ``1 shot``."""
    if shots is None:
        return "exact expectations"
    return f"{shots} shot" + ("" if shots == 1 else "s")
