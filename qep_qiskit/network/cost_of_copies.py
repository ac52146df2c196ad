"""Costs of every copy of the outputs of a network of spins: each copy is nudged to the target of its output."""

from __future__ import annotations

import numpy as np

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.losses import Loss
from qep_qiskit.network.spin_network import SpinNetwork


def loss_of_copies(network: SpinNetwork, loss: Loss, name: str | None = None) -> LossOnExpectations:
    """Return the sum of a loss over the copies of the outputs.

    Args:
        network: The network, with several copies of each output.
        loss: The loss of one set of outputs.
        name: Name of the loss in messages.

    Raises:
        NetworkError: The network has no output, or the loss is that of a batch.
    """
    _check(network)
    return LossOnExpectations(network.copy_observables, loss, name, copies=network.copies)


def squared_error_of_copies(network: SpinNetwork) -> OperatorCost:
    """Return C = sum_s (Z_s - y_o)^2 over all output spins s, where the copies of an output o share its target.

    As Z_s^2 = 1, copies are not coupled, and the nudge of each is -2 beta y_o Z_s.

    Args:
        network: The network, with several copies of each output.

    Raises:
        NetworkError: The network has no output.
    """
    _check(network)
    alone, copies = OperatorCost.squared_error(network.outputs, network.num_qubits), network.copies
    return OperatorCost(
        alone.terms,
        alone.num_qubits,
        lambda targets: alone.expand(np.repeat(targets, copies, axis=1)),
        len(network.outputs) // copies,
    )


def _check(network: SpinNetwork) -> None:
    if not network.outputs:
        raise NetworkError("outputs: expected at least one output spin")
