"""Callbacks of runs: metrics on disk, checkpoints, and the ledger of jobs on a device."""

from __future__ import annotations

import json
import time

from qep_qiskit.core.files import LineFile
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.learning import Callback, Outcome, Record, Trainer
from qep_qiskit.runs.folder import RunFolder


class MetricsFile(Callback):
    """Appends every record to the metrics file of a run, one JSON object per line.

    A line is handed to the system before any checkpoint that counts it, so that a killed run never has fewer
    lines than its checkpoint says.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._file = LineFile(folder.metrics_path)

    def _write(self, trainer: Trainer, record: Record) -> None:
        trainer.state.metrics_bytes = self._file.append((json.dumps(record) + "\n").encode())

    def on_pilot(self, trainer: Trainer, record: Record) -> None:
        """One line."""
        self._write(trainer, record)

    def on_step(self, trainer: Trainer, record: Record) -> None:
        """One line."""
        self._write(trainer, record)

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """One line."""
        self._write(trainer, record)

    def on_end(self, trainer: Trainer, outcome: Outcome) -> None:
        """Close the file."""
        self._file.close()


class Checkpoints(Callback):
    """Saves the state after every epoch, when a run ends, and in between when some time has passed.

    Must come after `MetricsFile`, so that the lines it counts are on disk.

    Args:
        folder: The run.
        every_seconds: Longest time between two checkpoints, steps permitting. A shorter epoch saves less
            often than every epoch: no more than one checkpoint per `at_most_every` seconds.
        at_most_every: Shortest time between two checkpoints, the last one excepted.
    """

    def __init__(self, folder: RunFolder, *, every_seconds: float = 5.0, at_most_every: float = 0.5) -> None:
        self._folder = folder
        self._fingerprint = folder.fingerprint()
        self._every, self._at_most = every_seconds, at_most_every
        self._saved_at = -float("inf")

    def _save(self, trainer: Trainer) -> None:
        self._folder.save_state(trainer.state, self._fingerprint)
        self._saved_at = time.monotonic()

    def on_request(self, trainer: Trainer) -> None:
        """Save if the last checkpoint is old: the answers of a long step are worth keeping too."""
        if time.monotonic() - self._saved_at >= self._every:
            self._save(trainer)

    def on_pilot(self, trainer: Trainer, record: Record) -> None:
        """The same after pilots."""
        self.on_request(trainer)

    def on_step(self, trainer: Trainer, record: Record) -> None:
        """The same between steps."""
        self.on_request(trainer)

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """Save unless epochs pass faster than checkpoints should."""
        if time.monotonic() - self._saved_at >= self._at_most:
            self._save(trainer)

    def on_end(self, trainer: Trainer, outcome: Outcome) -> None:
        """Save, unless something could not be written: the last checkpoint is what can be gone on from."""
        if outcome != "broken":
            self._save(trainer)


class AppliedJobs(Callback):
    """Tells the ledger which outcomes are part of a checkpoint, and lets go of it at the end.

    Must come after `Checkpoints` that save after every record.

    Args:
        ledger: The ledger of the run's jobs.
    """

    def __init__(self, ledger: JobLedger) -> None:
        self._ledger = ledger

    def on_pilot(self, trainer: Trainer, record: Record) -> None:
        """What was collected is used."""
        self._ledger.applied()

    def on_step(self, trainer: Trainer, record: Record) -> None:
        """What was collected is used."""
        self._ledger.applied()

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """What was collected is used."""
        self._ledger.applied()

    def on_end(self, trainer: Trainer, outcome: Outcome) -> None:
        """Close the ledger."""
        self._ledger.close()
