"""Runs on a provider's device whose jobs are retrieved by id: kept in a ledger, sent once."""

import numpy as np
import pytest

from qep_qiskit.device import retries as retries
from qep_qiskit.device.ledger import JobLedger

SETTINGS = [
    "execution.backend=provider_stand_in:KeepingBackend",
    "preparation.steps=2",
    "preparation.total_time=1.0",
    "training.epochs=2",
    "training.evaluate_every=0",
]


@pytest.fixture
def provider(here, settings, monkeypatch):
    """The folder of the provider's jobs, and the settings of a run on it."""
    folder = here / "provider"
    folder.mkdir()
    quick = retries.RetryPolicy(settling=0.1, first_pause=0.005, longest_pause=0.01, without_answer=0.3)
    monkeypatch.setattr("qep_qiskit.config.executor.RetryPolicy", lambda wait: quick)
    return folder, settings(*SETTINGS, f"execution.backend_options.folder={folder}")


def jobs_in(folder):
    return len(list(folder.glob("job*.json")))


def test_submit_and_collect_come_to_the_same_weights_as_train(qep, provider, here, warm_start):
    folder, settings = provider
    assert qep("train", here / "circuits.toml", "--out", here / "whole", *settings).code == 0
    jobs = jobs_in(folder)
    for path in folder.iterdir():
        path.unlink()
    assert qep("submit", here / "circuits.toml", "--out", here / "paced", *settings).code == 0
    assert jobs_in(folder) == 1
    for _ in range(jobs):
        assert qep("collect", here / "paced").code == 0
        assert qep("submit", here / "paced").code == 0
    assert jobs_in(folder) == jobs
    assert warm_start(here / "paced") == warm_start(here / "whole")
    rows = qep("jobs", here / "paced", "--json").object
    assert {row["state"] for row in rows} == {"applied"}
    assert {row["backend"] for row in rows} == {"keeping"}


def test_a_job_whose_answer_was_lost_is_not_sent_again_before_it_is_given_up(qep, provider, here):
    folder, settings = provider
    (folder / "lose_next").touch()
    result = qep("submit", here / "circuits.toml", "--out", here / "run", *settings)
    assert result.code == 2
    assert "whether the last job arrived is not known" in result.err
    assert len(result.err.strip().splitlines()) <= 2
    assert qep("resume", here / "run").code == 2
    assert jobs_in(folder) == 1
    assert qep("jobs", here / "run", "--json").object[0]["service"] == "not known"
    assert "a job that may have arrived: cancelled" in qep("cancel", here / "run").out
    assert qep("resume", here / "run").code == 0
    entries = JobLedger.read(here / "run" / "jobs.sqlite")
    assert [entry.state for entry in entries] == ["cancelled"] + ["applied"] * (len(entries) - 1)


def test_a_damaged_result_stays_in_the_ledger(qep, provider, here):
    folder, settings = provider
    assert qep("submit", here / "circuits.toml", "--out", here / "run", *settings).code == 0
    (path,) = folder.glob("job*.json")
    whole = path.read_text()
    path.write_text(whole.replace("0x0", "0x100"))
    result = qep("collect", here / "run")
    assert result.code == 2
    kept = here / "run" / f"result-{path.stem}.json"
    assert f"what came is kept in {kept}, nothing is sent again" in result.err
    assert "0x100" in kept.read_text()
    path.write_text(whole)
    assert qep("collect", here / "run").code == 0
    assert jobs_in(folder) == 1


def test_bits_of_counts_are_those_of_a_memory(provider):
    from provider_stand_in import KeepingBackend
    from qiskit import QuantumCircuit

    from qep_qiskit.execution.backend_runs import bits_of_result

    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.measure_all()
    job = KeepingBackend(provider[0]).run([circuit], shots=500)
    (bits,) = bits_of_result(job.result(), [circuit], 500, "keeping", np.random.default_rng(1))
    assert int(bits.sum()) == job.result().get_counts()["1"]
