"""Figures of what a trained network answers: confusion matrix, predictions against targets, decision map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from qep_qiskit.report.strokes import shortened
from qep_qiskit.report.style import INK, LINE_STYLES, figure_style, new_figure, wrapped_title

_MARKERS = "osD^vPX*"
_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#B3003C", "#777777", "#b47a00")
_MOST_COLUMNS = 6


def confusion_matrix(labels: NDArray, chosen: NDArray, classes: Sequence[str], title: str) -> Figure:
    """Draw how many samples of each class are taken for each class.

    Args:
        labels: Shape (samples,), indices of the classes.
        chosen: Shape (samples,), indices of the predicted classes.
        classes: Names of the classes.
        title: Title of the figure.
    """
    count = len(classes)
    table = np.zeros((count, count), dtype=int)
    np.add.at(table, (labels, chosen), 1)
    side = float(np.clip(0.62 * count, 2.0, 8.0))
    with figure_style():
        figure = new_figure(side + 2.0, side + 1.3)
        figure.suptitle(wrapped_title(title, side + 2.0))
        axis = figure.subplots()
        image = axis.imshow(table, cmap="Blues", vmin=0)
        image.set_gid("confusion")
        for (row, column), number in np.ndenumerate(table):
            dark = number > 0.6 * table.max()
            axis.text(column, row, str(number), ha="center", va="center", color="white" if dark else INK)
        names = [shortened(name) for name in classes]
        crowded = sum(map(len, names)) > 7 * side
        axis.set_xticks(range(count), names, rotation=40 if crowded else 0, ha="right" if crowded else "center")
        axis.set_yticks(range(count), names)
        axis.set_xlabel("predicted")
        axis.set_ylabel("class")
        figure.draw_without_rendering()
    return figure


def predictions_against_targets(
    targets: NDArray, outputs: NDArray, errors: NDArray, names: Sequence[str], title: str
) -> Figure:
    """Draw the outputs of a regression against its targets, with standard errors.

    Args:
        targets: Shape (samples, columns).
        outputs: Shape (samples, columns).
        errors: Standard errors by shots, shape (samples, columns); no bar where there is none.
        names: Names of the columns; the first six are drawn.
        title: Title of the figure.
    """
    columns = min(len(names), _MOST_COLUMNS)
    width = min(3.4 * columns + 0.6, 10.5)
    with figure_style():
        figure = new_figure(width, width / columns + 0.1)
        figure.suptitle(wrapped_title(title, width))
        for index, axis in enumerate(figure.subplots(1, columns, squeeze=False)[0]):
            known, found = targets[:, index], outputs[:, index]
            both = np.concatenate([known, found])
            low, high = float(both.min()), float(both.max())
            axis.plot([low, high], [low, high], color="#777777", linewidth=0.9, zorder=1, gid="equal")
            bars = np.nan_to_num(errors[:, index], nan=0.0, posinf=0.0)
            style = LINE_STYLES["train"]
            drawn = axis.errorbar(
                known, found, yerr=bars, color=style.color, linestyle="none", marker="o", markersize=3
            )
            drawn.lines[0].set_gid("predictions")
            axis.set_xlabel(f"target {names[index]}")
            axis.set_ylabel(f"prediction of {names[index]}")
            axis.set_box_aspect(1)
        figure.draw_without_rendering()
    return figure


def decision_map(
    axes: tuple[NDArray, NDArray],
    chosen: NDArray,
    points: NDArray,
    labels: NDArray,
    names: Sequence[str],
    classes: Sequence[str],
    title: str,
) -> Figure:
    """Draw the predicted class over the plane of two inputs, with samples.

    Args:
        axes: Values of the first and the second input.
        chosen: Index of the predicted class, shape (second, first).
        points: Inputs of the samples, shape (samples, 2).
        labels: Shape (samples,), indices of their classes.
        names: Names of the inputs.
        classes: Names of the classes.
        title: Title of the figure.
    """
    with figure_style():
        figure = new_figure(6.6, 4.6)
        figure.suptitle(wrapped_title(title, 6.6))
        axis = figure.subplots()
        colors = [_COLORS[index % len(_COLORS)] for index in range(len(classes))]
        mesh = axis.pcolormesh(*axes, chosen, cmap=ListedColormap(colors), alpha=0.25, shading="nearest")
        mesh.set_clim(-0.5, len(classes) - 0.5)
        mesh.set_gid("map")
        for index, (name, color) in enumerate(zip(classes, colors, strict=True)):
            marker = _MARKERS[index % len(_MARKERS)]
            own = points[labels == index]
            axis.scatter(own[:, 0], own[:, 1], s=16, color=color, marker=marker, label=name, linewidths=0, gid=name)
        axis.set_xlabel(names[0])
        axis.set_ylabel(names[1])
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.03), title="class")
        figure.draw_without_rendering()
    return figure
