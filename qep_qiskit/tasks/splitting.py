"""Split of the rows of a table into training and test rows, class by class."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt

from qep_qiskit.core.errors import ConfigError, DataError
from qep_qiskit.core.limits import check_value
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.tasks.table import RawTable

TestFraction = Annotated[float, Ge(0), Lt(1)]
"""Fraction of samples in the test part."""

Folds = Annotated[int, Ge(2)]
"""Number of parts for cross-validation."""


def split(
    raw: RawTable,
    *,
    test_fraction: float | None = None,
    test_size: int | None = None,
    seeds: Seeds,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the test rows of a table.

    With labels, each class has its proportion of the test rows, and a class of two or more rows is in
    both parts wherever the sizes allow it; a class of one row is in the training part.

    Args:
        raw: The table.
        test_fraction: Fraction of test rows, in [0, 1), rounded, at least one row unless it is 0.
        test_size: Number of test rows, in 0..samples - 1. Exactly one of the two is given.
        seeds: Root of the random streams; the rows use the stream "split".

    Returns:
        Row indices of the training part and of the test part, int64, each in ascending order; together they contain
        every row once.

    Raises:
        ConfigError: Both or none of the two sizes are given, or the size is out of range.
        DataError: There are too few rows for a test part.
    """
    num_test = _num_test(raw.num_samples, test_fraction, test_size)
    generator = seeds.generator("split")
    chosen = np.zeros(raw.num_samples, dtype=bool)
    if raw.labels is None:
        chosen[generator.permutation(raw.num_samples)[:num_test]] = True
    else:
        _, members, counts = np.unique(np.array(raw.labels), return_inverse=True, return_counts=True)
        for index, test_count in enumerate(_test_counts(counts, num_test)):
            chosen[generator.permutation(np.flatnonzero(members == index))[:test_count]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def split_folds(raw: RawTable, *, folds: Folds, fold: int, seeds: Seeds) -> tuple[np.ndarray, np.ndarray]:
    """Divide the rows of a table into parts for cross-validation, one of which is the test part.

    The parts depend on the seeds alone, so that every row is in exactly one of them. Their sizes, and those of every
    class in them, differ by one row at most.

    Args:
        raw: The table.
        folds: Number of parts.
        fold: Number of the test part, from 0.
        seeds: Root of the random streams; the rows use the stream "folds".

    Returns:
        Row indices of the training part and of the test part, as `split`.

    Raises:
        ConfigError: The number of parts, or that of the test part, is out of range.
        DataError: There are fewer rows than parts.
    """
    check_value("folds", folds, Folds)
    if not 0 <= fold < folds:
        raise ConfigError(f"fold: expected 0..{folds - 1} of {folds} folds, got {fold}")
    if raw.num_samples < folds:
        raise DataError(f"folds: expected at most {raw.num_samples}, one for each row, got {folds}")
    order = seeds.generator("folds").permutation(raw.num_samples)
    if raw.labels is not None:
        _, members = np.unique(np.array(raw.labels), return_inverse=True)
        order = order[np.argsort(members[order], kind="stable")]
    chosen = np.zeros(raw.num_samples, dtype=bool)
    chosen[order[fold::folds]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _num_test(num_samples: int, test_fraction: float | None, test_size: int | None) -> int:
    if (test_fraction is None) == (test_size is None):
        raise ConfigError("test_fraction, test_size: expected exactly one of the two")
    if test_size is not None:
        if not 0 <= test_size < num_samples:
            raise ConfigError(f"test_size: expected 0..{num_samples - 1} of {num_samples}, got {test_size}")
        return test_size
    assert test_fraction is not None
    check_value("test_fraction", test_fraction, TestFraction)
    if test_fraction == 0:
        return 0
    if num_samples < 2:
        raise DataError("test_fraction: one sample cannot be split; set test_fraction to 0")
    return min(max(round(test_fraction * num_samples), 1), num_samples - 1)


def _test_counts(counts: np.ndarray, num_test: int) -> np.ndarray:
    """Test rows per class, shape (classes,), with the sum num_test and close to proportional."""
    most = counts - 1
    if num_test > most.sum():
        most = counts.copy()
    test_counts: np.ndarray = np.minimum(counts - 1, 1)
    if num_test < test_counts.sum():
        test_counts = np.zeros_like(counts)
    wanted = counts * (num_test / counts.sum())
    for _ in range(num_test - int(test_counts.sum())):
        test_counts[np.argmax(np.where(test_counts < most, wanted - test_counts, -np.inf))] += 1
    return test_counts
