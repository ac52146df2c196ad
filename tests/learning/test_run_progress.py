"""Callbacks that need one method, and the progress of a training: a bar in a notebook, lines in the log elsewhere."""

import logging
import sys
from types import SimpleNamespace

import pytest

import qep_qiskit as qep
from qep_qiskit.config import build, check_config
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.learning import Callback, run_progress

CONFIG = {
    "task": {"kind": "xor"},
    "network": {"num_spins": 2},
    "preparation": {"kind": "exact"},
    "contrast": {"beta": 0.01},
    "measurement": {"shots": "exact"},
    "training": {"epochs": 3, "batch_size": 2},
}


@pytest.fixture
def notebook(monkeypatch):
    """IPython as in the kernel of a notebook: every display with what it showed, one after the other."""
    displays = []

    def display(shown, display_id):
        assert display_id is True
        displays.append([shown])
        return SimpleNamespace(update=displays[-1].append)

    shell = SimpleNamespace(kernel=object())
    module = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setattr(run_progress, "_SECONDS_BEFORE_A_BAR", 0.0)
    monkeypatch.setattr(run_progress, "_SECONDS_BETWEEN_BARS", 0.0)
    return SimpleNamespace(displays=displays, shell=shell)


def test_a_notebook_shows_one_bar_and_keeps_a_line(notebook):
    trained = qep.train(build(check_config(CONFIG, "f")))
    (shown,) = notebook.displays
    bars = [bar._repr_html_() for bar in shown[:-1]]
    values = [float(bar.split('value="')[1].split('"')[0]) for bar in bars]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (0.0, 1.0)
    assert "epoch 1/3" in bars[len(bars) // 2]
    loss = trained.history[-1]["train_loss"]
    assert "<progress" not in shown[-1]._repr_html_()
    assert repr(shown[-1]).startswith(f"epoch 3/3  step 6/6  loss {loss:.4f}  accuracy ")


def test_it_stays_away_where_it_is_not_wanted(notebook, monkeypatch):
    run = build(check_config(CONFIG, "f"))
    qep.train(run, progress=False)
    run.trainer(progress=False).run()
    notebook.shell.kernel = None  # IPython in a terminal
    qep.train(run)
    monkeypatch.setattr(run_progress, "_SECONDS_BEFORE_A_BAR", 60.0)  # a short training
    notebook.shell.kernel = object()
    qep.train(run)
    assert notebook.displays == []


def test_estimators_show_it_too(notebook):
    pytest.importorskip("sklearn")
    qep.QEPRegressor(num_spins=2, epochs=1).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    assert len(notebook.displays) == 1


def test_elsewhere_the_log_has_a_line_every_ten_seconds(monkeypatch, caplog):
    clock = [0.0]
    monkeypatch.setattr(run_progress.time, "monotonic", lambda: clock.append(clock[-1] + 1.0) or clock[-1])
    with caplog.at_level(logging.INFO):
        qep.train(build(check_config(CONFIG, "f")))
    lines = [record.message for record in caplog.records if record.name == run_progress.__name__]
    assert 1 <= len(lines) < len(clock) / 10
    assert all(line.startswith("epoch ") for line in lines)


@pytest.mark.deep
def test_an_executed_notebook(monkeypatch):
    pytest.importorskip("ipykernel")
    client, notebooks = pytest.importorskip("nbclient"), pytest.importorskip("nbformat").v4
    code = f"""
import qep_qiskit as qep
from qep_qiskit.config import build, check_config
from qep_qiskit.learning import run_progress
run_progress._SECONDS_BEFORE_A_BAR = 0.0
trained = qep.train(build(check_config({CONFIG!r}, "f")))
"""
    notebook = notebooks.new_notebook(cells=[notebooks.new_code_cell(code)])
    client.NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    (shown,) = notebook.cells[0].outputs
    assert shown.output_type == "display_data"
    assert shown.data["text/html"].startswith('<div><span style="font-family: monospace">epoch 3/3  step 6/6  loss ')


class Epochs(Callback):
    def __init__(self):
        self.found = []

    def on_epoch(self, trainer, record):
        self.found.append(record["epoch"])


def test_one_method_is_enough():
    epochs = Epochs()
    assert build(check_config(CONFIG, "test")).trainer(callbacks=[epochs]).run() == "finished"
    assert epochs.found == [0, 1, 2, 3]


def test_methods_that_nobody_calls_are_refused():
    with pytest.raises(ConfigError, match=r"Wrong\.on_epochs: no trainer calls this; did you mean 'on_epoch'\?"):

        class Wrong(Callback):
            def on_epochs(self, trainer, record):
                pass


def test_what_is_no_callback_is_refused():
    with pytest.raises(ConfigError, match="callbacks: expected objects of classes that derive from Callback, got"):
        build(check_config(CONFIG, "test")).trainer(callbacks=[print])
