"""One shared batch per group: layout and usage; and the loop that runs measuring work, whatever happens in it."""

import numpy as np
import pytest
from cases import random_network
from reference import random_states

from qep_qiskit.core.errors import ResultError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, ShotData, VectorExecutor
from qep_qiskit.measurement import Usage, completed, measure, relayed, run_measurements
from qep_qiskit.network import chain
from qep_qiskit.outcomes import Distribution
from qep_qiskit.outcomes.known_states import VectorStates

SHAPE = (3, 2)
KEY = RequestKey("test", 4, 1)


@pytest.fixture
def groups(rng):
    return random_network(chain(3), rng)[0].groups


@pytest.fixture
def states(rng):
    vectors = random_states(rng, 6, 8)
    return VectorStates(vectors=vectors, energies=np.zeros(6), gaps=np.ones(6))


def run(groups, states, phases, shots, executor=None):
    work = measure(groups, states, shape=SHAPE, phases=phases, shots=shots, key=KEY)
    return run_measurements(work, executor or VectorExecutor(Seeds(0)))


def exact_means(groups, states):
    return np.concatenate([group.expectations(states.vectors) for group in groups], axis=-1).reshape(*SHAPE, -1)


def test_exact_means_in_samples_and_phases(groups, states):
    found, usage = run(groups, states, {0: [0, 1], 1: [0, 1]}, [None, None])
    assert np.allclose(found.means, exact_means(groups, states), rtol=0, atol=1e-12)
    assert not found.covariance.any()
    assert usage == Usage(shots=0, circuits=12)


def test_groups_are_measured_in_the_phases_asked_for(groups, states):
    found, usage = run(groups, states, {1: [1]}, [None, None])
    cut = groups[0].num_terms
    assert np.allclose(found.means[:, 1, cut:], exact_means(groups, states)[:, 1, cut:], rtol=0, atol=1e-12)
    assert np.isnan(found.means[:, 0]).all()
    assert np.isnan(found.means[:, 1, :cut]).all()
    assert usage == Usage(shots=0, circuits=3)


def test_phases_in_any_order(groups, states):
    found, _ = run(groups, states, {0: [1, 0], 1: [1]}, [None, None])
    cut = groups[0].num_terms
    assert np.allclose(found.means[..., :cut], exact_means(groups, states)[..., :cut], rtol=0, atol=1e-12)


def test_group_without_phases_is_not_measured(groups, states):
    found, usage = run(groups, states, {0: [0], 1: []}, [10, 10])
    assert usage == Usage(shots=30, circuits=3)
    assert np.isnan(found.means[..., groups[0].num_terms :]).all()


def test_shots_may_differ_between_groups(groups, states):
    _, usage = run(groups, states, {0: [0, 1], 1: [1]}, [100, 7])
    assert usage == Usage(shots=6 * 100 + 3 * 7, circuits=9)


def test_covariance_stays_within_groups(groups, states):
    found, _ = run(groups, states, {0: [0, 1], 1: [0, 1]}, [200, 200])
    cut = groups[0].num_terms
    assert not found.covariance[..., :cut, cut:].any()
    assert not found.covariance[..., cut:, :cut].any()
    assert (np.einsum("sptt->spt", found.covariance) > 0).all()
    assert np.allclose(found.covariance, found.covariance.swapaxes(-1, -2), rtol=0, atol=1e-15)


def test_one_shot_gives_no_covariance_where_measured(groups, states):
    found, _ = run(groups, states, {0: [1]}, [1, 1])
    cut = groups[0].num_terms
    assert np.isnan(found.covariance[:, 1, :cut, :cut]).all()
    assert not found.covariance[:, 1, cut:, cut:].any()


def test_request_names_states_groups_and_shots(groups, states):
    work = measure(groups, states, shape=SHAPE, phases={0: [1], 1: [0, 1]}, shots=[5, 6], key=KEY)
    request = next(work)
    assert request.key == KEY
    assert [measurement.states.tolist() for measurement in request.measurements] == [[1, 3, 5], [0, 1, 2, 3, 4, 5]]
    assert [measurement.shots for measurement in request.measurements] == [5, 6]
    assert (request.num_circuits, request.num_shots) == (9, 51)


def test_work_can_be_answered_later(groups, states):
    """Stop between a request and its answer, and give the answer to a fresh generator."""
    phases, shots = {0: [0, 1], 1: [0]}, [50, 50]
    whole, _ = run(groups, states, phases, shots)
    first = measure(groups, states, shape=SHAPE, phases=phases, shots=shots, key=KEY)
    executor = VectorExecutor(Seeds(0))
    data = executor.collect(executor.submit(next(first)))
    again = measure(groups, states, shape=SHAPE, phases=phases, shots=shots, key=KEY)
    next(again)
    with pytest.raises(StopIteration) as finished:
        again.send(data)
    assert np.array_equal(finished.value.value.means, whole.means, equal_nan=True)


def test_work_of_several_requests_is_driven_to_its_end(groups, states):
    def twice():
        first = yield from measure(groups, states, shape=SHAPE, phases={0: [0]}, shots=[10, 10], key=KEY)
        second = yield from measure(groups, states, shape=SHAPE, phases={1: [0]}, shots=[10, 20], key=KEY)
        return first, second

    (first, second), usage = run_measurements(twice(), VectorExecutor(Seeds(0)))
    assert usage == Usage(shots=30 + 60, circuits=6)
    assert not np.isnan(first.means[:, 0, 0]).any()
    assert not np.isnan(second.means[:, 0, -1]).any()


def test_work_without_measurements_costs_nothing():
    def direct():
        yield from ()
        return "answer"

    assert run_measurements(direct(), VectorExecutor(Seeds(0))) == ("answer", Usage())


def test_a_mean_that_is_no_number_is_refused_and_never_zero():
    """Whatever lies between the outcomes and the mean; unmeasured terms alone are NaN."""
    group = CommutingGroup(name="Z", basis=LocalBasis("ZZ"), masks=(0b01, 0b11))
    work = measure([group], None, shape=(1, 1), phases={0: [0]}, shots=[None], key=RequestKey("train", 3))
    next(work)
    broken = Distribution(weights=np.array([[np.nan, 0.0, 0.0, 1.0]]), shots=None)
    with pytest.raises(ResultError, match=r"^train 3: the mean of Z0 in state 0 .* is nan"):
        work.send(ShotData(outcomes=(broken,)))


CLOSED = []


def work():
    try:
        first = yield "a"
        second = yield "b"
        return first + second
    finally:
        CLOSED.append(True)


def test_a_handler_may_ask_twice_or_not_at_all():
    def handle(request):
        if request == "a":
            return "known"
        one = yield "b1"
        other = yield "b2"
        return one + other

    asked = []
    assert completed(relayed(work(), handle), lambda request: asked.append(request) or request) == "knownb1b2"
    assert asked == ["b1", "b2"]


def test_work_is_closed_when_an_answer_fails_or_nobody_goes_on():
    def fail(request):
        raise OSError(request)

    CLOSED.clear()
    with pytest.raises(OSError, match="a"):
        completed(work(), fail)
    assert CLOSED == [True]

    def ask(request):
        return (yield request)

    relay = relayed(work(), ask)
    assert next(relay) == "a"
    relay.close()
    assert CLOSED == [True, True]


def test_a_plain_result_is_work_that_asks_for_nothing():
    assert run_measurements([1, 2], executor=None) == ([1, 2], Usage())
