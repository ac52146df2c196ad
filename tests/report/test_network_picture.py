"""The picture of the network shows both times with the same scales, whatever the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from numpy.typing import ArrayLike, NDArray

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.report.network_matrix import is_dense
from qep_qiskit.report.network_picture import network_picture
from qep_qiskit.report.network_values import NetworkView
from qep_qiskit.report.style import save_figure

Edges = list[tuple[int, int]]


def make_view(
    positions: ArrayLike, edges: Edges, /, *, num_inputs: int = 0, num_outputs: int = 1, **changes: Any
) -> NetworkView:
    """A view with small weights before and large ones after training."""
    num_spins = len(np.asarray(positions))
    rng = np.random.default_rng([num_spins, len(edges), num_inputs])
    fields: dict[str, Any] = {
        "positions": np.array(positions, dtype=float),
        "edges": tuple(edges),
        "roles": ("hidden",) * (num_spins - num_outputs) + ("output",) * num_outputs,
        "couplings": np.stack([0.1 * rng.normal(size=len(edges)), rng.normal(size=len(edges))]),
        "fields": np.stack([np.full(num_spins, 0.5), rng.uniform(0.05, 1.5, num_spins)]),
        "biases": np.stack([0.05 * rng.normal(size=num_spins), rng.normal(size=num_spins)]),
    }
    if num_inputs:
        fields["input_weights"] = rng.normal(size=(2, num_inputs, num_spins)) * np.array([0.1, 1.0])[:, None, None]
    return NetworkView(**(fields | changes))


def chain(num_spins: int) -> tuple[list[list[float]], Edges]:
    return [[float(spin), 0.0] for spin in range(num_spins)], [(spin, spin + 1) for spin in range(num_spins - 1)]


def complete(num_spins: int) -> tuple[NDArray[np.float64], Edges]:
    angles = 2 * np.pi * np.arange(num_spins) / num_spins
    positions = np.column_stack([np.sin(angles), np.cos(angles)])
    return positions, [(first, second) for second in range(num_spins) for first in range(second)]


def lattice(side: int, *, periodic: bool) -> tuple[list[list[float]], Edges]:
    positions = [[float(column), -float(row)] for row in range(side) for column in range(side)]
    edges = [(side * row + column, side * row + column + 1) for row in range(side) for column in range(side - 1)]
    edges += [(spin, spin + side) for spin in range(side * (side - 1))]
    if periodic:
        edges += [(side * row, side * row + side - 1) for row in range(side)]
        edges += [(column, side * (side - 1) + column) for column in range(side)]
    return positions, edges


def heavy_hex() -> tuple[list[list[float]], Edges]:
    """Two heavy hexagons side by side: two rows of nine spins and three spins between them."""
    positions = [[float(column), -2.0 * row] for row in range(2) for column in range(9)]
    edges = [(9 * row + column, 9 * row + column + 1) for row in range(2) for column in range(8)]
    for column in (0, 4, 8):
        edges += [(column, len(positions)), (len(positions), 9 + column)]
        positions.append([float(column), -1.0])
    return positions, edges


CASES: dict[str, NetworkView] = {
    "one spin": make_view([[0.0, 0.0]], [], num_inputs=1),
    "two spins": make_view(*chain(2)),
    "two named inputs": make_view(*chain(2), num_inputs=2, input_names=("petal length", "a name far too long to show")),
    "chain": make_view(*chain(8)),
    "closed chain": make_view(chain(8)[0], [*chain(8)[1], (0, 7)], num_inputs=4),
    "complete": make_view(*complete(10), num_inputs=64, num_outputs=3),
    "lattice": make_view(*lattice(4, periodic=False), num_outputs=2),
    "periodic lattice": make_view(*lattice(4, periodic=True), num_inputs=12),
    "heavy hex": make_view(*heavy_hex(), num_outputs=3),
    "all zero": make_view(
        *chain(3),
        couplings=np.zeros((2, 2)),
        fields=np.zeros((2, 3)),
        biases=np.zeros((2, 3)),
    ),
    "spins in one place": make_view([[1.0, 1.0], [1.0, 1.0]], [(0, 1)]),
}


def panels(view: NetworkView) -> dict[str, Axes]:
    figure = network_picture(view, title="network")
    return {axis.get_title().split()[0]: axis for axis in figure.axes if axis.get_title()}


def with_gid(axis: Axes, gid: str) -> Any:
    return next(artist for artist in [*axis.collections, *axis.images] if artist.get_gid() == gid)


@pytest.mark.deep(but=["one spin", "two named inputs", "heavy hex", "all zero"])
@pytest.mark.parametrize("case", CASES)
def test_every_graph_is_drawn_and_saved(case: str, tmp_path: Path) -> None:
    path = save_figure(network_picture(CASES[case], title=f"A network: {case}"), tmp_path / "network.png")
    assert path.stat().st_size > 10_000


@pytest.mark.deep(but=["chain", "complete", "heavy hex"])
@pytest.mark.parametrize("case", CASES)
def test_all_spins_lie_within_their_panel_and_carry_their_number(case: str) -> None:
    view = CASES[case]
    for axis in panels(view).values():
        assert [text.get_text() for text in axis.texts] == [str(spin) for spin in range(len(view.roles))]
        low, high = np.array([axis.get_xlim(), axis.get_ylim()]).T
        assert (view.positions > low).all()
        assert (view.positions < high).all()


@pytest.mark.deep(but=["two spins", "lattice", "spins in one place"])
@pytest.mark.parametrize("case", CASES)
def test_both_directions_are_equally_long(case: str) -> None:
    for axis in panels(CASES[case]).values():
        box = axis.get_window_extent()
        assert box.width / np.ptp(axis.get_xlim()) == pytest.approx(box.height / np.ptp(axis.get_ylim()), rel=1e-6)


def test_before_and_after_share_their_colour_limits() -> None:
    view = CASES["complete"]
    drawn = panels(view)
    for gid, largest in (
        ("couplings", np.abs(view.couplings[1]).max()),
        ("hidden faces", np.abs(view.biases[1]).max()),
        ("output faces", np.abs(view.biases[1]).max()),
    ):
        limits = [with_gid(drawn[state], gid).get_clim() for state in ("before", "after")]
        assert limits[0] == limits[1] == pytest.approx((-largest, largest))


def test_heat_maps_show_the_input_weights_with_one_scale() -> None:
    view = CASES["complete"]
    assert view.input_weights is not None
    figure = network_picture(view, title="network")
    images = [axis.images[0] for axis in figure.axes if axis.images and axis.get_xlabel() == "clamped input"]
    for image, weights in zip(images, view.input_weights, strict=True):
        np.testing.assert_array_equal(image.get_array(), weights.T)
    largest = float(np.abs(view.input_weights[1]).max())
    assert images[0].get_clim() == images[1].get_clim() == pytest.approx((-largest, largest))
    assert len(images[0].axes.get_xticks()) <= 9  # 64 inputs are not all labelled


def test_edges_carry_value_width_and_dashes() -> None:
    view = make_view(*chain(4), couplings=np.array([[0.1, -0.1, 0.0], [2.0, -1.0, 0.5]]))
    edges: LineCollection = with_gid(panels(view)["after"], "couplings")
    values = np.asarray(edges.get_array())
    assert sorted(values) == [-1.0, 0.5, 2.0]
    widths = np.asarray(edges.get_linewidth())
    np.testing.assert_array_equal(np.argsort(widths), np.argsort(np.abs(values)))
    patterns: Any = edges.get_linestyle()
    dashed = np.array([pattern is not None for _, pattern in patterns])
    np.testing.assert_array_equal(dashed, values < 0)
    before: LineCollection = with_gid(panels(view)["before"], "couplings")
    assert np.max(before.get_linewidth()) < widths.max()  # the same scale of widths too


def test_rings_grow_with_the_transverse_field() -> None:
    view = make_view(*chain(4), num_outputs=0, fields=np.array([[1.0] * 4, [0.0, 0.5, 1.0, 2.0]]))
    drawn = panels(view)
    sizes = with_gid(drawn["after"], "hidden rings").get_sizes()
    assert (np.diff(sizes) > 0).all()
    np.testing.assert_allclose(with_gid(drawn["before"], "hidden rings").get_sizes(), sizes[2])


def test_faces_are_the_biases_and_shapes_are_the_roles() -> None:
    view = make_view(*chain(3), roles=("input", "hidden", "output"))
    axis = panels(view)["after"]
    shapes = []
    for spin, role in enumerate(view.roles):
        faces = with_gid(axis, f"{role} faces")
        np.testing.assert_array_equal(faces.get_array(), [view.biases[1][spin]])
        shapes.append(np.asarray(faces.get_paths()[0].vertices).tobytes())
    assert len(set(shapes)) == 3
    legend = axis.get_figure().legends[0]  # type: ignore[union-attr]
    shown = {text.get_text() for text in legend.get_texts()}
    assert {"input spin", "hidden spin", "output spin", "J > 0", "J < 0"} <= shown


def test_labels_stand_out_from_dark_faces() -> None:
    view = make_view(*chain(2), biases=np.array([[0.0, 0.0], [3.0, 0.0]]))
    colors = [to_rgba(text.get_color()) for text in panels(view)["after"].texts]
    assert colors[0] == to_rgba("white")
    assert colors[1] != to_rgba("white")


def test_edge_through_another_spin_is_bowed() -> None:
    view = CASES["closed chain"]
    paths = with_gid(panels(view)["after"], "couplings").get_paths()
    bowed = [path for path in paths if len(path.vertices) > 2]
    assert len(bowed) == 1
    points = np.asarray(bowed[0].vertices)
    np.testing.assert_allclose(points[[0, -1]], view.positions[[0, 7]])
    away = np.linalg.norm(points[:, None] - view.positions[None, 1:7], axis=-1)
    assert away.min() > 0.35


def test_colour_bars_are_labelled() -> None:
    figure = network_picture(CASES["complete"], title="network")
    assert {"coupling J", "bias b", "weight W"} <= {axis.get_ylabel() for axis in figure.axes}
    without = network_picture(CASES["chain"], title="network")
    assert "weight W" not in {axis.get_ylabel() for axis in without.axes}


def test_view_keeps_its_own_read_only_arrays() -> None:
    couplings = np.array([[0.0], [1.0]])
    view = make_view(*chain(2), couplings=couplings)
    couplings[1] = 5.0
    assert view.couplings[1][0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        view.couplings[1][0] = 2.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"couplings": np.zeros(3)}, r"couplings: expected shape \(2, 1\), got \(3,\)"),
        ({"fields": np.array([[1.0, np.nan], [1.0, 1.0]])}, "fields: expected finite"),
        ({"positions": np.zeros((2, 3))}, "positions: expected shape"),
        ({"roles": ("hidden", "teacher")}, "got 'teacher'"),
        ({"roles": ()}, "at least one spin"),
        ({"edges": ((0, 2),)}, r"edges: expected two different spins of 0\.\.1, got \(0, 2\)"),
        ({"edges": ((1, 1),)}, "two different spins"),
        ({"input_weights": np.zeros((1, 2))}, r"input_weights: expected shape \(2, 1, 2\)"),
        ({"input_weights": np.zeros((2, 2, 2)), "input_names": ("x",)}, r"input_weights: expected shape \(2, 1, 2\)"),
    ],
)
def test_view_that_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        make_view(*chain(2), **changes)


def test_a_complete_graph_of_many_spins_is_a_matrix() -> None:
    view = make_view(*complete(200), num_inputs=3)
    figure = network_picture(view, title="network")
    matrices = [axis.images[0] for axis in figure.axes if axis.images and axis.images[0].get_gid() == "coupling J"]
    for couplings, image in zip(view.couplings, matrices, strict=True):
        shown = np.ma.filled(image.get_array(), np.nan)
        for (first, second), value in list(zip(view.edges, couplings, strict=True))[::997]:
            assert shown[first, second] == shown[second, first] == value
        assert np.isnan(shown.diagonal()).all()
    assert not [axis for axis in figure.axes if axis.collections and not axis.images and axis.get_title()]
    assert matrices[0].norm.vmax == matrices[1].norm.vmax == np.abs(view.couplings).max()


def test_a_lattice_of_many_spins_is_a_graph() -> None:
    assert not is_dense(make_view(*lattice(20, periodic=False)))
    assert is_dense(make_view(*complete(24)))
    assert not is_dense(make_view(*complete(16)))
