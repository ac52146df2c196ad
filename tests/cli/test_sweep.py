"""Sweeps as a user meets them: the same table whoever works, whatever happened in between."""

import csv
import json
import math
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from stopping import wait_for

from qep_qiskit.config import from_file, load_config
from qep_qiskit.core.errors import ConfigError, FolderBusyError
from qep_qiskit.runs.folder import RunFolder

GRID = ("--over", "measurement.shots=5,exact", "--over", "seed=0:2")
NAMES = [f"shots={shots},seed={seed}" for shots in ("5", "exact") for seed in (0, 1)]
# Long enough to be caught at work, short enough for a test.
LONG = ("--over", "seed=0:3", "--set", "training.epochs=80")
LINES = 3 * (3 * 80 + 1)
UNCONVERGED = ("--set", "preparation.max_evaluations=8", "--over", "preparation.on_unconverged=go_on,stop")


def table(path):
    """A table without the times, which no two runs share."""
    with Path(path).open(newline="") as file:
        return [{key: cell for key, cell in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def tables(folder):
    return table(Path(folder) / "results.csv"), table(Path(folder) / "epochs.csv")


@pytest.fixture(scope="module")
def swept(qep, runs):
    """A finished sweep, worked on in one process; not to be changed."""
    result = qep("sweep", runs / "exact.toml", *GRID, "--out", runs / "grid-sweep", "--jobs", 1)
    assert result.code == 0, result.err
    return runs / "grid-sweep", result


@pytest.fixture(scope="module")
def long_sweep(qep, runs):
    """A longer sweep that nothing interrupted."""
    assert qep("sweep", runs / "exact.toml", *LONG, "--out", runs / "long-sweep", "--jobs", 1).code == 0
    return runs / "long-sweep"


def test_every_point_is_a_run_like_any_other(swept, qep, here, warm_start, records):
    folder, _ = swept
    assert sorted(path.name for path in (folder / "runs").iterdir()) == NAMES
    for name in NAMES:
        words = [word for text in name.split(",") for word in ("--set", text.replace("shots", "measurement.shots"))]
        assert qep("train", "exact.toml", *words, "--out", name).code == 0
        assert records(name) == records(folder / "runs" / name)
        assert warm_start(name) == warm_start(folder / "runs" / name)


def _section(config, path):
    for key in path.split("."):
        config = config[key]
    return config


def test_results_hold_every_setting_beside_every_result(swept, runs):
    folder, _ = swept
    rows, _ = tables(folder)
    assert [row["point"] for row in rows] == NAMES
    for row in rows:
        run = folder / "runs" / row["point"]
        config = json.loads((run / "config.json").read_text())["config"]
        assert row["measurement.shots"] == str(config["measurement"]["shots"])
        assert row["network.biases.enabled"] == "true"
        flat = {f"{part}.{key}" for part in ("update", "training", "contrast.pilot") for key in _section(config, part)}
        assert flat < set(row)
        summary = json.loads((run / "summary.json").read_text())
        assert {row["status"], row["error"]} == {"finished", ""}
        told = "; ".join(f"{one['kind']}: {one['diagnosis']}" for one in summary["warnings"])
        assert row["warnings"] == told
        for key in set(summary) - {"seconds", "warnings"}:
            assert row[key] == ("" if summary[key] is None else repr(summary[key]))


def test_epochs(swept, records):
    folder, _ = swept
    _, rows = tables(folder)
    assert [(row["point"], row["epoch"]) for row in rows] == [
        (name, str(epoch)) for name in NAMES for epoch in range(4)
    ]
    for name in NAMES:
        losses = [line["train_loss"] for line in records(folder / "runs" / name) if line["event"] == "epoch"]
        assert [float(row["train_loss"]) for row in rows if row["point"] == name] == losses
        best = min(losses)
        row = next(row for row in tables(folder)[0] if row["point"] == name)
        assert (float(row["best_train_loss"]), int(row["best_train_loss_epoch"])) == (best, losses.index(best))


def test_table_on_the_terminal_averages_over_seeds(swept, qep, runs):
    folder, result = swept
    assert all(len(line) <= 80 for line in result.out.splitlines() if not line.startswith("wrote "))
    lines = [line.split() for line in result.out.splitlines() if line.strip()]
    assert [line[:2] for line in lines if line[1:2] == ["2"]] == [["5", "2"], ["exact", "2"]]
    again = qep("sweep", runs / "exact.toml", *GRID, "--out", folder, "--json").object
    assert (again["points"], again["failed"]) == (4, [])
    losses = [float(row["train_loss"]) for row in tables(folder)[0]]
    for row, pair in zip(again["means"], (losses[:2], losses[2:]), strict=True):
        assert row["train_loss"] == pytest.approx(np.mean(pair), abs=1e-15)
        assert row["train_loss_se"] == pytest.approx(np.std(pair, ddof=1) / math.sqrt(2), abs=1e-15)


def test_two_processes_give_the_same_tables(swept, qep, here):
    result = qep("sweep", "exact.toml", *GRID, "--out", "two", "--jobs", 2)
    assert result.code == 0, result.err
    assert tables("two") == tables(swept[0])


@pytest.mark.deep
def test_a_cluster_gives_the_same_tables(swept, qep, here):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with distributed.LocalCluster(**options) as cluster:
        result = qep("sweep", "exact.toml", *GRID, "--out", "cluster", "--scheduler", cluster.scheduler_address)
    assert result.code == 0, result.err
    assert tables("cluster") == tables(swept[0])


def test_parquet_holds_the_same(swept, qep, here):
    parquet = pytest.importorskip("pyarrow.parquet")
    shutil.copytree(swept[0], "copy")
    assert qep("sweep", "exact.toml", *GRID, "--out", "copy", "--format", "parquet").code == 0
    found = parquet.read_table("copy/results.parquet").to_pydict()
    assert found["measurement.shots"] == ["5", "5", "exact", "exact"]
    assert found["train_loss"] == [float(row["train_loss"]) for row in tables(swept[0])[0]]


def test_values_may_be_added_later(swept, qep, here):
    """What is there is not run again, and the table is that of the whole grid."""
    shutil.copytree(swept[0], "grown")
    before = {name: (here / "grown/runs" / name / "checkpoint.npz").stat().st_mtime_ns for name in NAMES}
    more = ("--over", "measurement.shots=5,exact", "--over", "seed=0:3")
    assert qep("sweep", "exact.toml", *more, "--out", "grown", "--jobs", 1).code == 0
    assert {name: (here / "grown/runs" / name / "checkpoint.npz").stat().st_mtime_ns for name in NAMES} == before
    rows, _ = tables("grown")
    assert len(rows) == 6
    assert [row for row in rows if row["seed"] != "2"] == tables(swept[0])[0]
    assert qep("sweep", "exact.toml", *GRID, "--out", "grown").code == 2


def test_a_run_that_is_removed_is_run_again(swept, qep, here):
    shutil.copytree(swept[0], "copy")
    shutil.rmtree(here / "copy/runs" / NAMES[1])
    assert qep("sweep", "exact.toml", *GRID, "--out", "copy", "--jobs", 1).code == 0
    assert tables("copy") == tables(swept[0])


def test_a_run_that_was_there_before_is_never_removed(swept, qep, here):
    """Whatever is wrong with it: it may hold what was measured, or belong to a process at work."""
    shutil.copytree(swept[0], "copy")
    run = here / "copy/runs" / NAMES[1]
    (run / "metrics.jsonl").write_text("")
    (run / "summary.json").unlink()
    (run / "checkpoint.npz").write_bytes(b"damaged")
    assert qep("sweep", "exact.toml", *GRID, "--out", "copy", "--jobs", 1).code != 0
    assert (run / "checkpoint.npz").read_bytes() == b"damaged"


@pytest.mark.parametrize(
    ("settings", "error", "stays"),
    [
        ([], ConfigError, False),
        ([], MemoryError, False),
        ([], FolderBusyError, True),
        (["execution.backend='ibm_torino'", "preparation={kind='adiabatic'}"], ConfigError, True),
    ],
)
def test_a_refused_run_is_removed_where_nothing_can_be_lost(settings, error, stays, here):
    execution = load_config("exact.toml", settings).execution
    (here / "run").mkdir()
    with pytest.raises(error), RunFolder(here / "run").removed_if_refused(execution):
        raise error("one line")
    assert (here / "run").exists() == stays


def lines_in(folder):
    return sum(path.read_bytes().count(b"\n") for path in Path(folder).glob("runs/*/metrics.jsonl"))


def first_lines(folder):
    """The first metrics that a checkpoint counts, with their times: a run that began anew would have others."""
    runs = [path.parent for path in Path(folder).glob("runs/*/checkpoint.npz")]
    counted = [run for run in runs if RunFolder(run).load_state().metrics_bytes > 0]
    return {run.name: (run / "metrics.jsonl").read_text().splitlines()[0] for run in counted}


@pytest.mark.deep
@pytest.mark.parametrize(
    ("jobs", "whole_group", "goals"),
    [(1, True, (50, 200)), pytest.param(2, True, (200,), marks=pytest.mark.slow), (2, False, (200,))],
)
def test_killed_and_gone_on_with(qep, process, here, long_sweep, jobs, whole_group, goals):
    """In the middle of runs, also twice: all processes at once, or the parent alone."""
    for goal in goals:
        child = process("sweep", "exact.toml", *LONG, "--out", "sw", "--jobs", jobs, start_new_session=True)
        wait_for(lambda goal=goal: lines_in("sw") >= goal and first_lines("sw"), child)
        (os.killpg if whole_group else os.kill)(child.pid, signal.SIGKILL)
        child.communicate(timeout=30)  # ends when nobody holds the pipes: no worker is left behind
    begun = first_lines("sw")
    assert len(begun) >= 1
    assert lines_in("sw") < LINES
    assert qep("sweep", "exact.toml", *LONG, "--out", "sw", "--jobs", 1).code == 0
    assert tables("sw") == tables(long_sweep)
    assert begun.items() <= first_lines("sw").items()


@pytest.mark.deep
@pytest.mark.parametrize(("jobs", "number"), [(1, signal.SIGINT), (2, signal.SIGINT), (2, signal.SIGTERM)])
def test_stopped_and_gone_on_with(qep, process, here, long_sweep, jobs, number):
    """Ctrl-C reaches every process of the terminal, the workers too; so do terminations by batch systems."""
    child = process("sweep", "exact.toml", *LONG, "--out", "sw", "--jobs", jobs, start_new_session=True)
    wait_for(lambda: lines_in("sw") >= 50, child)
    os.killpg(child.pid, number)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, "")
    said = re.fullmatch(r"qep: stopped with ([012]) of 3 points done; the same command goes on", err.splitlines()[-1])
    assert said is not None
    assert len(tables("sw")[0]) == int(said.group(1))
    assert qep("sweep", "exact.toml", *LONG, "--out", "sw", "--jobs", 1).code == 0
    assert tables("sw") == tables(long_sweep)


@pytest.mark.deep
@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_a_worker_that_is_killed_is_one_line(qep, process, here, long_sweep):
    child = process("sweep", "exact.toml", *LONG, "--out", "sw", "--jobs", 2)
    wait_for(lambda: lines_in("sw") >= 50, child)
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    workers = [int(one) for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]
    os.kill(workers[0], signal.SIGKILL)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert err.startswith("qep: error: a worker process died")
    assert err.count("\n") == 1
    assert qep("sweep", "exact.toml", *LONG, "--out", "sw", "--jobs", 1).code == 0
    assert tables("sw") == tables(long_sweep)


def test_a_point_that_fails_is_told_and_the_others_go_on(qep, here):
    result = qep("sweep", "vqe.toml", *UNCONVERGED, "--out", "sw", "--jobs", 1)
    assert result.code == 1
    good, bad = tables("sw")[0]
    assert (good["status"], bad["status"], bad["train_loss"]) == ("finished", "failed", "")
    assert f"qep: failed: on_unconverged=stop: {bad['error']}\n" in result.err
    assert "qep: 1 of 2 points failed; the same command tries them again\n" in result.err
    assert list(good) == list(bad)
    again = qep("sweep", "vqe.toml", *UNCONVERGED, "--out", "sw", "--jobs", 1, "--json")
    assert (again.code, len(again.object["failed"])) == (1, 1)


@pytest.mark.deep
def test_warnings_of_workers_are_told_once(qep, here):
    result = qep("sweep", "exact.toml", "--set", "contrast.beta=30.0", "--over", "seed=0:3", "--jobs", 2)
    assert result.code == 0
    warned = [line for line in result.err.splitlines() if "NudgeBeyondGapWarning" in line]
    assert len(warned) == 1
    assert "; point seed=" in warned[0]
    assert Path("sweeps/exact/results.csv").is_file()


def test_data_of_a_sweep_stay_what_they_were(qep, here, refused):
    flowers = ("sweep", "flowers.toml", "--over", "seed=0:2", "--out", "sw", "--jobs", 1)
    assert qep(*flowers).code == 0
    (here / "flowers.csv").write_text((here / "flowers.csv").read_text().replace("0.3", "0.4"))
    assert "flowers.csv: is not what it was when the sweep in" in refused(*flowers)


REFUSED = {
    "nothing-swept": ((), "--over: expected at least one"),
    "unknown-key": (("--over", "training.epoch=1,2"), "training.epoch: unknown key; did you mean 'epochs'?"),
    "bad-value": (("--over", "training.epochs=2,0"), "point epochs=0: "),
    "empty": (("--over", "seed=[]"), "--over seed=[]: a value is empty"),
    "twice": (("--over", "seed=1,2", "--over", "seed=3"), "--over seed: is given twice"),
    "set-too": (("--set", "seed=1", "--over", "seed=1,2"), "--set seed: is swept by --over seed"),
    "some-points": (("--over", "contrast.beta=0.1,-0.1"), "point beta=-0.1: contrast.beta"),
    "cannot-be-built": (("--over", "preparation.level=0,9"), "point level=9: "),
    "jobs": (("--over", "seed=0:2", "--jobs", "0"), "--jobs: expected at least 1, got 0"),
    "jobs-of-words": (("--over", "seed=0:2", "--jobs", "many"), "--jobs"),
    "jobs-and-cluster": (
        ("--over", "seed=0:2", "--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"),
        "--jobs: goes with",
    ),
    "format": (("--over", "seed=0:2", "--format", "xls"), "--format"),
    "out": (("--over", "seed=0:2", "--out", "exact.toml"), "exact.toml: "),
    "foreign-folder": (("--over", "seed=0:2", "--out", "."), "exists already and is not the folder of a sweep"),
}


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_before_anything_is_written(refused, words, message):
    assert message in refused("sweep", "exact.toml", *words)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "http://127.0.0.1"])
