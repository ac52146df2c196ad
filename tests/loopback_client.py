"""A process that sends one request to a device and collects it; killed on the way if it is asked to be.

python loopback_client.py LEDGER OUT [before|after]
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
from ibm_requests import SPINS, ramp_request

from qep_qiskit.execution.ibm import IbmDevice, IbmExecutor
from qep_qiskit.execution.ledger import JobLedger
from qep_qiskit.execution.remote import Patience
from qep_qiskit.seeds import Seeds

PATIENCE = Patience(settling=8, first_pause=0.2, longest_pause=1, without_answer=60)
SHOTS = 4000


def dying(when):
    send = IbmDevice.send

    def killed(*arguments):
        if when == "after":
            send(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    return killed


def main(path, out, *die):
    if die:
        IbmDevice.send = dying(*die)
    with JobLedger(Path(path)) as ledger:
        executor = IbmExecutor("ibm_manila", SPINS, Seeds(1), ledger, patience=PATIENCE)
        data = executor.collect(executor.submit(ramp_request(shots=(SHOTS, SHOTS))))
    np.savez(out, *(outcome.bits for outcome in data.outcomes))


if __name__ == "__main__":
    main(*sys.argv[1:])
