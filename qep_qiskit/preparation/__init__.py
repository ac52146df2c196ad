"""How an eigenstate is reached."""

from qep_qiskit.preparation.adiabatic import RAMPS, AdiabaticPreparation
from qep_qiskit.preparation.annealing import AnnealingPreparation
from qep_qiskit.preparation.ansaetze import Ansatz, FixedAnsatz, HamiltonianVariational, HardwareEfficient
from qep_qiskit.preparation.classical import ExactSearch, classical_energies, exact_preparation
from qep_qiskit.preparation.equilibrium import EquilibriumPreparation
from qep_qiskit.preparation.exact import ExactPreparation
from qep_qiskit.preparation.free_fermions import ChainGroundState, chain_term_means, solve_chain
from qep_qiskit.preparation.interface import (
    Equilibria,
    Family,
    Memory,
    Preparation,
    SolverReport,
    Start,
    check_level,
)
from qep_qiskit.preparation.on_grid import OnGrid
from qep_qiskit.preparation.oscillator_ansatz import OscillatorVariational
from qep_qiskit.preparation.oscillator_layers import OscillatorProduct
from qep_qiskit.preparation.oscillators import GaussianPreparation, stable_betas
from qep_qiskit.preparation.response import Responding, linear_response
from qep_qiskit.preparation.spectra import apply_hamiltonian, dense_hamiltonians, term_expectations
from qep_qiskit.preparation.split_operator import SplitOperatorPreparation
from qep_qiskit.preparation.thermal import ThermalPreparation, thermal_response
from qep_qiskit.preparation.variational import VariationalPreparation

__all__ = [
    "RAMPS",
    "AdiabaticPreparation",
    "AnnealingPreparation",
    "Ansatz",
    "ChainGroundState",
    "Equilibria",
    "EquilibriumPreparation",
    "ExactPreparation",
    "ExactSearch",
    "Family",
    "FixedAnsatz",
    "GaussianPreparation",
    "HamiltonianVariational",
    "HardwareEfficient",
    "Memory",
    "OnGrid",
    "OscillatorProduct",
    "OscillatorVariational",
    "Preparation",
    "Responding",
    "SolverReport",
    "SplitOperatorPreparation",
    "Start",
    "ThermalPreparation",
    "VariationalPreparation",
    "apply_hamiltonian",
    "chain_term_means",
    "check_level",
    "classical_energies",
    "dense_hamiltonians",
    "exact_preparation",
    "linear_response",
    "solve_chain",
    "stable_betas",
    "term_expectations",
    "thermal_response",
]
