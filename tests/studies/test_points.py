"""Points of a study: any order of work, the same rows; what is finished is kept whatever happens."""

import json
import os
import signal
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pool_work
import pytest

from qep_qiskit.core.errors import ConfigError, RunFolderError, WorkerLostError
from qep_qiskit.core.worker_processes import STOP, PlainFlag
from qep_qiskit.runs.points import PointStore, run_points
from qep_qiskit.runs.pool import Pool, StudyStopped
from qep_qiskit.runs.processes import open_pool

NUMBERS = range(8)


def points(**more):
    return [{"key": f"n{number}", "number": number, **more} for number in NUMBERS]


def uneven():
    """The first take longest, so that they come last."""
    return [{**point, "seconds": 0.02 * (len(NUMBERS) - point["number"])} for point in points()]


SQUARES = [{"key": f"n{number}", "square": float(number**2), "pair": [1, 2]} for number in NUMBERS]


@pytest.fixture(scope="module", params=["here", "processes", "cluster"])
def pool(request):
    """Every place to work."""
    if request.param == "cluster":
        distributed = pytest.importorskip("distributed")
        options = {"n_workers": 2, "threads_per_worker": 2, "dashboard_address": None, "host": "127.0.0.1"}
        with distributed.LocalCluster(**options) as cluster, open_pool(scheduler=cluster.scheduler_address) as opened:
            yield opened
    else:
        with open_pool(1 if request.param == "here" else 2) as opened:
            yield opened


@pytest.fixture
def processes():
    """A pool of its own, for a test that breaks or stops it."""
    with open_pool(2) as opened:
        yield opened


def test_rows_come_in_the_order_of_the_points(pool):
    assert run_points(uneven(), pool_work.square, None, pool) == SQUARES


def test_a_point_may_give_several_rows_or_none(pool):
    rows = run_points(points()[:3], pool_work.several, None, pool)
    assert rows == [{"key": "n1", "part": 0}, {"key": "n2", "part": 0}, {"key": "n2", "part": 1}]


def test_failed_points_become_rows_where_the_others_go_on(pool, tmp_path):
    with PointStore(tmp_path / "points.jsonl") as store:
        rows = run_points(points(), pool_work.refuses_odd_numbers, store, pool, keep_going=True)
        assert [store.rows_of(point) is None for point in points()] == [bool(number % 2) for number in NUMBERS]
    assert rows[::2] == SQUARES[::2]
    assert rows[3] == {"key": "n3", "failed": "number: expected an even one, got 3"}


def test_a_process_works_on_one_point_at_a_time(pool):
    """Global random generators and warnings belong to it, also on a cluster whose workers have several threads."""
    assert [row["key"] for row in run_points(points(), pool_work.alone, None, pool)] == [f"n{n}" for n in NUMBERS]


def test_progress_counts_what_is_stored_too(pool, tmp_path):
    seen = []
    with PointStore(tmp_path / "points.jsonl") as store:
        run_points(points()[:3], pool_work.square, store, pool)
        run_points(points(), pool_work.square, store, pool, seen.append)
    assert [step.done for step in seen] == [3, 4, 5, 6, 7, 8]
    assert {step.total for step in seen} == {8}
    assert seen[0].point is None
    assert {step.point["key"]: step.rows for step in seen[1:]} == {row["key"]: [row] for row in SQUARES[3:]}


@pytest.mark.parametrize(
    ("work", "error"), [(pool_work.refuses_odd_numbers, ConfigError), (pool_work.breaks_at_three, ZeroDivisionError)]
)
def test_an_error_is_raised_and_what_is_finished_stays(tmp_path, work, error):
    with open_pool(1) as here, PointStore(tmp_path / "points.jsonl") as store:
        with pytest.raises(error):
            run_points(points(), work, store, here)
        assert store.rows_of(points()[0]) == SQUARES[:1]
        assert store.rows_of(points()[4]) is None


def test_a_worker_that_dies_is_one_line_and_what_is_finished_stays(processes, tmp_path):
    with PointStore(tmp_path / "points.jsonl") as store:
        with pytest.raises(WorkerLostError, match=r"a worker process died .* of 8 points are done, and the"):
            run_points(points(), pool_work.dies_at_three, store, processes)
        kept = [store.rows_of(point) for point in points()]
        assert [rows for rows in kept if rows] == [[row] for row, rows in zip(SQUARES, kept, strict=True) if rows]
        assert kept[3] is None
        assert any(kept)
        with open_pool(2) as fresh:
            assert run_points(points(), pool_work.square, store, fresh) == SQUARES


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_lets_short_work_end(tmp_path, jobs):
    more, before = {"parent": os.getpid(), "seconds": 0.05}, signal.getsignal(signal.SIGINT)
    with open_pool(jobs) as opened, PointStore(tmp_path / "points.jsonl") as store:
        with pytest.raises(StudyStopped, match=r"stopped with [3-7] of 8 points done; the same command goes on"):
            run_points(points(**more), pool_work.interrupts_its_parent_at_three, store, opened)
        assert store.rows_of(points(**more)[3]) == SQUARES[3:4]
        assert store.rows_of(points(**more)[7]) is None
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_tells_long_work_to_end(processes, tmp_path):
    more = {"parent": os.getpid(), "folder": str(tmp_path)}
    with pytest.raises(StudyStopped, match="stopped with 0 of 8 points done"):
        run_points(points(**more), pool_work.waits_for_the_stop, None, processes)
    started, ended = (
        {path.name.partition("-")[2] for path in tmp_path.glob(f"{word}-*")} for word in ("started", "ended")
    )
    assert started == ended
    assert 1 <= len(started) <= 2


