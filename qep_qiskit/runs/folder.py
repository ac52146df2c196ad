"""The folder of a run: everything needed to look at it, resume it, or predict with it.

config.json       the resolved configuration, with versions
data.npz          training and test samples, scaled, with the scaling
metrics.jsonl     one line per step and per epoch
checkpoint.npz    weights, optimiser memory and counters; replaced atomically
weights.json      weights by name, before and after (at the end)
summary.json      the table printed at the end
*.png             figures (at the end)
run.lock          held by the process that works in the folder
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qep_qiskit.core.errors import FolderBusyError, RunFolderError
from qep_qiskit.core.files import hold, write_atomically
from qep_qiskit.learning.state import TrainingState, load_state, save_state
from qep_qiskit.tasks import Task, load_task, save_task

_LOCK = "run.lock"


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
        folder = cls(path)
        with _explained(path, "the run folder cannot be written"):
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                is_run = path.is_dir() and (path / "config.json").is_file()
                raise RunFolderError(
                    f"{path}: exists already; "
                    + (f"go on with 'qep resume {path}', or " if is_run else "")
                    + "give another folder with --out"
                )
            path.mkdir(parents=True, exist_ok=True)
            try:
                save_task(path / "data.npz", task)
                folder.write_json("config.json", config)
            except BaseException:  # half a folder would stand in the way of the next try
                (path / "data.npz").unlink(missing_ok=True)
                raise
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run.

        Raises:
            RunFolderError: The folder is not there, or is not one of a run.
        """
        with _explained(path, "the run folder cannot be read"):
            if not path.is_dir():
                raise RunFolderError(f"{path}: there is no such folder; expected the folder of a run")
            if not (path / "config.json").is_file():
                raise RunFolderError(
                    f"{path}: is not the folder of a run (config.json is missing); start a new one with 'qep train'"
                )
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

    @property
    def checkpoint_path(self) -> Path:
        """Weights, optimiser memory and counters."""
        return self.path / "checkpoint.npz"

    def fingerprint(self) -> str:
        """Hash of configuration and data: a checkpoint belongs to one."""
        parts = [self._read_bytes(name) for name in ("config.json", "data.npz")]
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

    def load_state(self) -> TrainingState | None:
        """The last checkpoint, or None if the run was stopped before the first.

        Raises:
            RunFolderError: The checkpoint or the metrics are damaged, or belong to another run; or there is no
                checkpoint any more, though there was one.
        """
        if not self.checkpoint_path.exists():
            self._require_untrained()
            return None
        state = load_state(self.checkpoint_path, self.fingerprint())
        counted = self._counted_metrics(state)
        try:
            [json.loads(line) for line in counted.splitlines()]
        except ValueError as error:
            raise RunFolderError(f"{self.metrics_path}: is damaged ({error}); start the run anew") from error
        return state

    def _require_untrained(self) -> None:
        """Without a checkpoint nothing but a first look at the starting weights can have been written."""
        content = self._read_bytes("metrics.jsonl") if self.metrics_path.exists() else b""
        steps = content.count(b'"event": "step"')
        if steps or (self.path / "summary.json").exists():
            raise RunFolderError(
                f"{self.checkpoint_path}: is missing, though the run has written the metrics of {steps} steps; bring "
                "the file back, or train anew with 'qep train' in another folder"
            )

    def _counted_metrics(self, state: TrainingState) -> bytes:
        """The part of the metrics file that a checkpoint counts."""
        content = self._read_bytes("metrics.jsonl") if self.metrics_path.exists() else b""
        if len(content) < state.metrics_bytes:
            raise RunFolderError(
                f"{self.metrics_path}: is shorter than the checkpoint says ({len(content)} of {state.metrics_bytes} "
                "bytes); the run folder is damaged"
            )
        return content[: state.metrics_bytes]

    def cut_metrics(self, state: TrainingState | None) -> None:
        """Drop metrics lines that no checkpoint counts; the resumed run writes them again."""
        if self.metrics_path.is_file():
            os.truncate(self.metrics_path, 0 if state is None else state.metrics_bytes)

    def save_state(self, state: TrainingState, fingerprint: str) -> None:
        """Replace the checkpoint; the fingerprint is that of this folder."""
        save_state(self.checkpoint_path, state, fingerprint)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file atomically."""
        write_atomically(self.path / name, (json.dumps(content, indent=1) + "\n").encode())

    def records(self) -> list[dict[str, Any]]:
        """All complete metrics lines."""
        if not self.metrics_path.is_file():
            return []
        lines = self.metrics_path.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def summary(self) -> dict[str, Any] | None:
        """The final numbers of a finished run; None if it is not finished."""
        try:
            found = json.loads((self.path / "summary.json").read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _read_bytes(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise RunFolderError(f"{self.path / name}: cannot be read ({error.strerror})") from error

    def _read_json(self, name: str) -> Any:
        try:
            return json.loads(self._read_bytes(name))
        except ValueError as error:
            raise RunFolderError(f"{self.path / name}: is damaged ({error})") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; the lock goes with the process, however it ends.

        Raises:
            RunFolderError: Another process is at work in the folder.
        """
        with _explained(self.path, "the run folder cannot be locked"):
            try:
                lock = hold(self.path / _LOCK)
            except BlockingIOError as error:
                raise FolderBusyError(f"{self.path}: another process is working in this folder") from error
        with lock:
            yield


@contextmanager
def _explained(path: Path, what: str) -> Iterator[None]:
    """Turn what the system says into one line about the folder."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(f"{path}: {what} ({error.strerror})") from error
