"""Keys of the task section; each kind reads or generates its samples."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from numpy.typing import NDArray
from pydantic import Field, field_validator

from qep_qiskit.config.kinds import OneOf, refused, section_registry
from qep_qiskit.config.section import Section, same_as
from qep_qiskit.core.errors import ConfigError, DataError
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
from qep_qiskit.tasks.assembly import task_from_table
from qep_qiskit.tasks.column_encoding import Missing
from qep_qiskit.tasks.csv_format import CsvFormat
from qep_qiskit.tasks.scaling import ScalingKind
from qep_qiskit.tasks.target_scaling import TargetScalingKind


class TaskSection(Section):
    """Training and test samples; a custom task derives from this class."""

    kind: str

    @property
    def files(self) -> tuple[str, ...]:
        """Files from which the samples are read."""
        return ()

    def beside(self, folder: Path) -> Self:
        """Return the section with the paths of its files relative to a folder made absolute."""
        return self

    @property
    def untrained_folds(self) -> int:
        """Number of folds that a training of all of them has; 0 where there is one run."""
        return 0

    def run_seeds(self, seeds: Seeds) -> Seeds:
        """Return the random streams of the run.

        Args:
            seeds: Root of the random streams, with which the samples are built.
        """
        return seeds

    def build(self, seeds: Seeds, *, one_hot: bool) -> Task:
        """Read or generate the samples.

        Args:
            seeds: Root of the random streams of the run.
            one_hot: Whether every class has a target of its own, one or zero.
        """
        raise NotImplementedError

    def scaled(self, task: Task, reach: NDArray, *, compares_outputs: bool) -> Task:
        """Return the samples with targets scaled to the range of the outputs.

        Args:
            task: The samples.
            reach: Shape (targets, 2), lowest and highest value of each output.
            compares_outputs: Whether the cost compares outputs with targets.
        """
        return task


class _MadeTask(TaskSection):
    """Base class of tasks that a function makes; its arguments are the keys of the section."""

    maker: ClassVar[Callable[..., Task]]

    def options(self, *, one_hot: bool) -> TaskOptions:
        """Return the arguments that all tasks with data have in common; none for other tasks."""
        return TaskOptions()

    def build(self, seeds: Seeds, *, one_hot: bool) -> Task:
        """Read, draw or compute the samples."""
        make = type(self).maker
        drawn = {"seeds": seeds} if "seeds" in signature(make).parameters else {}
        return self.made(make, **drawn, **self.options(one_hot=one_hot))


class _DataTask(_MadeTask):
    """Keys of every task with data."""

    scaling: ScalingKind | None = None
    """Scaling of the inputs, fitted on the training samples; each task has its own default."""
    input_scale: float = same_as(task_from_table, "input_scale")
    """Factor on the scaled inputs."""
    amplitude: float = same_as(task_from_table, "amplitude")
    """Target values of a class are +-amplitude; scaled regression targets use this fraction of the output range."""

    def options(self, *, one_hot: bool) -> TaskOptions:
        """Return the arguments that all tasks with data have in common."""
        options = TaskOptions(input_scale=self.input_scale, amplitude=self.amplitude)
        if self.scaling is not None:
            options["scaling"] = self.scaling
        if one_hot:
            options["encoding"] = "one_hot"
        return options


class _TableTask(_DataTask):
    """Keys of tasks from tables, whose targets may be numbers."""

    target_scaling: TargetScalingKind = "auto"
    """Scaling of regression targets, fitted on the training samples and undone in predictions: ``minmax`` maps the
    smallest and the largest to -+amplitude of the output range, ``standard`` maps two standard deviations; ``auto``:
    ``minmax`` where a squared error compares outputs with targets beyond the output range, else ``none``. The output
    range of atoms is that of the inputs that displace the clamped ones."""

    def scaled(self, task: Task, reach: NDArray, *, compares_outputs: bool) -> Task:
        """Return the samples with targets scaled to the range of the outputs.

        With ``target_scaling = "auto"`` they are unchanged unless the cost compares outputs with targets.
        """
        if self.target_scaling == "auto" and not compares_outputs:
            return task
        try:
            return scale_targets(task, self.target_scaling, reach)
        except DataError as error:
            raise DataError(": ".join((*self.files[:1], str(error)))) from None


class ArraysTask(_TableTask):
    """Samples from arrays in memory, as the estimators for scikit-learn give them."""

    kind: Literal["arrays"]

    def build(self, seeds: Seeds, *, one_hot: bool) -> Task:
        """Refuse to build samples: only the caller has the arrays."""
        raise ConfigError(
            "task.kind: 'arrays' are samples that a Python program gives, as QEPClassifier does; here use 'csv'"
        )


class CsvTask(_TableTask):
    """Samples from a CSV file."""

    maker: ClassVar[Callable[..., Task]] = csv_task

    kind: Literal["csv"]
    file: str
    """Path of the file; relative paths start at the folder of the configuration."""
    test_file: str | None = None
    """Path of a file with the test rows, with the same columns; by default they are drawn from `file`."""
    inputs: str | list[str | int]
    """Input columns: names, ranges of names such as `"a:c"` (from a to c), or `"*"` for all that are no targets. With
    `header = false`: numbers from 0, negative ones from the end, and ranges such as `"0:4"` (0 to 3)."""
    target: str | int | None = None
    """Column of class names (classification)."""
    targets: list[str | int] = Field(default=[])
    """Target columns with numbers (regression)."""
    classes: list[str] | None = None
    """Class names in order; by default those in the file."""
    header: bool = same_as(CsvFormat, "header")
    """Whether the first row names the columns."""
    delimiter: str | None = None
    """Sign between columns; by default a comma, semicolon, tab, vertical bar or spaces, as the file has it."""
    decimal: Literal[".", ","] | None = None
    """Decimal sign; by default a comma where it can be nothing else."""
    encoding: str | None = None
    """Encoding of the file, such as `latin-1`; by default UTF-8, or UTF-16 with a byte-order mark."""
    comment: str | None = None
    """Lines that begin with this text are ignored, as blank lines are; by default those with `#` above the table."""
    categorical: list[str | int] | None = None
    """Input columns of categories: every category is an input, one or zero before scaling. By default columns that hold
    only texts, with a note that lists the categories."""
    missing: Missing = same_as(csv_task, "missing")
    """What is done with empty cells, `?`, `NA`, `nan` and `null`: `error`; `drop` leaves out the row; `mean` puts the
    mean over the training rows into inputs, for a category its frequency."""
    test_fraction: float = same_as(csv_task, "test_fraction")
    """Fraction of the rows in the test set."""
    folds: int | None = same_as(csv_task, "folds")
    """Parts for cross-validation in place of `test_fraction`: `qep train` trains a run for each as the test set."""
    fold: int | None = same_as(csv_task, "fold", default=None)
    """The part that is the test set, from 0. By default `qep train` trains all, and other commands take the first."""

    @field_validator("inputs")
    @classmethod
    def _some(cls, inputs: str | list[str | int]) -> str | list[str | int]:
        if not inputs:
            raise refused(f"expected at least one column, got {inputs!r}")
        return inputs

    @property
    def files(self) -> tuple[str, ...]:
        """The CSV files."""
        return (self.file,) if self.test_file is None else (self.file, self.test_file)

    @property
    def untrained_folds(self) -> int:
        """Number of folds, where none is chosen."""
        return self.folds or 0 if self.fold is None else 0

    def beside(self, folder: Path) -> CsvTask:
        """Return the section with the paths of the files made absolute."""
        test_file = None if self.test_file is None else str(folder / self.test_file)
        return self.model_copy(update={"file": str(folder / self.file), "test_file": test_file})

    def run_seeds(self, seeds: Seeds) -> Seeds:
        """Return the random streams of a fold; with equal ones the shot noise of folds would be correlated."""
        return seeds if self.folds is None else Seeds(seeds.simulator_seed("fold", self.fold or 0))

    def build(self, seeds: Seeds, *, one_hot: bool) -> Task:
        """Read the samples."""
        draws = self.test_file is None and self.folds is None
        self.refuse_idle(
            {
                "test_fraction": (draws, "rows drawn from the file, without test_file and folds"),
                "fold": (self.folds is not None, "folds"),
            }
        )
        return self.made(csv_task, layout=self.made(CsvFormat), seeds=seeds, **self.options(one_hot=one_hot))


class XorTask(_DataTask):
    """Exclusive or of two inputs of +-1."""

    maker: ClassVar[Callable[..., Task]] = xor_task

    kind: Literal["xor"]


class ParityTask(_DataTask):
    """Product of several inputs of +-1."""

    maker: ClassVar[Callable[..., Task]] = parity_task

    kind: Literal["parity"]
    num_bits: int = same_as(parity_task, "num_bits")
    """Number of inputs."""


class MoonsTask(_DataTask):
    """Two interleaved half circles (needs scikit-learn)."""

    maker: ClassVar[Callable[..., Task]] = moons_task

    kind: Literal["moons"]
    num_samples: int = same_as(moons_task, "num_samples")
    """Number of samples, training and test set together."""
    noise: float = same_as(moons_task, "noise")
    """Standard deviation of the points around the curves."""
    test_fraction: float = same_as(moons_task, "test_fraction")
    """Fraction of the samples in the test set."""


class DigitsTask(_DataTask):
    """Handwritten digits of 8 x 8 pixels (needs scikit-learn)."""

    maker: ClassVar[Callable[..., Task]] = digits_task

    kind: Literal["digits"]
    test_size: int = same_as(digits_task, "test_size")
    """Images in the test set, of 1797."""


class PhaseDiagramTask(_MadeTask):
    """Phases of the cluster-Ising ring; its couplings g_ZXZ, g_ZZ, g_X, which sum to 4, are the inputs."""

    maker: ClassVar[Callable[..., Task]] = phase_diagram_task

    kind: Literal["phases"]
    num_samples: int = same_as(phase_diagram_task, "num_samples")
    """Points of the phase diagram in the training set."""
    test_size: int = same_as(phase_diagram_task, "test_size")
    """Points in the test set, drawn from the whole diagram."""
    patches: list[Annotated[list[float], Field(min_length=3, max_length=3)]] | None = None
    """Squares from which training points are drawn, each as ``[g_X, g_ZZ, width]``; by default the whole diagram."""


class NoDataTask(_MadeTask):
    """A task without data: one sample without inputs, or inputs that the configuration gives."""

    maker: ClassVar[Callable[..., Task]] = no_data_task

    kind: Literal["none"]
    targets: list[float] = Field(default=[])
    """Target values of each sample, one for every output of a loss; an operator cost needs none."""
    inputs: list[list[float]] = Field(default=[])
    """Inputs of the samples, one row each."""


TASKS = section_registry(
    "tasks", TaskSection, CsvTask, XorTask, ParityTask, MoonsTask, DigitsTask, PhaseDiagramTask, NoDataTask
)
"""Kinds of tasks."""
TASKS.add("arrays", ArraysTask, listed=False)

TaskConfig = Annotated[TaskSection, OneOf(TASKS)]
