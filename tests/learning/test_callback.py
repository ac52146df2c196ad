"""Callbacks: one method is enough, and a misspelt one is an error."""

import pytest

from qep_qiskit.config import build, check_config
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.learning import Callback

CONFIG = {
    "task": {"kind": "xor"},
    "network": {"num_spins": 2},
    "preparation": {"kind": "exact"},
    "contrast": {"beta": 0.01},
    "measurement": {"shots": "exact"},
    "training": {"epochs": 2, "batch_size": 4},
}


class Epochs(Callback):
    def __init__(self):
        self.found = []

    def on_epoch(self, trainer, record):
        self.found.append(record["epoch"])


def test_one_method_is_enough():
    epochs = Epochs()
    assert build(check_config(CONFIG, "f")).trainer(callbacks=[epochs]).run() == "finished"
    assert epochs.found == [0, 1, 2]


def test_methods_that_nobody_calls_are_refused():
    with pytest.raises(ConfigError, match=r"Wrong\.on_epochs: no trainer calls this; did you mean 'on_epoch'\?"):

        class Wrong(Callback):
            def on_epochs(self, trainer, record):
                pass


def test_what_is_no_callback_is_refused():
    with pytest.raises(ConfigError, match="callbacks: expected objects of classes that derive from Callback, got"):
        build(check_config(CONFIG, "f")).trainer(callbacks=[print])
