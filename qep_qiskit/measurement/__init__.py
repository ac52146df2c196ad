"""Measure commuting groups: from circuits to bits and moments."""

from qep_qiskit.measurement.batches import measure
from qep_qiskit.measurement.driving import (
    MeasurementCoroutine,
    Result,
    Usage,
    as_coroutine,
    completed,
    relayed,
    run_measurements,
)
from qep_qiskit.measurement.extrapolation import Extrapolation, extrapolated
from qep_qiskit.measurement.mitigation import Calibrations, ReadoutMitigation, mitigated
from qep_qiskit.measurement.plan import MeasurementPlan, covering_plan, per_weight_plan, qubit_wise_plan, shared_plan
from qep_qiskit.measurement.state_moments import StateMoments

__all__ = [
    "Calibrations",
    "Extrapolation",
    "MeasurementCoroutine",
    "MeasurementPlan",
    "ReadoutMitigation",
    "Result",
    "StateMoments",
    "Usage",
    "as_coroutine",
    "completed",
    "covering_plan",
    "extrapolated",
    "measure",
    "mitigated",
    "per_weight_plan",
    "qubit_wise_plan",
    "relayed",
    "run_measurements",
    "shared_plan",
]
