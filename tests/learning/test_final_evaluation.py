"""The end of a run: what the final weights give, with the shots of tests, beside the mean over weights that move."""

from pathlib import Path

import numpy as np
import pytest

from qep_qiskit.config import from_file
from qep_qiskit.learning import Callback, evaluate

pytestmark = pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.UntrustedGradientWarning")
CONFIG = Path(__file__).parents[2] / "configs" / "xor_one_shot.toml"


class Lines(Callback):
    """Keeps the records of epochs."""

    def __init__(self):
        self.epochs = []

    def on_epoch(self, trainer, record):
        self.epochs.append(record)


def trained(*overrides):
    lines = Lines()
    experiment = from_file(CONFIG, overrides)
    trainer = experiment.trainer(callbacks=[lines])
    assert trainer.run() == "finished"
    return experiment, trainer, lines.epochs


@pytest.mark.deep
def test_a_one_shot_run_that_has_learned_says_so():
    """One bit a spin gives an accuracy far below that of the network; 100 shots of the final weights give it."""
    experiment, trainer, epochs = trained()
    assert np.mean([record["train_accuracy"] for record in epochs[-60:]]) < 0.8
    assert epochs[-1]["final_train_accuracy"] == 1.0
    ideal, executor = experiment.ideal
    exact = evaluate(ideal, executor, trainer.weights, experiment.task.train, purpose="exact", index=0).tally.mean_cost
    assert abs(epochs[-1]["final_train_loss"] - exact) < 4.5 * epochs[-1]["final_train_loss_se"]
    assert epochs[-1]["final_train_loss_se"] < 0.1


def test_the_final_look_is_counted_and_comes_once():
    _, trainer, epochs = trained("training.epochs=3")
    assert epochs[-1]["shots"] - epochs[-2]["shots"] == 4 * 5 + 4 * 100
    assert trainer.state.shots == 4 * 100 + 3 * 4 * 5 + 4 * 100
    assert [epoch for epoch, record in enumerate(epochs) if "final_train_loss" in record] == [3]


def test_it_can_be_left_out():
    _, trainer, epochs = trained("training.epochs=2", "training.evaluate_final=false")
    assert trainer.state.shots == 4 * 100 + 2 * 4 * 5
    assert "final_train_loss" not in epochs[-1]
