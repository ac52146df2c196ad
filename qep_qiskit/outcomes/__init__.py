"""Hold the outcomes of measurements, and compute their moments."""

from qep_qiskit.outcomes.bits import BitMemory, BitOutcomes, Distribution, bits_of
from qep_qiskit.outcomes.covariances import is_none, no_covariance, variance_of
from qep_qiskit.outcomes.interface import ExactMeans, GroupMoments, Outcomes, ReadoutErrorModel, unpacked

__all__ = [
    "BitMemory",
    "BitOutcomes",
    "Distribution",
    "ExactMeans",
    "GroupMoments",
    "Outcomes",
    "ReadoutErrorModel",
    "bits_of",
    "is_none",
    "no_covariance",
    "unpacked",
    "variance_of",
]
