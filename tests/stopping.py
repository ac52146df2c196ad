"""Callbacks that ask a trainer to stop, as Ctrl-C does, and the wait for the moment to stop a process."""

import time

from qep_qiskit.config import from_file
from qep_qiskit.learning import Callback
from qep_qiskit.runs.training import load_matching_state, open_run, start_run, trainer_in


class StopAtStep(Callback):
    """Stop after a step; None never stops."""

    def __init__(self, step):
        self.step = step

    def on_step(self, trainer, record):
        if record["step"] == self.step:
            trainer.request_stop()


class StopAtRequest(Callback):
    """Stop after so many requests in all."""

    def __init__(self, number):
        self.number, self.seen = number, 0
        self.left = None

    def on_request(self, trainer):
        self.seen += 1
        self.left = len(trainer.state.request_log), trainer.state.step, trainer.state.epoch
        if self.seen == self.number:
            trainer.request_stop()


def wait_for(condition, child=None, seconds=60):
    """Wait until a condition holds, while the process lives."""
    end = time.monotonic() + seconds
    while not condition():
        assert child is None or child.poll() is None, child.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)


def trained(path, config, *stops):
    """Train in a folder to the end, with stops after some steps; every part begins from the folder."""
    folder = start_run(path, from_file(config))
    for step in (*stops, None):
        _, experiment = open_run(path)
        state = load_matching_state(folder, experiment)
        outcome = trainer_in(folder, experiment, state, watchers=[StopAtStep(step)]).run()
        assert outcome == ("finished" if step is None else "stopped")
    return folder
