"""Warnings of a run: shown once at the user's line, counted by step and epoch, and summed up at its end."""

import json
import warnings

import pytest

from qep_qiskit.config import build, check_config
from qep_qiskit.core.errors import BranchJumpWarning, NoisyGradientWarning, QepWarning
from qep_qiskit.core.warning_log import WarningLog, counting_warnings, warn
from qep_qiskit.learning import Callback
from qep_qiskit.learning.state import load_state, save_state
from qep_qiskit.runs.summary import run_summary
from qep_qiskit.runs.warning_summary import closing

LONG = 40


def experiment(beta=3.0, epochs=5, shots=100, coupling=1.5):
    return build(
        check_config(
            {
                "seed": 3,
                "task": {"kind": "xor"},
                "network": {
                    "graph": "complete",
                    "num_spins": 3,
                    "couplings": {"distribution": "constant", "mean": coupling},
                    "fields": {"distribution": "constant", "mean": 0.3},
                },
                "preparation": {"kind": "exact"},
                "measurement": {"shots": shots},
                "contrast": {"beta": beta},
                "training": {"epochs": epochs, "batch_size": 2},
            },
            "the test",
        )
    )


class Records(Callback):
    """Keeps the steps that a trainer tells."""

    def __init__(self):
        self.steps = []

    def on_step(self, trainer, record):
        self.steps.append(record)


class StopAfter(Records):
    """Asks a trainer to stop after some requests."""

    def __init__(self, requests):
        super().__init__()
        self.left = requests

    def on_request(self, trainer):
        self.left -= 1
        if not self.left:
            trainer.request_stop()


def test_pythons_default_filter_shows_each_kind_once_at_the_users_line():
    trainer = experiment().trainer()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default", QepWarning)
        trainer.run()
    shown = [(item.category, str(item.message)) for item in caught if issubclass(item.category, QepWarning)]
    assert len(shown) == len(set(shown)) == len(trainer.state.warnings.given) > 1
    assert {item.filename for item in caught if issubclass(item.category, QepWarning)} == {__file__}


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")
def test_counts_are_those_of_the_metrics():
    records = Records()
    trainer = experiment().trainer(callbacks=(records,))
    trainer.run()
    by_step = {record["step"]: record.get("warnings", {}) for record in records.steps}
    json.dumps(records.steps)
    found = trainer.state.warnings.given
    assert {count.kind for count in found} >= {"BranchJumpWarning", "NudgeBeyondGapWarning"}
    for kind in ("BranchJumpWarning", "NudgeBeyondGapWarning"):
        own = [count for count in found if count.kind == kind]
        steps = [step for step, told in by_step.items() if told.get(kind)]
        assert sum(count.affected for count in own) == sum(told.get(kind, 0) for told in by_step.values()) > 0
        assert min(count.first_step for count in own) == steps[0]
        assert max(count.last_step for count in own) == steps[-1]
        assert sum(sum(count.by_epoch.values()) for count in own) == sum(count.affected for count in own)
    (weyl,) = [count for count in found if count.kind == "NudgeBeyondGapWarning"]
    assert weyl.of == 5 * 4  # every sample of every step was looked at


@pytest.mark.parametrize("requests", [1, 8, 13])
@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")
def test_stopped_within_a_step_a_run_has_the_same_counts(requests, tmp_path):
    whole = experiment().trainer(callbacks=(Records(),))
    whole.run()
    halted = experiment().trainer(callbacks=(StopAfter(requests),))
    assert halted.run() == "stopped"
    save_state(tmp_path / "checkpoint.npz", halted.state, "run")
    again = experiment().trainer(state=load_state(tmp_path / "checkpoint.npz", "run"))
    again.run()
    assert again.state.warnings.record() == whole.state.warnings.record()
    assert len(whole.state.warnings.given) > 1


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")
def test_the_summary_lists_them_with_a_diagnosis():
    trainer = experiment().trainer()
    trainer.run()
    summary = run_summary([], trainer.state)["warnings"]
    names = {"kind", "severity", "text", "times", "affected", "of", "first_step", "last_step", "detail", "diagnosis"}
    assert all(set(found) == names for found in summary)
    assert json.loads(json.dumps(summary)) == summary


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")
def test_what_was_given_when_the_run_was_built_is_counted_once():
    config = {"task": {"kind": "xor"}, "preparation": {"kind": "exact"}, "training": {"epochs": 1}}
    network = {"graph": "edges", "num_spins": 3, "edges": [[0, 1]], "inputs": {"spins": [0]}, "outputs": [2]}
    island = build(check_config({**config, "network": network}, "the test"))
    state = island.trainer().state
    again = island.trainer(state=state).state
    (found,) = [count for count in again.warnings.given if count.kind == "UnconnectedOutputWarning"]
    assert (found.times, found.first_step) == (1, None)


def log_of(counts, category=BranchJumpWarning, of=10, **options):
    """A log with so many samples affected in a step of every epoch."""
    log = WarningLog()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QepWarning)
        for epoch, affected in enumerate(counts):
            found = WarningLog()
            with counting_warnings(found):
                warn(category, "what is wrong", detail="numbers", affected=affected, of=of, **options)
            log.merge(found, step=epoch + 1, epoch=epoch)
    return log


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (
            [5, 9, 0, 0],
            "14 of 40 samples (35 %), all in the first 2 of 4 epochs; the 2 epochs since then had none, so the last "
            "steps do not rest on it",
        ),
        (
            [0, 3, 0, 1],
            "4 of 40 samples (10 %), in 2 of 4 epochs, up to the last; the final weights rest on such gradients",
        ),
        (
            [1, 1, 1],
            "3 of 30 samples (10 %), in all of 3 epochs, up to the last; the final weights rest on such gradients",
        ),
        ([1], "1 of 10 samples (10 %); the final weights rest on such gradients"),
    ],
)
def test_the_diagnosis_says_when_and_whether_the_end_rests_on_it(counts, sentence):
    (told,) = closing(log_of(counts), len(counts))
    assert told == sentence


def test_few_and_late_is_not_called_harmless_but_little():
    (told,) = closing(log_of([0, 1], of=1000), 2)
    assert told == "1 of 2000 samples (0.05 %), in epoch 2 of 2; few enough to matter little"


def test_a_note_is_not_held_against_the_result():
    (told,) = closing(log_of([1, 1], severity="note"), 2)
    assert told == "2 of 20 samples (10 %), in all of 2 epochs, up to the last"


def test_what_nobody_counts_has_no_share():
    (told,) = closing(log_of([20, 0], NoisyGradientWarning, of=0), 2)
    assert told.startswith("20 steps, up to epoch 1 of 2; the epoch since then had none")


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")
def test_a_run_lost_in_noise_says_so_and_one_that_learns_does_not():
    lost = experiment(beta=0.01, epochs=LONG, shots=2, coupling=0.3).trainer()
    lost.run()
    assert "NoisyGradientWarning" in {one.kind for one in lost.state.warnings.given if one.severity == "warning"}
    learns = experiment(beta=0.5, epochs=LONG, shots=200, coupling=0.3).trainer()
    learns.run()
    assert "NoisyGradientWarning" not in {one.kind for one in learns.state.warnings.given if one.severity == "warning"}
