"""What every section that says what learns answers for; each kind is one class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

from qiskit.transpiler import Target

from qep_qiskit.config.section import Section
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network import Network
from qep_qiskit.preparation import Preparation
from qep_qiskit.tasks import Task


class NetworkSection(Section):
    """What learns; a network of your own derives from this class."""

    site: ClassVar[str] = "spin"
    """What the network is made of."""
    is_classical: ClassVar[bool] = False
    """Whether its states are classical spins."""
    connection: ClassVar[str] = "add terms that join it to the inputs"
    """What joins an output to the inputs, in words for a warning."""
    symmetry_breaker: ClassVar[str] = "terms with"
    """What breaks the flip symmetry of all spins, in words that ``values other than zero`` follows."""
    own_preparation: ClassVar[str] = "exact"
    """Kind of preparation of a network of atoms in space, besides ``exact``."""

    kind: str

    @property
    def is_in_space(self) -> bool:
        """Whether it is a network of atoms in space, and not on qubits."""
        return False

    @property
    def has_shot_noise(self) -> bool:
        """Whether readings scatter."""
        return True

    @property
    def device_qubits(self) -> tuple[int, ...] | None:
        """The device's qubits, site after site, of a network cut from it; None where they are free to choose."""
        return None

    @property
    def qubits_ahead(self) -> int | None:
        """Qubits, where the keys alone tell.

        Raises:
            ConfigError: A key is missing, or does not go with the others.
        """
        return None

    def cut_from(self, device: Callable[[int], Target]) -> Self:
        """The section with what is taken from the device in it; `device` finds it for a number of qubits."""
        return self

    def build(self, task: Task, seeds: Seeds, *, reads_spins: bool) -> Network:
        """The network, sized by the task's inputs and targets.

        Args:
            task: Samples.
            seeds: Of the run.
            reads_spins: Whether the cost reads the outputs of the network, and no observables of its own.

        Raises:
            ConfigError: A key does not go with the others.
            NetworkError: The network is not well defined.
        """
        raise NotImplementedError

    def classical_equilibrium(self, network: Any, **options: Any) -> Preparation:
        """How a network of atoms in space is prepared."""
        raise ConfigError(f"network.kind: '{self.kind}' is no network of atoms in space")
