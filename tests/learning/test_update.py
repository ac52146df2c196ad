"""Optimisers against steps computed by hand, schedules, bounds and frozen weights."""

import numpy as np
import pytest

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.learning import Adam, GradientDescent, Momentum, Schedule, Update

FREE = {"trainable": np.ones(2, dtype=bool), "bounds": (np.full(2, -np.inf), np.full(2, np.inf))}
GRADIENTS = np.array([[1.0, -2.0], [0.5, 0.0], [-1.0, 4.0]])


def walk(update, start=(0.0, 1.0), gradients=GRADIENTS, **options):
    """Weights after every step."""
    weights, warm_start = np.array(start), update.optimizer.start(2)
    options, path = FREE | {"total_steps": len(gradients)} | options, []
    for step, gradient in enumerate(gradients):
        weights, warm_start = update.apply(weights, gradient, warm_start, step=step, **options)
        path.append(weights)
    return np.array(path)


def test_gradient_descent():
    path = walk(Update(optimizer=GradientDescent(), schedule=Schedule(learning_rate=0.1)))
    assert np.allclose(path, [[-0.1, 1.2], [-0.15, 1.2], [-0.05, 0.8]], rtol=0, atol=1e-12)


def test_momentum():
    path = walk(Update(optimizer=Momentum(momentum=0.5), schedule=Schedule(learning_rate=0.1)))
    # velocities (1, -2), (1, -1), (-0.5, 3.5)
    assert np.allclose(path, [[-0.1, 1.2], [-0.2, 1.3], [-0.15, 0.95]], rtol=0, atol=1e-12)


def test_adam():
    beta1, beta2, rate, epsilon = 0.8, 0.9, 0.1, 1e-3
    adam = Adam(beta1=beta1, beta2=beta2, epsilon=epsilon)
    path = walk(Update(optimizer=adam, schedule=Schedule(learning_rate=rate)))
    weights, mean, square = np.array([0.0, 1.0]), np.zeros(2), np.zeros(2)
    for t, (gradient, found) in enumerate(zip(GRADIENTS, path, strict=True), start=1):
        mean = beta1 * mean + (1 - beta1) * gradient
        square = beta2 * square + (1 - beta2) * gradient * gradient
        weights = weights - rate * (mean / (1 - beta1**t)) / (np.sqrt(square / (1 - beta2**t)) + epsilon)
        assert np.allclose(found, weights, rtol=0, atol=1e-12)


@pytest.mark.parametrize("optimizer", [GradientDescent(), Adam()], ids=["gradient descent", "adam"])
def test_weight_decay_is_apart_from_the_optimiser(optimizer):
    schedule, options = Schedule(learning_rate=0.1, decay="linear", final_fraction=0.5), {"start": (2.0, 1.0)}
    plain = np.vstack([(2.0, 1.0), walk(Update(optimizer=optimizer, schedule=schedule), **options)])
    path = np.vstack([(2.0, 1.0), walk(Update(optimizer=optimizer, schedule=schedule, weight_decay=0.4), **options)])
    rates = np.array([[0.1], [0.075], [0.05]])
    assert np.allclose(np.diff(path, axis=0), np.diff(plain, axis=0) - rates * 0.4 * path[:-1], rtol=0, atol=1e-12)
    fixed = {"trainable": np.array([False, True]), "bounds": (np.full(2, 0.9), np.full(2, 3.0))}
    update = Update(optimizer=GradientDescent(), schedule=schedule, weight_decay=9.0)
    assert walk(update, gradients=np.zeros((1, 2)), **options | fixed).tolist() == [[2.0, 0.9]]


def test_weight_decay_does_not_overshoot():
    with pytest.raises(ConfigError, match=r"weight_decay: .* expected at most 1 / learning_rate = 10"):
        Update(schedule=Schedule(learning_rate=0.1), weight_decay=10.1)


