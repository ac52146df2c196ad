"""Answers of unfinished work survive a checkpoint, counts in few bytes, and exact ones are not kept."""

import numpy as np

from qep_qiskit.execution import ShotData
from qep_qiskit.learning.request_log import kept, pack_request_log, unpack_request_log
from qep_qiskit.outcomes import BitMemory, Distribution

COUNTS = Distribution(weights=np.array([[198, 2], [0, 200]], dtype=np.int64), shots=200)
BITS = BitMemory(bits=np.array([[[1], [3]]], dtype=np.uint8), num_qubits=2)
EXACT = Distribution(weights=np.array([[0.25, 0.75]]), shots=None)


def test_counts_take_as_few_bytes_as_hold_them():
    found = kept(ShotData(outcomes=(COUNTS,))).outcomes[0]
    assert found.weights.dtype == np.uint8
    assert np.array_equal(found.weights, COUNTS.weights)
    assert np.array_equal(found.weights / 200, COUNTS.weights / 200)


def test_exact_answers_are_asked_for_again():
    assert kept(ShotData(outcomes=(EXACT, EXACT))) is None
    assert kept(ShotData(outcomes=(EXACT, COUNTS))) is not None


def test_calibrations_are_kept_with_their_answers():
    request_log = [
        kept(ShotData(outcomes=(BITS, COUNTS), calibration=COUNTS, discarded=0.25)),
        kept(ShotData(outcomes=(EXACT,), calibration=COUNTS)),
        kept(ShotData(outcomes=(EXACT,), calibration=EXACT)),
    ]
    first, second, third = unpack_request_log(*pack_request_log(request_log))
    assert [len(data.outcomes) for data in (first, second)] == [2, 1]
    for data in (first, second):
        assert np.array_equal(data.calibration.weights, COUNTS.weights)
        assert data.calibration.weights.dtype == np.uint8
    assert third is None
    assert first.discarded == 0.25
    assert np.isnan(second.discarded)


def test_what_is_packed_comes_out_again():
    request_log = [kept(ShotData(outcomes=(COUNTS, BITS))), None, kept(ShotData(outcomes=(EXACT, COUNTS)))]
    found = unpack_request_log(*pack_request_log(request_log))
    assert found[1] is None
    counts, bits = found[0].outcomes
    assert (counts.shots, bits.num_qubits) == (200, 2)
    assert np.array_equal(counts.weights, COUNTS.weights)
    assert np.array_equal(bits.bits, BITS.bits)
    exact = found[2].outcomes[0]
    assert exact.shots is None
    assert np.array_equal(exact.weights, EXACT.weights)


class Clicks(Distribution):
    """Another kind of outcomes: nothing but this class knows of it."""

    mark = "clicks"

    def packed(self):
        return {"clicks": self.shots}, self.weights

    @classmethod
    def of_packed(cls, numbers, array):
        return cls(weights=array, shots=numbers["clicks"])


def test_a_new_kind_of_outcomes_is_one_class():
    shapes, arrays = pack_request_log([ShotData(outcomes=(Clicks(weights=COUNTS.weights, shots=200), COUNTS))])
    ((clicks, counts),) = [data.outcomes for data in unpack_request_log(shapes, arrays)]
    assert (type(clicks), type(counts)) == (Clicks, Distribution)
    assert clicks.shots == 200
