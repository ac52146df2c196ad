"""Errors of a regression in the units of its target columns."""

from __future__ import annotations

import numpy as np

from qep_qiskit.learning.evaluation import Evaluation
from qep_qiskit.tasks import Dataset, Task


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
