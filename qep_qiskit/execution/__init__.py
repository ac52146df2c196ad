"""Execution of circuits on simulators and backends. Only `qep_qiskit.execution.aer` imports Aer."""

from qep_qiskit.execution.circuits import measured_circuit as measured_circuit
from qep_qiskit.execution.interface import Executor as Executor
from qep_qiskit.execution.interface import GroupMeasurement as GroupMeasurement
from qep_qiskit.execution.interface import JobHandle as JobHandle
from qep_qiskit.execution.interface import Request as Request
from qep_qiskit.execution.interface import RequestKey as RequestKey
from qep_qiskit.execution.interface import ShotData as ShotData
from qep_qiskit.execution.noisy import NoisyExecutor as NoisyExecutor
from qep_qiskit.execution.outcome_check import answered as answered
from qep_qiskit.execution.readout_errors import ReadoutErrors as ReadoutErrors
from qep_qiskit.execution.sampler_executor import SamplerExecutor as SamplerExecutor
from qep_qiskit.execution.sampling import VectorExecutor as VectorExecutor
from qep_qiskit.execution.sampling import sample_vectors as sample_vectors
from qep_qiskit.execution.statevector import StatevectorExecutor as StatevectorExecutor
from qep_qiskit.execution.transpilation import TranspiledProgram as TranspiledProgram
from qep_qiskit.execution.transpilation import cut_to_active_qubits as cut_to_active_qubits
from qep_qiskit.execution.transpilation import place as place
from qep_qiskit.execution.twirled_readout import TwirledErrors as TwirledErrors
