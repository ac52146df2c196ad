"""Datasets and tasks: scaled inputs, target values, and the scaling and encoding of further rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import DataError
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.tasks.arrays import check_indices, check_rows, float_array, index_array
from qep_qiskit.tasks.column_encoding import ColumnEncoding
from qep_qiskit.tasks.encoding import Encoding
from qep_qiskit.tasks.scaling import Scaling


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Samples for a network. The arrays are copied and read-only.

    Args:
        inputs: Scaled inputs, float64 array of shape (samples, num_inputs). A task without data has one sample and no
            inputs.
        targets: Target values of the outputs, float64 array of shape (samples, num_targets). Rows for predictions
            without known answers have no targets.
        labels: int64 class indices of shape (samples,); None for regression and for rows without labels.
        classes: Class names, by the indices in `labels`; () where labels is None.
        input_names: Name of each input.

    Raises:
        DataError: A wrong shape, type or number of rows or names, a value that is not finite, no samples, or a label
            that is not the index of a class.

    Example:
        >>> qep.xor_task().train.take(np.array([0, 3])).num_samples
        2
    """

    inputs: np.ndarray
    targets: np.ndarray
    labels: np.ndarray | None
    classes: tuple[str, ...]
    input_names: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", float_array("inputs", self.inputs, ndim=2))
        object.__setattr__(self, "targets", float_array("targets", self.targets, ndim=2))
        if self.labels is not None:
            object.__setattr__(self, "labels", index_array("labels", self.labels))
        if self.num_samples == 0:
            raise DataError("inputs: expected at least one sample, got none")
        check_rows(self.num_samples, targets=self.targets, labels=self.labels)
        self._check_names()
        self._check_labels()

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return int(self.inputs.shape[0])

    @property
    def num_inputs(self) -> int:
        """Number of inputs of a sample."""
        return int(self.inputs.shape[1])

    @property
    def num_targets(self) -> int:
        """Number of target values of a sample."""
        return int(self.targets.shape[1])

    def take(self, indices: np.ndarray) -> Dataset:
        """Select samples by their indices, in that order.

        Args:
            indices: Integers of shape (chosen,), each in 0..num_samples - 1; repetitions are allowed.

        Returns:
            A dataset of `chosen` samples.

        Raises:
            DataError: There is no index, or one that is not the index of a sample.
        """
        indices = index_array("indices", indices)
        check_indices("indices", indices, self.num_samples, f"values in 0..{self.num_samples - 1}")
        labels = None if self.labels is None else self.labels[indices]
        return replace(self, inputs=self.inputs[indices], targets=self.targets[indices], labels=labels)

    def _check_names(self) -> None:
        if len(self.input_names) != self.num_inputs:
            raise DataError(f"input_names: expected {self.num_inputs} names, got {len(self.input_names)}")
        for name, values in (("input_names", self.input_names), ("classes", self.classes)):
            if len(set(values)) != len(values):
                raise DataError(f"{name}: expected different names, got {', '.join(map(repr, values))}")

    def _check_labels(self) -> None:
        if self.labels is None:
            if self.classes:
                raise DataError(f"labels: expected class indices for {len(self.classes)} classes, got None")
        else:
            check_indices("labels", self.labels, len(self.classes), f"indices of the {len(self.classes)} classes")


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """Training and test samples of a network, with the scaling and encoding of further rows.

    Args:
        name: Name of the task.
        train: The training samples.
        test: The test samples, or None where all samples are for training.
        scaling: The input scaling, fitted on the training samples; both parts are already scaled.
        label_column: Name of the column of class names; None for regression and for a task without data.
        target_columns: Names of the columns of target numbers; () for classification.
        amplitude: Size of the target values of a class, see `encode_labels`.
        encoding: Encoding of classes as targets, see `encode_labels`.
        target_scaling: Scaling of the targets of a regression, see `scale_targets`; None for unscaled targets.
        columns: Encoding of the columns of the file; None for other tasks.

    Raises:
        DataError: The training samples, the test samples, the scaling and the columns are inconsistent.

    Example:
        >>> qep.xor_task().name
        'xor'
    """

    name: str
    train: Dataset
    test: Dataset | None
    scaling: Scaling
    label_column: str | None = None
    target_columns: tuple[str, ...] = ()
    amplitude: float = 0.8
    encoding: Encoding = "amplitude"
    target_scaling: Scaling | None = None
    columns: ColumnEncoding | None = None

    def __post_init__(self) -> None:
        if self.scaling.num_inputs != self.train.num_inputs:
            raise DataError(
                f"scaling: expected {amount(self.train.num_inputs, 'input')} like the training samples, "
                f"got {self.scaling.num_inputs}"
            )
        self._check_test()
        self._check_columns()

    def output_names(self, num_outputs: int) -> tuple[str, ...]:
        """Return what each output stands for: a class, both classes by its sign, or a target column.

        Args:
            num_outputs: Number of outputs.
        """
        classes = self.train.classes
        if classes and num_outputs == len(classes):
            return classes
        if len(classes) == 2 and num_outputs == 1:
            return (f"{classes[0]} (-) {classes[1]} (+)",)
        if num_outputs == len(self.target_columns):
            return self.target_columns
        return tuple(f"output {index}" for index in range(num_outputs))

    def in_units(self, outputs: np.ndarray) -> np.ndarray:
        """Convert outputs or targets, shape (samples, num_targets), to the units of the target columns."""
        return outputs if self.target_scaling is None else self.target_scaling.undo(outputs)

    def errors_in_units(self, errors: np.ndarray) -> np.ndarray:
        """Convert standard errors of outputs, shape (samples, num_targets), to the units of the target columns."""
        return errors if self.target_scaling is None else errors / self.target_scaling.factor

    def _check_test(self) -> None:
        if self.test is None:
            return
        for name in ("input_names", "classes", "num_targets"):
            wanted, got = getattr(self.train, name), getattr(self.test, name)
            if wanted != got:
                raise DataError(f"test: expected {name} {wanted!r} like the training samples, got {got!r}")

    def _check_columns(self) -> None:
        if self.columns is not None and self.columns.input_names != self.train.input_names:
            raise DataError("columns: expected those of the inputs of the training samples, got others")
        if (self.label_column is not None) != bool(self.train.classes):
            raise DataError("label_column: expected a name exactly where the samples have classes")
        wanted = 0 if self.train.classes else self.train.num_targets
        if len(self.target_columns) != wanted:
            raise DataError(f"target_columns: expected {wanted} names, got {len(self.target_columns)}")
        if self.target_scaling is not None and self.target_scaling.num_inputs != len(self.target_columns):
            raise DataError(
                f"target_scaling: expected {amount(len(self.target_columns), 'column')}, got "
                f"{self.target_scaling.num_inputs}"
            )
