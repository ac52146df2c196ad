"""A device as it was described once: its gates with their errors and durations, as text that lasts."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.providers import BackendV2, Options, QubitProperties
from qiskit.transpiler import InstructionProperties, Target

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.execution.transpilation import RZZ_RANGE

_QUBIT_PROPERTIES = ("t1", "t2", "frequency")


class DeviceSnapshot(BackendV2):
    """Gates and errors under a name. It describes and does not run.

    Args:
        name: Of the device.
        target: Its gates and errors.
        rep_delay: Seconds between executions, where they are known.
        rep_delay_range: Least and most seconds that may be asked for between executions, where they are known.
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
        """Gates and errors."""
        return self._target

    @property
    def max_circuits(self) -> None:
        """No limit."""
        return

    def configuration(self) -> SimpleNamespace:
        """Delays between executions, in the way in which IBM's devices say them."""
        return self._configuration

    @classmethod
    def _default_options(cls) -> Options:
        return Options()

    def run(self, run_input: Any, **options: Any) -> Any:
        """A description runs nothing.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("this device is a description; simulate it")


def description_of(device: BackendV2) -> str:
    """A device as JSON text: all of its standard gates, whatever else it can do."""
    target, configuration = device.target, getattr(device, "configuration", None)
    known = configuration() if callable(configuration) else None
    limits = getattr(known, "rep_delay_range", None)
    standard = get_standard_gate_name_mapping()
    gates = {name: target[name] for name in sorted(target.operation_names) if name in standard}
    content = {
        "name": device.name,
        "num_qubits": target.num_qubits,
        "dt": target.dt,
        "rep_delay": getattr(known, "default_rep_delay", None),
        "rep_delay_range": None if limits is None else list(limits),
        "qubits": [[getattr(found, name) for name in _QUBIT_PROPERTIES] for found in (target.qubit_properties or [])],
        "gates": {name: _entries(where) for name, where in gates.items() if where and None not in where},
    }
    return json.dumps(content, separators=(",", ":"))


def _entries(known: Any) -> list[list[Any]]:
    """Qubits, error and seconds of a gate wherever it is."""
    return [
        [list(where), None if found is None else found.error, None if found is None else found.duration]
        for where, found in sorted(known.items())
    ]


def device_of_description(text: str) -> DeviceSnapshot:
    """The device of a description.

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
