"""Base class of the preparation sections; each kind of preparation is one class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from numpy.typing import NDArray

from qep_qiskit.config.execution import ExecutionConfig
from qep_qiskit.config.measurement import MeasurementConfig
from qep_qiskit.config.section import Section
from qep_qiskit.continuous.oscillator_layers import OscillatorProduct
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import Preparation, exact_preparation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparationScene:
    """Input data for the construction of a preparation.

    Args:
        measurement: Keys of the shots.
        execution: Keys of the backend.
        hamiltonian: Network and cost.
        inputs: Shape (samples, inputs), inputs of the training samples.
        seeds: Root of the random streams of the run.

    Example:
        >>> experiment = qep.from_file("configs/xor.toml")
        >>> config, inputs = experiment.config, experiment.task.train.inputs
        >>> scene = qep.PreparationScene(
        ...     measurement=config.measurement,
        ...     execution=config.execution,
        ...     hamiltonian=experiment.estimator.hamiltonian,
        ...     inputs=inputs,
        ...     seeds=experiment.seeds,
        ... )
        >>> type(config.preparation.build(scene)).__name__
        'AdiabaticPreparation'
    """

    measurement: MeasurementConfig
    execution: ExecutionConfig
    hamiltonian: NudgedHamiltonian
    inputs: NDArray
    seeds: Seeds


class PreparationSection(Section):
    """How states are prepared; a custom preparation derives from this class.

    Example:
        >>> from typing import Literal
        >>> class FastRamp(qep.PreparationSection):
        ...     kind: Literal["fast_ramp"]
        ...     steps: int = 10
        ...
        ...     def build(self, scene):
        ...         return qep.AdiabaticPreparation(total_time=2.0, steps=self.steps)
        ...
        >>> FastRamp(kind="fast_ramp").build(None).steps
        10
    """

    has_known_states: ClassVar[bool] = False
    """Whether states are computed without a circuit and sampled directly."""
    anneals: ClassVar[bool] = False
    """Whether states come from an annealer, `execution.backend`."""

    kind: str

    @property
    def measures_energies(self) -> bool:
        """Whether the search for a state uses shots."""
        return False

    @property
    def target_level(self) -> int:
        """Index of the prepared eigenstate, 0 for the ground state, which is the default of every preparation."""
        return int(getattr(self, "level", 0))

    @property
    def state_temperature(self) -> float | None:
        """Temperature of Gibbs states in energy; None where eigenstates are prepared."""
        return None

    @property
    def classical_equilibrium_options(self) -> dict[str, Any]:
        """Options of the preparation of atoms in equilibrium."""
        return {}

    def beside(self, folder: Path) -> Self:
        """Return the section with the content of its files; their paths are relative to the folder."""
        return self

    def splits_components(self, execution: ExecutionConfig) -> bool:
        """Return whether unconnected parts of a network are simulated one by one, without their joint state.

        Args:
            execution: Keys of the backend.
        """
        return False

    def check_memory(self, num_qubits: int, execution: ExecutionConfig, *, is_classical: bool) -> None:
        """Check before construction that the simulation fits in memory; preparations check again when they know more.

        By default it is that of the circuits, and known states are not checked here.

        Args:
            num_qubits: Number of qubits of the network.
            execution: Keys of the backend.
            is_classical: Whether states of the network are classical spin configurations.

        Raises:
            ResourceError: It does not fit in memory.
        """
        if not self.has_known_states:
            execution.check_memory(num_qubits)

    def build(self, scene: PreparationScene) -> Preparation:
        """Return the preparation for a network of qubits.

        Raises:
            ConfigError: It is for other networks, or keys contradict each other.
        """
        raise NotImplementedError

    def build_on_grid(self, scene: PreparationScene, driver: OscillatorProduct) -> Preparation:
        """Return the preparation for oscillators on qubit registers.

        Args:
            scene: Input data of the preparation.
            driver: Product of oscillator ground states similar to the ground states of the training samples.

        Raises:
            ConfigError: It is for other networks, or keys contradict each other.
        """
        raise ConfigError(
            f"preparation.kind: '{self.kind}' is for spins; oscillators on a grid take 'exact', 'adiabatic' or "
            "'variational'"
        )

    def counterpart(self, hamiltonian: NudgedHamiltonian) -> Preparation:
        """Return the preparation of the same states by exact diagonalisation."""
        return exact_preparation(hamiltonian.groups, level=self.target_level)
