"""Keys of variational preparations and of their circuits; each kind of circuit builds its ansatz."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from qep_qiskit.ansatz import ansatz_text, parse_ansatz
from qep_qiskit.config.build_executor import require_exact
from qep_qiskit.config.kinds import OneOf, section_registry
from qep_qiskit.config.preparation_section import PreparationScene, PreparationSection, refuse_given
from qep_qiskit.config.section import Section, Shots, ShotsOrExact, parsed_shots
from qep_qiskit.continuous.oscillator_ansatz import OscillatorVariational
from qep_qiskit.continuous.oscillator_layers import OscillatorProduct
from qep_qiskit.core.memory import require_memory
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import (
    Ansatz,
    FixedAnsatz,
    HamiltonianVariational,
    HardwareEfficient,
    Preparation,
    VariationalPreparation,
    check_level,
)
from qep_qiskit.preparation.optimizers import BFGS

if TYPE_CHECKING:
    from qep_qiskit.config.schema import Config


class AnsatzSection(Section):
    """The circuit of a variational preparation; an ansatz of your own derives from this class."""

    kind: str

    def beside(self, folder: Path) -> Self:
        """The section with what its files hold, whose paths start at a folder."""
        return self

    def build(self, hamiltonian: NudgedHamiltonian) -> Ansatz:
        """The circuit for a network of qubits.

        Raises:
            AnsatzError: It cannot be used.
        """
        raise NotImplementedError

    def build_on_grid(self, hamiltonian: NudgedHamiltonian, driver: OscillatorProduct) -> Ansatz:
        """The circuit for oscillators on registers, which begins like a `driver` or as for any qubits."""
        return self.build(hamiltonian)


class HamiltonianAnsatz(AnsatzSection):
    """The Hamiltonian's own gates, layer after layer, each with a free angle."""

    kind: Literal["hamiltonian"]
    depth: int = Field(default=3, ge=1)
    """Number of layers; chains need about 0.75 N to N, complete graphs N/2 to 0.75 N."""

    def build(self, hamiltonian: NudgedHamiltonian) -> Ansatz:
        """Layers of its groups."""
        return HamiltonianVariational(self.depth)

    def build_on_grid(self, hamiltonian: NudgedHamiltonian, driver: OscillatorProduct) -> Ansatz:
        """Layers of positions and momenta."""
        return OscillatorVariational(driver, self.depth)


class HardwareEfficientAnsatz(AnsatzSection):
    """RY, RZ and CX gates, as Qiskit's ``efficient_su2``."""

    kind: Literal["hardware_efficient"]
    depth: int = Field(default=2, ge=0)
    """Number of entangling layers; 0 is a product state."""
    entanglement: Literal["reverse_linear", "linear", "circular", "full", "pairwise"] = "reverse_linear"
    """Which qubits an entangling layer connects."""

    def build(self, hamiltonian: NudgedHamiltonian) -> Ansatz:
        """The same for any network."""
        return HardwareEfficient(self.depth, self.entanglement)


class FileAnsatz(AnsatzSection):
    """A circuit of the user's own, in OpenQASM 3 with ``input angle`` for every free angle, or in QPY."""

    kind: Literal["file"]
    file: str
    """Path of the file; relative paths start at the folder of the configuration."""
    text: str | None = None
    """Its content; filled in when the configuration is read, so that a run keeps the circuit it began with."""

    def beside(self, folder: Path) -> FileAnsatz:
        """With the content of the file."""
        file = folder / self.file
        return self.model_copy(update={"file": str(file), "text": ansatz_text(file)})

    def build(self, hamiltonian: NudgedHamiltonian) -> Ansatz:
        """The circuit as it is."""
        text = ansatz_text(self.file) if self.text is None else self.text
        reserved = [*hamiltonian.network.layout.names, *(str(string) for string in hamiltonian.terms)]
        return FixedAnsatz(parse_ansatz(text, self.file, hamiltonian.num_qubits, reserved))


ANSATZES = section_registry("ansatzes", AnsatzSection, HamiltonianAnsatz, HardwareEfficientAnsatz, FileAnsatz)
"""Kinds of circuits."""

AnsatzConfig = Annotated[AnsatzSection, OneOf(ANSATZES)]


