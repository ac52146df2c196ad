import json
import warnings

import numpy as np
import pytest

from qep_qiskit.core.errors import ConfigError, DataError
from qep_qiskit.tasks.scaling import Scaling


@pytest.fixture
def raw():
    return np.random.default_rng(3).normal([5.0, -200.0, 0.001], [1.0, 30.0, 0.0002], size=(40, 3))


def test_none_keeps_the_values(raw):
    assert np.array_equal(Scaling.fit(raw, "none").apply(raw), raw)


@pytest.mark.parametrize("input_scale", [1.0, 0.5, 3.0])
def test_standard(raw, input_scale):
    scaled = Scaling.fit(raw, "standard", input_scale).apply(raw)
    assert np.allclose(scaled.mean(axis=0), 0, atol=1e-10)
    assert np.allclose(scaled.std(axis=0), input_scale, atol=1e-10)


@pytest.mark.parametrize("input_scale", [1.0, 0.5, 3.0])
def test_minmax(raw, input_scale):
    scaled = Scaling.fit(raw, "minmax", input_scale).apply(raw)
    assert np.allclose(scaled.min(axis=0), -input_scale, atol=1e-10)
    assert np.allclose(scaled.max(axis=0), input_scale, atol=1e-10)


def test_apply_is_offset_then_factor():
    scaling = Scaling(kind="standard", offset=np.array([1.0, 2.0]), factor=np.array([10.0, -1.0]))
    assert scaling.apply(np.array([[2.0, 5.0], [1.0, 2.0]])).tolist() == [[10, -3], [0, 0]]


@pytest.mark.parametrize("kind", ["standard", "minmax"])
@pytest.mark.parametrize("value", [0.1, 1e300, 0.0, -7.3])
def test_a_constant_column_goes_to_zero(kind, value):
    raw = np.column_stack([np.full(7, value), np.arange(7.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaling = Scaling.fit(raw, kind, 0.5)
    assert scaling.factor[0] == 0.5
    assert np.array_equal(scaling.apply(raw)[:, 0], np.zeros(7))


def test_a_constant_column_moves_by_the_raw_difference():
    scaling = Scaling.fit(np.full((3, 1), 4.0), "minmax", 0.5)
    assert scaling.apply(np.array([[6.0]])).tolist() == [[1.0]]


def test_no_inputs():
    scaling = Scaling.fit(np.empty((1, 0)), "standard")
    assert scaling.num_inputs == 0
    assert scaling.apply(np.empty((5, 0))).shape == (5, 0)


def test_json_round_trip_is_bit_exact(raw):
    scaling = Scaling.fit(raw, "standard", 1 / 3)
    again = Scaling.from_dict(json.loads(json.dumps(scaling.to_dict())))
    assert again.kind == scaling.kind
    assert again.offset.tobytes() == scaling.offset.tobytes()
    assert again.factor.tobytes() == scaling.factor.tobytes()


@pytest.mark.parametrize("column", [[-1.7e308, 1.7e308], [0.0, 5e-324]])
@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_a_column_that_cannot_be_scaled(column, kind):
    raw = np.column_stack([[0.0, 1.0], column])
    with pytest.raises(DataError, match="column 2 is too wide or too narrow"):
        Scaling.fit(raw, kind)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_bad_input_scale(scale):
    with pytest.raises(ConfigError, match=r"input_scale: expected (more than 0|a finite number)"):
        Scaling.fit(np.zeros((1, 1)), "none", scale)


def test_bad_kind():
    with pytest.raises(ConfigError, match="scaling: expected one of none, standard, minmax, got 'max'"):
        Scaling.fit(np.zeros((1, 1)), "max")


def test_bad_arrays(raw):
    with pytest.raises(DataError, match="at least one sample"):
        Scaling.fit(np.empty((0, 2)))
    with pytest.raises(DataError, match="expected 3 columns, got 2"):
        Scaling.fit(raw).apply(raw[:, :2])
    with pytest.raises(DataError, match="one offset and one factor"):
        Scaling(kind="none", offset=np.zeros(2), factor=np.ones(3))
    with pytest.raises(DataError, match="scaled inputs: expected finite"):
        Scaling(kind="none", offset=np.zeros(1), factor=np.full(1, 1e200)).apply(np.array([[1e200]]))


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "none", "offset": []},
        {"kind": "none", "offset": [], "factor": [], "more": 1},
        {"kind": "none", "offset": ["1"], "factor": [1]},
        {"kind": "none", "offset": 1.0, "factor": 1.0},
    ],
)
def test_bad_dict(values):
    with pytest.raises(DataError):
        Scaling.from_dict(values)
