"""Measurements outside of the training of a run. On a device they have a price, and jobs in the ledger of the run."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.config import Experiment
from qep_qiskit.core.errors import QepWarning
from qep_qiskit.core.warning_log import WarningLog, counting_warnings
from qep_qiskit.device.remote import NamedExecutor, RemoteExecutor
from qep_qiskit.device.service import RemoteDevice
from qep_qiskit.device.usage import QPU_SECONDS
from qep_qiskit.execution import JobHandle, Request, ShotData, StatevectorExecutor
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.training import device_of, kept_config, on_device

Answer = TypeVar("Answer")
_NO_MATTER = ("max_qpu_seconds", "wait_seconds", "mode", "instance")
"""Keys that change no result."""


@dataclass(slots=True, kw_only=True)
class Quote:
    """Price of a measurement on a device, without the parts that the ledger has already.

    Args:
        device: Name of the device.
        jobs: Number of jobs.
        executions: Shots times bound circuits.
        price: Estimated price in the unit, or None where it is unknown.
        unit: Unit of the price.
        remaining: QPU seconds that the account has left, or None without a limit.
    """

    device: str
    jobs: int = 0
    executions: int = 0
    price: float | None = 0.0
    unit: str = QPU_SECONDS
    remaining: float | None = None


@dataclass(frozen=True, slots=True)
class _Pricing:
    """Simulates requests, and adds up what they would cost on a device.

    Args:
        inner: The ideal simulation.
        remote: Executor of the device.
        device: The device.
        quote: The price so far.
    """

    inner: StatevectorExecutor
    remote: RemoteExecutor
    device: RemoteDevice
    quote: Quote

    def submit(self, request: Request) -> JobHandle:
        """Add the price of a request."""
        for specification in self.remote.unsent(request):
            self.quote.jobs += 1
            self.quote.executions += specification.executions
            self.quote.unit = self.device.price.unit
            price = self.device.estimated_price(specification)
            self.quote.price = None if price is None or self.quote.price is None else self.quote.price + price
        return self.inner.submit(request)

    def collect(self, job_handle: JobHandle) -> ShotData:
        """Return the simulated outcomes."""
        return self.inner.collect(job_handle)


def answer_to(
    folder: RunFolder,
    experiment: Experiment,
    measure: Callable[[Experiment], Answer],
    *question: NDArray,
    agree: Callable[[Quote], None],
) -> Answer:
    """Measure something with the objects of a run. On a device the same question is sent once.

    Args:
        folder: Folder of the run.
        experiment: Objects of the run.
        measure: The measurement; on a device it is simulated first, for its price.
        *question: All numbers that define the measurement.
        agree: Called with the price before anything is sent; it raises where that is too much.

    Returns:
        The result of the measurement.

    Raises:
        FolderBusyError: The run is on a device, and another process has locked the folder.
    """
    device = device_of(experiment, folder)
    if device is None:
        return measure(experiment)
    parts = [*question, np.array([experiment.estimator.contrast.beta]), np.array([str(experiment.estimator.shots)])]
    parts += [np.array([text]) for text in _other_settings(folder, experiment)]
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()
    with folder.locked(), on_device(folder, experiment, device, counts_anew=True) as executor:
        assert executor is not None
        quote = Quote(device=device.name)
        pricing = _Pricing(StatevectorExecutor(experiment.seeds), executor, device, quote)
        with warnings.catch_warnings(), counting_warnings(WarningLog()):
            warnings.simplefilter("ignore", QepWarning)
            measure(replace(experiment, executor=NamedExecutor(pricing, digest[:8])))
        if quote.jobs:
            quote.remaining = executor.remaining_seconds()
            agree(quote)
        answer = measure(replace(experiment, executor=NamedExecutor(executor, digest[:8])))
        executor.ledger.applied()
        return answer


def _other_settings(folder: RunFolder, experiment: Experiment) -> list[str]:
    """Return the keys by which a measurement differs from the run, as texts; none for the settings of the run."""
    run, asked = kept_config(folder), experiment.config.resolved()
    return [
        f"{section}.{key}={json.dumps(value, sort_keys=True)}"
        for section in ("execution", "measurement", "preparation")
        for key, value in sorted(asked[section].items())
        if key not in _NO_MATTER and value != run.get(section, {}).get(key)
    ]
