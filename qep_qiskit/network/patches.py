"""Patches of the lattices of devices; a network on one needs no SWAP gates there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from qep_qiskit.network.graphs import Graph, from_edges

Site = tuple[int, int]


def heavy_hex_patch(num_spins: int) -> Graph:
    """Return a patch of the heavy-hexagon lattice: a hexagon of 12 spins, extended outwards.

    Up to 11 spins it is an open part of the hexagon. Spins are numbered in the order in which they are added.

    Raises:
        NetworkError: No spin.
    """

    def is_site(site: Site) -> bool:
        x, y = site
        return y % 2 == 0 or (x % 4, y % 4) in ((0, 1), (2, 3))

    hexagon = [(x, y) for x in range(5) for y in range(3) if is_site((x, y))]
    return _patch(num_spins, hexagon, is_site)


def square_patch(num_spins: int) -> Graph:
    """Return a patch of the square lattice: a square of 4 spins, extended outwards.

    Spins are numbered in the order in which they are added.

    Raises:
        NetworkError: No spin.
    """
    return _patch(num_spins, [(0, 0), (1, 0), (0, 1), (1, 1)], lambda _: True)


def _patch(num_spins: int, plaquette: list[Site], is_site: Callable[[Site], bool]) -> Graph:
    """Add sites breadth-first from a plaquette, by angle around its centre, so that every part is connected."""
    if num_spins < 1:
        return from_edges(num_spins, ())
    centre = np.mean(plaquette, axis=0)

    def in_turn(sites: Iterable[Site]) -> list[Site]:
        return sorted(sites, key=lambda site: float(np.arctan2(site[1] - centre[1], site[0] - centre[0])))

    def around(site: Site) -> list[Site]:
        x, y = site
        near = [(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)]
        return [other for other in near if is_site(other)]

    order = dict.fromkeys(in_turn(plaquette))
    newest = list(order)
    while len(order) < num_spins:
        newest = in_turn({other for site in newest for other in around(site)} - order.keys())
        order |= dict.fromkeys(newest)
    number = {site: spin for spin, site in enumerate(list(order)[:num_spins])}
    edges = sorted(
        {tuple(sorted((number[site], number[other]))) for site in number for other in around(site) if other in number}
    )
    return Graph(
        num_spins=num_spins,
        edges=tuple((j, k) for j, k in edges),
        positions=np.array([(x, -y) for x, y in number], dtype=float),
    )
