"""The backend of a configuration; its name is parsed only here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Literal

from qep_qiskit.config.named import is_named
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.registry import Registry
from qep_qiskit.execution import Executor
from qep_qiskit.preparation.ocean import OFFLINE, is_offline, is_sampler_name

VENDORS = "qep_qiskit.backends"
"""Entry points that register factories of backends by name."""

EXECUTORS: Registry[Callable[..., Executor]] = Registry(
    "qep_qiskit.executors", callable, "a function of the seeds of a run that makes an Executor"
)
"""Factories of executors by name; each is called with the `Seeds` of the run, and with `execution.backend_options` as
keyword arguments."""

_Kind = Literal["aer", "statevector", "mps", "snapshot", "rehearsal", "ibm", "provider", "executor", "ocean"]
IBM = "ibm_"
"""Beginning of the names of IBM's devices."""
_STARTS = _REHEARSE, _SNAPSHOT, _, _OCEAN = "rehearse:", "fake_", IBM, "ocean:"
_KINDS: dict[str, _Kind] = {
    "aer": "aer",
    "statevector": "statevector",
    "mps": "mps",
    _REHEARSE: "rehearsal",
    _SNAPSHOT: "snapshot",
    IBM: "ibm",
    _OCEAN: "ocean",
}
_NAMES = (
    "'aer', 'statevector', 'mps', 'fake_...', 'rehearse:ibm_...', 'ibm_...', 'ocean:...' or 'package.module:factory'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The backend on which circuits run.

    Args:
        name: The name in the configuration.
        kind: ``aer``, ``statevector`` or ``mps``; ``snapshot``, a device snapshot of IBM's client; ``rehearsal``, a
            simulation with the calibration of a live device at the start of the run; ``ibm``, that device itself;
            ``provider``, a backend of any Qiskit provider; ``executor``, one of `EXECUTORS`; or ``ocean``, a sampler of
            Ocean for classical spins.
        device: Name of the device or of the sampler without its prefix, or the factory of a provider's backend as
            ``package.module:factory``; otherwise the name.
    """

    name: str
    kind: _Kind
    device: str

    @classmethod
    def named(cls, name: str) -> Backend:
        """Return the backend of a given name.

        Raises:
            ConfigError: No backend has this name.
        """
        kind = _KINDS.get(name) or next((_KINDS[start] for start in _STARTS if name.startswith(start)), None)
        if kind is not None:
            return cls(name=name, kind=kind, device=_BEHIND_PREFIX.get(kind, str)(name))
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
    def anneals(self) -> bool:
        """Whether the backend is a sampler of Ocean."""
        return self.kind == "ocean"

    @property
    def anneals_elsewhere(self) -> bool:
        """Whether the backend is a device of D-Wave, or made by a factory of any sampler."""
        return self.anneals and not is_offline(self.device)

    @property
    def is_ibm(self) -> bool:
        """Whether the backend is a device of IBM's service."""
        return self.kind == "ibm"

    @property
    def is_of_provider(self) -> bool:
        """Whether the backend is made by a factory of any Qiskit provider."""
        return self.kind == "provider"

    @property
    def is_own_executor(self) -> bool:
        """Whether the backend is one of `EXECUTORS`, which process requests without a Qiskit backend."""
        return self.kind == "executor"

    @property
    def is_rehearsal(self) -> bool:
        """Whether the backend simulates a live device with its calibration at the start of the run."""
        return self.kind == "rehearsal"

    @property
    def is_snapshot(self) -> bool:
        """Whether the backend simulates a device on this machine, from a snapshot or in a rehearsal."""
        return self.kind in ("snapshot", "rehearsal")

    @property
    def is_device(self) -> bool:
        """Whether the backend is one of IBM's devices, or simulates one."""
        return self.is_ibm or self.is_snapshot


def _rehearsed(name: str) -> str:
    """Return the name of the device of a rehearsal."""
    device = name.removeprefix(_REHEARSE)
    if device.startswith(_SNAPSHOT):
        raise ConfigError(f"'{name}' names a snapshot, which needs no prefix; use '{device}'")
    if not device.startswith(IBM):
        raise ConfigError(f"expected 'rehearse:ibm_...', got '{name}'")
    return device


def _sampler(name: str) -> str:
    """Return the name of a sampler of Ocean."""
    sampler = name.removeprefix(_OCEAN)
    if not (is_sampler_name(sampler) or is_named(sampler)):
        names = ", ".join(f"'{_OCEAN}{known}'" for known in OFFLINE)
        raise ConfigError(
            f"expected {names}, '{_OCEAN}dwave', '{_OCEAN}dwave:NAME' or '{_OCEAN}package.module:factory', got '{name}'"
        )
    return sampler


_BEHIND_PREFIX: dict[_Kind, Callable[[str], str]] = {"rehearsal": _rehearsed, "ocean": _sampler}
