"""Tasks from CSV files, and rows for predictions in the same format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Unpack

from qep_qiskit.core.errors import ConfigError, DataError
from qep_qiskit.core.limits import Index
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.tasks.assembly import TaskOptions, check_classes, dataset_like, task_from_table
from qep_qiskit.tasks.column_encoding import Missing
from qep_qiskit.tasks.csv_columns import ColumnNames
from qep_qiskit.tasks.csv_file import read_csv
from qep_qiskit.tasks.csv_format import RECOGNISED, CsvFormat
from qep_qiskit.tasks.dataset import Dataset, Task
from qep_qiskit.tasks.label_check import found_classes
from qep_qiskit.tasks.splitting import Folds, TestFraction


def csv_task(
    file: str | Path,
    *,
    inputs: ColumnNames,
    target: str | int | None = None,
    targets: Sequence[str | int] = (),
    classes: Sequence[str] | None = None,
    layout: CsvFormat = RECOGNISED,
    categorical: Sequence[str | int] | None = None,
    missing: Missing = "error",
    test_file: str | Path | None = None,
    test_fraction: TestFraction = 0.3,
    folds: Folds | None = None,
    fold: Index = 0,
    seeds: Seeds,
    **options: Unpack[TaskOptions],
) -> Task:
    """Build a task from a CSV file: classification of one column, or regression of columns of numbers.

    Args:
        file: Path of the file, see `read_csv`.
        inputs: Input columns: a list of names and of ranges ``"a:c"`` (with c), or ``"*"`` for all but the targets.
            Without a header: numbers from 0, negative ones from the end, and ranges ``"0:4"`` (without 4).
        target: Column of class names, for classification.
        targets: Columns of numbers, for regression; they are not scaled, see `scale_targets`.
        classes: Class names in the order of their indices; None for those of the file, sorted.
        layout: How the files are written.
        categorical: Input columns of categories, one-hot encoded; None for those that hold texts only, with a note.
        missing: What is done with missing values (empty cells, ``?``, ``NA``, ``nan``, ``null``): "error" refuses them,
            "drop" leaves out the row, "mean" replaces inputs by their means over the training rows.
        test_file: Path of a file with the test rows; None to draw them from the first.
        test_fraction: Fraction of test rows, in [0, 1), where they are drawn.
        folds: Number of parts for cross-validation, in place of a fraction, see `split_folds`.
        fold: Number of the part that is the test part.
        seeds: Root of the random streams, for the test rows.
        **options: See `TaskOptions`.

    Returns:
        The task, with the file's name without its suffix.

    Raises:
        ConfigError: Neither `target` nor `targets` is given, or an option is out of range.
        DataError: The file cannot be used, see `read_csv`, or has fewer than two classes.

    Example:
        >>> columns = ["petal_length_cm", "petal_width_cm"]
        >>> task = qep.csv_task("configs/iris.csv", inputs=columns, target="species", seeds=qep.Seeds(0))
        >>> task.train.num_samples, task.train.classes
        (105, ('setosa', 'versicolor', 'virginica'))
    """
    if target is None and not targets:
        raise ConfigError("target, targets: expected a class column or number columns, got neither")
    if classes is not None and target is None:
        raise ConfigError("classes: expected a class column in target to go with them, got none")
    if classes is not None:
        check_classes(classes)
    raw = read_csv(
        file, inputs, target, targets, classes=classes, layout=layout, categorical=categorical, missing=missing
    )
    test, parts = None, {"test_fraction": test_fraction} if folds is None else {"folds": folds, "fold": fold}
    if test_file is not None:
        if folds is not None:
            raise ConfigError("folds: expected one of test_file and folds, got both")
        with _naming(file):
            known = (
                classes if raw.labels is None or classes is not None else found_classes(raw.labels, raw.label_column)
            )
        names = () if raw.columns is None else raw.columns.names
        test = read_csv(test_file, names, raw.label_column, raw.target_columns, classes=known, like=raw.columns)
        parts = {}
    with _naming(file):
        return task_from_table(Path(file).stem, raw, test=test, classes=classes, seeds=seeds, **parts, **options)


def read_rows(path: str | Path, task: Task) -> Dataset:
    """Read rows for predictions, scaled and encoded like the training samples of a task.

    Args:
        path: Path of a CSV file with the input columns of the task; the label or target columns may be missing.
        task: The task.

    Returns:
        The rows in the order of the file. Without the label or target columns, `targets` has shape (samples, 0),
        `labels` is None and `classes` is ().

    Raises:
        ConfigError: The task has no inputs.
        DataError: The file cannot be used, see `read_csv`, or has a class that is not in the task.
    """
    names = task.train.input_names if task.columns is None else task.columns.names
    raw = read_csv(
        path,
        names,
        task.label_column,
        task.target_columns,
        classes=task.train.classes or None,
        answers_optional=True,
        like=task.columns,
    )
    with _naming(path):
        return dataset_like(task, raw)


@contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
