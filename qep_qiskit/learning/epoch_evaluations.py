"""Evaluations during a training run: of the test samples, and of the training samples before and after it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from numpy.typing import NDArray

from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.evaluation import Evaluation, evaluation
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.training_settings import TrainingSettings
from qep_qiskit.learning.warm_starts import nearest_warm_start
from qep_qiskit.measurement import Calibrations, MeasurementCoroutine
from qep_qiskit.preparation import WarmStartArrays
from qep_qiskit.tasks import Dataset, Task


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EpochEvaluations:
    """Evaluations of the current weights on the training and the test samples, None where not measured."""

    train: Evaluation | None
    test: Evaluation | None

    @property
    def outputs(self) -> dict[str, NDArray]:
        """Outputs by set of samples, and their standard errors under the name with ``_errors``."""
        arrays: dict[str, NDArray] = {}
        for part, found in (("train", self.train), ("test", self.test)):
            if found is not None and found.outputs is not None and found.output_errors is not None:
                arrays |= {part: found.outputs, f"{part}_errors": found.output_errors}
        return arrays


def epoch_evaluations(
    estimator: GradientEstimator,
    weights: NDArray,
    task: Task,
    settings: TrainingSettings,
    epoch: int,
    *,
    warm_starts: WarmStartArrays,
    calibrations: Calibrations,
    ended: bool = False,
) -> MeasurementCoroutine[EpochEvaluations]:
    """Evaluate the samples that are due after an epoch, or at the end of a run that a callback has ended.

    Before the first epoch (0) these are the training samples, then the test samples; after the last one the training
    samples come last. Where a callback has ended the run, the shots are others than those by which its weights were
    chosen, so their selection does not bias the result.

    Args:
        estimator: Gives the Hamiltonian, the preparation and the shots.
        weights: Shape (weights,).
        task: Training and test samples.
        settings: When samples are due.
        epoch: Number of completed epochs.
        warm_starts: Warm-start arrays of the training samples; test samples take those of the nearest ones.
        calibrations: Valid readout calibrations by name; new ones are added in place.
        ended: Whether a callback has ended the run.

    Returns:
        Measurement coroutine that gives the evaluations.
    """
    of = partial(_evaluated, estimator, weights, "final" if ended else "evaluation", epoch, calibrations)
    train = test = None
    if epoch == 0 and not ended:
        train = yield from of("train", task.train, {})
        warm_starts = train.warm_start
    if task.test is not None and (ended or settings.is_test_due(epoch)):
        test = yield from of("test", task.test, nearest_warm_start(warm_starts, task.train.inputs, task.test.inputs))
    if settings.evaluate_final if ended else settings.is_final_evaluation_due(epoch):
        train = yield from of("train", task.train, warm_starts)
    return EpochEvaluations(train=train, test=test)


def _evaluated(
    estimator: GradientEstimator,
    weights: NDArray,
    purpose: str,
    epoch: int,
    calibrations: Calibrations,
    part: str,
    data: Dataset,
    warm_start: WarmStartArrays,
) -> MeasurementCoroutine[Evaluation]:
    return evaluation(
        estimator,
        weights,
        data,
        purpose=f"{part}-{purpose}",
        index=epoch,
        warm_start=warm_start,
        calibrations=calibrations,
    )
