"""What would make a run cheaper, and by how much."""

import re

import pytest
from planned_runs import (
    SAMPLED,
    device,
    experiment_of,
)

from qep_qiskit.execution.on_device import fractional_device
from qep_qiskit.learning import STENCILS, Stencil
from qep_qiskit.plan.circuits import DeviceCircuits
from qep_qiskit.plan.estimate import estimate_requests, estimate_run
from qep_qiskit.plan.requests import record_run
from qep_qiskit.plan.savings import savings


def test_savings_are_what_the_changed_run_saves():
    experiment = experiment_of(contrast={"kind": "one_sided", "beta": 0.1}, training={"epochs": 4, "batch_size": 2})
    circuits = DeviceCircuits(device=device(2), seeds=experiment.seeds)
    requests = record_run(experiment)
    found = {saving.change: saving.qpu_seconds for saving in savings(experiment, requests, circuits)}
    before = estimate_requests(requests, circuits, experiment).run
    assert found["execution.rep_delay = 5e-05 (seconds between executions)"] == pytest.approx(
        before.executions * 200e-6
    )
    changed = experiment_of(
        contrast={"kind": "one_sided", "beta": 0.2},
        measurement={"shots": 5},
        training={"epochs": 4, "batch_size": 2},
    )
    after = estimate_run(changed, circuits.device).run
    name = "contrast.beta = 0.2 with measurement.shots = 5"
    assert found[name] == pytest.approx(before.qpu_seconds - after.qpu_seconds)
    unlooked = experiment_of(
        contrast={"kind": "one_sided", "beta": 0.1}, training={"epochs": 4, "batch_size": 2, "evaluate_final": False}
    )
    saved = before.qpu_seconds - estimate_run(unlooked, circuits.device).run.qpu_seconds
    assert saved > 2.0  # a job
    assert found["training.evaluate_final = false"] == pytest.approx(saved)
    assert found["training.batch_size = 4"] == pytest.approx(16)  # a step less an epoch, of two jobs
    assert list(found.values()) == sorted(found.values(), reverse=True)


@pytest.mark.parametrize("sections", [{}, {"measurement": {"shots": 20, "error_bars": "replicated", "replicates": 4}}])
def test_requests_are_the_same_without_their_angles(sections, monkeypatch):
    monkeypatch.setattr("qep_qiskit.plan.requests._MOST_SIMULATED_QUBITS", 1)
    experiment = experiment_of(training={"epochs": 4, "batch_size": 2}, **sections)
    whole, quick = record_run(experiment), record_run(experiment, with_angles=False)
    counts = [
        [
            (job.key, job.times, *((one.group.name, one.phase, one.circuits, one.sent) for one in job.batches))
            for job in requests.jobs
        ]
        for requests in (whole, quick)
    ]
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("stencil", "change", "price"),
    [
        (
            Stencil(weights={0: -1.0, 1: 1.0}, order=1),
            " with measurement.shots = 5",
            "the same noise of the contrast and less bias",
        ),
        (
            Stencil(weights={0: -1.5, 1: 2.0, 2: -0.5}, order=2),
            " with measurement.shots = 2",  # 20 shots times 0.5 / 6.5, the squares of the stencils
            "the same noise of the contrast and a bias of the same order",
        ),
        (
            Stencil(weights={0: -11 / 6, 1: 3.0, 2: -1.5, 3: 1 / 3}, order=3),
            "",
            "bias of the order beta^2 in place of beta^3",
        ),
    ],
)
def test_the_symmetric_contrast_is_weighed_against_any_stencil(stencil, change, price, monkeypatch):
    """Phases and savings of a plug-in's contrast follow from its stencil, not from its name."""
    monkeypatch.setattr(STENCILS, "_entries", STENCILS.entries | {"forward": stencil})
    experiment = experiment_of(contrast={"kind": "forward", "beta": 0.1})
    circuits, requests = DeviceCircuits(device=device(2), seeds=experiment.seeds), record_run(experiment)
    phases = {batch.phase for job in requests.step for batch in job.batches}
    assert phases == {"free", "+beta", "+2 beta", "+3 beta"} - {f"+{m} beta" for m in range(len(stencil.weights), 4)}
    (found,) = [own for own in savings(experiment, requests, circuits) if own.change.startswith("contrast.kind")]
    assert found.change == f"contrast.kind = 'symmetric'{change}"
    assert price in found.price


