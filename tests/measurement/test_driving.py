"""The one loop that runs measuring work: handlers see every request, and work is closed whatever happens."""

import pytest

from qep_qiskit.measurement import Usage, completed, relayed, run_measurements

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
