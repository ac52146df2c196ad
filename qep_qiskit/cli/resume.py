"""``qep resume``: go on with a run."""

from __future__ import annotations

import argparse

from rich.console import Console

from qep_qiskit.cli.source import open_run
from qep_qiskit.cli.train import report_of, train_in

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Go on from the last checkpoint; a finished run only gets its report again."""
    folder, experiment, state = open_run(options.folder)
    if state is not None and state.epoch >= experiment.config.training.epochs:
        with folder.locked():
            Console().print(report_of(folder, experiment, state))
        print(f"{folder.path}: this run is finished; nothing to resume")
        return 0
    if state is None:
        folder.metrics_path.unlink(missing_ok=True)
    return train_in(folder, experiment, state)
