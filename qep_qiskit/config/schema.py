"""The configuration of a run: every key with its type, default and meaning."""

from __future__ import annotations

from typing import Annotated, Any

from qep_qiskit.config.budget import BudgetConfig
from qep_qiskit.config.callbacks import CallbacksConfig
from qep_qiskit.config.cost import CostConfig, LossCost
from qep_qiskit.config.execution import ExecutionConfig
from qep_qiskit.config.ising import ClassicalIsingConfig, IsingConfig
from qep_qiskit.config.kinds import OneOf, section_registry
from qep_qiskit.config.measurement import ContrastConfig, MeasurementConfig
from qep_qiskit.config.network_section import NetworkSection
from qep_qiskit.config.own_code import OwnCode
from qep_qiskit.config.own_network import OwnNetwork
from qep_qiskit.config.pauli import PauliConfig
from qep_qiskit.config.preparation import AdiabaticConfig, PreparationConfig
from qep_qiskit.config.section import Section, flat, same_as
from qep_qiskit.config.springs import ElasticConfig, OscillatorsConfig
from qep_qiskit.config.task import TaskConfig
from qep_qiskit.config.update import UpdateConfig
from qep_qiskit.core.limits import Index
from qep_qiskit.learning import TrainingSettings

NETWORKS = section_registry(
    "networks",
    NetworkSection,
    IsingConfig,
    ClassicalIsingConfig,
    PauliConfig,
    OscillatorsConfig,
    ElasticConfig,
    OwnNetwork,
)
"""Kinds of networks."""

NetworkConfig = Annotated[NetworkSection, OneOf(NETWORKS, default="ising")]


class TrainingConfig(Section):
    """Length of the training."""

    epochs: int = same_as(TrainingSettings, "epochs")
    """Passes over the training samples."""
    batch_size: int = same_as(TrainingSettings, "batch_size")
    """Samples per step."""
    evaluate_every: int = same_as(TrainingSettings, "evaluate_every")
    """Epochs between evaluations on the test set; 0 for the last only."""
    decay_epochs: int | None = same_as(TrainingSettings, "decay_epochs")
    """Epochs over which the learning rate of `update.decay` decays, after which its final value stays; by default all.
    ``qep resume --epochs`` sets it to the epochs that were planned before."""
    evaluate_final: bool | None = None
    """Whether the training samples are measured once more at the end, with the final weights and
    `measurement.test_shots`. The loss of an epoch is a mean over steps with different weights. None: yes, except on a
    device behind a service, where it is one more job."""


class Config(Section):
    """All sections and keys of a run."""

    name: str = "run"
    """Name of the run, used in titles; the name of the file by default."""
    seed: Index = 0
    """Seed of all random numbers: data split, initial weights, order of samples and every shot follow from it."""
    task: TaskConfig
    """Training and test samples."""
    network: NetworkConfig = IsingConfig()
    """Network that is trained."""
    cost: CostConfig = LossCost()
    """Cost that training minimises."""
    preparation: PreparationConfig = AdiabaticConfig()
    """How states are prepared."""
    measurement: MeasurementConfig = MeasurementConfig()
    """Number and allocation of shots."""
    execution: ExecutionConfig = ExecutionConfig()
    """Where circuits run."""
    contrast: ContrastConfig = ContrastConfig()
    """Nudged phases of the gradient estimate."""
    update: UpdateConfig = UpdateConfig()
    """Optimiser of the weights."""
    training: TrainingConfig = TrainingConfig()
    """Length of the training."""
    callbacks: CallbacksConfig = CallbacksConfig()
    """What is called during the training."""
    budget: BudgetConfig = BudgetConfig()
    """Shot-noise studies of `qep budget`."""

    @property
    def runs_circuits(self) -> bool:
        """Whether states are prepared by circuits on the backend."""
        return not (self.preparation.has_known_states or self.network.is_in_space)

    def resolved(self) -> dict[str, Any]:
        """Return every key with its value, as JSON values."""
        return self.model_dump(mode="json")

    def flat(self) -> dict[str, Any]:
        """Return every key with its value, dotted, without the texts of source files."""
        return flat(_without_sources(self.resolved()))


def _without_sources(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_sources(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: _without_sources(one) for key, one in value.items() if key not in OwnCode.model_fields}
