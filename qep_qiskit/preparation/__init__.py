"""How an eigenstate is reached."""

from qep_qiskit.preparation.adiabatic import RAMPS, AdiabaticPreparation
from qep_qiskit.preparation.exact import (
    ExactPreparation,
    apply_hamiltonian,
    dense_hamiltonians,
    linear_response,
    term_expectations,
)
from qep_qiskit.preparation.interface import Preparation

__all__ = [
    "RAMPS",
    "AdiabaticPreparation",
    "ExactPreparation",
    "Preparation",
    "apply_hamiltonian",
    "dense_hamiltonians",
    "linear_response",
    "term_expectations",
]