def test_a_second_ctrl_c_does_not_wait(processes):
    slow = [{"key": "slow", "number": 1, "parent": os.getpid()}]
    with pytest.raises(KeyboardInterrupt) as stopped:
        run_points(slow, pool_work.interrupts_its_parent_twice, None, processes)
    assert not isinstance(stopped.value, StudyStopped)


def test_a_pool_that_breaks_after_a_stop_can_end_all_that_it_was_given(monkeypatch):
    """Workers that still start have taken nothing; futures that are cancelled then cannot be set by the pool."""
    monkeypatch.setattr("qep_qiskit.runs.pool._SECONDS_BETWEEN_CHECKS", 0.01)
    given, flag = [], PlainFlag()

    class Starting(Executor):
        def submit(self, fn, /, *args, **kwargs):
            given.append(Future())
            return given[-1]

    def stop_and_break():
        time.sleep(0.1)
        flag.value = STOP
        time.sleep(0.1)
        cancelled = [future for future in given if future.cancelled()]
        for future in cancelled:
            future.set_running_or_notify_cancel()  # so that a failure is no endless wait
        for future in given:
            future.set_exception(BrokenProcessPool())

    pool = Pool(executor=Starting(), flag=flag, window=4, workers=2)
    with ThreadPoolExecutor() as threads:
        broken = threads.submit(stop_and_break)
        with pytest.raises((WorkerLostError, StudyStopped)):
            pool.run(pool_work.square, points(), print)
    assert broken.exception() is None
    assert len(given) == 4


def test_workers_have_one_thread_and_the_parent_keeps_its_own(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]
    with open_pool(2) as opened:
        rows = run_points([{"key": "a", "names": names}], pool_work.threads, None, opened)
    assert [rows[0][name] for name in names] == ["1", "1", "1"]
    assert rows[0]["process"] != os.getpid()
    assert (os.environ["OMP_NUM_THREADS"], "OPENBLAS_NUM_THREADS" in os.environ) == ("7", False)


def test_one_job_needs_no_process():
    with open_pool(1) as here:
        assert run_points([{"key": "a", "names": []}], pool_work.threads, None, here) == [{"process": os.getpid()}]


def test_keys_are_unique(pool):
    with pytest.raises(ValueError, match="unique key"):
        run_points([*points(), points()[0]], pool_work.square, None, pool)


def test_jobs_are_at_least_one():
    with pytest.raises(ConfigError, match="--jobs: expected at least 1, got 0"), open_pool(0):
        pass


def stored(path):
    return [json.loads(line)["key"] for line in path.read_text().splitlines()]


def test_store_knows_points_by_all_that_they_say(tmp_path):
    path = tmp_path / "deep" / "points.jsonl"
    with PointStore(path) as store:
        store.keep({"key": "a", "beta": 0.1}, [{"x": 0.1 + 0.2}])
    with PointStore(path) as store:
        assert store.rows_of({"beta": 0.1, "key": "a"}) == [{"x": 0.1 + 0.2}]
        assert store.rows_of({"key": "a", "beta": 0.2}) is None


@pytest.mark.parametrize("rest", ["", '{"key": "n', '{"key": "n2", "point": "0", "rows": []}'])
def test_store_drops_a_line_that_was_cut(tmp_path, rest):
    path = tmp_path / "points.jsonl"
    with open_pool(1) as here:
        with PointStore(path) as store:
            run_points(points()[:2], pool_work.square, store, here)
        with path.open("a") as file:
            file.write(rest)
        with PointStore(path) as store:
            assert run_points(points(), pool_work.square, store, here) == SQUARES
    assert stored(path) == [f"n{number}" for number in NUMBERS]


@pytest.mark.parametrize("line", ["hello", "[]", '{"key": "a"}', "3"])
def test_store_refuses_a_damaged_line(tmp_path, line):
    path = tmp_path / "points.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(RunFolderError, match=r"points\.jsonl: line 1 is damaged"):
        PointStore(path)
    assert path.read_text() == line + "\n"


def test_store_belongs_to_one_process(tmp_path):
    with PointStore(tmp_path / "points.jsonl"), pytest.raises(RunFolderError, match="another process"):
        PointStore(tmp_path / "points.jsonl")
