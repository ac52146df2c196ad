"""Runs of the command line on the stand-in for IBM's client."""

from dataclasses import replace

from ibm_stand_in import StandInService

from qep_qiskit.config import executor
from qep_qiskit.device import retries
from qep_qiskit.device.ibm import IbmDevice

SETTINGS = [
    "execution.backend=ibm_stand_in",
    "preparation.steps=2",
    "preparation.total_time=1.0",
    "training.epochs=2",
    "training.evaluate_every=0",
]


def logged_in(monkeypatch):
    """The service that every command of a test logs in to."""
    found = StandInService()
    found._api_clients = {}

    def device(config, num_qubits):
        section = config.execution
        return IbmDevice(found, section.backend, sampler=found.sampler, rep_delay=section.rep_delay)

    monkeypatch.setattr("qep_qiskit.runs.training.build_device", device)
    quick = retries.RetryPolicy(settling=0.1, first_pause=0.005, longest_pause=0.01, without_answer=0.3, wait=0.05)
    for module in ("qep_qiskit.cli.jobs._QUICK", "qep_qiskit.device.jobs.RetryPolicy"):
        monkeypatch.setattr(module, quick if module.endswith("_QUICK") else lambda: quick)
    monkeypatch.setattr(executor, "RetryPolicy", lambda wait: quick if wait is None else replace(quick, wait=wait))
    return found
