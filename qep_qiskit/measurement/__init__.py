"""Commuting groups to circuits, bits and moments."""

from qep_qiskit.measurement.batches import measure
from qep_qiskit.measurement.driving import Measuring, Result, Usage, completed, drive, relayed
from qep_qiskit.measurement.extrapolation import Extrapolation, extrapolated
from qep_qiskit.measurement.mitigation import Calibrations, ReadoutMitigation, mitigated
from qep_qiskit.measurement.plan import ReadingPlan, covering_plan, per_weight_plan, qubit_wise_plan, shared_plan
from qep_qiskit.measurement.state_moments import StateMoments
from qep_qiskit.outcomes import is_none, no_covariance, spread_of

__all__ = [
    "Calibrations",
    "Extrapolation",
    "Measuring",
    "ReadingPlan",
    "ReadoutMitigation",
    "Result",
    "StateMoments",
    "Usage",
    "completed",
    "covering_plan",
    "drive",
    "extrapolated",
    "is_none",
    "measure",
    "mitigated",
    "no_covariance",
    "per_weight_plan",
    "qubit_wise_plan",
    "relayed",
    "shared_plan",
    "spread_of",
]
