"""The folder of a run: everything needed to look at it, resume it, or predict with it.

config.json       the resolved configuration, with versions
data.npz          training and test samples, scaled, with the scaling
metrics.jsonl     one line per step and per epoch
checkpoint.npz    weights, optimiser memory and counters; replaced atomically
weights.json      weights by name, before and after (at the end)
summary.json      the table printed at the end
*.png             figures (at the end)
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qep_qiskit.errors import RunFolderError
from qep_qiskit.learning.state import TrainingState, load_state, save_state, write_atomically
from qep_qiskit.tasks import Task, load_task, save_task

__all__ = ["RunFolder"]


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths and safe writes in the folder of a run.

    Args:
        path: The folder.
    """

    path: Path

    @property
    def metrics_path(self) -> Path:
        """One JSON object per line."""
        return self.path / "metrics.jsonl"

    @classmethod
    def create(cls, path: Path, config: Mapping[str, Any], task: Task) -> RunFolder:
        """Make a new folder with configuration and data in it.

        Raises:
            RunFolderError: The folder is there already and not empty, or cannot be written.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunFolderError(
                f"{path}: exists already; go on with 'qep resume {path}', or give another folder with --out"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
            folder = cls(path)
            save_task(path / "data.npz", task)
            folder.write_json("config.json", config)
        except OSError as error:
            raise RunFolderError(f"{path}: cannot write the run folder ({error.strerror})") from error
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run.

        Raises:
            RunFolderError: The folder is not there, or is not one of a run.
        """
        if not path.is_dir():
            raise RunFolderError(f"{path}: there is no such folder; expected the folder of a run")
        if not (path / "config.json").is_file():
            raise RunFolderError(f"{path}: is not the folder of a run (config.json is missing)")
        return cls(path)

    def config(self) -> dict[str, Any]:
        """The resolved configuration.

        Raises:
            RunFolderError: It does not parse, or was not written by this package.
        """
        found = self._read_json("config.json")
        if not isinstance(found, dict) or "qep_qiskit" not in found:
            raise RunFolderError(f"{self.path}/config.json: was not written by this package")
        return found

    def task(self) -> Task:
        """Training and test samples."""
        return load_task(self.path / "data.npz")

    def load_state(self) -> TrainingState:
        """The last checkpoint, with the metrics file cut back to what belongs to it.

        Raises:
            RunFolderError: The checkpoint or the metrics are missing or damaged.
        """
        state = load_state(self.path / "checkpoint.npz")
        length = self.metrics_path.stat().st_size if self.metrics_path.is_file() else 0
        if length < state.metrics_bytes:
            raise RunFolderError(
                f"{self.metrics_path}: is shorter than the checkpoint says ({length} of {state.metrics_bytes} "
                "bytes); the run folder is damaged"
            )
        return state

    def cut_metrics(self, state: TrainingState) -> None:
        """Drop metrics lines written after the checkpoint; the resumed run writes them again."""
        if self.metrics_path.is_file():
            os.truncate(self.metrics_path, state.metrics_bytes)

    def save_state(self, state: TrainingState) -> None:
        """Replace the checkpoint."""
        save_state(self.path / "checkpoint.npz", state)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file atomically."""
        write_atomically(self.path / name, (json.dumps(content, indent=1) + "\n").encode())

    def records(self) -> list[dict[str, Any]]:
        """All complete metrics lines."""
        if not self.metrics_path.is_file():
            return []
        lines = self.metrics_path.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def _read_json(self, name: str) -> Any:
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunFolderError(f"{self.path / name}: is damaged or cannot be read ({error})") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; the lock goes with the process, however it ends.

        Raises:
            RunFolderError: Another process is at work in the folder.
        """
        with (self.path / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunFolderError(f"{self.path}: another process is working in this folder") from error
            yield
