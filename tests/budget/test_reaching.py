"""When a loss counts as reached: by the mean over epochs, in half of the seeds."""

import math

import numpy as np
import pytest

from qep_qiskit.budget.reaching import losses_reached, shots_to_reach


def rows_of(budget, *runs, shots=100):
    """A row for every epoch of every run, each run with a seed of its own."""
    return [
        {"budget": budget, "seed": seed, "epoch": epoch, "shots": shots * epoch, "loss": loss}
        for seed, losses in enumerate(runs)
        for epoch, loss in enumerate(losses)
    ]


def test_a_lucky_epoch_is_no_achievement():
    losses = [1.0] * 5 + [0.0] + [1.0] * 14
    assert shots_to_reach(rows_of("a", losses), 0.5, epochs=3) == {"a": math.inf}
    assert shots_to_reach(rows_of("a", losses), 0.5, epochs=1) == {"a": 500.0}


def test_shots_are_those_of_the_last_epoch_of_the_mean():
    """Means over two epochs of 1, 0.5, 0.25, ... are 0.75, 0.375, ...: the second is the first below 0.4."""
    losses = 0.5 ** np.arange(6)
    assert shots_to_reach(rows_of("a", losses), 0.4, epochs=2) == {"a": 200.0}


def test_median_over_seeds():
    fast, slow, never = [0.0] * 6, [1.0] * 3 + [0.0] * 3, [1.0] * 6
    assert shots_to_reach(rows_of("a", fast, slow, never), 0.1, epochs=2) == {"a": 400.0}
    assert shots_to_reach(rows_of("a", fast, never, never), 0.1, epochs=2) == {"a": math.inf}


def test_budgets_are_judged_apart():
    rows = rows_of("10 shots", [0.0] * 4, shots=10) + rows_of("100 shots", [0.0] * 4)
    assert shots_to_reach(rows, 0.1, epochs=2) == {"10 shots": 10.0, "100 shots": 100.0}


def test_runs_shorter_than_the_mean_reach_nothing():
    rows = rows_of("a", [0.0] * 5)
    assert shots_to_reach(rows, 1.0) == {"a": math.inf}
    assert losses_reached(rows) == []


@pytest.mark.parametrize(
    ("final", "ladder"),
    [(0.11, [0.3, 1.0, 3.0, 10.0, 30.0]), (0.031, [0.1, 0.3, 1.0, 3.0, 10.0, 30.0]), (11.0, [30.0]), (49.0, [])],
)
def test_losses_are_on_a_ladder(final, ladder):
    rows = rows_of("a", [final] * 12, [final] * 12) + rows_of("b", [50.0] * 12)
    assert losses_reached(rows) == pytest.approx(ladder)


def test_nothing_is_reached_where_there_are_no_rows():
    assert shots_to_reach([], 0.1) == {}
    assert losses_reached([]) == []
