"""Keys of variational preparations and their circuits; each kind of circuit builds its ansatz."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field

from qep_qiskit.ansatz import Entanglement, ansatz_text, parse_ansatz
from qep_qiskit.config.execution import ExecutionConfig
from qep_qiskit.config.kinds import OneOf, section_registry
from qep_qiskit.config.preparation_section import PreparationScene, PreparationSection
from qep_qiskit.config.section import FILLED_IN, Section, ShotsOrExact, parsed_shots, same_as
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


class AnsatzSection(Section):
    """The circuit of a variational preparation; a custom ansatz derives from this class.

    Example:
        >>> from typing import Literal
        >>> class Rotations(qep.AnsatzSection):
        ...     kind: Literal["rotations"]
        ...     depth: int = 0
        ...
        ...     def build(self, hamiltonian):
        ...         return qep.HardwareEfficient(self.depth)
        ...
        >>> Rotations(kind="rotations", depth=2).build(None)
        HardwareEfficient(depth=2, entanglement='reverse_linear')
    """

    kind: str

    def beside(self, folder: Path) -> Self:
        """Return the section with the content of its files; their paths are relative to the folder."""
        return self

    def build(self, hamiltonian: NudgedHamiltonian) -> Ansatz:
        """Return the circuit for a network of qubits.

        Raises:
            AnsatzError: The circuit cannot be used.
        """
        raise NotImplementedError

    def build_on_grid(self, hamiltonian: NudgedHamiltonian, driver: OscillatorProduct) -> Ansatz:
        """Return the circuit for oscillators on registers.

        Args:
            hamiltonian: Network and cost.
            driver: Product of oscillator ground states, the initial state of a circuit that uses it.
        """
        return self.build(hamiltonian)


class HamiltonianAnsatz(AnsatzSection):
    """Gates of the Hamiltonian in layers, each gate with a free angle."""

    kind: Literal["hamiltonian"] = "hamiltonian"
    depth: int = same_as(HamiltonianVariational, "depth")
    """Number of layers; chains of N spins need about 0.75 N to N, complete graphs N/2 to 0.75 N."""

    def build(self, hamiltonian: NudgedHamiltonian) -> Ansatz:
        """Return layers of the groups of the Hamiltonian."""
        return HamiltonianVariational(self.depth)

    def build_on_grid(self, hamiltonian: NudgedHamiltonian, driver: OscillatorProduct) -> Ansatz:
        """Return layers of positions and momenta."""
        return OscillatorVariational(driver, self.depth)


class HardwareEfficientAnsatz(AnsatzSection):
    """RY, RZ and CX gates, as in Qiskit's ``efficient_su2``."""

    kind: Literal["hardware_efficient"]
    depth: int = same_as(HardwareEfficient, "depth")
    """Number of entangling layers; 0 is a product state."""
    entanglement: Entanglement = same_as(HardwareEfficient, "entanglement")
    """Pairs of qubits that an entangling layer connects."""

    def build(self, hamiltonian: NudgedHamiltonian) -> Ansatz:
        """Return the circuit, which depends on the network only by its number of qubits."""
        return HardwareEfficient(self.depth, self.entanglement)


class FileAnsatz(AnsatzSection):
    """A circuit from a file in OpenQASM 3, with ``input angle`` for every free angle, or in QPY."""

    kind: Literal["file"]
    file: str
    """Path of the file; relative paths start at the folder of the configuration."""
    text: Annotated[str | None, FILLED_IN] = None
    """Content of the file; filled in when the configuration is read, so that a run keeps its initial circuit."""

    def beside(self, folder: Path) -> FileAnsatz:
        """Return the section with the content of the file."""
        file = folder / self.file
        return self.model_copy(update={"file": str(file), "text": ansatz_text(file)})

    def build(self, hamiltonian: NudgedHamiltonian) -> Ansatz:
        """Return the circuit of the file."""
        text = ansatz_text(self.file) if self.text is None else self.text
        reserved = [*hamiltonian.network.layout.names, *(str(string) for string in hamiltonian.terms)]
        return FixedAnsatz(parse_ansatz(text, self.file, hamiltonian.num_qubits, reserved))


ANSATZES = section_registry("ansatzes", AnsatzSection, HamiltonianAnsatz, HardwareEfficientAnsatz, FileAnsatz)
"""Kinds of circuits."""

