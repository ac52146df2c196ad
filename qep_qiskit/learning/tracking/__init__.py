"""Callbacks that log a training to TensorBoard and MLflow."""

from qep_qiskit.learning.tracking.mlflow import MLflow as MLflow
from qep_qiskit.learning.tracking.tensorboard import TensorBoard as TensorBoard
