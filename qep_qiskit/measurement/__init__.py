"""Commuting groups to circuits, bits and moments."""

from qep_qiskit.measurement.batches import Measuring, StateMoments, Usage, drive, measure
from qep_qiskit.measurement.mitigation import Calibrations, ReadoutMitigation, mitigated
from qep_qiskit.measurement.moments import GroupMoments, moments

__all__ = [
    "Calibrations",
    "GroupMoments",
    "Measuring",
    "ReadoutMitigation",
    "StateMoments",
    "Usage",
    "drive",
    "measure",
    "mitigated",
    "moments",
]
