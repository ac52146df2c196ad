"""One double of IBM's service for all tests of a worker, and the weights of runs in which nothing goes wrong."""

import json
import time

import pytest
from loopback_bench import JOBS, Bench, all_command_lines, calm, double_of


@pytest.fixture(scope="session")
def started(tmp_path_factory):
    with double_of("ibm_manila", state=tmp_path_factory.mktemp("double")) as double:
        yield double


@pytest.fixture
def double(started):
    calm(started)
    yield started
    started.ctl("release", {})


@pytest.fixture
def bench(double, tmp_path):
    return Bench(double, tmp_path)


@pytest.fixture(scope="session")
def weights(started, tmp_path_factory):
    """Weights of faultless runs, by the name of their configuration."""
    known = {}

    def of(name):
        if name not in known:
            calm(started)
            folder = tmp_path_factory.mktemp("faultless")
            one = Bench(started, folder)
            # With all its patience; others have little.
            process = one.start("train", one.config(name), "--out", folder / "run", retrying=name == "xor")
            while process.poll() is None:
                assert started.info["token"] not in all_command_lines()
                time.sleep(0.2)
            done = one.ended(process)
            assert done.code == 0, done.err
            assert {job["summary"]["n_pubs"] for job in started.jobs()} == {1}
            assert len(started.jobs()) == len(started.log_of("POST", "^/jobs$")) == JOBS[name]
            known[name] = json.loads((folder / "run" / "weights.json").read_text())
            one.require_sound(folder / "run", known[name], JOBS[name])
            calm(started)
        return known[name]

    return of
