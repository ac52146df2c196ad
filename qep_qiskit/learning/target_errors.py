"""Errors of a regression in the units of its target columns."""

from __future__ import annotations

import numpy as np

from qep_qiskit.learning.evaluation import Evaluation
from qep_qiskit.tasks import Dataset, Task


def target_errors(part: str, task: Task, data: Dataset, found: Evaluation) -> dict[str, float | None]:
    """Root mean square errors of the outputs, one a target column, in its units.

    With shot noise of known size its part is subtracted the mean square, so that more shots give the same within
    errors.

    Args:
        part: ``"train"`` or ``"test"``: names begin with it.
        task: Knows the columns and how they were scaled.
        data: The samples, targets scaled.
        found: What the network answers on them.

    Returns:
        ``<part>_rmse_<column>`` and its standard error by shots, which is None where one shot gives none; nothing where
        there are no target columns, or no output for each.
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
