"""Gradients by contrasts of nudged phases, updates of the weights, and the training loop."""

from qep_qiskit.learning.callback import Callback, Outcome
from qep_qiskit.learning.contrast import STENCILS, Contrast, Stencil, of_sign, study_names
from qep_qiskit.learning.error_model import ErrorModel
from qep_qiskit.learning.evaluation import Evaluation, evaluate
from qep_qiskit.learning.fluctuations import FluctuationEstimator
from qep_qiskit.learning.free_phase import CostEstimate
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.gradient_estimate import GradientEstimate
from qep_qiskit.learning.pilot import Pilot, first_beta, measure_pilot
from qep_qiskit.learning.replicates import Replication
from qep_qiskit.learning.shot_schedule import AdaptiveShots, PilotSettings, ShotSchedule, StepShots
from qep_qiskit.learning.state import EpochTally, TrainingState
from qep_qiskit.learning.trainer import Record, Trainer, TrainingSettings
from qep_qiskit.learning.update import Adam, GradientDescent, Momentum, Optimizer, Schedule, Update

__all__ = [
    "STENCILS",
    "Adam",
    "AdaptiveShots",
    "Callback",
    "Contrast",
    "CostEstimate",
    "EpochTally",
    "ErrorModel",
    "Evaluation",
    "FluctuationEstimator",
    "GradientDescent",
    "GradientEstimate",
    "GradientEstimator",
    "Momentum",
    "Optimizer",
    "Outcome",
    "Pilot",
    "PilotSettings",
    "Record",
    "Replication",
    "Schedule",
    "ShotSchedule",
    "Stencil",
    "StepShots",
    "Trainer",
    "TrainingSettings",
    "TrainingState",
    "Update",
    "evaluate",
    "first_beta",
    "measure_pilot",
    "of_sign",
    "study_names",
]
