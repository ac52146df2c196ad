"""Executor of atoms: exact expectations, or positions and momenta shot by shot."""

from __future__ import annotations

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution.interface import JobHandle, Request, ShotData
from qep_qiskit.execution.sampling import sample_known


class CoordinateExecutor:
    """Sample Gaussian states, and classical atoms in equilibrium.

    Every measurement has a random stream of its own, from which its states are sampled one after the other.

    Args:
        seeds: Root of the random streams.
    """

    def __init__(self, seeds: Seeds) -> None:
        self._seeds = seeds

    def submit(self, request: Request) -> JobHandle:
        """Return a job handle; the work is done in `collect`."""
        return JobHandle(key=request.key, request=request)

    def collect(self, job_handle: JobHandle) -> ShotData:
        """Return sampled positions or momenta, or exact expectations.

        Raises:
            ConfigError: The states are not states of atoms.
            ResourceError: The shots do not fit in memory.
        """
        if job_handle.request.prepared.num_qubits is not None:
            raise ConfigError("this executor reads atoms in space and runs no circuits; use AerExecutor or another")
        return sample_known(job_handle.request, self._seeds)
