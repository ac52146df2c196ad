"""Tasks to train on: data files, built-in tasks, scaling, class encoding and storage."""

from __future__ import annotations

from qep_qiskit.tasks.assembly import TaskOptions, task_from_table
from qep_qiskit.tasks.builtin import (
    digits,
    digits_task,
    moons,
    moons_task,
    no_data_task,
    parity,
    parity_task,
    xor,
    xor_task,
)
from qep_qiskit.tasks.csv_file import read_csv, read_inputs
from qep_qiskit.tasks.csv_task import csv_task, read_rows
from qep_qiskit.tasks.dataset import Dataset, Task
from qep_qiskit.tasks.encoding import Encoding, decode, default_num_targets, encode_labels
from qep_qiskit.tasks.phase_diagram import cluster_phases, phase_diagram_task
from qep_qiskit.tasks.scaling import Scaling, ScalingKind
from qep_qiskit.tasks.splitting import split
from qep_qiskit.tasks.storage import load_task, save_task
from qep_qiskit.tasks.table import RawTable
from qep_qiskit.tasks.target_scaling import TargetScalingKind, scale_targets

__all__ = [
    "Dataset",
    "Encoding",
    "RawTable",
    "Scaling",
    "ScalingKind",
    "TargetScalingKind",
    "Task",
    "TaskOptions",
    "cluster_phases",
    "csv_task",
    "decode",
    "default_num_targets",
    "digits",
    "digits_task",
    "encode_labels",
    "load_task",
    "moons",
    "moons_task",
    "no_data_task",
    "parity",
    "parity_task",
    "phase_diagram_task",
    "read_csv",
    "read_inputs",
    "read_rows",
    "save_task",
    "scale_targets",
    "split",
    "task_from_table",
    "xor",
    "xor_task",
]
