"""Ansaetze: families by name, the user's own circuits, and the overlap of two of their states."""

from qep_qiskit.ansatz.ansatz_file import ansatz_text as ansatz_text
from qep_qiskit.ansatz.ansatz_file import parse_ansatz as parse_ansatz
from qep_qiskit.ansatz.ansatz_file import read_ansatz as read_ansatz
from qep_qiskit.ansatz.checks import check_ansatz as check_ansatz
from qep_qiskit.ansatz.circuit_ansatz import circuit_ansatz as circuit_ansatz
from qep_qiskit.ansatz.families import ENTANGLEMENTS as ENTANGLEMENTS
from qep_qiskit.ansatz.families import Entanglement as Entanglement
from qep_qiskit.ansatz.families import hamiltonian_variational as hamiltonian_variational
from qep_qiskit.ansatz.families import hardware_efficient as hardware_efficient
from qep_qiskit.ansatz.overlap import initial_state_measurement as initial_state_measurement
from qep_qiskit.ansatz.overlap import overlap_program as overlap_program
