"""Commuting groups to circuits, bits and moments."""

from qep_qiskit.measurement.batches import Measuring, Usage, drive, measure
from qep_qiskit.measurement.covariances import is_none, no_covariance, spread_of
from qep_qiskit.measurement.extrapolation import Extrapolation, extrapolated
from qep_qiskit.measurement.mitigation import Calibrations, ReadoutMitigation, mitigated
from qep_qiskit.measurement.moments import GroupMoments, StateMoments, moments
from qep_qiskit.measurement.plan import ReadingPlan, per_weight_plan, qubit_wise_plan, shared_plan

__all__ = [
    "Calibrations",
    "Extrapolation",
    "GroupMoments",
    "Measuring",
    "ReadingPlan",
    "ReadoutMitigation",
    "StateMoments",
    "Usage",
    "drive",
    "extrapolated",
    "is_none",
    "measure",
    "mitigated",
    "moments",
    "no_covariance",
    "per_weight_plan",
    "qubit_wise_plan",
    "shared_plan",
    "spread_of",
]
