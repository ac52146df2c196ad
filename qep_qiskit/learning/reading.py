"""In which shared batches a gradient is read: the reading plan of a grouping."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np

from qep_qiskit.cost import LossOnExpectations
from qep_qiskit.measurement import ReadingPlan, covering_plan, per_weight_plan, qubit_wise_plan, shared_plan
from qep_qiskit.network import TermJacobian
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.operators import PauliWord

__all__ = ["Grouping", "plan_of_gradient", "plan_of_outputs"]

Grouping = Literal["shared", "qubit_wise", "cover", "per_weight"]


@cache
def _qubit_wise(words: tuple[PauliWord, ...], num_qubits: int) -> ReadingPlan:
    return qubit_wise_plan(words, num_qubits)


@cache
def _covering(words: tuple[PauliWord, ...], wanted: tuple[int, ...], num_qubits: int) -> ReadingPlan:
    return covering_plan(words, np.array(wanted), num_qubits)


def plan_of_outputs(hamiltonian: NudgedHamiltonian, grouping: Grouping) -> ReadingPlan:
    """The shared batches that outputs and cost are read in, and gradients unless each weight has its own."""
    if grouping == "qubit_wise":
        return _qubit_wise(hamiltonian.words, hamiltonian.num_qubits)
    if grouping == "cover":
        wanted = np.concatenate([hamiltonian.trained_terms, hamiltonian.cost_terms, hamiltonian.reading_terms])
        return _covering(hamiltonian.words, tuple(np.unique(wanted).tolist()), hamiltonian.num_qubits)
    return shared_plan(hamiltonian.groups)


def plan_of_gradient(hamiltonian: NudgedHamiltonian, grouping: Grouping, jacobian: TermJacobian) -> ReadingPlan:
    """The batches that a gradient is read in.

    Args:
        hamiltonian: Network and cost.
        grouping: Which shots are shared.
        jacobian: d(coefficient)/d(weight), by terms.
    """
    if grouping != "per_weight":
        return plan_of_outputs(hamiltonian, grouping)
    # The cost of a loss on expectations is read in the free phase, in shared batches.
    cost = () if isinstance(hamiltonian.cost, LossOnExpectations) else hamiltonian.cost_terms
    return per_weight_plan(hamiltonian.groups, jacobian, hamiltonian.network.layout.names, cost)
