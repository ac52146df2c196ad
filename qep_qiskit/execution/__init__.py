"""Where circuits run. Aer is imported only when `qep_qiskit.execution.aer` is."""

from qep_qiskit.execution.circuits import measured_circuit
from qep_qiskit.execution.gate import answered
from qep_qiskit.execution.interface import (
    Executor,
    Readout,
    Request,
    RequestKey,
    ShotData,
    Ticket,
)
from qep_qiskit.execution.noisy import ExecutorPerProgram, NoisyDistributions, NoisyExecutor
from qep_qiskit.execution.placement import CutDevice, PlacedProgram, cut_to_active_qubits, place
from qep_qiskit.execution.points import PointExecutor
from qep_qiskit.execution.readout_errors import ReadoutErrors
from qep_qiskit.execution.sampler_executor import SamplerExecutor
from qep_qiskit.execution.sampling import VectorExecutor, sample_vectors
from qep_qiskit.execution.statevector import StatevectorExecutor
from qep_qiskit.execution.twirled_readout import TwirledErrors
from qep_qiskit.execution.usage import estimated_qpu_seconds

__all__ = [
    "CutDevice",
    "Executor",
    "ExecutorPerProgram",
    "NoisyDistributions",
    "NoisyExecutor",
    "PlacedProgram",
    "PointExecutor",
    "Readout",
    "ReadoutErrors",
    "Request",
    "RequestKey",
    "SamplerExecutor",
    "ShotData",
    "StatevectorExecutor",
    "Ticket",
    "TwirledErrors",
    "VectorExecutor",
    "answered",
    "cut_to_active_qubits",
    "estimated_qpu_seconds",
    "measured_circuit",
    "place",
    "sample_vectors",
]
