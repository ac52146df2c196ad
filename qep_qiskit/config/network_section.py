"""Base class of the network sections; each kind of network is one class."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

from qiskit.transpiler import Target

from qep_qiskit.config.preparation_section import PreparationScene, PreparationSection
from qep_qiskit.config.section import Section
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network import Network
from qep_qiskit.preparation import Preparation
from qep_qiskit.tasks import Task

MOST_SPINS = 1024


def last_spins(count: int, num_spins: int) -> tuple[int, ...]:
    """Return as many of the last spins as there are targets.

    Args:
        count: Number of targets.
        num_spins: Number of spins.

    Raises:
        NetworkError: There are fewer spins.
    """
    if count > num_spins:
        raise NetworkError(
            f"outputs: the task has {count} targets, each needs an output spin; there are {num_spins} spins"
        )
    return tuple(range(num_spins - count, num_spins))


class NetworkSection(Section):
    """The network that is trained; a custom network derives from this class.

    Example:
        >>> from typing import Literal
        >>> class Ring(qep.NetworkSection):
        ...     kind: Literal["ring_of_spins"]
        ...     spins: int = 4
        ...
        ...     def build(self, task, seeds, *, reads_spins):
        ...         return qep.IsingNetwork(graph=qep.ring(self.spins), outputs=(0,))
        ...
        >>> Ring(kind="ring_of_spins").build(qep.no_data_task(), qep.Seeds(0), reads_spins=True).num_qubits
        4
    """

    site: ClassVar[str] = "spin"
    """Name of one element of the network, such as ``spin``."""
    has_shot_noise: ClassVar[bool] = True
    """Whether measurement results have shot noise."""
    is_classical: ClassVar[bool] = False
    """Whether its states are classical spin configurations."""
    connection: ClassVar[str] = "add terms that join it to the inputs"
    """How to connect an output to the inputs, in words for a warning."""
    symmetry_breaker: ClassVar[str] = "terms with"
    """What breaks the flip symmetry of all spins, in words that ``values other than zero`` follows."""

    kind: str

    @property
    def is_in_space(self) -> bool:
        """Whether the network consists of atoms in space, without qubits."""
        return False

    @property
    def device_qubits(self) -> tuple[int, ...] | None:
        """Physical qubits of a native network, in the order of its sites; None for other networks."""
        return None

    @property
    def qubits_ahead(self) -> int | None:
        """Number of qubits where the keys determine it without the task, else None.

        Raises:
            ConfigError: A key is missing, or contradicts others.
        """
        return None

    def cut_from(self, device: Callable[[int], Target]) -> Self:
        """Return the section with the data of a device.

        `device` returns the target of a device for a number of qubits.
        """
        return self

    def build(self, task: Task, seeds: Seeds, *, reads_spins: bool) -> Network:
        """Return the network, with as many inputs and outputs as the task has inputs and targets.

        Args:
            task: The samples.
            seeds: Root of the random streams of the run.
            reads_spins: Whether the cost uses the outputs of the network, rather than observables of its own.

        Raises:
            ConfigError: Keys contradict each other.
            NetworkError: The network is not well defined.
        """
        raise NotImplementedError

    def prepared(self, section: PreparationSection, scene: PreparationScene) -> Preparation:
        """Return the preparation of states of this network.

        Args:
            section: Keys of the preparation.
            scene: Input data of the preparation.

        Raises:
            ConfigError: The preparation is for another kind of network, or keys contradict each other.
            ResourceError: The preparation does not fit in memory.
        """
        return section.build(scene)
