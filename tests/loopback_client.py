"""A process that sends one request to a device and collects it; killed on the way if it is asked to be.

python loopback_client.py LEDGER OUT [before|after|untamed|calibrated|twirled]

before, after: die on that side of the submission. untamed: leave the client's own retries on, which send jobs twice.
calibrated, twirled: send a calibration along, with random flips before the reading where twirled.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
from ibm_requests import LOOPBACK_SHOTS, SPINS, calibrated_request, ramp_request

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device import ibm
from qep_qiskit.device.ibm import IbmDevice
from qep_qiskit.device.ibm_login import open_service
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.remote import RemoteExecutor
from qep_qiskit.device.retries import RetryPolicy

PATIENCE = RetryPolicy(settling=6, first_pause=0.2, longest_pause=1, without_answer=60)


def dying(when):
    send = IbmDevice.send

    def killed(*arguments):
        if when == "after":
            send(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    return killed


def main(path, out, how=None):
    if how == "untamed":
        ibm.disable_retries = lambda service: None
    elif how in ("before", "after"):
        IbmDevice.send = dying(how)
    shots = (LOOPBACK_SHOTS, LOOPBACK_SHOTS)
    request = ramp_request(shots=shots)
    if how in ("calibrated", "twirled"):
        request = calibrated_request(shots=shots, calibration_shots=2 * LOOPBACK_SHOTS, kind=how, randomizations=128)
    with JobLedger(Path(path)) as ledger:
        executor = RemoteExecutor(
            IbmDevice(open_service(), "ibm_manila", num_qubits=SPINS), Seeds(1), ledger, retries=PATIENCE
        )
        data = executor.collect(executor.submit(request))
    calibration = [] if data.calibration is None else [data.calibration]
    np.savez(out, *(outcome.bits for outcome in (*data.outcomes, *calibration)))


if __name__ == "__main__":
    main(*sys.argv[1:])
