"""Warm starts: what is remembered of free and nudged states, from gradient to gradient and from epoch to epoch."""

import numpy as np
import pytest
from cases import random_network
from variational_cases import KEY, prepare

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import StatevectorExecutor
from qep_qiskit.learning import Callback, Contrast, GradientEstimator, Trainer, TrainingSettings, Update
from qep_qiskit.learning.update import GradientDescent, Schedule
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import chain
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import HamiltonianFamily, HamiltonianVariational, VariationalPreparation, WarmStart
from qep_qiskit.tasks import Dataset, Task
from qep_qiskit.tasks.scaling import Scaling

BETA = 0.1


def hva(depth=3, seed=1, **options):
    return VariationalPreparation(ansatz=HamiltonianVariational(depth), seeds=Seeds(seed), **options)


def learning_chain(rng, samples=6):
    """A chain of eight with two clamped inputs, its weights, and a task."""
    network, weights = random_network(chain(8), rng, num_inputs=2)
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations.on_spins((7,), 8))
    data = Dataset(
        inputs=0.5 * rng.normal(size=(samples, 2)),
        targets=rng.choice([-0.8, 0.8], (samples, 1)),
        labels=None,
        classes=(),
        input_names=("a", "b"),
    )
    return hamiltonian, weights, data


class Looker(Callback):
    """Keeps the records of all steps."""

    def __init__(self):
        self.steps = []

    def on_step(self, trainer, record):
        self.steps.append(record)


def trained(preparation, epochs=2):
    """A trainer after some epochs of small steps, and the records of its steps."""
    hamiltonian, weights, data = learning_chain(np.random.default_rng(0))
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=preparation, contrast=Contrast(beta=BETA), shots=None
    )
    looker = Looker()
    trainer = Trainer(
        estimator=estimator,
        executor=StatevectorExecutor(Seeds(0)),
        update=Update(optimizer=GradientDescent(), schedule=Schedule(learning_rate=1e-3)),
        task=Task(name="test", train=data, test=None, scaling=Scaling.fit(data.inputs, "none"), target_columns=("y",)),
        settings=TrainingSettings(epochs=epochs, batch_size=3),
        seeds=Seeds(0),
        callbacks=[looker],
    )
    trainer.state.weights = weights.copy()
    assert trainer.run() == "finished"
    assert np.abs(trainer.weights - weights).max() > 1e-4
    return trainer, looker.steps


@pytest.mark.deep(but=["0.001"])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-4])
def test_remembered_states_need_ten_times_fewer_evaluations(tolerance):
    """Free states of a chain of eight after two epochs: from memory, and without."""
    preparation = hva(4, tolerance=tolerance)
    trainer, _ = trained(preparation)
    hamiltonian, inputs = trainer.estimator.hamiltonian, trainer.task.train.inputs
    free = HamiltonianFamily.of_free(hamiltonian.groups, hamiltonian.free_coefficients(trainer.weights, inputs), KEY)
    warm_start = trainer.state.warm_starts
    cold = prepare(preparation, free)[0].report
    warm = prepare(preparation, free, WarmStart(arrays=warm_start))[0].report
    assert 10 * warm.evaluations <= cold.evaluations
    assert warm.energies == pytest.approx(cold.energies, abs=2e-3)


@pytest.mark.deep
def test_the_second_epoch_is_cheaper_than_a_cold_one():
    """With the nudged states, which are remembered as displacements from the free ones."""
    preparation = hva(4, tolerance=1e-3)
    _, steps = trained(preparation)
    second = sum(record["evaluations"] for record in steps[2:])
    hamiltonian, weights, data = learning_chain(np.random.default_rng(0))
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=preparation, contrast=Contrast(beta=BETA), shots=None
    )
    work = estimator.estimate(weights, data.inputs, data.targets, KEY)
    cold = run_measurements(work, StatevectorExecutor(Seeds(0)))[0].diagnostics.evaluations
    assert 2 * second <= cold


def test_the_same_gradient_again_is_one_evaluation_a_state():
    """Free and nudged states alike are found where they were left."""
    hamiltonian, weights, data = learning_chain(np.random.default_rng(0), samples=2)
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=hva(4, tolerance=1e-3), contrast=Contrast(beta=BETA), shots=None
    )

    def estimate(warm_start):
        work = estimator.estimate(weights, data.inputs, data.targets, KEY, warm_start=warm_start)
        return run_measurements(work, StatevectorExecutor(Seeds(0)))[0]

    first = estimate({})
    assert first.diagnostics.evaluations > 100
    assert estimate(first.warm_start).diagnostics.evaluations == 3 * 2
