"""What steps spend: the policy's decisions, runs that stop and go on within them, and every shot counted."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from cases import NO_INPUTS, half_one_plus_z, random_network
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.core.errors import ConfigError, QepWarning
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import (
    AdaptiveShots,
    Contrast,
    ErrorModel,
    GradientEstimator,
    PilotSettings,
    ShotSchedule,
    StepShots,
    measure_pilot,
)
from qep_qiskit.learning.bias_fit import BiasCurve
from qep_qiskit.learning.shot_schedule import SignalTally, batches_per_group
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import Interaction, PauliNetwork, chain
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.cost_terms import CostTerm
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

MODEL = ErrorModel(order=2, bias_squared=0.5, shot_variance=(0.4, 1.6), beta_scale=0.2)


def estimator_of(rng, **options):
    network, weights = random_network(chain(3), rng)
    hamiltonian = NudgedHamiltonian(network, half_one_plus_z(2, 3))
    given = {"contrast": Contrast(beta=0.2), "shots": 100} | options
    return GradientEstimator(hamiltonian=hamiltonian, preparation=ExactPreparation(), **given), weights


class TestPolicy:
    def test_a_policy_that_decides_nothing_is_not_active(self):
        assert not ShotSchedule().active
        assert not ShotSchedule(adaptive=AdaptiveShots()).uses_pilots
        assert ShotSchedule(adaptive=AdaptiveShots()).active
        assert ShotSchedule(auto_beta=True).uses_pilots
        assert ShotSchedule(optimal_split=True).uses_pilots

    @pytest.mark.parametrize("shots", [None, (10, 20)])
    @pytest.mark.parametrize(
        "policy",
        [
            ShotSchedule(auto_beta=True),
            ShotSchedule(optimal_split=True),
            ShotSchedule(adaptive=AdaptiveShots()),
        ],
    )
    def test_what_weighs_shot_noise_needs_a_number_of_shots(self, shots, policy, rng):
        estimator, _ = estimator_of(rng, shots=shots)
        with pytest.raises(ConfigError, match=r"shots.*expected a number of shots"):
            policy.start(estimator)

    def test_pilots_are_due_at_the_start_and_every_so_often(self):
        policy = ShotSchedule(auto_beta=True, pilot=PilotSettings(every=3))
        step_shots, flown = StepShots(beta=0.1, shots=10), []
        for epoch in range(10):
            if policy.is_due(step_shots, epoch):
                flown.append(epoch)
                step_shots = replace(step_shots, piloted=epoch)
                assert not policy.is_due(step_shots, epoch)
        assert flown == [0, 3, 6, 9]
        once = ShotSchedule(auto_beta=True, pilot=PilotSettings(every=0))
        assert once.is_due(StepShots(beta=0.1, shots=10), 0)
        assert not once.is_due(StepShots(beta=0.1, shots=10, piloted=0), 50)
        assert not ShotSchedule(adaptive=AdaptiveShots()).is_due(StepShots(beta=0.1, shots=10), 0)

    def test_later_pilots_look_around_the_present_nudge(self):
        policy = ShotSchedule(auto_beta=True, pilot=PilotSettings(levels=6))
        assert policy.levels_of_pilot(StepShots(beta=0.1, shots=10), 0.03) == (0.03, 6)
        assert policy.levels_of_pilot(StepShots(beta=-0.4, shots=10, model=MODEL), 0.03) == (0.2, 3)
        given = ShotSchedule(auto_beta=True, pilot=PilotSettings(levels=2, first_beta=0.07))
        assert given.levels_of_pilot(StepShots(beta=0.1, shots=10), 0.03) == (0.07, 2)
        assert given.levels_of_pilot(StepShots(beta=0.4, shots=10, model=MODEL), 0.03) == (0.2, 2)

    def pilot(self, rng, model, resolved):
        estimator, weights = estimator_of(rng)
        given = estimator, weights, NO_INPUTS, NO_INPUTS, RequestKey("pilot", 0)
        work = measure_pilot(*given, beta=0.1, levels=2, trainable=np.ones(len(weights), dtype=bool))
        return replace(run_measurements(work, VectorExecutor(Seeds(0)))[0], model=model, resolved=resolved), estimator

    @pytest.mark.parametrize(
        ("resolved", "new", "expected"),
        [(True, 8.0, np.sqrt(0.5 * 8.0)), (True, 0.1, np.sqrt(0.5 * 0.1)), (False, 8.0, 0.5), (False, 0.1, 0.1)],
    )
    def test_a_new_bias_is_averaged_with_the_one_before_and_a_new_limit_lowers_it(self, resolved, new, expected, rng):
        pilot, estimator = self.pilot(rng, replace(MODEL, bias_squared=new), resolved)
        before = StepShots(beta=0.1, shots=100, model=MODEL, piloted=0)
        after = ShotSchedule(auto_beta=True).after_pilot(before, pilot, estimator, 7)
        assert after.model.bias_squared == pytest.approx(expected)
        assert after.beta == pytest.approx(after.model.best_beta(100))
        assert after.piloted == 7

    def test_a_curve_follows_a_new_one_as_far_as_that_is_known(self, rng):
        """Quantiles of the bias: a sure new curve is taken, an unsure one hardly moves what was known."""
        betas, middle = (0.1, 0.2, 0.4), np.linspace(-0.1, 0.1, 10)

        def curve(level, width):
            return BiasCurve(betas=betas, squares=tuple((float(np.exp(level + width * m)),) * 3 for m in middle))

        before = replace(MODEL, curve=curve(0.0, 1.0))
        for width, low, high in ((1.0, 2.9, 3.0), (100.0, 0.0, 0.3)):
            pilot, estimator = self.pilot(rng, replace(MODEL, curve=curve(3.0, width)), True)
            step_shots = StepShots(beta=0.1, shots=100, model=before, piloted=0)
            after = ShotSchedule(auto_beta=True).after_pilot(step_shots, pilot, estimator, 7).model.curve
            assert low < np.log(after.squares).mean() < high

    def test_the_first_pilot_is_taken_as_it_is(self, rng):
        pilot, estimator = self.pilot(rng, MODEL, False)
        after = ShotSchedule(auto_beta=True).after_pilot(StepShots(beta=0.1, shots=100), pilot, estimator, 0)
        assert after.model == MODEL
        assert after.beta == pytest.approx(MODEL.best_beta(100))
        assert after.shot_fractions is None

    def test_nudge_and_split_fit_each_other(self, rng):
        pilot, estimator = self.pilot(rng, MODEL, True)
        policy = ShotSchedule(auto_beta=True, optimal_split=True)
        after = policy.after_pilot(StepShots(beta=0.1, shots=100), pilot, estimator, 0)
        shares = np.array(after.shot_fractions)
        assert after.beta == pytest.approx(MODEL.best_beta(100, shares), rel=1e-3)
        assert shares == pytest.approx(MODEL.best_shot_fractions(after.beta, batches_per_group(estimator)), rel=1e-3)
        assert shares[1] / shares[0] == pytest.approx(2.0)

    def test_a_split_alone_leaves_the_nudge(self, rng):
        pilot, estimator = self.pilot(rng, MODEL, True)
        after = ShotSchedule(optimal_split=True).after_pilot(StepShots(beta=0.1, shots=100), pilot, estimator, 0)
        assert after.beta == 0.1
        assert after.shot_fractions is not None

    def test_a_negative_one_sided_nudge_stays_negative(self, rng):
        pilot, _ = self.pilot(rng, replace(MODEL, order=1), True)
        estimator, _ = estimator_of(rng, contrast=Contrast(kind="one_sided", beta=-0.2))
        after = ShotSchedule(auto_beta=True).after_pilot(StepShots(beta=-0.2, shots=100), pilot, estimator, 0)
        assert after.beta < 0

    def test_more_shots_lower_the_nudge(self, rng):
        policy = ShotSchedule(auto_beta=True, adaptive=AdaptiveShots(growth=4.0, window=2))
        before = StepShots(beta=MODEL.best_beta(100), shots=100, model=MODEL, piloted=0)
        estimator, weights = estimator_of(rng)
        work = estimator.estimate(weights, NO_INPUTS, NO_INPUTS, RequestKey("t", 0))
        estimate, trainable = run_measurements(work, VectorExecutor(Seeds(0)))[0], np.ones(len(weights), dtype=bool)
        tally = SignalTally(products=1, signal=-100.0, last=-estimate.gradient)
        after, full = policy.after_step(before, tally, estimate, trainable, estimator)
        assert full.products == 2
        assert after.shots == 400
        assert after.beta == pytest.approx(MODEL.best_beta(400))

    def test_what_is_spent_reaches_the_estimator(self, rng):
        estimator, _ = estimator_of(rng)
        applied = StepShots(beta=0.5, shots=100, shot_fractions=(1.5, 0.5)).applied(estimator)
        assert applied.contrast.beta == 0.5
        assert applied.shots == (150, 50)
        assert StepShots(beta=0.5, shots=30).applied(estimator).shots == 30

    @pytest.mark.parametrize(
        "step_shots",
        [
            StepShots(beta=0.3, shots=None),
            StepShots(beta=-0.3, shots=7, shot_fractions=(1.25, 0.75), model=MODEL, piloted=4),
            StepShots(
                beta=0.3,
                shots=7,
                model=replace(
                    MODEL,
                    curve=BiasCurve(betas=(0.1, 0.3), squares=((0.1, 0.2),) * 10),
                    levels=(0.1, 0.2),
                    level_variance=((1.0, 2.0), (3.0, 4.0)),
                    level_signals=(0.1, -0.1),
                ),
            ),
        ],
    )
    def test_record_survives_json(self, step_shots):
        assert StepShots.from_record(json.loads(json.dumps(step_shots.record()))) == step_shots


class TestAdaptiveShots:
    @pytest.mark.parametrize(
        ("products", "signal", "noise", "expected"),
        [
            (10, 3.0, 1.0, 100),  # successive gradients point the same way
            (10, 0.01, 1.0, 100),
            (10, 0.0, 1.0, 200),  # or no longer
            (10, -0.5, 1.0, 200),
            (9, -0.5, 1.0, 100),  # before the window is full nothing is decided
            (10, -0.5, 0.0, 200),  # noise need not be known
        ],
    )
    def test_shots_of_the_next_step(self, products, signal, noise, expected):
        assert AdaptiveShots().after(100, SignalTally(products=products, signal=signal, noise=noise)) == expected

    def test_signal_may_be_asked_to_exceed_a_share_of_the_noise(self):
        full = SignalTally(products=10, signal=0.4, noise=1.0)
        assert AdaptiveShots(signal_to_noise=0.3).after(100, full) == 100
        assert AdaptiveShots(signal_to_noise=0.5).after(100, full) == 200

    def test_shots_stop_at_the_most_and_never_fall(self):
        silent = SignalTally(products=10, signal=0.0, noise=1.0)
        assert AdaptiveShots(max_shots=150).after(100, silent) == 150
        assert AdaptiveShots(max_shots=150).after(150, silent) == 150
        assert AdaptiveShots(max_shots=50).after(100, silent) == 100

    def test_one_shot_grows(self):
        assert AdaptiveShots(growth=1.1).after(1, SignalTally(products=10)) == 2

    @pytest.mark.parametrize(
        ("name", "value"), [("signal_to_noise", -0.1), ("max_shots", 0), ("growth", 1.0), ("window", 1)]
    )
    def test_range(self, name, value):
        with pytest.raises(ConfigError, match=rf"^{name}: expected"):
            AdaptiveShots(**{name: value})

    def test_the_tally_multiplies_successive_gradients_of_trained_weights(self, rng):
        estimator, weights = estimator_of(rng)
        trainable, window = np.arange(len(weights)) < 3, 3
        gradients, noises, tallies = [], [], [SignalTally()]
        for step, shots in enumerate((50, 1, 80, 60, 40, 30)):
            work = replace(estimator, shots=shots).estimate(weights, NO_INPUTS, NO_INPUTS, RequestKey("t", step))
            estimate = run_measurements(work, VectorExecutor(Seeds(0)))[0]
            gradients.append(estimate.gradient[trainable])
            noises.append(0.0 if shots == 1 else estimate.variance[trainable].sum())
            tallies.append(tallies[-1].after(estimate, trainable, window))
        products = [gradients[k] @ gradients[k + 1] for k in range(5)]
        assert [tally.products for tally in tallies] == [0, 0, 1, 2, 3, 1, 2]
        assert tallies[4].signal == pytest.approx(sum(products[:3]))
        assert tallies[4].noise == pytest.approx(sum(noises[1:4]))
        assert tallies[6].signal == pytest.approx(sum(products[3:]))

    @pytest.mark.deep
    def test_shot_noise_does_not_bias_the_signal(self, rng):
        """Where a squared gradient is mostly noise, the product of two is the squared true contrast."""
        estimator, weights = estimator_of(rng, shots=20)
        trainable, tally, repeats = np.ones(len(weights), dtype=bool), SignalTally(), 1000
        for step in range(repeats + 1):
            work = estimator.estimate(weights, NO_INPUTS, NO_INPUTS, RequestKey("t", step))
            tally = tally.after(run_measurements(work, VectorExecutor(Seeds(0)))[0], trainable, 10 * repeats)
        exact = run_measurements(
            replace(estimator, shots=None).estimate(weights, NO_INPUTS, NO_INPUTS, RequestKey("t", 0)),
            VectorExecutor(Seeds(0)),
        )[0].gradient
        noise, squared = tally.noise / repeats, float(exact @ exact)
        assert noise > 3.0 * squared
        spread = np.sqrt((noise**2 + 4.0 * squared * noise) / repeats)  # at most: weights are not all alike
        assert abs(tally.signal / repeats - squared) < 4.0 * spread


@pytest.mark.parametrize(
    ("name", "value"),
    [("every", -1), ("levels", 1), ("levels", 13), ("first_beta", 0.0), ("first_beta", -1.0), ("shots_factor", 0)],
)
def test_range_of_pilot_settings(name, value):
    with pytest.raises(ConfigError, match=rf"^{name}: expected"):
        PilotSettings(**{name: value})


def fixed_fields():
    """Two weights in the Z group; the X group holds fixed terms alone."""
    fields = Interaction(operator=SparsePauliOp(["XI", "IX"], [-1.0, -1.0]))
    parts = fields, Interaction(operator=SparsePauliOp("ZZ"), weight="J"), Interaction(operator=SparsePauliOp("IZ"))
    return PauliNetwork(interactions=(*parts, Interaction(operator=SparsePauliOp("ZI"), weight="b")), outputs=(1,))


COSTS = {
    "Z": OperatorCost.squared_error((1,), 2),
    "X": OperatorCost.from_terms([CostTerm(string=PauliString.parse("X0"), coefficient=1.0)], 2),
    "Y": OperatorCost.from_terms([CostTerm(string=PauliString.parse("Y0 Y1"), coefficient=1.0)], 2),
    "loss of Z": LossOnExpectations.on_spins((1,), 2),
    "loss of X": LossOnExpectations((SparsePauliOp("IX"),)),
}


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("kind", ["one_sided", "symmetric", "four_point"])
@pytest.mark.parametrize("grouping", ["shared", "qubit_wise"])
@pytest.mark.parametrize("measures_free_cost", [False, True])
def test_batches_are_those_that_an_estimate_asks_for(cost, kind, grouping, measures_free_cost):
    """What a split of shots, and a price, are reckoned with; each group has shots of its own to tell them apart."""
    estimator = GradientEstimator(
        hamiltonian=NudgedHamiltonian(fixed_fields(), COSTS[cost]),
        preparation=ExactPreparation(),
        contrast=Contrast(kind=kind, beta=0.05),
        shots=1,
        grouping=grouping,
        measures_free_cost=measures_free_cost,
    )
    batches = batches_per_group(estimator)
    shots = tuple(100**g for g in range(len(batches)))
    work = replace(estimator, shots=shots).estimate(
        np.array([0.3, 0.2]), NO_INPUTS, np.array([[0.3]]), RequestKey("test", 0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QepWarning)
        _, usage = run_measurements(work, VectorExecutor(Seeds(0)))
    assert usage.circuits == batches.sum()
    assert usage.shots == batches @ np.array(shots)
