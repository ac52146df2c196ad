"""Atoms connected by springs: quantum harmonic oscillators, and the classical elastic network.

    H(w, x) = sum_i [p_i^2 / (2 m_i) + a_i |r_i - R_i|^2 / 2 - f_i.r_i] + sum_(i<j) k_ij (|r_i - r_j| - l_ij)^2 / 2

(Scellier 2024, arXiv:2406.00879, sec. 2 and 4.2.) R_i is the *rest position* of atom i. A clamped atom does not move:
it stays at its rest position, displaced by the inputs. Without rest lengths l the energy is quadratic and has a
Gaussian quantum ground state; with them it is a classical network. Constants shift energies and are not terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.coordinate_terms import CoordinateLayout, CoordinateTerm
from qep_qiskit.continuous.coordinates import CoordinateGroup, add_coordinate_terms
from qep_qiskit.core.checks import whole_number
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.limits import Positive, check_value
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.network.checks import check_sites
from qep_qiskit.network.graphs import Graph
from qep_qiskit.network.interface import TermJacobian, network_html
from qep_qiskit.network.linear_observables import LinearObservable
from qep_qiskit.network.weights import WeightBlock, WeightInitialisation, WeightLayout

_AXES = "xyz"
_SOFTEST = 1e-3

SPRING_INITIALISATIONS: dict[str, WeightInitialisation] = {
    "springs": WeightInitialisation(mean=1.0, minimum=_SOFTEST),
    "anchors": WeightInitialisation(mean=0.5, minimum=_SOFTEST),
    "rest_lengths": WeightInitialisation(minimum=0.0),
    "forces": WeightInitialisation(frozen=True),
    "masses": WeightInitialisation(mean=1.0, minimum=_SOFTEST, frozen=True),
}
"""Default initial values of every block; springs, anchors and masses are bounded to positive values."""


@short_repr
@dataclass(frozen=True, kw_only=True, eq=False)
class SpringNetwork:
    """A network of atoms and springs on any graph (Scellier 2024, arXiv:2406.00879, sec. 2 and 4.2).

    Args:
        graph: Atoms and springs; a spring between two clamped atoms has no effect and is omitted.
        outputs: Atoms whose displacement from their rest position is the output, axis after axis.
        rest_positions: Shape (atoms, dims), the rest position of every atom; the origin of a line by default.
        clamped: Atoms that do not move.
        inputs: (atom, axis) of every input, which displaces a clamped atom along an axis.
        springs: Initial values of k, one weight ``k[i,j]`` per spring; positive.
        anchored: Atoms with a spring to their rest position.
        anchors: Initial values of a, one weight ``a[i]`` per anchored atom; positive.
        output_axes: Axes of the output displacements; None for all.
        rest_lengths: Initial values of l, one weight ``l[i,j]`` per spring, or None for springs without.
        forces: Initial values of f, weights ``f[i]``, or ``f[i,x]`` where there are several axes, of every atom that
            moves; or None for no forces.
        masses: Initial values of m, one weight ``m[i]`` per atom that moves, or fixed numbers where they are frozen;
            positive.
        hbar: Reduced Planck constant; positive.

    Raises:
        NetworkError: An atom is out of range, occurs twice, or can drift freely; an input does not act on a clamped
            atom; a spring, an anchor, a mass or hbar may become zero or negative.

    Example:
        >>> network = qep.SpringNetwork(graph=qep.chain(2), outputs=(1,), clamped=(0,), inputs=((0, 0),))
        >>> network.layout.names, [str(term) for group in network.groups for term in group.terms]
        (('k[0,1]',), ['|r0 - r1|^2', 'r0x', 'p1^2'])
    """

    graph: Graph
    outputs: tuple[int, ...]
    rest_positions: NDArray[np.float64] | None = None
    clamped: tuple[int, ...] = ()
    inputs: tuple[tuple[int, int], ...] = ()
    springs: WeightInitialisation = SPRING_INITIALISATIONS["springs"]
    anchored: tuple[int, ...] = ()
    anchors: WeightInitialisation = SPRING_INITIALISATIONS["anchors"]
    output_axes: tuple[int, ...] | None = None
    rest_lengths: WeightInitialisation | None = None
    forces: WeightInitialisation | None = None
    masses: WeightInitialisation = SPRING_INITIALISATIONS["masses"]
    hbar: Positive = 1.0

    _repr_html_ = network_html

    def __post_init__(self) -> None:
        given = np.zeros((self.num_atoms, 1)) if self.rest_positions is None else self.rest_positions
        rest_positions = np.asarray(given, dtype=float)
        if rest_positions.ndim != 2 or len(rest_positions) != self.num_atoms or not np.isfinite(rest_positions).all():
            raise NetworkError(f"rest_positions: expected a point for each of {self.num_atoms} atoms")
        object.__setattr__(self, "rest_positions", rest_positions)
        for key, atoms in (("outputs", self.outputs), ("clamped", self.clamped), ("anchored", self.anchored)):
            check_sites(key, atoms, self.num_atoms, "an atom")
        _ = self.coordinate_layout  # checks that an atom moves, and the dimensions
        self._check_clamped()
        self._check_positive()
        self._check_drift()
        _ = self.layout  # checks the starts

    def _check_clamped(self) -> None:
        for key, atoms in (("outputs", self.outputs), ("anchored", self.anchored)):
            both = sorted(set(atoms) & set(self.clamped))
            if both:
                raise NetworkError(f"{key}: atom {both[0]} is clamped and does not move; leave it out")
        for number in (number for pair in self.inputs for number in pair):
            whole_number("inputs", number, error=NetworkError)
        loose = [atom for atom, _ in self.inputs if atom not in self.clamped]
        if loose:
            raise NetworkError(f"inputs: atom {loose[0]} is not clamped; name it in clamped")
        if any(not 0 <= axis < self.dims for _, axis in self.inputs):
            raise NetworkError(f"inputs: expected axes 0 to {self.dims - 1}, got {list(self.inputs)}")
        if len(set(self.inputs)) != len(self.inputs):
            raise NetworkError("inputs: two inputs displace one atom along the same axis; keep one")

    def _check_positive(self) -> None:
        for key in ("springs", "anchors", "masses"):
            minimum = getattr(self, key).minimum
            if minimum is None or not minimum > 0.0:
                raise NetworkError(f"{key}.minimum: {key} must stay positive, got {minimum}; give it > 0")
        axes = self._read_axes
        for axis in axes:
            whole_number("output_axes", axis, error=NetworkError)
        if not axes or len(set(axes)) != len(axes) or any(not 0 <= axis < self.dims for axis in axes):
            raise NetworkError(f"output_axes: expected some of the axes 0 to {self.dims - 1}, got {list(axes)}")
        check_value("hbar", self.hbar, Positive, error=NetworkError)

    def _check_drift(self) -> None:
        """Check that springs connect every atom to an anchor or a clamped atom."""
        tied = self.graph.reachable({*self.anchored, *self.clamped})
        free = sorted(set(range(self.num_atoms)) - tied)
        if free:
            raise NetworkError(
                f"anchored: atom {free[0]} is free to drift, no path of springs ties it to an anchor or a clamped "
                "atom; anchor it, clamp an atom that it hangs on, or add a spring"
            )

    @property
    def num_atoms(self) -> int:
        """Number of atoms, clamped ones included."""
        return self.graph.num_spins

    @property
    def dims(self) -> int:
        """Dimensions of space."""
        assert self.rest_positions is not None
        return self.rest_positions.shape[1]

    @property
    def num_qubits(self) -> int:
        """Zero: positions are simulated without qubits."""
        return 0

    @property
    def num_inputs(self) -> int:
        """Length of the input vector x."""
        return len(self.inputs)

    @cached_property
    def coordinate_layout(self) -> CoordinateLayout:
        """The atoms, and which are clamped."""
        return CoordinateLayout(num_atoms=self.num_atoms, dims=self.dims, clamped=tuple(sorted(self.clamped)))

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Springs with at least one atom that moves."""
        clamped = set(self.clamped)
        return tuple(edge for edge in self.graph.edges if not clamped.issuperset(edge))

    @cached_property
    def _blocks(self) -> dict[str, WeightBlock]:
        """Weights in the order k, a, l, f, m."""
        springs, moving = [f"{i},{j}" for i, j in self.edges], self.coordinate_layout.moving.tolist()
        axes = [f",{_AXES[axis]}" for axis in range(self.dims)] if self.dims > 1 else [""]
        parts = [
            ("k", "springs", springs, self.springs),
            ("a", "anchors", [str(i) for i in self.anchored], self.anchors),
            ("l", "rest_lengths", springs, self.rest_lengths),
            ("f", "forces", [f"{i}{axis}" for i in moving for axis in axes], self.forces),
            ("m", "masses", [str(i) for i in moving], self.masses),
        ]
        return {
            symbol: WeightBlock(symbol=symbol, key=key, names=tuple(f"{symbol}[{name}]" for name in names), start=start)
            for symbol, key, names, start in parts
            if start is not None
        }

    @cached_property
    def layout(self) -> WeightLayout:
        """Weights in the order k, a, l, f, m.

        Masses that are not trained are not weights, and momenta then need no shots.
        """
        omitted = "m" if self.masses.frozen is True else ""
        return WeightLayout(tuple(block for symbol, block in self._blocks.items() if symbol != omitted))

    @cached_property
    def _fixed_masses(self) -> NDArray[np.float64]:
        return self._blocks["m"].initial(Seeds(0))

    def _parts(self, weights: NDArray) -> dict[str, NDArray[np.float64]]:
        """Return weights by kind, always including masses."""
        parts = {symbol: weights[self.layout.slice_of(symbol)] for symbol in "kalfm"}
        return parts if self.masses.frozen is not True else parts | {"m": self._fixed_masses}

    @cached_property
    def groups(self) -> tuple[CoordinateGroup, ...]:
        """Group of positions (springs, anchors, distances, forces, clamped coordinates) and group of momenta."""
        assert self.rest_positions is not None
        terms = [CoordinateTerm.square(i, j) for i, j in self.edges]
        terms += [CoordinateTerm.square(i, self.rest_positions[i]) for i in self.anchored]
        if self.rest_lengths is not None:
            terms += [CoordinateTerm.distance(i, j) for i, j in self.edges]
        driven = self.coordinate_layout.moving.tolist() if self.forces is not None else []
        terms += [
            CoordinateTerm.component(i, a) for i in (*driven, *self.coordinate_layout.clamped) for a in range(self.dims)
        ]
        momenta = tuple(CoordinateTerm.momentum(i) for i in self.coordinate_layout.moving.tolist())
        return (
            CoordinateGroup(name="r", coordinate_layout=self.coordinate_layout, terms=tuple(terms)),
            CoordinateGroup(name="p", coordinate_layout=self.coordinate_layout, terms=momenta),
        )

    def groups_with(self, terms: Iterable[CoordinateTerm]) -> tuple[CoordinateGroup, ...]:
        """Return the groups, extended by the terms that a cost needs."""
        return add_coordinate_terms(self.groups, terms)

    @property
    def output_coordinates(self) -> tuple[tuple[int, int, float], ...]:
        """Atom, axis and rest position of every output."""
        assert self.rest_positions is not None
        return tuple((i, axis, float(self.rest_positions[i, axis])) for i in self.outputs for axis in self._read_axes)

    @property
    def output_observables(self) -> tuple[LinearObservable, ...]:
        """Displacements of the output atoms from their rest positions, axis after axis."""
        return tuple(
            LinearObservable(terms=((CoordinateTerm.component(i, axis), 1.0),), constant=-rest_position)
            for i, axis, rest_position in self.output_coordinates
        )

    @property
    def output_squares(self) -> tuple[LinearObservable, ...]:
        """Squares of the output displacements."""
        return tuple(
            LinearObservable(
                terms=(
                    (CoordinateTerm.product((i, axis), (i, axis)), 1.0),
                    (CoordinateTerm.component(i, axis), -2.0 * rest_position),
                ),
                constant=rest_position**2,
            )
            for i, axis, rest_position in self.output_coordinates
        )

    @property
    def _read_axes(self) -> tuple[int, ...]:
        return tuple(range(self.dims)) if self.output_axes is None else self.output_axes

    def _starts(self) -> dict[str, int]:
        """Return the index of the first term of every kind."""
        springs, anchors = len(self.edges), len(self.anchored)
        lengths = springs if self.rest_lengths is not None else 0
        driven = len(self.coordinate_layout.moving_coordinates) if self.forces is not None else 0
        sizes = [springs, anchors, lengths, driven, len(self.coordinate_layout.clamped_coordinates)]
        return dict(zip("kalfxm", np.cumsum([0, *sizes]).tolist(), strict=True))

    def coefficients(self, weights: NDArray, inputs: NDArray) -> NDArray:
        """Return the coefficients of all terms, shape (samples, terms), in energy.

        The coefficient of a clamped coordinate is its position.
        """
        start, part = self._starts(), self._parts(weights)
        row = np.zeros(start["m"] + len(part["m"]))
        row[: start["l"]] = np.concatenate([part["k"], part["a"]]) / 2.0
        if self.rest_lengths is not None:
            row[start["l"] : start["f"]] = -part["k"] * part["l"]
        row[start["f"] : start["x"]] = -part["f"]
        row[start["m"] :] = 0.5 / part["m"]
        rows = np.tile(row, (len(inputs), 1))
        rows[:, start["x"] : start["m"]] = self._clamped_at(inputs)
        return rows

    def _clamped_at(self, inputs: NDArray) -> NDArray[np.float64]:
        """Return the positions of the clamped coordinates, shape (samples, clamped)."""
        assert self.rest_positions is not None
        whole = np.tile(self.rest_positions.ravel(), (len(inputs), 1))
        for number, (atom, axis) in enumerate(self.inputs):
            whole[:, atom * self.dims + axis] += inputs[:, number]
        return whole[:, self.coordinate_layout.clamped_coordinates]

    def jacobian(self, weights: NDArray, inputs: NDArray) -> TermJacobian:
        """Return d(coefficient)/d(weight), the same for all inputs; rest lengths and masses enter nonlinearly."""
        layout, start = self.layout, self._starts()
        part = self._parts(weights)
        entries = [("k", "k", np.full(len(part["k"]), 0.5)), ("a", "a", np.full(len(part["a"]), 0.5))]
        if self.rest_lengths is not None:
            entries += [("k", "l", -part["l"]), ("l", "l", -part["k"])]
        entries.append(("f", "f", -np.ones(len(part["f"]))))
        if self.masses.frozen is not True:
            entries.append(("m", "m", -0.5 / np.square(part["m"])))
        weight = [layout.slice_of(symbol).start + np.arange(len(values)) for symbol, _, values in entries]
        term = [start[kind] + np.arange(len(values)) for _, kind, values in entries]
        values = np.concatenate([values for _, _, values in entries])
        return TermJacobian(
            weight=np.concatenate(weight),
            term=np.concatenate(term),
            values=np.broadcast_to(values, (len(inputs), len(values))),
            num_weights=layout.num_weights,
        )

    def weights_from(self, named: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return a weight vector from a mapping by name, as `WeightLayout.vector_of`.

        Omitted weights have their constant initial value, omitted forces are zero.
        """
        start = np.concatenate([np.full(len(block.names), block.start.mean) for block in self.layout.blocks])
        given = self.layout.vector_of(named)
        for name in named:
            place = self.layout.names.index(name)
            start[place] = given[place]
        return start

    def unreached_outputs(self) -> tuple[int, ...]:
        """Return the outputs that no path of springs connects to an input; empty where there are no inputs."""
        if self.num_inputs == 0:
            return ()
        clamped, driven = set(self.clamped), {atom for atom, _ in self.inputs}
        moving = tuple(edge for edge in self.edges if clamped.isdisjoint(edge))
        graph = Graph(num_spins=self.num_atoms, edges=moving, positions=self.graph.positions)
        pulled = {atom for edge in self.edges if driven.intersection(edge) for atom in edge}
        reached = graph.reachable(pulled - clamped)
        return tuple(atom for atom in self.outputs if atom not in reached)
