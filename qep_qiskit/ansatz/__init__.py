"""Ansaetze: families by name, the user's own circuits, and the overlap of two of their states."""

from qep_qiskit.ansatz.ansatz_file import ansatz_text, parse_ansatz, read_ansatz
from qep_qiskit.ansatz.checks import check_ansatz
from qep_qiskit.ansatz.circuit_ansatz import circuit_ansatz
from qep_qiskit.ansatz.families import ENTANGLEMENTS, hamiltonian_variational, hardware_efficient
from qep_qiskit.ansatz.overlap import InitialStateMeasurement, initial_state_measurement, overlap_program

__all__ = [
    "ENTANGLEMENTS",
    "InitialStateMeasurement",
    "ansatz_text",
    "check_ansatz",
    "circuit_ansatz",
    "hamiltonian_variational",
    "hardware_efficient",
    "initial_state_measurement",
    "overlap_program",
    "parse_ansatz",
    "read_ansatz",
]
