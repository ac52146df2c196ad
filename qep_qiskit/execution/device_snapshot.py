"""Snapshots of devices: their gates with errors and durations, stored as text."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.providers import BackendV2, Options, QubitProperties
from qiskit.transpiler import InstructionProperties, Target

from qep_qiskit.core.errors import ConfigError

RZZ_RANGE = (0.0, float(np.pi / 2))
"""The angles of rzz, in radians, that devices with fractional gates accept."""

_QUBIT_PROPERTIES = ("t1", "t2", "frequency")


class DeviceSnapshot(BackendV2):
    """A description of a device, or of some of its qubits: gates and their errors. It cannot run circuits.

    Args:
        name: Name of the device.
        target: Gates of the device with their errors and durations.
        rep_delay: Delay between executions in seconds, or None where it is unknown.
        rep_delay_range: Smallest and largest delay between executions in seconds, or None where they are unknown.
    """

    def __init__(
        self,
        name: str,
        target: Target,
        *,
        rep_delay: float | None = None,
        rep_delay_range: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(name=name)
        self._target = target
        self._configuration = SimpleNamespace(default_rep_delay=rep_delay, rep_delay_range=rep_delay_range)

    @property
    def target(self) -> Target:
        """Gates of the device with their errors and durations."""
        return self._target

    @property
    def max_circuits(self) -> None:
        """None: the number of circuits in a job is not limited."""
        return

    def configuration(self) -> SimpleNamespace:
        """Return the delays between executions under the names that IBM's devices use."""
        return self._configuration

    @classmethod
    def _default_options(cls) -> Options:
        return Options()

    def run(self, run_input: Any, **options: Any) -> Any:
        """Raise an error, because a snapshot cannot run circuits.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("this device is a description; simulate it")


def cut_target(target: Target, qubits: Sequence[int], without: Container[str] = ()) -> Target:
    """Restrict a target to some qubits, renumbered in the order given, with their gates and errors.

    Args:
        target: Target of the whole device.
        qubits: The qubits to keep.
        without: Names of gates to omit.
    """
    properties = target.qubit_properties
    found = Target(
        num_qubits=len(qubits),
        dt=target.dt,
        qubit_properties=None if properties is None else [properties[qubit] for qubit in qubits],
    )
    number = {qubit: place for place, qubit in enumerate(qubits)}
    for name in target.operation_names:
        if name in without:
            continue
        known, operation = target[name], target.operation_from_name(name)
        if None in known:
            found.add_instruction(operation, name=name)
            continue
        kept = {
            tuple(number[qubit] for qubit in where): errors
            for where, errors in known.items()
            if all(qubit in number for qubit in where)
        }
        if kept:
            bounds = [RZZ_RANGE] if name == "rzz" and target.gate_has_angle_bounds(name) else None
            found.add_instruction(operation, kept, name=name, angle_bounds=bounds)
    return found


def configured(device: BackendV2, name: str) -> object | None:
    """Return a value of the configuration of a device, or None where there is none.

    Args:
        device: The device.
        name: Name of the value, as of IBM's devices.
    """
    configuration = getattr(device, "configuration", None)
    return getattr(configuration(), name, None) if callable(configuration) else None


def description_of(device: BackendV2) -> str:
    """Describe a device as JSON text with all of its standard gates; other operations are omitted."""
    target, limits = device.target, configured(device, "rep_delay_range")
    standard = get_standard_gate_name_mapping()
    gates = {name: target[name] for name in sorted(target.operation_names) if name in standard}
    content = {
        "name": device.name,
        "num_qubits": target.num_qubits,
        "dt": target.dt,
        "rep_delay": configured(device, "default_rep_delay"),
        "rep_delay_range": list(limits) if isinstance(limits, list | tuple) else None,
        "qubits": [[getattr(found, name) for name in _QUBIT_PROPERTIES] for found in (target.qubit_properties or [])],
        "gates": {name: _entries(where) for name, where in gates.items() if where and None not in where},
    }
    return json.dumps(content, separators=(",", ":"))


def _entries(known: Any) -> list[list[Any]]:
    """Qubits, error and duration in seconds of a gate, for every set of qubits that has it."""
    return [
        [list(where), None if found is None else found.error, None if found is None else found.duration]
        for where, found in sorted(known.items())
    ]


def device_of_description(text: str) -> DeviceSnapshot:
    """Build a device snapshot from the text of `description_of`.

    Raises:
        ConfigError: The text is damaged.
    """
    try:
        content = json.loads(text)
        properties = [
            QubitProperties(**dict(zip(_QUBIT_PROPERTIES, values, strict=True))) for values in content["qubits"]
        ]
        target = Target(
            num_qubits=content["num_qubits"], dt=content["dt"], qubit_properties=properties if properties else None
        )
        standard = get_standard_gate_name_mapping()
        for name, entries in content["gates"].items():
            where = {
                tuple(qubits): InstructionProperties(error=error, duration=seconds)
                for qubits, error, seconds in entries
            }
            bounds = [RZZ_RANGE] if name == "rzz" else None
            target.add_instruction(standard[name], where, name=name, angle_bounds=bounds)
        limits = content["rep_delay_range"]
        return DeviceSnapshot(
            content["name"],
            target,
            rep_delay=content["rep_delay"],
            rep_delay_range=None if limits is None else (limits[0], limits[1]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"snapshot: the description of the device is damaged ({error})") from error


def stated_error(target: Target, name: str, where: tuple[int, ...]) -> float:
    """Return the error of an instruction; zero where the device states none."""
    known = (target[name] or {}).get(where) if name in target.operation_names else None
    return 0.0 if known is None or known.error is None else float(known.error)
