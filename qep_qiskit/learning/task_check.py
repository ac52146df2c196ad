"""Checks that a task fits a network and a cost: sizes, usable losses, reachable targets, and scaled inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import DataError, UnreachableTargetWarning, UnscaledInputsWarning
from qep_qiskit.core.warning_log import warn
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.losses import CrossEntropy, SquaredError
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import has_certain_outcomes
from qep_qiskit.tasks import Task

_LARGE = 100.0
_ROUNDING = 1e-9


def check_task(hamiltonian: NudgedHamiltonian, task: Task) -> None:
    """Check that samples fit network and cost, and that the derivatives of the loss are correct.

    Raises:
        DataError: The number of inputs or targets does not fit, or the loss cannot use the targets.
        NetworkError: The loss cannot be used, see `check_derivatives`.
    """
    data, output_map = task.train, hamiltonian.output_map
    if data.num_inputs != hamiltonian.network.num_inputs:
        raise DataError(
            f"task: samples have {amount(data.num_inputs, 'input')}, the network takes {hamiltonian.network.num_inputs}"
        )
    takes = hamiltonian.cost.num_targets
    if takes is None and output_map is not None:
        takes = len(output_map.matrix) // hamiltonian.cost.copies
    is_free = hamiltonian.cost.couples_samples and not hamiltonian.cost.decodes_classes
    if data.num_targets and takes is not None and data.num_targets != takes and not is_free:
        raise DataError(
            f"task: samples have {amount(data.num_targets, 'target')}, the cost takes {takes}, one an output where it "
            "compares them; set network.outputs to as many spins"
        )
    hamiltonian.cost.check(hamiltonian.targets_of(data.inputs, data.targets), hamiltonian.output_reach)
    _warn_of_targets(hamiltonian, task)


def warn_of_inputs(hamiltonian: NudgedHamiltonian, weights: NDArray, inputs: NDArray) -> None:
    """Warn of inputs that dominate the Hamiltonian, so that outputs of spins saturate and ramps cannot resolve them.

    Args:
        hamiltonian: Network and cost; networks with continuous variables are not checked.
        weights: Initial weights, shape (weights,).
        inputs: Shape (samples, inputs).
    """
    if not inputs.size or not hamiltonian.is_bounded:
        return
    nothing = np.zeros((1, inputs.shape[1]))
    sizes = []
    for measure in (hamiltonian.free_coefficients, lambda w, x: hamiltonian.jacobian(w, x).values):
        undriven = measure(weights, nothing)
        driven = np.abs(measure(weights, inputs) - undriven).max(axis=1, initial=0.0)
        size = float(np.abs(undriven).max(initial=0.0))
        sizes.append(driven / size if size else np.zeros(len(inputs)))
    ratio = np.max(sizes, axis=0)
    warn(
        UnscaledInputsWarning,
        "inputs dominate the Hamiltonian, so that outputs saturate and nothing is learned; set "
        "task.scaling = 'standard', or a smaller task.input_scale",
        detail=f"inputs up to {np.abs(inputs).max():.4g} give terms {ratio.max():.3g} times as large as all others",
        affected=int(np.count_nonzero(ratio > _LARGE)),
        of=len(inputs),
        once=True,
    )


def warn_of_certain_outputs(estimator: GradientEstimator, targets: NDArray) -> None:
    """Warn of error signals that pull right outputs back, where outputs are spins that are +1 or -1 for certain.

    An expectation that has passed its target shall come back; a certain spin cannot stop between its two values, and
    turns to the wrong one where the nudge is stronger than its field.

    Args:
        estimator: Problem and preparation.
        targets: Shape (samples, targets).
    """
    hamiltonian, cost = estimator.hamiltonian, estimator.hamiltonian.cost
    if not (isinstance(cost, LossOnExpectations) and isinstance(cost.loss, SquaredError | CrossEntropy)):
        return
    middle = np.zeros((len(targets), cost.num_outputs)) + cost.output_map()[1]
    sizes = np.abs(hamiltonian.means_of_single_terms(middle)[1])
    if not (has_certain_outcomes(estimator.preparation) and sizes.all()):
        return
    outward = -np.sign(cost.signals(middle, targets))
    back = outward * cost.signals(middle + outward * sizes, targets)
    warn(
        UnreachableTargetWarning,
        "outputs are spins of certain value, +1 or -1, and the loss is lowest between, so that right outputs are "
        "pulled back and may turn over; set task.amplitude = 1, with the cross-entropy cost.label_smoothing = 0, or "
        "take spins whose expectations vary (network.kind = 'ising', preparation.kind = 'thermal')",
        detail=f"error signals of right outputs up to {back.max(initial=0.0):.3g}",
        affected=int(np.count_nonzero((back > _ROUNDING).any(axis=1))),
        of=len(targets),
        once=True,
    )


def _warn_of_targets(hamiltonian: NudgedHamiltonian, task: Task) -> None:
    reach, targets = hamiltonian.output_reach[:: hamiltonian.cost.copies], task.train.targets
    if not hamiltonian.cost.compares_outputs or targets.shape[1] != len(reach):
        return
    low, high = reach.T
    slack = 1e-9 * np.maximum(np.abs(low), np.abs(high))
    outside = (targets < low - slack) | (targets > high + slack)
    if outside.any():
        output = int(np.argmax(outside.any(axis=0)))
        column = targets[:, output]
        warn(
            UnreachableTargetWarning,
            "targets lie beyond what the outputs can reach, so that no weights take the loss to zero; set "
            "task.target_scaling = 'minmax', or scale the targets",
            detail=f"output {output} reaches {low[output]:.4g} to {high[output]:.4g}, its targets run from "
            f"{column.min():.4g} to {column.max():.4g}",
            affected=int(outside.any(axis=1).sum()),
            of=len(targets),
            once=True,
        )
