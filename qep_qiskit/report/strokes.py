"""Line widths, dashes and lengths in the picture of a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_DASH, _GAP = 4.2, 2.6  # in points
_THICKEST_EDGE = 6.0
_THICKEST_RING = 5.5
_THINNEST_EDGE = 1.2
_THINNEST_RING = 0.8
_LONGEST_NAME = 18


def edge_widths(couplings: NDArray[np.float64], largest: float) -> list[float]:
    """Return line widths of edges in points, which increase with the absolute coupling.

    Args:
        couplings: Shape (edges,).
        largest: Largest absolute coupling of the picture.
    """
    relative = np.abs(couplings) / (largest or 1.0)
    return [float(width) for width in _THINNEST_EDGE + (_THICKEST_EDGE - _THINNEST_EDGE) * relative]


def dashes(width: float) -> tuple[float, tuple[float, float]]:
    """Return dashes of equal length for all widths, so that short thick edges show them.

    Matplotlib scales them by width.
    """
    return 0.0, (_DASH / width, _GAP / width)


def ring_widths(fields: NDArray[np.float64], largest: float, node: float) -> NDArray[np.float64]:
    """Return widths of the rings around nodes in points, which increase with the field.

    Args:
        fields: Shape (spins,).
        largest: Largest field of the picture.
        node: Size of a node in points.
    """
    thickest = min(_THICKEST_RING, 0.22 * node)
    return _THINNEST_RING + (thickest - _THINNEST_RING) * np.abs(fields) / (largest or 1.0)


def nearest_distance(positions: NDArray[np.float64]) -> float:
    """Return the smallest distance of two spins; 1 for a single spin or for coinciding spins."""
    between = np.linalg.norm(positions[:, None] - positions[None, :], axis=-1)
    apart = between[between > 1e-9]
    return float(apart.min()) if apart.size else 1.0


def edge_line(positions: NDArray[np.float64], edge: Sequence[int]) -> NDArray[np.float64]:
    """Return the points of an edge: straight, or curved outward where it would cross another spin.

    Args:
        positions: Shape (spins, 2).
        edge: The two spins of the edge.
    """
    start, end = positions[edge[0]], positions[edge[1]]
    along = end - start
    length = float(np.linalg.norm(along))
    straight = np.array([start, end])
    if length < 1e-9:
        return straight
    normal = np.array([-along[1], along[0]]) / length
    others = np.delete(positions, list(edge), axis=0) - start
    share, distance = others @ along / length**2, np.abs(others @ normal)
    if not ((share > 0.02) & (share < 0.98) & (distance < 0.2 * nearest_distance(positions))).any():
        return straight
    outward = float((0.5 * (start + end) - positions.mean(axis=0)) @ normal)
    side = -1.0 if outward < -1e-9 or (abs(outward) <= 1e-9 and normal[1] < 0) else 1.0
    spacing = nearest_distance(positions)
    rise = side * normal * (0.7 * spacing + 0.12 * max(0.0, length - 3 * spacing))
    first, second = start + 0.12 * along + rise, end - 0.12 * along + rise
    t = np.linspace(0.0, 1.0, 41)[:, None]
    curve = (1 - t) ** 3 * start + 3 * t * (1 - t) ** 2 * first + 3 * t**2 * (1 - t) * second + t**3 * end
    return np.asarray(curve)


def shortened(name: str) -> str:
    """Return a name, truncated if it is long."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"


def every_nth(count: int) -> int:
    """Return the spacing of at most nine ticks."""
    return next(step for step in (1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 50, 100, 200, 500, count) if count <= 9 * step)
