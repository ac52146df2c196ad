"""A plan counts what a run does, to the shot."""

from dataclasses import replace

import numpy as np
import pytest
from planned_runs import FOLDED, NOISY, OPERATOR, PARITY, SAMPLED, SPARING, counted, experiment_of
from watched import Watched

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.plan.requests import record_run


@pytest.mark.deep(
    but=[
        "plain",
        "cost",
        "measurement",
        "contrast0",
        "contrast1",
        "training0",
        "training1",
        "preparation0",
        "preparation1",
        "task,training",
        "execution",
        "contrast,training",
    ]
)
@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"training": {"epochs": 7, "batch_size": 1}},
        {"contrast": {"kind": "one_sided", "beta": -0.2}},
        {"contrast": {"kind": "four_point", "beta": 0.2}},
        {"contrast": {"kind": "chebyshev", "order": 6, "beta": 0.2}},
        {"measurement": {"shots": 20, "grouping": "per_weight"}},
        {"cost": OPERATOR},
        {"preparation": SAMPLED},
        {"preparation": {"kind": "variational", "ansatz": {"kind": "hamiltonian", "depth": 1}}},
        {"execution": NOISY, "training": {"epochs": 3, "batch_size": 1}},
        {"execution": NOISY | {"mitigation": {"readout": "twirled", "calibration_shots": 77}}},
        {"execution": NOISY, "training": {"epochs": 12, "batch_size": 1}},
        {
            "execution": SPARING,
            "contrast": {"beta": "auto", "pilot": {"every": 3}},
            "training": {"epochs": 8, "batch_size": 2},
        },
        {"execution": SPARING, **PARITY},
        {"execution": FOLDED, "training": {"epochs": 3, "batch_size": 1}},
        {"contrast": {"beta": "auto", "pilot": {"every": 2}}, "training": {"epochs": 5, "batch_size": 2}},
        PARITY,
        {"training": {"epochs": 5, "batch_size": 2, "evaluate_every": 2}},
    ],
    ids=lambda sections: ",".join(sections) or "plain",
)
@pytest.mark.filterwarnings("ignore")
def test_counts_are_those_of_the_run_to_the_shot(sections):
    experiment = experiment_of(**sections)
    requests = record_run(experiment)
    watched = Watched(experiment.executor)
    trainer = replace(experiment, executor=watched).trainer()
    trainer.run()
    assert counted(requests) == (trainer.state.shots, trainer.state.circuits)
    assert sum(job.times for job in requests.jobs) == len(watched.requests)
    assert requests.steps == trainer.state.step


@pytest.mark.filterwarnings("ignore")
def test_measurements_of_weights_on_their_way_are_counted_as_an_estimate():
    experiment = experiment_of(
        update={"kind": "agnostic", "epsilon": 0.1}, training={"epochs": 1, "batch_size": 4}, measurement={"shots": 100}
    )
    requests = record_run(experiment)
    trainer = experiment.trainer()
    trainer.run()
    assert counted(requests) == (trainer.state.shots, trainer.state.circuits)
    assert not requests.fixed
    phases = {(batch.phase, job.key.stage) for job in requests.step for batch in job.batches}
    assert phases == {("free", 0), ("-beta", 1), ("+beta", 1), ("+beta", 2)}


@pytest.mark.filterwarnings("ignore")
def test_test_samples_are_counted_when_they_are_looked_at():
    """Two moons have a test set: before the first epoch, after 2 and 4, and after the last."""
    pytest.importorskip("sklearn")
    task = {"kind": "moons", "num_samples": 20}
    training = {"epochs": 5, "batch_size": 4, "evaluate_every": 2}
    experiment = experiment_of(task=task, training=training)
    requests = record_run(experiment)
    trainer = experiment.trainer()
    trainer.run()
    assert sum(job.times for job in requests.jobs if job.key.purpose == "test-evaluation") == 4
    assert counted(requests) == (trainer.state.shots, trainer.state.circuits)


@pytest.mark.parametrize(
    ("kind", "beta", "phases"),
    [
        ("one_sided", 0.2, {"free", "+beta"}),
        ("one_sided", -0.2, {"free", "-beta"}),
        ("symmetric", 0.2, {"free", "-beta", "+beta"}),
        ("four_point", 0.2, {"free", "-2 beta", "-beta", "+beta", "+2 beta"}),
    ],
)
def test_phases_are_named(kind, beta, phases):
    requests = record_run(experiment_of(contrast={"kind": kind, "beta": beta}))
    batches = [batch for job in requests.step for batch in job.batches]
    assert {batch.phase for batch in batches} == phases
    free = [batch.group.name for batch in batches if batch.phase == "free"]
    assert free == (["Z", "X"] if kind == "one_sided" else ["Z"])


def test_a_step_has_a_job_for_every_stage():
    assert len(record_run(experiment_of()).step) == 2
    assert len(record_run(experiment_of(cost=OPERATOR)).step) == 1


def test_step_is_one_of_a_full_batch():
    assert [job.request.prepared.num_states for job in record_run(experiment_of()).step] == [3, 6]
    assert [job.request.prepared.num_states for job in record_run(experiment_of(**PARITY)).step] == [3, 6]


def test_iterations_are_jobs_of_their_own_and_counts_are_an_estimate():
    requests = record_run(experiment_of(preparation=SAMPLED))
    assert not requests.fixed
    assert len([job for job in requests.step if job.batches[0].phase == "preparation"]) > 6
    assert record_run(experiment_of()).fixed


def test_shots_by_errors_are_an_estimate():
    contrast, measurement = {"beta": 0.2, "equal_nudges": True}, {"shots": 100, "shots_by_error": True}
    assert not record_run(experiment_of(contrast=contrast, measurement=measurement)).fixed


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"measurement": {"shots": "exact"}}, "measurement.shots: a device has no exact"),
        ({"preparation": {"kind": "exact"}}, "preparation.kind: exact states are made by no circuit"),
        (
            {"execution": NOISY | {"mitigation": {"readout": "calibrated", "calibration_shots": "exact"}}},
            "calibration_shots: a device has no exact",
        ),
    ],
)
def test_runs_that_no_device_can_have_are_refused(sections, message):
    with pytest.raises(ConfigError, match=message):
        record_run(experiment_of(**sections))


def test_planning_leaves_the_run_alone():
    experiment = experiment_of()
    before = experiment.trainer().weights.copy()
    record_run(experiment)
    assert np.array_equal(experiment.trainer().weights, before)
