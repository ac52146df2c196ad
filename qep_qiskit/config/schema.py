"""The configuration of a run: every key, its type, its default, and what it means."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from qep_qiskit.config.schema_budget import BudgetConfig
from qep_qiskit.config.schema_cost import CostConfig, LossCost
from qep_qiskit.config.schema_execution import ExecutionConfig
from qep_qiskit.config.schema_measurement import ContrastConfig, MeasurementConfig
from qep_qiskit.config.schema_network import IsingConfig, NetworkConfig
from qep_qiskit.config.schema_preparation import AdiabaticConfig, PreparationConfig
from qep_qiskit.config.schema_task import TaskConfig
from qep_qiskit.config.schema_update import UpdateConfig
from qep_qiskit.config.section import Section


class TrainingConfig(Section):
    """Length of the run."""

    epochs: int = Field(default=20, gt=0)
    """Passes over the training samples."""
    batch_size: int = Field(default=16, gt=0)
    """Samples per step."""
    evaluate_every: int = Field(default=1, ge=0)
    """Epochs between evaluations on the test set; 0 for the last only."""
    evaluate_final: bool | None = None
    """Whether the training samples are measured once more at the end, with the final weights and
    `measurement.test_shots`; the loss of an epoch is a mean over weights that move. None: yes, but on a device behind a
    service, where it is one more job."""


class Config(Section):
    """A whole run."""

    name: str = "run"
    """A Pauli string for titles; the name of the file by default."""
    seed: int = Field(default=0, ge=0)
    """The one seed: data split, starting weights, order of samples and every shot follow from it."""
    task: TaskConfig
    """What is learned."""
    network: NetworkConfig = IsingConfig()
    """What learns."""
    cost: CostConfig = LossCost(kind="loss")
    """The aim."""
    preparation: PreparationConfig = AdiabaticConfig(kind="adiabatic")
    """How states are reached."""
    measurement: MeasurementConfig = MeasurementConfig()
    """Shots."""
    execution: ExecutionConfig = ExecutionConfig()
    """Where circuits run."""
    contrast: ContrastConfig = ContrastConfig()
    """Nudges."""
    update: UpdateConfig = UpdateConfig()
    """How weights move."""
    training: TrainingConfig = TrainingConfig()
    """Length of the run."""
    budget: BudgetConfig = BudgetConfig()
    """What `qep budget` studies."""

    def resolved(self) -> dict[str, Any]:
        """Every key with its value, as plain data."""
        return self.model_dump(mode="json")
