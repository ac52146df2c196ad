"""Signals that ask for a stop."""

import signal
import sys
from types import SimpleNamespace

import pytest

from qep_qiskit.cli import main
from qep_qiskit.runs.stop_signals import on_stop_signals

HANGUP = pytest.mark.skipif(
    not hasattr(signal, "SIGHUP") or signal.getsignal(signal.SIGHUP) == signal.SIG_IGN,
    reason="no such signal here, or ignored as under nohup",
)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", pytest.param("SIGHUP", marks=HANGUP)])
def test_each_asks_once_and_means_afterwards_what_it_meant(name):
    number, asked = getattr(signal, name), []
    before = signal.getsignal(number)
    with on_stop_signals(lambda: asked.append(name)):
        signal.raise_signal(number)
    assert asked == [name]
    assert signal.getsignal(number) == before


@HANGUP
def test_the_end_of_the_terminal_stays_ignored_where_it_is():
    before, asked = signal.signal(signal.SIGHUP, signal.SIG_IGN), []
    try:
        with on_stop_signals(lambda: asked.append(1)):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert asked == []


def test_a_termination_ends_a_command_in_order(monkeypatch, capsys):
    """So that the processes that work for it, and what they share with it, go too."""
    working = SimpleNamespace(run=lambda options: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(sys.modules[main.__module__], "import_module", lambda name: working)
    assert main(["version"]) == 130
    assert capsys.readouterr().err == "qep: interrupted\n"
