"""Statistics of repeats: hand-made numbers, and the coverage of their intervals over simulated studies."""

import numpy as np
import pytest
from chi_square import LIMIT
from scipy.stats import binom, kstest

from qep_qiskit.budget.statistics import mse_pull, point_statistics
from qep_qiskit.core.errors import ConfigError

RECORDED = {
    *("rmse", "rmse_low", "rmse_high", "relative_rmse", "bias", "bias_low", "bias_high", "std"),
    *("cosine", "cosine_low", "cosine_high", "chi2_per_dof"),
}
STUDIES = 800


def covariance_of(kind, size, rng):
    """A covariance of trace one."""
    root = {
        "independent": np.eye(size),
        "correlated": rng.normal(size=(size, size)),
        "unequal": np.diag(10.0 ** rng.uniform(-1, 0, size)),
    }[kind]
    return root @ root.T / np.sum(root**2)


def simulated(kind, size, bias, repeats, rng):
    """Statistics of many studies; truth, covariance and true bias vector."""
    covariance, truth, offset = covariance_of(kind, size, rng), rng.normal(size=size), rng.normal(size=size)
    truth /= np.linalg.norm(truth)
    offset *= bias / np.linalg.norm(offset)
    draws = rng.multivariate_normal(truth + offset, covariance, (STUDIES, repeats))
    claimed = np.tile(np.diag(covariance), (repeats, 1))
    return [point_statistics(study, truth, claimed) for study in draws], draws, truth


def covered(found, name, true):
    return np.mean([getattr(s, f"{name}_low") <= true <= getattr(s, f"{name}_high") for s in found])


def test_hand_made_numbers():
    found = point_statistics(np.array([[3.0, 1.0], [5.0, 1.0]]), np.array([3.0, 0.0]), np.ones((2, 2)))
    assert found.rmse == pytest.approx(np.sqrt((1 + 5) / 2))
    assert found.relative_rmse == pytest.approx(found.rmse / 3)
    assert found.std == pytest.approx(np.sqrt(2))
    assert found.bias == pytest.approx(np.sqrt(1 + 1 - 2 / 2))
    assert found.cosine == pytest.approx((3 / np.sqrt(10) + 5 / np.sqrt(26)) / 2)
    assert found.chi2 == pytest.approx(2.0)
    assert (found.degrees, found.chi2_per_dof) == (2, 1.0)
    assert set(found.record()) == RECORDED


def test_error_is_bias_and_spread(rng):
    estimates, truth = rng.normal(size=(30, 4)), rng.normal(size=4)
    found = point_statistics(estimates, truth)
    of_mean = np.sum((estimates.mean(axis=0) - truth) ** 2)
    assert found.rmse**2 == pytest.approx(of_mean + found.std**2 * 29 / 30)
    assert found.bias**2 == pytest.approx(max(0.0, of_mean - found.std**2 / 30))


@pytest.mark.deep(but=["0.3-correlated", "3.0-unequal"])
@pytest.mark.parametrize("kind", ["independent", "correlated", "unequal"])
@pytest.mark.parametrize("bias", [0.0, 0.3, 3.0])
def test_intervals_hold_the_truth(kind, bias, rng):
    found, draws, truth = simulated(kind, 8, bias, 30, rng)
    cosines = np.einsum("srw,w->sr", draws, truth) / np.linalg.norm(draws, axis=2)
    slack = 4 * np.sqrt(0.68 * 0.32 / STUDIES)
    assert 0.62 - slack < covered(found, "rmse", np.sqrt(1 + bias**2)) < 0.70 + slack
    assert 0.64 - slack < covered(found, "cosine", cosines.mean()) < 0.70 + slack
    # On one side only at zero: no length of a bias lies below.
    low, high = (0.80, 0.88) if bias == 0 else (0.66, 0.76)
    assert low - slack < covered(found, "bias", bias) < high + slack


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_level_of_the_intervals(level, rng):
    truth, draws = np.ones(5), rng.normal(1.2, 1.0, (STUDIES, 40, 5))
    found = [point_statistics(study, truth, level=level) for study in draws]
    slack = 4 * np.sqrt(level * (1 - level) / STUDIES) + 0.02
    assert abs(covered(found, "rmse", np.sqrt(5 * 1.04)) - level) < slack
    assert abs(covered(found, "bias", np.sqrt(5 * 0.04)) - level) < slack


