"""The folder of a run: everything needed to inspect it, resume it, or predict with it.

config.json       the resolved configuration, with versions
data.npz          training and test samples, scaled, with the scaling
metrics.jsonl     one line per step and per epoch
checkpoint.npz    weights, optimiser state and counters; replaced atomically
outputs.npz       outputs of all samples with the final weights, and their standard errors
weights.json      weights by name, before and after (at the end)
summary.json      the table printed at the end
*.png             figures (at the end)
index.html        all of it as a page (at the end)
run.lock          locked by the process that uses the folder
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.config.execution import ExecutionConfig
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import FolderBusyError, QepError, RunFolderError
from qep_qiskit.core.files import Hold, hold, make_folder, remove_leftovers, write_atomically
from qep_qiskit.core.npz import arrays_of
from qep_qiskit.learning.state import TrainingState, load_state, save_state
from qep_qiskit.runs.versions import require_no_newer
from qep_qiskit.tasks import Task, load_task, save_task

_LOCK = "run.lock"
_MAY_CHANGE = ("epochs", "decay_epochs")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths in the folder of a run, and atomic reads and writes of its files.

    Args:
        path: The folder.
    """

    path: Path

    @property
    def metrics_path(self) -> Path:
        """Path of the metrics file, one JSON object per line."""
        return self.path / "metrics.jsonl"

    @classmethod
    def create(cls, path: Path, config: Mapping[str, Any], task: Task, *, private: bool = False) -> RunFolder:
        """Create a run folder that holds the configuration and the data.

        Args:
            path: The new folder.
            config: The resolved configuration.
            task: Training and test samples.
            private: Whether only its owner may read it.

        Raises:
            RunFolderError: The folder exists and is not empty, or cannot be written.
        """
        folder = cls(path)
        with explained(path, "the run folder cannot be written"):
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                is_run = path.is_dir() and (path / "config.json").is_file()
                raise RunFolderError(
                    f"{path}: exists already; "
                    + (f"go on with 'qep resume {path}', or " if is_run else "")
                    + "give another folder with --out"
                )
            make_folder(path, private=private)
            try:
                save_task(path / "data.npz", task)
                folder.write_json("config.json", config)
            except BaseException:  # an incomplete folder would block the next attempt
                (path / "data.npz").unlink(missing_ok=True)
                raise
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run folder.

        Raises:
            RunFolderError: The folder does not exist, or is not a run folder.
        """
        with explained(path, "the run folder cannot be read"):
            if not path.is_dir():
                raise RunFolderError(f"{path}: there is no such folder; expected the folder of a run")
            if (path / "sweep.json").is_file():
                raise RunFolderError(f"{path}: holds the runs of a sweep or of folds; name one of those in {path}/runs")
            if not (path / "config.json").is_file():
                raise RunFolderError(
                    f"{path}: is not the folder of a run (config.json is missing); start a new one with 'qep train'"
                )
        return cls(path)

    def config(self) -> dict[str, Any]:
        """Return the resolved configuration, with the versions that wrote it.

        Raises:
            RunFolderError: The file does not parse, or was not written by this package or an older version of it.
        """
        found = self._read_json("config.json")
        if not isinstance(found, dict) or "qep_qiskit" not in found:
            raise RunFolderError(f"{self.path}/config.json: was not written by this package")
        require_no_newer(found, str(self.path))
        return found

    def task(self) -> Task:
        """Return the training and test samples."""
        return load_task(self.path / "data.npz")

    @property
    def checkpoint_path(self) -> Path:
        """Path of the checkpoint: weights, optimiser state and counters."""
        return self.path / "checkpoint.npz"

    def fingerprint(self) -> str:
        """Return a hash of configuration and data, which a checkpoint of this run must carry.

        Versions may change, and epochs may be added.
        """
        content = self.config().get("config")
        if isinstance(content, dict) and isinstance(content.get("training"), dict):
            training = {key: value for key, value in content["training"].items() if key not in _MAY_CHANGE}
            content = content | {"training": training}
        parts = (json.dumps(content, sort_keys=True).encode(), self._read_bytes("data.npz"))
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

    def load_state(self) -> TrainingState | None:
        """Return the last checkpoint, or None if the run was stopped before the first.

        Raises:
            RunFolderError: The checkpoint or the metrics are damaged or belong to another run, or a checkpoint that
                existed is missing.
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
        """Check that a run without a checkpoint has no metrics but those of the initial weights."""
        content = self._read_bytes("metrics.jsonl") if self.metrics_path.exists() else b""
        steps = content.count(b'"event": "step"')
        if steps or (self.path / "summary.json").exists():
            raise RunFolderError(
                f"{self.checkpoint_path}: is missing, though the run has written the metrics of "
                f"{amount(steps, 'step')}; bring the file back, or train anew with 'qep train' in another folder"
            )

    def _counted_metrics(self, state: TrainingState) -> bytes:
        """Return the part of the metrics file that a checkpoint counts."""
        content = self._read_bytes("metrics.jsonl") if self.metrics_path.exists() else b""
        if len(content) < state.metrics_bytes:
            raise RunFolderError(
                f"{self.metrics_path}: is shorter than the checkpoint says ({len(content)} of {state.metrics_bytes} "
                "bytes); the run folder is damaged"
            )
        return content[: state.metrics_bytes]

    def cut_metrics(self, state: TrainingState | None) -> None:
        """Remove the metrics lines that come after the checkpoint; the resumed run writes them again."""
        if self.metrics_path.is_file():
            os.truncate(self.metrics_path, 0 if state is None else state.metrics_bytes)

    def save_state(self, state: TrainingState, fingerprint: str) -> None:
        """Replace the checkpoint atomically.

        Args:
            state: State of the training.
            fingerprint: Hash of this folder, from `fingerprint`.
        """
        save_state(self.checkpoint_path, state, fingerprint)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file atomically."""
        write_atomically(self.path / name, (json.dumps(content, indent=1) + "\n").encode())

    def write_outputs(self, arrays: Mapping[str, NDArray]) -> None:
        """Write the outputs of evaluations atomically; nothing where there are none.

        Args:
            arrays: Outputs by set of samples, as `outputs` returns them.
        """
        if arrays:
            content = BytesIO()
            np.savez(content, allow_pickle=False, **arrays)
            write_atomically(self.path / "outputs.npz", content.getvalue())

    def outputs(self) -> dict[str, NDArray]:
        """Return outputs by set of samples and their standard errors under the name with ``_errors``; empty without.

        Raises:
            RunFolderError: The file is damaged.
        """
        path = self.path / "outputs.npz"
        try:
            return arrays_of(path.read_bytes()) if path.is_file() else {}
        except (ValueError, BadZipFile) as error:
            raise RunFolderError(f"{path}: is damaged ({error})") from error

    def records(self) -> list[dict[str, Any]]:
        """Return all complete lines of the metrics file."""
        return complete_lines(self.metrics_path)

    def summary(self) -> dict[str, Any] | None:
        """Return the summary of a finished run, or None if it is not finished."""
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
        """Lock the folder for this process.

        Raises:
            RunFolderError: Another process has locked the folder.
        """
        with explained(self.path, "the run folder cannot be locked"):
            lock = held(self.path, _LOCK)
        with lock:
            remove_leftovers(self.path)
            yield

    @contextmanager
    def removed_if_refused(self, execution: ExecutionConfig) -> Iterator[None]:
        """Remove the new folder of a run where an error comes before its first record: there is nothing to go on from.

        A run that may have sent jobs, or spent something, keeps it, and so does one that another process has started.

        Args:
            execution: Keys of the backend.
        """
        keeps = execution.is_remote or execution.names_account
        try:
            yield
        except (QepError, MemoryError) as error:
            if not (keeps or isinstance(error, FolderBusyError) or self.records()):
                shutil.rmtree(self.path, ignore_errors=True)
            raise


def complete_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON lines; an incomplete last line is ignored, and a missing file is empty."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def held(path: Path, name: str) -> Hold:
    """Lock a folder for this process. The lock ends with the process, also if it is killed.

    Raises:
        FolderBusyError: Another process has locked the folder.
    """
    try:
        return hold(path / name)
    except BlockingIOError as error:
        raise FolderBusyError(f"{path}: another process is working in this folder") from error


@contextmanager
def explained(path: Path, what: str) -> Iterator[None]:
    """Return an error of the operating system as one line that names the folder."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(f"{path}: {what} ({error.strerror})") from error
