"""``qep submit``: submit the next job of a run and return."""

from __future__ import annotations

import argparse
from pathlib import Path

from qep_qiskit.cli.resume import reopened
from qep_qiskit.cli.train import started
from qep_qiskit.cli.working import Work, progress_of, require_device, say_stopped, working_in
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.device.remote import Pace
from qep_qiskit.runs.folder import RunFolder


def run(options: argparse.Namespace) -> int:
    """Submit the next job. Earlier jobs must be done; their results are applied first."""
    if Path(options.config).is_dir():
        if options.overrides or options.out:
            raise ConfigError("--set, --out: go with a configuration file; a run folder keeps its own configuration")
        (folder, experiment), device, callbacks = reopened(options.config, options.max_qpu_seconds), None, None
        require_device(experiment, "submit")
    else:
        limit = options.max_qpu_seconds
        overrides = [*options.overrides, *([] if limit is None else [f"execution.max_qpu_seconds={limit!r}"])]
        folder, experiment, device, callbacks = started(options.config, overrides, options.out, only_on_device="submit")
    with working_in(folder, experiment, device, Pace(requests=1, waits=False), callbacks) as work:
        if work.trainer.stop_requested:
            return say_stopped(work, folder)
        _say(work, folder)
    return 0


def _say(work: Work, folder: RunFolder) -> None:
    if work.executor is None:
        return
    for entry in work.executor.sent:
        described = entry.description
        print(
            f"job {entry.job_id} is on {described.backend}, {progress_of(work.trainer)}; estimated at "
            f"{described.estimated_seconds:.1f} s of QPU time; 'qep collect {folder.path}' fetches it"
        )
