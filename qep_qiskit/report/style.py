"""Common style of all pictures: sizes, colours, line styles, and output files.

Lines of different kinds differ in colour, in dash or marker, and in lightness, so that colour-blind readers and readers
of grey prints can distinguish them. The colours are those of Okabe and Ito.
"""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure

from qep_qiskit.core.errors import QepError
from qep_qiskit.core.files import write_atomically

INK: Final = "#222222"
_DPI: Final = 150

DIVERGING: Final = LinearSegmentedColormap.from_list(
    "qep_diverging", ["#b94700", "#f0a04b", "#f6f6f6", "#6fa0d0", "#0b3c7a"]
)
"""Orange below zero, blue above; the blue end is darker, so that the signs differ in grey prints."""

DIVERGING_LINES: Final = LinearSegmentedColormap.from_list(
    "qep_diverging_lines", ["#b94700", "#e89a4c", "#c9c9c9", "#6a9bcb", "#0b3c7a"]
)
"""Colours of `DIVERGING` for lines, with a middle that is visible on white."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineStyle:
    """Style of one kind of line.

    Args:
        color: Colour, as matplotlib takes it.
        linestyle: Dash pattern, as matplotlib takes it.
        marker: Marker symbol.
        linewidth: Width in points.
    """

    color: str
    linestyle: str | tuple[float, tuple[float, ...]]
    marker: str
    linewidth: float = 1.6

    def drawn(self, *, joined: bool = True, hollow: bool = False) -> dict[str, Any]:
        """Return the style as keywords of `Line2D`, `Axes.plot` and `Axes.errorbar`.

        Args:
            joined: Whether a line connects the markers.
            hollow: Whether markers have a white face.
        """
        dashes = {} if joined else {"linestyle": "none"}
        return asdict(self) | dashes | {"markerfacecolor": "white" if hollow else self.color}


LINE_STYLES: Final[dict[str, LineStyle]] = {
    "train": LineStyle(color="#0072B2", linestyle="-", marker="o"),
    "test": LineStyle(color="#E69F00", linestyle="--", marker="s"),
    "batch": LineStyle(color="#bdbdbd", linestyle="-", marker="", linewidth=0.8),
    "final": LineStyle(color="#B3003C", linestyle="none", marker="*", linewidth=1.2),
    "step": LineStyle(color="#0072B2", linestyle="-", marker=""),
    "gradient": LineStyle(color="#333333", linestyle="-", marker="", linewidth=1.1),
    "noise": LineStyle(color="#009E73", linestyle=":", marker="", linewidth=1.5),
    "symmetric": LineStyle(color="#0072B2", linestyle="-", marker="o"),
    "one-sided +": LineStyle(color="#E69F00", linestyle="--", marker="s"),
    "one-sided −": LineStyle(color="#009E73", linestyle=":", marker="^"),
    "four-point": LineStyle(color="#111111", linestyle="-.", marker="D"),
    "chebyshev-4": LineStyle(color="#CC79A7", linestyle=(0, (5, 1.5)), marker="v"),
    "chebyshev-6": LineStyle(color="#56B4E9", linestyle=(0, (3, 1.2, 1, 1.2)), marker="P"),
    "chebyshev-8": LineStyle(color="#B3003C", linestyle=(0, (1.5, 1)), marker="X"),
    "guide": LineStyle(color="#777777", linestyle=(0, (1, 2)), marker="", linewidth=1.2),
    "ideal": LineStyle(color="#111111", linestyle="-", marker="o"),
    "noisy": LineStyle(color="#E69F00", linestyle="--", marker="s"),
    "mitigated": LineStyle(color="#0072B2", linestyle="-.", marker="D"),
    "adaptive": LineStyle(color="#B3003C", linestyle="-", marker="*", linewidth=2.6),
}


def contrast_style(name: str) -> LineStyle:
    """Return the line style of a contrast; all contrasts from outside this package have the same one."""
    return LINE_STYLES.get(name, LineStyle(color="#CC79A7", linestyle=(0, (3, 1.2, 1, 1.2)), marker="X"))


MITIGATION_STYLES: Final = (
    LINE_STYLES["noisy"],
    LINE_STYLES["mitigated"],
    LineStyle(color="#009E73", linestyle=(0, (5, 1.5)), marker="^"),
    LineStyle(color="#B3003C", linestyle="-", marker="v"),
    LineStyle(color="#56B4E9", linestyle="--", marker="P"),
    LineStyle(color="#CC79A7", linestyle=(0, (3, 1.2, 1, 1.2)), marker="X"),
    LineStyle(color="#777777", linestyle=(0, (1.5, 1)), marker="*"),
)
"""Styles of a noisy device without mitigation, followed by those with each mitigation."""

_RAMP: Final = LinearSegmentedColormap.from_list(
    "qep_ramp", ["#e3b000", "#62a84a", "#1f8f86", "#2a5f8f", "#40287a", "#1d0a33"]
)
_RAMP_MARKERS: Final = "osD^vPX*"
_RAMP_DASHES: Final = ("-", (0, (5, 1.5)), (0, (3, 1.2, 1, 1.2)), (0, (1.5, 1)))


def ramp_styles(count: int) -> list[LineStyle]:
    """Return line styles for ordered levels, such as numbers of shots. Colours get darker with the level.

    Markers and dashes alternate.
    """
    return [
        LineStyle(
            color=to_hex(_RAMP(i / max(1, count - 1))),
            linestyle=_RAMP_DASHES[i % len(_RAMP_DASHES)],
            marker=_RAMP_MARKERS[i % len(_RAMP_MARKERS)],
        )
        for i in range(count)
    ]


@contextmanager
def figure_style() -> Iterator[None]:
    """Apply the style settings of the package within a ``with`` block, and restore those of the caller after it."""
    with matplotlib.style.context("qep_qiskit.report.figures", after_reset=True):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure on the Agg canvas with constrained layout."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def wrapped_title(title: str, width: float) -> str:
    """Return a title broken into lines."""
    return textwrap.fill(title, max(20, int(width * 9.5)))


_METADATA: Final[dict[str, dict[str, str | None]]] = {
    "png": {"Software": "qep_qiskit"},
    "pdf": {"Creator": "qep_qiskit", "CreationDate": None},
    "svg": {"Creator": "qep_qiskit", "Date": None},
}
"""Metadata of a picture by format, without a date, so that equal figures give identical files."""


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """Return a figure as the content of a file.

    The bytes depend on the figure only. Letters of an SVG are outlines, so no font is needed to show it.

    Args:
        figure: The figure.
        kind: "png" (150 dots per inch), "pdf" or "svg".
    """
    buffer = io.BytesIO()
    with figure_style():
        figure.savefig(buffer, format=kind, dpi=_DPI, metadata=_METADATA[kind])
    return buffer.getvalue()


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure as PNG with 150 dots per inch, as PDF or as SVG, atomically.

    The picture is written to a temporary file in the same folder that then replaces the target, so an interrupted call
    leaves the old picture. The bytes depend on the figure only.

    Args:
        figure: The figure.
        path: The file; ends in `.png`, `.pdf` or `.svg`. Missing folders are created.

    Returns:
        The path written.

    Raises:
        QepError: The path has another suffix.
    """
    target = Path(path)
    kind = target.suffix.lower().removeprefix(".")
    if kind not in _METADATA:
        endings = ", ".join(f".{name}" for name in _METADATA)
        raise QepError(f"a picture is saved by its ending: expected a path that ends in {endings}, got {str(target)!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, figure_bytes(figure, kind))
    return target


def save_for_print(figure: Figure, folder: str | os.PathLike[str], name: str) -> tuple[Path, Path]:
    """Write a figure twice, as `name.png` for the screen and `name.pdf` for print; see `save_figure`.

    Args:
        figure: The figure.
        folder: The folder.
        name: Name of the files without a suffix.

    Returns:
        The two paths.
    """
    return save_figure(figure, Path(folder) / f"{name}.png"), save_figure(figure, Path(folder) / f"{name}.pdf")
