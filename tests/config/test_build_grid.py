"""Grids of configurations: what is automatic, what is given, and what states are reached with."""

from pathlib import Path

import numpy as np
import pytest

from qep_qiskit.config import build, load_config
from qep_qiskit.continuous.grid_network import GridNetwork
from qep_qiskit.continuous.oscillator_ansatz import OscillatorVariational
from qep_qiskit.continuous.oscillators import variance_of
from qep_qiskit.continuous.split_operator import SplitOperatorPreparation
from qep_qiskit.preparation import ExactPreparation, VariationalPreparation

CONFIG = Path(__file__).parents[2] / "configs" / "oscillators_grid.toml"


def made(*overrides):
    return build(load_config(CONFIG, overrides))


def test_an_automatic_grid_reaches_far_enough_for_all_samples():
    experiment = made()
    network = experiment.network
    assert isinstance(network, GridNetwork)
    assert (network.num_qubits, network.grid.names) == (6, ("atom 3", "atom 4"))
    weights = network.layout.initial(experiment.seeds)
    inputs = np.concatenate([experiment.task.train.inputs, experiment.task.test.inputs])
    reaches = network.grid.margins(variance_of(network.atoms, weights, inputs))
    assert min(found.min() for found in reaches) >= 4.5


def test_a_given_grid_is_taken():
    grid = made("network.grid.num_qubits=4", "network.grid.box=9.0", "network.grid.centre=0.5").network.grid
    assert (grid.num_qubits, grid.boxes, grid.centres) == (4, (9.0, 9.0), (0.5, 0.5))


def test_a_ramp_starts_from_oscillators_as_wide_as_the_ground_states():
    experiment = made()
    preparation, network = experiment.estimator.preparation.preparation, experiment.network
    assert isinstance(preparation, SplitOperatorPreparation)
    assert (preparation.steps, preparation.total_time, preparation.start) == (6, 1.8, "equilibrium")
    spread = variance_of(network.atoms, network.layout.initial(experiment.seeds), experiment.task.train.inputs)
    assert preparation.driver.widths == pytest.approx(spread.widths[0], rel=1e-9)


def test_keys_of_the_ramp():
    settings = ("preparation.driver_stiffness=3.0", "preparation.start=origin", "preparation.ramp=linear")
    preparation = made(*settings).estimator.preparation.preparation
    assert preparation.driver.stiffness == (3.0, 3.0)
    assert (preparation.start, preparation.ramp) == ("origin", "linear")


def test_vqe_has_the_ansatz_of_oscillators():
    text = "preparation={kind='variational', ansatz={kind='hamiltonian', depth=2}}"
    preparation = made(text).estimator.preparation.preparation
    assert isinstance(preparation, VariationalPreparation)
    assert isinstance(preparation.ansatz, OscillatorVariational)
    assert preparation.ansatz.depth == 2
    other = "preparation={kind='variational', ansatz={kind='hardware_efficient'}}"
    assert not isinstance(made(other).estimator.preparation.preparation.ansatz, OscillatorVariational)


def test_exact_states_on_the_grid():
    preparation = made("preparation={kind='exact', solver='lanczos'}").estimator.preparation.preparation
    assert isinstance(preparation, ExactPreparation)
    assert preparation.solver == "lanczos"
