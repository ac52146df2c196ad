"""Costs of every copy of the outputs: values and gradients by hand, predictions from means, and refused settings."""

import numpy as np
import pytest

from qep_qiskit.config import build, check_config
from qep_qiskit.core.errors import ConfigError, NetworkError
from qep_qiskit.learning import evaluate
from qep_qiskit.learning.contrast import Contrast
from qep_qiskit.learning.gradient_call import gradient
from qep_qiskit.network import ClampedInputs, IsingNetwork, complete
from qep_qiskit.network.batch_losses import Contrastive
from qep_qiskit.network.cost_of_copies import loss_of_copies, squared_error_of_copies
from qep_qiskit.network.losses import CrossEntropy

Z = [1 - 2 * (np.arange(16) >> spin & 1) for spin in range(4)]
X, Y = np.array([0.7, -0.4]), np.array([1.0, 0.0])
FINE = Contrast(kind="four_point", beta=1e-3)


def network():
    return IsingNetwork(graph=complete(4), outputs=(3, 1, 0, 2), copies=2, inputs=ClampedInputs.all_to(2, range(4)))


def means(made, weights):
    """Return <Z> of every output spin in the ground state."""
    ground = np.linalg.eigh(made.hamiltonian(weights, X).to_matrix().real)[1][:, 0] ** 2
    return np.array([ground @ Z[spin] for spin in made.outputs])


def by_hand(value, weights, step=1e-5):
    return np.array([(value(weights + shift) - value(weights - shift)) / (2 * step) for shift in step * np.eye(22)])


def test_gradient_is_that_of_the_summed_losses_of_the_copies(rng):
    made, weights = network(), rng.normal(size=22) * 0.5
    weights[6:10] = 1.0

    def cross_entropy(at):
        outputs = means(made, at)
        return CrossEntropy().value(outputs.reshape(2, 2).T, np.tile(Y, (2, 1))).sum()

    found = gradient(made, loss_of_copies(made, CrossEntropy()), weights, X, Y, contrast=FINE)
    assert found.gradient == pytest.approx(by_hand(cross_entropy, weights), abs=1e-8)
    assert found.cost.values[0] == pytest.approx(cross_entropy(weights), abs=1e-12)


def test_operator_cost_nudges_every_copy_alone(rng):
    made, weights = network(), rng.normal(size=22) * 0.5
    weights[6:10] = 1.0
    cost = squared_error_of_copies(made)
    diagonal = sum((Z[spin] - Y[place // 2]) ** 2 for place, spin in enumerate(made.outputs))
    assert np.diag(cost.operator(Y).to_matrix()).real == pytest.approx(diagonal, abs=1e-12)
    found = gradient(made, cost, weights, X, Y, contrast=FINE)

    def squares(at):
        return (2.0 - 2.0 * means(made, at) * np.repeat(Y, 2)).sum()

    assert found.gradient == pytest.approx(by_hand(squares, weights), abs=1e-8)


def experiment(cost, network=None, **measurement):
    content = {
        "task": {"kind": "xor", "amplitude": 1.0},
        "network": {"num_spins": 4, "copies": 2} | (network or {}),
        "preparation": {"kind": "exact"},
        "cost": cost,
        "measurement": measurement,
    }
    return build(check_config(content, "run.toml"))


@pytest.mark.parametrize("kind", ["loss", "operator"])
def test_predictions_and_their_errors_are_those_of_the_mean(kind, rng):
    """The same states and shots, read with the loss of the mean and with the loss of each copy."""
    found = {}
    for copies in ("mean", "each"):
        cost = {"kind": kind, "copies": copies} | ({"operator": "squared_error"} if kind == "operator" else {})
        run = experiment(cost, shots=50, test_shots=50)
        weights = run.network.layout.initial(run.seeds)
        found[copies] = evaluate(run.estimator, run.executor, weights, run.task.train, purpose="t", index=0)
    mean, each = found["mean"], found["each"]
    assert each.outputs.shape == (4, 1)
    assert each.outputs == pytest.approx(mean.outputs, abs=1e-12)
    assert each.output_errors == pytest.approx(mean.output_errors, abs=1e-12)
    assert each.tally.correct == mean.tally.correct
    assert each.tally.mean_cost > mean.tally.mean_cost


@pytest.mark.parametrize(
    ("cost", "network", "message"),
    [
        ({"kind": "loss", "copies": "each"}, {"copies": 1}, "cost.copies: 'each' needs outputs of several spins"),
        (
            {"kind": "loss", "copies": "each", "observables": ["Z0"]},
            {},
            "cost.copies: 'each' does not go with observables",
        ),
        (
            {"kind": "loss", "copies": "each", "loss": "contrastive"},
            {},
            "cost.copies: 'each' does not go with loss = 'contrastive'",
        ),
        (
            {"kind": "operator", "copies": "each", "terms": [{"pauli": "Z0"}]},
            {},
            "cost.copies: goes with operator = 'squared_error'",
        ),
    ],
)
def test_copies_that_have_no_effect_are_refused(cost, network, message):
    with pytest.raises(ConfigError, match=message):
        experiment(cost, network)


def test_losses_of_batches_have_no_copies():
    with pytest.raises(NetworkError, match="copies: a loss of a batch"):
        loss_of_copies(network(), Contrastive())
