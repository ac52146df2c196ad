"""Scaling of regression targets: fitted on the training rows, onto the range of the outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError, DataError
from qep_qiskit.tasks.dataset import Dataset, Task
from qep_qiskit.tasks.scaling import Scaling

TargetScalingKind = Literal["auto", "none", "standard", "minmax"]


def scale_targets(task: Task, kind: TargetScalingKind, reach: np.ndarray) -> Task:
    """Scale the targets of a regression to the range of the outputs; `Task.in_units` converts outputs back.

    Args:
        task: A task; without target columns it is returned unchanged.
        kind: "none" keeps the targets. "minmax" maps the smallest and the largest training target of a column to
            -amplitude and +amplitude times half the range of its output, relative to its middle; "standard" maps the
            mean to the middle and two standard deviations to the amplitude. "auto" is "none" where every training
            target is within the range, and else "minmax".
        reach: Shape (num_targets, 2), smallest and largest value of every output; infinite limits are replaced by -1
            and 1.

    Returns:
        The task with training and test targets scaled.

    Raises:
        ConfigError: The kind is unknown.
        DataError: The targets are scaled already, a column is too wide or too narrow, or `reach` does not fit.

    Example:
        >>> task = qep.csv_task("configs/positions.csv", inputs=["left", "right"], targets=["up"], seeds=qep.Seeds(0))
        >>> scaled = qep.scale_targets(task, "minmax", np.array([[-1.0, 1.0]]))
        >>> np.round([scaled.train.targets.min(), scaled.train.targets.max()], 3)
        array([-0.8,  0.8])
    """
    if kind not in get_args(TargetScalingKind):
        raise ConfigError(f"target_scaling: expected one of {', '.join(get_args(TargetScalingKind))}, got {kind!r}")
    if not task.target_columns:
        return task
    if task.target_scaling is not None:
        raise DataError("target_scaling: the targets of this task are scaled already")
    if reach.shape != (len(task.target_columns), 2):
        outputs = amount(len(task.target_columns), "output")
        raise DataError(f"target_scaling: expected the reach of {outputs}, got {len(reach)}")
    raw = task.train.targets
    if kind == "auto":
        kind = "none" if np.all((raw >= reach[:, 0]) & (raw <= reach[:, 1])) else "minmax"
    if kind == "none":
        return task
    scaling = _fitted(raw, kind, reach, task.amplitude)
    return replace(
        task,
        train=_scaled(task.train, scaling),
        test=None if task.test is None else _scaled(task.test, scaling),
        target_scaling=scaling,
    )


def _fitted(raw: np.ndarray, kind: Literal["standard", "minmax"], reach: np.ndarray, amplitude: float) -> Scaling:
    low, high = np.where(np.isfinite(reach), reach, [-1.0, 1.0]).T
    try:
        plain = Scaling.fit(raw, kind)
    except DataError as error:
        raise DataError(str(error).replace("inputs:", "targets:", 1)) from None
    size = amplitude * (high - low) / 2.0 / (2.0 if kind == "standard" else 1.0)
    factor = plain.factor * size
    # the middle of (raw - offset) * factor is the middle of the range
    return Scaling(kind=kind, offset=plain.offset - (low + high) / 2.0 / factor, factor=factor)


def _scaled(data: Dataset, scaling: Scaling) -> Dataset:
    return replace(data, targets=scaling.apply(data.targets))
