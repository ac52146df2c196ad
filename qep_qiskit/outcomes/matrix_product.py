"""Hold one state as a matrix product: exact means and exact shots of a wide register.

A state of N qubits is a row of tensors, one for each site, site 0 first:

    <s_0 ... s_(N-1)|psi> = B_0[s_0] B_1[s_1] ... B_(N-1)[s_(N-1)] ,

with matrices B_i[s] whose size is the *bond dimension*. All tensors are right-canonical, sum_s B[s] B[s]^dagger = 1.
Everything right of a site then contracts to the identity, so that a shot is drawn site by site from exact conditional
probabilities, and the mean of a product of Paulis ends at its last site. The sites are qubits in an order of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError, ResultError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.short_repr import short_repr

_ENTRIES_AT_ONCE = 1 << 22


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatrixProductState:
    """Hold a normalised state as a matrix product.

    Args:
        tensors: One array for each site, shape (left bond, 2, right bond), right-canonical; the outer bonds are 1. Use
            `of` for tensors in any other form.
        order: The qubit of every site, shape (sites,).
        discarded: The weight that truncation has removed from the state, 0 to 1.

    Raises:
        ResultError: Shapes do not fit together, or the order is no permutation.

    Example:
        >>> up, down = np.array([1.0, 0.0]).reshape(1, 2, 1), np.array([0.0, 1.0]).reshape(1, 2, 1)
        >>> state = qep.MatrixProductState(tensors=(up, down), order=(1, 0))  # qubit 1 first
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("ZZ"), masks=(0b01, 0b10, 0b11))
        >>> state.means(group)
        array([-1.,  1., -1.])
    """

    tensors: tuple[NDArray, ...]
    order: tuple[int, ...]
    discarded: float = 0.0

    def __post_init__(self) -> None:
        if sorted(self.order) != list(range(len(self.tensors))):
            raise ResultError(f"a matrix product state: expected an order of {len(self.tensors)} qubits")
        bonds = [tensor.shape[0] for tensor in self.tensors] + [1]
        for site, tensor in enumerate(self.tensors):
            if tensor.shape != (bonds[site], 2, bonds[site + 1]) or bonds[0] != 1:
                raise ResultError(
                    f"a matrix product state: expected a tensor (left bond, 2, right bond) at site {site} that fits "
                    f"to its neighbours, got shape {tensor.shape}"
                )

    @classmethod
    def of(
        cls, tensors: Sequence[NDArray], order: Sequence[int] | None = None, discarded: float = 0.0
    ) -> MatrixProductState:
        """Return the normalised state of any tensors that fit together.

        Args:
            tensors: One array for each site, shape (left bond, 2, right bond).
            order: The qubit of every site; by default 0, 1, 2, ...
            discarded: The weight that truncation has removed from the state.

        Raises:
            ResultError: The state is zero, or not finite.
        """
        found: list[NDArray] = []
        carried = np.ones((1, 1))
        for tensor in reversed(tensors):
            merged = np.tensordot(tensor, carried, axes=1)
            left, _, right = merged.shape
            isometry, rest = np.linalg.qr(merged.reshape(left, 2 * right).conj().T)
            found.append(isometry.conj().T.reshape(-1, 2, right))
            carried = rest.conj().T
            size = float(np.linalg.norm(carried))
            if not 0.0 < size < np.inf:
                raise ResultError("a matrix product state: expected tensors of a state, got a norm of zero or no norm")
            carried = carried / size
        found[-1] = found[-1] * carried.reshape(())
        places = range(len(tensors)) if order is None else order
        return cls(tensors=tuple(reversed(found)), order=tuple(places), discarded=discarded)

    @property
    def num_qubits(self) -> int:
        """Return the number of qubits."""
        return len(self.tensors)

    @property
    def bond_dimensions(self) -> tuple[int, ...]:
        """Return the bond dimensions between the sites, N - 1 in number."""
        return tuple(tensor.shape[0] for tensor in self.tensors[1:])

    def means(self, group: CommutingGroup) -> NDArray[np.float64]:
        """Return exact means of all terms of a group, shape (terms,).

        Raises:
            ConfigError: The basis of the group does not act on single qubits.
        """
        return self._products(group, group.masks)

    def covariance(self, group: CommutingGroup) -> NDArray[np.float64]:
        """Return the exact covariance of all terms of a group in one shot, shape (terms, terms).

        Raises:
            ConfigError: The basis of the group does not act on single qubits.
        """
        both = [[one ^ other for other in group.masks] for one in group.masks]
        needed = sorted({mask for row in both for mask in row})
        values = dict(zip(needed, self._products(group, needed).tolist(), strict=True))
        second = np.array([[values[mask] for mask in row] for row in both]).reshape(group.num_terms, group.num_terms)
        means = self.means(group)
        return second - np.outer(means, means)

    def sample(self, basis: LocalBasis, shots: int, generator: np.random.Generator) -> NDArray[np.uint8]:
        """Draw shots, site by site from exact conditional probabilities.

        Args:
            basis: Rotations of single qubits before the measurement.
            shots: Number of shots.
            generator: The random stream; it gives one number for each site and shot.

        Returns:
            Shape (shots, qubits), bits 0 and 1.
        """
        bits = np.empty((shots, self.num_qubits), dtype=np.uint8)
        amplitudes = np.ones((shots, 1))
        for tensor, qubit in zip(self._rotated(basis), self.order, strict=True):
            left, _, right = tensor.shape
            branches = (amplitudes @ tensor.reshape(left, 2 * right)).reshape(shots, 2, right)
            weights = np.square(branches.real).sum(axis=2)
            if np.iscomplexobj(branches):
                weights += np.square(branches.imag).sum(axis=2)
            ones = (generator.random(shots) * weights.sum(axis=1) >= weights[:, 0]) & (weights[:, 1] > 0.0)
            bits[:, qubit] = ones
            chosen = np.arange(shots), ones.astype(np.int64)
            amplitudes = branches[chosen] / np.sqrt(weights[chosen])[:, None]
        return bits

    def overlap(self, other: MatrixProductState) -> complex:
        """Return <self|other>.

        Raises:
            ConfigError: The other state has another order of qubits.
        """
        if self.order != other.order:
            raise ConfigError("overlap: expected matrix product states with the same order of qubits")
        found = np.ones((1, 1))
        for bra, ket in zip(self.tensors, other.tensors, strict=True):
            found = np.tensordot(bra.conj(), np.tensordot(found, ket, axes=1), axes=([0, 1], [0, 1]))
        return complex(found[0, 0])

    def vector(self) -> NDArray:
        """Return the state vector of a small register, shape (2^N,), index bit k = qubit k."""
        found = np.ones((1, 1))
        for tensor in self.tensors:
            found = np.tensordot(found, tensor, axes=1).reshape(-1, tensor.shape[2])
        places = np.argsort(self.order)  # axis of every qubit
        return found.reshape((2,) * self.num_qubits).transpose(places[::-1]).ravel()

    def packed(self) -> dict[str, NDArray]:
        """Return the state as arrays, for an npz file."""
        return {
            "entries": np.concatenate([tensor.ravel() for tensor in self.tensors]),
            "bonds": np.array(self.bond_dimensions, dtype=np.int64),
            "order": np.array(self.order, dtype=np.int64),
            "discarded": np.array(self.discarded),
        }

    @classmethod
    def of_packed(cls, arrays: Mapping[str, NDArray]) -> MatrixProductState:
        """Return the inverse of `packed`.

        Args:
            arrays: The arrays; entries beyond those of the tensors are ignored.

        Raises:
            ResultError: There are too few entries, or the bonds do not fit.
        """
        bonds = [1, *(int(bond) for bond in arrays["bonds"]), 1]
        sizes = [2 * left * right for left, right in pairwise(bonds)]
        entries = np.asarray(arrays["entries"])
        if min(bonds) < 1 or sum(sizes) > len(entries):
            raise ResultError(f"a matrix product state: expected {sum(sizes)} entries, got {len(entries)}")
        parts = np.split(entries[: sum(sizes)], np.cumsum(sizes)[:-1])
        tensors = [part.reshape(bonds[site], 2, bonds[site + 1]).copy() for site, part in enumerate(parts)]
        order = tuple(int(qubit) for qubit in arrays["order"])
        return cls(tensors=tuple(tensors), order=order, discarded=float(arrays["discarded"]))

    def _rotated(self, basis: LocalBasis) -> list[NDArray]:
        """Return the tensors after the rotations of single qubits; still right-canonical."""
        matrices = basis.matrices()
        rotations = [matrices[qubit] for qubit in self.order]
        return [
            tensor if rotation is None else np.einsum("st,ltr->lsr", rotation, tensor)
            for tensor, rotation in zip(self.tensors, rotations, strict=True)
        ]

    def _products(self, group: CommutingGroup, masks: Sequence[int]) -> NDArray[np.float64]:
        """Return means of the products of Z after the rotations of a group.

        Args:
            group: The group, whose basis is used.
            masks: Qubits of each product; 0 is the identity.
        """
        tensors = self._rotated(local_basis_of(group))
        sites = [sum(1 << site for site, qubit in enumerate(self.order) if mask >> qubit & 1) for mask in masks]
        by_first = sorted(range(len(sites)), key=lambda index: f"{sites[index]:0{self.num_qubits}b}"[::-1])
        values = np.empty(len(sites))
        few = max(1, _ENTRIES_AT_ONCE // max(tensor.shape[0] ** 2 for tensor in tensors))
        for start in range(0, len(sites), few):
            part = by_first[start : start + few]
            values[part] = _means_of_products(tensors, [sites[index] for index in part])
        return values


def local_basis_of(group: CommutingGroup, states: str = "matrix product states") -> LocalBasis:
    """Return the basis of a group if it acts on single qubits, or raise.

    Args:
        group: The group to measure.
        states: The kind of states, for the message.

    Raises:
        ConfigError: It does not.
    """
    if not isinstance(group.basis, LocalBasis):
        raise ConfigError(
            f"group {group.name}: {states} are measured after rotations of single qubits, in a basis of "
            "letters X, Y and Z, one a qubit, and this basis couples qubits; Pauli networks take grouping = "
            "'qubit_wise', other networks another preparation or backend"
        )
    return group.basis


def _means_of_products(tensors: Sequence[NDArray], masks: Sequence[int]) -> NDArray[np.float64]:
    """Return means of products of Z over sites, bit i of a mask = site i; common beginnings are contracted once.

    A product is followed from site 0 on as a matrix between the bonds of bra and ket. All matrices of a site are
    contracted with its tensor together.
    """
    values = np.ones(len(masks))
    open_masks = np.array([index for index, mask in enumerate(masks) if mask], dtype=np.int64)
    place = np.zeros(len(open_masks), dtype=np.int64)  # of the matrix of each open product
    matrices = np.ones((1, 1, 1))
    for site, tensor in enumerate(tensors):
        if not len(open_masks):
            break
        bits = np.array([masks[index] >> site & 1 for index in open_masks.tolist()])
        branches, place = np.unique(2 * place + bits, return_inverse=True)
        matrices = _transferred(matrices[branches // 2], tensor, branches % 2 == 1)
        ends = np.array([masks[index] >> site == 1 for index in open_masks.tolist()])
        values[open_masks[ends]] = np.trace(matrices[place[ends]], axis1=1, axis2=2).real
        open_masks, place = open_masks[~ends], place[~ends]
        left, place = np.unique(place, return_inverse=True)
        matrices = matrices[left]
    return values


def _transferred(matrices: NDArray, tensor: NDArray, has_z: NDArray[np.bool_]) -> NDArray:
    """Return the matrices one site further, shape (matrices, right bond of the bra, right bond of the ket)."""
    left, _, right = tensor.shape
    kets = (matrices @ tensor.reshape(left, 2 * right)).reshape(len(matrices), left, 2, right)
    kets[has_z, :, 1] *= -1.0
    bra = tensor.conj().reshape(2 * left, right).T
    return bra @ kets.reshape(len(matrices), 2 * left, right)
