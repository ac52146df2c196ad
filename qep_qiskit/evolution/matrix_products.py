"""Final states of layer programs as matrix products, for registers too wide for vectors.

A layer is diagonal in the basis of its group. Terms of one qubit are phases of its site. Terms of two are written as
one gate for all that share their first site, and longer ones as a parity that runs along the sites. Sites are ordered
by reverse Cuthill-McKee, so that coupled qubits are near each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import InitVar, dataclass, field
from functools import lru_cache, partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.clifford import CliffordBasis, Gate
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.jobs import in_processes, one_blas_thread
from qep_qiskit.core.memory import require_bytes
from qep_qiskit.core.nearby_order import nearby_order
from qep_qiskit.core.operators import Basis, CommutingGroup, LocalBasis
from qep_qiskit.core.program import CxLayer, Layer, LayerProgram
from qep_qiskit.evolution.evolving_state import BondLimits, DiagonalGate, EvolvingState
from qep_qiskit.outcomes.matrix_product import MatrixProductState

_SIGNS = np.array([1.0, -1.0])
_CZ = np.array([[1.0, 1.0], [1.0, -1.0]])
_HADAMARD = _CZ / np.sqrt(2.0)
_ONE_QUBIT = {
    "h": _HADAMARD,
    "x": np.array([[0.0, 1.0], [1.0, 0.0]]),
    "s": np.array([1.0, 1.0j]),
    "sdg": np.array([1.0, -1.0j]),
}
_BYTES = 16
_WORKING_COPIES = 12


def evolve_as_matrix_products(
    program: LayerProgram, parameters: NDArray, limits: BondLimits
) -> list[MatrixProductState]:
    """Compute the final states of a program.

    Args:
        program: The layers.
        parameters: Shape (states, parameters).
        limits: Limits of the bonds.

    Returns:
        The states, each with the weight that was discarded on its way.

    Raises:
        ConfigError: A basis couples qubits by gates that are not Clifford gates.
        ResourceError: The states do not fit in memory.
    """
    require_matrix_products(program.num_qubits, limits, len(parameters))
    with one_blas_thread():
        return in_processes(partial(_evolved, program, limits), list(parameters))


def _evolved(program: LayerProgram, limits: BondLimits, row: NDArray) -> MatrixProductState:
    order = site_order(program)
    gates = _Gates(EvolvingState.product(program.initial[list(order)], limits), order)
    for layer in program.layers:
        gates.apply_layer(program, layer, row)
    return gates.finished()


def in_basis(state: MatrixProductState, basis: Basis, limits: BondLimits) -> MatrixProductState:
    """Return a state after a change of basis that may couple qubits.

    Args:
        state: The state.
        basis: The basis; a measurement of Z of the returned state is one of the given state in this basis.
        limits: Limits of the bonds.

    Raises:
        ConfigError: The basis couples qubits by gates that are not Clifford gates.
    """
    tensors = [tensor.astype(complex) for tensor in state.tensors]
    evolving = EvolvingState(tensors=tensors, limits=limits, kept=1.0 - state.discarded)
    gates = _Gates(evolving, state.order)
    gates.change_basis(basis)
    return gates.finished()


def require_matrix_products(num_qubits: int, limits: BondLimits, states: int = 1) -> None:
    """Check that matrix product states fit in memory.

    Raises:
        ResourceError: They do not.
    """
    bonds = [min(1 << min(cut, num_qubits - cut), limits.max_bond_dimension) for cut in range(num_qubits + 1)]
    entries = [2 * left * right for left, right in pairwise(bonds)]
    wanted = _BYTES * (states * sum(entries) + _WORKING_COPIES * max(entries))
    require_bytes(
        wanted,
        f"execution.max_bond_dimension: {states} matrix product states of {num_qubits} qubits and bond "
        f"dimension {max(bonds)}",
    )


@lru_cache(maxsize=32)
def site_order(program: LayerProgram) -> tuple[int, ...]:
    """Return the qubit of every site: coupled qubits are near each other.

    Of an order and its reverse the one is taken in which running bits make fewer steps.
    """
    pairs = np.array(sorted(set(_coupled_pairs(program))), dtype=np.int64).reshape(-1, 2)
    order = nearby_order(pairs, program.num_qubits)
    return tuple(min((order, order[::-1]), key=lambda found: _steps(np.argsort(found)[pairs])).tolist())


def _steps(pairs: NDArray[np.int64]) -> int:
    """Return how far the bits of all sites run together, from each to its last partner behind it."""
    ends: dict[int, int] = {}
    for first, last in np.sort(pairs, axis=1).tolist():
        ends[first] = max(last, ends.get(first, 0))
    return sum(last - first for first, last in ends.items())


def _coupled_pairs(program: LayerProgram) -> Iterator[tuple[int, int]]:
    for layer in program.layers:
        if isinstance(layer, CxLayer):
            yield from layer.pairs
            continue
        group = program.groups[layer.group]
        yield from (pair for sites in group.sites for pair in pairwise(sites))
        if isinstance(group.basis, CliffordBasis):
            yield from (qubits for _, qubits in group.basis.gates if len(qubits) == 2)


@dataclass(slots=True)
class _Gates:
    """Gates on the qubits of a state.

    Args:
        state: The state.
        order: The qubit of every site.
    """

    state: EvolvingState
    order: InitVar[Sequence[int]]
    site: list[int] = field(init=False)
    """The site of every qubit."""

    def __post_init__(self, order: Sequence[int]) -> None:
        self.site = np.argsort(order).tolist()

    def finished(self) -> MatrixProductState:
        """Return the state."""
        return self.state.finished(np.argsort(self.site).tolist())

    def apply_layer(self, program: LayerProgram, layer: Layer | CxLayer, parameters: NDArray) -> None:
        """Apply a layer of a program with its parameters, shape (parameters,)."""
        if isinstance(layer, CxLayer):
            self._apply_clifford(("cx", pair) for pair in layer.pairs)
            return
        group = program.groups[layer.group]
        self.change_basis(group.basis)
        self._apply_diagonal(group, group.in_frame(layer.angles(parameters)))
        self.change_basis(group.basis, inverse=True)

    def change_basis(self, basis: Basis, *, inverse: bool = False) -> None:
        """Apply the change V of a basis, or its inverse."""
        if isinstance(basis, LocalBasis):
            for qubit, matrix in enumerate(basis.matrices(inverse=inverse)):
                if matrix is not None:
                    self.state.rotate(self.site[qubit], matrix)
        elif isinstance(basis, CliffordBasis):
            self._apply_clifford(basis.inverse_gates if inverse else basis.gates)
        else:
            raise ConfigError(
                "execution.backend: 'mps' takes bases of letters X, Y and Z and of Clifford gates, got a Fourier "
                "transform of a position grid; use backend = 'statevector'"
            )

    def _apply_clifford(self, gates: Iterable[Gate]) -> None:
        for name, qubits in gates:
            if name == "swap":
                one, other = qubits
                self.site[one], self.site[other] = self.site[other], self.site[one]
            elif len(qubits) == 1:
                self.state.rotate(self.site[qubits[0]], _ONE_QUBIT[name])
            else:
                turned = [self.site[qubits[1]]] if name == "cx" else []
                first, last = sorted(self.site[qubit] for qubit in qubits)
                for site in turned:
                    self.state.rotate(site, _HADAMARD)
                self.state.apply(DiagonalGate(first=first, last=last, phases={last: _CZ}))
                for site in turned:
                    self.state.rotate(site, _HADAMARD)

    def _apply_diagonal(self, group: CommutingGroup, angles: NDArray) -> None:
        """Apply exp(-i angle Z...Z) of every term, in the basis of the group."""
        pairs: dict[int, dict[int, NDArray]] = {}
        gates: list[DiagonalGate] = []
        for qubits, angle in zip(group.sites, angles.tolist(), strict=True):
            if angle == 0.0:
                continue
            sites = sorted(self.site[qubit] for qubit in qubits)
            first, last, phases = sites[0], sites[-1], np.exp(-1j * angle * _SIGNS)
            product = np.stack([phases, phases[::-1]])
            if len(sites) == 1:
                self.state.rotate(first, phases)
            elif len(sites) == 2:
                pairs.setdefault(first, {})[last] = product
            else:
                between = frozenset(sites[1:-1])
                gates.append(DiagonalGate(first=first, last=last, phases={last: product}, adds=between))
        gates += [DiagonalGate(first=first, last=max(own), phases=own) for first, own in pairs.items()]
        for gate in sorted(gates, key=lambda gate: gate.first):
            self.state.apply(gate)
