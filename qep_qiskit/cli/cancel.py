"""``qep cancel``: cancel the pending jobs of a run."""

from __future__ import annotations

import argparse

from qep_qiskit.cli.working import require_device
from qep_qiskit.device.jobs import cancel_jobs, cancel_lost_jobs, forget_job
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.runs.training import device_of, ledger_path, open_run


def run(options: argparse.Namespace) -> int:
    """Cancel the jobs and print the status of each; the run itself is unchanged and can be resumed."""
    folder, experiment = open_run(options.folder)
    require_device(experiment, "cancel")
    path = ledger_path(folder)
    device, count = device_of(experiment, folder), 0
    assert device is not None
    if options.forget is not None:
        with folder.locked(), JobLedger(path) as ledger:
            entry = forget_job(ledger, device, options.forget)
        charged = "its estimate is" if entry.usage_seconds is None else f"{entry.usage_seconds:.0f} QPU seconds are"
        print(f"{entry.job_id or f'row {entry.number}'}: given up, {charged} counted; 'qep resume' sends it anew")
        return 0
    late = f"was done already; 'qep collect {folder.path}' fetches it"
    with folder.locked(), JobLedger(path) as ledger:
        for entry in cancel_jobs(ledger, device):
            count += 1
            name = entry.job_id or ("a job that never arrived" if device.lists_jobs else "a job that may have arrived")
            print(f"{name}: {late if entry.state == 'submitted' else entry.state}")
        for job_id, state in cancel_lost_jobs(ledger, device, folder.config().get("run")):
            count += 1
            print(f"{job_id}, which the ledger did not know: {late if state == 'done' else state}")
    if not count:
        print(f"{folder.path}: no job is under way")
    return 0