AnsatzConfig = Annotated[AnsatzSection, OneOf(ANSATZES, default="hamiltonian")]


class VariationalConfig(PreparationSection):
    """Minima of the energy of an ansatz (VQE)."""

    kind: Literal["variational"]
    ansatz: AnsatzConfig = HamiltonianAnsatz()
    """The circuit."""
    level: int = same_as(VariationalPreparation, "level")
    """Index of the eigenstate, 0 for the ground state; excited states by deflation of those below (VQD)."""
    energies: Literal["simulated", "sampled"] = same_as(VariationalPreparation, "energies")
    """``simulated``: exact energies and gradients from state vectors; ``sampled``: every energy is measured."""
    optimizer: str = same_as(VariationalPreparation, "optimizer")
    """``bfgs`` (needs simulated energies), or an optimiser of qiskit-algorithms: ``spsa``, ``nft``, ``cobyla``, ..."""
    options: dict[str, bool | int | float | str] = Field(default={})
    """Options of an optimiser of qiskit-algorithms, such as ``maxiter``; for ``spsa`` also ``resamplings``: directions
    of one iteration, all measured in one request, which is one job on a device."""
    shots: ShotsOrExact | None = None
    """Shots per batch of sampled energies; those of the measurement by default."""
    tolerance: float | None = same_as(VariationalPreparation, "tolerance")
    """Norm of the energy's gradient below which a state is converged; by default, for simulated energies, 1e-4 of the
    largest coefficient, or 3e-4 of the force of the nudge if that is smaller; none for sampled energies."""
    max_evaluations: int = same_as(VariationalPreparation, "max_evaluations")
    """Largest number of energy evaluations for every state, for ``bfgs``."""
    restarts: int = same_as(VariationalPreparation, "restarts")
    """Number of initial points for a state without a warm start, for simulated energies; the lowest energy is kept."""
    residual_directions: int = same_as(VariationalPreparation, "residual_directions")
    """Number of directions in which the slope of sampled energies is measured at the end; the slopes show whether
    nudged states have followed the nudge."""
    residual_shots: int | None = same_as(VariationalPreparation, "residual_shots")
    """Shots per batch of these slopes; those of the energies by default."""
    on_unconverged: Literal["warn", "stop", "go_on"] = same_as(VariationalPreparation, "on_unconverged")
    """Action if a state is not converged."""

    @property
    def measures_energies(self) -> bool:
        """Whether energies are measured rather than simulated."""
        return self.energies == "sampled"

    def beside(self, folder: Path) -> VariationalConfig:
        """Return the section with the content of the file of the circuit."""
        return self.model_copy(update={"ansatz": self.ansatz.beside(folder)})

    def check_memory(self, num_qubits: int, execution: ExecutionConfig, *, is_classical: bool) -> None:
        """Check that the state vectors of the energies and of the execution fit in memory."""
        if not self.measures_energies:
            require_memory(num_qubits, 16 * 6, "simulating the energies")
        super().check_memory(num_qubits, execution, is_classical=is_classical)

    def build(self, scene: PreparationScene) -> Preparation:
        """Return the preparation for a network of qubits."""
        check_level(self.level, scene.hamiltonian.num_qubits)
        return self._with(self.ansatz.build, scene)

    def build_on_grid(self, scene: PreparationScene, driver: OscillatorProduct) -> Preparation:
        """Return the preparation for oscillators on registers."""
        return self._with(partial(self.ansatz.build_on_grid, driver=driver), scene)

    def _with(self, circuit: Callable[[NudgedHamiltonian], Ansatz], scene: PreparationScene) -> Preparation:
        shots = scene.measurement.shots if self.shots is None else self.shots
        self._refuse_idle_keys(shots)
        if self.energies == "sampled" and self.shots is not None and parsed_shots(self.shots) is None:
            scene.execution.require_exact("preparation.shots", scene.hamiltonian.num_qubits)
        return self.made(
            VariationalPreparation,
            ansatz=circuit(scene.hamiltonian),
            seeds=scene.seeds,
            optimizer=self.optimizer.lower(),
            shots=parsed_shots(shots),
        )

    def _refuse_idle_keys(self, shots: int | str) -> None:
        """Check that no key without effect is set; each belongs to another optimiser or kind of energies."""
        sampled, bfgs = self.energies == "sampled", self.optimizer.lower() == BFGS
        known: dict[str, tuple[bool, str]] = {
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
        self.refuse_idle(known)
