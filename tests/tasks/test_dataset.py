import dataclasses

import numpy as np
import pytest

from qep_qiskit.core.errors import DataError
from qep_qiskit.tasks import Dataset, Task
from qep_qiskit.tasks.scaling import Scaling


def make(**changes):
    parts = {
        "inputs": np.arange(6.0).reshape(3, 2),
        "targets": np.array([[0.8], [-0.8], [0.8]]),
        "labels": np.array([1, 0, 1]),
        "classes": ("no", "yes"),
        "input_names": ("a", "b"),
    }
    return Dataset(**(parts | changes))


def make_task(**changes):
    train = make()
    parts = {
        "name": "t",
        "train": train,
        "test": None,
        "scaling": Scaling.fit(train.inputs, "none"),
        "label_column": "y",
    }
    return Task(**(parts | changes))


def test_sizes_and_types():
    samples = make(inputs=np.arange(6, dtype=np.int32).reshape(3, 2), labels=np.array([1, 0, 1], np.int8))
    assert (samples.num_samples, samples.num_inputs, samples.num_targets) == (3, 2, 1)
    assert samples.inputs.dtype == samples.targets.dtype == np.float64
    assert samples.labels.dtype == np.int64


def test_arrays_are_copied_and_read_only():
    source = np.zeros((3, 2))
    samples = make(inputs=source)
    source[0, 0] = 7
    assert samples.inputs[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        samples.inputs[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        samples.inputs = source


def test_an_aim_without_data_is_allowed():
    nothing = np.empty((1, 0))
    samples = Dataset(inputs=nothing, targets=nothing, labels=None, classes=(), input_names=())
    assert (samples.num_samples, samples.num_inputs, samples.num_targets) == (1, 0, 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inputs": np.zeros(3)}, "inputs: expected 2 axes"),
        ({"inputs": np.array([["a", "b"]] * 3)}, "inputs: expected real numbers"),
        ({"inputs": np.zeros((3, 2), complex)}, "inputs: expected real numbers"),
        ({"inputs": [[1.0, 2.0], [3.0]]}, "inputs: expected an array"),
        ({"inputs": np.array([[0, 1], [2, np.nan], [3, 4]])}, r"inputs: .*nan at index \(1, 1\)"),
        ({"targets": np.full((3, 1), np.inf)}, r"targets: .*inf at index \(0, 0\)"),
        ({"targets": np.zeros((2, 1))}, "targets: expected 3 rows like the inputs, got 2"),
        ({"labels": np.array([0, 1])}, "labels: expected 3 rows"),
        ({"labels": np.array([0.0, 1.0, 1.0])}, "labels: expected integers"),
        ({"labels": np.array([0, 1, 2])}, "labels: expected indices of the 2 classes"),
        ({"labels": np.array([0, -1, 1])}, "from -1 to 1"),
        ({"labels": None}, "labels: .* 2 classes, got None"),
        ({"classes": ()}, "labels: expected indices of the 0 classes"),
        ({"classes": ("no", "no")}, "classes: expected different names"),
        ({"input_names": ("a",)}, "input_names: expected 2 names, got 1"),
        ({"input_names": ("a", "a")}, "input_names: expected different names"),
    ],
)
def test_bad_parts_are_refused(changes, words):
    with pytest.raises(DataError, match=words) as caught:
        make(**changes)
    assert "\n" not in str(caught.value)


def test_no_samples_are_refused():
    with pytest.raises(DataError, match="at least one sample"):
        make(inputs=np.empty((0, 2)), targets=np.empty((0, 1)), labels=np.empty(0, int))


def test_take_keeps_rows_together():
    part = make().take(np.array([2, 0, 2]))
    assert part.inputs.tolist() == [[4, 5], [0, 1], [4, 5]]
    assert part.targets.tolist() == [[0.8], [0.8], [0.8]]
    assert part.labels.tolist() == [1, 1, 1]
    assert part.classes == ("no", "yes")
    assert part.input_names == ("a", "b")


def test_take_without_labels():
    assert make(labels=None, classes=()).take(np.array([1])).labels is None


@pytest.mark.parametrize("indices", [[3], [-1], [], [0.0], [[0]], [True, False, True]])
def test_take_refuses_what_is_no_index(indices):
    with pytest.raises(DataError):
        make().take(np.array(indices))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scaling": Scaling.fit(np.zeros((1, 3)), "none")}, "scaling: expected 2 inputs .*got 3"),
        ({"test": make(input_names=("a", "c"))}, "test: expected input_names"),
        ({"test": make(classes=("no", "maybe"))}, "test: expected classes"),
        ({"test": make(targets=np.zeros((3, 2)))}, "test: expected num_targets 1 .*got 2"),
        ({"label_column": None}, "label_column"),
        ({"target_columns": ("z",)}, "target_columns: expected 0 names, got 1"),
    ],
)
def test_a_task_that_does_not_fit_together_is_refused(changes, words):
    with pytest.raises(DataError, match=words):
        make_task(**changes)
