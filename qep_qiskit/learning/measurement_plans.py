"""Measurement plans of gradients, outputs and costs for a grouping of the terms."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qep_qiskit.measurement import MeasurementPlan, covering_plan, per_weight_plan, qubit_wise_plan, shared_plan
from qep_qiskit.network import TermJacobian
from qep_qiskit.network.nudge import NudgedHamiltonian

Grouping = Literal["shared", "qubit_wise", "cover", "per_weight"]


def output_plan(hamiltonian: NudgedHamiltonian, grouping: Grouping) -> MeasurementPlan:
    """Return the measurement plan of outputs and cost, and of gradients unless each weight is measured on its own.

    Args:
        hamiltonian: Network and cost.
        grouping: Which terms share shots; ``"per_weight"`` is treated as ``"shared"``.
    """
    if grouping == "qubit_wise":
        return qubit_wise_plan(hamiltonian.terms, hamiltonian.num_qubits)
    if grouping == "cover":
        wanted = np.concatenate([hamiltonian.trained_terms, hamiltonian.cost_terms, hamiltonian.measured_terms])
        return covering_plan(hamiltonian.terms, tuple(np.unique(wanted).tolist()), hamiltonian.num_qubits)
    return shared_plan(hamiltonian.groups)


def gradient_plan(hamiltonian: NudgedHamiltonian, grouping: Grouping, jacobian: TermJacobian) -> MeasurementPlan:
    """Return the measurement plan of a gradient."""
    if grouping != "per_weight":
        return output_plan(hamiltonian, grouping)
    names, read = hamiltonian.network.layout.names, hamiltonian.cost_terms_of_phases
    return per_weight_plan(hamiltonian.groups, jacobian, names, read)
