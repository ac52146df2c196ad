"""What is shown while a job of a device is waited for."""

import io
import re
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from qep_qiskit.cli import progress
from qep_qiskit.cli.device_view import show_start
from qep_qiskit.cli.progress import ProgressView
from qep_qiskit.device.service import JobView


def trainer():
    state = SimpleNamespace(step=2, epoch=0, shots=123_456_000, circuits=45_600, tally=SimpleNamespace(samples=0))
    return SimpleNamespace(state=state, settings=SimpleNamespace(epochs=300), total_steps=9)


def test_a_bar_names_the_job():
    written = io.StringIO()
    view = ProgressView(Console(file=written, force_terminal=True, width=120))
    view.start(trainer())
    view.waiting("d1abcdefghijklmnopqr", 75.3, JobView(state="waiting", position=3, starts=time.time()))
    view.close()
    told = time.strftime("queued 75 s  position 3  start %H:%M  job d1abcdefghijklmnopqr")
    assert told in written.getvalue()


def test_elsewhere_a_line_is_written_now_and_then(monkeypatch):
    clock, written = [0.0], io.StringIO()
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    view = ProgressView(Console(file=written, width=80))
    view.start(trainer())
    for clock[0] in range(1, 130):
        view.waiting("d1abc", clock[0], JobView(state="waiting", running=clock[0] > 99, position=2))
    assert written.getvalue().splitlines() == [
        "job d1abc: queued 60 s, position 2",
        "job d1abc: running 120 s, position 2",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_figures_of_the_bar_are_whole_or_left_out(width):
    written = io.StringIO()
    view = ProgressView(Console(file=written, force_terminal=True, width=width, color_system=None))
    view.start(trainer())
    view._accuracy = 0.9333
    view.on_step(trainer(), {"loss": -12.3456})
    view._bar.refresh()
    view.close()
    line = [text for text in re.split(r"[\r\n]|\x1b\[[0-9;?]*[A-Za-z]", written.getvalue()) if "epoch" in text][-1]
    whole = {"loss", "-12.3456", "accuracy", "0.933", "123.5M", "shots", "45.6k", "circuits"}
    assert set(line.split("1/300", 1)[1].split()) <= whole
    assert ("45.6k circuits" in line) == (width >= 100)


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        ("QPU seconds", "QPU seconds: 73.4 estimated, 100 at most; account: 512 QPU seconds left"),
        ("USD", "USD: 4.20 estimated, without a limit; account: 512 QPU seconds left"),
        ("", "price: not known; account: 512 QPU seconds left"),
    ],
)
def test_a_start_is_one_line_elsewhere(capsys, unit, said):
    run = SimpleNamespace(jobs=24, executions=96_000, qpu_seconds=73.44, price=4.2)
    show_start(
        SimpleNamespace(
            run=run, device="ibm_x", fixed=False, unit=unit, max_qpu_seconds=100.0, remaining_seconds=512.3, mode="job"
        )
    )
    assert capsys.readouterr().err == f"qep: ibm_x: about 24 jobs, about 96,000 executions, {said}\n"
