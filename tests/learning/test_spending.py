"""What steps spend: the policy's decisions, runs that stop and go on within them, and every shot counted."""

import json
import tomllib
import warnings
from dataclasses import replace

import numpy as np
import pytest
from cases import NO_INPUTS, half_one_plus_z, random_network
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.budget.gradient_study import CountingExecutor
from qep_qiskit.config import build, check_config
from qep_qiskit.cost import CostTerm, LossOnExpectations, OperatorCost
from qep_qiskit.errors import ConfigError, NudgeBeyondGapWarning, QepWarning
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import (
    AdaptiveShots,
    Contrast,
    ErrorModel,
    GradientEstimator,
    PilotSettings,
    Spending,
    SpendingPolicy,
    measure_pilot,
)
from qep_qiskit.learning.error_model import split_shots
from qep_qiskit.learning.spending import SignalTally, batches_per_group
from qep_qiskit.learning.state import load_state, save_state
from qep_qiskit.measurement import drive
from qep_qiskit.network import Interaction, PauliNetwork, chain
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.operators import PauliWord
from qep_qiskit.preparation import ExactPreparation
from qep_qiskit.seeds import Seeds

MODEL = ErrorModel(order=2, bias_squared=0.5, shot_variance=(0.4, 1.6), beta_scale=0.2)


def estimator_of(rng, **options):
    network, weights = random_network(chain(3), rng)
    hamiltonian = NudgedHamiltonian(network, half_one_plus_z(2, 3))
    given = {"contrast": Contrast(beta=0.2), "shots": 100} | options
    return GradientEstimator(hamiltonian=hamiltonian, preparation=ExactPreparation(), **given), weights


