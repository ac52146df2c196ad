"""Shot budget of a gradient: comparison of methods at equal shots, and statistics of repeated estimates."""

from qep_qiskit.budget.baselines import SPSA, Baseline, BaselineEstimate, FiniteDifferences
from qep_qiskit.budget.candidates import finite_difference_candidates, spsa_candidates
from qep_qiskit.budget.parameter_shift import AngleGradient, ParameterShift, exact_angle_gradient
from qep_qiskit.budget.statistics import PointStatistics, mse_pull, point_statistics

__all__ = [
    "SPSA",
    "AngleGradient",
    "Baseline",
    "BaselineEstimate",
    "FiniteDifferences",
    "ParameterShift",
    "PointStatistics",
    "exact_angle_gradient",
    "finite_difference_candidates",
    "mse_pull",
    "point_statistics",
    "spsa_candidates",
]
