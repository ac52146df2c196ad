"""How an eigenstate is reached."""

from qep_qiskit.preparation.adiabatic import RAMPS, AdiabaticPreparation
from qep_qiskit.preparation.ansaetze import Ansatz, FixedAnsatz, HamiltonianVariational, HardwareEfficient
from qep_qiskit.preparation.exact import ExactPreparation
from qep_qiskit.preparation.interface import Equilibria, Family, Memory, Preparation, SolverReport, Start
from qep_qiskit.preparation.response import linear_response
from qep_qiskit.preparation.spectra import apply_hamiltonian, dense_hamiltonians, term_expectations
from qep_qiskit.preparation.variational import VariationalPreparation

__all__ = [
    "RAMPS",
    "AdiabaticPreparation",
    "Ansatz",
    "Equilibria",
    "ExactPreparation",
    "Family",
    "FixedAnsatz",
    "HamiltonianVariational",
    "HardwareEfficient",
    "Memory",
    "Preparation",
    "SolverReport",
    "Start",
    "VariationalPreparation",
    "apply_hamiltonian",
    "dense_hamiltonians",
    "linear_response",
    "term_expectations",
]
