"""Selection of a connected part of a device with small errors, and of its couplings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from qiskit.transpiler import Target

from qep_qiskit.core.errors import ResourceError
from qep_qiskit.execution.device_snapshot import stated_error

Edge = tuple[int, int]

_BROKEN = 0.5
_TWO_QUBIT_GATES = ("rzz", "cz", "ecr", "cx")


@dataclass(frozen=True, slots=True)
class _Map:
    """The working qubits and couplings of a device, with their errors."""

    readout: Mapping[int, float]
    couplings: Mapping[Edge, float]

    def neighbours(self) -> dict[int, set[int]]:
        found: dict[int, set[int]] = {qubit: set() for qubit in self.readout}
        for j, k in self.couplings:
            found[j].add(k)
            found[k].add(j)
        return found

    def among(self, qubits: Iterable[int]) -> list[Edge]:
        kept = set(qubits)
        return [edge for edge in self.couplings if kept.issuperset(edge)]

    def error(self, qubits: Iterable[int]) -> float:
        """Mean readout error plus mean error of the couplings; with the mean, closed plaquettes cost nothing extra."""
        chosen = list(qubits)
        gates = [self.couplings[edge] for edge in self.among(chosen)]
        return float(np.mean([self.readout[qubit] for qubit in chosen]) + (np.mean(gates) if gates else 0.0))


def _map_of(target: Target) -> _Map:
    gate = next((name for name in _TWO_QUBIT_GATES if name in target.operation_names), None)
    stated = {qubit: stated_error(target, "measure", (qubit,)) for qubit in range(target.num_qubits)}
    readout = {qubit: error for qubit, error in stated.items() if error < _BROKEN}
    couplings: dict[Edge, float] = {}
    for where in sorted((target[gate] or {}) if gate is not None else {}):
        edge = (min(where), max(where))
        error = stated_error(target, str(gate), where)
        if readout.keys() >= set(edge):
            couplings[edge] = min(error, couplings.get(edge, np.inf))
    return _Map(readout, {edge: error for edge, error in couplings.items() if error < _BROKEN})


def native_qubits(target: Target, num_spins: int) -> tuple[int, ...]:
    """Select connected qubits with small errors of gates and readout, in ascending order.

    A patch is grown from every qubit. Each step adds the adjacent qubit with the most couplings to the patch, so that
    squares close, and among equals the one with the smallest mean error. The patch with the smallest error is returned.
    Couplings and qubits with an error of 0.5 or more are excluded.

    Args:
        target: Gates and errors of the device.
        num_spins: Number of qubits.

    Raises:
        ResourceError: No working part of the device has so many connected qubits.
    """
    device = _map_of(target)
    neighbours = device.neighbours()
    patches = [patch for qubit in neighbours if (patch := _grown(device, neighbours, qubit, num_spins)) is not None]
    if not patches:
        raise ResourceError(f"num_spins: the device has no {num_spins} connected qubits that work; use fewer spins")
    return min(patches, key=lambda patch: (device.error(patch), -len(device.among(patch))))


def _grown(device: _Map, neighbours: Mapping[int, set[int]], start: int, num_spins: int) -> tuple[int, ...] | None:
    patch = [start]
    while len(patch) < num_spins:
        around = sorted(set().union(*(neighbours[qubit] for qubit in patch)) - set(patch))
        if not around:
            return None
        links = {qubit: len(neighbours[qubit].intersection(patch)) for qubit in around}
        closest = [qubit for qubit in around if links[qubit] == max(links.values())]
        patch.append(min(closest, key=lambda qubit: device.error([*patch, qubit])))
    return tuple(sorted(patch))


def native_couplings(target: Target, qubits: Sequence[int]) -> tuple[Edge, ...]:
    """Couplings among some qubits, as pairs of indices into `qubits`.

    Raises:
        ResourceError: A qubit does not exist or does not work.
    """
    device = _map_of(target)
    missing = [qubit for qubit in qubits if qubit not in device.readout]
    if missing:
        raise ResourceError(f"qubits: the device has no qubit {missing[0]} that works; name others")
    place = {qubit: index for index, qubit in enumerate(qubits)}
    pairs = [(place[j], place[k]) for j, k in device.among(qubits)]
    return tuple(sorted((min(pair), max(pair)) for pair in pairs))
