"""Bits from the results of samplers and backends; a missing result is an error and never a zero.

A PUB's result has its bits in a register. A backend's own result has for every circuit the list of its shots, in
hexadecimal or binary, or counts alone; counts become shots in random order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ResultError
from qep_qiskit.outcomes.checks import num_bytes_of, require_unused_bits

REGISTER = "meas"
"""The classical register of every measured circuit."""


def registers_of(results: Any, where: str, name: str = REGISTER) -> list[Any]:
    """Return a register of every PUB result.

    Args:
        results: The results, one for each PUB.
        where: Name of the sampler, for messages.
        name: Name of the register.

    Raises:
        ResultError: An object is not a PUB result, or has no such register.
    """
    if not isinstance(results, Iterable):
        raise ResultError(f"{where}: expected a result for every circuit, got {_said(results)}")
    found = []
    for place, result in enumerate(results):
        data = getattr(result, "data", None)
        register = getattr(data, name, None)
        if register is None:
            there = ", ".join(sorted(_names(data))) or "none"
            raise ResultError(f"{where}: result {place} has no register '{name}', its registers are: {there}")
        found.append(register)
    return found


def require_bits(register: Any, size: int, bindings: tuple[int, ...], shots: int, name: str) -> NDArray[np.uint8]:
    """Return the bits of one PUB, shape (*bindings, shots, bytes), after checking them.

    Args:
        register: Qiskit's BitArray, or an array without bits beyond the register.
        size: Number of measured bits.
        bindings: Shape of the bindings of the PUB.
        shots: Shots of every binding.
        name: Name of the circuit or result, and of the sampler, for messages.

    Raises:
        ResultError: The bits do not match the circuit, its bindings or its shots.
    """
    width = getattr(register, "num_bits", size)
    if width != size:
        raise ResultError(f"{name}: expected {amount(size, 'bit')} a shot, got {width}")
    bits = register if isinstance(register, np.ndarray) else np.asarray(getattr(register, "array", register))
    expected = (*bindings, shots, num_bytes_of(size))
    if bits.shape == expected[-2:] and int(np.prod(bindings, dtype=int)) == 1:
        bits = bits.reshape(expected)  # samplers drop axes along which nothing is bound
    if bits.shape != expected or bits.dtype != np.uint8:
        raise ResultError(
            f"{name}: expected bits of shape {expected} (bindings, shots, bytes) as uint8, got {bits.shape} as "
            f"{bits.dtype}"
        )
    if bits is not register:
        require_unused_bits(bits, size, name)
    return bits


def bits_of_experiment(
    found: Any, circuit: QuantumCircuit, shots: int, name: str, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Return the bits of one circuit in a backend's result, shape (shots, bytes).

    Args:
        found: The part of the result that belongs to the circuit.
        circuit: The circuit.
        shots: Shots requested.
        name: Name of the circuit and the backend, for messages.
        generator: Puts counts in random order.

    Raises:
        ResultError: The circuit failed, or the shots do not match it.
    """
    status = str(getattr(found, "status", "") or "")
    if not getattr(found, "success", True) or status.upper().startswith("ERROR"):
        raise ResultError(f"{name}: it failed (status {status or 'not given'})")
    _require_register(getattr(found, "header", None), circuit, name)
    data, size = getattr(found, "data", None), circuit.num_clbits
    memory, counts = getattr(data, "memory", None), getattr(data, "counts", None)
    if memory is not None and len(memory):
        words = {text: _packed(text, size, name) for text in set(_texts(memory, name))}
        numbers, ordered = [words[text] for text in memory], True
    elif counts:
        numbers, ordered = _expanded(counts, size, name), False
    else:
        raise ResultError(f"{name}: it has neither a memory of its shots nor counts")
    if len(numbers) != shots:
        raise ResultError(f"{name}: expected {amount(shots, 'shot')}, got {len(numbers)}")
    bits = np.frombuffer(b"".join(numbers), dtype=np.uint8).reshape(shots, num_bytes_of(size))
    return bits if ordered else bits[generator.permutation(shots)]


def _require_register(header: Any, circuit: QuantumCircuit, name: str) -> None:
    """Check the registers of a result that names them."""
    registers, size = _field(header, "creg_sizes"), _field(header, "memory_slots")
    expected = [[register.name, register.size] for register in circuit.cregs]
    if registers is not None and [list(register) for register in registers] != expected:
        raise ResultError(f"{name}: expected the registers {expected}, got {registers}")
    if size is not None and size != circuit.num_clbits:
        raise ResultError(f"{name}: expected {amount(circuit.num_clbits, 'bit')} a shot, got {size}")


def _field(header: Any, key: str) -> Any:
    return header.get(key) if isinstance(header, Mapping) else getattr(header, key, None)


def _texts(memory: Sequence[Any], name: str) -> Sequence[str]:
    if not all(isinstance(text, str) for text in memory):
        raise ResultError(f"{name}: expected a memory of hexadecimal or binary words, got {_said(memory[0])}")
    return memory


def _expanded(counts: Mapping[Any, Any], size: int, name: str) -> list[bytes]:
    """Repeat every outcome as often as it was counted."""
    for word, count in counts.items():
        if isinstance(count, complex) or not np.isfinite(count) or count < 0 or count != int(count):
            raise ResultError(f"{name}: expected counts, whole numbers from 0 on, got {_said(count)} for {word!r}")
    return [packed for word, count in counts.items() for packed in [_packed(word, size, name)] * int(count)]


def _packed(word: Any, size: int, name: str) -> bytes:
    """An outcome as big-endian bytes, from a number, hexadecimal text, or as many binary digits as there are bits."""
    value, text = -1, str(word).replace(" ", "")
    if isinstance(word, int | np.integer):
        value = int(word)
    elif text[:2] in ("0x", "0X"):
        value = _number(text, 16)
    elif len(text) == size:
        value = _number(text, 2)
    if not 0 <= value < 1 << size:
        raise ResultError(
            f"{name}: expected outcomes of {amount(size, 'bit')}, hexadecimal or binary, got {_said(word)}"
        )
    return value.to_bytes(num_bytes_of(size), "big")


def _number(text: str, base: int) -> int:
    try:
        return int(text, base)
    except ValueError:
        return -1


def _names(data: Any) -> list[str]:
    keys = getattr(data, "keys", None)
    return [str(key) for key in keys()] if callable(keys) else []


def _said(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
