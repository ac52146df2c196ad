"""Weight blocks: starting values, bounds, and what trains."""

import numpy as np
import pytest
import scipy.stats
from chi_square import LIMIT, mean_p_value, variance_p_value

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network import IsingNetwork, WeightBlock, WeightInitialisation, WeightLayout, chain

NAMES = ("J[0,1]", "J[1,2]", "J[2,3]")


def block(**start):
    return WeightBlock(symbol="J", key="couplings", names=NAMES, start=WeightInitialisation(**start))


def test_constant_start():
    assert block(mean=0.7).initial(Seeds(0)).tolist() == [0.7] * 3


def test_listed_values():
    assert block(values=[1, 2, 3], distribution="normal").initial(Seeds(0)).tolist() == [1.0, 2.0, 3.0]


def test_named_values_override_the_distribution():
    found = block(values={"J[1,2]": -4.0}, distribution="normal", std=1.0).initial(Seeds(3))
    drawn = block(distribution="normal", std=1.0).initial(Seeds(3))
    assert found.tolist() == [drawn[0], -4.0, drawn[2]]


@pytest.mark.parametrize(
    ("mean", "std", "low", "high"), [(0.0, 1.0, -0.5, 0.25), (1.0, 0.3, 0.1, None), (-2.0, 5.0, None, -2.0)]
)
def test_a_truncated_normal_distribution_is_one(mean, std, low, high, rng):
    """Means and variances are those of the distribution cut off; nothing piles up on a bound."""
    start = WeightInitialisation(distribution="normal", mean=mean, std=std, minimum=low, maximum=high, truncate=True)
    drawn = start.draw(4000, rng)
    ends = [(bound - mean) / std for bound in (start.lower, start.upper)]
    exact = scipy.stats.truncnorm(*ends, loc=mean, scale=std)
    assert mean_p_value(drawn, exact.mean(), exact.var()) > LIMIT
    assert scipy.stats.kstest(drawn, exact.cdf).pvalue > LIMIT
    assert ((drawn > start.lower) & (drawn < start.upper)).all()


def test_truncation_far_from_the_bounds_changes_no_number():
    plain = block(distribution="normal", mean=1.0, std=0.1).initial(Seeds(4))
    bounded = block(distribution="normal", mean=1.0, std=0.1, minimum=0.1).initial(Seeds(4))
    truncated = block(distribution="normal", mean=1.0, std=0.1, minimum=0.1, truncate=True).initial(Seeds(4))
    assert plain.tolist() == bounded.tolist() == truncated.tolist()


@pytest.mark.parametrize(
    ("start", "mean", "variance"),
    [
        ({"distribution": "normal", "mean": 0.4, "std": 2.0}, 0.4, 4.0),
        ({"distribution": "uniform", "low": -1.0, "high": 2.0}, 0.5, 0.75),
    ],
)
def test_distributions(start, mean, variance, rng):
    drawn = WeightInitialisation(**start).draw(4000, rng)
    assert mean_p_value(drawn, mean, variance) > LIMIT
    if start["distribution"] == "normal":
        assert variance_p_value(drawn, variance) > LIMIT
    else:
        assert np.abs(drawn - 0.5).max() <= 1.5
        assert np.ptp(drawn) > 2.98


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [(False, [True] * 3), (True, [False] * 3), (["J[0,1]", "J[2,3]"], [False, True, False]), ([], [True] * 3)],
)
def test_frozen_weights(frozen, expected):
    assert block(frozen=frozen).trainable().tolist() == expected


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ({"values": {"J[0,3]": 1.0}}, r"no weight J\[0,3\]; there are J\[0,1\]"),
        ({"frozen": ["h[0]"]}, r"no weight h\[0\]"),
        ({"values": [1.0, 2.0]}, r"values: expected 3 numbers .* got 2"),
        ({"minimum": 1.0, "maximum": 0.0}, "minimum 1.0 is above maximum 0.0"),
        ({"values": [0.0, 0.0, 2.0], "maximum": 1.0}, "2.0 is not a number between"),
        ({"values": {"J[0,1]": float("nan")}}, "nan is not a number between"),
        ({"values": [float("nan")] * 3}, "nan is not a number between"),
        ({"values": [float("inf"), 0.0, 0.0]}, "inf is not a number"),
        ({"mean": 0.05, "minimum": 0.1}, r"mean: 0.05 is not a number between minimum 0.1 and maximum inf"),
        ({"mean": 5.0, "maximum": 1.0, "values": {"J[0,1]": 0.0}}, "mean: 5.0 is not a number between"),
        ({"mean": 5.0, "maximum": 1.0, "frozen": True}, "mean: 5.0 is not a number between"),
        ({"distribution": "uniform", "minimum": 0.0}, "low: -0.1 is not a number between"),
        ({"distribution": "uniform", "maximum": 0.0}, "high: 0.1 is not a number between"),
        ({"distribution": "normal", "mean": 2.0, "maximum": 1.0, "truncate": True}, "mean: 2.0 is not a number"),
        ({"distribution": "normal", "maximum": 0.3}, "leaves minimum -inf and maximum 0.3; set truncate = true"),
    ],
)
def test_starts_that_leave_their_bounds_are_refused(start, words):
    with pytest.raises(NetworkError, match=words) as caught:
        block(**start)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("couplings")


