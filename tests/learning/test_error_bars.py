"""Error bars under a loss on expectations on random networks, by the study of benchmarks/error_bars.py."""

import numpy as np
import pytest
from error_bars_study import study

pytestmark = pytest.mark.filterwarnings("ignore::qep_qiskit.errors.QepWarning")


def figures(numbers, repeats, seed=0):
    chosen = [case for number, case in enumerate(study.cases(max(numbers) + 1, seed)) if number in numbers]
    return [study.studied(case, repeats, seed) for case in chosen]


# One-sided with two outputs and one sample, symmetric with 20 shots and with a strong nudge, four-point.
@pytest.mark.parametrize("number", [0, 6, 9, 16])
def test_claimed_variances(number):
    """Before, the sum was off by up to a fifth on these networks, and weights by up to three quarters."""
    found = figures([number], 800)[0]
    assert abs(found["sum"] - 1.0) < 0.1 + 3 * found["error"]
    sampling = 4 * np.sqrt(2.0 / 800)
    assert found["least"] > 0.8 - sampling
    assert found["most"] < 1.25 + sampling


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 7])
def test_twenty_networks(seed):
    """A tenth in the sum and a quarter for weights, but for estimates that say that they are approximate."""
    rows = figures(range(20), 2000, seed)
    sure = [row for row in rows if row["marked"] < 0.25]
    assert len(sure) >= 16
    assert all(abs(row["sum"] - 1.0) < 0.1 + 3 * row["error"] for row in sure)
    assert all(row["least"] > 0.8 - 0.1 and row["most"] < 1.25 + 0.1 for row in sure)
    costs = np.array([row["cost"] for row in rows if row["cost marked"] < 0.25])
    assert (np.abs(costs - 1.0) < 0.1 + 3 * np.sqrt(2.0 / 2000)).mean() >= 0.9
    assert (np.abs(costs - 1.0) < 0.3).all()
