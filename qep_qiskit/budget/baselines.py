"""Gradients without nudges: what one would measure of a network instead of equilibrium propagation.

Both methods evaluate the cost of the free state at shifted weights, M the number of weights that train:

    finite differences   g_k = [C(w + delta e_k) - C(w - delta e_k)] / (2 delta)                2 M evaluations
    SPSA                 g = mean over random signs D of D [C(w + c D) - C(w - c D)] / (2 c)    2 P evaluations

Simultaneous perturbation: Spall 1992, IEEE Trans. Autom. Control 37, 332. With V the variance of one shot of the cost
and m shots an evaluation, in all groups of the cost, the summed variances are

    finite differences   M V / (2 delta^2 m)                        bias O(delta^2)
    SPSA                 (M - 1) |g|^2 / P + M V / (2 c^2 m P)       bias O(c^2)

to lowest order in the shifts. Frozen weights are not shifted and have gradient zero: compare the others. Bounds of
weights are ignored, because a gradient does not change the weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.budget.costs import measured_costs
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.checks import check_shots, whole_number
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning import GradientEstimator
from qep_qiskit.measurement import MeasurementCoroutine, Usage, counted


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BaselineEstimate:
    """Gradient of the mean cost of a batch, with its variance and the shots used.

    Args:
        gradient: Shape (weights,), d(cost)/d(weight); zero for frozen weights.
        variance: Shape (weights,), as estimated by the method itself, without its bias: from shots for finite
            differences, from the scatter over perturbations for SPSA. NaN where this is impossible.
        usage: Total shots and bound circuits, including those of the preparation.
        evaluations: Number of evaluations of the mean cost of the batch.
        distinct_circuits: Number of distinct bound circuits of the evaluations.
    """

    gradient: NDArray[np.float64]
    variance: NDArray[np.float64]
    usage: Usage
    evaluations: int
    distinct_circuits: int


class Baseline(ABC):
    """A method without nudges: the cost at pairs of shifted weights, combined to a gradient.

    Attributes:
        shots: Shots per batch of an evaluation, or None for exact expectations.
    """

    __slots__ = ()
    shots: int | None

    @property
    @abstractmethod
    def description(self) -> str:
        """The settings in words, for tables."""

    @abstractmethod
    def shifts(self, key: RequestKey, count: int) -> NDArray[np.float64]:
        """Return the shifts of the trained weights, shape (pairs, count).

        Args:
            key: Key of the estimate.
            count: Number of trained weights.
        """

    @abstractmethod
    def combined(self, shifts: NDArray, differences: NDArray, variances: NDArray) -> tuple[NDArray, NDArray]:
        """Return gradient and variance of the trained weights, shape (count,) each.

        Args:
            shifts: Shape (pairs, count).
            differences: Cost at the shifted weights minus that at the opposite ones, shape (pairs,).
            variances: Variances of the differences due to shots, shape (pairs,).
        """

    def estimate(
        self, estimator: GradientEstimator, weights: NDArray, inputs: NDArray, targets: NDArray, key: RequestKey
    ) -> MeasurementCoroutine[BaselineEstimate]:
        """Return the gradient of the mean cost of a batch; only Hamiltonian and preparation of the estimator are used.

        All pairs are measured in one request if memory allows.

        Args:
            estimator: Gradient estimator; its contrast and its shots are not used.
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).
            targets: Shape (samples, targets).
            key: Key of the requests; their stages are counted from it.
        """
        hamiltonian = estimator.hamiltonian
        trainable = hamiltonian.network.layout.trainable()
        shifts = self.shifts(key, int(trainable.sum()))
        points = np.tile(weights, (2 * len(shifts), 1))
        points[:, trainable] += np.concatenate([shifts, -shifts])
        work = measured_costs(hamiltonian, estimator.preparation, points, inputs, targets, shots=self.shots, key=key)
        costs, usage = yield from counted(work)
        plus, minus = costs.values.reshape(2, -1)
        found = np.zeros((2, len(weights)))
        found[:, trainable] = self.combined(shifts, plus - minus, costs.variances.reshape(2, -1).sum(axis=0))
        return BaselineEstimate(
            gradient=found[0],
            variance=found[1],
            usage=usage,
            evaluations=len(points),
            distinct_circuits=len(np.unique(points, axis=0)) * len(hamiltonian.cost_groups) * len(inputs),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FiniteDifferences(Baseline):
    """Central finite differences of the cost with respect to every trained weight.

    Args:
        delta: Shift of a weight, in the unit of the weight.
        shots: Shots per batch of an evaluation, or None for exact expectations.

    Raises:
        ConfigError: The shift is not positive, or the shots are below one.

    Example:
        >>> experiment = qep.from_file("configs/xor.toml")
        >>> weights, data = experiment.network.layout.initial(qep.Seeds(1)), experiment.task.train
        >>> differences, key = qep.FiniteDifferences(delta=0.01, shots=None), qep.RequestKey("demo", 0)
        >>> estimator, executor = experiment.ideal
        >>> work = differences.estimate(estimator, weights, data.inputs, data.targets, key)
        >>> found, usage = qep.run_measurements(work, executor)
        >>> found.evaluations, found.gradient.shape
        (44, (22,))
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

    def shifts(self, key: RequestKey, count: int) -> NDArray[np.float64]:
        """Return one shift for every trained weight.

        Args:
            key: Key of the estimate; not used.
            count: Number of trained weights.
        """
        return self.delta * np.eye(count)

    def combined(self, shifts: NDArray, differences: NDArray, variances: NDArray) -> tuple[NDArray, NDArray]:
        """Return the difference quotients with their variances.

        Args:
            shifts: Shape (count, count).
            differences: Shape (count,).
            variances: Shape (count,).
        """
        return differences / (2.0 * self.delta), variances / (4.0 * self.delta**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class SPSA(Baseline):
    """Simultaneous perturbation: all weights are shifted at once by random signs, and the results averaged.

    Args:
        perturbation: Shift c of every weight, in the unit of the weight.
        perturbations: Number P of random sign vectors.
        shots: Shots per batch of an evaluation, or None for exact expectations.
        seeds: Root of the random signs, which depend on the key of the estimate and differ for every repeat.

    Raises:
        ConfigError: The shift is not positive, or a count is below one.

    Example:
        >>> spsa = qep.SPSA(perturbation=0.1, perturbations=2, shots=100, seeds=qep.Seeds(0))
        >>> spsa.signs(qep.RequestKey("demo", 0), count=3)
        array([[-1., -1., -1.],
               [-1.,  1., -1.]])
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
        return (
            f"SPSA, {amount(self.perturbations, 'perturbation')} of {self.perturbation:g}, "
            f"{shots_in_words(self.shots)} an evaluation"
        )

    def signs(self, key: RequestKey, count: int) -> NDArray[np.float64]:
        """Return the random signs of an estimate, shape (perturbations, count).

        Args:
            key: Key of the estimate.
            count: Number of trained weights.
        """
        terms = (key.purpose, key.step, key.stage, key.attempt)
        return self.seeds.generator("perturbations", *terms).choice([-1.0, 1.0], (self.perturbations, count))

    def shifts(self, key: RequestKey, count: int) -> NDArray[np.float64]:
        """Return the random signs of an estimate times the perturbation.

        Args:
            key: Key of the estimate.
            count: Number of trained weights.
        """
        return self.perturbation * self.signs(key, count)

    def combined(self, shifts: NDArray, differences: NDArray, variances: NDArray) -> tuple[NDArray, NDArray]:
        """Return the mean over perturbations, and its variance by their scatter; NaN for a single one.

        Args:
            shifts: Shape (perturbations, count).
            differences: Shape (perturbations,).
            variances: Shape (perturbations,); not used.
        """
        each = np.sign(shifts) * (differences / (2.0 * self.perturbation))[:, None]
        of_mean = each.var(axis=0, ddof=1) / len(each) if len(each) > 1 else np.full(each.shape[1], np.nan)
        return each.mean(axis=0), of_mean


def _check(name: str, shift: float) -> None:
    if not (shift > 0 and np.isfinite(shift)):
        raise ConfigError(f"{name}: expected a number above zero, got {shift}")


def shots_in_words(shots: int | None) -> str:
    """Return a number of shots in words, such as ``1 shot``."""
    if shots is None:
        return "exact expectations"
    return amount(shots, "shot")
