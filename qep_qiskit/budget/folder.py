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
from qep_qiskit.core.files import finished_in, make_folder, remove_leftovers, write_atomically
from qep_qiskit.runs.points import PointStore
from qep_qiskit.runs.training import stamped_config
from qep_qiskit.runs.versions import require_no_newer

_STUDY, _POINTS = "study.json", "points.jsonl"
_BEFORE_THE_STUDY = {_POINTS, "points.lock"}  # files of a call that failed before its first write


@dataclass(frozen=True, slots=True)
class BudgetFolder:
    """Paths in the folder of a study, and the study that it belongs to.

    Args:
        path: The folder, an absolute path, because workers may run in other folders.
    """

    path: Path

    def check(self, setup: BudgetSetup) -> None:
        """Check that the folder is new, or holds this study; nothing is written.

        Raises:
            RunFolderError: It holds the study of another configuration or of other weights, or other files.
        """
        try:
            if not self.path.exists():
                return
            there = finished_in(self.path)
            study = json.loads((self.path / _STUDY).read_bytes()) if _STUDY in there else {"digest": None}
            require_no_newer(study, str(self.path))
            kept = study["digest"]
        except RunFolderError:
            raise
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
        """Create the folder or open it again, lock it, and yield its store of points.

        Args:
            setup: The study.
            experiment: The run whose gradient is studied.

        Raises:
            RunFolderError: It cannot be written, is locked by another process, or holds something else.
        """
        self.check(setup)
        if experiment.config.execution.names_account:
            make_folder(self.path, private=True)
        with PointStore(self.path / _POINTS) as store:
            remove_leftovers(self.path)
            content = stamped_config(experiment.config) | {"digest": setup.digest}
            write_atomically(self.path / _STUDY, (json.dumps(content, indent=1) + "\n").encode())
            yield store
