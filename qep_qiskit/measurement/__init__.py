"""Measure commuting groups: from circuits to bits and moments."""

from qep_qiskit.measurement.batches import ShotsOfGroup as ShotsOfGroup
from qep_qiskit.measurement.batches import measure as measure
from qep_qiskit.measurement.driving import MeasurementCoroutine as MeasurementCoroutine
from qep_qiskit.measurement.driving import Queue as Queue
from qep_qiskit.measurement.driving import Result as Result
from qep_qiskit.measurement.driving import Usage as Usage
from qep_qiskit.measurement.driving import as_coroutine as as_coroutine
from qep_qiskit.measurement.driving import completed as completed
from qep_qiskit.measurement.driving import counted as counted
from qep_qiskit.measurement.driving import relayed as relayed
from qep_qiskit.measurement.driving import run_measurements as run_measurements
from qep_qiskit.measurement.extrapolation import Extrapolation as Extrapolation
from qep_qiskit.measurement.extrapolation import extrapolated as extrapolated
from qep_qiskit.measurement.mitigation import Calibrations as Calibrations
from qep_qiskit.measurement.mitigation import ReadoutMitigation as ReadoutMitigation
from qep_qiskit.measurement.mitigation import mitigated as mitigated
from qep_qiskit.measurement.plan import MeasurementPlan as MeasurementPlan
from qep_qiskit.measurement.plan import covering_plan as covering_plan
from qep_qiskit.measurement.plan import per_weight_plan as per_weight_plan
from qep_qiskit.measurement.plan import qubit_wise_plan as qubit_wise_plan
from qep_qiskit.measurement.plan import shared_plan as shared_plan
from qep_qiskit.measurement.state_moments import StateMoments as StateMoments
