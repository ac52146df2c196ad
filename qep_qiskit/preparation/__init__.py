"""Prepare eigenstates and Gibbs states of H + beta C: exactly, adiabatically, variationally, or by annealing."""

from qep_qiskit.preparation.adiabatic import RAMPS, AdiabaticPreparation
from qep_qiskit.preparation.annealing import AnnealingPreparation
from qep_qiskit.preparation.ansaetze import Ansatz, FixedAnsatz, HamiltonianVariational, HardwareEfficient
from qep_qiskit.preparation.classical import ExactSearch, classical_energies, exact_preparation
from qep_qiskit.preparation.exact import ExactPreparation
from qep_qiskit.preparation.free_fermions import ChainGroundState, chain_term_means, solve_chain
from qep_qiskit.preparation.interface import (
    ConvergenceReport,
    HamiltonianFamily,
    Preparation,
    PreparationResult,
    WarmStart,
    WarmStartArrays,
    check_level,
    prepared,
)
from qep_qiskit.preparation.spectra import apply_hamiltonian, dense_hamiltonians, term_expectations
from qep_qiskit.preparation.thermal import ThermalPreparation, thermal_response
from qep_qiskit.preparation.variational import VariationalPreparation

__all__ = [
    "RAMPS",
    "AdiabaticPreparation",
    "AnnealingPreparation",
    "Ansatz",
    "ChainGroundState",
    "ConvergenceReport",
    "ExactPreparation",
    "ExactSearch",
    "FixedAnsatz",
    "HamiltonianFamily",
    "HamiltonianVariational",
    "HardwareEfficient",
    "Preparation",
    "PreparationResult",
    "ThermalPreparation",
    "VariationalPreparation",
    "WarmStart",
    "WarmStartArrays",
    "apply_hamiltonian",
    "chain_term_means",
    "check_level",
    "classical_energies",
    "dense_hamiltonians",
    "exact_preparation",
    "prepared",
    "solve_chain",
    "term_expectations",
    "thermal_response",
]
