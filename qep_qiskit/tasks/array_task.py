"""Tasks from arrays in memory, as scikit-learn and notebooks have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from qep_qiskit.core.errors import DataError
from qep_qiskit.tasks.arrays import float_array
from qep_qiskit.tasks.assembly import TaskOptions, dataset_like, task_from_table
from qep_qiskit.tasks.dataset import Dataset, Task
from qep_qiskit.tasks.table import RawTable


def task_from_arrays(
    inputs: Any,
    targets: Any,
    *,
    regression: bool | None = None,
    classes: Sequence[str] | None = None,
    input_names: Sequence[str] | None = None,
    test: tuple[Any, Any] | None = None,
    name: str = "arrays",
    **options: Unpack[TaskOptions],
) -> Task:
    """Build a task from arrays: classification of labels, or regression of numbers.

    Args:
        inputs: Training inputs in their own units, shape (samples, num_inputs).
        targets: Training labels of shape (samples,), or target numbers of shape (samples,) or (samples, num_targets).
            Target numbers are not scaled here, see `scale_targets`.
        regression: Whether targets are numbers; by default they are where they are floats, not all whole, or where
            they have two axes.
        classes: Class names in the order of their indices; None for those of the labels, sorted.
        input_names: Name of each input; by default x0, x1, ...
        test: Inputs and targets of the test samples; None for none.
        name: Name of the task.
        **options: See `TaskOptions`.

    Returns:
        The task, with the scaling of the inputs fitted on the training samples.

    Raises:
        ConfigError: An option is out of range.
        DataError: The arrays do not fit each other, a number is not finite, or there are fewer than two classes.

    Example:
        >>> task = qep.task_from_arrays([[0.0], [1.0], [2.0], [3.0]], ["low", "low", "high", "high"])
        >>> task.train.classes, task.train.num_samples
        (('high', 'low'), 4)
    """
    table = _table(inputs, targets, regression, input_names)
    kept_aside = None if test is None else _table(*test, table.labels is None, table.input_names)
    return task_from_table(name, table, test=kept_aside, classes=classes, **options)


def rows_from_arrays(inputs: Any, task: Task, *, answers: Any = None) -> Dataset:
    """Scale and encode rows like the training samples of a task.

    Args:
        inputs: Inputs in their own units, shape (samples, num_inputs). Of a task from a file with categories or with
            means for missing values: the columns of the file, shape (samples, columns), texts included.
        task: The task.
        answers: Labels or target numbers of the rows, as in `task_from_arrays`; None for rows without.

    Returns:
        The rows; without `answers` they have no targets and labels.

    Raises:
        DataError: The rows have another number of inputs, or a number is not finite.
    """
    if task.columns is not None:
        inputs = task.columns.rows(np.asarray(inputs, dtype=object))
    if answers is not None:
        return dataset_like(task, _table(inputs, answers, not task.train.classes, task.train.input_names))
    rows = float_array("inputs", inputs, ndim=2)
    return dataset_like(task, RawTable(inputs=rows, input_names=_names(rows, task.train.input_names)))


def _table(inputs: Any, targets: Any, regression: bool | None, input_names: Sequence[str] | None) -> RawTable:
    rows, answers = float_array("inputs", inputs, ndim=2), np.asarray(targets)
    names = _names(rows, input_names)
    if regression is None:
        regression = answers.ndim == 2 or (answers.dtype.kind == "f" and bool(np.any(answers != np.round(answers))))
    if not regression:
        if answers.ndim != 1:
            raise DataError(f"targets: expected one label for each sample, got an array of shape {answers.shape}")
        return RawTable(inputs=rows, input_names=names, labels=tuple(map(str, answers.tolist())), label_column="label")
    columns = float_array("targets", answers[:, np.newaxis] if answers.ndim == 1 else answers, ndim=2)
    target_names = ("y",) if answers.ndim == 1 else tuple(f"y{index}" for index in range(columns.shape[1]))
    return RawTable(inputs=rows, input_names=names, targets=columns, target_columns=target_names)


def _names(rows: np.ndarray, names: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(f"x{index}" for index in range(rows.shape[1])) if names is None else tuple(names)
