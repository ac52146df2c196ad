"""Encoding of classes as target values of the outputs, and decoding of outputs."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import numpy as np
from annotated_types import Gt, Le

from qep_qiskit.core.errors import ConfigError, DataError
from qep_qiskit.core.limits import check_value
from qep_qiskit.tasks.arrays import check_indices, float_array, index_array

Encoding = Literal["amplitude", "one_hot"]
Amplitude = Annotated[float, Gt(0), Le(1)]


def default_num_targets(num_classes: int, encoding: Encoding = "amplitude") -> int:
    """Default number of outputs for a number of classes.

    Args:
        num_classes: Number of classes, at least 2.
        encoding: See `encode_labels`.

    Returns:
        1 for two classes, distinguished by the sign of one output; else one output per class. The one-hot encoding
        always has one output per class.
    """
    return 1 if num_classes == 2 and encoding == "amplitude" else num_classes


def encode_labels(
    labels: np.ndarray,
    num_classes: int,
    num_targets: int,
    amplitude: Amplitude = 0.8,
    encoding: Encoding = "amplitude",
) -> np.ndarray:
    """Encode class indices as target values of the outputs.

    Args:
        labels: Class indices, shape (samples,), each in 0..num_classes - 1.
        num_classes: Number of classes, at least 2.
        num_targets: Number of outputs: `num_classes`, or 1 for two classes.
        amplitude: Size of the target values, in (0, 1]; below 1 no output needs its extreme value.
        encoding: "amplitude" gives -amplitude / +amplitude; "one_hot" gives 0 / 1 for cross-entropy.

    Returns:
        float64 array of shape (samples, num_targets). With one output, class 0 is -amplitude and class 1 is +amplitude;
        with one output per class, the output of the sample's class is high and the others are low.

    Raises:
        ConfigError: The number of outputs does not fit the classes, or the amplitude or encoding is invalid.
        DataError: A label is not the index of a class.
    """
    _check_encoding(num_classes, num_targets, amplitude, encoding)
    labels = index_array("labels", labels)
    check_indices("labels", labels, num_classes, f"class indices in 0..{num_classes - 1}")
    low, high = (-amplitude, amplitude) if encoding == "amplitude" else (0.0, 1.0)
    if num_targets == 1:
        return np.where(labels == 1, high, low).reshape(-1, 1)
    return np.where(labels[:, np.newaxis] == np.arange(num_classes), high, low)


def decode(outputs: np.ndarray, num_classes: int) -> np.ndarray:
    """Decode outputs to class indices.

    Args:
        outputs: Output values, shape (samples, num_targets), with one output for two classes or one output per class.
        num_classes: Number of classes, at least 2.

    Returns:
        int64 class indices of shape (samples,): for one output, 1 where it is positive and else 0; for one output per
        class, the largest (the first of equals).

    Raises:
        DataError: The outputs are not finite, or their number does not fit the classes.
    """
    outputs = float_array("outputs", outputs, ndim=2)
    num_targets = outputs.shape[1]
    if num_classes < 2 or (num_targets != num_classes and (num_targets, num_classes) != (1, 2)):
        raise DataError(f"outputs: expected {_fitting(num_classes)} per sample, got {num_targets}")
    if num_targets == 1:
        return (outputs[:, 0] > 0).astype(np.int64)
    best: np.ndarray = np.argmax(outputs, axis=1).astype(np.int64)
    return best


def _check_encoding(num_classes: int, num_targets: int, amplitude: float, encoding: str) -> None:
    if encoding not in get_args(Encoding):
        raise ConfigError(f"encoding: expected one of {', '.join(get_args(Encoding))}, got {encoding!r}")
    check_value("amplitude", amplitude, Amplitude)
    if num_classes < 2:
        raise ConfigError(f"classes: expected at least 2, got {num_classes}")
    if encoding == "one_hot" and num_targets != num_classes:
        raise ConfigError(f"num_targets: one_hot needs {num_classes}, one per class, got {num_targets}")
    if num_targets != num_classes and (num_targets, num_classes) != (1, 2):
        raise ConfigError(f"num_targets: expected {_fitting(num_classes)}, got {num_targets}")


def _fitting(num_classes: int) -> str:
    if num_classes == 2:
        return "1 or 2 outputs for 2 classes"
    return f"{num_classes} outputs for {num_classes} classes"
