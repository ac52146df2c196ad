"""What a type checker must see in the public names: `mypy --strict`, from a folder outside the checkout."""

from typing import assert_type

import qep_qiskit as qep
from qep_qiskit.learning.gradient_estimate import GradientEstimate
from qep_qiskit.network.graphs import Graph
from qep_qiskit.tasks import Task

assert_type(qep.__version__, str)
assert_type(qep.complete(4), Graph)
assert_type(qep.xor_task(), Task)
network = qep.IsingNetwork(graph=qep.complete(4), outputs=(3,), inputs=qep.ClampedInputs.all_to(2, range(4)))
assert_type(network, qep.IsingNetwork)
assert_type(network.outputs, tuple[int, ...])


def estimate(estimator: qep.GradientEstimator, trainer: qep.Trainer) -> qep.GradientEstimator:
    """Any would be taken for everything; a wrong use must be an error."""
    assert_type(trainer.estimator, qep.GradientEstimator)
    trainer.estimator = estimator
    _ = estimator.no_such_name  # type: ignore[attr-defined]
    return trainer.estimator


def last(estimates: list[GradientEstimate]) -> GradientEstimate:
    """The type of what an estimator gives."""
    return estimates[-1]
