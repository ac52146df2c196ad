"""The folder of a shot-noise study: whose it is, the points that are known, and the tables.

study.json        configuration, weights' fingerprint and versions
points.jsonl      every finished point
*.csv (.parquet)  the tables
index.html, *.png, *.pdf
runs/             the runs of a training study
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qep_qiskit.budget.setup import BudgetSetup
from qep_qiskit.config import Experiment
from qep_qiskit.core.errors import RunFolderError
from qep_qiskit.core.files import write_atomically
from qep_qiskit.runs.points import PointStore
from qep_qiskit.runs.training import stamped_config

_STUDY, _POINTS = "study.json", "points.jsonl"
_BEFORE_THE_STUDY = {_POINTS, "points.lock"}  # all that a call leaves that could not even write the first file


@dataclass(frozen=True, slots=True)
class BudgetFolder:
    """Paths, and the study that the folder belongs to.

    Args:
        path: The folder; absolute, because workers elsewhere are told of it.
    """

    path: Path

    def check(self, setup: BudgetSetup) -> None:
        """Make sure that the folder is new, or holds this study. Nothing is written.

        Raises:
            RunFolderError: It holds the study of another configuration or other weights, or something else.
        """
        try:
            if not self.path.exists():
                return
            there = sorted(item.name for item in self.path.iterdir())
            kept = json.loads((self.path / _STUDY).read_bytes())["digest"] if _STUDY in there else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunFolderError(
                f"{self.path}: is not the folder of a study, or is damaged; give another --out"
            ) from error
        if set(there) - _BEFORE_THE_STUDY and kept is None:
            raise RunFolderError(f"{self.path}: exists already and is not the folder of a study; give another --out")
        if kept is not None and kept != setup.digest:
            raise RunFolderError(
                f"{self.path}: holds the study of another network, other weights or samples; give another --out"
            )

    @contextmanager
    def at_work(self, setup: BudgetSetup, experiment: Experiment) -> Iterator[PointStore]:
        """Make the folder or take it up again, and hold it; gives the points that are known.

        Raises:
            RunFolderError: It cannot be written, another process is at work in it, or it holds something else.
        """
        self.check(setup)
        with PointStore(self.path / _POINTS) as store:
            content = stamped_config(experiment.config) | {"digest": setup.digest}
            write_atomically(self.path / _STUDY, (json.dumps(content, indent=1) + "\n").encode())
            yield store
