"""``qep resume``: continue a run."""

from __future__ import annotations

import argparse
from dataclasses import replace

from qep_qiskit.cli.train import train_in
from qep_qiskit.cli.unattended import run_unattended
from qep_qiskit.cli.working import require_device
from qep_qiskit.config import Experiment
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.runs.cluster import states_on_cluster
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.other_settings import with_settings
from qep_qiskit.runs.training import ledger_path, open_run, with_epochs


def run(options: argparse.Namespace) -> int:
    """Continue from the last checkpoint; for a finished run only the report is written again."""
    folder, experiment = reopened(options.folder, options.max_qpu_seconds, options.replace_layout, options.epochs)
    if not options.unattended:
        with states_on_cluster(options.scheduler):
            return train_in(folder, experiment)
    require_device(experiment, "resume --unattended")
    return run_unattended(folder, lambda: train_in(*reopened(options.folder, options.max_qpu_seconds)))


def reopened(
    path: str, max_qpu_seconds: float | None, replace_layout: bool = False, epochs: int | None = None
) -> tuple[RunFolder, Experiment]:
    """Open an existing run.

    Args:
        path: Folder of the run.
        max_qpu_seconds: Another limit on QPU seconds, or None for the stored one, which is not changed.
        replace_layout: Whether circuits are laid out anew on the device as it is now.
        epochs: Another number of epochs in all, which is stored; None for that of the run.

    Raises:
        ConfigError: The limit is not positive, so many epochs are done already, or a layout is to be replaced and the
            run uses no device.
    """
    folder, experiment = open_run(path)
    if epochs is not None:
        experiment = with_epochs(folder, experiment, epochs)
    if max_qpu_seconds is not None:
        limit = [f"execution.max_qpu_seconds={max_qpu_seconds!r}"]
        experiment = replace(experiment, config=with_settings(experiment.config, limit, ["execution"]))
    if replace_layout:
        require_device(experiment, "resume --replace-layout")
        with JobLedger(ledger_path(folder)) as ledger:
            ledger.forget_circuits()
    return folder, experiment
