"""Callbacks of a run: metrics on disk, checkpoints, and the ledger of device jobs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from numpy.typing import NDArray

from qep_qiskit.core.files import LineFile
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.learning import Callback, Outcome, Record, Trainer
from qep_qiskit.runs.folder import RunFolder


class MetricsFile(Callback):
    """Append every record to the metrics file of a run, one JSON object per line.

    A line is passed to the operating system before any checkpoint that counts it. A run that is killed therefore never
    has fewer lines than its checkpoint counts.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._file = LineFile(folder.metrics_path)

    def _write(self, trainer: Trainer, record: Record) -> None:
        trainer.state.metrics_bytes = self._file.append((json.dumps(record) + "\n").encode())

    on_pilot = on_step = on_epoch = on_final = _write

    def on_end(self, trainer: Trainer, outcome: Outcome) -> None:
        """Close the file."""
        self._file.close()


class KeptRecords(Callback):
    """Keep every record in memory.

    Args:
        earlier: Records of the training that goes on.
    """

    def __init__(self, earlier: Sequence[Record] = ()) -> None:
        self.found = list(earlier)

    def _keep(self, trainer: Trainer, record: Record) -> None:
        self.found.append(record)

    on_pilot = on_step = on_epoch = on_final = _keep


class Checkpoints(Callback):
    """Save the training state after every epoch, at the end of a run, and within an epoch after a given time.

    It must come after `MetricsFile` in the list of callbacks, so that the lines that a checkpoint counts are on disk.

    Args:
        folder: Folder of the run.
        every_seconds: Longest time between two checkpoints, up to the duration of a step.
        at_most_every: Shortest time in seconds between two checkpoints, the last one excepted. Shorter epochs are not
            all saved.
    """

    def __init__(self, folder: RunFolder, *, every_seconds: float = 5.0, at_most_every: float = 0.5) -> None:
        self._folder = folder
        self._fingerprint = folder.fingerprint()
        self._every, self._at_most = every_seconds, at_most_every
        self._saved_at = -float("inf")

    def _save(self, trainer: Trainer) -> None:
        self._folder.save_state(trainer.state, self._fingerprint)
        self._saved_at = time.monotonic()

    def on_request(self, trainer: Trainer, record: Record | None = None) -> None:
        """Save the state within a step, after a step or after a pilot, if the last checkpoint is too old."""
        if time.monotonic() - self._saved_at >= self._every:
            self._save(trainer)

    on_pilot = on_step = on_final = on_request

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """Save the state after an epoch, unless the last checkpoint is younger than `at_most_every`."""
        if time.monotonic() - self._saved_at >= self._at_most:
            self._save(trainer)

    def on_end(self, trainer: Trainer, outcome: Outcome) -> None:
        """Save the last state.

        After a write error nothing is saved, so that the run can be resumed from the last checkpoint.
        """
        if outcome != "broken":
            self._save(trainer)


class LastOutputs(Callback):
    """Keep the outputs that the final weights gave, for the figures of the report.

    Args:
        folder: Folder of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """Write the outputs after the last epoch."""
        if trainer.state.epoch >= trainer.settings.epochs and trainer.state.ending == "no":
            self._write(trainer)

    def on_final(self, trainer: Trainer, record: Record) -> None:
        """Write the outputs with the weights that are kept where a callback has ended the run."""
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        self._folder.write_outputs(last_outputs(trainer))


def last_outputs(trainer: Trainer) -> dict[str, NDArray]:
    """Return the outputs of the last evaluations of a trainer, as `RunFolder.outputs` does."""
    return {} if trainer.evaluations is None else trainer.evaluations.outputs


class AppliedJobs(Callback):
    """Mark device jobs in the ledger as used once a checkpoint contains their results, and close the ledger at the end.

    It must come after `Checkpoints` that save after every record.

    Args:
        ledger: The ledger of the run's jobs.
    """

    def __init__(self, ledger: JobLedger) -> None:
        self._ledger = ledger

    def _mark(self, trainer: Trainer, record: Record) -> None:
        self._ledger.applied()

    on_pilot = on_step = on_epoch = on_final = _mark

    def on_end(self, trainer: Trainer, outcome: Outcome) -> None:
        """Close the ledger."""
        self._ledger.close()