def test_first_step_of_adam_has_the_length_of_the_rate():
    path = walk(Update(optimizer=Adam(), schedule=Schedule(learning_rate=0.1)), gradients=GRADIENTS[:1])
    assert np.allclose(path[0], [-0.1, 1.1], rtol=0, atol=1e-8)


def test_normalised_steps_have_the_length_of_the_rate():
    update = Update(optimizer=GradientDescent(), schedule=Schedule(learning_rate=0.1), normalize=True)
    steps = np.diff(np.vstack([[0.0, 1.0], walk(update)]), axis=0)
    assert np.linalg.norm(steps, axis=1) == pytest.approx([0.1] * 3)
    assert np.array_equal(walk(update, gradients=np.zeros((1, 2)))[0], [0.0, 1.0])


def test_frozen_weights_stay_and_do_not_count():
    options = {"trainable": np.array([True, False])}
    update = Update(optimizer=GradientDescent(), schedule=Schedule(learning_rate=0.1), normalize=True)
    path = walk(update, **options)
    assert (path[:, 1] == 1.0).all()
    assert path[0, 0] == pytest.approx(-0.1)


def test_frozen_weights_may_lie_outside_their_bounds():
    options = {"trainable": np.array([True, False]), "bounds": (np.zeros(2), np.full(2, 0.5))}
    assert (walk(Update(), **options)[:, 1] == 1.0).all()


@pytest.mark.parametrize("optimizer", [GradientDescent(), Momentum(), Adam()])
def test_weights_stay_within_bounds(optimizer):
    bounds = (np.array([-0.02, 0.9]), np.array([0.02, 1.01]))
    path = walk(Update(optimizer=optimizer, schedule=Schedule(learning_rate=1.0)), bounds=bounds)
    assert (path >= bounds[0]).all()
    assert (path <= bounds[1]).all()
    assert np.array_equal(path[0], [-0.02, 1.01])


@pytest.mark.parametrize("optimizer", [GradientDescent(), Momentum(), Adam()])
def test_what_is_handed_in_is_left_alone(optimizer):
    warm_start = optimizer.start(2)
    before = {name: array.copy() for name, array in warm_start.items()}
    weights, gradient = np.array([0.0, 1.0]), np.array([1.0, -1.0])
    Update(optimizer=optimizer).apply(weights, gradient, warm_start, step=0, total_steps=2, **FREE)
    assert weights.tolist() == [0.0, 1.0]
    assert gradient.tolist() == [1.0, -1.0]
    assert all(np.array_equal(warm_start[name], before[name]) for name in before)


@pytest.mark.parametrize(
    ("decay", "middle"), [("constant", 1.0), ("linear", 0.52), ("cosine", 0.52), ("exponential", np.sqrt(0.04))]
)
def test_schedules_end_at_their_fraction(decay, middle):
    schedule = Schedule(learning_rate=2.0, decay=decay, final_fraction=0.04)
    last = 1.0 if decay == "constant" else 0.04
    found = [schedule.at(step, 11) for step in (0, 5, 10, 20)]
    assert found == pytest.approx([2.0, 2.0 * middle, 2.0 * last, 2.0 * last])
    assert schedule.at(0, 1) == 2.0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Momentum(momentum=1.0), r"momentum: expected less than 1, got 1\.0"),
        (lambda: Adam(beta1=-0.1), r"beta1"),
        (lambda: Adam(beta2=1.0), r"beta2"),
        (lambda: Schedule(learning_rate=0.0), r"learning_rate: expected more than 0, got 0\.0"),
        (lambda: Schedule(learning_rate=float("inf")), r"learning_rate"),
        (lambda: Schedule(final_fraction=0.0), r"final_fraction"),
        (
            lambda: Schedule(decay="step"),
            r"decay: expected 'constant', 'linear', 'cosine' or 'exponential', got 'step'",
        ),
    ],
)
def test_settings_are_checked(make, words):
    with pytest.raises(ConfigError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