class TestPolicy:
    def test_a_policy_that_decides_nothing_is_not_active(self):
        assert not SpendingPolicy().active
        assert not SpendingPolicy(adaptive=AdaptiveShots()).flies_pilots
        assert SpendingPolicy(adaptive=AdaptiveShots()).active
        assert SpendingPolicy(auto_beta=True).flies_pilots
        assert SpendingPolicy(optimal_split=True).flies_pilots

    @pytest.mark.parametrize("shots", [None, (10, 20)])
    @pytest.mark.parametrize(
        "policy",
        [
            SpendingPolicy(auto_beta=True),
            SpendingPolicy(optimal_split=True),
            SpendingPolicy(adaptive=AdaptiveShots()),
        ],
    )
    def test_what_weighs_shot_noise_needs_a_number_of_shots(self, shots, policy, rng):
        estimator, _ = estimator_of(rng, shots=shots)
        with pytest.raises(ConfigError, match=r"measurement\.shots.*expected a number of shots"):
            policy.start(estimator)

    def test_pilots_are_due_at_the_start_and_every_so_often(self):
        policy = SpendingPolicy(auto_beta=True, pilot=PilotSettings(every=3))
        spending, flown = Spending(beta=0.1, shots=10), []
        for epoch in range(10):
            if policy.is_due(spending, epoch):
                flown.append(epoch)
                spending = replace(spending, piloted=epoch)
                assert not policy.is_due(spending, epoch)
        assert flown == [0, 3, 6, 9]
        once = SpendingPolicy(auto_beta=True, pilot=PilotSettings(every=0))
        assert once.is_due(Spending(beta=0.1, shots=10), 0)
        assert not once.is_due(Spending(beta=0.1, shots=10, piloted=0), 50)
        assert not SpendingPolicy(adaptive=AdaptiveShots()).is_due(Spending(beta=0.1, shots=10), 0)

    def test_later_pilots_look_around_the_present_nudge(self):
        policy = SpendingPolicy(auto_beta=True, pilot=PilotSettings(levels=6))
        assert policy.ladder(Spending(beta=0.1, shots=10), 0.03) == (0.03, 6)
        assert policy.ladder(Spending(beta=-0.4, shots=10, model=MODEL), 0.03) == (0.2, 3)
        given = SpendingPolicy(auto_beta=True, pilot=PilotSettings(levels=2, first_beta=0.07))
        assert given.ladder(Spending(beta=0.1, shots=10), 0.03) == (0.07, 2)
        assert given.ladder(Spending(beta=0.4, shots=10, model=MODEL), 0.03) == (0.2, 2)

    def pilot(self, rng, model, resolved):
        estimator, weights = estimator_of(rng)
        given = estimator, weights, NO_INPUTS, NO_INPUTS, RequestKey("pilot", 0)
        work = measure_pilot(*given, beta=0.1, levels=2, trainable=np.ones(len(weights), dtype=bool))
        return replace(drive(work, VectorExecutor(Seeds(0)))[0], model=model, resolved=resolved), estimator

    @pytest.mark.parametrize(
        ("resolved", "new", "expected"),
        [(True, 8.0, np.sqrt(0.5 * 8.0)), (True, 0.1, np.sqrt(0.5 * 0.1)), (False, 8.0, 0.5), (False, 0.1, 0.1)],
    )
    def test_a_new_bias_is_averaged_with_the_one_before_and_a_new_limit_lowers_it(self, resolved, new, expected, rng):
        pilot, estimator = self.pilot(rng, replace(MODEL, bias_squared=new), resolved)
        before = Spending(beta=0.1, shots=100, model=MODEL, piloted=0)
        after = SpendingPolicy(auto_beta=True).after_pilot(before, pilot, estimator, 7)
        assert after.model.bias_squared == pytest.approx(expected)
        assert after.beta == pytest.approx(after.model.best_beta(100))
        assert after.piloted == 7

    def test_the_first_pilot_is_taken_as_it_is(self, rng):
        pilot, estimator = self.pilot(rng, MODEL, False)
        after = SpendingPolicy(auto_beta=True).after_pilot(Spending(beta=0.1, shots=100), pilot, estimator, 0)
        assert after.model == MODEL
        assert after.beta == pytest.approx(MODEL.best_beta(100))
        assert after.shares is None

    def test_nudge_and_split_fit_each_other(self, rng):
        pilot, estimator = self.pilot(rng, MODEL, True)
        policy = SpendingPolicy(auto_beta=True, optimal_split=True)
        after = policy.after_pilot(Spending(beta=0.1, shots=100), pilot, estimator, 0)
        shares = np.array(after.shares)
        assert after.beta == pytest.approx(MODEL.best_beta(100, shares), rel=1e-3)
        assert shares == pytest.approx(MODEL.best_shares(after.beta, batches_per_group(estimator)), rel=1e-3)
        assert shares[1] / shares[0] == pytest.approx(2.0)

    def test_a_split_alone_leaves_the_nudge(self, rng):
        pilot, estimator = self.pilot(rng, MODEL, True)
        after = SpendingPolicy(optimal_split=True).after_pilot(Spending(beta=0.1, shots=100), pilot, estimator, 0)
        assert after.beta == 0.1
        assert after.shares is not None

    def test_a_negative_one_sided_nudge_stays_negative(self, rng):
        pilot, _ = self.pilot(rng, replace(MODEL, order=1), True)
        estimator, _ = estimator_of(rng, contrast=Contrast(kind="one_sided", beta=-0.2))
        after = SpendingPolicy(auto_beta=True).after_pilot(Spending(beta=-0.2, shots=100), pilot, estimator, 0)
        assert after.beta < 0

    def test_more_shots_lower_the_nudge(self, rng):
        estimator, _ = estimator_of(rng)
        policy = SpendingPolicy(auto_beta=True, adaptive=AdaptiveShots(growth=4.0))
        before = Spending(beta=MODEL.best_beta(100), shots=100, model=MODEL, piloted=0)
        after = policy.after_epoch(before, SignalTally(signal=0.0, noise=1.0), estimator)
        assert after.shots == 400
        assert after.beta == pytest.approx(MODEL.best_beta(400))

    def test_what_is_spent_reaches_the_estimator(self, rng):
        estimator, _ = estimator_of(rng)
        applied = Spending(beta=0.5, shots=100, shares=(1.5, 0.5)).applied(estimator)
        assert applied.contrast.beta == 0.5
        assert applied.shots == (150, 50)
        assert Spending(beta=0.5, shots=30).applied(estimator).shots == 30

    @pytest.mark.parametrize(
        "spending",
        [
            Spending(beta=0.3, shots=None),
            Spending(beta=-0.3, shots=7, shares=(1.25, 0.75), model=MODEL, piloted=4),
        ],
    )
    def test_record_survives_json(self, spending):
        assert Spending.from_record(json.loads(json.dumps(spending.record()))) == spending


