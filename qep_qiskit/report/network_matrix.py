"""Picture of a network with more couplings than lines can show: its couplings as a matrix."""

from __future__ import annotations

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from qep_qiskit.report.network_values import NetworkView
from qep_qiskit.report.style import DIVERGING, figure_style, new_figure, wrapped_title

_MANY_EDGES = 250
_EDGES_PER_SPIN = 4
_WIDTH, _SIDE = 10.0, 4.2


def is_dense(view: NetworkView) -> bool:
    """Return whether lines between the spins would hide each other."""
    return len(view.edges) > max(_MANY_EDGES, _EDGES_PER_SPIN * len(view.roles))


def network_matrix(view: NetworkView, title: str) -> Figure:
    """Draw couplings as a matrix, biases and fields as lines below it, and input weights as a heat map.

    Returns:
        A figure outside of the global state of pyplot.
    """
    symbol, bias = view.coupling_title.split()[-1], view.bias_title.split()[-1]
    tables = {view.coupling_title: np.stack([_matrix(view, couplings) for couplings in view.couplings])}
    tables[f"{bias}, {view.field_letter}"] = np.stack([view.biases, view.fields], axis=1)
    heights = [_SIDE, 0.6]
    if view.input_weights is not None and view.num_inputs:
        tables["weight W"] = view.input_weights
        heights.append(float(np.clip(0.2 * view.num_inputs, 0.6, 3.4)))
    with figure_style():
        figure = new_figure(_WIDTH, sum(heights) + 1.6)
        figure.suptitle(wrapped_title(title, _WIDTH))
        grid = figure.add_gridspec(len(tables), 3, height_ratios=heights, width_ratios=[_SIDE, _SIDE, 0.15])
        for row, (name, pair) in enumerate(tables.items()):
            limit = float(np.nanmax(np.abs(pair), initial=0.0)) or 1.0
            norm = Normalize(-limit, limit)
            for column, state in enumerate(("before", "after")):
                axis = figure.add_subplot(grid[row, column])
                image = axis.imshow(pair[column], aspect="auto", cmap=DIVERGING, norm=norm, interpolation="nearest")
                image.set_gid(name)
                if row == 0:
                    axis.set_title(f"{symbol} {state} training")
                    axis.set_box_aspect(1)
                if row == 1:
                    axis.set_yticks([0, 1], name.split(", "))
                if row == 2:
                    axis.set_ylabel("clamped input")
                if row == len(tables) - 1:
                    axis.set_xlabel(view.site)
            bar = figure.colorbar(ScalarMappable(norm=norm, cmap=DIVERGING), cax=figure.add_subplot(grid[row, 2]))
            bar.set_label(name)
            bar.ax.locator_params(nbins=5 if heights[row] > 1 else 2)
        figure.draw_without_rendering()
    return figure


def _matrix(view: NetworkView, couplings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return couplings as a symmetric matrix, with nothing where there is no edge."""
    matrix = np.full((len(view.roles), len(view.roles)), np.nan)
    first, second = np.array(view.edges).T
    matrix[first, second] = matrix[second, first] = couplings
    return matrix
