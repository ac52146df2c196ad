"""Gradients that are not there: never told of those that are, and the same after a stop as without one."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from warned import warns

from qep_qiskit.core.errors import DeadGradientWarning, NoisyGradientWarning, QepWarning
from qep_qiskit.core.warning_log import WarningLog, counting_warnings
from qep_qiskit.learning import GradientEstimate
from qep_qiskit.learning.diagnostics import Diagnostics
from qep_qiskit.learning.free_phase import CostEstimate
from qep_qiskit.learning.gradient_monitor import GradientMonitor, check_estimate

TRAINABLE = np.array([True] * 12 + [False])
PACE = {"per_epoch": 4, "steps": 400}


def estimate(gradient, variance=0.0, *, loss=1.0, outputs=None):
    return GradientEstimate(
        gradient=np.asarray(gradient, dtype=float),
        variance=np.broadcast_to(float(variance), len(gradient)),
        group_variance=np.zeros((1, len(gradient))),
        cost=CostEstimate(values=np.array([loss]), variances=np.zeros(1)),
        outputs=outputs,
        diagnostics=Diagnostics(),
    )


def watched(gradients, losses, variance=1.0):
    """The log after a run of such steps, and the watch."""
    watch, log = GradientMonitor(), WarningLog()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QepWarning)
        for step, (gradient, loss) in enumerate(zip(gradients, losses, strict=True), start=1):
            found = WarningLog()
            with counting_warnings(found):
                watch = watch.after(estimate(gradient, variance, loss=loss), TRAINABLE, **PACE)
            log.merge(found, step=step)
    return log, watch


def noise(rng, steps):
    return rng.normal(size=(steps, len(TRAINABLE)))


def test_noise_alone_is_told_by_the_second_window():
    """For 12 weights |G|^2 / V is below 2 in 98 of 100 cases."""
    told = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        log, _ = watched(noise(rng, 40), rng.normal(1.0, 0.1, size=40))
        (found,) = log.summary() or [{"kind": ""}]
        told += found["kind"] == "NoisyGradientWarning" and found["first_step"] == 40
    assert told >= 45


@pytest.mark.parametrize("size", [0.6, 1.0])
def test_gradients_below_their_noise_that_add_up_are_not(size):
    """Of length 0.6 and 1 in noise of length 3.5, as of one shot: forty of them have 1.2 and 3.3 of its square."""
    told = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        direction = np.append(np.ones(12) / np.sqrt(12.0), 0.0)
        log, _ = watched(noise(rng, 40) + size * direction, rng.normal(1.0, 0.1, size=40))
        told += bool(log.given)
    assert told <= (25 if size == 0.6 else 1)


def test_noise_after_the_loss_has_fallen_is_a_quiet_note():
    rng = np.random.default_rng(3)
    losses = np.concatenate([np.linspace(1.0, 0.2, 20), np.full(60, 0.2)]) + rng.normal(0.0, 0.01, size=80)
    gradients = noise(rng, 80)
    gradients[:20, :12] += 5.0
    with warnings.catch_warnings():
        warnings.simplefilter("error", QepWarning)
        watch, log = GradientMonitor(), WarningLog()
        with counting_warnings(log):
            for gradient, loss in zip(gradients, losses, strict=True):
                watch = watch.after(estimate(gradient, 1.0, loss=loss), TRAINABLE, **PACE)
    (found,) = log.summary()
    assert (found["kind"], found["severity"], found["affected"]) == ("NoisyGradientWarning", "note", 60)


def test_exact_gradients_are_never_noisy():
    assert not watched(np.full((60, 13), 1e-9), np.ones(60), variance=0.0)[0].given


@pytest.mark.parametrize(("zeros", "told"), [(9, 0), (10, 10), (13, 13)])
def test_ten_steps_of_exact_zeros_are_dead(zeros, told):
    gradients = np.zeros((zeros, 13))
    gradients[:, 12] = 1.0  # a weight that does not train
    log, _ = watched(gradients, np.ones(zeros), variance=0.0)
    assert sum(found["affected"] for found in log.summary()) == told
    assert all(found["severity"] == "serious" for found in log.summary())


def test_zeros_at_the_minimum_or_with_steps_between_are_not():
    assert not watched(np.zeros((30, 13)), np.zeros(30), variance=0.0)[0].given
    some = np.zeros((30, 13))
    some[::9, 0] = 1e-300
    assert not watched(some, np.ones(30), variance=0.0)[0].given


def test_samples_that_are_right_by_chance_do_not_hide_the_others():
    """In batches of one sample and one state for all, some samples have cost zero."""
    losses = np.tile([1.0, 0.0], 12)
    log, watch = watched(np.zeros((24, 13)), losses, variance=0.0)
    (found,) = log.summary()
    assert (found["kind"], found["affected"], found["first_step"]) == ("DeadGradientWarning", 12, 19)
    assert watch.zeros == 12


def test_the_cause_is_named():
    with warns(DeadGradientWarning, "symmetry keeps the outputs at zero"):
        check_estimate(estimate(np.zeros(13), outputs=np.zeros((1, 2))), TRAINABLE)
    with warns(DeadGradientWarning, "the nudge moves no state"):
        check_estimate(estimate(np.zeros(13), outputs=np.ones((1, 2))), TRAINABLE)
    known = replace(estimate(np.zeros(13), outputs=np.ones((2, 2))), diagnostics=Diagnostics(gap=0.4, weyl_beta=0.1))
    with warns(DeadGradientWarning, "the outputs are the same for all samples", detail="gap 0.4, .* |beta| below 0.1"):
        check_estimate(known, TRAINABLE)


@pytest.mark.parametrize("odd", [None, 3, 11])
def test_one_state_is_said_where_every_sample_of_the_steps_is_in_it(odd):
    """Batches of one sample: the steps are compared, across a checkpoint too."""
    watch, log = GradientMonitor(), WarningLog()
    with counting_warnings(log), warnings.catch_warnings():
        warnings.simplefilter("ignore", QepWarning)
        for step in range(12):
            outputs = np.array([[1.0, 1.0 if step == odd else -1.0]])
            watch = watch.after(estimate(np.zeros(13), outputs=outputs), TRAINABLE, per_epoch=12, steps=12)
            watch = GradientMonitor.from_record(json.loads(json.dumps(watch.record())))
    (found,) = log.summary()
    assert found["kind"] == "DeadGradientWarning"
    assert ("the outputs are the same for all samples" in found["text"]) == (odd is None)


def test_one_gradient_within_its_noise():
    """12 unit variances: 12 is the mean, 12 + 2 sqrt(24) = 21.8 the limit."""
    along = np.append(np.ones(12) / np.sqrt(12.0), 100.0)
    with warns(NoisyGradientWarning, "cannot be distinguished from", detail="length 4.6, 3.46 by noise"):
        check_estimate(estimate(4.6 * along, 1.0), TRAINABLE)
    with warnings.catch_warnings():
        warnings.simplefilter("error", QepWarning)
        check_estimate(estimate(4.7 * along, 1.0), TRAINABLE)
        check_estimate(estimate(1e-6 * along, 0.0), TRAINABLE)


@pytest.mark.parametrize("stop", [1, 20, 31])
def test_a_checkpoint_in_between_changes_nothing(stop):
    rng = np.random.default_rng(0)
    gradients, losses = noise(rng, 60), rng.normal(1.0, 0.1, size=60)
    whole, end = watched(gradients, losses)
    _, half = watched(gradients[:stop], losses[:stop])
    again = GradientMonitor.from_record(json.loads(json.dumps(half.record())))
    for gradient, loss in zip(gradients[stop:], losses[stop:], strict=True):
        with counting_warnings(WarningLog()), warnings.catch_warnings():
            warnings.simplefilter("ignore", QepWarning)
            again = again.after(estimate(gradient, 1.0, loss=loss), TRAINABLE, **PACE)
    assert again.record() == end.record()
    assert whole.given
    assert replace(end, zeros=1).record() != end.record()
