"""Picture of the network before and after training: couplings and fields on the graph, input weights as a heat map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from qep_qiskit.report.network_matrix import is_dense, network_matrix
from qep_qiskit.report.network_values import MARKERS, NetworkView
from qep_qiskit.report.strokes import (
    dashes,
    edge_line,
    edge_widths,
    every_nth,
    nearest_distance,
    ring_widths,
    shortened,
)
from qep_qiskit.report.style import DIVERGING, DIVERGING_LINES, INK, figure_style, new_figure, wrapped_title

_MARKER_SCALE: Final = {"s": 0.95, "o": 1.0, "D": 0.84}  # equal areas to the eye
_STATES: Final = ("before", "after")
_MANY_TICKS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scales:
    """Common scales of both halves of the picture: colour limits, largest field, size of a node in points."""

    coupling: Normalize
    bias: Normalize
    weight: Normalize
    largest_coupling: float
    largest_field: float
    node: float


def network_picture(view: NetworkView, title: str) -> Figure:
    """Draw the network before and after training, side by side with the same colours and sizes.

    An edge is coloured by its coupling J; its width grows with |J|, and it is dashed for negative J. The face of a spin
    is coloured by its bias b, the width of its ring grows with its transverse field h, its shape is its role, and its
    number is the qubit. Clamped inputs, which are numbers and not qubits, are shown below as a heat map of W. Where
    lines would hide each other, couplings are a matrix.

    Returns:
        A figure outside of the global state of pyplot.
    """
    if is_dense(view):
        return network_matrix(view, title)
    lines = {edge: edge_line(view.positions, edge) for edge in view.edges}
    points = np.concatenate([view.positions, *lines.values()])
    low, high = points.min(axis=0), points.max(axis=0)
    spacing = nearest_distance(view.positions)
    cells = (high - low) / spacing + 1.1  # extent of the graph, margins included
    inches = min(1.6, max(0.72, 3.8 / cells.max()), 5.8 / cells[0], 6.6 / cells[1])
    panel = np.maximum(cells * inches, [3.2, 1.6])
    scales = _scales(view, node=float(np.clip(72.0 * inches * 0.46, 11.0, 30.0)))
    heights = [float(panel[1])]
    if view.num_inputs:
        heights.append(float(np.clip(0.19 * len(view.roles), 0.9, 3.4)))
    width = 2 * float(panel[0]) + 2.0
    graphs: list[Axes] = []
    with figure_style():
        figure = new_figure(width, sum(heights) + 1.1 + (0.75 if view.num_inputs else 0.0))
        figure.suptitle(wrapped_title(title, width))
        grid = figure.add_gridspec(
            len(heights), 4, height_ratios=heights, width_ratios=[panel[0], panel[0], 0.15, 0.15]
        )
        for column, state in enumerate(_STATES):
            axis = figure.add_subplot(grid[0, column])
            axis.set_title(f"{state} training")
            _draw_graph(axis, view, column, lines, scales)
            graphs.append(axis)
            if view.input_weights is not None and view.num_inputs:
                weights = view.input_weights[column]
                _draw_heat_map(figure.add_subplot(grid[1, column]), view, weights, scales, labelled=not column)
        _add_bar(figure, figure.add_subplot(grid[0, 2]), scales.bias, DIVERGING, view.bias_title)
        if view.edges:
            _add_bar(figure, figure.add_subplot(grid[0, 3]), scales.coupling, DIVERGING_LINES, view.coupling_title)
        if view.num_inputs:
            _add_bar(figure, figure.add_subplot(grid[1, 2]), scales.weight, DIVERGING, "weight W")
        _add_legend(figure, view, scales, width)
        figure.draw_without_rendering()  # the first draw sets the style of ticks and the position of panels
        for axis in graphs:
            _fill_panel(axis, low - 0.5 * spacing, high + 0.5 * spacing)
    return figure


def _draw_graph(
    axis: Axes,
    view: NetworkView,
    time: int,
    lines: dict[tuple[int, int], NDArray[np.float64]],
    scales: _Scales,
) -> None:
    axis.set_axis_off()
    couplings = view.couplings[time]
    if view.edges:
        order = np.argsort(np.abs(couplings), kind="stable")  # strong edges lie on top
        paths = [lines[view.edges[edge]] for edge in order]
        widths = edge_widths(couplings[order], scales.largest_coupling)
        edges = LineCollection(
            paths,
            linewidths=widths,
            linestyles=[
                dashes(width) if couplings[edge] < 0 else "solid" for edge, width in zip(order, widths, strict=True)
            ],
            capstyle="butt",
            cmap=DIVERGING_LINES,
            norm=scales.coupling,
            zorder=2,
        )
        edges.set_array(couplings[order])
        edges.set_gid("couplings")
        axis.add_collection(edges)
    _draw_spins(axis, view, view.biases[time], view.fields[time], scales)


def _fill_panel(axis: Axes, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
    """Adjust the limits of a panel of fixed size so that both directions have the same scale."""
    panel = axis.get_window_extent()
    size = np.array([panel.width, panel.height])
    half = 0.5 * size * float(((high - low) / size).max())
    middle = 0.5 * (low + high)
    axis.set_xlim(middle[0] - half[0], middle[0] + half[0])
    axis.set_ylim(middle[1] - half[1], middle[1] + half[1])
    axis.set_aspect("equal")


def _draw_spins(axis: Axes, view: NetworkView, biases: NDArray, fields: NDArray, scales: _Scales) -> None:
    rings = ring_widths(fields, scales.largest_field, scales.node)
    for role, marker in MARKERS.items():
        spins = [spin for spin, other in enumerate(view.roles) if other == role]
        if not spins:
            continue
        (x, y), size = view.positions[spins].T, scales.node * _MARKER_SCALE[marker]
        ring = axis.scatter(x, y, s=(size + 2 * rings[spins]) ** 2, c=INK, marker=marker, linewidths=0, zorder=3)
        ring.set_gid(f"{role} rings")
        faces = axis.scatter(
            x,
            y,
            s=size**2,
            c=biases[spins],
            marker=marker,
            cmap=DIVERGING,
            norm=scales.bias,
            linewidths=0,
            zorder=4,
        )
        faces.set_gid(f"{role} faces")
    for spin, place in enumerate(view.positions):
        red, green, blue, _ = DIVERGING(scales.bias(biases[spin]))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        axis.text(
            place[0],
            place[1],
            str(spin),
            ha="center",
            va="center_baseline",
            fontsize=float(np.clip(0.42 * scales.node, 6.5, 11.0)),
            color="white" if dark else INK,
            zorder=5,
        )


def _draw_heat_map(axis: Axes, view: NetworkView, weights: NDArray, scales: _Scales, *, labelled: bool) -> None:
    image = axis.imshow(weights.T, aspect="auto", cmap=DIVERGING, norm=scales.weight, interpolation="nearest")
    image.set_gid("weights")
    for spine in axis.spines.values():
        spine.set_visible(True)
    axis.set_xlabel("clamped input")
    names = [shortened(name) for name in view.input_names] or [str(number) for number in range(view.num_inputs)]
    if view.num_inputs <= _MANY_TICKS:
        crowded = sum(len(name) + 1 for name in names) > 42
        axis.set_xticks(
            range(view.num_inputs), names, rotation=40 if crowded else 0, ha="right" if crowded else "center"
        )
    else:
        axis.set_xticks(range(0, view.num_inputs, every_nth(view.num_inputs)))
    stride = every_nth(len(view.roles)) if len(view.roles) > 20 else 1
    axis.set_yticks(range(0, len(view.roles), stride))
    if labelled:
        axis.set_ylabel("spin")


def _add_bar(figure: Figure, axis: Axes, norm: Normalize, colors: Colormap, label: str) -> None:
    bar = figure.colorbar(ScalarMappable(norm=norm, cmap=colors), cax=axis)
    bar.set_label(label)
    bar.ax.locator_params(nbins=5)


def _add_legend(figure: Figure, view: NetworkView, scales: _Scales, width: float) -> None:
    handles: list[Line2D] = []
    for role, marker in MARKERS.items():
        if role in view.roles:
            handles.append(_spot(f"{role} {view.site}", marker, 11.0 * _MARKER_SCALE[marker], "#f6f6f6", 1.0))
    if view.edges:
        edge = view.coupling_title.split()[-1]
        handles.append(Line2D([], [], color="#555555", linewidth=3, label=f"{edge} > 0"))
        handles.append(Line2D([], [], color="#555555", linewidth=3, linestyle=dashes(3.0), label=f"{edge} < 0"))
    letter = f"|{view.field_letter}|" if view.fields.min() < 0 else view.field_letter
    for field in (0.25 * scales.largest_field, scales.largest_field):
        if field > 0:
            ring = float(ring_widths(np.array([field]), scales.largest_field, scales.node)[0])
            handles.append(_spot(f"{letter} = {field:.2g}", "o", 11.0 + ring, "#f6f6f6", ring))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(len(handles), max(3, int(width / 1.25))),
        handlelength=2.4,
        columnspacing=1.4,
    )


def _spot(label: str, marker: str, size: float, face: str, ring: float) -> Line2D:
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=marker,
        markersize=size,
        markerfacecolor=face,
        markeredgecolor=INK,
        markeredgewidth=ring,
        label=label,
    )


def _scales(view: NetworkView, node: float) -> _Scales:
    return _Scales(
        coupling=_symmetric(_largest(view.couplings)),
        bias=_symmetric(_largest(view.biases)),
        weight=_symmetric(_largest(view.input_weights)),
        largest_coupling=_largest(view.couplings),
        largest_field=_largest(view.fields),
        node=node,
    )


def _largest(values: NDArray[np.float64] | None) -> float:
    return 0.0 if values is None else float(np.abs(values).max(initial=0.0))


def _symmetric(largest: float) -> Normalize:
    """Return colour limits around zero; for weights that are all zero the limit is one."""
    limit = largest or 1.0
    return Normalize(-limit, limit)
