"""Evaluation of outputs and cost of a network on a data set, in the free phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import Executor, RequestKey
from qep_qiskit.learning.free_phase import CostEstimate, FreePhase, cost_of_outputs
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.state import EpochTally
from qep_qiskit.measurement import Calibrations, MeasurementCoroutine, Queue, Usage, run_measurements
from qep_qiskit.network.cost_interface import Cost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes import is_none, no_covariance
from qep_qiskit.preparation import WarmStartArrays
from qep_qiskit.tasks import Dataset, Task, decode

_SAMPLES_PER_REQUEST = 64


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """Outputs and cost of a network on a data set.

    Args:
        outputs: Expectations of the outputs, shape (samples, outputs), or None where there are none. Where the cost is
            that of every copy of an output, means over the copies.
        output_errors: Standard errors by shots, shape (samples, outputs), or None.
        tally: Sums of cost and correct samples.
        warm_start: Warm-start arrays of the samples.
        usage: Shots and circuits used; filled in by `evaluate`.
    """

    outputs: NDArray[np.float64] | None
    output_errors: NDArray[np.float64] | None
    tally: EpochTally
    warm_start: WarmStartArrays = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)


def count_correct(cost: Cost, outputs: NDArray | None, data: Dataset, rows: NDArray | slice = slice(None)) -> float:
    """Return the number of samples whose outputs decode to their label; NaN where there are no outputs or no labels.

    Args:
        cost: Says whether outputs decode to labels.
        outputs: Expectations of the outputs, shape (samples, outputs), or None.
        data: Samples with labels.
        rows: Which of them the outputs are of.
    """
    if outputs is None or data.labels is None or not data.classes or not cost.decodes_classes:
        return float("nan")
    return float(np.sum(decode(cost.predictions(outputs), len(data.classes)) == data.labels[rows]))


def evaluate(
    estimator: GradientEstimator,
    executor: Executor,
    weights: NDArray,
    data: Dataset,
    *,
    purpose: str,
    index: int,
    with_cost: bool = True,
    warm_start: WarmStartArrays | None = None,
) -> Evaluation:
    """Measure outputs and cost of every sample on an executor.

    Args:
        estimator: Gives the Hamiltonian, the preparation and the shots.
        executor: Runs the circuits.
        weights: Shape (weights,).
        data: Samples; targets are not needed if `with_cost` is False.
        purpose: Purpose in the request keys.
        index: Number that distinguishes evaluations of the same purpose, such as the epoch.
        with_cost: Whether the cost is computed from the targets.
        warm_start: Warm-start arrays of the samples, or None.

    Example:
        >>> experiment = qep.from_file("configs/xor.toml")
        >>> weights, data = experiment.network.layout.initial(qep.Seeds(1)), experiment.task.train
        >>> found = qep.evaluate(experiment.estimator, experiment.executor, weights, data, purpose="demo", index=0)
        >>> found.outputs.shape, found.usage.shots
        ((4, 1), 400)
    """
    work = evaluation(
        estimator, weights, data, purpose=purpose, index=index, with_cost=with_cost, warm_start=warm_start
    )
    found, usage = run_measurements(work, executor)
    return replace(found, usage=usage)


def evaluation(
    estimator: GradientEstimator,
    weights: NDArray,
    data: Dataset,
    *,
    purpose: str,
    index: int,
    with_cost: bool = True,
    warm_start: WarmStartArrays | None = None,
    calibrations: Calibrations | None = None,
) -> MeasurementCoroutine[Evaluation]:
    """Return a measurement coroutine of outputs and cost of every sample.

    Args:
        estimator: Gives the Hamiltonian, the preparation and the shots.
        weights: Shape (weights,).
        data: Samples; targets are not needed if `with_cost` is False.
        purpose: Purpose in the request keys.
        index: Number that distinguishes evaluations of the same purpose, such as the epoch.
        with_cost: Whether the cost is computed from the targets.
        warm_start: Warm-start arrays of the samples, or None.
        calibrations: Valid readout calibrations by name; new ones are added in place.
    """
    calibrations = {} if calibrations is None else calibrations
    cost, tally = estimator.hamiltonian.cost, EpochTally()
    as_whole = with_cost and cost.couples_samples
    outputs: list[NDArray] = []
    covariances: list[NDArray] = []
    kept: dict[str, list[NDArray]] = {}
    parts = np.split(np.arange(data.num_samples), range(_SAMPLES_PER_REQUEST, data.num_samples, _SAMPLES_PER_REQUEST))

    def of_part(number: int, rows: NDArray) -> MeasurementCoroutine[FreePhase]:
        part = data.take(rows)
        free = estimator.hamiltonian.free_coefficients(weights, part.inputs)
        targets = part.targets if with_cost and not as_whole else None
        known = {name: array[rows] for name, array in (warm_start or {}).items()}
        key = RequestKey(purpose, index, number)
        work = estimator.free_phase(free, targets, key, known, shots=estimator.evaluation_shots)
        return estimator.without_errors(work, calibrations)

    # All parts share the calibration that the first one measures.
    queue = Queue((of_part(number, rows) for number, rows in enumerate(parts)), ahead=estimator.mitigation is None)
    for rows in parts:
        found = yield from queue.next_result()
        for name, array in found.prepared_states.warm_start.items():
            kept.setdefault(name, []).append(array)
        correct = count_correct(cost, found.outputs, data, rows) if with_cost else np.nan
        if not as_whole:
            tally.add(found.cost.values, found.cost.variances, correct)
        if found.outputs is not None and found.output_covariance is not None:
            outputs.append(found.outputs)
            covariances.append(found.output_covariance)
    if as_whole:
        together = np.concatenate(outputs)
        whole = _cost_as_a_whole(estimator.hamiltonian, together, covariances, data)
        tally.add(whole.values, whole.variances, count_correct(cost, together, data))
    # rounding can leave -1e-17 where all shots agree
    errors = [np.sqrt(np.maximum(cost.prediction_variances(one), 0.0)) for one in covariances]
    return Evaluation(
        outputs=cost.predictions(np.concatenate(outputs)) if outputs else None,
        output_errors=np.concatenate(errors) if errors else None,
        tally=tally,
        warm_start={name: np.concatenate(parts) for name, parts in kept.items()},
    )


def _cost_as_a_whole(
    hamiltonian: NudgedHamiltonian, outputs: NDArray, covariances: Sequence[NDArray], data: Dataset
) -> CostEstimate:
    """Return a loss of a batch of the outputs of all samples, which only the measurement divides into requests."""
    noise = no_covariance(outputs.shape) if all(map(is_none, covariances)) else np.concatenate(covariances)
    return cost_of_outputs(hamiltonian, outputs, noise, hamiltonian.targets_of(data.inputs, data.targets))


def target_errors(part: str, task: Task, data: Dataset, found: Evaluation) -> dict[str, float | None]:
    """Return the root mean square errors of the outputs, one for each target column, in the units of the column.

    Shot noise of known size is subtracted from the mean square, so that the result does not depend on the number of
    shots within its error.

    Args:
        part: ``"train"`` or ``"test"``, the prefix of the names.
        task: Task with the target columns and their scaling.
        data: Samples with scaled targets.
        found: Evaluation of the samples.

    Returns:
        ``<part>_rmse_<column>`` and ``<part>_rmse_<column>_se``, the standard error by shots, which is None where one
        shot gives none. Empty where there are no target columns, or no output for each.
    """
    outputs, errors = found.outputs, found.output_errors
    if not task.target_columns or outputs is None or errors is None or outputs.shape != data.targets.shape:
        return {}
    deviations = task.in_units(outputs) - task.in_units(data.targets)
    variances = task.errors_in_units(errors) ** 2
    values: dict[str, float | None] = {}
    for index, column in enumerate(task.target_columns):
        known = bool(np.isfinite(variances[:, index]).all())
        noise = variances[:, index] if known else np.zeros(len(deviations))
        mean_square = float(np.mean(deviations[:, index] ** 2 - noise))
        # Var((d + e)^2) = 4 d^2 s^2 + 2 s^4, with the measured d^2 too large by s^2
        square_variances = np.maximum(4.0 * deviations[:, index] ** 2 * noise - 2.0 * noise**2, 2.0 * noise**2)
        error = float(np.sqrt(square_variances.sum()) / len(deviations))
        size = float(np.sqrt(max(mean_square, error)))  # near zero the error of a root is that of its square
        values[f"{part}_rmse_{column}"] = float(np.sqrt(max(mean_square, 0.0)))
        values[f"{part}_rmse_{column}_se"] = (error / (2.0 * size) if size else 0.0) if known else None
    return values
