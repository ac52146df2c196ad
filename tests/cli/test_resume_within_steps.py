"""Runs that measure many times a step stop between two requests, and go on from the answers they had."""

import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from stopping import StopAtRequest, wait_for

from qep_qiskit.config import from_file
from qep_qiskit.runs.callbacks import Checkpoints, MetricsFile
from qep_qiskit.runs.folder import RunFolder

# Three iterations of SPSA and slopes of twenty shots are enough requests to stop between, and no gradient.
pytestmark = pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.UnresolvedContrastWarning")

REQUESTS = 65
FIRST_LOOK_AT_TEST_SAMPLES = range(5, 10)
EVALUATION_AFTER_AN_EPOCH = range(30, 35)


@pytest.fixture
def halt(here):
    """Trains in a new folder and stops after some requests."""

    def run(number, name="sampled", overrides=()):
        experiment = from_file(here / f"{name}.toml", overrides)
        content = {"qep_qiskit": "0", "config": experiment.config.resolved()}
        folder = RunFolder.create(here / "halted", content, experiment.task)
        watcher = StopAtRequest(number)
        trainer = experiment.trainer(callbacks=(MetricsFile(folder), watcher, Checkpoints(folder)))
        assert trainer.run() == "stopped"
        assert watcher.seen == number
        return folder.path

    return run


def meta(folder):
    with np.load(Path(folder) / "checkpoint.npz") as file:
        return json.loads(str(file["meta"]))


def test_the_run_is_as_long_as_the_other_tests_think(here):
    """Requests of the first look, of steps and of evaluations are where the numbers above say."""
    watcher = StopAtRequest(0)
    positions = []
    watcher.on_step = lambda trainer, record: positions.append(("step", watcher.seen))
    watcher.on_epoch = lambda trainer, record: positions.append(("epoch", watcher.seen))
    assert from_file(here / "sampled.toml").trainer(callbacks=(watcher,)).run() == "finished"
    assert watcher.seen == REQUESTS
    assert positions[0] == ("epoch", FIRST_LOOK_AT_TEST_SAMPLES.stop)
    assert positions[2:4] == [
        ("step", EVALUATION_AFTER_AN_EPOCH.start),
        ("epoch", EVALUATION_AFTER_AN_EPOCH.stop),
    ]


@pytest.mark.deep(but=["1", "11", "31", "64"])
@pytest.mark.parametrize("number", [1, 3, 5, 10, 11, 17, 20, 30, 31, 33, 35, 59, 64])
def test_stopped_after_a_request(halt, goes_on, runs, number):
    """In the first look, within a step, between steps, and in the evaluations after an epoch."""
    folder = halt(number)
    goes_on(folder, runs / "sampled")


@pytest.mark.parametrize("number", [5, 6, 9])
def test_stopped_at_the_test_samples_of_the_first_look(halt, goes_on, runs, number):
    assert number in FIRST_LOOK_AT_TEST_SAMPLES
    folder = halt(number)
    goes_on(folder, runs / "sampled")


@pytest.mark.parametrize("number", [2, 17, 33])
def test_a_stopped_step_keeps_its_shots(halt, number):
    """Every shot that was measured is in the checkpoint, as an answer and in the count."""
    whole = meta(halt(number))
    begun = {2: 0, 17: 10, 33: 30}[number]
    assert len(whole["request_log"]) == number - begun
    assert whole["circuits"] * 20 == whole["shots"] > 0


@pytest.mark.parametrize("number", [17, 32])
def test_answers_are_not_measured_again(here, halt, number):
    """The resumed run asks only for what is missing."""
    folder = RunFolder.open(halt(number))
    watcher = StopAtRequest(0)
    trainer = from_file(here / "sampled.toml").trainer(callbacks=(watcher,), state=folder.load_state())
    assert trainer.run() == "finished"
    assert watcher.seen == REQUESTS - number


@pytest.mark.deep(but=["execution.backend='aer'-maxiter=2", "preparation.level=1-maxiter=2"])
@pytest.mark.parametrize(
    ("choice", "options"),
    [
        ("preparation.optimizer='nft'", "maxiter=2"),
        ("preparation.optimizer='qnspsa'", "maxiter=2, learning_rate=0.1, perturbation=0.1"),
        ("preparation.optimizer='cobyla'", "maxiter=6"),
        ("preparation.level=1", "maxiter=2"),
        ("preparation.shots='exact'", "maxiter=2"),
        ("execution.backend='aer'", "maxiter=2"),
        ("execution={backend='aer', noise={readout=0.02}}", "maxiter=2"),
    ],
)
def test_every_way_to_measure_goes_on(qep, halt, goes_on, here, settings, choice, options):
    """Overlaps, exact expectations and bits of measured circuits are kept as well as counts."""
    choices = [choice, f"preparation.options={{{options}}}", "task.test_fraction=0.0", "training.epochs=1"]
    folder = halt(14, overrides=choices)
    assert meta(folder)["request_log"]
    assert qep("train", "sampled.toml", "--out", "whole", *settings(*choices)).code == 0
    goes_on(folder, here / "whole")