class TestAdaptiveShots:
    @pytest.mark.parametrize(
        ("signal", "noise", "expected"),
        [
            (3.0, 1.0, 100),  # enough signal
            (1.0, 1.0, 100),
            (0.8, 1.0, 125),  # in proportion to what is missing
            (0.1, 1.0, 200),  # but no faster than `growth`
            (0.0, 1.0, 200),
            (-0.5, 1.0, 200),
            (1.0, 0.0, 100),  # noise unknown or none
        ],
    )
    def test_shots_of_the_next_epoch(self, signal, noise, expected):
        assert AdaptiveShots().after(100, SignalTally(signal=signal, noise=noise)) == expected

    def test_shots_stop_at_the_most_and_never_fall(self):
        silent = SignalTally(signal=0.0, noise=1.0)
        assert AdaptiveShots(max_shots=150).after(100, silent) == 150
        assert AdaptiveShots(max_shots=150).after(150, silent) == 150
        assert AdaptiveShots(max_shots=50).after(100, silent) == 100

    def test_one_shot_grows(self):
        assert AdaptiveShots(growth=1.1).after(1, SignalTally(signal=0.0, noise=1.0)) == 2

    @pytest.mark.parametrize(("name", "value"), [("signal_to_noise", 0.0), ("max_shots", 0), ("growth", 1.0)])
    def test_range(self, name, value):
        with pytest.raises(ConfigError, match=rf"measurement\.adaptive\.{name}: expected more than"):
            AdaptiveShots(**{name: value})

    def test_the_tally_adds_trained_weights_and_leaves_out_unknown_noise(self, rng):
        estimator, weights = estimator_of(rng)
        tally, trainable = SignalTally(), np.arange(len(weights)) < 3
        for shots in (1, 50, 80):
            work = replace(estimator, shots=shots).estimate(weights, NO_INPUTS, NO_INPUTS, RequestKey("t", shots))
            estimate = drive(work, VectorExecutor(Seeds(0)))[0]
            before = replace(tally)
            tally.add(estimate, trainable)
            if shots == 1:
                assert tally == before
                continue
            noise = estimate.variance[trainable].sum()
            assert tally.noise - before.noise == pytest.approx(noise)
            assert tally.signal - before.signal == pytest.approx((estimate.gradient[trainable] ** 2).sum() - noise)


@pytest.mark.parametrize(("name", "value"), [("every", -1), ("levels", 1), ("first_beta", 0.0), ("first_beta", -1.0)])
def test_range_of_pilot_settings(name, value):
    with pytest.raises(ConfigError, match=rf"contrast\.pilot\.{name}: expected"):
        PilotSettings(**{name: value})


def fixed_fields():
    """Two weights in the Z group; the X group holds fixed terms alone."""
    fields = Interaction(operator=SparsePauliOp(["XI", "IX"], [-1.0, -1.0]))
    parts = fields, Interaction(operator=SparsePauliOp("ZZ"), weight="J"), Interaction(operator=SparsePauliOp("IZ"))
    return PauliNetwork(interactions=(*parts, Interaction(operator=SparsePauliOp("ZI"), weight="b")), outputs=(1,))


