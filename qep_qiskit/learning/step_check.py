"""Checks of a step before it changes the state of a run: gradient, cost and weights must be finite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from numpy.typing import NDArray

from qep_qiskit.core.checks import check_finite
from qep_qiskit.core.errors import NetworkError, ResultError
from qep_qiskit.learning.gradient_estimate import GradientEstimate
from qep_qiskit.network import WeightLayout


@contextmanager
def naming_step(step: int) -> Iterator[None]:
    """Add the number of the step, counted from 1, to the message of an error about network or results."""
    try:
        yield
    except (NetworkError, ResultError) as error:
        raise type(error)(f"step {step}: {error}") from error


def check_estimate(estimate: GradientEstimate, layout: WeightLayout) -> None:
    """Check that a gradient and its cost are finite.

    Raises:
        ResultError: A value is not finite; the message names the weight or the sample.
    """
    check_finite(estimate.gradient, lambda place: f"the gradient of weight {layout.names[place]}", error=ResultError)
    check_finite(estimate.cost.values, lambda sample: f"the cost of sample {sample}", error=ResultError)


def check_moved(weights: NDArray, layout: WeightLayout) -> None:
    """Check that the weights after a step are finite.

    Args:
        weights: Shape (weights,).
        layout: Names of the weights.

    Raises:
        NetworkError: A weight is not finite; the message names it.
    """
    try:
        layout.checked(weights)
    except NetworkError as error:
        raise NetworkError(f"{error}; use a smaller update.learning_rate, or give min and max") from None
