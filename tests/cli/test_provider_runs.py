"""Runs on a provider's device whose jobs are retrieved by id: kept in a ledger, sent once."""

import re
from dataclasses import replace

import numpy as np
import pytest
from chi_square import LIMIT, mean_p_value

from qep_qiskit import RequestKey, run_measurements
from qep_qiskit.config import build, check_config
from qep_qiskit.config.executor import build_device, build_remote_executor
from qep_qiskit.device import retries as retries
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.execution import bound_circuits

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
    assert [line.startswith("qep: error: ") for line in result.err.strip().splitlines()] == [False, False, True]
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


@pytest.fixture
def vendor(provider):
    """The folder of a vendor's own device, and the settings of a run on it."""
    folder, settings = provider
    return folder, [word.replace("KeepingBackend", "VendorDevice") for word in settings]


@pytest.mark.deep
def test_a_vendors_own_device_trains_and_loses_nothing(qep, vendor, here, warm_start):
    """Tags and a listing of its own: a lost answer, a deleted ledger and a hidden device are as at IBM's service."""
    folder, settings = vendor
    result = qep("train", here / "circuits.toml", "--out", here / "whole", *settings)
    assert result.code == 0, result.err
    assert re.search(r"qep: keeping: \d+ jobs, \d+ executions, EUR: [\d.]+ estimated, without a limit", result.err)
    jobs = jobs_in(folder)
    for path in folder.iterdir():
        path.unlink()
    (folder / "lose_next_answer").touch()
    assert qep("submit", here / "circuits.toml", "--out", here / "run", *settings).code == 0
    (here / "run" / "jobs.sqlite").unlink()
    (folder / "hidden").touch()
    assert qep("collect", here / "run").code == 0
    said = qep("resume", here / "run")
    assert (said.code, "the machine is in repair" in said.err) == (2, True)
    (folder / "hidden").unlink()
    assert qep("resume", here / "run").code == 0
    assert warm_start(here / "run") == warm_start(here / "whole")
    assert jobs_in(folder) == jobs
    assert {row["instance"] for row in qep("jobs", here / "run", "--json").object} == {"account 7"}


@pytest.mark.deep
def test_prices_are_in_the_unit_of_the_device(qep, vendor, provider, here):
    _, on_vendor = vendor
    plan = qep("plan", here / "circuits.toml", *on_vendor, "--json").object
    run = plan["run"]
    assert (plan["unit"], run["qpu_seconds"], plan["would_start"]) == ("EUR", 0.0, True)
    assert run["price"] == pytest.approx(run["jobs"] + 0.001 * run["executions"])
    out = qep("plan", here / "circuits.toml", *on_vendor).out
    assert "EUR" in out
    assert "payload" not in out
    assert "execution.max_qpu_seconds counts QPU seconds, and does not limit it." in " ".join(out.split())
    plan = qep("plan", here / "circuits.toml", *provider[1], "--json").object
    assert (plan["unit"], plan["run"]["price"]) == ("", 0.0)
    out = qep("plan", here / "circuits.toml", *provider[1]).out
    assert "The price of this device is not known" in " ".join(out.split())


@pytest.mark.deep
def test_the_gradient_of_a_vendors_device_is_the_exact_one(vendor, tmp_path):
    """XOR, all samples, on three spins: shots of the device against exact means of the engine."""
    content = {
        "task": {"kind": "xor"},
        "network": {"num_spins": 3},
        "preparation": {"kind": "adiabatic", "total_time": 1.0, "steps": 3},
        "contrast": {"beta": 0.5},
        "measurement": {"shots": 400},
    }
    section = {"backend": "provider_stand_in:VendorDevice", "backend_options": {"folder": str(vendor[0])}}
    exact = gradients(build(check_config(content | {"measurement": {"shots": "exact"}}, "run.toml")), [0])[0]
    experiment = build(check_config(content | {"execution": section}, "run.toml"))
    device = build_device(experiment.config, 3)
    with JobLedger(tmp_path / "jobs.sqlite") as ledger:
        executor = build_remote_executor(experiment.config, experiment.seeds, device, ledger)
        found = gradients(replace(experiment, executor=executor), range(6))
    samples, variance = np.array([one.gradient for one in found]), np.mean([one.variance for one in found], axis=0)
    assert mean_p_value(samples, exact.gradient, variance) > LIMIT


def gradients(experiment, steps):
    data, weights = experiment.task.train, experiment.network.layout.initial(experiment.seeds)
    return [
        run_measurements(
            experiment.estimator.estimate(weights, data.inputs, data.targets, RequestKey("train", step)),
            experiment.executor,
        )[0]
        for step in steps
    ]


@pytest.mark.deep
def test_a_transpiler_without_free_angles_keeps_its_jobs_in_the_ledger(qep, provider, here, monkeypatch):
    """Circuits are bound, and then transpiled one by one."""
    folder, settings = provider
    transpiled = []
    made = bound_circuits.generate_preset_pass_manager

    class NeedsNumbers:
        def __init__(self, *words, **options):
            self.inner = made(*words, **options)

        def run(self, circuits):
            for circuit in circuits if isinstance(circuits, list) else [circuits]:
                if circuit.parameters:
                    raise TypeError("an angle is not a number")
                transpiled.append(circuit)
            return self.inner.run(circuits)

    monkeypatch.setattr(bound_circuits, "generate_preset_pass_manager", NeedsNumbers)
    monkeypatch.setattr(bound_circuits, "_HOOKS", ("run",))
    result = qep("train", here / "circuits.toml", "--out", here / "run", *settings)
    assert result.code == 0, result.err
    assert len(transpiled) > jobs_in(folder) == len(JobLedger.read(here / "run" / "jobs.sqlite"))
