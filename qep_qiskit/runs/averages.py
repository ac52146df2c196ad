"""Averages of the results of several runs that differ only in their seed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from qep_qiskit.report.tables import grouped
from qep_qiskit.runs.points import Row


def averaged(rows: Sequence[Mapping[str, Any]], by: Sequence[str], columns: Sequence[str]) -> list[Row]:
    """Return the mean of each column over groups of rows.

    Args:
        rows: Rows by column name; missing values (None) are left out of the means.
        by: Columns whose values define a group; groups are in the order of their first rows.
        columns: Columns to average.

    Returns:
        One row for each group: the columns of `by`, `runs` (rows of the group), and for each column its mean and, under
        ``<column>_se``, the standard error of the mean by the spread over the group (None for fewer than two values;
        for a single row its own error, where it names one).
    """
    groups = grouped(rows, lambda row: json.dumps([row[name] for name in by]))
    return [
        {name: group[0][name] for name in by}
        | {"runs": len(group)}
        | {key: value for column in columns for key, value in _mean(group, column).items()}
        for group in groups.values()
    ]


def _mean(group: Sequence[Mapping[str, Any]], column: str) -> Row:
    values = [row[column] for row in group if row.get(column) is not None]
    if not values:
        return {column: None, f"{column}_se": None}
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        error = group[0].get(f"{column}_se") if len(group) == 1 else None
    else:
        variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
        error = math.sqrt(variance / len(values))
    return {column: mean, f"{column}_se": error}
