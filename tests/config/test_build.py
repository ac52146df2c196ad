"""Costs, losses and preparations that sections build, and what a run keeps of its configuration."""

import json

import numpy as np
import pytest
from built_runs import make

from qep_qiskit.config import build, check_config
from qep_qiskit.config.update import UpdateConfig
from qep_qiskit.core.errors import (
    ConfigError,
)
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.losses import CrossEntropy, SquaredError
from qep_qiskit.preparation import AdiabaticPreparation, ExactPreparation


def test_one_seed_gives_one_run():
    def start(seed):
        experiment = make(seed=seed)
        return experiment.network.layout.initial(experiment.seeds).tolist()

    assert start(1) == start(1)
    assert start(1) != start(2)


@pytest.mark.parametrize(
    ("cost", "kind"),
    [
        ({"kind": "loss"}, LossOnExpectations),
        ({"kind": "loss", "observables": ["X0"]}, LossOnExpectations),
        ({"kind": "operator", "operator": "squared_error"}, OperatorCost),
        ({"kind": "operator", "terms": [{"pauli": "Z0 Z1", "target": 0}]}, OperatorCost),
    ],
)
def test_cost(cost, kind):
    assert isinstance(make(cost=cost).estimator.hamiltonian.cost, kind)


@pytest.mark.parametrize(("name", "kind"), [("squared_error", SquaredError), ("cross_entropy", CrossEntropy)])
def test_loss(name, kind):
    gain = {"gain": 2.0} if name == "cross_entropy" else {}
    found = make(network={"num_spins": 2}, cost={"kind": "loss", "loss": name} | gain).estimator.hamiltonian.cost.loss
    assert isinstance(found, kind)
    assert getattr(found, "gain", 2.0) == 2.0


@pytest.mark.parametrize(
    ("loss", "key", "goes_with"),
    [
        ("squared_error", "label_smoothing", "cross_entropy"),
        ("contrastive", "gain", "cross_entropy"),
        ("cross_entropy", "margin", "contrastive"),
    ],
)
def test_keys_of_another_loss(loss, key, goes_with):
    with pytest.raises(ConfigError, match=rf"{key}: goes with loss = '{goes_with}'; leave it out"):
        make(network={"num_spins": 2}, cost={"kind": "loss", "loss": loss, key: 0.1})


OWN_LOSS = """
import numpy as np
from qep_qiskit.network.losses import CustomLoss
quartic = CustomLoss(lambda outputs, targets: np.sum((outputs - targets) ** 4, axis=1))
"""


def test_loss_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "own_quartic_loss.py").write_text(OWN_LOSS)
    monkeypatch.chdir(tmp_path)
    loss = make(cost={"kind": "loss", "loss": "own_quartic_loss:quartic"}).estimator.hamiltonian.cost.loss
    assert loss.value(np.array([[0.5]]), np.array([[-0.5]])).tolist() == [1.0]


def test_preparation():
    section = {"kind": "adiabatic", "total_time": 3.0, "steps": 7, "order": 1, "ramp": "linear", "driver_field": 2.0}
    found = make(preparation=section).estimator.preparation
    expected = AdiabaticPreparation(total_time=3.0, steps=7, order=1, ramp="linear", driver_field=2.0)
    assert found == expected
    assert isinstance(make().estimator.preparation, ExactPreparation)


def test_keys_of_exact_states_reach_the_solver():
    section = {"kind": "exact", "level": 1, "solver": "lanczos", "tolerance": 1e-6}
    assert make(preparation=section).estimator.preparation == ExactPreparation(
        level=1, solver="lanczos", tolerance=1e-6
    )


def test_loss_without_targets_is_refused():
    with pytest.raises(ConfigError, match="cost"):
        make(task={"kind": "none"})


def test_config_of_a_run_builds_the_same_run():
    experiment = make(network={"num_spins": 3, "inputs": {"spins": [0]}}, seed=9)
    again = build(check_config(json.loads(json.dumps(experiment.config.resolved())), "config.json"), experiment.task)
    assert again.network.layout.names == experiment.network.layout.names
    start = again.network.layout.initial(again.seeds)
    assert np.array_equal(start, experiment.network.layout.initial(experiment.seeds))


@pytest.mark.parametrize(
    ("kind", "key"),
    [("gradient_descent", "epsilon"), ("momentum", "beta2"), ("adam", "momentum"), ("gradient_descent", "beta1")],
)
def test_a_key_of_another_optimiser_is_refused(kind, key):
    with pytest.raises(ConfigError, match=rf"^{key}: goes with kind = '\w+', not with '{kind}'; leave it out$"):
        UpdateConfig.model_validate({"kind": kind, key: 0.5}).build()


def test_epochs_of_a_decay_need_a_decay():
    with pytest.raises(ConfigError, match=r"^training\.decay_epochs: goes with a learning rate that decays"):
        build(
            check_config({"task": {"kind": "xor"}, "network": {"num_spins": 2}, "training": {"decay_epochs": 3}}, "t")
        )
