"""What every section that says how states are reached answers for; each kind is one class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from qep_qiskit.config.section import Section
from qep_qiskit.continuous.oscillator_layers import OscillatorProduct
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import Preparation, exact_preparation

if TYPE_CHECKING:
    from qep_qiskit.config.schema import Config


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparationScene:
    """What a preparation is built for.

    Args:
        config: The configuration.
        hamiltonian: Network and cost.
        inputs: Shape (samples, inputs), of the training samples.
        seeds: Of the run.
    """

    config: Config
    hamiltonian: NudgedHamiltonian
    inputs: NDArray
    seeds: Seeds


class PreparationSection(Section):
    """How states are reached; a preparation of your own derives from this class."""

    kind: str

    @property
    def has_known_states(self) -> bool:
        """Whether states are known without a circuit, and sampled as they are."""
        return False

    @property
    def measures_energies(self) -> bool:
        """Whether shots are spent on the way to a state."""
        return False

    @property
    def target_level(self) -> int:
        """Which eigenstate is prepared; preparations that know no other prepare the ground state."""
        return int(getattr(self, "level", 0))

    @property
    def state_temperature(self) -> float | None:
        """Of Gibbs states; None where eigenstates are prepared."""
        return None

    @property
    def classical_equilibrium_options(self) -> dict[str, Any] | None:
        """Arguments for atoms in equilibrium; None where this is for other networks."""
        return None

    def beside(self, folder: Path) -> Self:
        """The section with what its files hold, whose paths start at a folder."""
        return self

    def check_memory(self, config: Config, num_qubits: int) -> None:
        """Refuse what cannot be simulated before anything is built; preparations look again when they know more.

        Raises:
            ResourceError: It does not fit in memory.
        """
        config.execution.check_memory(num_qubits)

    def build(self, scene: PreparationScene) -> Preparation:
        """For a network of qubits.

        Raises:
            ConfigError: It is for other networks, or keys do not go together.
        """
        raise NotImplementedError

    def build_on_grid(self, scene: PreparationScene, driver: OscillatorProduct) -> Preparation:
        """For oscillators on registers.

        Args:
            scene: What it is built for.
            driver: Product of oscillators like the ground states of the training samples.

        Raises:
            ConfigError: It is for other networks, or keys do not go together.
        """
        raise ConfigError(
            f"preparation.kind: '{self.kind}' is for spins; oscillators on a grid take 'exact', 'adiabatic' or "
            "'variational'"
        )

    def counterpart(self, hamiltonian: NudgedHamiltonian) -> Preparation:
        """The states that are sought, exactly."""
        return exact_preparation(hamiltonian.groups, level=self.target_level)


def refuse_given(section: Section, keys: tuple[str, ...], why: str) -> None:
    """Keys of a preparation that would do nothing.

    Raises:
        ConfigError: One has another value than its default.
    """
    for key in keys:
        if getattr(section, key) != type(section).model_fields[key].default:
            raise ConfigError(f"preparation.{key}: {why}; leave it out")
