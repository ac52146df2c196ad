"""The configuration of a run: every key, its type, its default, and what it means."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from qep_qiskit.config.schema_execution import ExecutionConfig
from qep_qiskit.config.schema_preparation import AdiabaticConfig, PreparationConfig
from qep_qiskit.config.section import Section

__all__ = [
    "Config",
    "ContrastConfig",
    "CostTermConfig",
    "CsvTask",
    "DigitsTask",
    "InputsConfig",
    "LossCost",
    "MoonsTask",
    "NetworkConfig",
    "NoDataTask",
    "OperatorCostConfig",
    "ParityTask",
    "StartConfig",
    "TaskConfig",
    "TrainingConfig",
    "UpdateConfig",
    "XorTask",
]


Pair = Annotated[list[int], Field(min_length=2, max_length=2)]

_MOST_SPINS = 1024


class _DataTask(Section):
    """Keys that every task with data has."""

    scaling: Literal["none", "standard", "minmax"] | None = None
    """How inputs are scaled, fitted on the training samples; each task has its own default."""
    input_scale: float = Field(default=1.0, gt=0)
    """Factor on the scaled inputs."""
    amplitude: float = Field(default=0.8, gt=0, le=1)
    """Size of the target values of a class, +-amplitude."""


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


class NoDataTask(Section):
    """An aim without data: one sample, no inputs, no targets."""

    kind: Literal["none"]


TaskConfig = Annotated[
    CsvTask | XorTask | ParityTask | MoonsTask | DigitsTask | NoDataTask, Field(discriminator="kind")
]


class StartConfig(Section):
    """Starting values and constraints of a block of weights."""

    init: Literal["constant", "uniform", "normal"] | None = None
    """Distribution the weights are drawn from."""
    mean: float | None = None
    """Value of ``constant``, mean of ``normal``."""
    std: float | None = Field(default=None, ge=0)
    """Standard deviation of ``normal``."""
    low: float | None = None
    """Lower end of ``uniform``."""
    high: float | None = None
    """Upper end of ``uniform``."""
    values: list[float] | dict[str, float] | None = None
    """Explicit values: a list for the whole block, or a table by weight name."""
    frozen: bool | list[str] | None = None
    """Whether the block trains, or the names of the weights that do not."""
    min: float | None = None
    """Lower bound."""
    max: float | None = None
    """Upper bound."""


class BiasesConfig(StartConfig):
    """Biases b; can be left out altogether."""

    enabled: bool = True
    """False leaves biases out of the network."""


class InputsConfig(StartConfig):
    """How inputs enter the network."""

    mode: Literal["clamped", "fields"] = "clamped"
    """``clamped``: through trainable weights W[a,k]; ``fields``: as fixed fields on input spins."""
    spins: list[int] | None = Field(default=None, min_length=1)
    """Spins the inputs act on; by default all (clamped), the first layer, or the first spins (fields)."""
    links: list[Pair] | None = Field(default=None, min_length=1)
    """Explicit (input, spin) pairs instead of all inputs to `spins`."""
    strength: float = 1.0
    """Factor on the input, for ``fields``."""


class NetworkConfig(Section):
    """The transverse-field Ising network."""

    kind: Literal["ising"] = "ising"
    graph: Literal["chain", "ring", "lattice", "complete", "layered", "heavy_hex", "edges"] = "complete"
    """Name of the graph; each takes its own keys below."""
    num_spins: int | None = Field(default=None, ge=1, le=_MOST_SPINS)
    """Spins of a chain, ring, complete graph or edge list."""
    shape: Pair | None = None
    """Rows and columns of a lattice."""
    periodic: bool = False
    """Whether a lattice is closed in both directions."""
    layers: list[int] | None = None
    """Spins per layer of a layered graph."""
    distance: int | None = Field(default=None, ge=1, le=25)
    """Code distance of a heavy-hex graph (odd)."""
    edges: list[Pair] | None = None
    """Edge list."""
    outputs: list[int] | None = None
    """Output spins; by default the last layer, or as many of the last spins as there are targets."""
    couplings: StartConfig = StartConfig()
    """J, one per edge."""
    fields: StartConfig = StartConfig()
    """h, one per spin; floored at 0.1 unless `min` says otherwise."""
    biases: BiasesConfig = BiasesConfig()
    """b, one per spin."""
    inputs: InputsConfig = InputsConfig()
    """W, one per input and spin."""


class CostTermConfig(Section):
    """One term of an operator cost."""

    pauli: str
    """Pauli word such as ``Z0 Z3``; ``I`` for a constant."""
    coefficient: float = 1.0
    """Real factor."""
    target: int | None = Field(default=None, ge=0)
    """Index of the target number that multiplies the term."""


class LossCost(Section):
    """A loss on expectations of the outputs."""

    kind: Literal["loss"]
    loss: str = "squared_error"
    """``squared_error``, ``cross_entropy``, or ``module:name`` of a loss of your own."""
    gain: float = Field(default=3.0, gt=0)
    """Factor on the expectations under the softmax of the cross-entropy."""
    observables: list[str] | None = Field(default=None, min_length=1)
    """Pauli words to use as outputs instead of Z of the output spins."""


class OperatorCostConfig(Section):
    """An observable C(y)."""

    kind: Literal["operator"]
    operator: Literal["squared_error"] | None = None
    """``squared_error``: sum over outputs of (Z - y)^2."""
    terms: list[CostTermConfig] = Field(default=[])
    """Any other observable, term by term."""


CostConfig = Annotated[LossCost | OperatorCostConfig, Field(discriminator="kind")]


class MeasurementConfig(Section):
    """Shots."""

    shots: Annotated[int, Field(gt=0)] | Literal["exact"] = 200
    """Shots per batch: per sample, phase and commuting group; ``exact`` for expectations without noise."""


class ContrastConfig(Section):
    """Nudges."""

    kind: Literal["one_sided", "symmetric", "four_point"] = "symmetric"
    """Stencil of nudged phases."""
    beta: float = 0.3
    """Nudge strength; of either sign for ``one_sided``."""


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


class Config(Section):
    """A whole run."""

    name: str = "run"
    """A word for titles; the name of the file by default."""
    seed: int = Field(default=0, ge=0)
    """The one seed: data split, starting weights, order of samples and every shot follow from it."""
    task: TaskConfig
    """What is learned."""
    network: NetworkConfig = NetworkConfig()
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

    def resolved(self) -> dict[str, Any]:
        """Every key with its value, as plain data."""
        return self.model_dump(mode="json")
