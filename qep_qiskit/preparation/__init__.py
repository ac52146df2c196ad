"""How an eigenstate is reached."""

from qep_qiskit.preparation.adiabatic import RAMPS, AdiabaticPreparation
from qep_qiskit.preparation.exact import (
    ExactPreparation,
    apply_hamiltonian,
    dense_hamiltonians,
    linear_response,
    term_expectations,
)
from qep_qiskit.preparation.free_fermions import ChainGroundState, chain_term_means, solve_chain
from qep_qiskit.preparation.interface import Preparation

__all__ = [
    "RAMPS",
    "AdiabaticPreparation",
    "ChainGroundState",
    "ExactPreparation",
    "Preparation",
    "apply_hamiltonian",
    "chain_term_means",
    "dense_hamiltonians",
    "linear_response",
    "solve_chain",
    "term_expectations",
]