@pytest.mark.deep(but=["correlated-5", "unequal-30"])
@pytest.mark.parametrize("repeats", [5, 30])
@pytest.mark.parametrize("kind", ["independent", "correlated", "unequal"])
def test_p_values_are_uniform(kind, repeats, rng):
    found, _, _ = simulated(kind, 8, 1.0, repeats, rng)
    small = np.sum([s.p_value < 0.05 for s in found])
    # Effective degrees of freedom are estimated: of five repeats with some bias.
    rate = 0.05 if repeats == 30 else 0.1
    assert binom.sf(small - 1, STUDIES, rate) > LIMIT
    if repeats == 30:
        assert kstest([s.p_value for s in found], "uniform").pvalue > LIMIT


def test_counting_correlated_weights_as_independent_would_be_wrong(rng):
    """One weight seen eight times: the p-value knows that it is one."""
    draws = np.repeat(rng.normal(size=(STUDIES, 30, 1)), 8, axis=2)
    found = [point_statistics(study, np.ones(8), np.ones((30, 8))) for study in draws]
    assert kstest([s.p_value for s in found], "uniform").pvalue > LIMIT
    assert (
        kstest([point_statistics(d[:, :1], np.ones(1), np.ones((30, 1))).p_value for d in draws], "uniform")[1] > LIMIT
    )


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_wrong_error_bars_show(factor, rng):
    found = point_statistics(rng.normal(size=(50, 6)), np.zeros(6) + 1.0, np.full((50, 6), factor))
    assert found.p_value < LIMIT
    assert found.chi2_per_dof == pytest.approx(1 / factor, rel=0.3)


@pytest.mark.parametrize("bias", [0.0, 1.0])
def test_pull_is_normal_where_the_model_holds(bias, rng):
    _, draws, truth = simulated("correlated", 8, bias, 50, rng)
    pulls = [mse_pull(study, truth, 1 + bias**2) for study in draws]
    assert abs(np.mean(pulls)) < 0.25
    assert 0.9 < np.std(pulls) < 1.2
    assert mse_pull(draws[0], truth, 0.1) > 4
    assert mse_pull(draws[0], truth, 10.0) < -4


def test_one_repeat():
    found = point_statistics(np.array([[1.0, 2.0]]), np.array([1.0, 1.0]), np.ones((1, 2)))
    assert (found.rmse, found.relative_rmse) == (1.0, pytest.approx(np.sqrt(0.5)))
    assert found.cosine == pytest.approx(3 / np.sqrt(10))
    unknown = RECORDED - {"rmse", "relative_rmse", "cosine"}
    assert all(found.record()[name] is None for name in unknown)
    assert np.isnan(mse_pull(np.ones((1, 2)), np.zeros(2), 1.0))


def test_without_scatter_intervals_are_points():
    found = point_statistics(np.ones((4, 2)), np.array([1.0, 0.5]), np.zeros((4, 2)))
    assert found.rmse_low == found.rmse_high == found.bias_low == found.bias_high == found.bias == 0.5
    assert np.isnan(found.chi2_per_dof)
    assert np.isnan(mse_pull(np.ones((4, 2)), np.zeros(2), 1.0))


def test_claims_that_are_missing(rng):
    estimates, variances = rng.normal(size=(5, 3)), np.ones((5, 3))
    variances[2, 1] = np.nan
    assert np.isnan(point_statistics(estimates, np.ones(3), variances).chi2_per_dof)
    assert np.isnan(point_statistics(estimates, np.ones(3)).chi2_per_dof)


def test_estimate_of_length_zero_and_truth_of_length_zero(rng):
    assert point_statistics(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([1.0, 0.0])).cosine == 0.5
    found = point_statistics(rng.normal(size=(5, 2)), np.zeros(2))
    assert np.isnan(found.cosine)
    assert np.isnan(found.relative_rmse)
    assert np.isfinite(found.rmse)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((3, 2)), np.ones(3)), "expected estimates of shape"),
        ((np.ones((0, 2)), np.ones(2)), "at least one repeat"),
        ((np.ones((3, 2)), np.ones(2), np.ones(2)), "expected variances of shape"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ConfigError, match=message):
        point_statistics(*arguments)


def test_refused_level_and_model():
    with pytest.raises(ConfigError, match="confidence level"):
        point_statistics(np.ones((2, 2)), np.ones(2), level=1.0)
    with pytest.raises(ConfigError, match="above zero"):
        mse_pull(np.ones((2, 2)), np.ones(2), 0.0)
