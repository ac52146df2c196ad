"""``qep resume``: go on with a run."""

from __future__ import annotations

import argparse
from dataclasses import replace

from qep_qiskit.cli.train import train_in
from qep_qiskit.config import Experiment
from qep_qiskit.config.load import with_overrides
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.training import open_run


def run(options: argparse.Namespace) -> int:
    """Go on from the last checkpoint; a finished run only gets its report again."""
    return train_in(*reopened(options.folder, options.max_qpu_seconds))


def reopened(path: str, max_qpu_seconds: float | None) -> tuple[RunFolder, Experiment]:
    """A run, with another limit for the device if there is one; the limit kept in the folder stays.

    Raises:
        ConfigError: The limit is not positive.
    """
    folder, experiment = open_run(path)
    if max_qpu_seconds is not None:
        limit = [f"execution.max_qpu_seconds={max_qpu_seconds!r}"]
        experiment = replace(experiment, config=with_overrides(experiment.config, limit, "execution"))
    return folder, experiment
