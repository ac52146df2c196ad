"""Properties of a transpiled program on its device: gates, durations, errors, bytes. No circuit is run."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Parameter
from qiskit.circuit.exceptions import CircuitError
from qiskit.circuit.library import RXGate, RZZGate
from qiskit.exceptions import QiskitError
from qiskit.providers import BackendV2
from qiskit.transpiler import InstructionProperties, Target

from qep_qiskit.core.circuit_bytes import bytes_of
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.execution.device_snapshot import RZZ_RANGE, DeviceSnapshot, configured, cut_target

_REP_DELAY = 250e-6
_CIRCUIT_SECONDS = 5e-6
# Bytes that IBM's client (0.51) adds to circuits and values; measured.
_BYTES_OF_A_JOB, _BYTES_OF_A_PUB = 1669, 133


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitFacts:
    """Gate count, depth and duration of a measured circuit on its device.

    Args:
        two_qubit_gates: Number of two-qubit gates.
        two_qubit_depth: Layers of two-qubit gates.
        depth: Layers of gates, those on one qubit included; barriers and measurements do not count.
        seconds: Duration in seconds, measurement included.
    """

    two_qubit_gates: int
    two_qubit_depth: int
    depth: int
    seconds: float


def circuit_facts(circuit: QuantumCircuit, target: Target) -> CircuitFacts:
    """Count the gates, layers and seconds of a measured circuit.

    Args:
        circuit: The measured circuit.
        target: Gates and durations of the device; a circuit lasts 5 us where they are unknown.
    """
    two = sum(1 for _ in _gates(circuit, num_qubits=2))
    layers = circuit.depth(lambda instruction: _is_gate(instruction) and len(instruction.qubits) == 2)
    return CircuitFacts(
        two_qubit_gates=two,
        two_qubit_depth=layers,
        depth=circuit.depth(_is_gate),
        seconds=circuit_seconds(circuit, target),
    )


def circuit_seconds(circuit: QuantumCircuit, target: Target) -> float:
    """Duration of a circuit in seconds; 5 us where it is unknown."""
    try:
        return float(circuit.estimate_duration(target, unit="s")) or _CIRCUIT_SECONDS
    except (CircuitError, QiskitError):
        return _CIRCUIT_SECONDS


def _is_gate(instruction: CircuitInstruction) -> bool:
    return instruction.operation.name not in ("barrier", "measure")


def _gates(circuit: QuantumCircuit, num_qubits: int | None = None) -> Iterator[CircuitInstruction]:
    for instruction in circuit.data:
        if _is_gate(instruction) and (num_qubits is None or len(instruction.qubits) == num_qubits):
            yield instruction


def payload_of_template(*circuits: QuantumCircuit) -> int:
    """Size in bytes of circuit templates as sent to a device: one compressed QPY file, as text."""
    return _bytes_as_text(bytes_of(*circuits))


def payload_of_job(template_bytes: int, values: Sequence[NDArray]) -> int:
    """Size in bytes of a job as sent to a device, without the parameters of its twirls.

    Args:
        template_bytes: Size of the circuits of all PUBs, see `payload_of_template`.
        values: The parameter values of every PUB, shape (..., parameters).
    """
    bound = sum(_bytes_as_text(np.ascontiguousarray(own, dtype="<f8").tobytes()) for own in values)
    return template_bytes + bound + _BYTES_OF_A_JOB + _BYTES_OF_A_PUB * len(values)


def _bytes_as_text(content: bytes) -> int:
    return len(base64.b64encode(zlib.compress(content)))


def rep_delay_of(device: BackendV2) -> float:
    """Delay between executions in seconds by the device's configuration, else 250 us."""
    delay = configured(device, "default_rep_delay")
    return _REP_DELAY if delay is None else float(delay)  # type: ignore[arg-type]


def rep_delay_range_of(device: BackendV2) -> tuple[float, float] | None:
    """Smallest and largest delay between executions in seconds, or None where the device states none."""
    limits = configured(device, "rep_delay_range")
    return (float(limits[0]), float(limits[1])) if isinstance(limits, list | tuple) else None


def checked_rep_delay(device: BackendV2, seconds: float | None) -> float | None:
    """Return a delay between executions in seconds that the device accepts.

    Args:
        device: The device.
        seconds: The delay in seconds, or None for the device's default.

    Raises:
        ConfigError: It is out of the device's range.
    """
    limits = rep_delay_range_of(device)
    if seconds is not None and limits is not None and not limits[0] <= seconds <= limits[1]:
        raise ConfigError(
            f"execution.rep_delay: {device.name} takes {limits[0]:g} to {limits[1]:g} seconds, got {seconds:g}"
        )
    return seconds


def is_fractional(device: BackendV2) -> bool:
    """Whether circuits for the device have `rzz`."""
    return "rzz" in device.target.operation_names


def offers_fractional_gates(device: BackendV2) -> bool:
    """Whether the device has `rzz` of any angle that its default target does not offer."""
    if is_fractional(device) or "cz" not in device.target.operation_names:
        return False
    names = configured(device, "supported_instructions")
    return bool(_calibrated(device, "rzz")) or (isinstance(names, list | tuple) and "rzz" in names)


def fractional_device(device: BackendV2) -> BackendV2:
    """Return the device with `rzz`, and with `rx` where it has that, with the errors that the device states.

    Unknown errors and durations are those of `cz` and `sx`.
    """
    target = cut_target(device.target, range(device.num_qubits))
    names = target.operation_names
    if "rzz" not in names:
        pairs = _calibrated(device, "rzz") or dict(target["cz"])
        target.add_instruction(RZZGate(Parameter("angle")), pairs, angle_bounds=[RZZ_RANGE])
    own = _calibrated(device, "rx")
    if "rx" not in names and own:
        target.add_instruction(RXGate(Parameter("angle")), own)
    return _snapshot(device, target)


def plain_device(device: BackendV2) -> BackendV2:
    """Return the device without fractional gates; unchanged where it has none."""
    if not is_fractional(device):
        return device
    return _snapshot(device, cut_target(device.target, range(device.num_qubits), without=("rzz", "rx")))


def _snapshot(device: BackendV2, target: Target) -> DeviceSnapshot:
    """A device with the same name and another target."""
    return DeviceSnapshot(
        device.name, target, rep_delay=rep_delay_of(device), rep_delay_range=rep_delay_range_of(device)
    )


def _calibrated(device: BackendV2, gate: str) -> dict[tuple[int, ...], InstructionProperties]:
    """Qubits of a gate that is missing in the target, by the properties of IBM's devices."""
    properties = getattr(device, "properties", None)
    known = properties() if callable(properties) else None
    if known is None or not any(found.gate == gate for found in known.gates):
        return {}
    found: dict[tuple[int, ...], InstructionProperties] = {}
    for where, values in known.gate_property(gate).items():
        error, seconds = (values.get(name, (None,))[0] for name in ("gate_error", "gate_length"))
        if error is None or error < 1.0:
            found[tuple(where)] = InstructionProperties(error=error, duration=seconds)
    return found
