"""Tasks to train on: data files, built-in tasks, scaling, class encoding and storage."""

from qep_qiskit.tasks.array_task import rows_from_arrays as rows_from_arrays
from qep_qiskit.tasks.array_task import task_from_arrays as task_from_arrays
from qep_qiskit.tasks.assembly import TaskOptions as TaskOptions
from qep_qiskit.tasks.builtin import digits_task as digits_task
from qep_qiskit.tasks.builtin import moons_task as moons_task
from qep_qiskit.tasks.builtin import no_data_task as no_data_task
from qep_qiskit.tasks.builtin import parity_task as parity_task
from qep_qiskit.tasks.builtin import xor_task as xor_task
from qep_qiskit.tasks.csv_format import CsvFormat as CsvFormat
from qep_qiskit.tasks.csv_task import csv_task as csv_task
from qep_qiskit.tasks.csv_task import read_rows as read_rows
from qep_qiskit.tasks.dataset import Dataset as Dataset
from qep_qiskit.tasks.dataset import Task as Task
from qep_qiskit.tasks.encoding import decode as decode
from qep_qiskit.tasks.phase_diagram import phase_diagram_task as phase_diagram_task
from qep_qiskit.tasks.storage import load_task as load_task
from qep_qiskit.tasks.storage import save_task as save_task
from qep_qiskit.tasks.target_scaling import scale_targets as scale_targets
