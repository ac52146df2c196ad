"""The configuration of a run: every key, its type, its default, and what it means."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from qep_qiskit.config.schema_budget import BudgetConfig
from qep_qiskit.config.schema_execution import ExecutionConfig
from qep_qiskit.config.schema_network import IsingConfig, NetworkConfig
from qep_qiskit.config.schema_preparation import AdiabaticConfig, PreparationConfig
from qep_qiskit.config.schema_spending import ContrastConfig, MeasurementConfig
from qep_qiskit.config.section import Section

__all__ = [
    "Config",
    "ContrastConfig",
    "CostConfig",
    "CostTermConfig",
    "CsvTask",
    "DigitsTask",
    "LossCost",
    "MoonsTask",
    "NoDataTask",
    "OperatorCostConfig",
    "ParityTask",
    "PhasesTask",
    "TaskConfig",
    "TrainingConfig",
    "UpdateConfig",
    "XorTask",
]


class _DataTask(Section):
    """Keys that every task with data has."""

    scaling: Literal["none", "standard", "minmax"] | None = None
    """How inputs are scaled, fitted on the training samples; each task has its own default."""
    input_scale: float = Field(default=1.0, gt=0)
    """Factor on the scaled inputs."""
    amplitude: float = Field(default=0.8, gt=0, le=1)
    """Size of the target values of a class, +-amplitude; scaled regression targets take this share of what outputs
    reach."""


class CsvTask(_DataTask):
    """A CSV file of the user's own."""

    kind: Literal["csv"]
    file: str
    """Path of the file; relative paths start at the folder of the configuration."""
    inputs: list[str] = Field(min_length=1)
    """Input columns."""
    target: str | None = None
    """Column of class names (classification)."""
    targets: list[str] = Field(default=[])
    """Columns of numbers (regression)."""
    target_scaling: Literal["auto", "none", "standard", "minmax"] = "auto"
    """How these are scaled, fitted on the training samples and undone in predictions: ``minmax`` sends the smallest and
    the largest to -+amplitude of what the outputs reach, ``standard`` two standard deviations; ``auto``: ``minmax``
    where a squared error compares outputs with targets beyond their reach, else ``none``. Atoms reach as far as the
    inputs that move the clamped ones."""
    classes: list[str] | None = None
    """Class names in order; those of the file by default."""
    test_fraction: float = Field(default=0.3, ge=0, lt=1)
    """Share of the rows kept aside."""


class XorTask(_DataTask):
    """Exclusive or of two inputs of +-1."""

    kind: Literal["xor"]


class ParityTask(_DataTask):
    """Product of several inputs of +-1."""

    kind: Literal["parity"]
    num_bits: int = Field(default=3, ge=2, le=10)
    """Number of inputs."""


class MoonsTask(_DataTask):
    """Two interleaved half circles (needs scikit-learn)."""

    kind: Literal["moons"]
    num_samples: int = Field(default=200, ge=4)
    """Samples in all."""
    noise: float = Field(default=0.1, ge=0)
    """Standard deviation of the points around the curves."""
    test_fraction: float = Field(default=0.3, ge=0, lt=1)
    """Share kept aside."""


class DigitsTask(_DataTask):
    """Handwritten digits of 8 x 8 pixels (needs scikit-learn)."""

    kind: Literal["digits"]
    test_size: int = Field(default=360, ge=0)
    """Images kept aside, of 1797."""


class PhasesTask(Section):
    """Phases of the cluster-Ising ring; its couplings g_ZXZ, g_ZZ, g_X, which sum to 4, are the inputs."""

    kind: Literal["phases"]
    num_samples: int = Field(default=2000, ge=1)
    """Points of the phase diagram to train on."""
    test_size: int = Field(default=200, ge=1)
    """Points kept aside, drawn from the whole diagram."""
    patches: list[Annotated[list[float], Field(min_length=3, max_length=3)]] | None = None
    """Squares that training points are drawn from, each as ``[g_X, g_ZZ, width]``; by default the whole diagram."""


class NoDataTask(Section):
    """An aim without data: one sample without inputs."""

    kind: Literal["none"]
    targets: list[float] = Field(default=[])
    """Target numbers of that sample, one for every output of a loss; an operator cost needs none."""


TaskConfig = Annotated[
    CsvTask | XorTask | ParityTask | MoonsTask | DigitsTask | PhasesTask | NoDataTask, Field(discriminator="kind")
]


class CostTermConfig(Section):
    """One term of an operator cost."""

    pauli: str
    """Pauli word such as ``Z0 Z3``, ``I`` for a constant, or a sum such as ``0.5 Z0 - 0.5 Z1 Z2``."""
    coefficient: float = 1.0
    """Real factor."""
    target: int | None = Field(default=None, ge=0)
    """Index of the target number that multiplies the term."""


class LossCost(Section):
    """A loss on expectations of the outputs."""

    kind: Literal["loss"]
    loss: str = "squared_error"
    """``squared_error``, ``cross_entropy``, ``negative_abs`` (minus the sum of |<O>|, without targets), or
    ``module:name`` of a loss of your own."""
    gain: float = Field(default=3.0, gt=0)
    """Factor on the expectations under the softmax of the cross-entropy."""
    observables: list[str] | None = Field(default=None, min_length=1)
    """Outputs instead of Z of the output spins: Pauli words, or sums such as ``0.2 - 0.08 Z0 Z1``."""


class OperatorCostConfig(Section):
    """An observable C(y)."""

    kind: Literal["operator"]
    operator: Literal["squared_error"] | None = None
    """``squared_error``: sum over outputs of (Z - y)^2, or of (r - y)^2 where outputs are displacements r of atoms."""
    terms: list[CostTermConfig] = Field(default=[])
    """Any other observable, term by term."""


CostConfig = Annotated[LossCost | OperatorCostConfig, Field(discriminator="kind")]


class UpdateConfig(Section):
    """How weights move."""

    kind: Literal["gradient_descent", "momentum", "adam"] = "adam"
    """Optimiser."""
    learning_rate: float = Field(default=0.05, gt=0)
    """At the start."""
    decay: Literal["constant", "linear", "cosine", "exponential"] = "constant"
    """Schedule of the learning rate."""
    final_fraction: float = Field(default=0.05, gt=0, le=1)
    """Share of the learning rate left at the end."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Of ``momentum``."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Of ``adam``."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Of ``adam``."""
    epsilon: float = Field(default=1e-8, gt=0)
    """Of ``adam``: added to the root of the mean square of a gradient, in its unit. Gradients far below do not train:
    lower it where energies are large numbers."""
    normalize: bool = False
    """Scale every gradient to length one."""


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
    """A word for titles; the name of the file by default."""
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