def test_a_cluster_that_does_not_answer(refused, address):
    pytest.importorskip("distributed")
    begun = time.monotonic()
    message = refused("sweep", "exact.toml", "--over", "seed=0:2", "--scheduler", address)
    assert f"--scheduler {address}: no Dask scheduler answers there" in message
    assert time.monotonic() - begun < 30


def test_missing_packages(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    sweep = ("sweep", "exact.toml", "--over", "seed=0:2")
    assert "pip install 'qep_qiskit[cluster]'" in refused(*sweep, "--scheduler", "tcp://127.0.0.1:1")
    assert "pip install 'qep_qiskit[parquet]'" in refused(*sweep, "--format", "parquet")


@pytest.fixture
def copy(swept, here):
    return Path(shutil.copytree(swept[0], here / "copy"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--over", "measurement.shots=5", "--over", "seed=0:2"), "holds the sweep --over measurement.shots=5,exact"),
        (("--over", "seed=0:2"), "holds the sweep --over measurement.shots=5,exact --over seed=0,1; give all"),
        ((*GRID, "--set", "training.epochs=4"), "was started with training.epochs = 3, not 4"),
        ((*GRID, "--set", "network.couplings.std=0.5"), "was started with network.couplings.std = 0.3, not 0.5"),
    ],
)
def test_another_sweep_in_the_same_folder(refused, copy, words, message):
    assert message in refused("sweep", "exact.toml", *words, "--out", copy)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"over": 3}', "hello"])
