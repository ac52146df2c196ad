"""The gradient that a shot-noise study estimates repeatedly, and its true value."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.response import Responding
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import Executor, RequestKey
from qep_qiskit.learning import Contrast, GradientEstimator, first_beta
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.learning.free_phase import measure_free
from qep_qiskit.measurement import MeasurementCoroutine, Usage, counted, run_measurements
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import HamiltonianFamily, Preparation, PreparationResult, WarmStart, prepared
from qep_qiskit.tasks.dataset import Dataset

_EXACT_UP_TO_QUBITS = 14
_PART_OF_FIRST_BETA = 0.4
_MOST_KEPT = 64
_ROUNDING = 1e-13  # of range(C) / max|coefficient of H|: rounding error of a gradient that vanishes by symmetry


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """The gradient with which estimates are compared.

    Args:
        gradient: Shape (weights,).
        source: ``"exact"`` for eigenstates in the limit of beta to 0, or ``"prepared"`` for prepared states without
            shot noise at a small nudge.
    """

    gradient: NDArray[np.float64]
    source: str


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientProblem:
    """Gradient of a batch of samples at fixed weights.

    Args:
        estimator: Network, cost and preparation; the study varies its contrast and shots.
        executor: Executor of the requests.
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).
        targets: Shape (samples, targets).
        trainable: Shape (weights,), mask of the trained weights.
        truth: The true gradient.

    Example:
        >>> run = qep.from_file("configs/xor.toml")
        >>> weights = run.network.layout.initial(qep.Seeds(1))
        >>> problem = qep.GradientProblem.of(run.estimator, run.executor, weights, run.task.train)
        >>> round(problem.true_length, 3)
        0.848
    """

    estimator: GradientEstimator
    executor: Executor
    weights: NDArray[np.float64]
    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]
    trainable: NDArray[np.bool_]
    truth: Truth

    @classmethod
    def of(
        cls, estimator: GradientEstimator, executor: Executor, weights: NDArray, samples: Dataset, *, level: int = 0
    ) -> GradientProblem:
        """Return the problem of some samples, with the exact gradient and the weights that the network trains.

        Args:
            estimator: Network, cost and preparation.
            executor: Executor of the requests.
            weights: Shape (weights,).
            samples: The samples.
            level: Index of the exact eigenstate.
        """
        given = estimator, executor, weights, samples.inputs, samples.targets
        return cls(
            estimator=estimator,
            executor=executor,
            weights=weights,
            inputs=samples.inputs,
            targets=samples.targets,
            trainable=estimator.hamiltonian.network.layout.trainable(),
            truth=true_gradient(*given, level=level),
        )

    @property
    def given(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Weights, inputs and targets."""
        return self.weights, self.inputs, self.targets

    @property
    def true_length(self) -> float:
        """Length of the true gradient over the trained weights; zero if it vanishes by symmetry."""
        return float(np.linalg.norm(self.truth.gradient[self.trainable]))


def true_gradient(
    estimator: GradientEstimator,
    executor: Executor,
    weights: NDArray,
    inputs: NDArray,
    targets: NDArray,
    *,
    level: int | None,
) -> Truth:
    """Return the gradient with which estimates are compared; exactly zero if it is within rounding errors.

    Args:
        estimator: Network, cost and preparation.
        executor: Executor for systems too large for exact states; it must then give exact expectations.
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).
        targets: Shape (samples, targets).
        level: Index of the exact eigenstate, or None for the states as they are prepared.

    Example:
        >>> run = qep.from_file("configs/xor.toml")
        >>> weights, data = run.network.layout.initial(qep.Seeds(1)), run.task.train
        >>> truth = qep.true_gradient(run.estimator, run.executor, weights, data.inputs, data.targets, level=0)
        >>> truth.source, truth.gradient.shape
        ('exact', (22,))
    """
    hamiltonian = estimator.hamiltonian
    first = first_beta(hamiltonian, weights, inputs, targets, equal_nudges=estimator.equal_nudges)
    if level is not None and hamiltonian.num_qubits <= _EXACT_UP_TO_QUBITS:
        known = estimator.preparation if isinstance(estimator.preparation, Responding) else None
        found = exact_gradient(hamiltonian, weights, inputs, targets, level=level, reference=known)
        return Truth(gradient=_without_rounding(found.gradient, first), source="exact")
    beta = _PART_OF_FIRST_BETA * first
    fine = replace(estimator, shots=None, grouping="shared", contrast=Contrast(kind="four_point", beta=beta))
    estimate, _ = run_measurements(fine.estimate(weights, inputs, targets, RequestKey("truth", 0)), executor)
    return Truth(gradient=_without_rounding(estimate.gradient, first), source="prepared")


def _without_rounding(gradient: NDArray, first: float) -> NDArray[np.float64]:
    """Return the gradient, or zero if it is within rounding errors; 1/beta sets its natural unit."""
    return gradient if np.linalg.norm(gradient) > _ROUNDING / first else np.zeros_like(gradient)


def with_known_signals(problem: GradientProblem) -> GradientProblem:
    """Return the same problem with exact error signals that use no shots.

    A cost with error signals becomes the operator cost C(y) = sum_o y_o O_o, with the signals as targets; other costs
    are unchanged.
    """
    hamiltonian = problem.estimator.hamiltonian
    cost = hamiltonian.cost
    output_map = cost.output_map()
    if not cost.has_signals or output_map is None:
        return problem
    targets = hamiltonian.targets_of(problem.inputs, problem.targets)
    free = measure_free(
        hamiltonian,
        problem.estimator.preparation,
        hamiltonian.free_coefficients(problem.weights, problem.inputs),
        targets,
        shots=[None] * len(hamiltonian.groups),
        key=RequestKey("signals", 0),
    )
    outputs = run_measurements(free, problem.executor)[0].outputs
    assert outputs is not None
    matrix = output_map[0]

    def expand(signals: NDArray) -> tuple[NDArray, NDArray]:
        return signals @ matrix, np.zeros(len(signals))

    nudge = OperatorCost(cost.terms, hamiltonian.num_qubits, expand)
    estimator = replace(problem.estimator, hamiltonian=NudgedHamiltonian(hamiltonian.network, nudge))
    return replace(problem, estimator=estimator, targets=cost.signals(outputs, targets))


class CachedStates:
    """Preparation that caches the states of each Hamiltonian family.

    Repeats of an estimate prepare the same states, except where noisy error signals determine their nudges.
    Preparations that use shots are not cached, because their shots are part of the study.

    Args:
        preparation: Preparation of the states.
    """

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation
        self._kept: dict[bytes, PreparationResult] = {}

    def prepare(self, family: HamiltonianFamily, start: WarmStart) -> MeasurementCoroutine[PreparationResult]:
        """Return the states of a Hamiltonian family, from the cache if they are known."""
        name = b"".join(array.tobytes() for array in (family.free, family.nudge, family.betas))
        if name in self._kept:
            return self._kept[name]
        found, usage = yield from counted(prepared(self._preparation, family, start))
        if usage == Usage():
            if len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[name] = found
        return found
