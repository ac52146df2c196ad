"""The command line with little patience and no figures, for acceptance runs against the double of IBM's service.

python impatient_qep.py [--die WHEN CALL NUMBER] COMMAND ...

WHEN is before, in or after; CALL is a name of CALLS. The process kills itself on that side of the call, the NUMBER-th
of its kind counted from 1; in means that a change of the ledger is made and not committed, or a checkpoint is written
and not yet in place.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial

from qep_qiskit.cli import unattended, working
from qep_qiskit.cli.main import main
from qep_qiskit.config import executor
from qep_qiskit.core import files
from qep_qiskit.core.files import LineFile
from qep_qiskit.device import ibm_client
from qep_qiskit.device.ibm import IbmDevice
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.retries import RetryPolicy
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.summary import write_numbers

CALLS = {
    name: (owner, name)
    for owner, names in (
        (IbmDevice, ("why_closed", "remaining_seconds", "send", "find", "job_view", "fetch", "usage_seconds")),
        (JobLedger, ("keep_circuit", "intend", "posting", "submitted", "collected", "applied", "_transaction")),
        (RunFolder, ("save_state",)),
        (LineFile, ("append",)),
    )
    for name in names
}


def die_at(when: str, call: str, number: int) -> None:
    owner, name = CALLS[call]
    made: Callable = getattr(owner, name)
    count = 0

    def die_if(now: bool) -> None:
        if now and count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(*arguments, **named):
        nonlocal count
        count += 1
        die_if(when == "before")
        result = made(*arguments, **named)
        die_if(when == "after")
        return result

    @contextmanager
    def uncommitted(*arguments):
        nonlocal count
        with made(*arguments) as connection:
            yield connection
            count += 1
            die_if(True)

    def replaced(new, old):
        nonlocal count
        if os.path.basename(old) == "checkpoint.npz":
            count += 1
            die_if(True)
        return rename(new, old)

    if when != "in":
        setattr(owner, name, counted)
    elif call == "_transaction":
        JobLedger._transaction = uncommitted
    else:
        rename = files.os.replace
        files.os.replace = replaced


def numbers_of(folder, experiment, state):
    write_numbers(folder, experiment.network.layout.names, state)
    return folder.path


def run(words: list[str]) -> int:
    working.report_of = numbers_of
    unattended._FIRST_PAUSE = unattended._LONGEST_PAUSE = 1.0
    executor.RetryPolicy = partial(RetryPolicy, settling=3, first_pause=0.1, longest_pause=0.5, without_answer=30)
    ibm_client._CONNECT_AND_READ_SECONDS = (2.0, 2.0)
    if words[0] == "--die":
        die_at(words[1], words[2], int(words[3]))
        words = words[4:]
    return main(words)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
