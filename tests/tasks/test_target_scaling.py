"""Targets of a regression: scaled to where outputs reach, fitted on the training rows, and back."""

import numpy as np
import pytest

from qep_qiskit.core.errors import ConfigError, DataError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.tasks import load_task, save_task, scale_targets
from qep_qiskit.tasks.assembly import task_from_table
from qep_qiskit.tasks.table import RawTable

SPIN = np.array([[-1.0, 1.0]])
SHIFTED = np.array([[0.0, 3.0]])
ATOM = np.array([[-np.inf, np.inf]])


def task_of(targets, **options):
    targets = np.array(targets, dtype=float).reshape(len(targets), -1)
    names = tuple(f"y{k}" for k in range(targets.shape[1]))
    inputs = np.arange(len(targets), dtype=float)[:, None]
    raw = RawTable(inputs=inputs, input_names=("x",), targets=targets, target_columns=names)
    return task_from_table("t", raw, seeds=Seeds(1), **options)


@pytest.mark.parametrize(
    ("reach", "low", "high"), [(SPIN, -0.8, 0.8), (SHIFTED, 0.3, 2.7), (ATOM, -0.8, 0.8)], ids=["spin", "sum", "atom"]
)
def test_minmax_goes_to_the_amplitude_of_the_reach(reach, low, high):
    scaled = scale_targets(task_of([1.3, 4.0, 13.0]), "minmax", reach).train.targets[:, 0]
    assert scaled[[0, 2]] == pytest.approx([low, high])
    assert (scaled[1] - low) / (high - low) == pytest.approx((4.0 - 1.3) / 11.7)


def test_standard_sends_two_deviations_to_the_amplitude():
    raw = np.array([1.0, 2.0, 3.0, 10.0])
    scaled = scale_targets(task_of(raw), "standard", SPIN).train.targets[:, 0]
    assert scaled == pytest.approx(0.4 * (raw - raw.mean()) / raw.std())


def test_only_training_rows_are_looked_at_and_everything_comes_back():
    raw = np.linspace(100.0, 300.0, 20)
    plain = task_of(raw, test_fraction=0.3)
    task = scale_targets(plain, "minmax", SPIN)
    assert np.abs(task.train.targets).max() == pytest.approx(0.8)
    assert np.allclose(task.in_units(task.train.targets), plain.train.targets, rtol=1e-14)
    assert np.allclose(task.in_units(task.test.targets), plain.test.targets, rtol=1e-14)
    width = np.ptp(plain.train.targets)
    assert task.errors_in_units(np.array([[0.1]])) == pytest.approx(0.1 * width / 1.6)


@pytest.mark.parametrize(
    ("targets", "reach", "is_scaled"),
    [([-1.0, 1.0], SPIN, False), ([-1.0, 1.001], SPIN, True), ([1.3, 13.0], ATOM, False), ([0.5, 2.9], SHIFTED, False)],
)
def test_auto_scales_what_is_out_of_reach(targets, reach, is_scaled):
    plain = task_of(targets)
    task = scale_targets(plain, "auto", reach)
    assert (task.target_scaling is not None) == is_scaled
    if not is_scaled:
        assert task is plain


def test_columns_have_factors_of_their_own_and_constants_stay_finite():
    task = scale_targets(task_of([[1.0, 500.0], [3.0, 500.0]]), "minmax", np.tile(SPIN, (2, 1)))
    assert task.train.targets == pytest.approx(np.array([[-0.8, 0.0], [0.8, 0.0]]))
    assert task.in_units(task.train.targets) == pytest.approx(np.array([[1.0, 500.0], [3.0, 500.0]]))


def test_a_scaled_task_survives_storage(tmp_path):
    task = scale_targets(task_of([1.3, 4.0, 13.0]), "minmax", SPIN)
    save_task(tmp_path / "t.npz", task)
    back = load_task(tmp_path / "t.npz")
    assert np.array_equal(back.in_units(back.train.targets), task.in_units(task.train.targets))


def test_refusals():
    task = scale_targets(task_of([1.3, 13.0]), "minmax", SPIN)
    with pytest.raises(DataError, match="scaled already"):
        scale_targets(task, "minmax", SPIN)
    with pytest.raises(ConfigError, match="target_scaling: expected one of auto"):
        scale_targets(task_of([1.3, 13.0]), "max", SPIN)
    with pytest.raises(DataError, match="reach of 1 output, got 2"):
        scale_targets(task_of([1.3, 13.0]), "minmax", np.tile(SPIN, (2, 1)))
    with pytest.raises(DataError, match="targets: column 1 is too wide"):
        scale_targets(task_of([-1.7e308, 1.7e308]), "minmax", SPIN)
