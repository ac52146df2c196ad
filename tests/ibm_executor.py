"""The executor of IBM's devices on the stand-in for their client, as a process uses it."""

import numpy as np
from ibm_requests import ramp_request

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.ibm import IbmDevice
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.remote import RemoteExecutor
from qep_qiskit.device.retries import RetryPolicy

QUICK = RetryPolicy(settling=0.15, first_pause=0.005, longest_pause=0.02, without_answer=0.5)


def executor_on(service, ledger, retries=QUICK, seed=1, **options):
    device = IbmDevice(service, "ibm_stand_in", sampler=service.sampler)
    return RemoteExecutor(device, Seeds(seed), ledger, retries=retries, **options)


def run(service, path, request=None, **options):
    """What a process does: open the ledger, submit, collect."""
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger, **options)
        return executor.collect(executor.submit(request or ramp_request()))


def same(one, other):
    return all(np.array_equal(a.bits, b.bits) for a, b in zip(one.outcomes, other.outcomes, strict=True))


def states(path):
    return [entry.state for entry in JobLedger.read(path)]


def live(service):
    return [job for job in service.accepted if job.state != "CANCELLED"]
