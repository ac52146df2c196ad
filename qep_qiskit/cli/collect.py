"""``qep collect``: fetch the results of submitted jobs and apply them to the run."""

from __future__ import annotations

import argparse

from qep_qiskit.cli.working import progress_of, require_device, say_stopped, working_in
from qep_qiskit.device.remote import Pace
from qep_qiskit.device.results import save_result
from qep_qiskit.runs.training import device_of, load_matching_state, open_run


def run(options: argparse.Namespace) -> int:
    """Wait for the pending jobs and apply them; nothing is submitted."""
    folder, experiment = open_run(options.folder)
    require_device(experiment, "collect")
    if options.result_only is not None:
        device = device_of(experiment, folder)
        assert device is not None
        print(f"wrote {save_result(device, options.result_only, folder.path)}; nothing is applied to the run")
        return 0
    before = load_matching_state(folder, experiment)
    with working_in(folder, experiment, None, Pace(requests=0)) as work:
        if work.trainer.stop_requested:
            return say_stopped(work, folder)
        if work.outcome == "stopped":
            nothing = work.trainer.state.shots == (0 if before is None else before.shots)
            done = "there was nothing to collect" if nothing else "collected"
            print(f"{done}; the run is {progress_of(work.trainer)}, and 'qep submit {folder.path}' sends its next job")
    return 0
