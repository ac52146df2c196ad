"""Quantum Equilibrium Propagation on quantum circuits.

The imports under `TYPE_CHECKING` are the one list of public names. Editors and type checkers follow them; Python reads
them and imports each when it is first used, so that ``import qep_qiskit`` costs nothing.
"""

from __future__ import annotations

import ast
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from qep_qiskit.ansatz import hamiltonian_variational as hamiltonian_variational
    from qep_qiskit.ansatz import hardware_efficient as hardware_efficient
    from qep_qiskit.ansatz import read_ansatz as read_ansatz
    from qep_qiskit.budget.baselines import SPSA as SPSA
    from qep_qiskit.budget.baselines import FiniteDifferences as FiniteDifferences
    from qep_qiskit.budget.gradient_study import Setting as Setting
    from qep_qiskit.budget.gradient_study import measure_setting as measure_setting
    from qep_qiskit.budget.gradient_study import study_pilot as study_pilot
    from qep_qiskit.budget.parameter_shift import ParameterShift as ParameterShift
    from qep_qiskit.budget.problem import GradientProblem as GradientProblem
    from qep_qiskit.budget.problem import true_gradient as true_gradient
    from qep_qiskit.budget.statistics import PointStatistics as PointStatistics
    from qep_qiskit.budget.statistics import point_statistics as point_statistics
    from qep_qiskit.config import Experiment as Experiment
    from qep_qiskit.config import from_file as from_file
    from qep_qiskit.config.cost import CostSection as CostSection
    from qep_qiskit.config.network_section import NetworkSection as NetworkSection
    from qep_qiskit.config.preparation_section import PreparationScene as PreparationScene
    from qep_qiskit.config.preparation_section import PreparationSection as PreparationSection
    from qep_qiskit.config.variational import AnsatzSection as AnsatzSection
    from qep_qiskit.continuous.coordinate_terms import CoordinateTerm as CoordinateTerm
    from qep_qiskit.continuous.equilibrium import EquilibriumPreparation as EquilibriumPreparation
    from qep_qiskit.continuous.executor import CoordinateExecutor as CoordinateExecutor
    from qep_qiskit.continuous.oscillators import GaussianPreparation as GaussianPreparation
    from qep_qiskit.continuous.springs import SpringNetwork as SpringNetwork
    from qep_qiskit.continuous.weight_registers import WeightRegisters as WeightRegisters
    from qep_qiskit.core.errors import AnsatzError as AnsatzError
    from qep_qiskit.core.errors import ConfigError as ConfigError
    from qep_qiskit.core.errors import NetworkError as NetworkError
    from qep_qiskit.core.errors import QepError as QepError
    from qep_qiskit.core.errors import QepWarning as QepWarning
    from qep_qiskit.core.errors import ResultError as ResultError
    from qep_qiskit.core.jobs import set_jobs as set_jobs
    from qep_qiskit.core.operators import CommutingGroup as CommutingGroup
    from qep_qiskit.core.operators import LocalBasis as LocalBasis
    from qep_qiskit.core.pauli_strings import PauliString as PauliString
    from qep_qiskit.core.program import Layer as Layer
    from qep_qiskit.core.program import LayerProgram as LayerProgram
    from qep_qiskit.core.program import lower as lower
    from qep_qiskit.core.seeds import Seeds as Seeds
    from qep_qiskit.device.service import JobView as JobView
    from qep_qiskit.device.service import RemoteDevice as RemoteDevice
    from qep_qiskit.device.usage import Price as Price
    from qep_qiskit.device.usage import estimated_qpu_seconds as estimated_qpu_seconds
    from qep_qiskit.evolution.density_matrices import DecoherenceRates as DecoherenceRates
    from qep_qiskit.evolution.evolving_state import BondLimits as BondLimits
    from qep_qiskit.execution import Executor as Executor
    from qep_qiskit.execution import GroupMeasurement as GroupMeasurement
    from qep_qiskit.execution import JobHandle as JobHandle
    from qep_qiskit.execution import Request as Request
    from qep_qiskit.execution import RequestKey as RequestKey
    from qep_qiskit.execution import SamplerExecutor as SamplerExecutor
    from qep_qiskit.execution import ShotData as ShotData
    from qep_qiskit.execution import StatevectorExecutor as StatevectorExecutor
    from qep_qiskit.execution import VectorExecutor as VectorExecutor
    from qep_qiskit.execution.aer import AerExecutor as AerExecutor
    from qep_qiskit.execution.aer import device_executor as device_executor
    from qep_qiskit.execution.circuits import transpile_on as transpile_on
    from qep_qiskit.execution.decoherence import DecoherenceExecutor as DecoherenceExecutor
    from qep_qiskit.execution.matrix_products import MatrixProductExecutor as MatrixProductExecutor
    from qep_qiskit.learning import Adam as Adam
    from qep_qiskit.learning import AdaptiveShots as AdaptiveShots
    from qep_qiskit.learning import AgnosticUpdate as AgnosticUpdate
    from qep_qiskit.learning import Callback as Callback
    from qep_qiskit.learning import Contrast as Contrast
    from qep_qiskit.learning import EarlyStopping as EarlyStopping
    from qep_qiskit.learning import ErrorModel as ErrorModel
    from qep_qiskit.learning import GradientBatch as GradientBatch
    from qep_qiskit.learning import GradientDescent as GradientDescent
    from qep_qiskit.learning import GradientEstimate as GradientEstimate
    from qep_qiskit.learning import GradientEstimator as GradientEstimator
    from qep_qiskit.learning import Momentum as Momentum
    from qep_qiskit.learning import Optimizer as Optimizer
    from qep_qiskit.learning import Pilot as Pilot
    from qep_qiskit.learning import PilotSettings as PilotSettings
    from qep_qiskit.learning import Record as Record
    from qep_qiskit.learning import Replication as Replication
    from qep_qiskit.learning import Schedule as Schedule
    from qep_qiskit.learning import ShotSchedule as ShotSchedule
    from qep_qiskit.learning import Stencil as Stencil
    from qep_qiskit.learning import StepShots as StepShots
    from qep_qiskit.learning import Trainer as Trainer
    from qep_qiskit.learning import TrainingSettings as TrainingSettings
    from qep_qiskit.learning import Update as Update
    from qep_qiskit.learning import evaluate as evaluate
    from qep_qiskit.learning import first_beta as first_beta
    from qep_qiskit.learning import measure_pilot as measure_pilot
    from qep_qiskit.learning.exact_gradient import exact_gradient as exact_gradient
    from qep_qiskit.learning.finite_differences import finite_differences as finite_differences
    from qep_qiskit.learning.gradient_call import gradient as gradient
    from qep_qiskit.learning.layer import LayerGradient as LayerGradient
    from qep_qiskit.learning.layer import QEPLayer as QEPLayer
    from qep_qiskit.learning.records import Outcome as Outcome
    from qep_qiskit.learning.tracking import MLflow as MLflow
    from qep_qiskit.learning.tracking import TensorBoard as TensorBoard
    from qep_qiskit.measurement import Extrapolation as Extrapolation
    from qep_qiskit.measurement import MeasurementCoroutine as MeasurementCoroutine
    from qep_qiskit.measurement import MeasurementPlan as MeasurementPlan
    from qep_qiskit.measurement import ReadoutMitigation as ReadoutMitigation
    from qep_qiskit.measurement import run_measurements as run_measurements
    from qep_qiskit.network import ClampedInputs as ClampedInputs
    from qep_qiskit.network import Graph as Graph
    from qep_qiskit.network import Interaction as Interaction
    from qep_qiskit.network import IsingNetwork as IsingNetwork
    from qep_qiskit.network import LinearObservable as LinearObservable
    from qep_qiskit.network import Network as Network
    from qep_qiskit.network import PauliNetwork as PauliNetwork
    from qep_qiskit.network import TermJacobian as TermJacobian
    from qep_qiskit.network import WeightBlock as WeightBlock
    from qep_qiskit.network import WeightInitialisation as WeightInitialisation
    from qep_qiskit.network import WeightLayout as WeightLayout
    from qep_qiskit.network import chain as chain
    from qep_qiskit.network import commuting_groups as commuting_groups
    from qep_qiskit.network import complete as complete
    from qep_qiskit.network import from_edges as from_edges
    from qep_qiskit.network import heavy_hex as heavy_hex
    from qep_qiskit.network import lattice as lattice
    from qep_qiskit.network import layered as layered
    from qep_qiskit.network import ring as ring
    from qep_qiskit.network.batch_losses import BatchLoss as BatchLoss
    from qep_qiskit.network.batch_losses import Contrastive as Contrastive
    from qep_qiskit.network.batch_losses import Sensitivity as Sensitivity
    from qep_qiskit.network.cost import LossOnExpectations as LossOnExpectations
    from qep_qiskit.network.cost import OperatorCost as OperatorCost
    from qep_qiskit.network.cost_interface import Cost as Cost
    from qep_qiskit.network.cost_terms import CostTerm as CostTerm
    from qep_qiskit.network.expressions import parse_operator as parse_operator
    from qep_qiskit.network.losses import CrossEntropy as CrossEntropy
    from qep_qiskit.network.losses import CustomLoss as CustomLoss
    from qep_qiskit.network.losses import Loss as Loss
    from qep_qiskit.network.losses import SquaredError as SquaredError
    from qep_qiskit.network.nudge import NudgedHamiltonian as NudgedHamiltonian
    from qep_qiskit.outcomes import BitMemory as BitMemory
    from qep_qiskit.outcomes import Distribution as Distribution
    from qep_qiskit.outcomes import ExactMeans as ExactMeans
    from qep_qiskit.outcomes import GroupMoments as GroupMoments
    from qep_qiskit.outcomes import Outcomes as Outcomes
    from qep_qiskit.outcomes.known_states import MixedStates as MixedStates
    from qep_qiskit.outcomes.known_states import SpinConfigurations as SpinConfigurations
    from qep_qiskit.outcomes.known_states import SpinEnsembles as SpinEnsembles
    from qep_qiskit.outcomes.known_states import SpinReads as SpinReads
    from qep_qiskit.outcomes.known_states import VectorStates as VectorStates
    from qep_qiskit.outcomes.matrix_product import MatrixProductState as MatrixProductState
    from qep_qiskit.outcomes.matrix_product_states import MatrixProductStates as MatrixProductStates
    from qep_qiskit.outcomes.product_states import ProductStates as ProductStates
    from qep_qiskit.outcomes.states import CircuitStates as CircuitStates
    from qep_qiskit.outcomes.states import PreparedStates as PreparedStates
    from qep_qiskit.preparation import AdiabaticPreparation as AdiabaticPreparation
    from qep_qiskit.preparation import AnnealerPreparation as AnnealerPreparation
    from qep_qiskit.preparation import Ansatz as Ansatz
    from qep_qiskit.preparation import ChainGroundState as ChainGroundState
    from qep_qiskit.preparation import ConvergenceReport as ConvergenceReport
    from qep_qiskit.preparation import CouplerLimits as CouplerLimits
    from qep_qiskit.preparation import DmrgPreparation as DmrgPreparation
    from qep_qiskit.preparation import ExactPreparation as ExactPreparation
    from qep_qiskit.preparation import FixedAnsatz as FixedAnsatz
    from qep_qiskit.preparation import HamiltonianFamily as HamiltonianFamily
    from qep_qiskit.preparation import HamiltonianVariational as HamiltonianVariational
    from qep_qiskit.preparation import HardwareEfficient as HardwareEfficient
    from qep_qiskit.preparation import NeuralPreparation as NeuralPreparation
    from qep_qiskit.preparation import Preparation as Preparation
    from qep_qiskit.preparation import PreparationResult as PreparationResult
    from qep_qiskit.preparation import VariationalPreparation as VariationalPreparation
    from qep_qiskit.preparation import WarmStart as WarmStart
    from qep_qiskit.preparation import chain_term_means as chain_term_means
    from qep_qiskit.preparation import solve_chain as solve_chain
    from qep_qiskit.runs.score import Score as Score
    from qep_qiskit.runs.trained import Prediction as Prediction
    from qep_qiskit.runs.trained import TrainedNetwork as TrainedNetwork
    from qep_qiskit.runs.trained import load_run as load_run
    from qep_qiskit.runs.trained import train as train
    from qep_qiskit.sklearn import QEPClassifier as QEPClassifier
    from qep_qiskit.sklearn import QEPRegressor as QEPRegressor
    from qep_qiskit.tasks import CsvFormat as CsvFormat
    from qep_qiskit.tasks import Dataset as Dataset
    from qep_qiskit.tasks import Task as Task
    from qep_qiskit.tasks import csv_task as csv_task
    from qep_qiskit.tasks import digits_task as digits_task
    from qep_qiskit.tasks import moons_task as moons_task
    from qep_qiskit.tasks import no_data_task as no_data_task
    from qep_qiskit.tasks import parity_task as parity_task
    from qep_qiskit.tasks import scale_targets as scale_targets
    from qep_qiskit.tasks import task_from_arrays as task_from_arrays
    from qep_qiskit.tasks import xor_task as xor_task
else:

    def _homes() -> dict[str, str]:
        """The module of every public name, as the imports above say."""
        public = next(node for node in ast.parse(__spec__.loader.get_source(__name__)).body if isinstance(node, ast.If))
        return {alias.name: line.module for line in public.body for alias in line.names}

    _HOMES = _homes()
    __all__ = sorted(_HOMES)

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'qep_qiskit' has no attribute '{name}'")
        return getattr(import_module(_HOMES[name]), name)

    def __dir__() -> list[str]:
        return [*__all__, "__version__"]
