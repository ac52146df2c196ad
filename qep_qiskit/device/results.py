"""Results of finished jobs: fetched a few times, read, and kept as they came where they cannot be read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import DeviceError, ResultError
from qep_qiskit.core.files import write_atomically
from qep_qiskit.device.ledger_rows import JobEntry
from qep_qiskit.device.retries import MOST_UNFIT_RESULTS, RetryingDevice
from qep_qiskit.device.service import BusyError, LostError, RefusedError, RemoteDevice
from qep_qiskit.device.specification import JobSpecification
from qep_qiskit.execution.interface import GroupMeasurement
from qep_qiskit.execution.outcome_check import require_other_than_zeros


def fetched_bits(
    device: RemoteDevice,
    retrying: RetryingDevice,
    entry: JobEntry,
    specification: JobSpecification,
    measurements: Sequence[GroupMeasurement],
    folder: Path,
) -> list[NDArray[np.uint8]]:
    """Return the bits of a finished job: of every measurement, and of its calibration.

    Args:
        device: The device.
        retrying: The device, with retries.
        entry: Row of the job.
        specification: The job.
        measurements: All measurements of its request.
        folder: Folder for a result that cannot be read.

    Raises:
        ResultError: The result does not match the request at every attempt, or the service does not know the job.
        DeviceError: The service does not answer.
    """
    assert entry.job_id is not None
    job_id, unfit = entry.job_id, 0
    own = [measurements[place] for place in specification.measurements]

    def fetched() -> list[NDArray[np.uint8]]:
        nonlocal unfit
        try:
            found = specification.bits_of_measurements(device.fetch(job_id, specification), device.name)
            require_other_than_zeros(own, found[: len(own)], device.name)
            return found
        except ResultError as error:
            unfit += 1
            if unfit < MOST_UNFIT_RESULTS:
                raise LostError(str(error)) from error
            raise ResultError(
                f"job {job_id}: {error}; {_kept(device, job_id, folder)}nothing is sent again, 'qep collect' asks for "
                f"it once more, and 'qep cancel --forget {job_id} {folder}' gives it up"
            ) from error

    return retrying.with_retries(fetched, about=entry)


def save_result(device: RemoteDevice, job_id: str, folder: Path) -> Path:
    """Write the result of a finished job into a file as the service gives it, and return the path of the file.

    Raises:
        DeviceError: The service does not answer, refuses, or does not know the job.
    """
    path = folder / f"result-{re.sub(r'[^A-Za-z0-9_-]', '_', job_id)[:80]}.json"
    try:
        content = device.raw_result(job_id)
    except (RefusedError, BusyError, LostError) as error:
        raise DeviceError(f"{device.name}: the result of job {job_id} cannot be fetched ({error})") from None
    write_atomically(path, content.encode())
    return path


def _kept(device: RemoteDevice, job_id: str, folder: Path) -> str:
    try:
        return f"what came is kept in {save_result(device, job_id, folder)}, "
    except (DeviceError, OSError):
        return ""
