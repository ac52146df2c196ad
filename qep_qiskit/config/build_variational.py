"""The variational preparation of a configuration: its ansatz, its optimiser, its energies."""

from __future__ import annotations

from qep_qiskit.ansatz import ansatz_text, parse_ansatz
from qep_qiskit.config.build_executor import require_exact
from qep_qiskit.config.schema import Config
from qep_qiskit.config.schema_preparation import FileAnsatz, HamiltonianAnsatz, VariationalConfig
from qep_qiskit.errors import ConfigError
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.preparation import (
    Ansatz,
    FixedAnsatz,
    HamiltonianVariational,
    HardwareEfficient,
    VariationalPreparation,
)
from qep_qiskit.preparation.optimizers import BFGS
from qep_qiskit.seeds import Seeds

__all__ = ["build_variational"]


def build_variational(
    config: Config, section: VariationalConfig, hamiltonian: NudgedHamiltonian, seeds: Seeds
) -> VariationalPreparation:
    """Build it.

    Raises:
        ConfigError: A key does not go with the others, or the optimiser cannot be had.
        AnsatzError: The ansatz file cannot be used.
    """
    shots = config.measurement.shots if section.shots is None else section.shots
    _refuse_idle_keys(section, shots)
    if section.energies == "sampled" and section.shots == "exact":
        require_exact(config, hamiltonian.num_qubits, "preparation.shots")
    return VariationalPreparation(
        ansatz=_ansatz(section, hamiltonian),
        seeds=seeds,
        level=section.level,
        energies=section.energies,
        optimizer=section.optimizer.lower(),
        options=section.options,
        shots=None if shots == "exact" else shots,
        tolerance=section.tolerance,
        max_evaluations=section.max_evaluations,
        restarts=section.restarts,
        residual_directions=section.residual_directions,
        residual_shots=section.residual_shots,
        on_unconverged=section.on_unconverged,
    )


def _refuse_idle_keys(section: VariationalConfig, shots: int | str) -> None:
    """Keys that would do nothing here; each goes with something else."""
    sampled, bfgs = section.energies == "sampled", section.optimizer.lower() == BFGS
    goes_with = {
        "shots": (sampled, "energies = 'sampled'"),
        "residual_directions": (sampled, "energies = 'sampled'"),
        "residual_shots": (
            sampled and shots != "exact" and section.residual_directions > 0,
            "energies = 'sampled' with shots, and residual_directions above 0",
        ),
        "restarts": (not sampled, "energies = 'simulated'"),
        "max_evaluations": (bfgs, f"optimizer = 'bfgs'; '{section.optimizer}' has its own in preparation.options"),
        "tolerance": (not sampled or section.residual_directions > 0, "residual_directions above 0"),
    }
    for key, (used, what) in goes_with.items():
        if not used and getattr(section, key) != type(section).model_fields[key].default:
            raise ConfigError(f"preparation.{key}: goes with {what}; leave it out")


def _ansatz(section: VariationalConfig, hamiltonian: NudgedHamiltonian) -> Ansatz:
    chosen = section.ansatz
    if isinstance(chosen, HamiltonianAnsatz):
        return HamiltonianVariational(chosen.depth)
    if isinstance(chosen, FileAnsatz):
        text = ansatz_text(chosen.file) if chosen.text is None else chosen.text
        reserved = [*hamiltonian.network.layout.names, *(str(word) for word in hamiltonian.words)]
        return FixedAnsatz(parse_ansatz(text, chosen.file, hamiltonian.num_qubits, reserved))
    return HardwareEfficient(chosen.depth, chosen.entanglement)
