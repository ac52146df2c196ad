"""Quantities derived from the rows of a budget study: names, levels, best points, and the cut for comparisons."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.learning import STENCILS
from qep_qiskit.report.tables import grouped, number

Row = Mapping[str, Any]
Name = TypeVar("Name", bound=Hashable)

CONTRASTS: Final = (
    "one-sided +",
    "one-sided −",
    "symmetric",
    "four-point",
    "chebyshev-4",
    "chebyshev-6",
    "chebyshev-8",
)
"""Names of the contrasts in the order in which they are shown."""

_PREFERENCE: Final = ("shared", "qubit_wise", "per_weight", "equal", "optimal", "measured", "known")
_BEST: Final = ("symmetric", "four-point", "one-sided +", "one-sided −")
_CURVE_POINTS = 61


def strength(row: Row) -> float:
    """Return |beta| of a row."""
    return abs(number(row, "beta"))


def contrast_name(row: Row) -> str:
    """Return the name of the contrast of a row for a reader; one-sided contrasts are named by the sign of beta."""
    kind = str(row.get("contrast"))
    name = kind.replace("_", "-")
    if kind in STENCILS and STENCILS.find(kind).is_one_sided:
        return f"{name} {'−' if number(row, 'beta') < 0 else '+'}"
    return name


def by_contrast(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of each contrast by its name, in the order of `CONTRASTS`, followed by others."""
    found = grouped(rows, contrast_name)
    return {name: found[name] for name in sorted(found, key=_sort_key)}


def _sort_key(name: str) -> tuple[int, str]:
    return (CONTRASTS.index(name) if name in CONTRASTS else len(CONTRASTS), name)


def default_contrast(rows: Iterable[Row]) -> tuple[str, list[Row]]:
    """Return the contrast of figures that show only one, the symmetric one if it exists, with its usable rows."""
    found = by_contrast(row for row in rows if number(row, "rmse") > 0 and number(row, "total_shots") > 0)
    return next(((name, found[name]) for name in (*_BEST, *found) if name in found), ("", []))


def levels(rows: Iterable[Row], key: str, *, most: int | None = None) -> list[float]:
    """Return the distinct finite values of a key in ascending order.

    Args:
        rows: The rows.
        key: Name of the value.
        most: Limit on their number, or None; the ends and evenly spaced values between them are kept.
    """
    values = sorted({number(row, key) for row in rows if math.isfinite(number(row, key))})
    if most is None or len(values) <= most:
        return values
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]


def cut_name(row: Row) -> str:
    """Return how the shots of a row were grouped and allocated, and whether its error signals were known."""
    grouping = {
        "shared": "shared batches",
        "qubit_wise": "qubit-wise groups",
        "cover": "few bases",
        "per_weight": "each weight alone",
    }
    split = {"equal": "equal split", "optimal": "best split"}
    parts = [grouping.get(str(row.get("grouping")), str(row.get("grouping")))]
    parts.append(split.get(str(row.get("allocation")), str(row.get("allocation"))))
    if row.get("signals") == "known":
        parts.append("signals known")
    return ", ".join(parts)


def main_cut(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of the one grouping, allocation and kind of error signals in which contrasts are compared.

    It is the one with the most points; among equals shared batches, equal shots and measured signals come first.
    Methods other than `qep` are excluded, and so are rows without shots or error.
    """
    usable = (
        row
        for row in rows
        if row.get("method", "qep") == "qep"
        and row.get("contrast") is not None
        and number(row, "shots") > 0
        and number(row, "rmse") > 0
        and number(row, "beta") != 0
    )
    cuts = grouped(usable, lambda row: tuple(str(row.get(key)) for key in ("grouping", "allocation", "signals")))
    if not cuts:
        return []
    return cuts[min(cuts, key=lambda cut: (-len(cuts[cut]), *map(_rank, cut)))]


def _rank(name: str) -> int:
    return _PREFERENCE.index(name) if name in _PREFERENCE else len(_PREFERENCE)


def best_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the row with the smallest RMSE for each contrast and number of shots, sorted by both."""
    best = smallest_errors(rows, lambda row: (_sort_key(contrast_name(row)), number(row, "shots")))
    return [best[key] for key in sorted(best)]


def smallest_errors(rows: Iterable[Row], name: Callable[[Row], Name]) -> dict[Name, Row]:
    """Return the row with the smallest RMSE of each group.

    Args:
        rows: The rows; those without an error are left out.
        name: Returns the name of the group of a row.
    """
    known = grouped((row for row in rows if math.isfinite(number(row, "rmse"))), name)
    return {key: min(own, key=lambda row: number(row, "rmse")) for key, own in known.items()}


def relative_factor(row: Row) -> float:
    """Return the factor that makes an error of this row relative to the length of the gradient; NaN if unknown."""
    rmse = number(row, "rmse")
    return number(row, "relative_rmse") / rmse if rmse > 0 else math.nan


def interval(row: Row, key: str) -> tuple[float, float, float]:
    """Return a value with the lower and upper end of its confidence interval; NaN where unknown.

    Args:
        row: The row.
        key: Name of the value.
    """
    return number(row, key), number(row, f"{key}_low"), number(row, f"{key}_high")


def model_curve(rows: Sequence[Row], key: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the model against |beta| as a smooth curve through its values at the measured points.

    Bias and standard deviation follow powers of beta over wide ranges. They are interpolated in logarithms, and the
    RMSE is computed from both where both are known.

    Args:
        rows: Points of one contrast and one number of shots.
        key: "rmse", "bias" or "std".

    Returns:
        Values of |beta| and of the model; empty if fewer than two points have it.
    """
    known = [row for row in rows if number(row, f"model_{key}") > 0]
    points = sorted((strength(row), row) for row in known) if len(levels(known, "beta")) == len(known) else []
    if len(points) < 2:
        return np.empty(0), np.empty(0)
    betas = np.array([beta for beta, _ in points])
    fine = np.geomspace(betas[0], betas[-1], _CURVE_POINTS)

    def along(name: str) -> NDArray[np.float64]:
        values = np.array([number(row, f"model_{name}") for _, row in points])
        return np.exp(np.interp(np.log(fine), np.log(betas), np.log(values)))

    parts = [number(row, f"model_{name}") for _, row in points for name in ("bias", "std")]
    if key == "rmse" and all(part > 0 for part in parts):
        return fine, np.hypot(along("bias"), along("std"))
    return fine, along(key)


def best_beta_of_model(rows: Sequence[Row]) -> float:
    """Return |beta| with the smallest RMSE of the model within the measured range; NaN if there is no model."""
    betas, values = model_curve(rows, "rmse")
    return float(betas[np.argmin(values)]) if betas.size else math.nan
