import sys

import numpy as np
import pytest

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.tasks import digits_task, moons_task, no_data_task, parity_task, xor_task


@pytest.mark.parametrize("num_bits", range(2, 11))
def test_parity_is_the_product(num_bits):
    task = parity_task(num_bits, amplitude=0.5)
    assert task.train.inputs.shape == (2**num_bits, num_bits)
    assert len({tuple(row) for row in task.train.inputs}) == 2**num_bits
    assert set(np.unique(task.train.inputs)) == {-1.0, 1.0}
    assert np.array_equal(task.train.targets[:, 0], 0.5 * task.train.inputs.prod(axis=1))
    assert task.test is None


@pytest.mark.parametrize("num_bits", [0, 1, 11])
def test_parity_of_too_few_or_too_many(num_bits):
    with pytest.raises(ConfigError, match=r"num_bits: expected at (least 2|most 10)"):
        parity_task(num_bits)


def test_xor_task():
    task = xor_task()
    assert task.test is None
    assert task.train.num_samples == 4
    assert task.train.targets[:, 0].tolist() == [0.8, -0.8, -0.8, 0.8]
    assert task.train.inputs.tolist() == [[-1, -1], [-1, 1], [1, -1], [1, 1]]
    assert [task.train.classes[label] for label in task.train.labels] == ["+1", "-1", "-1", "+1"]
    assert xor_task(input_scale=0.5).train.inputs[0].tolist() == [-0.5, -0.5]
    assert xor_task(num_targets=2).train.targets[0].tolist() == [-0.8, 0.8]


def moons(num_samples, noise, seed):
    return moons_task(num_samples, noise, test_fraction=0.0, scaling="none", seeds=Seeds(seed)).train


def test_moons():
    pytest.importorskip("sklearn")
    first, again, other = (moons(60, 0.1, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.inputs, again.inputs)
    assert np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.inputs, other.inputs)
    assert np.bincount(first.labels).tolist() == [30, 30]


def test_moons_without_noise_lie_on_the_circles():
    pytest.importorskip("sklearn")
    samples = moons(40, 0.0, 0)
    outer = np.array(samples.labels) == samples.classes.index("outer")
    assert np.allclose(np.hypot(*samples.inputs[outer].T), 1)
    assert np.allclose(np.hypot(*(samples.inputs[~outer] - [1, 0.5]).T), 1)


def test_moons_task():
    pytest.importorskip("sklearn")
    task = moons_task(100, 0.2, test_fraction=0.2, seeds=Seeds(3))
    assert (task.train.num_samples, task.test.num_samples) == (80, 20)
    assert np.bincount(task.test.labels).tolist() == [10, 10]
    assert task.train.num_targets == 1
    assert np.allclose(task.train.inputs.std(axis=0), 1)


@pytest.mark.parametrize(
    ("num_samples", "noise", "word"),
    [(1, 0.1, "num_samples"), (10, -0.1, "noise"), (10, float("nan"), "noise")],
)
def test_moons_out_of_range(num_samples, noise, word):
    with pytest.raises(ConfigError, match=f"{word}: expected"):
        moons(num_samples, noise, 0)


def test_digits():
    pytest.importorskip("sklearn")
    samples = digits_task(seeds=Seeds(0), test_size=0, scaling="none").train
    assert samples.inputs.shape == (1797, 64)
    assert (samples.inputs.min(), samples.inputs.max()) == (0, 16)
    assert samples.input_names[:2] == ("pixel_0_0", "pixel_0_1")
    assert samples.input_names[-1] == "pixel_7_7"
    assert samples.labels[:3].tolist() == [0, 1, 2]


def test_digits_task():
    pytest.importorskip("sklearn")
    task = digits_task(seeds=Seeds(1))
    assert (task.train.num_samples, task.test.num_samples) == (1437, 360)
    assert task.train.classes == tuple("0123456789")
    assert task.train.num_targets == 10
    assert np.bincount(task.test.labels).min() >= 34
    assert np.abs(task.train.inputs).max() <= 1 + 1e-12
    assert not np.array_equal(task.test.inputs, digits_task(seeds=Seeds(2)).test.inputs)


def test_missing_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    for build in (moons_task, digits_task):
        with pytest.raises(ConfigError, match=r"install with pip install 'qep_qiskit\[datasets\]'"):
            build(seeds=Seeds(0))


def test_no_data():
    task = no_data_task()
    assert (task.train.num_samples, task.train.num_inputs, task.train.num_targets) == (1, 0, 0)
    assert task.train.labels is None
    assert task.test is None
    assert task.train.classes == ()


def test_no_data_with_targets():
    task = no_data_task([1.0, -0.5])
    assert task.train.targets.tolist() == [[1.0, -0.5]]
    assert (task.train.num_samples, task.train.num_inputs, task.train.classes) == (1, 0, ())