class VariationalConfig(PreparationSection):
    """Minima of the energy of an ansatz (VQE)."""

    kind: Literal["variational"]
    ansatz: AnsatzConfig = HamiltonianAnsatz(kind="hamiltonian")
    """The circuit."""
    level: int = Field(default=0, ge=0)
    """Which eigenstate, 0 for the ground state; higher ones by deflation of those below (VQD)."""
    energies: Literal["simulated", "sampled"] = "simulated"
    """``simulated``: exact energies and gradients from state vectors; ``sampled``: every energy is measured."""
    optimizer: str = "bfgs"
    """``bfgs`` (needs simulated energies), or an optimiser of qiskit-algorithms: ``spsa``, ``nft``, ``cobyla``, ..."""
    options: dict[str, bool | int | float | str] = Field(default={})
    """Options of an optimiser of qiskit-algorithms, such as ``maxiter``; of ``spsa`` ``resamplings`` too: directions of
    one iteration, all measured in one request, which is one job on a device."""
    shots: ShotsOrExact | None = None
    """Shots per batch of sampled energies; those of the measurement by default."""
    tolerance: float | None = Field(default=None, gt=0)
    """Norm of the energy's gradient below which a state is converged; by default, for simulated energies, 1e-4 of the
    largest coefficient, or 3e-4 of the force of the nudge where that is less; none for sampled ones."""
    max_evaluations: int = Field(default=3000, gt=0)
    """Of the energy, for every state; of ``bfgs``."""
    restarts: int = Field(default=1, ge=1)
    """Starts tried where nothing is known of a state; of simulated energies."""
    residual_directions: int = Field(default=4, ge=0)
    """Directions in which the slope of sampled energies is measured at the end: they tell whether nudged states have
    followed the nudge."""
    residual_shots: Shots | None = None
    """Shots per batch of these slopes; those of the energies by default."""
    on_unconverged: Literal["warn", "stop", "go_on"] = "warn"
    """What to do with states that are not converged."""

    @property
    def measures_energies(self) -> bool:
        """Where they are not simulated."""
        return self.energies == "sampled"

    def beside(self, folder: Path) -> VariationalConfig:
        """With the circuit of a file."""
        return self.model_copy(update={"ansatz": self.ansatz.beside(folder)})

    def check_memory(self, config: Config, num_qubits: int) -> None:
        """Vectors of the energies, and what the execution takes."""
        if not self.measures_energies:
            require_memory(num_qubits, 16 * 6, "simulating the energies")
        super().check_memory(config, num_qubits)

    def build(self, scene: PreparationScene) -> Preparation:
        """For any network of qubits."""
        check_level(self.level, scene.hamiltonian.num_qubits)
        return self._with(self.ansatz.build, scene)

    def build_on_grid(self, scene: PreparationScene, driver: OscillatorProduct) -> Preparation:
        """For registers."""
        return self._with(partial(self.ansatz.build_on_grid, driver=driver), scene)

    def _with(self, circuit: Callable[[NudgedHamiltonian], Ansatz], scene: PreparationScene) -> Preparation:
        shots = scene.config.measurement.shots if self.shots is None else self.shots
        self._refuse_idle_keys(shots)
        if self.energies == "sampled" and self.shots is not None and parsed_shots(self.shots) is None:
            require_exact(scene.config, scene.hamiltonian.num_qubits, "preparation.shots")
        return VariationalPreparation(
            ansatz=circuit(scene.hamiltonian),
            seeds=scene.seeds,
            level=self.level,
            energies=self.energies,
            optimizer=self.optimizer.lower(),
            options=self.options,
            shots=parsed_shots(shots),
            tolerance=self.tolerance,
            max_evaluations=self.max_evaluations,
            restarts=self.restarts,
            residual_directions=self.residual_directions,
            residual_shots=self.residual_shots,
            on_unconverged=self.on_unconverged,
        )

    def _refuse_idle_keys(self, shots: int | str) -> None:
        """Keys that would do nothing here; each goes with something else."""
        sampled, bfgs = self.energies == "sampled", self.optimizer.lower() == BFGS
        goes_with = {
            "shots": (sampled, "energies = 'sampled'"),
            "residual_directions": (sampled, "energies = 'sampled'"),
            "residual_shots": (
                sampled and parsed_shots(shots) is not None and self.residual_directions > 0,
                "energies = 'sampled' with shots, and residual_directions above 0",
            ),
            "restarts": (not sampled, "energies = 'simulated'"),
            "max_evaluations": (bfgs, f"optimizer = 'bfgs'; '{self.optimizer}' has its own in preparation.options"),
            "tolerance": (not sampled or self.residual_directions > 0, "residual_directions above 0"),
        }
        for key, (used, what) in goes_with.items():
            if not used:
                refuse_given(self, (key,), f"goes with {what}")
