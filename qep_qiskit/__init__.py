"""Quantum Equilibrium Propagation on quantum circuits.

The names below are the public interface; each is imported when it is first used, so that ``import qep_qiskit``
costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES: dict[str, str] = {
    "Adam": "learning",
    "AdaptiveShots": "learning",
    "AdiabaticPreparation": "preparation",
    "AerExecutor": "execution.aer",
    "AnsatzError": "errors",
    "ChainGroundState": "preparation",
    "ClampedInputs": "network",
    "CommutingGroup": "operators",
    "Contrast": "learning",
    "CoordinateWord": "coordinates",
    "CostTerm": "cost",
    "CrossEntropy": "losses",
    "CustomLoss": "losses",
    "EquilibriumPreparation": "preparation",
    "ErrorModel": "learning",
    "ExactPreparation": "preparation",
    "Experiment": "config",
    "FiniteDifferences": "budget",
    "FixedAnsatz": "preparation",
    "Extrapolation": "measurement",
    "GaussianPreparation": "preparation",
    "GradientDescent": "learning",
    "GradientEstimator": "learning",
    "GradientProblem": "budget.problem",
    "HamiltonianVariational": "preparation",
    "HardwareEfficient": "preparation",
    "Interaction": "network",
    "IsingNetwork": "network",
    "LayerProgram": "program",
    "LossOnExpectations": "cost",
    "Momentum": "learning",
    "NudgedHamiltonian": "nudge",
    "OperatorCost": "cost",
    "ParameterShift": "budget",
    "PauliNetwork": "network",
    "PauliWord": "operators",
    "Pilot": "learning",
    "PilotSettings": "learning",
    "Replication": "learning",
    "PointExecutor": "execution",
    "PointStatistics": "budget",
    "QepError": "errors",
    "QepWarning": "errors",
    "ReadingPlan": "measurement",
    "ReadoutMitigation": "measurement",
    "RequestKey": "execution",
    "SPSA": "budget",
    "SamplerExecutor": "execution",
    "Schedule": "learning",
    "Seeds": "seeds",
    "Setting": "budget.gradient_study",
    "Spending": "learning",
    "SpendingPolicy": "learning",
    "SpringNetwork": "network",
    "SquaredError": "losses",
    "Start": "network",
    "StatevectorExecutor": "execution",
    "Trainer": "learning",
    "TrainingSettings": "learning",
    "Update": "learning",
    "VariationalPreparation": "preparation",
    "VectorExecutor": "execution",
    "chain": "network",
    "chain_term_means": "preparation",
    "complete": "network",
    "csv_task": "tasks",
    "device_executor": "execution.aer",
    "digits_task": "tasks",
    "drive": "measurement",
    "estimated_qpu_seconds": "execution",
    "evaluate": "learning",
    "exact_gradient": "learning.exact_gradient",
    "finite_differences": "learning.finite_differences",
    "first_beta": "learning",
    "from_edges": "network",
    "from_file": "config",
    "hamiltonian_variational": "ansatz",
    "hardware_efficient": "ansatz",
    "heavy_hex": "network",
    "lattice": "network",
    "layered": "network",
    "lower": "program",
    "measure_pilot": "learning",
    "measure_setting": "budget.gradient_study",
    "moons_task": "tasks",
    "no_data_task": "tasks",
    "parity_task": "tasks",
    "parse_operator": "expressions",
    "point_statistics": "budget",
    "read_ansatz": "ansatz",
    "ring": "network",
    "scale_targets": "tasks",
    "solve_chain": "preparation",
    "study_pilot": "budget.gradient_study",
    "true_gradient": "budget.problem",
    "xor_task": "tasks",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'qep_qiskit' has no attribute '{name}'")
    return getattr(import_module(f"qep_qiskit.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
