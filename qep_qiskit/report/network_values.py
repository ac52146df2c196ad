"""What the pictures of a network show: couplings, fields, biases and input weights, before and after training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qep_qiskit.core.errors import NetworkError

MARKERS: Final = {"input": "s", "hidden": "o", "output": "D"}
"""Marker of every role of a spin."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkView:
    """Graph and weights, before and after training, for the picture of a transverse-field Ising network.

    Attributes:
        positions: Positions of the spins in the plane, shape `(num_spins, 2)`.
        edges: Pairs of spins that are coupled.
        roles: "input", "hidden" or "output" for each spin.
        couplings: J of each edge before and after training, shape `(2, num_edges)`.
        fields: Transverse field h of each spin before and after training, shape `(2, num_spins)`.
        biases: Longitudinal field b of each spin before and after training, shape `(2, num_spins)`.
        input_weights: Weights W of clamped inputs, shape `(2, num_inputs, num_spins)`, or None.
        input_names: Names of the clamped inputs; their numbers if empty.
        site: Name of a node.
        coupling_title: Name of the edges; its last word is their symbol.
        field_letter: Symbol of the rings.
        bias_title: Name of the faces.

    Raises:
        NetworkError: Shapes do not fit, a value is not finite, a role is unknown, or an edge names a spin
            that is not there.
    """

    positions: NDArray[np.float64]
    edges: tuple[tuple[int, int], ...]
    roles: tuple[str, ...]
    couplings: NDArray[np.float64]
    fields: NDArray[np.float64]
    biases: NDArray[np.float64]
    input_weights: NDArray[np.float64] | None = None
    input_names: tuple[str, ...] = ()
    site: str = "spin"
    coupling_title: str = "coupling J"
    field_letter: str = "h"
    bias_title: str = "bias b"

    def __post_init__(self) -> None:
        num_spins, num_edges = len(self.roles), len(self.edges)
        if num_spins == 0:
            raise NetworkError("roles: expected at least one spin, got none")
        for role in self.roles:
            if role not in MARKERS:
                raise NetworkError(f"roles: expected one of {', '.join(MARKERS)}, got {role!r}")
        for edge in self.edges:
            if len(edge) != 2 or edge[0] == edge[1] or not all(0 <= spin < num_spins for spin in edge):
                raise NetworkError(f"edges: expected two different spins of 0..{num_spins - 1}, got {edge}")
        self._keep("positions", self.positions, (num_spins, 2))
        self._keep("couplings", self.couplings, (2, num_edges))
        self._keep("fields", self.fields, (2, num_spins))
        self._keep("biases", self.biases, (2, num_spins))
        if self.input_weights is not None:
            num_inputs = len(self.input_names) or np.atleast_2d(self.input_weights).shape[-2]
            self._keep("input_weights", self.input_weights, (2, num_inputs, num_spins))

    def _keep(self, name: str, values: ArrayLike, shape: tuple[int, ...]) -> None:
        array = np.array(values, dtype=float)
        if array.shape != shape:
            raise NetworkError(f"{name}: expected shape {shape}, got {array.shape}")
        if not np.isfinite(array).all():
            raise NetworkError(f"{name}: expected finite numbers, got NaN or infinity")
        array.setflags(write=False)
        object.__setattr__(self, name, array)

    @property
    def num_inputs(self) -> int:
        """Number of clamped inputs, 0 without input weights."""
        return 0 if self.input_weights is None else self.input_weights.shape[1]
