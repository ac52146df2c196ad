"""Keys of the section that says what is learned; each kind reads or makes its samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from numpy.typing import NDArray
from pydantic import Field

from qep_qiskit.config.kinds import OneOf, section_registry
from qep_qiskit.config.section import Section
from qep_qiskit.core.errors import DataError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.tasks import (
    Task,
    TaskOptions,
    csv_task,
    digits_task,
    moons_task,
    no_data_task,
    parity_task,
    phase_diagram_task,
    scale_targets,
    xor_task,
)


class TaskSection(Section):
    """What is learned; a task of your own derives from this class."""

    kind: str

    @property
    def scaled_targets(self) -> int:
        """Target numbers that are scaled to what outputs reach."""
        return 0

    @property
    def files(self) -> tuple[str, ...]:
        """Files that the samples are read from."""
        return ()

    def beside(self, folder: Path) -> Self:
        """The section with the paths of its files from a folder on."""
        return self

    def build(self, seeds: Seeds, *, one_hot: bool) -> Task:
        """Read or make the samples.

        Args:
            seeds: Of the run.
            one_hot: Whether classes have a target each, one or zero.
        """
        raise NotImplementedError

    def scaled(self, task: Task, reach: NDArray, *, compares_outputs: bool) -> Task:
        """The samples with targets where outputs can take them.

        Args:
            task: The samples.
            reach: Shape (targets, 2), lowest and highest.
            compares_outputs: Whether the cost compares outputs with targets.
        """
        return task


class _DataTask(TaskSection):
    """Keys that every task with data has."""

    scaling: Literal["none", "standard", "minmax"] | None = None
    """How inputs are scaled, fitted on the training samples; each task has its own default."""
    input_scale: float = Field(default=1.0, gt=0)
    """Factor on the scaled inputs."""
    amplitude: float = Field(default=0.8, gt=0, le=1)
    """Size of the target values of a class, +-amplitude; scaled regression targets take this share of what outputs
    reach."""

    def options(self, *, one_hot: bool) -> TaskOptions:
        """What all tasks with data take."""
        options = TaskOptions(input_scale=self.input_scale, amplitude=self.amplitude)
        if self.scaling is not None:
            options["scaling"] = self.scaling
        if one_hot:
            options["encoding"] = "one_hot"
        return options


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

    @property
    def scaled_targets(self) -> int:
        """Numbers of a regression."""
        return len(self.targets)

    @property
    def files(self) -> tuple[str, ...]:
        """The file."""
        return (self.file,)

    def beside(self, folder: Path) -> CsvTask:
        """With the path of the file from a folder on."""
        return self.model_copy(update={"file": str(folder / self.file)})

    def build(self, seeds: Seeds, *, one_hot: bool) -> Task:
        """Read the file."""
        return csv_task(
            self.file,
            inputs=self.inputs,
            target=self.target,
            targets=self.targets,
            classes=self.classes,
            test_fraction=self.test_fraction,
            seeds=seeds,
            **self.options(one_hot=one_hot),
        )

    def scaled(self, task: Task, reach: NDArray, *, compares_outputs: bool) -> Task:
        """Targets where outputs can take them. Other costs than squared errors know what theirs mean."""
        if self.target_scaling == "auto" and not compares_outputs:
            return task
        try:
            return scale_targets(task, self.target_scaling, reach)
        except DataError as error:
            raise DataError(f"{self.file}: {error}") from None


class XorTask(_DataTask):
    """Exclusive or of two inputs of +-1."""

    kind: Literal["xor"]

    def build(self, seeds: Seeds, *, one_hot: bool) -> Task:
        """Four samples."""
        return xor_task(**self.options(one_hot=one_hot))


class ParityTask(_DataTask):
    """Product of several inputs of +-1."""

    kind: Literal["parity"]
    num_bits: int = Field(default=3, ge=2, le=10)
    """Number of inputs."""

    def build(self, seeds: Seeds, *, one_hot: bool) -> Task:
        """All inputs there are."""
        return parity_task(self.num_bits, **self.options(one_hot=one_hot))


class MoonsTask(_DataTask):
    """Two interleaved half circles (needs scikit-learn)."""

    kind: Literal["moons"]
    num_samples: int = Field(default=200, ge=4)
    """Samples in all."""
    noise: float = Field(default=0.1, ge=0)
    """Standard deviation of the points around the curves."""
    test_fraction: float = Field(default=0.3, ge=0, lt=1)
    """Share kept aside."""

    def build(self, seeds: Seeds, *, one_hot: bool) -> Task:
        """Draw the samples."""
        options = self.options(one_hot=one_hot)
        return moons_task(self.num_samples, self.noise, test_fraction=self.test_fraction, seeds=seeds, **options)


class DigitsTask(_DataTask):
    """Handwritten digits of 8 x 8 pixels (needs scikit-learn)."""

    kind: Literal["digits"]
    test_size: int = Field(default=360, ge=0)
    """Images kept aside, of 1797."""

    def build(self, seeds: Seeds, *, one_hot: bool) -> Task:
        """Load the images."""
        return digits_task(seeds=seeds, test_size=self.test_size, **self.options(one_hot=one_hot))


class PhaseDiagramTask(TaskSection):
    """Phases of the cluster-Ising ring; its couplings g_ZXZ, g_ZZ, g_X, which sum to 4, are the inputs."""

    kind: Literal["phases"]
    num_samples: int = Field(default=2000, ge=1)
    """Points of the phase diagram to train on."""
    test_size: int = Field(default=200, ge=1)
    """Points kept aside, drawn from the whole diagram."""
    patches: list[Annotated[list[float], Field(min_length=3, max_length=3)]] | None = None
    """Squares that training points are drawn from, each as ``[g_X, g_ZZ, width]``; by default the whole diagram."""

    def build(self, seeds: Seeds, *, one_hot: bool) -> Task:
        """Draw the points."""
        return phase_diagram_task(self.num_samples, self.test_size, seeds=seeds, patches=self.patches)


class NoDataTask(TaskSection):
    """An aim without data: one sample without inputs."""

    kind: Literal["none"]
    targets: list[float] = Field(default=[])
    """Target numbers of that sample, one for every output of a loss; an operator cost needs none."""

    def build(self, seeds: Seeds, *, one_hot: bool) -> Task:
        """One sample."""
        return no_data_task(self.targets)


TASKS = section_registry(
    "tasks", TaskSection, CsvTask, XorTask, ParityTask, MoonsTask, DigitsTask, PhaseDiagramTask, NoDataTask
)
"""Kinds of tasks."""

TaskConfig = Annotated[TaskSection, OneOf(TASKS)]
