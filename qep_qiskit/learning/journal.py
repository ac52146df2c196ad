"""Answers to requests of work that is not finished, in a form that a checkpoint can hold.

Measuring work is a generator that is sent the outcomes of its requests. Sent the same outcomes again it comes to the
same point, so the outcomes are its state: a run that stops in the middle of a step keeps them and loses no shot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.execution import BitMemory, Distribution, Outcomes, ShotData

__all__ = ["pack_journal", "unpack_journal"]

Arrays = dict[str, NDArray]


def pack_journal(journal: Sequence[ShotData]) -> tuple[list[list[dict[str, Any]]], Arrays]:
    """Numbers that JSON can hold, and arrays by name; counts in as few bytes as hold them."""
    shapes: list[list[dict[str, Any]]] = []
    arrays: Arrays = {}
    for number, data in enumerate(journal):
        shapes.append([])
        for place, outcomes in enumerate(data.outcomes):
            shape, array = _pack(outcomes)
            shapes[-1].append(shape)
            arrays[_name(number, place)] = array
    return shapes, arrays


def unpack_journal(shapes: Sequence[Sequence[Mapping[str, Any]]], arrays: Mapping[str, NDArray]) -> list[ShotData]:
    """The inverse of `pack_journal`.

    Raises:
        KeyError: An array or a number is missing.
    """
    return [
        ShotData(outcomes=tuple(_unpack(shape, arrays[_name(number, place)]) for place, shape in enumerate(row)))
        for number, row in enumerate(shapes)
    ]


def _name(number: int, place: int) -> str:
    return f"journal_{number}_{place}"


def _pack(outcomes: Outcomes) -> tuple[dict[str, Any], NDArray]:
    if isinstance(outcomes, BitMemory):
        return {"num_qubits": outcomes.num_qubits}, outcomes.bits
    if outcomes.shots is None:
        return {"shots": None}, outcomes.weights
    return {"shots": outcomes.shots}, outcomes.weights.astype(np.min_scalar_type(outcomes.shots))


def _unpack(shape: Mapping[str, Any], array: NDArray) -> Outcomes:
    if "num_qubits" in shape:
        return BitMemory(bits=array, num_qubits=shape["num_qubits"])
    if shape["shots"] is None:
        return Distribution(weights=array, shots=None)
    return Distribution(weights=array.astype(np.int64), shots=shape["shots"])
