"""Refresh the page "How it compares" from the stored comparisons: its figure, and the tables and numbers of its text.

    python -m benchmarks.peers.page

Comparisons are made and stored by the other modules of this folder, each with `--store`; nothing is measured here.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from benchmarks import documented
from benchmarks.peers.stored import FOLDER, read_results
from qep_qiskit.report.log_axis import log_axis
from qep_qiskit.report.style import LineStyle, figure_style, new_figure, save_figure

FIGURE = Path(__file__).resolve().parents[2] / "docs" / "how_it_compares.png"
_CROSSES = (0, (3, 1.2, 1, 1.2))
_SIMULATORS = {
    "qep engine": LineStyle(color="#111111", linestyle="-", marker="o", linewidth=2.2),
    "qep engine, single": LineStyle(color="#111111", linestyle="--", marker="o", linewidth=1.4),
    "TensorCircuit-NG (JAX)": LineStyle(color="#0072B2", linestyle="-", marker="s"),
    "qulacs": LineStyle(color="#009E73", linestyle=":", marker="^"),
    "Qiskit Aer": LineStyle(color="#E69F00", linestyle="--", marker="D"),
    "PennyLane lightning": LineStyle(color="#B3003C", linestyle=_CROSSES, marker="v"),
}
_RULES = {
    "QEP": LineStyle(color="#111111", linestyle="-", marker="o", linewidth=2.2),
    "qiskit-ml EstimatorQNN, parameter shift": LineStyle(color="#0072B2", linestyle="-", marker="s"),
    "PennyLane lightning.qubit, parameter-shift": LineStyle(color="#009E73", linestyle=":", marker="^"),
    "PennyLane lightning.qubit, finite-diff": LineStyle(color="#E69F00", linestyle="--", marker="D"),
    "PennyLane lightning.qubit, spsa": LineStyle(color="#B3003C", linestyle=_CROSSES, marker="v"),
    "qiskit-ml EstimatorQNN, SPSA": LineStyle(color="#CC79A7", linestyle="-.", marker="P"),
}


def speeds(folder: Path) -> dict[str, dict[int, tuple[float, ...]]]:
    """CPU milliseconds of a sample's gradient on one core, by simulator and spins: median and quartiles."""
    found: dict[str, dict[int, tuple[float, ...]]] = {}
    for row in read_results(folder / "speed_gradient.csv").rows:
        if row["cores"] == "1":
            figures = tuple(float(row[name]) for name in ("cpu", "cpu_low", "cpu_high"))
            found.setdefault(row["contestant"], {})[_first_number(row["column"])] = figures
    return found


def charges(folder: Path) -> dict[str, dict[int, tuple[float, ...]]]:
    """QPU seconds of a step, by method and qubits."""
    found: dict[str, dict[int, tuple[float, ...]]] = {}
    for path in sorted(folder.glob("gradients_*.csv")):
        for row in read_results(path).rows:
            found.setdefault(row[""], {})[_first_number(path.stem)] = (float(row["QPU s"]),)
    return found


def _first_number(text: str) -> int:
    return int(re.findall(r"\d+", text)[0])


def draw(folder: Path, path: Path) -> None:
    """Draw both comparisons.

    Args:
        folder: Where the stored tables are.
        path: The picture.
    """
    with figure_style():
        figure = new_figure(9.6, 4.6)
        left, right = figure.subplots(1, 2)
        _panel(left, speeds(folder), _SIMULATORS, "CPU ms of a sample's gradient, one core", "spins")
        _panel(right, charges(folder), _RULES, "QPU seconds of a training step", "spins or qubits")
        save_figure(figure, path)


def _panel(axis: Axes, found: dict[str, dict[int, Any]], styles: dict[str, LineStyle], title: str, label: str) -> None:
    shown = {name: found[name] for name in styles if name in found}
    for name, points in shown.items():
        sizes = sorted(points)
        middle, *ends = zip(*(points[size] for size in sizes), strict=True)
        axis.plot(sizes, middle, label=name, **styles[name].drawn())
        if ends:
            axis.fill_between(sizes, *ends, color=styles[name].color, alpha=0.15, linewidth=0)
    log_axis(axis, "y", [value for points in shown.values() for some in points.values() for value in some])
    axis.set_xticks(sorted({size for points in shown.values() for size in points}))
    axis.set_xlabel(label)
    axis.set_title(title)
    axis.grid(True, which="major")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=1, fontsize=8)


def main() -> None:
    if sys.argv[1:]:
        raise SystemExit(__doc__)
    draw(FOLDER, FIGURE)
    print(f"drew {FIGURE.name}")
    documented.fill_in(documented.load())


if __name__ == "__main__":
    main()