def test_damaged_grid(refused, copy, content):
    (copy / "sweep.json").write_text(content)
    assert "sweep.json: is damaged" in refused("sweep", "exact.toml", *GRID, "--out", copy)


def test_a_run_with_another_configuration_fails_as_a_point(qep, copy):
    """Somebody put another run in its place."""
    shutil.rmtree(copy / "runs" / NAMES[0])
    shutil.copytree(copy / "runs" / NAMES[1], copy / "runs" / NAMES[0])
    result = qep("sweep", "exact.toml", *GRID, "--out", copy, "--jobs", 1)
    assert result.code == 1
    assert "holds another configuration than the sweep" in result.err


def test_a_folder_where_another_sweep_is_at_work(process, refused, here):
    child = process("sweep", "exact.toml", *LONG, "--out", "sw", "--jobs", 1)
    try:
        wait_for(lambda: lines_in("sw") >= 10, child)
        child.send_signal(signal.SIGSTOP)
        assert "another process is working in this folder" in refused("sweep", "exact.toml", *LONG, "--out", "sw")
    finally:
        child.kill()
        child.communicate()


def test_finished_points_get_their_figures_from_resume(qep, copy):
    run = copy / "runs" / NAMES[0]
    assert not list(run.glob("*.png"))
    assert qep("resume", run).code == 0
    assert {path.name for path in run.glob("*.png")} == {"learning_curve.png", "network.png"}


def test_swept_sections(qep, here):
    """A whole section per point; the table has their keys."""
    over = "update={kind='adam', learning_rate=0.1},{kind='momentum'}"
    result = qep("sweep", "exact.toml", "--over", over, "--over", "seed=0:2", "--jobs", 1, "--json")
    assert result.code == 0, result.err
    assert [row["update"]["kind"] for row in result.object["means"]] == ["adam", "momentum"]
    assert from_file("exact.toml").config.update.kind == "adam"
    assert [row["update.learning_rate"] for row in table("sweeps/exact/results.csv")] == ["0.1", "0.1", "0.05", "0.05"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are those of POSIX")
@pytest.mark.deep
def test_folders_that_name_an_account_are_for_their_owner(qep, here):
    """Options of a backend may hold a token."""
    backend = ["execution.backend=qiskit_aer:AerSimulator", "execution.backend_options={seed_simulator=3}"]
    words = [word for key in backend for word in ("--set", key)]
    qep("sweep", "circuits.toml", *words, "--over", "seed=0:1", "--jobs", 1, "--out", here / "out")
    modes = {path.name: path.stat().st_mode & 0o077 for path in (here / "out", *(here / "out").iterdir())}
    assert modes["out"] == modes["sweep.json"] == 0
