"""Every key has a stream of its own, and the stream depends on the key alone."""

import numpy as np
import pytest
from chi_square import LIMIT, mean_p_value, variance_p_value

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey

KEYS = [(), ("a",), ("b",), ("a", 0), ("a", 1), ("a", 0, 0), (0, "a"), (0,), (1,), ("a", "b"), ("ab",)]


def test_a_key_gives_the_same_numbers_again():
    seeds = Seeds(5)
    first = seeds.generator("sampling", 3, 1, "Z").random(4)
    seeds.generator("something", "else").random(100)
    assert np.array_equal(Seeds(5).generator("sampling", 3, 1, "Z").random(4), first)


def test_keys_and_roots_differ():
    drawn = [Seeds(root).generator(*key).integers(2**62) for root in (0, 1, 2**40) for key in KEYS]
    assert len(set(drawn)) == len(drawn)


def test_numpy_integers_are_integers():
    assert Seeds(1).simulator_seed("x", np.int64(3)) == Seeds(1).simulator_seed("x", 3)


def test_streams_of_neighbouring_keys_are_independent():
    drawn = np.array([Seeds(9).generator("step", step).standard_normal(2000) for step in range(2)])
    products = drawn[0] * drawn[1]
    assert mean_p_value(products[:, None], 0.0, 1.0) > LIMIT
    assert variance_p_value((drawn[0] - drawn[1])[:, None], 2.0) > LIMIT


def test_simulator_seeds_are_wide_and_plain_integers():
    drawn = [Seeds(0).simulator_seed("s", step) for step in range(2000)]
    assert all(type(seed) is int and 0 <= seed < 2**62 for seed in drawn)
    assert max(drawn) > 2**61
    assert min(drawn) < 2**56


def test_no_two_requests_of_a_run_get_overlapping_simulator_seeds():
    keys = [RequestKey("train", step, stage) for step in range(1000) for stage in (0, 1)]
    drawn = np.sort([Seeds(7).simulator_seed(*key.seed_words, group) for key in keys for group in ("Z", "X")])
    # Aer adds 2113 for every binding of a call; a call of a million bindings must not reach another one's seed.
    assert np.diff(drawn).min() > 2113 * 1_000_000


def test_negative_root_is_refused():
    with pytest.raises(ConfigError, match="seed: expected a non-negative integer, got -1"):
        Seeds(-1)
