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

    Example:
        >>> network = qep.SpringNetwork(graph=qep.chain(2), outputs=(1,), clamped=(0,), inputs=((0, 0),))
        >>> free = network.coefficients(network.layout.initial(qep.Seeds(0)), np.array([[0.5]]))
        >>> family = qep.HamiltonianFamily.of_free(network.groups, free, qep.RequestKey("demo", 0))
        >>> states = qep.GaussianPreparation().prepare(family, qep.WarmStart()).states
        >>> positions = qep.GroupMeasurement(group=network.groups[0], states=np.array([0]), shots=100)
        >>> request = qep.Request(key=family.key, prepared=states, measurements=(positions,))
        >>> executor = qep.CoordinateExecutor(qep.Seeds(0))
        >>> executor.collect(executor.submit(request)).moments(0, network.groups[0]).means.round(2)
        array([[0.47, 0.5 ]])
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
