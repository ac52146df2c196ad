"""Variational states on a device: angles found on this machine, or from measured energies."""

import json

import pytest
from loopback_bench import JOBS, NEEDS_DOUBLE

pytest.importorskip("qiskit_ibm_runtime")
pytestmark = NEEDS_DOUBLE

VQE_KILLS = {"after a submission": ("after", "send", 3), "before a checkpoint": ("before", "save_state", 5)}


@pytest.mark.slow
@pytest.mark.parametrize("moment", VQE_KILLS)
@pytest.mark.parametrize("name", ["simulated vqe", "measured vqe"])
def test_variational_states_on_a_device(bench, weights, name, moment):
    """Angles found on this machine, or from measured energies, with one job for every step of SPSA."""
    expected, config, run = weights(name), bench.config(name), bench.folder / "run"
    bench.double.fault("accept_then_reset", "^/jobs$", "POST", nth=2)
    first = bench.qep("--die", *VQE_KILLS[moment], "train", config, "--out", run)
    bench.finish(config, run, first)
    bench.require_sound(run, expected, JOBS[name])
    assert len(bench.double.log_of("POST", "^/jobs$")) == JOBS[name]
    assert {job["summary"]["n_pubs"] for job in bench.double.jobs()} == {1}


@pytest.mark.deep(but=["simulated vqe"])
@pytest.mark.parametrize("name", ["simulated vqe", "measured vqe"])
def test_jobs_of_variational_states_are_planned(bench, name):
    planned = json.loads(bench.qep("plan", bench.config(name), "--backend", "fake_manila", "--json").out)
    assert planned["run"]["jobs"] == JOBS[name]