@pytest.mark.deep
def test_one_request_at_a_time(here, goes_on, runs):
    """As many stops as there are requests after the first look; each goes on from the last checkpoint."""
    experiment = from_file(here / "sampled.toml")
    content = {"qep_qiskit": "0", "config": experiment.config.resolved()}
    folder = RunFolder.create(here / "halted", content, experiment.task)
    state, stops = None, 0
    while True:
        number = FIRST_LOOK_AT_TEST_SAMPLES.stop if state is None else 1
        callbacks = (MetricsFile(folder), StopAtRequest(number), Checkpoints(folder))
        trainer = experiment.trainer(callbacks=callbacks, state=state)
        if trainer.run() == "finished":
            break
        stops += 1
        state = folder.load_state()
    assert stops == REQUESTS - FIRST_LOOK_AT_TEST_SAMPLES.stop
    goes_on(folder.path, runs / "sampled")


def test_damaged_answers_are_refused(refused, halt):
    """A bit of an answer is no less than a bit of a weight."""
    folder = halt(17)
    content = bytearray((folder / "checkpoint.npz").read_bytes())
    place = content.index(b"request_log_3_0")
    content[place + 200] ^= 1
    (folder / "checkpoint.npz").write_bytes(content)
    assert "checkpoint.npz: the checkpoint is damaged" in refused("resume", folder)


def test_the_ansatz_stays_with_the_run(halt, goes_on, runs, here):
    """The file may change or go between two parts of a run."""
    folder = halt(17)
    (here / "turns.qasm").write_text((here / "turns.qasm").read_text().replace("rz(c)", "rx(c)"))
    goes_on(folder, runs / "sampled")


@pytest.mark.parametrize("words", [("resume",), ("gradient", "--sample", 0), ("circuits",), ("predict", "few.csv")])
def test_the_ansatz_file_is_no_longer_needed(qep, copied, here, words):
    folder = copied("sampled")
    (here / "turns.qasm").unlink()
    result = qep(words[0], folder, *words[1:])
    assert result.code == 0
    known = ("NoisyGradientWarning", "UnresolvedContrastWarning")
    assert all(any(kind in line for kind in known) for line in result.err.splitlines())


def test_another_ansatz_makes_another_run(qep, here, runs, warm_start):
    """The test above would pass if no angle mattered."""
    (here / "turns.qasm").write_text((here / "turns.qasm").read_text().replace("rz(c)", "rx(c)"))
    assert qep("train", "sampled.toml", "--out", "other").code == 0
    assert warm_start("other")["weights"] != warm_start(runs / "sampled")["weights"]


LONG = ["training.epochs=6", "preparation.options.maxiter=10", "execution.backend='aer'", "task.test_fraction=0.0"]


@pytest.fixture(scope="module")
def whole(qep, runs, settings):
    """A run long enough to be hit at random moments, and never interrupted."""
    assert qep("train", runs / "sampled.toml", "--out", runs / "long", *settings(*LONG)).code == 0
    return runs / "long"


def steps_in(folder):
    path = Path(folder) / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


@pytest.mark.deep
def test_killed_in_the_middle_of_a_step(forked, here, settings, whole, goes_on, rng):
    """Killed twice at random moments, then to the end."""
    folder, start = here / "killed", ("train", "sampled.toml", "--out", here / "killed", *settings(*LONG))
    for arguments in (start, ("resume", folder)):
        child = forked(*arguments)
        goal = steps_in(folder) + int(rng.integers(2, 6))
        wait_for(lambda goal=goal: steps_in(folder) >= goal, child)
        time.sleep(float(rng.uniform(0.0, 0.05)))
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=30)
        assert child.returncode == -signal.SIGKILL
    goes_on(folder, whole)


@pytest.mark.deep
def test_signal_stops_within_a_step(qep, forked, here, settings, whole, goes_on):
    """Or between two, if it happens to come there."""
    folder = here / "stopped"
    child = forked("train", "sampled.toml", "--out", folder, *settings(*LONG))
    wait_for(lambda: steps_in(folder) >= 5, child)
    time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (130, "")
    assert err.splitlines()[-1].startswith("qep: stopped ")
    assert err.splitlines()[-1].endswith(f"'qep resume {folder}'")
    goes_on(folder, whole)
