"""Storage of a task as one npz file: arrays, and a JSON text for the rest. No pickles, an exact round trip."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qep_qiskit.core.errors import RunFolderError
from qep_qiskit.core.files import write_atomically
from qep_qiskit.core.npz import arrays_of
from qep_qiskit.tasks.column_encoding import ColumnEncoding
from qep_qiskit.tasks.dataset import Dataset, Task
from qep_qiskit.tasks.scaling import Scaling

_FORMAT = "qep_qiskit task 3"
_PLAIN = ("name", "label_column", "amplitude", "encoding")
_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def save_task(path_npz: str | Path, task: Task) -> None:
    """Write a task to one file; an existing file is replaced only when the new one is complete.

    Args:
        path_npz: Path of the file; no suffix is added.
        task: The task.

    Raises:
        RunFolderError: The file cannot be written.
    """
    path = Path(path_npz)
    arrays = _arrays("train", task.train)
    if task.test is not None:
        arrays |= _arrays("test", task.test)
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, metadata=np.array(json.dumps(_metadata(task))), **arrays)
    try:
        write_atomically(path, content.getvalue())
    except OSError as error:
        raise RunFolderError(f"{path}: the task cannot be written: {error.strerror}") from None


def load_task(path_npz: str | Path) -> Task:
    """Read a task that `save_task` wrote, bit for bit.

    Returns:
        The task.

    Raises:
        RunFolderError: The file is missing, damaged, or not a task of this package.
    """
    path = Path(path_npz)
    if not path.is_file():
        raise RunFolderError(f"{path}: no task file there")
    try:
        return _read(path)
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise RunFolderError(f"{path}: not a task file, or damaged: {reason}") from None


def _read(path: Path) -> Task:
    arrays = arrays_of(path.read_bytes())
    metadata = json.loads(arrays["metadata"].item())
    if metadata["format"] != _FORMAT:
        raise ValueError(f"expected the format {_FORMAT!r}, got {metadata['format']!r}")
    return _task(metadata, arrays)


def _task(metadata: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Task:
    return Task(
        **{name: metadata[name] for name in _PLAIN},
        train=_dataset("train", metadata, arrays),
        test=_dataset("test", metadata, arrays) if metadata["has_test"] else None,
        scaling=Scaling.from_dict(metadata["scaling"]),
        target_columns=tuple(metadata["target_columns"]),
        target_scaling=None if metadata["target_scaling"] is None else Scaling.from_dict(metadata["target_scaling"]),
        columns=None if metadata["columns"] is None else ColumnEncoding.from_dict(metadata["columns"]),
    )


def _metadata(task: Task) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        **{name: getattr(task, name) for name in (*_PLAIN, "target_columns")},
        "has_test": task.test is not None,
        "classes": task.train.classes,
        "input_names": task.train.input_names,
        "scaling": task.scaling.to_dict(),
        "target_scaling": None if task.target_scaling is None else task.target_scaling.to_dict(),
        "columns": None if task.columns is None else task.columns.to_dict(),
    }


def _arrays(part: str, samples: Dataset) -> dict[str, np.ndarray]:
    arrays = {f"{part}_inputs": samples.inputs, f"{part}_targets": samples.targets}
    if samples.labels is not None:
        arrays[f"{part}_labels"] = samples.labels
    return arrays


def _dataset(part: str, metadata: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Dataset:
    classes = tuple(metadata["classes"])
    return Dataset(
        inputs=arrays[f"{part}_inputs"],
        targets=arrays[f"{part}_targets"],
        labels=arrays[f"{part}_labels"] if classes else None,
        classes=classes,
        input_names=tuple(metadata["input_names"]),
    )
