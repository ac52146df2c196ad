"""Logarithmic axes with plain numbers."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike

_LETTERS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def log_axis(
    axis: Axes,
    which: Literal["x", "y"],
    values: ArrayLike,
    *,
    counts: bool = False,
    widen: float = 5.0,
    max_ticks: int = 7,
) -> None:
    """Make an axis logarithmic, fit its limits to the values, and label it with plain numbers.

    Args:
        axis: The panel.
        which: The axis to change.
        values: Positive values that must be visible; other values are ignored.
        counts: Whether ticks are counts in short form: `10k` for 10 000.
        widen: A range smaller than this factor is widened to it, so that at least two ticks are shown.
        max_ticks: Approximate limit on the number of ticks.
    """
    seen = np.ravel(np.asarray(values, dtype=float))
    seen = seen[np.isfinite(seen) & (seen > 0)]
    (axis.set_xscale if which == "x" else axis.set_yscale)("log")
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (1.0, 1.0)
    margin = max(10.0 ** (0.06 * math.log10(high / low)), math.sqrt(widen / min(widen, high / low)), 1.05)
    low, high = low / margin, high * margin
    (axis.set_xlim if which == "x" else axis.set_ylim)(low, high)
    decades = math.log10(high / low)
    parts = (1.0,) if counts and decades > 1 else _parts(decades)
    scale = axis.xaxis if which == "x" else axis.yaxis
    scale.set_major_locator(LogLocator(subs=parts, numticks=max_ticks))
    scale.set_minor_locator(LogLocator(subs="auto", numticks=60) if decades < 8 else NullLocator())
    scale.set_minor_formatter(NullFormatter())
    scale.set_major_formatter(FuncFormatter(lambda value, _: short_count(value) if counts else f"{value:g}"))


def short_count(value: float) -> str:
    """Return a count with a letter for its thousands and at most three digits: `250`, `1.5k`, `12M`."""
    for size, letter in _LETTERS:
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _parts(decades: float) -> tuple[float, ...]:
    """Return the multiples of a power of ten that are labelled."""
    return (1.0, 2.0, 5.0) if decades < 1.3 else (1.0, 3.0) if decades < 2.6 else (1.0,)
