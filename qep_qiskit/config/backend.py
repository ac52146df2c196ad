"""The backend of a configuration: its name is taken apart here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Literal

from qep_qiskit.config.named import is_named
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.registry import Registry
from qep_qiskit.execution import Executor

VENDORS = "qep_qiskit.backends"
"""Entry points that give a factory of backends a name of its own."""

EXECUTORS: Registry[Callable[..., Executor]] = Registry(
    "qep_qiskit.executors", callable, "a function of the seeds of a run that makes an Executor"
)
"""Makers of executors by name; each is given the `Seeds` of the run, and `execution.backend_options` by keyword."""

_REHEARSE, _SNAPSHOT, _IBM = "rehearse:", "fake_", "ibm_"
_NAMES = "'aer', 'statevector', 'fake_...', 'rehearse:ibm_...', 'ibm_...' or 'package.module:factory'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Where circuits run.

    Args:
        name: As a configuration has it.
        kind: ``aer`` or ``statevector``; ``snapshot``, of a device, that comes with IBM's client; ``rehearsal``, a
            simulation by the calibration that a device has when the run begins; ``ibm``, that device; ``provider``,
            a backend of any Qiskit provider; or ``executor``, one of `EXECUTORS`.
        device: The name of a device without its prefix, the factory of a provider's backend as
            ``package.module:factory``; else the name.
    """

    name: str
    kind: Literal["aer", "statevector", "snapshot", "rehearsal", "ibm", "provider", "executor"]
    device: str

    @classmethod
    def named(cls, name: str) -> Backend:
        """The backend of a name.

        Raises:
            ConfigError: There is none of that name.
        """
        if name == "aer":
            return cls(name=name, kind="aer", device=name)
        if name == "statevector":
            return cls(name=name, kind="statevector", device=name)
        if name.startswith(_SNAPSHOT):
            return cls(name=name, kind="snapshot", device=name)
        if name.startswith(_IBM):
            return cls(name=name, kind="ibm", device=name)
        if name.startswith(_REHEARSE):
            return cls(name=name, kind="rehearsal", device=_rehearsed(name))
        if is_named(name):
            return cls(name=name, kind="provider", device=name)
        vendors = {found.name: found.value for found in entry_points(group=VENDORS)}
        if name in vendors:
            return cls(name=name, kind="provider", device=vendors[name])
        if name in EXECUTORS:
            return cls(name=name, kind="executor", device=name)
        known = [*map(repr, (*vendors, *EXECUTORS.kinds)), _NAMES]
        raise ConfigError(f"expected {', '.join(known)}, got '{name}'")

    @property
    def is_ibm(self) -> bool:
        """Whether it is a device behind IBM's service."""
        return self.kind == "ibm"

    @property
    def is_of_provider(self) -> bool:
        """Whether a factory of any Qiskit provider makes it."""
        return self.kind == "provider"

    @property
    def is_own_executor(self) -> bool:
        """Whether it is one of `EXECUTORS`, which runs requests by itself."""
        return self.kind == "executor"

    @property
    def is_rehearsal(self) -> bool:
        """Whether a live device is simulated, by the calibration that it had when the run began."""
        return self.kind == "rehearsal"

    @property
    def is_snapshot(self) -> bool:
        """Whether a device is simulated on this machine: a snapshot, or a live one in rehearsal."""
        return self.kind in ("snapshot", "rehearsal")

    @property
    def is_device(self) -> bool:
        """Whether it is one of IBM's devices, or simulates one."""
        return self.is_ibm or self.is_snapshot


def _rehearsed(name: str) -> str:
    """The device of a rehearsal."""
    device = name.removeprefix(_REHEARSE)
    if device.startswith(_SNAPSHOT):
        raise ConfigError(f"'{name}' names a snapshot, which needs no prefix; use '{device}'")
    if not device.startswith(_IBM):
        raise ConfigError(f"expected 'rehearse:ibm_...', got '{name}'")
    return device
