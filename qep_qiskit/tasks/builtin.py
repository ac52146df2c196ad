"""The built-in tasks: XOR, parity, two moons, handwritten digits, and a task without data."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Sequence
from types import ModuleType
from typing import Annotated, Unpack

import numpy as np
from annotated_types import Ge, Le

from qep_qiskit.core.errors import ConfigError, DataError
from qep_qiskit.core.limits import Index, NotNegative, check_value
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.tasks.assembly import TaskOptions, task_from_table
from qep_qiskit.tasks.dataset import Dataset, Task
from qep_qiskit.tasks.scaling import Scaling
from qep_qiskit.tasks.splitting import TestFraction
from qep_qiskit.tasks.table import RawTable

_SPIN_CLASSES = ("-1", "+1")
_LABEL_COLUMN = "label"
ParityBits = Annotated[int, Ge(2), Le(10)]
MoonPoints = Annotated[int, Ge(4)]


def xor_task(**options: Unpack[TaskOptions]) -> Task:
    """Build the XOR task: all four samples for training, inputs not scaled by default.

    Args:
        **options: See `TaskOptions`.

    Returns:
        The task; with one output, the target is amplitude times the product of the inputs.

    Raises:
        ConfigError: An option is out of range.

    Example:
        >>> task = qep.xor_task()
        >>> task.train.inputs.shape, task.train.targets.ravel()
        ((4, 2), array([ 0.8, -0.8, -0.8,  0.8]))
    """
    options.setdefault("scaling", "none")
    return task_from_table("xor", _products(2), classes=_SPIN_CLASSES, **options)


def parity_task(num_bits: ParityBits = 3, **options: Unpack[TaskOptions]) -> Task:
    """Build the parity task: all samples for training, inputs not scaled by default.

    Args:
        num_bits: The number of spins, 2..10.
        **options: See `TaskOptions`.

    Returns:
        The task; with one output, the target is amplitude times the product of the inputs.

    Raises:
        ConfigError: An option or the number of spins is out of range.

    Example:
        >>> qep.parity_task(3).train.num_samples
        8
    """
    check_value("num_bits", num_bits, ParityBits)
    options.setdefault("scaling", "none")
    return task_from_table("parity", _products(num_bits), classes=_SPIN_CLASSES, **options)


def moons_task(
    num_samples: MoonPoints = 200,
    noise: NotNegative = 0.1,
    *,
    test_fraction: TestFraction = 0.3,
    seeds: Seeds,
    **options: Unpack[TaskOptions],
) -> Task:
    """Build the task of two interleaved half circles, "outer" and "inner" (scikit-learn's make_moons).

    Args:
        num_samples: Number of points of both parts together, at least 2.
        noise: Standard deviation of the noise of each coordinate, 0 or more.
        test_fraction: Fraction of test points, in [0, 1).
        seeds: Root of the random streams, for the points and the test part.
        **options: See `TaskOptions`.

    Returns:
        The task.

    Raises:
        ConfigError: An option is out of range, or scikit-learn is missing.

    Example:
        >>> task = qep.moons_task(num_samples=20, seeds=qep.Seeds(0))
        >>> task.train.num_samples, task.test.num_samples
        (14, 6)
    """
    check_value("num_samples", num_samples, MoonPoints)
    check_value("noise", noise, NotNegative)
    classes, seed = ("outer", "inner"), int(seeds.generator("moons").integers(2**31))
    points, labels = _sklearn_datasets().make_moons(num_samples, noise=noise, random_state=seed)
    names = tuple(classes[label] for label in labels)
    raw = RawTable(inputs=points, input_names=("x", "y"), labels=names, label_column=_LABEL_COLUMN)
    return task_from_table("moons", raw, classes=classes, test_fraction=test_fraction, seeds=seeds, **options)


def digits_task(*, seeds: Seeds, test_size: Index = 360, **options: Unpack[TaskOptions]) -> Task:
    """Build the task of handwritten digits, inputs scaled to [-1, 1] by default.

    Args:
        seeds: Root of the random streams, for the test part.
        test_size: Number of test digits, 0..1796.
        **options: See `TaskOptions`.

    Returns:
        The task, with ten outputs.

    Raises:
        ConfigError: An option is out of range, or scikit-learn is missing.

    Example:
        >>> task = qep.digits_task(seeds=qep.Seeds(0))
        >>> task.train.inputs.shape, task.train.num_targets
        ((1437, 64), 10)
    """
    options.setdefault("scaling", "minmax")
    images = _sklearn_datasets().load_digits()
    raw = RawTable(
        inputs=images.data,
        input_names=tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8)),
        labels=tuple(str(label) for label in images.target),
        label_column=_LABEL_COLUMN,
    )
    return task_from_table("digits", raw, test_size=test_size, seeds=seeds, **options)


def no_data_task(targets: Sequence[float] = (), inputs: Sequence[Sequence[float]] = ()) -> Task:
    """Build a task without data: one sample with no inputs, or given inputs.

    Args:
        targets: Target numbers of each sample, for a loss on expectations.
        inputs: Inputs of the samples, such as two points between which a sensor has to tell; they are not scaled.

    Raises:
        DataError: The samples do not have equally many inputs.

    Example:
        >>> qep.no_data_task().train.num_inputs
        0
    """
    if len({len(row) for row in inputs}) > 1:
        raise DataError(
            f"inputs: expected equally many of each sample, got {', '.join(str(len(row)) for row in inputs)}"
        )
    rows = np.array(inputs, dtype=float) if len(inputs) else np.empty((1, 0))
    wanted = np.tile(np.array(targets, dtype=float), (len(rows), 1))
    names = tuple(f"x{index}" for index in range(rows.shape[1]))
    samples = Dataset(inputs=rows, targets=wanted, labels=None, classes=(), input_names=names)
    columns = tuple(f"target{index}" for index in range(len(targets)))
    return Task(name="no_data", train=samples, test=None, scaling=Scaling.fit(rows, "none"), target_columns=columns)


def _products(num_bits: int) -> RawTable:
    spins = np.array(list(itertools.product((-1, 1), repeat=num_bits)))
    return RawTable(
        inputs=spins,
        input_names=tuple(f"s{index}" for index in range(num_bits)),
        labels=tuple(_SPIN_CLASSES[int(product > 0)] for product in spins.prod(axis=1)),
        label_column=_LABEL_COLUMN,
    )


def _sklearn_datasets() -> ModuleType:
    try:
        return importlib.import_module("sklearn.datasets")
    except ImportError:
        raise ConfigError("this task needs scikit-learn; install with pip install 'qep_qiskit[datasets]'") from None
