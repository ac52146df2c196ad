"""Averages of the size study over random networks, and what they say of its curves.

Numbers that differ by factors between networks are averaged in logarithms: a mean is the geometric one, and its
interval is one standard error of the mean of the logarithms, from the scatter of the networks.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qep_qiskit.core.errors import TruncatedStateWarning, UnconvergedWarning
from qep_qiskit.preparation.resolution import WANTED
from qep_qiskit.report.log_axis import short_count
from qep_qiskit.report.tables import grouped, number, value_with_error
from qep_qiskit.runs.grid import value_text
from qep_qiskit.runs.points import Row

_AVERAGED = ("gradient", "gap", "beta", "total_shots")
_WIDE = 0.4  # error of a logarithm from which on the ends of the interval are shown
_ROUNDING = 1e-9
_OF_INEXACT_STATES = {TruncatedStateWarning.__name__, UnconvergedWarning.__name__}
_MISSING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogMean:
    """Geometric mean with the standard error of its logarithm.

    Args:
        value: The mean; NaN without any positive number.
        error: Standard error of its logarithm; NaN for a single number.
    """

    value: float
    error: float

    @classmethod
    def of(cls, values: ArrayLike) -> LogMean:
        """Return the mean of the positive values; others are not counted."""
        known = np.asarray(values, dtype=float)
        logs = np.log(known[known > 0.0])
        if not logs.size:
            return cls(value=math.nan, error=math.nan)
        error = float(logs.std(ddof=1) / np.sqrt(logs.size)) if logs.size > 1 else math.nan
        return cls(value=float(np.exp(logs.mean())), error=error)

    def columns(self, name: str) -> Row:
        """Return the mean and the ends of its interval under the names of a table; None where unknown."""
        ends = self.value * np.exp(-self.error), self.value, self.value * np.exp(self.error)
        names = f"{name}_low", name, f"{name}_high"
        return {key: float(end) if math.isfinite(end) else None for key, end in zip(names, ends, strict=True)}

    def text(self, *, counts: bool = False) -> str:
        """Return the mean with its standard error, or with the ends of a wide interval.

        Args:
            counts: Whether numbers are counts, in their short form and with relative errors.
        """
        if not math.isfinite(self.value):
            return _MISSING
        if self.error > _WIDE:
            low, middle, high = (
                short_count(float(f"{end:.2g}")) if counts else f"{end:.2g}"
                for end in (self.value * np.exp(-self.error), self.value, self.value * np.exp(self.error))
            )
            return f"{middle} ({low} to {high})"
        if counts:
            return short_count(self.value) + (f" ± {self.error:.1%}" if self.error > 0.0 else "")
        return value_with_error(self.value, self.value * self.error if self.error > 0.0 else None, digits=3)


def size_averages(rows: Sequence[Row], others: Sequence[str]) -> list[Row]:
    """Return means over the networks of every size.

    Args:
        rows: Rows of networks.
        others: Keys that tell the curves apart.
    """
    curves = _Curves(others)
    found = []
    for own in curves.grouped(rows, "spins"):
        means: Row = {"weights": own[0]["weights"], "networks": len(own)}
        for name in _AVERAGED:
            means |= LogMean.of([number(row, name) for row in own]).columns(name)
        found.append(curves.labels(own[0]) | {"spins": own[0]["spins"]} | means)
    return found


def distance_averages(rows: Sequence[Row], networks: Sequence[Row], others: Sequence[str]) -> list[Row]:
    """Return means of the root mean square gradient over the largest networks of every curve, by distance.

    A mean is `unresolved` where one of its networks has states that are truncated or not converged, and a gradient
    below what converged states resolve: it may be the error of these states.

    Args:
        rows: Rows of networks by the distance of their weights from the outputs and the inputs.
        networks: Rows of networks.
        others: Keys that tell the curves apart.
    """
    curves = _Curves(others)
    doubtful = {curves.name(row, "spins", "seed") for row in networks if _is_inexact(row)}
    largest = [max(own, key=lambda row: int(row["spins"]))["spins"] for own in curves.grouped(rows)]
    found = []
    for size, curve in zip(largest, curves.grouped(rows), strict=True):
        for own in curves.grouped([row for row in curve if row["spins"] == size], "from", "distance"):
            if any(row["rms_gradient"] is None for row in own):  # the others alone would be the largest
                continue
            mean = LogMean.of([number(row, "rms_gradient") for row in own]).columns("rms_gradient")
            place = {name: own[0][name] for name in ("spins", "from", "distance")}
            unresolved = any(
                number(row, "rms_gradient") < WANTED and curves.name(row, "spins", "seed") in doubtful for row in own
            )
            found.append(curves.labels(own[0]) | place | {"networks": len(own)} | mean | {"unresolved": unresolved})
    return found


def _is_inexact(network: Row) -> bool:
    return any(kind in _OF_INEXACT_STATES for kind, *_ in network.get("warned") or ())


def curve_table(rows: Sequence[Row], distances: Sequence[Row], others: Sequence[str]) -> list[list[str]]:
    """Return what every curve says, as a table of texts with its headers first.

    Args:
        rows: Rows of networks.
        distances: Rows of networks by the distance of their weights.
        others: Keys that tell the curves apart.
    """
    curves = _Curves(others)
    header = [
        *map(_short, others),
        "spins",
        "gradient",
        "its power",
        "shots",
        "their power",
        "a weight",
        "per coupling",
    ]
    table = [header]
    far = curves.grouped([row for row in distances if row["from"] == "outputs"])
    for own, reached in zip(curves.grouped(rows), far, strict=True):
        sizes = sorted({row["spins"] for row in own})
        cells = [value_text(own[0][key]) for key in others] + [f"{sizes[0]} to {sizes[-1]}"]
        cells += [_ends(own, "gradient"), power_text(own, "gradient")]
        cells += [_ends(own, "total_shots", counts=True), power_text(own, "total_shots")]
        each = [{**row, "each": number(row, "total_shots") / row["weights"]} for row in own]
        trusted = {row["seed"] for row in own if row["spins"] == sizes[-1] and not row.get("warned")}
        largest = [row for row in reached if row["spins"] == sizes[-1] and row["seed"] in trusted]
        cells += [_ends(each, "each", counts=True), _falling(largest)]
        table.append(cells)
    return table


def _ends(rows: Sequence[Row], name: str, *, counts: bool = False) -> str:
    """Return the means of the smallest and of the largest networks."""
    sizes = [row["spins"] for row in rows]
    ends = [[number(row, name) for row in rows if row["spins"] == size] for size in (min(sizes), max(sizes))]
    return " to ".join(LogMean.of(values).text(counts=counts) for values in ends)


def size_sentences(rows: Sequence[Row]) -> list[str]:
    """Return what the means leave out.

    Args:
        rows: Rows of networks.
    """
    zero = sum(not row["gradient"] > 0.0 for row in rows)
    beyond = sum(row["gradient"] > 0.0 and row["shots"] is None for row in rows)
    found = []
    if zero:
        found.append(f"The gradient vanishes by symmetry in {zero} of {len(rows)} networks, which no mean counts.")
    if beyond:
        found.append(f"{beyond} of {len(rows)} networks need more than 1e12 shots a batch, which no mean counts.")
    return found


def power_text(rows: Sequence[Mapping[str, Any]], name: str, of: str = "spins") -> str:
    """Return the power with which a number grows with another one, with its standard error.

    Args:
        rows: The rows.
        name: Column of the number; only positive ones count.
        of: Column of the other one.
    """
    pairs = [(number(row, of), number(row, name)) for row in rows if number(row, name) > 0.0]
    return _MISSING if len({x for x, _ in pairs}) < 2 else _with_error(*_slope(*np.log(pairs).T))


def _falling(rows: Sequence[Row]) -> str:
    """Return the factor by which the gradient of a weight falls with every coupling, the mean over networks.

    Args:
        rows: Rows of networks without warnings: of others small gradients may be errors of their states.
    """
    slopes = []
    for own in grouped(rows, lambda row: row["seed"]).values():
        known = [(row["distance"], number(row, "rms_gradient")) for row in own if number(row, "rms_gradient") > 0.0]
        pairs = np.array([(distance, math.log(size)) for distance, size in known])
        if len(pairs) > 1:
            slopes.append(-_slope(*pairs.T)[0])
    return LogMean.of(np.exp(slopes)).text() if slopes else _MISSING


def _slope(x: NDArray, y: NDArray) -> tuple[float, float]:
    """Return the slope of a straight line through points, with its standard error from their scatter."""
    centred = x - x.mean()
    square = float(centred @ centred)
    slope = float(centred @ y / square)
    left = y - y.mean() - slope * centred
    error = math.sqrt(float(left @ left) / (len(x) - 2) / square) if len(x) > 2 else math.nan
    return slope, error


def _with_error(value: float, error: float) -> str:
    return value_with_error(value, error if error > _ROUNDING else None, digits=2)


@dataclass(frozen=True, slots=True)
class _Curves:
    """Keys that tell curves apart."""

    others: Sequence[str]

    def grouped(self, rows: Sequence[Row], *more: str) -> list[list[Row]]:
        """Return rows with equal values of the keys, and of more columns, in the order in which they come first."""
        return list(grouped(rows, lambda row: self.name(row, *more)).values())

    def name(self, row: Row, *more: str) -> Hashable:
        """Return the values of the keys, and of more columns, of a row."""
        return tuple(str(row[key]) for key in (*self.others, *more))

    def labels(self, row: Row) -> dict[str, Any]:
        """Return the names of the curve and of the column of figures that a row belongs to, with the keys' values."""
        *lines, last = self.others or ("",)
        if len(self.others) < 2:
            lines, last = list(self.others), ""
        texts = [_text(key, row[key]) for key in lines]
        column = _text(last, row[last]) if last else ""
        return {key: row[key] for key in self.others} | {"curve": ", ".join(texts) or "all", "column": column}


def _text(key: str, value: object) -> str:
    """Return a value with its key; a name needs no key."""
    return value.replace("_", "-") if isinstance(value, str) else f"{_short(key)} = {value_text(value)}"


def _short(key: str) -> str:
    """Return a key without its section."""
    return key.partition(".")[2] or key
