"""One look for all pictures: sizes, colours, line styles, and how a picture reaches the disk.

Every kind of line differs from the others in colour *and* in dash or marker *and* in lightness, so that
colour-blind readers and grey prints lose nothing. The colours are those of Okabe and Ito.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from qep_qiskit.errors import QepError

__all__ = [
    "DIVERGING",
    "DIVERGING_LINES",
    "INK",
    "LOOKS",
    "LineLook",
    "house_style",
    "new_figure",
    "save_figure",
    "wrapped_title",
]

INK: Final = "#222222"
_DPI: Final = 150

_RC: Final[Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.labelsize": 10.0,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.fontsize": 9.0,
    "figure.titlesize": 12.5,
    "figure.dpi": float(_DPI),
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": "#555555",
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "text.color": INK,
    "axes.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "text.usetex": False,
    "text.parse_math": False,  # names and titles are the user's, dollar signs included
    "axes.unicode_minus": True,
}

DIVERGING: Final = LinearSegmentedColormap.from_list(
    "qep_diverging", ["#b94700", "#f0a04b", "#f6f6f6", "#6fa0d0", "#0b3c7a"]
)
"""Orange below zero, blue above; the blue end is darker, which tells the signs apart in grey."""

DIVERGING_LINES: Final = LinearSegmentedColormap.from_list(
    "qep_diverging_lines", ["#b94700", "#e89a4c", "#c9c9c9", "#6a9bcb", "#0b3c7a"]
)
"""The same for lines, with a middle that is seen on white."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLook:
    """How one kind of line is drawn."""

    color: str
    linestyle: str
    marker: str
    linewidth: float = 1.6


LOOKS: Final[dict[str, LineLook]] = {
    "train": LineLook(color="#0072B2", linestyle="-", marker="o"),
    "test": LineLook(color="#E69F00", linestyle="--", marker="s"),
    "batch": LineLook(color="#bdbdbd", linestyle="-", marker="", linewidth=0.8),
    "step": LineLook(color="#0072B2", linestyle="-", marker=""),
    "gradient": LineLook(color="#333333", linestyle="-", marker="", linewidth=1.1),
    "noise": LineLook(color="#009E73", linestyle=":", marker="", linewidth=1.5),
}


@contextmanager
def house_style() -> Iterator[None]:
    """Settings of the house for the block; those of the caller come back after it."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure on the Agg canvas with constrained layout; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def wrapped_title(title: str, width: float) -> str:
    """Break a title into lines that fit into `width` inches."""
    return textwrap.fill(title, max(20, int(width * 9.5)))


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure as PNG with 150 dots per inch, whole or not at all.

    The picture goes to a temporary name in the same folder and is then swapped in, so a reader never meets
    half a file and an interrupted save leaves the old picture. The bytes depend on the figure only.

    Args:
        figure: The figure to write.
        path: Where to; ends in `.png`. Missing folders are made.

    Returns:
        The path written.

    Raises:
        QepError: The path does not end in `.png`.
    """
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise QepError(f"a picture is saved as PNG: expected a path that ends in .png, got {str(target)!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with house_style():
            figure.savefig(temporary, format="png", dpi=_DPI, metadata={"Software": "qep_qiskit"})
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
