"""Base class of the network sections; each kind of network is one class."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ClassVar, Self

from qiskit.transpiler import Target

from qep_qiskit.config.preparation_section import PreparationScene, PreparationSection
from qep_qiskit.config.section import FILLED_IN, Section
from qep_qiskit.core.amounts import amount, there_are
from qep_qiskit.core.errors import ConfigError, NetworkError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network import Network, WeightLayout
from qep_qiskit.network.weights import final_weights
from qep_qiskit.preparation import Preparation
from qep_qiskit.tasks import Task

MOST_SPINS = 1024


def last_spins(count: int, num_spins: int, copies: int = 1) -> tuple[int, ...]:
    """Return as many of the last spins as there are targets.

    Raises:
        NetworkError: There are fewer spins.
    """
    wanted = count * copies
    if wanted > num_spins:
        each = "an output spin" if copies == 1 else f"{copies} output spins (copies)"
        raise NetworkError(
            f"outputs: the task has {amount(count, 'target')}, each needs {each}; {there_are(num_spins, 'spin')}"
        )
    return tuple(range(num_spins - wanted, num_spins))


def _weights_in(path: Path) -> dict[str, float]:
    """Return the final weights by name of a run folder, or of a file `weights.json`."""
    file = path / "weights.json" if path.is_dir() else path
    try:
        content = json.loads(file.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("expected weights by name")
        return final_weights(content)
    except FileNotFoundError:
        reason = "there is no such file; expected the folder of a finished run, or its weights.json"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    except (ValueError, NetworkError) as error:
        reason = f"is not the weights.json of a run ({error})"
    raise ConfigError(f"network.weights_from: {file}: {reason}")


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
    weights_from: str | None = None
    """Start from the trained weights of another run: its folder, or its `weights.json`. A relative path starts at the
    folder of the configuration, or else at the working directory. Both networks must have the same weights by name."""
    start_weights: Annotated[dict[str, float] | None, FILLED_IN] = None
    """The weights of `weights_from`; filled in when the configuration is read, so that the run does not need the
    other one again."""

    def beside(self, folder: Path) -> Self:
        """Return the section with the weights of `weights_from`.

        Args:
            folder: Folder at which relative paths start.

        Raises:
            ConfigError: There are none, or the file is damaged.
        """
        if self.weights_from is None or self.start_weights is not None:
            return self
        places = [folder / self.weights_from, Path(self.weights_from)]
        path = next((place for place in places if place.exists()), places[0])
        return self.model_copy(update={"start_weights": _weights_in(path)})

    def started(self, layout: WeightLayout) -> Self:
        """Return the section whose weights start from `start_weights`.

        Args:
            layout: Names of the weights of the network.

        Raises:
            ConfigError: The names are others.
        """
        self.require_names(layout)
        given = self.start_weights or {}
        blocks = {}
        for block in layout.blocks:
            section = getattr(self, block.key, None)
            if isinstance(section, Section):
                values = {name: given[name] for name in block.names}
                blocks[block.key] = section.model_copy(update={"values": values})
        return self.model_copy(update=blocks)

    def require_names(self, layout: WeightLayout) -> None:
        """Check that `start_weights` are those of the network.

        Args:
            layout: Names of the weights of the network.

        Raises:
            ConfigError: The names are others.
        """
        given = self.start_weights or {}
        lacking = [name for name in layout.names if name not in given]
        foreign = [name for name in given if name not in layout.names]
        if lacking or foreign:
            what = f"has no weight {lacking[0]}" if lacking else f"has a weight {foreign[0]}, which is not one"
            raise ConfigError(
                f"weights_from: '{self.weights_from}' {what} of this network; expected the same weights: "
                f"{len(layout.names)} here, {len(given)} there"
            )

    def require_started(self, layout: WeightLayout, seeds: Seeds) -> None:
        """Check that all weights start from `start_weights`.

        Args:
            layout: Weights of the network.
            seeds: Root of the random streams of the run.

        Raises:
            ConfigError: One does not, because its value is set by another key.
        """
        for name, value in zip(layout.names, layout.initial(seeds).tolist(), strict=True):
            if value != (self.start_weights or {})[name]:
                raise ConfigError(
                    f"weights_from: {name} is set to {value} by another key of the network, and '{self.weights_from}' "
                    f"has {(self.start_weights or {})[name]}; set it in the same way in both"
                )

    @property
    def is_in_space(self) -> bool:
        """Whether the network consists of atoms in space, without qubits."""
        return False

    @property
    def is_on_grid(self) -> bool:
        """Whether qubits are registers of positions."""
        return False

    @property
    def device_qubits(self) -> tuple[int, ...] | None:
        """Physical qubits of a native network, in the order of its sites; None for other networks."""
        return None

    @property
    def cut_from_device(self) -> str | None:
        """Name of the device snapshot that the network is cut from where the backend has no couplings."""
        return None

    @property
    def qubits_ahead(self) -> int | None:
        """Number of qubits where the keys determine it without the task, else None.

        Raises:
            ConfigError: A key is missing, or contradicts others.
        """
        return None

    @property
    def may_fall_apart(self) -> bool:
        """Whether the keys allow parts of the network that nothing couples."""
        return False

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
