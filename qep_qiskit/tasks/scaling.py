"""Scaling of columns of numbers: fitted on the training rows, applied to every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError, DataError
from qep_qiskit.core.limits import Positive, check_value
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.tasks.arrays import float_array

ScalingKind = Literal["none", "standard", "minmax"]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scaling:
    """The map ``(raw - offset) * factor``, one offset and one factor per column.

    Args:
        kind: Method of the fit: "none", "standard" (mean 0, standard deviation 1) or "minmax" (onto [-1, 1]).
        offset: float64 array of shape (num_inputs,), in the units of the column.
        factor: float64 array of shape (num_inputs,), with the input scale included.

    Raises:
        ConfigError: The kind is unknown.
        DataError: Offset and factor are not finite vectors of equal length.
    """

    kind: ScalingKind
    offset: np.ndarray
    factor: np.ndarray

    def __post_init__(self) -> None:
        _check_kind(self.kind)
        object.__setattr__(self, "offset", float_array("scaling offset", self.offset, ndim=1))
        object.__setattr__(self, "factor", float_array("scaling factor", self.factor, ndim=1))
        if self.offset.shape != self.factor.shape:
            raise DataError(
                f"scaling: expected one offset and one factor per input, got {self.offset.size} offsets "
                f"and {self.factor.size} factors"
            )

    @classmethod
    def fit(cls, raw: np.ndarray, kind: ScalingKind = "standard", input_scale: float = 1.0) -> Scaling:
        """Fit the map on training inputs.

        A constant column has no width to divide by: its factor is 1 x input_scale, so that "standard" and "minmax" map
        it to 0 and a new value is mapped to its difference.

        Args:
            raw: Training inputs, shape (samples, num_inputs), at least one sample.
            kind: "none" keeps the values, "standard" subtracts the mean and divides by the (population) standard
                deviation, "minmax" maps the smallest value to -1 and the largest to +1.
            input_scale: A positive number that multiplies the scaled inputs.

        Returns:
            The fitted scaling.

        Raises:
            ConfigError: The kind is unknown, or the input scale is not a positive number.
            DataError: There are no samples, a value is not finite, or a column is too wide or too narrow to scale.
        """
        _check_kind(kind)
        check_value("input_scale", input_scale, Positive)
        raw = float_array("inputs", raw, ndim=2)
        if raw.shape[0] == 0:
            raise DataError("inputs: expected at least one sample to fit the scaling on, got none")
        offset, width = _offset_and_width(raw, kind)
        with np.errstate(all="ignore"):
            factor = input_scale / width
        _check_scales(offset, factor)
        return cls(kind=kind, offset=offset, factor=factor)

    @property
    def num_inputs(self) -> int:
        """Number of columns of the fit."""
        return int(self.offset.size)

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """Scale rows.

        Args:
            raw: Inputs in their own units, shape (samples, num_inputs).

        Returns:
            float64 array of shape (samples, num_inputs).

        Raises:
            DataError: The rows have another number of columns, or a value is not finite before or after.
        """
        raw = float_array("inputs", raw, ndim=2)
        if raw.shape[1] != self.num_inputs:
            raise DataError(f"inputs: expected {amount(self.num_inputs, 'column')}, got {raw.shape[1]}")
        with np.errstate(over="ignore"):
            scaled = (raw - self.offset) * self.factor
        return float_array("scaled inputs", scaled, ndim=2)

    def undo(self, scaled: np.ndarray) -> np.ndarray:
        """Return scaled rows in their own units, float64 array of shape (samples, num_inputs)."""
        return np.asarray(scaled, dtype=np.float64) / self.factor + self.offset

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON; floats are exact after a round trip."""
        return {"kind": self.kind, "offset": self.offset.tolist(), "factor": self.factor.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Scaling:
        """Build a scaling from the values of `to_dict`.

        Raises:
            DataError: A key is missing or unknown, or a value does not fit.
            ConfigError: The kind is unknown.
        """
        if set(values) != {"kind", "offset", "factor"}:
            raise DataError(f"scaling: expected the keys kind, offset and factor, got {sorted(values)}")
        return cls(kind=values["kind"], offset=values["offset"], factor=values["factor"])


def _check_kind(kind: str) -> None:
    if kind not in get_args(ScalingKind):
        raise ConfigError(f"scaling: expected one of {', '.join(get_args(ScalingKind))}, got {kind!r}")


def _offset_and_width(raw: np.ndarray, kind: ScalingKind) -> tuple[np.ndarray, np.ndarray]:
    if kind == "none":
        return np.zeros(raw.shape[1]), np.ones(raw.shape[1])
    low, high = raw.min(axis=0), raw.max(axis=0)
    with np.errstate(all="ignore"):
        offset, width = (
            (raw.mean(axis=0), raw.std(axis=0)) if kind == "standard" else ((low + high) / 2, (high - low) / 2)
        )
    # compared exactly: the standard deviation of equal numbers can be a rounding error instead of zero
    constant = low == high
    return np.where(constant, low, offset), np.where(constant, 1.0, width)


def _check_scales(offset: np.ndarray, factor: np.ndarray) -> None:
    usable = np.isfinite(offset) & np.isfinite(factor) & (factor > 0)
    if not usable.all():
        column = int(np.argmin(usable)) + 1
        raise DataError(f"inputs: column {column} is too wide or too narrow to scale; change its unit")
