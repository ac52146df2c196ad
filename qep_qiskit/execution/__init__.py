"""Execution of circuits on simulators and backends. Only `qep_qiskit.execution.aer` imports Aer."""

from qep_qiskit.execution.circuits import measured_circuit
from qep_qiskit.execution.interface import Executor, GroupMeasurement, JobHandle, Request, RequestKey, ShotData
from qep_qiskit.execution.noisy import ExecutorPerProgram, NoisyDistributions, NoisyExecutor
from qep_qiskit.execution.outcome_check import answered
from qep_qiskit.execution.readout_errors import ReadoutErrors
from qep_qiskit.execution.sampler_executor import SamplerExecutor
from qep_qiskit.execution.sampling import VectorExecutor, sample_vectors
from qep_qiskit.execution.statevector import StatevectorExecutor
from qep_qiskit.execution.transpilation import CutDevice, TranspiledProgram, cut_to_active_qubits, place
from qep_qiskit.execution.twirled_readout import TwirledErrors

__all__ = [
    "CutDevice",
    "Executor",
    "ExecutorPerProgram",
    "GroupMeasurement",
    "JobHandle",
    "NoisyDistributions",
    "NoisyExecutor",
    "ReadoutErrors",
    "Request",
    "RequestKey",
    "SamplerExecutor",
    "ShotData",
    "StatevectorExecutor",
    "TranspiledProgram",
    "TwirledErrors",
    "VectorExecutor",
    "answered",
    "cut_to_active_qubits",
    "measured_circuit",
    "place",
    "sample_vectors",
]
