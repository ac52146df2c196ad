"""Workers in lockstep: who runs when, who gets which answer, and that no thread outlives its work."""

import threading
import time

import pytest

from qep_qiskit.preparation.lockstep import EvaluationRequest, run_in_lockstep


class WorkError(Exception):
    pass


def run_measurements(work, log=None):
    """Run to the end; requests that are yielded are answered by themselves times two."""
    try:
        request = next(work)
        while True:
            if log is not None:
                log.append(request)
            request = work.send(2 * request)
    except StopIteration as finished:
        return finished.value


def echo(requests):
    """Answers every question by (worker, content), asking nobody."""
    yield from ()
    return [(request.worker, request.content) for request in requests]


def asking(count, log=None):
    def work(evaluate):
        answers = []
        for turn in range(count):
            if log is not None:
                log.append(turn)
            answers.append(evaluate("energy", turn))
        return answers

    return work


def threads_left(before):
    """Threads that are still there after they have had time to end."""
    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        left = [thread for thread in threading.enumerate() if thread not in before]
        if not left:
            return []
        time.sleep(0.001)
    return left


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = threading.enumerate()
    yield
    assert threads_left(before) == []


def test_results_come_in_the_order_of_the_works():
    works = [lambda evaluate, i=i: (i, evaluate("energy", i)) for i in range(5)]
    assert run_measurements(run_in_lockstep(works, echo)) == [(i, (i, i)) for i in range(5)]


def test_every_answer_goes_to_the_worker_that_asked():
    counts = [3, 0, 5, 1]
    found = run_measurements(run_in_lockstep([asking(count) for count in counts], echo))
    assert found == [[(worker, turn) for turn in range(count)] for worker, count in enumerate(counts)]


def test_all_open_questions_are_answered_together():
    seen = []

    def answer(requests):
        yield from ()
        seen.append([(request.worker, request.kind, request.content) for request in requests])
        return [None] * len(requests)

    run_measurements(run_in_lockstep([asking(3), asking(1), asking(2)], answer))
    assert seen == [
        [(0, "energy", 0), (1, "energy", 0), (2, "energy", 0)],
        [(0, "energy", 1), (2, "energy", 1)],
        [(0, "energy", 2)],
    ]


def test_workers_take_their_turns_one_after_the_other():
    running, order = set(), []

    def work_of(worker):
        def work(evaluate):
            for turn in range(4):
                assert not running
                running.add(worker)
                time.sleep(0.001 * ((worker + turn) % 3))
                order.append((turn, worker))
                running.discard(worker)
                evaluate("energy", None)

        return work

    run_measurements(run_in_lockstep([work_of(worker) for worker in range(4)], echo))
    assert order == [(turn, worker) for turn in range(4) for worker in range(4)]


def test_before_turn_comes_before_every_turn_of_its_worker():
    events = []

    def work_of(worker):
        def work(evaluate):
            for turn in range(2):
                events.append(("works", worker))
                evaluate("energy", turn)
            events.append(("ends", worker))

        return work

    run_measurements(run_in_lockstep([work_of(0), work_of(1)], echo, lambda worker: events.append(("before", worker))))
    turns = [events[i : i + 2] for i in range(0, len(events), 2)]
    assert turns == [[("before", worker), (what, worker)] for what in ("works", "works", "ends") for worker in (0, 1)]


def test_requests_of_the_answers_pass_through():
    def answer(requests):
        first = yield len(requests)
        second = yield first + 1
        return [(request.content, second) for request in requests]

    log = []
    found = run_measurements(run_in_lockstep([asking(1), asking(2)], answer), log)
    assert log == [2, 5, 1, 3]
    assert found == [[(0, 10)], [(0, 10), (1, 6)]]


def test_questions_say_who_asks_for_what():
    request = EvaluationRequest(worker=3, kind="fidelity", content="x")
    assert (request.worker, request.kind, request.content) == (3, "fidelity", "x")


def test_no_work_gives_no_results():
    assert run_measurements(run_in_lockstep([], echo)) == []


def test_work_without_questions():
    assert run_measurements(run_in_lockstep([lambda evaluate: 1, lambda evaluate: 2], echo)) == [1, 2]


@pytest.mark.parametrize("when", [0, 1, 3])
@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_of_a_worker_comes_out(failing, when):
    def bad(evaluate):
        for turn in range(when):
            evaluate("energy", turn)
        raise WorkError(f"turn {when}")

    works = [bad if worker == failing else asking(5) for worker in range(3)]
    with pytest.raises(WorkError, match=f"turn {when}"):
        run_measurements(run_in_lockstep(works, echo))


def test_an_error_of_the_answers_comes_out_and_ends_all_workers():
    def answer(requests):
        yield 1
        raise WorkError("no device")

    with pytest.raises(WorkError, match="no device"):
        run_measurements(run_in_lockstep([asking(3)] * 3, answer))


def test_too_few_answers_are_an_error():
    def answer(requests):
        yield from ()
        return [None]

    with pytest.raises(ValueError, match="shorter"):
        run_measurements(run_in_lockstep([asking(2)] * 3, answer))


@pytest.mark.parametrize("requests", [1, 2, 4])
def test_closing_midway_ends_all_workers(requests):
    before, cleaned = threading.enumerate(), []

    def answer(requests):
        yield len(requests)
        return [None] * len(requests)

    def careful(evaluate):
        try:
            asking(10)(evaluate)
        finally:
            cleaned.append(True)

    work = run_in_lockstep([careful] * 3, answer)
    next(work)
    for _ in range(requests - 1):
        work.send(None)
    assert len([thread for thread in threading.enumerate() if thread not in before]) == 3
    work.close()
    assert threads_left(before) == []
    assert cleaned == [True] * 3


def test_dropping_the_generator_ends_all_workers():
    before = threading.enumerate()

    def answer(requests):
        yield len(requests)
        return [None] * len(requests)

    work = run_in_lockstep([asking(10)] * 3, answer)
    next(work)
    del work
    assert threads_left(before) == []


def test_an_optimiser_that_catches_every_exception_is_ended_all_the_same():
    def stubborn(evaluate):
        while True:
            try:
                evaluate("energy", 0)
            except Exception:
                continue

    def answer(requests):
        yield 1
        return [None] * len(requests)

    work = run_in_lockstep([stubborn, stubborn], answer)
    next(work)
    work.close()


def test_runs_repeat_themselves():
    def run():
        log = []
        found = run_measurements(run_in_lockstep([asking(count, log) for count in (4, 2, 6)], echo))
        return found, log

    assert run() == run()
