"""The raw table of a data file, before splitting, scaling and encoding."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qep_qiskit.core.errors import DataError
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.tasks.arrays import check_rows, float_array
from qep_qiskit.tasks.column_encoding import ColumnEncoding


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawTable:
    """Inputs in their own units, with the label or the target numbers of each row where they are known.

    Args:
        inputs: float64 array of shape (samples, num_inputs), in the units of the source.
        input_names: Name of each input column.
        labels: Class name of each row; None where the table has no labels.
        label_column: Name of the label column; None where the table has no labels.
        targets: float64 array of shape (samples, num_targets); None where the table has no target numbers.
        target_columns: Name of each target column.
        missing: Where an input has no value (and stands as 0), bool array of the shape of the inputs; None where rows
            are complete.
        columns: Encoding of the columns of the file; None where the table is not from a file.

    Raises:
        DataError: The number of rows or names is inconsistent, or a number is not finite.
    """

    inputs: np.ndarray
    input_names: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    label_column: str | None = None
    targets: np.ndarray | None = None
    target_columns: tuple[str, ...] = ()
    missing: np.ndarray | None = None
    columns: ColumnEncoding | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", float_array("inputs", self.inputs, ndim=2))
        if self.targets is not None:
            object.__setattr__(self, "targets", float_array("targets", self.targets, ndim=2))
        check_rows(self.num_samples, labels=self.labels, targets=self.targets)
        self._check_names()

    @property
    def num_samples(self) -> int:
        """Number of rows."""
        return int(self.inputs.shape[0])

    def means(self, rows: np.ndarray) -> np.ndarray:
        """Return the mean of each input over the known values of some rows, shape (num_inputs,).

        Raises:
            DataError: An input has no value in any of them.
        """
        known = np.ones(self.inputs.shape, dtype=bool) if self.missing is None else ~self.missing
        counts = known[rows].sum(axis=0)
        if not counts.all():
            name = self.input_names[int(np.argmin(counts))]
            raise DataError(f"inputs: {name!r} has no value in any training row; leave its column out of task.inputs")
        return self.inputs[rows].sum(axis=0) / counts

    def filled(self, means: np.ndarray) -> RawTable:
        """Return the table with means for missing inputs.

        Args:
            means: Mean of each input, shape (num_inputs,).
        """
        if self.missing is None:
            return self
        return replace(self, inputs=np.where(self.missing, means, self.inputs), missing=None)

    def _check_names(self) -> None:
        if len(self.input_names) != self.inputs.shape[1]:
            raise DataError(
                f"input_names: expected {self.inputs.shape[1]} names like the inputs, got {len(self.input_names)}"
            )
        num_targets = 0 if self.targets is None else self.targets.shape[1]
        if len(self.target_columns) != num_targets:
            raise DataError(
                f"target_columns: expected {num_targets} names like the targets, got {len(self.target_columns)}"
            )
        if (self.labels is None) != (self.label_column is None):
            raise DataError("label_column: expected a name exactly where there are labels")
