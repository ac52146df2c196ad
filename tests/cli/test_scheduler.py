"""One run across machines: states that take processes are computed on a Dask cluster, to the same bits."""

import json
from pathlib import Path

import pytest

CLUSTER = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
LANCZOS = [
    word
    for key in ("network.num_spins=3", "preparation.kind=exact", "preparation.solver=lanczos", "training.epochs=1")
    for word in ("--set", key)
]


@pytest.fixture(scope="module")
def address():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(**CLUSTER) as cluster:
        yield cluster.scheduler_address


def weights(folder):
    return json.loads(Path(folder, "weights.json").read_text())


@pytest.mark.deep
def test_a_run_on_a_cluster_is_the_same(qep, here, address):
    assert qep("train", "exact.toml", *LANCZOS, "--out", "alone").code == 0
    result = qep("train", "exact.toml", *LANCZOS, "--out", "cluster", "--scheduler", address)
    assert result.code == 0, result.err
    assert weights("cluster") == weights("alone")


@pytest.mark.deep
def test_a_run_that_needs_no_cluster_says_so(qep, here, address):
    result = qep("train", "exact.toml", "--out", "idle", "--scheduler", address)
    assert result.code == 0
    assert "nothing of this run went to the cluster" in result.err


@pytest.mark.parametrize("command", [("train", "exact.toml"), ("resume", "alone")])
def test_no_scheduler_is_one_line(refused, qep, here, command):
    pytest.importorskip("distributed")
    assert qep("train", "exact.toml", "--set", "training.epochs=1", "--out", "alone").code == 0
    message = refused(*command, "--scheduler", "tcp://127.0.0.1:1")
    assert "--scheduler tcp://127.0.0.1:1: no Dask scheduler answers there" in message
