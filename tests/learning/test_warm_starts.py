"""What a preparation remembers of training samples, and what new samples borrow of it."""

import numpy as np

from qep_qiskit.learning.warm_starts import nearest_warm_start, store_warm_start

INPUTS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]])


def test_rows_are_kept_and_the_others_stay_unknown():
    kept = {}
    store_warm_start(kept, 3, np.array([2, 0]), {"angles": np.array([[1.0, 2.0], [3.0, 4.0]])})
    assert np.array_equal(kept["angles"], [[3.0, 4.0], [np.nan, np.nan], [1.0, 2.0]], equal_nan=True)
    store_warm_start(kept, 3, np.array([1]), {"angles": np.array([[5.0, 6.0]])})
    assert np.array_equal(kept["angles"], [[3.0, 4.0], [5.0, 6.0], [1.0, 2.0]])


def test_precision_is_kept():
    kept = {}
    store_warm_start(kept, 2, np.array([0]), {"curvature": np.zeros((1, 3), dtype=np.float32)})
    assert kept["curvature"].dtype == np.float32


def test_what_would_swell_checkpoints_is_left_out():
    """16 MiB a sample: four samples are kept, five are not."""
    row = {"curvature": np.zeros((1, 1 << 21))}
    for samples, expected in ((4, {"curvature"}), (5, set())):
        kept = {}
        store_warm_start(kept, samples, np.array([0]), row)
        assert set(kept) == expected


def test_new_samples_borrow_from_the_nearest_known_one():
    warm_start = {"angles": np.array([[10.0], [11.0], [12.0]])}
    lent = nearest_warm_start(warm_start, INPUTS, np.array([[0.9, 0.2], [0.1, 2.0], [0.2, 0.1]]))
    assert np.array_equal(lent["angles"], [[11.0], [12.0], [10.0]])


def test_nothing_known_lends_nothing():
    assert nearest_warm_start({}, INPUTS, INPUTS) == {}
