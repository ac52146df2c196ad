import numpy as np
import pytest

from qep_qiskit.core.errors import ConfigError, DataError
from qep_qiskit.tasks import decode
from qep_qiskit.tasks.encoding import default_num_targets, encode_labels


def test_two_classes_with_one_output():
    assert encode_labels(np.array([0, 1, 1]), 2, 1, 0.6).tolist() == [[-0.6], [0.6], [0.6]]


def test_one_output_per_class():
    targets = encode_labels(np.array([2, 0]), 3, 3, 0.5)
    assert targets.tolist() == [[-0.5, -0.5, 0.5], [0.5, -0.5, -0.5]]


def test_one_hot():
    targets = encode_labels(np.array([2, 0]), 3, 3, 0.5, "one_hot")
    assert targets.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("num_classes", "num_targets", "encoding"),
    [
        (2, 1, "amplitude"),
        (2, 2, "amplitude"),
        (10, 10, "amplitude"),
        (2, 2, "one_hot"),
        (10, 10, "one_hot"),
    ],
)
def test_decode_undoes_encode(num_classes, num_targets, encoding):
    labels = np.random.default_rng(1).integers(num_classes, size=50)
    targets = encode_labels(labels, num_classes, num_targets, 0.8, encoding)
    assert targets.shape == (50, num_targets)
    assert decode(targets, num_classes).tolist() == labels.tolist()


def test_decode_at_a_draw():
    assert decode(np.array([[0.0], [1e-300], [-0.0]]), 2).tolist() == [0, 1, 0]
    assert decode(np.array([[0.1, 0.3, 0.3]]), 3).tolist() == [1]


@pytest.mark.parametrize(
    ("num_classes", "encoding", "wanted"),
    [(2, "amplitude", 1), (3, "amplitude", 3), (2, "one_hot", 2), (5, "one_hot", 5)],
)
def test_default_number_of_outputs(num_classes, encoding, wanted):
    assert default_num_targets(num_classes, encoding) == wanted


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((2, 3, 0.8, "amplitude"), "num_targets: expected 1 or 2 outputs for 2 classes, got 3"),
        ((3, 1, 0.8, "amplitude"), "num_targets: expected 3 outputs"),
        ((2, 1, 0.8, "one_hot"), "num_targets: one_hot needs 2"),
        ((1, 1, 0.8, "amplitude"), "classes: expected at least 2"),
        ((2, 1, 0.0, "amplitude"), "amplitude: expected"),
        ((2, 1, 1.1, "amplitude"), "amplitude: expected"),
        ((2, 1, float("nan"), "amplitude"), "amplitude: expected"),
        ((2, 1, 0.8, "onehot"), "encoding: expected one of amplitude, one_hot, got 'onehot'"),
    ],
)
def test_bad_options(arguments, words):
    with pytest.raises(ConfigError, match=words):
        encode_labels(np.array([0]), *arguments)


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_out_of_range(label):
    with pytest.raises(DataError, match=r"labels: expected class indices in 0\.\.1"):
        encode_labels(np.array([0, label]), 2, 1)


@pytest.mark.parametrize(
    ("outputs", "num_classes"),
    [([[0.1, 0.2]], 3), ([[0.1]], 3), ([[0.1]], 1), ([[np.nan]], 2), ([0.1], 2)],
)
def test_outputs_that_cannot_be_decoded(outputs, num_classes):
    with pytest.raises(DataError, match="outputs: "):
        decode(np.array(outputs), num_classes)
