"""A process that sends one request to a device and collects it; killed on the way if it is asked to be.

python loopback_client.py LEDGER OUT [before|after|untamed]

before, after: die on that side of the submission. untamed: leave the client's own retries on, which send jobs twice.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
from ibm_requests import LOOPBACK_SHOTS, SPINS, ramp_request

from qep_qiskit.execution import ibm
from qep_qiskit.execution.ibm import IbmDevice, ibm_device
from qep_qiskit.execution.ledger import JobLedger
from qep_qiskit.execution.patience import Patience
from qep_qiskit.execution.remote import RemoteExecutor
from qep_qiskit.seeds import Seeds

PATIENCE = Patience(settling=6, first_pause=0.2, longest_pause=1, without_answer=60)


def dying(when):
    send = IbmDevice.send

    def killed(*arguments):
        if when == "after":
            send(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    return killed


def main(path, out, how=None):
    if how == "untamed":
        ibm.tame = lambda service: None
    elif how is not None:
        IbmDevice.send = dying(how)
    with JobLedger(Path(path)) as ledger:
        executor = RemoteExecutor(ibm_device("ibm_manila", SPINS), Seeds(1), ledger, patience=PATIENCE)
        data = executor.collect(executor.submit(ramp_request(shots=(LOOPBACK_SHOTS, LOOPBACK_SHOTS))))
    np.savez(out, *(outcome.bits for outcome in data.outcomes))


if __name__ == "__main__":
    main(*sys.argv[1:])