def test_half_the_steps_with_twice_the_shots_save_half_the_jobs():
    training = {"batch_size": 4, "evaluate_final": False}
    experiment = experiment_of(training={**training, "epochs": 4})
    circuits, requests = DeviceCircuits(device=device(2), seeds=experiment.seeds), record_run(experiment)
    shots, rate = experiment.config.measurement.shots, experiment.config.update.learning_rate
    name = f"training.epochs = 2 with update.learning_rate = {2 * rate:g} and measurement.shots = {2 * shots}"
    (found,) = [saving for saving in savings(experiment, requests, circuits) if saving.change == name]
    changed = experiment_of(training={**training, "epochs": 2}, measurement={"shots": 2 * shots})
    before, after = (estimate_run(run, circuits.device).run.qpu_seconds for run in (experiment, changed))
    assert found.qpu_seconds == pytest.approx(before - after)
    assert found.price.endswith("; 4 jobs fewer")  # two steps of two jobs


@pytest.mark.deep
def test_equal_shots_of_samples_save_jobs():
    """Circuits of other shots are in a job of their own: without shots by error a step has its two."""
    keys = {"contrast": {"beta": 0.2, "equal_nudges": True}, "training": {"epochs": 2, "batch_size": 4}}
    experiment = experiment_of(measurement={"shots": 100, "shots_by_error": True}, **keys)
    circuits = DeviceCircuits(device=device(2), seeds=experiment.seeds)
    requests = record_run(experiment)
    found = {saving.change: saving.qpu_seconds for saving in savings(experiment, requests, circuits)}
    equal = experiment_of(measurement={"shots": 100}, **keys)
    before, after = estimate_requests(requests, circuits, experiment).run, estimate_run(equal, circuits.device).run
    assert before.jobs > after.jobs
    assert found["measurement.shots_by_error = false"] == pytest.approx(before.qpu_seconds - after.qpu_seconds)


def test_simulating_the_energies_saves_all_iterations():
    experiment = experiment_of(preparation=SAMPLED)
    circuits, requests = DeviceCircuits(device=device(2), seeds=experiment.seeds), record_run(experiment)
    found = {saving.change: saving.qpu_seconds for saving in savings(experiment, requests, circuits)}
    simulated = experiment_of(preparation={"kind": "variational", "ansatz": SAMPLED["ansatz"]})
    saved = (
        estimate_requests(requests, circuits, experiment).run.qpu_seconds
        - estimate_run(simulated, device(2)).run.qpu_seconds
    )
    assert found["preparation.energies = 'simulated'"] == pytest.approx(saved, rel=1e-6)


def test_fractional_gates_are_weighed_where_the_device_has_them(monkeypatch):
    chain = device(2)
    experiment = experiment_of(measurement={"shots": 100_000})
    circuits, requests = DeviceCircuits(device=chain, seeds=experiment.seeds), record_run(experiment)

    def changes():
        return [saving.change for saving in savings(experiment, requests, circuits)]

    assert not any("fractional" in change for change in changes())
    described = type("Configuration", (), {"supported_instructions": ["cz", "rzz"]})
    monkeypatch.setattr(chain, "configuration", described, raising=False)
    (found,) = [change for change in changes() if "fractional" in change]
    assert found.startswith("execution.fractional_gates = true: 6 two-qubit gates in place of 12, a signal of ")
    before, after = (
        max(p.surviving.share for p in estimate_run(experiment, d).programs) for d in (chain, fractional_device(chain))
    )
    assert f"a signal of {100 * after:.2g} % in place of {100 * before:.2g} %" in found
    assert after > before
    payloads = [estimate_run(experiment, d).step.payload_bytes / 1e3 for d in (fractional_device(chain), chain)]
    (saving,) = [own for own in savings(experiment, requests, circuits) if "fractional" in own.change]
    said = re.match(r"([\d.]+) kB a step in place of ([\d.]+)", saving.price).groups()
    assert list(map(float, said)) == pytest.approx(payloads, rel=0.02, abs=0.05)  # parameters have random ids
