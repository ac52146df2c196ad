"""Where circuits run. Aer is imported only when `qep_qiskit.execution.aer` is."""

from qep_qiskit.execution.circuits import SamplerExecutor, measured_circuit
from qep_qiskit.execution.interface import (
    BitMemory,
    Distribution,
    Executor,
    Outcomes,
    Readout,
    Request,
    RequestKey,
    ShotData,
    Ticket,
)
from qep_qiskit.execution.sampling import VectorExecutor, sample_vectors
from qep_qiskit.execution.statevector import StatevectorExecutor

__all__ = [
    "BitMemory",
    "Distribution",
    "Executor",
    "Outcomes",
    "Readout",
    "Request",
    "RequestKey",
    "SamplerExecutor",
    "ShotData",
    "StatevectorExecutor",
    "Ticket",
    "VectorExecutor",
    "measured_circuit",
    "sample_vectors",
]
