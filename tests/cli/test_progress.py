"""What is shown while a job of a device is waited for."""

import io
from types import SimpleNamespace

from rich.console import Console

from qep_qiskit.cli import progress
from qep_qiskit.cli.progress import ProgressView


def trainer():
    state = SimpleNamespace(step=2, epoch=0, shots=1000, circuits=4)
    return SimpleNamespace(state=state, settings=SimpleNamespace(epochs=3), total_steps=9)


def test_a_bar_names_the_job():
    written = io.StringIO()
    view = ProgressView(Console(file=written, force_terminal=True, width=120))
    view.start(trainer())
    view.on_wait("d1abc", 75.3)
    view.close()
    assert "job d1abc is waited for, 75 s" in written.getvalue()


def test_elsewhere_a_line_is_written_now_and_then(monkeypatch):
    clock, written = [0.0], io.StringIO()
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    view = ProgressView(Console(file=written, width=80))
    view.start(trainer())
    for clock[0] in range(1, 130):
        view.on_wait("d1abc", clock[0])
    assert written.getvalue().splitlines() == ["job d1abc is waited for, 60 s", "job d1abc is waited for, 120 s"]
