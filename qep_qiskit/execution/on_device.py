"""What a placed program is like on its device: gates, durations, errors, bytes; nothing is run."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import CircuitInstruction, Parameter
from qiskit.circuit.exceptions import CircuitError
from qiskit.circuit.library import RXGate, RZZGate
from qiskit.exceptions import QiskitError
from qiskit.providers import BackendV2
from qiskit.transpiler import InstructionProperties, Target

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.execution.device_snapshot import DeviceSnapshot
from qep_qiskit.execution.transpilation import RZZ_RANGE, cut_target

_REP_DELAY = 250e-6
_CIRCUIT_SECONDS = 5e-6
# What IBM's client (0.51) writes around circuits and values; measured.
_BYTES_OF_A_JOB, _BYTES_OF_A_PUB = 1447, 133


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitFacts:
    """A measured circuit on its device.

    Args:
        two_qubit_gates: Gates on two qubits.
        depth: Layers of gates, those on one qubit among them; barriers do not count.
        seconds: Duration with the measurement.
    """

    two_qubit_gates: int
    depth: int
    seconds: float


def circuit_facts(circuit: QuantumCircuit, target: Target) -> CircuitFacts:
    """Count a measured circuit; 5 us where the device does not say how long its gates take."""
    two = sum(1 for _ in _gates(circuit, num_qubits=2))
    depth = circuit.depth(lambda instruction: instruction.operation.name not in ("barrier", "measure"))
    try:
        seconds = float(circuit.estimate_duration(target, unit="s"))
    except (CircuitError, QiskitError):
        seconds = 0.0
    return CircuitFacts(two_qubit_gates=two, depth=depth, seconds=seconds or _CIRCUIT_SECONDS)


def _gates(circuit: QuantumCircuit, num_qubits: int | None = None) -> Iterator[CircuitInstruction]:
    for instruction in circuit.data:
        is_gate = instruction.operation.name not in ("barrier", "measure")
        if is_gate and (num_qubits is None or len(instruction.qubits) == num_qubits):
            yield instruction


def payload_of_template(*circuits: QuantumCircuit) -> int:
    """Bytes of templates as they are sent: one QPY file, compressed, as text."""
    buffer = io.BytesIO()
    qpy.dump(list(circuits), buffer)
    return _bytes_as_text(buffer.getvalue())


def payload_of_job(circuits: Sequence[QuantumCircuit], values: Sequence[NDArray]) -> int:
    """Bytes of a job as it is sent, but for those that say how it is twirled.

    Args:
        circuits: The circuit of every PUB.
        values: What each is bound to.
    """
    bound = sum(_bytes_as_text(np.ascontiguousarray(own, dtype="<f8").tobytes()) for own in values)
    return payload_of_template(*circuits) + bound + _BYTES_OF_A_JOB + _BYTES_OF_A_PUB * len(circuits)


def _bytes_as_text(content: bytes) -> int:
    return len(base64.b64encode(zlib.compress(content)))


def rep_delay_of(device: BackendV2) -> float:
    """Seconds between executions by the device's configuration, else 250 us."""
    delay = _configured(device, "default_rep_delay")
    return _REP_DELAY if delay is None else float(delay)  # type: ignore[arg-type]


def rep_delay_range_of(device: BackendV2) -> tuple[float, float] | None:
    """Least and most seconds that may be asked for between executions, or None where the device does not say."""
    limits = _configured(device, "rep_delay_range")
    return (float(limits[0]), float(limits[1])) if isinstance(limits, list | tuple) else None


def checked_rep_delay(device: BackendV2, seconds: float | None) -> float | None:
    """A delay between executions that the device takes.

    Args:
        device: The device.
        seconds: The delay, or None for the device's own.

    Raises:
        ConfigError: It is out of the device's range.
    """
    limits = rep_delay_range_of(device)
    if seconds is not None and limits is not None and not limits[0] <= seconds <= limits[1]:
        raise ConfigError(
            f"execution.rep_delay: {device.name} takes {limits[0]:g} to {limits[1]:g} seconds, got {seconds:g}"
        )
    return seconds


def _configured(device: BackendV2, name: str) -> object | None:
    """An entry of the configuration that IBM's devices bring along."""
    configuration = getattr(device, "configuration", None)
    return getattr(configuration(), name, None) if callable(configuration) else None


def is_fractional(device: BackendV2) -> bool:
    """Whether circuits for the device have `rzz`."""
    return "rzz" in device.target.operation_names


def offers_fractional_gates(device: BackendV2) -> bool:
    """Whether the device has `rzz` of any angle that circuits transpiled for it as it is do not use."""
    if is_fractional(device) or "cz" not in device.target.operation_names:
        return False
    names = _configured(device, "supported_instructions")
    return bool(_calibrated(device, "rzz")) or (isinstance(names, list | tuple) and "rzz" in names)


def fractional_device(device: BackendV2) -> BackendV2:
    """The device with `rzz`, and with `rx` where it has that: with their own errors where it knows them.

    Errors and durations that are not known are those of `cz` and `sx`.
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
    """The device without fractional gates; itself where it has none."""
    if not is_fractional(device):
        return device
    return _snapshot(device, cut_target(device.target, range(device.num_qubits), without=("rzz", "rx")))


def _snapshot(device: BackendV2, target: Target) -> DeviceSnapshot:
    """A device under its name with another target."""
    return DeviceSnapshot(
        device.name, target, rep_delay=rep_delay_of(device), rep_delay_range=rep_delay_range_of(device)
    )


def _calibrated(device: BackendV2, gate: str) -> dict[tuple[int, ...], InstructionProperties]:
    """Where a gate that the target does not have works, by the properties that IBM's devices bring along."""
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
