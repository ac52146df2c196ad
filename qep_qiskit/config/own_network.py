"""Networks that a function of the user makes."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, cast

from pydantic import Field

from qep_qiskit.config.named import called
from qep_qiskit.config.network_section import NetworkSection
from qep_qiskit.config.own_code import OwnCode
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network import ClampedInputs, Network, WeightInitialisation
from qep_qiskit.tasks import Task

_KEY = "network.make"
_PARTS = ("num_qubits", "num_inputs", "outputs", "groups", "layout", "coefficients", "jacobian", "unreached_outputs")


class OwnNetwork(NetworkSection, OwnCode):
    """A network of qubits that a function of your own makes."""

    kind: Literal["own"]
    make: str
    """``module:name`` of a function, or a class, that is called with the task and `options` and returns the network;
    or of a network. The module is searched in the folder of the configuration, in the working directory, and among
    installed packages."""
    options: dict[str, Any] = Field(default={})
    """Keyword arguments of the function."""

    def beside(self, folder: Path) -> Self:
        """Return the section with the sources of the function, and the weights of `weights_from`.

        Raises:
            ConfigError: A file cannot be read.
        """
        return super().beside(folder).keeping(_KEY, self.make, folder)

    def build(self, task: Task, seeds: Seeds, *, reads_spins: bool) -> Network:
        """Return the network that the function makes of the samples.

        Raises:
            ConfigError: The function cannot be imported or raises an exception, or what it returns is no network of
                qubits, or none for the inputs of the task.
        """
        found = self.own_object(_KEY, self.make)
        network = found if _is_network(found) and not isinstance(found, type) else self._made(found, task)
        if network.num_qubits < 1:
            raise ConfigError(f"{_KEY}: expected '{self.make}' to be a network of qubits, got one without")
        if network.num_inputs != task.train.num_inputs:
            raise ConfigError(
                f"{_KEY}: the network of '{self.make}' has {amount(network.num_inputs, 'input')}, the task "
                f"{task.train.num_inputs}; task.train.num_inputs is what the function is given"
            )
        if self.start_weights is None:
            return network
        self.require_names(network.layout)
        return _starting_from(network, self.start_weights)

    def _made(self, make: Any, task: Task) -> Network:
        if not callable(make):
            raise ConfigError(
                f"{_KEY}: expected '{self.make}' to be a network, or a function of the task that makes one, got "
                f"{type(make).__name__}"
            )
        if isinstance(make, type) and issubclass(make, NetworkSection):
            raise ConfigError(
                f"{_KEY}: '{self.make}' is a section of a configuration, whose kind comes from an entry point; name a "
                "function of the task that makes the network"
            )
        network = called(make, self.make, "network", task, key=_KEY, options_key="network.options", **self.options)
        if not _is_network(network):
            raise ConfigError(f"{_KEY}: expected '{self.make}' to return a network, got {type(network).__name__}")
        return network


def _is_network(found: Any) -> bool:
    return all(hasattr(found, name) for name in _PARTS)


def _starting_from(network: Network, values: dict[str, float]) -> Network:
    """Return a network whose weights start from given ones; one of another class than the package's stays as it is."""
    if not is_dataclass(network) or isinstance(network, type):
        return network
    changes: dict[str, Any] = {}
    for block in network.layout.blocks:
        field = block.key if hasattr(network, block.key) else "start"
        part, given = getattr(network, field, None), {name: values[name] for name in block.names}
        if isinstance(part, WeightInitialisation):
            changes[field] = replace(part, values=given)
        elif isinstance(part, ClampedInputs):
            changes[field] = replace(part, start=replace(part.start, values=given))
    return cast(Network, replace(cast(Any, network), **changes))