def test_bounds_of_weights_that_are_all_given_need_no_distribution():
    assert block(values=[1.0, 2.0, 3.0], minimum=0.5).initial(Seeds(0)).tolist() == [1.0, 2.0, 3.0]
    assert block(values=dict.fromkeys(NAMES, 2.0), minimum=0.5).initial(Seeds(0)).tolist() == [2.0] * 3


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ({"mean": float("nan")}, "mean: expected a finite number"),
        ({"high": float("inf")}, "high: expected a finite number"),
        ({"std": -0.1}, "std: expected at least 0, got -0.1"),
        ({"low": 1.0, "high": 0.0}, "low: 1.0 is above high = 0.0"),
        ({"truncate": True}, "truncate: goes with distribution = 'normal'"),
        ({"distribution": "cauchy"}, "distribution: expected 'constant', 'uniform' or 'normal', got 'cauchy'"),
    ],
)
def test_starts_that_make_no_sense_are_refused(start, words):
    with pytest.raises(NetworkError, match=words):
        WeightInitialisation(**start)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([0.0, 0.0, np.nan, 0.0], r"weight J\[2,3\] is nan"),
        ([0.0, 0.0, 0.0, -np.inf], r"weight h\[0\] is -inf"),
        ([0.0] * 3, r"weights: expected shape \(4,\), got \(3,\)"),
        ([[0.0] * 4], r"weights: expected shape \(4,\), got \(1, 4\)"),
        ([1j] * 4, "weights: expected real numbers"),
        (["1.0"] * 4, "weights: expected real numbers"),
    ],
)
def test_weights_that_enter_are_finite_and_as_many_as_there_are(weights, words):
    fields = WeightBlock(symbol="h", key="fields", names=("h[0]",), start=WeightInitialisation(mean=1.0, minimum=0.1))
    layout = WeightLayout((block(), fields))
    with pytest.raises(NetworkError, match=words):
        layout.checked(weights)
    with pytest.raises(NetworkError, match=r"weight h\[0\]: 0.05 is not a number between minimum 0.1"):
        layout.check_within_bounds(np.array([0.0, 0.0, 0.0, 0.05]))


def test_layout_is_block_after_block():
    fields = WeightBlock(symbol="h", key="fields", names=("h[0]",), start=WeightInitialisation(mean=1.0, minimum=0.1))
    layout = WeightLayout((block(frozen=True), fields))
    assert (layout.names, layout.num_weights) == ((*NAMES, "h[0]"), 4)
    assert layout.trainable().tolist() == [False, False, False, True]
    lower, upper = layout.bounds()
    assert (lower.tolist(), upper.tolist()) == ([-np.inf] * 3 + [0.1], [np.inf] * 4)
    assert (layout.slice_of("h"), layout.slice_of("b")) == (slice(3, 4), slice(4, 4))


def test_blocks_start_the_same_whatever_else_the_network_has():
    options = {"graph": chain(4), "outputs": (3,)}
    with_biases, without = IsingNetwork(**options).layout, IsingNetwork(**options, biases=None).layout
    assert np.array_equal(with_biases.initial(Seeds(2))[: without.num_weights], without.initial(Seeds(2)))
    assert not np.array_equal(with_biases.initial(Seeds(2)), with_biases.initial(Seeds(3)))


def test_fields_have_a_floor_by_default_and_lose_it_on_request():
    fields = slice(3, 7)
    assert (IsingNetwork(graph=chain(4), outputs=(3,)).layout.bounds()[0][fields] == 0.1).all()
    free = IsingNetwork(graph=chain(4), outputs=(3,), fields=WeightInitialisation(mean=1.0))
    assert (free.layout.bounds()[0][fields] == -np.inf).all()
