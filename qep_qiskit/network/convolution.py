"""Convolutional networks of spins: filters that move over an image, average pooling, and copies of the outputs.

Pixels are inputs, and act as fields on the spins of one map for every filter; a filter is one set of weights for all
places (tied weights). The mean of a map over windows is taken by a pooling spin, with frozen couplings of one over the
number of its spins. All pooling spins are coupled to all output spins (Laydevant et al. 2024).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from qep_qiskit.core.checks import whole_number
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.network.graphs import Edge, Graph
from qep_qiskit.network.ising import ISING_INITIALISATIONS, ClampedInputs, IsingNetwork
from qep_qiskit.network.pauli import Interaction
from qep_qiskit.network.weights import WeightInitialisation


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """Spins, links and ties of a convolutional network.

    Spins are numbered map by map, row by row; then follow the pooling spins in the same order, then the outputs.

    Args:
        image: Rows and columns of pixels; pixel ``row * columns + column`` is the input of that number.
        filters: Number of filters.
        filter_size: Side of a filter, in pixels.
        stride: Distance between places of a filter.
        pooling: Side of a pooling window, in spins; 1: no pooling spins.
        outputs: Number of output spins, all copies counted.

    Raises:
        NetworkError: A number is below 1, the filter is larger than the image, windows do not fill a map, or the
            filters do not reach all pixels.
    """

    image: tuple[int, int]
    outputs: int
    filters: int = 4
    filter_size: int = 2
    stride: int = 1
    pooling: int = 2

    def __post_init__(self) -> None:
        numbers = {name: getattr(self, name) for name in ("filters", "filter_size", "stride", "pooling", "outputs")}
        for name, value in [("image", side) for side in self.image] + list(numbers.items()):
            if whole_number(name, value, error=NetworkError) < 1:
                raise NetworkError(f"{name}: expected at least 1, got {value}")
        if self.filter_size > min(self.image):
            raise NetworkError(f"filter_size: expected at most the image, {min(self.image)}; got {self.filter_size}")
        if any(side % self.pooling for side in self.map_shape):
            rows, columns = self.map_shape
            raise NetworkError(f"pooling: expected a divisor of the map, {rows} x {columns} spins; got {self.pooling}")
        pixels, reached = self.image[0] * self.image[1], len({pixel for pixel, _ in self.links})
        if reached < pixels:
            raise NetworkError(
                f"stride: filters of {self.filter_size} x {self.filter_size} pixels at distances of {self.stride} "
                f"leave {pixels - reached} of {pixels} pixels without a weight; use a stride that ends at the edges of "
                "the image, such as 1"
            )

    @property
    def map_shape(self) -> tuple[int, int]:
        """Rows and columns of the map of one filter."""
        rows, columns = ((side - self.filter_size) // self.stride + 1 for side in self.image)
        return rows, columns

    @property
    def _map_size(self) -> int:
        return self.map_shape[0] * self.map_shape[1]

    @property
    def num_map_spins(self) -> int:
        """Number of spins of all maps."""
        return self.filters * self._map_size

    @property
    def num_pooling_spins(self) -> int:
        """Number of pooling spins."""
        return self.num_map_spins // self.pooling**2 if self.pooling > 1 else 0

    @cached_property
    def pooling_edges(self) -> tuple[Edge, ...]:
        """Couplings of maps to pooling spins, which are frozen at `pooling_coupling`."""
        if self.pooling == 1:
            return ()
        rows, columns = self.map_shape
        across = columns // self.pooling
        windows = (rows // self.pooling) * across
        return tuple(
            (
                number * self._map_size + row * columns + column,
                self.num_map_spins + number * windows + row // self.pooling * across + column // self.pooling,
            )
            for number in range(self.filters)
            for row in range(rows)
            for column in range(columns)
        )

    @property
    def pooling_coupling(self) -> float:
        """Frozen coupling of a map spin to its pooling spin."""
        return 1.0 / self.pooling**2

    @cached_property
    def graph(self) -> Graph:
        """Maps, pooling spins and outputs as layers, without the pixels."""
        ends = np.cumsum([self.num_map_spins, self.num_pooling_spins, self.outputs]).tolist()
        starts = [0, *ends[:-1]]
        layers = [tuple(range(first, end)) for first, end in zip(starts, ends, strict=True) if end > first]
        last = [(j, k) for j in layers[-2] for k in layers[-1]]
        positions = [
            (float(depth), (len(layer) - 1) / 2 - place)
            for depth, layer in enumerate(layers)
            for place in range(len(layer))
        ]
        return Graph(
            num_spins=ends[-1],
            edges=(*self.pooling_edges, *last),
            positions=np.array(positions),
            layers=tuple(layers),
        )

    @cached_property
    def links(self) -> tuple[tuple[int, int], ...]:
        """(Pixel, spin) of every input."""
        return tuple((pixel, spin) for _, pixel, spin in self._places())

    @cached_property
    def ties(self) -> dict[str, str]:
        """Names of the shared weights: ``K[f,i,j]`` of filter f, and ``h[map f]`` and ``b[map f]`` of its spins."""
        shared = {f"W[{pixel},{spin}]": f"K[{place}]" for place, pixel, spin in self._places()}
        for spin in range(self.num_map_spins):
            for symbol in "hb":
                shared[f"{symbol}[{spin}]"] = f"{symbol}[map {spin // self._map_size}]"
        return shared

    @property
    def pooling_biases(self) -> tuple[str, ...]:
        """Names of the biases of pooling spins, which are frozen at zero: their spins take a mean."""
        first = self.num_map_spins
        return tuple(f"b[{spin}]" for spin in range(first, first + self.num_pooling_spins))

    def interactions(self) -> tuple[Interaction, ...]:
        """Return the convolution as parts of a Pauli network, without fields and biases.

        Weights have the names of those of `network`, and its signs: fields and couplings are favoured. Couplings to
        pooling spins are fixed.
        """
        held, size = set(self.pooling_edges), self.graph.num_spins

        def part(*spins: int, weight: str | None, factor: float = 1.0, pixel: int | None = None) -> Interaction:
            string = PauliString.of("Z", *sorted(spins))
            return Interaction(operator=sparse_pauli_op([(string, -factor)], size), weight=weight, input=pixel)

        return (
            *(part(spin, weight=f"K[{place}]", pixel=pixel) for place, pixel, spin in self._places()),
            *(part(*edge, weight=None, factor=self.pooling_coupling) for edge in self.pooling_edges),
            *(part(j, k, weight=f"J[{j},{k}]") for j, k in self.graph.edges if (j, k) not in held),
        )

    def network(
        self,
        *,
        copies: int = 1,
        inputs: WeightInitialisation = ISING_INITIALISATIONS["inputs"],
        couplings: WeightInitialisation = ISING_INITIALISATIONS["couplings"],
        fields: WeightInitialisation | None = ISING_INITIALISATIONS["fields"],
        biases: WeightInitialisation | None = ISING_INITIALISATIONS["biases"],
    ) -> IsingNetwork:
        """Return the network, with pooling held at the mean.

        Args:
            copies: Number of successive output spins whose mean is one output.
            inputs: Initial values of the filters.
            couplings: Initial values of the couplings to outputs.
            fields: Initial values of transverse fields; None for a classical network.
            biases: Initial values of biases; None omits them.

        Raises:
            NetworkError: Values are given as a list, although some of them are held, or for one that is held.
        """
        pooled = {f"J[{j},{k}]": self.pooling_coupling for j, k in self.pooling_edges}
        unbiased = dict.fromkeys(self.pooling_biases, 0.0)
        absent = ("h" if fields is None else "", "b" if biases is None else "")
        return IsingNetwork(
            graph=self.graph,
            outputs=self.graph.layers[-1],
            inputs=ClampedInputs(count=self.image[0] * self.image[1], links=self.links, start=inputs),
            couplings=_holding(couplings, "couplings", pooled),
            fields=fields,
            biases=None if biases is None else _holding(biases, "biases", unbiased),
            ties={name: shared for name, shared in self.ties.items() if name[0] not in absent},
            copies=copies,
        )

    def _places(self) -> Iterator[tuple[str, int, int]]:
        """Return the place in a filter, the pixel and the spin of every input."""
        rows, columns = self.map_shape
        for number in range(self.filters):
            for row in range(rows):
                for column in range(columns):
                    spin = number * self._map_size + row * columns + column
                    for i in range(self.filter_size):
                        for j in range(self.filter_size):
                            pixel = (row * self.stride + i) * self.image[1] + column * self.stride + j
                            yield f"{number},{i},{j}", pixel, spin


def _holding(start: WeightInitialisation, block: str, held: Mapping[str, float]) -> WeightInitialisation:
    """Return a start at which some weights have fixed values."""
    values, frozen = start.values or {}, start.frozen
    if not isinstance(values, Mapping):
        raise NetworkError(f"{block}.values: a convolution holds some of them; give a table by weight name")
    twice = sorted(set(values) & set(held))
    if twice:
        raise NetworkError(f"{block}.values: {twice[0]} is held at {held[twice[0]]:g} by the pooling; leave it out")
    names: bool | tuple[str, ...] = frozen if isinstance(frozen, bool) else tuple(frozen)
    return replace(start, values={**values, **held}, frozen=names if names is True else (*(names or ()), *held))
