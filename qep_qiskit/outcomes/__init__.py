"""What comes of measurements, and its moments."""

from qep_qiskit.outcomes.bits import BitMemory, BitOutcomes, Distribution, bits_of
from qep_qiskit.outcomes.covariances import is_none, no_covariance, spread_of
from qep_qiskit.outcomes.interface import ExactMeans, GroupMoments, Outcomes, ReadingErrors, unpacked

__all__ = [
    "BitMemory",
    "BitOutcomes",
    "Distribution",
    "ExactMeans",
    "GroupMoments",
    "Outcomes",
    "ReadingErrors",
    "bits_of",
    "is_none",
    "no_covariance",
    "spread_of",
    "unpacked",
]