COSTS = {
    "Z": OperatorCost.squared_error((1,), 2),
    "X": OperatorCost.from_terms([CostTerm(word=PauliWord.parse("X0"), coefficient=1.0)], 2),
    "Y": OperatorCost.from_terms([CostTerm(word=PauliWord.parse("Y0 Y1"), coefficient=1.0)], 2),
    "loss of Z": LossOnExpectations.on_spins((1,), 2),
    "loss of X": LossOnExpectations((SparsePauliOp("IX"),)),
}


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("kind", ["one_sided", "symmetric", "four_point"])
@pytest.mark.parametrize("grouping", ["shared", "qubit_wise"])
@pytest.mark.parametrize("read_free_cost", [False, True])
def test_batches_are_those_that_an_estimate_asks_for(cost, kind, grouping, read_free_cost):
    """What a split of shots, and a price, are reckoned with; each group has shots of its own to tell them apart."""
    estimator = GradientEstimator(
        hamiltonian=NudgedHamiltonian(fixed_fields(), COSTS[cost]),
        preparation=ExactPreparation(),
        contrast=Contrast(kind=kind, beta=0.05),
        shots=1,
        grouping=grouping,
        read_free_cost=read_free_cost,
    )
    batches = batches_per_group(estimator)
    shots = tuple(100**g for g in range(len(batches)))
    work = replace(estimator, shots=shots).estimate(
        np.array([0.3, 0.2]), NO_INPUTS, np.array([[0.3]]), RequestKey("test", 0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QepWarning)
        _, usage = drive(work, VectorExecutor(Seeds(0)))
    assert usage.circuits == batches.sum()
    assert usage.shots == batches @ np.array(shots)


CONFIG = """
seed = 3
[task]
kind = "xor"
[network]
graph = "complete"
num_spins = 2
[preparation]
kind = "exact"
[measurement]
shots = 40
allocation = "optimal"
adaptive = { signal_to_noise = 50.0, max_shots = 200 }
[contrast]
beta = "auto"
pilot = { every = 2, levels = 4 }
[training]
epochs = 4
batch_size = 2
"""

NO_PILOTS = """
[task]
kind = "xor"
[network]
graph = "complete"
num_spins = 2
[preparation]
kind = "exact"
"""

quietly = [
    pytest.mark.filterwarnings("ignore::qep_qiskit.errors.NudgeBeyondGapWarning"),
    pytest.mark.filterwarnings("ignore::qep_qiskit.errors.BranchJumpWarning"),
]


class Watcher:
    """Keeps what a trainer tells, and asks it to stop after a request."""

    def __init__(self, stop_after=0):
        self.stop_after, self.records, self.places = stop_after, [], []

    def on_request(self, trainer):
        self.places.append((trainer.state.epoch, trainer.state.batch, len(trainer.state.journal)))
        if len(self.places) == self.stop_after:
            trainer.request_stop()

    def on_step(self, trainer, record):
        self.records.append({name: value for name, value in record.items() if name != "seconds"})
        trainer.state.metrics_bytes += 1  # as a file would: a run that has told something is not new

    on_pilot = on_epoch = on_step

    def on_end(self, trainer, outcome):
        pass


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
        assert [step["shots_per_batch"] for step in steps[::2]] == [40, 80, 160, 200]
        assert len({step["beta"] for step in steps}) == 4
        assert all(step["shares"] is not None for step in steps)
        assert trainer.state.spending.shots == 200

    def test_every_shot_is_counted(self):
        """Pilots, splits, evaluations and all: what the executor ran is what the run says."""
        trainer, _, watcher = train()
        assert trainer.state.shots == trainer.executor.shots
        assert trainer.state.circuits == trainer.executor.circuits
        counts = [record["shots"] for record in watcher.records]
        assert counts == sorted(counts)
        first = next(record for record in watcher.records if record["event"] == "pilot")
        look = next(record for record in watcher.records if record["event"] == "epoch")
        # The pilot: two samples, a free Z batch each, and four levels on two sides in both groups.
        assert first["shots"] - look["shots"] == 2 * 40 * (1 + 2 * 4 * 2)

    def test_a_split_spends_the_shots_of_an_equal_one(self):
        _, _, watcher = train()
        previous = 0
        for record in watcher.records:
            spent, previous = record["shots"] - previous, record["shots"]
            if record["event"] == "step":
                shots = split_shots(record["shots_per_batch"], np.array(record["shares"]))
                assert spent == 2 * (3 * shots[0] + 2 * shots[1])
                assert spent == pytest.approx(2 * 5 * record["shots_per_batch"], abs=10)

    def test_stopped_anywhere_a_run_goes_on_bit_for_bit(self, tmp_path):
        """After every single request: within pilots, within steps, between them, and after epochs."""
        whole, _, full = train()
        places = full.places
        assert any(epoch == 2 and batch == 0 and journal == 1 for epoch, batch, journal in places)
        for number in range(1, len(places)):
            halted, outcome, before = train(stop_after=number)
            assert outcome == "stopped"
            assert halted.state.shots == halted.executor.shots
            save_state(tmp_path / "checkpoint.npz", halted.state, "run")
            state = load_state(tmp_path / "checkpoint.npz", "run")
            again, outcome, after = train(state=state)
            assert outcome == "finished"
            assert before.records + after.records == full.records
            assert again.state.weights.tobytes() == whole.state.weights.tobytes()
            assert again.state.spending == whole.state.spending
            assert again.state.shots == whole.state.shots
            assert halted.executor.shots + again.executor.shots == whole.executor.shots

    def test_a_pilot_in_progress_is_not_asked_for_again(self):
        _, _, full = train()
        number = 1 + next(i for i, (epoch, batch, journal) in enumerate(full.places) if epoch == 2 and journal == 1)
        halted, _, before = train(stop_after=number)
        assert len(halted.state.journal) == 1
        assert halted.state.spending.piloted == 0
        _, _, after = train(state=halted.state)
        assert len(before.places) + len(after.places) == len(full.places)


class TestWarnings:
    """A pilot nudges hard on purpose and says nothing; a step that does is warned about."""

    def given(self, beta):
        pilot = "pilot = { first_beta = 1.0, levels = 4 }"
        return NO_PILOTS + (
            f'[measurement]\nshots = 1000\nallocation = "optimal"\n[contrast]\nbeta = {beta}\n{pilot}\n'
            "[training]\nepochs = 1\nbatch_size = 4\n"
        )

    def test_the_nudges_of_a_pilot_are_not_warned_about(self):
        _, outcome, watcher = train(text=self.given(0.001))
        assert outcome == "finished"
        pilot = next(record for record in watcher.records if record["event"] == "pilot")
        assert pilot["weyl_beta"] < 1.0

    def test_the_nudge_of_a_step_is(self):
        with pytest.warns(NudgeBeyondGapWarning, match=r"the nudge \|beta\| = 3"):
            train(text=self.given(3.0))

    @pytest.mark.filterwarnings("ignore::qep_qiskit.errors.BranchJumpWarning")
    def test_a_nudge_that_a_pilot_chose_is(self):
        text = self.given('"auto"').replace("shots = 1000", "shots = 2")
        with pytest.warns(NudgeBeyondGapWarning):
            train(text=text)
