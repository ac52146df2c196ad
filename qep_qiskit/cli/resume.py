"""``qep resume``: go on with a run."""

from __future__ import annotations

import argparse

from qep_qiskit.cli.train import train_in
from qep_qiskit.studies.training import open_run

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Go on from the last checkpoint; a finished run only gets its report again."""
    return train_in(*open_run(options.folder))
