"""Construction of a task from a raw table: classes, split, scaling and encoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TypedDict

import numpy as np

from qep_qiskit.core.errors import ConfigError, DataError
from qep_qiskit.core.limits import Positive
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.tasks.dataset import Dataset, Task
from qep_qiskit.tasks.encoding import Amplitude, Encoding, default_num_targets, encode_labels
from qep_qiskit.tasks.label_check import found_classes
from qep_qiskit.tasks.scaling import Scaling, ScalingKind
from qep_qiskit.tasks.splitting import split, split_folds
from qep_qiskit.tasks.table import RawTable


class TaskOptions(TypedDict, total=False):
    """Options common to all tasks with data.

    Args:
        scaling: The input scaling, see `Scaling.fit`; "standard" unless the task says otherwise.
        input_scale: A positive number that multiplies the scaled inputs; 1 by default.
        amplitude: The size of the target values of a class, in (0, 1]; 0.8 by default.
        encoding: "amplitude" (the default) or "one_hot", see `encode_labels`.
        num_targets: The number of outputs; by default see `default_num_targets`.
    """

    scaling: ScalingKind
    input_scale: float
    amplitude: float
    encoding: Encoding
    num_targets: int | None


def task_from_table(
    name: str,
    raw: RawTable,
    *,
    test: RawTable | None = None,
    classes: Sequence[str] | None = None,
    scaling: ScalingKind = "standard",
    input_scale: Positive = 1.0,
    amplitude: Amplitude = 0.8,
    encoding: Encoding = "amplitude",
    num_targets: int | None = None,
    test_fraction: float | None = None,
    test_size: int | None = None,
    folds: int | None = None,
    fold: int = 0,
    seeds: Seeds | None = None,
) -> Task:
    """Split a table, fit the scaling on the training rows and encode the labels.

    Args:
        name: The name of the task.
        raw: A table with labels (classification) or targets (regression).
        test: Another table with the test rows; without it they are drawn from the first.
        classes: Class names in the order of their indices; None for those of the table, sorted (by value if all are
            numbers).
        scaling: See `TaskOptions`, as for the next four arguments.
        input_scale: See `TaskOptions`.
        amplitude: See `TaskOptions`; ignored for regression, whose targets are not changed.
        encoding: See `TaskOptions`; ignored for regression.
        num_targets: See `TaskOptions`.
        test_fraction: See `split`; without it and `test_size` there is no test part.
        test_size: See `split`.
        folds: Number of parts for cross-validation, in place of the two sizes, see `split_folds`.
        fold: Number of the part that is the test part.
        seeds: Root of the random streams; required if there is a test part.

    Returns:
        The task; its `test` is None if there are no test rows.

    Raises:
        ConfigError: An option is out of range or does not fit the table.
        DataError: The table has no labels or targets, or a label that is not a class; or `classes` is None and the
            labels look like a mistake, see `found_classes`.
    """
    if raw.labels is None and raw.targets is None:
        raise DataError(f"{name}: expected labels or target numbers, got inputs only")
    class_names = () if raw.labels is None else _class_names(raw.labels, classes, raw.label_column)
    width = _num_targets(raw, class_names, encoding, num_targets)
    train_rows, test_rows = _rows(raw, test_fraction, test_size, folds, fold, seeds)
    columns = raw.columns
    if columns is not None and raw.missing is not None:
        means = raw.means(train_rows)
        raw, test = raw.filled(means), None if test is None else test.filled(means)
        columns = replace(columns, means=tuple(means.tolist()))
    scales = Scaling.fit(raw.inputs[train_rows], scaling, input_scale)
    encoded = partial(
        dataset_from_table,
        scaling=scales,
        classes=class_names,
        num_targets=width,
        amplitude=amplitude,
        encoding=encoding,
    )
    samples = encoded(raw)
    drawn = samples.take(test_rows) if test_rows.size else None
    return Task(
        name=name,
        train=samples.take(train_rows),
        test=drawn if test is None else encoded(test),
        scaling=scales,
        label_column=raw.label_column,
        target_columns=raw.target_columns,
        amplitude=amplitude,
        encoding=encoding,
        columns=columns,
    )


def dataset_from_table(
    raw: RawTable,
    *,
    scaling: Scaling,
    classes: Sequence[str],
    num_targets: int,
    amplitude: float,
    encoding: Encoding,
) -> Dataset:
    """Scale the inputs of a table and encode its labels with a fitted scaling and known classes.

    Args:
        raw: The table; without labels and targets, the dataset has no targets, no labels and no classes.
        scaling: The fitted scaling.
        classes: Class names in the order of their indices.
        num_targets: Number of outputs that encode the labels.
        amplitude: See `encode_labels`.
        encoding: See `encode_labels`.

    Returns:
        The dataset, with the rows in the order of the table.

    Raises:
        ConfigError: As `encode_labels`.
        DataError: A label is not one of the classes, or the scaling does not fit the inputs.
    """
    labels = None
    targets = np.empty((raw.num_samples, 0)) if raw.targets is None else raw.targets
    if raw.labels is not None:
        labels = _indices(raw.labels, classes)
        targets = encode_labels(labels, len(classes), num_targets, amplitude, encoding)
    return Dataset(
        inputs=scaling.apply(raw.inputs),
        targets=targets,
        labels=labels,
        classes=() if labels is None else tuple(classes),
        input_names=raw.input_names,
    )


def dataset_like(task: Task, raw: RawTable) -> Dataset:
    """Scale and encode a table like the training samples of a task, targets of a regression included.

    Args:
        task: The task.
        raw: The table; without labels and targets, the dataset has none.

    Raises:
        DataError: A label is not one of the classes, or the table has another number of inputs.
    """
    if task.columns is not None and task.columns.means:
        raw = raw.filled(np.array(task.columns.means))
    data = dataset_from_table(
        raw,
        scaling=task.scaling,
        classes=task.train.classes,
        num_targets=task.train.num_targets,
        amplitude=task.amplitude,
        encoding=task.encoding,
    )
    if task.target_scaling is None or not data.num_targets:
        return data
    return replace(data, targets=task.target_scaling.apply(data.targets))


def check_classes(classes: Sequence[str]) -> None:
    """Refuse invalid class names.

    Args:
        classes: Class names in the order of their indices.

    Raises:
        ConfigError: The value is a text instead of a list, has fewer than two names, or the same name twice.
    """
    if isinstance(classes, str) or len(classes) < 2 or len(set(classes)) != len(classes):
        raise ConfigError(f"classes: expected at least two different names, got {classes!r}")


def _class_names(labels: Sequence[str], classes: Sequence[str] | None, column: str | None) -> tuple[str, ...]:
    if classes is None:
        return found_classes(labels, column)
    check_classes(classes)
    return tuple(classes)


def _num_targets(raw: RawTable, classes: Sequence[str], encoding: Encoding, requested: int | None) -> int:
    if raw.targets is None:
        return default_num_targets(len(classes), encoding) if requested is None else requested
    width = int(raw.targets.shape[1])
    if requested not in (None, width):
        raise ConfigError(f"num_targets: expected {width}, one per target column, got {requested}")
    return width


def _rows(
    raw: RawTable,
    test_fraction: float | None,
    test_size: int | None,
    folds: int | None,
    fold: int,
    seeds: Seeds | None,
) -> tuple[np.ndarray, np.ndarray]:
    if test_fraction is None and test_size is None and folds is None:
        return np.arange(raw.num_samples), np.arange(0)
    if seeds is None:
        raise ConfigError("seeds: expected the seeds that draw the test part, got none")
    if folds is not None:
        return split_folds(raw, folds=folds, fold=fold, seeds=seeds)
    return split(raw, test_fraction=test_fraction, test_size=test_size, seeds=seeds)


def _indices(labels: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    index = {name: position for position, name in enumerate(classes)}
    for row, label in enumerate(labels):
        if label not in index:
            raise DataError(f"labels: expected one of {list(classes)}, got {label!r} at index {row}")
    return np.array([index[label] for label in labels], dtype=np.int64)
