"""Atoms in space as an executor: exact expectations, or whole points shot by shot."""

from __future__ import annotations

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution.interface import JobHandle, Request, ShotData
from qep_qiskit.execution.sampling import sample_known


class CoordinateExecutor:
    """Reads Gaussian states, and classical atoms in equilibrium.

    Every measurement draws from a stream of its own; its states are drawn one after the other from that stream.

    Args:
        seeds: Root of the random streams.
    """

    def __init__(self, seeds: Seeds) -> None:
        self._seeds = seeds

    def submit(self, request: Request) -> JobHandle:
        """Nothing happens until `collect`."""
        return JobHandle(key=request.key, request=request)

    def collect(self, job_handle: JobHandle) -> ShotData:
        """Points, or exact expectations.

        Raises:
            ConfigError: The states are no atoms in space.
            ResourceError: The shots do not fit in memory.
        """
        if job_handle.request.prepared.num_qubits is not None:
            raise ConfigError("this executor reads atoms in space and runs no circuits; use AerExecutor or another")
        return sample_known(job_handle.request, self._seeds)
