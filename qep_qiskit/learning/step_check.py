"""What a step of training must give before the state of a run changes: numbers, of gradient, cost and weights."""

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
    """Say in which step, counted from 1, a number could not be used."""
    try:
        yield
    except (NetworkError, ResultError) as error:
        raise type(error)(f"step {step}: {error}") from error


def check_estimate(estimate: GradientEstimate, layout: WeightLayout) -> None:
    """Whether a gradient and its cost are numbers.

    Raises:
        ResultError: One is not; the message names the weight or the sample.
    """
    names = layout.names
    check_finite(estimate.gradient, lambda place: f"the gradient of weight {names[place]}", error=ResultError)
    check_finite(estimate.cost.values, lambda sample: f"the cost of sample {sample}", error=ResultError)


def check_moved(weights: NDArray, layout: WeightLayout) -> None:
    """Whether the weights after a step are numbers.

    Raises:
        NetworkError: One is not; the message names it.
    """
    try:
        layout.checked(weights)
    except NetworkError as error:
        raise NetworkError(f"{error}; use a smaller update.learning_rate, or give min and max") from None
