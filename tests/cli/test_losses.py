"""Losses that cannot be used, and targets that a loss does not understand: one line before anything is written."""

import json

import pytest

from qep_qiskit.core.errors import UnreachableTargetWarning

_OWN = """
import numpy as np
from qep_qiskit import BatchLoss, CustomLoss
nan = CustomLoss(lambda o, y: np.sqrt((o - y).sum(axis=1)))
inf = CustomLoss(lambda o, y: -np.log(np.maximum(0, o * np.sign(y))).sum(axis=1))
scalar = CustomLoss(lambda o, y: ((o - y) ** 2).mean())
elements = CustomLoss(lambda o, y: (o - y) ** 2)
half = CustomLoss(lambda o, y: ((o - y) ** 2).sum(axis=1), lambda o, y: o - y)
good = CustomLoss(lambda o, y: ((o - y) ** 2).sum(axis=1), lambda o, y: 2 * (o - y))
numerical = CustomLoss(lambda o, y: ((o - y) ** 2).sum(axis=1))
late = CustomLoss(lambda o, y: np.where(abs(o) == 1.0, np.nan, (o - y) ** 2).sum(axis=1))


def plain(o, y):
    return ((o - y) ** 2).sum(axis=1)


class Spread(BatchLoss):
    "The squared error, less the variance of the outputs over the batch."

    def value(self, o, y):
        return ((o - y) ** 2).sum(axis=1).mean() - o.var(axis=0).sum()

    def gradient(self, o, y):
        return 2 * (o - y) / len(o) - 2 * (o - o.mean(axis=0)) / len(o)


spread = Spread()
"""

_ENTROPY = """
[task]
kind = "none"
targets = [0.3, 0.3]
[network]
graph = "complete"
num_spins = 3
[cost]
kind = "loss"
loss = "cross_entropy"
[preparation]
kind = "exact"
[measurement]
shots = "exact"
[training]
epochs = 1
batch_size = 1
"""

COMMANDS = [("train",), ("gradient", "--sample", 0), ("budget",)]


@pytest.fixture
def own(here):
    (here / "own_losses.py").write_text(_OWN)
    return lambda name: ("--set", f"cost={{kind = 'loss', loss = 'own_losses:{name}'}}")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nan", "value of 'own_losses:nan' is not finite for sample 0"),
        ("inf", "value of 'own_losses:inf' is not finite for sample 1"),
        ("scalar", "value of 'own_losses:scalar': expected shape (samples,) = (4,), got ()"),
        ("elements", "value of 'own_losses:elements': expected shape (samples,) = (4,), got (4, 1)"),
        ("half", "the gradient of 'own_losses:half' is not the derivative of its value"),
    ],
)
def test_own_losses_are_looked_at_when_a_run_is_built(refused, own, command, name, words):
    assert f"cost.loss: {words}" in refused(command[0], "exact.toml", *command[1:], *own(name))


def test_a_plain_function_is_a_loss_with_numerical_derivatives(qep, own):
    plain, wrapped = (
        qep("gradient", "exact.toml", "--sample", 0, "--json", *own(name)).object["weights"]
        for name in ("plain", "numerical")
    )
    assert plain == wrapped
    assert any(row["gradient"] for row in plain)


def test_a_loss_that_leaves_its_domain_ends_the_run_in_one_line(qep, own, here):
    """One shot puts an output on the one value where this loss is none: in the first step, so that nothing stays."""
    result = qep("train", "exact.toml", "--set", "measurement.shots=1", "--out", "run", *own("late"))
    assert result.code == 2
    errors = [line for line in result.err.splitlines() if line.startswith("qep: error")]
    assert len(errors) == 1
    assert "'own_losses:late' is not finite for sample" in errors[0]
    assert not (here / "run").exists()


def test_a_good_loss_of_ones_own_trains_as_the_shipped_one(qep, own, here, records):
    for out, words in (("own", own("good")), ("shipped", ())):
        assert qep("train", "exact.toml", "--out", out, *words).code == 0
    losses = [[record["loss"] for record in records(out) if "loss" in record] for out in ("own", "shipped")]
    assert len(losses[0]) == 6
    assert losses[0] == pytest.approx(losses[1])


def test_a_loss_over_the_batch_of_ones_own(qep, own, records):
    """It is lowered, and its evaluation of the whole set is that of the batch at the same weights."""
    words = ("--set", "training.batch_size=4", "--set", "training.epochs=4", *own("spread"))
    words += ("--set", "measurement.shots=exact")
    assert qep("train", "exact.toml", "--out", "run", *words).code == 0
    losses = [record["loss"] for record in records("run") if "loss" in record]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] == pytest.approx(records("run")[0]["train_loss"])


def test_one_shot_of_a_loss_over_the_batch(refused, own):
    said = refused("train", "exact.toml", "--set", "measurement.shots=1", *own("spread"))
    assert "measurement.shots: a loss over a batch takes at least 2 shots" in said


@pytest.mark.parametrize("targets", ["[0.3, 0.3]", "[0.5]", "[1, -1]"])
def test_targets_that_are_no_distribution(refused, here, targets):
    (here / "entropy.toml").write_text(_ENTROPY)
    said = refused("gradient", "entropy.toml", "--sample", 0, "--set", f"task.targets={targets}")
    assert "cross_entropy needs targets that are probabilities" in said


def test_cross_entropy_with_distributions_has_the_gradient_of_its_loss(qep, here):
    (here / "entropy.toml").write_text(_ENTROPY)
    words = ("--set", "task.targets=[0.4, 0.6]", "--set", "contrast.beta=0.01", "--json", "--compare", "exact")
    found = qep("gradient", "entropy.toml", "--sample", 0, *words).object
    assert found["relative_error"] < 1e-3


def test_targets_out_of_reach_are_told(qep, here):
    (here / "entropy.toml").write_text(_ENTROPY.replace("cross_entropy", "squared_error"))
    result = qep("gradient", "entropy.toml", "--sample", 0, "--json", "--set", "task.targets=[0.3, 1.4]")
    assert result.code == 0
    assert UnreachableTargetWarning.__name__ in result.err
    assert json.loads(result.out)["cost"] > 0.16
