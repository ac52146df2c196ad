"""A stop while a device is waited for ends a run like any other stop."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from planned_runs import SMALL

from qep_qiskit.config import build, check_config
from qep_qiskit.core.errors import PausedError
from qep_qiskit.execution import Executor
from qep_qiskit.runs.training import load_matching_state, start_run, trainer_in

SETTINGS = SMALL | {"training": {"epochs": 1, "batch_size": 2}}


@dataclass
class Waits:
    """Is stopped while it waits for the answer of one of its requests."""

    inner: Executor
    number: int

    def submit(self, request):
        return self.inner.submit(request)

    def collect(self, job_handle):
        self.number -= 1
        if self.number < 0:
            raise PausedError("job 7 goes on")
        return self.inner.collect(job_handle)


@pytest.mark.parametrize("number", [0, 1, 2, 4])
def test_what_was_answered_is_kept_and_the_rest_asked_for_later(tmp_path, number):
    experiment = build(check_config(SETTINGS, "test"))
    whole = trainer_in(start_run(tmp_path / "whole", experiment), experiment, None)
    assert whole.run() == "finished"
    folder = start_run(tmp_path / "run", experiment)
    stopped = trainer_in(folder, replace(experiment, executor=Waits(experiment.executor, number)), None)
    assert stopped.run() == "stopped"
    assert stopped.job_note == "job 7 goes on"
    goes_on = trainer_in(folder, experiment, load_matching_state(folder, experiment))
    assert goes_on.run() == "finished"
    assert goes_on.job_note == ""
    np.testing.assert_array_equal(goes_on.weights, whole.weights)
    assert goes_on.state.shots == whole.state.shots


@pytest.mark.parametrize("number", range(5))
def test_a_trainer_without_a_folder_goes_on_as_well(number):
    experiment = build(check_config(SETTINGS, "test"))
    whole = experiment.trainer(callbacks=())
    assert whole.run() == "finished"
    stopped = replace(experiment, executor=Waits(experiment.executor, number)).trainer(callbacks=())
    assert stopped.run() == "stopped"
    goes_on = experiment.trainer(callbacks=(), state=stopped.state)
    assert goes_on.run() == "finished"
    np.testing.assert_array_equal(goes_on.weights, whole.weights)
    assert (goes_on.state.shots, goes_on.state.records) == (whole.state.shots, whole.state.records)
