"""Runs that choose what they spend: every shot counted, and stopped and gone on with within pilots and epochs."""

import tomllib

import numpy as np
import pytest
from cases import XOR_ON_TWO_SPINS
from warned import warns

from qep_qiskit.budget.gradient_study import CountingExecutor
from qep_qiskit.config import build, check_config
from qep_qiskit.core.errors import NudgeBeyondGapWarning
from qep_qiskit.learning import Callback
from qep_qiskit.learning.error_model import split_shots
from qep_qiskit.learning.state import load_state, save_state

CONFIG = (
    "seed = 3\n"
    + XOR_ON_TWO_SPINS
    + """[measurement]
shots = 40
allocation = "optimal"
adaptive = { signal_to_noise = 50.0, max_shots = 200, window = 2 }
[contrast]
beta = "auto"
pilot = { every = 2, levels = 4 }
[training]
epochs = 4
batch_size = 2
"""
)

quietly = [
    pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.NudgeBeyondGapWarning"),
    pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.BranchJumpWarning"),
]


class Watcher(Callback):
    """Keeps what a trainer tells, and asks it to stop after a request."""

    def __init__(self, stop_after=0):
        self.stop_after, self.records, self.steps = stop_after, [], []

    def on_request(self, trainer):
        self.steps.append((trainer.state.epoch, trainer.state.batch, len(trainer.state.request_log)))
        if len(self.steps) == self.stop_after:
            trainer.request_stop()

    def on_step(self, trainer, record):
        self.records.append({name: value for name, value in record.items() if name != "seconds"})

    on_pilot = on_epoch = on_step


def train(stop_after=0, state=None, text=CONFIG):
    experiment = build(check_config(tomllib.loads(text), "the test"))
    watcher = Watcher(stop_after)
    trainer = experiment.trainer(callbacks=(watcher,), state=state)
    trainer.executor = CountingExecutor(experiment.executor)
    return trainer, trainer.run(), watcher


class TestRuns:
    pytestmark = quietly

    def test_pilots_and_adaptive_shots_change_what_is_spent(self):
        trainer, outcome, watcher = train()
        assert outcome == "finished"
        pilots = [record for record in watcher.records if record["event"] == "pilot"]
        assert [record["epoch"] for record in pilots] == [0, 2]
        steps = [record for record in watcher.records if record["event"] == "step"]
        # The first step has no product; every window of two that is full afterwards raises the shots.
        assert [step["shots_per_batch"] for step in steps] == [40, 40, 40, 80, 80, 160, 160, 200]
        assert len({step["beta"] for step in steps}) == 5
        assert all(step["shot_fractions"] is not None for step in steps)
        assert trainer.state.step_shots.shots == 200

    def test_every_shot_is_counted(self):
        """Pilots, splits, evaluations and all: what the executor ran is what the run says."""
        trainer, _, watcher = train()
        assert trainer.state.shots == trainer.executor.shots
        assert trainer.state.circuits == trainer.executor.circuits
        counts = [record["shots"] for record in watcher.records]
        assert counts == sorted(counts)
        first = next(record for record in watcher.records if record["event"] == "pilot")
        look = next(record for record in watcher.records if record["event"] == "epoch")
        # The pilot: two samples, a free Z batch each, and four levels on two sides in both groups, ten times the shots.
        assert first["shots"] - look["shots"] == 2 * 10 * 40 * (1 + 2 * 4 * 2)

    def test_a_split_spends_the_shots_of_an_equal_one(self):
        _, _, watcher = train()
        previous = 0
        for record in watcher.records:
            spent, previous = record["shots"] - previous, record["shots"]
            if record["event"] == "step":
                shots = split_shots(record["shots_per_batch"], np.array(record["shot_fractions"]))
                assert spent == 2 * (3 * shots[0] + 2 * shots[1])
                assert spent == pytest.approx(2 * 5 * record["shots_per_batch"], abs=10)

    @pytest.mark.deep
    def test_stopped_anywhere_a_run_goes_on_bit_for_bit(self, tmp_path):
        """After every single request: within pilots, within steps, between them, and after epochs."""
        whole, _, full = train()
        steps = full.steps
        assert any(epoch == 2 and batch == 0 and request_log == 1 for epoch, batch, request_log in steps)
        for number in range(1, len(steps)):
            halted, outcome, before = train(stop_after=number)
            assert outcome == "stopped"
            assert halted.state.shots == halted.executor.shots
            save_state(tmp_path / "checkpoint.npz", halted.state, "run")
            state = load_state(tmp_path / "checkpoint.npz", "run")
            again, outcome, after = train(state=state)
            assert outcome == "finished"
            assert before.records + after.records == full.records
            assert again.state.weights.tobytes() == whole.state.weights.tobytes()
            assert again.state.step_shots == whole.state.step_shots
            assert again.state.warnings.record() == whole.state.warnings.record()
            assert again.state.monitor.record() == whole.state.monitor.record()
            assert again.state.shots == whole.state.shots
            assert halted.executor.shots + again.executor.shots == whole.executor.shots

    def test_a_pilot_in_progress_is_not_asked_for_again(self):
        _, _, full = train()
        number = 1 + next(
            i for i, (epoch, batch, request_log) in enumerate(full.steps) if epoch == 2 and request_log == 1
        )
        halted, _, before = train(stop_after=number)
        assert len(halted.state.request_log) == 1
        assert halted.state.step_shots.piloted == 0
        _, _, after = train(state=halted.state)
        assert len(before.steps) + len(after.steps) == len(full.steps)


class TestWarnings:
    """A pilot nudges hard on purpose and says nothing; a step that does is warned about."""

    def given(self, beta):
        pilot = "pilot = { first_beta = 1.0, levels = 4 }"
        return XOR_ON_TWO_SPINS + (
            f'[measurement]\nshots = 1000\nallocation = "optimal"\n[contrast]\nbeta = {beta}\n{pilot}\n'
            "[training]\nepochs = 1\nbatch_size = 4\n"
        )

    def test_the_nudges_of_a_pilot_are_not_warned_about(self):
        _, outcome, watcher = train(text=self.given(0.001))
        assert outcome == "finished"
        pilot = next(record for record in watcher.records if record["event"] == "pilot")
        assert pilot["weyl_beta"] < 1.0

    def test_the_nudge_of_a_step_is(self):
        with warns(NudgeBeyondGapWarning, r"exceeds gap / range\(C\)", detail=r"\|beta\| = 3 "):
            train(text=self.given(3.0))

    @pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.BranchJumpWarning")
    def test_a_nudge_that_a_pilot_chose_is(self):
        text = self.given('"auto"').replace("shots = 1000", "shots = 2")
        with pytest.warns(NudgeBeyondGapWarning):
            train(text=text)
