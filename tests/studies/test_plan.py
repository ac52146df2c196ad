"""A plan counts what a run does, to the shot; its seconds are those of the formula and of the device's own numbers."""

import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from qiskit.circuit import Parameter
from qiskit.circuit.library import CZGate, Measure, RZGate, SXGate, XGate
from qiskit.providers.fake_provider import GenericBackendV2

from qep_qiskit.config import build, check_config
from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.device.pubs import DeviceCircuits as SentCircuits
from qep_qiskit.device.usage import require_qpu_seconds
from qep_qiskit.execution.on_device import fractional_device, payload_of_job
from qep_qiskit.learning import STENCILS, Stencil
from qep_qiskit.plan.circuits import DeviceCircuits
from qep_qiskit.plan.estimate import cost_of, estimate_requests, estimate_run
from qep_qiskit.plan.requests import record_run
from qep_qiskit.plan.savings import savings

SMALL = {
    "name": "small",
    "seed": 3,
    "task": {"kind": "xor"},
    "network": {"graph": "chain", "num_spins": 2, "outputs": [1]},
    "preparation": {"kind": "adiabatic", "total_time": 2.0, "steps": 5},
    "execution": {"backend": "statevector"},
    "measurement": {"shots": 20},
    "training": {"epochs": 1, "batch_size": 3},
}
NOISY = {"backend": "aer", "noise": {"readout": 0.02}, "mitigation": {"readout": "calibrated"}}
SPARING = {**NOISY, "mitigation": {"readout": "calibrated", "calibration_shots": 77, "calibrate_every": 2}}
FOLDED = {**NOISY, "mitigation": {"readout": "calibrated", "noise_factors": [1, 3]}}
SAMPLED = {
    "kind": "variational",
    "energies": "sampled",
    "optimizer": "spsa",
    "options": {"maxiter": 3, "last_avg": 1},
    "ansatz": {"kind": "hamiltonian", "depth": 1},
}
OPERATOR = {"kind": "operator", "terms": [{"pauli": "Z1"}]}
PARITY = {"task": {"kind": "parity", "num_bits": 4}, "training": {"epochs": 3, "batch_size": 3}}


def experiment_of(**sections):
    """With a look at the final weights: a plan is for a device, where nobody pays for one unasked."""
    training = {"evaluate_final": True, **sections.pop("training", SMALL["training"])}
    return build(check_config({**SMALL, **sections, "training": training}, "test"))


def counted(requests):
    shots = sum(job.times * job.executions for job in requests.jobs)
    circuits = sum(job.times * job.circuits for job in requests.jobs)
    return shots, circuits


class Shelf(dict):
    def circuit(self, name):
        return self.get(name)

    def keep_circuit(self, name, content):
        self[name] = content


class Counter:
    """Counts the requests of a real run."""

    def __init__(self, inner):
        self.inner, self.jobs = inner, 0

    def submit(self, request):
        self.jobs += 1
        return self.inner.submit(request)

    def collect(self, job_handle):
        return self.inner.collect(job_handle)


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
    counter = Counter(experiment.executor)
    trainer = replace(experiment, executor=counter).trainer()
    trainer.run()
    assert counted(requests) == (trainer.state.shots, trainer.state.circuits)
    assert sum(job.times for job in requests.jobs) == counter.jobs
    assert requests.steps == trainer.state.step


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


# ---- on devices


def device(num_qubits=8, edges=None, *, two=0.01, read=0.02, one=0.001):
    """A chain with the same errors and durations everywhere."""
    found = GenericBackendV2(
        num_qubits,
        basis_gates=["cz", "rz", "sx", "x"],
        coupling_map=edges or [[k, k + 1] for k in range(num_qubits - 1)],
        seed=1,
    )
    for gate, error, seconds in (
        (CZGate(), two, 100e-9),
        (SXGate(), one, 50e-9),
        (XGate(), one, 50e-9),
        (RZGate(Parameter("a")), 0.0, 0.0),
        (Measure(), read, 1e-6),
    ):
        for where, known in found.target[gate.name].items():
            known.error, known.duration = error, seconds
            found.target.update_instruction_properties(gate.name, where, known)
    return found


@pytest.fixture(scope="module")
def whole_step():
    """Eight spins, 16 samples, three nudges and two bases at 1000 shots, all in one stage."""
    experiment = experiment_of(
        task={"kind": "parity", "num_bits": 4},
        network={"graph": "chain", "num_spins": 8, "outputs": [7]},
        cost={"kind": "operator", "terms": [{"pauli": "Z7"}, {"pauli": "X7"}]},
        preparation={"kind": "adiabatic", "total_time": 1.0, "steps": 6},
        measurement={"shots": 1000},
        training={"epochs": 1, "batch_size": 16},
    )
    estimator = replace(experiment.estimator, measures_free_cost=True)
    experiment = replace(experiment, estimator=estimator)
    return experiment, record_run(experiment)


@pytest.mark.parametrize(("delay", "seconds"), [(250e-6, 27.6), (50e-6, 8.4)])
def test_seconds_of_a_known_step(whole_step, delay, seconds):
    experiment, requests = whole_step
    step = cost_of(requests.step, DeviceCircuits(device=device(), seeds=experiment.seeds, rep_delay=delay))
    assert (step.jobs, step.circuits, step.executions) == (1, 96, 96_000)
    assert step.qpu_seconds == pytest.approx(seconds, rel=0.03)


def test_shares_add_up(whole_step):
    experiment, requests = whole_step
    plan = estimate_requests(requests, DeviceCircuits(device=device(), seeds=experiment.seeds), experiment)
    assert sum(share.qpu_seconds for share in plan.shot_fractions) == pytest.approx(plan.run.qpu_seconds)
    assert sum(share.step_seconds for share in plan.shot_fractions) == pytest.approx(plan.step.qpu_seconds)
    assert sum(share.executions for share in plan.shot_fractions) == plan.run.executions


def test_placement_and_signal_are_those_of_the_circuit():
    """A chain of two needs no routing: every two-qubit gate of the template counts, one by one."""
    experiment = experiment_of()
    plan = estimate_run(experiment, device(2, one=0.0))
    (program,) = plan.programs
    assert sorted(program.qubits) == [0, 1]
    assert program.helpers == ()
    assert program.surviving.gates == pytest.approx(0.99**program.two_qubit_gates)
    assert program.surviving.readout == pytest.approx(0.98**2)
    assert program.record()["signal"] == pytest.approx(program.surviving.gates * program.surviving.readout)
    assert program.two_qubit_gates == 12  # second order: five steps have six layers of rzz, two cz each
    assert 1e-6 + 100e-9 * program.two_qubit_gates <= program.circuit_seconds < 10e-6


def test_payload_is_that_of_the_jobs_that_are_sent():
    """Three samples in one group, then at two nudges in two; the basis is a parameter too."""
    plan = estimate_run(experiment_of(), device(2))
    (program,) = plan.programs
    assert program.parameters == 5  # fields of two spins in X and in Z, one coupling
    experiment, sent = experiment_of(), []
    circuits = SentCircuits(device(2), experiment.seeds, Shelf())

    class Sending(Counter):
        def submit(self, request):
            (job,) = circuits.jobs(request)
            sent.append(payload_of_job([pub.circuit for pub in job.pubs], [pub.values for pub in job.pubs]))
            return super().submit(request)

    replace(experiment, executor=Sending(experiment.executor)).trainer().run()
    assert plan.run.payload_bytes == pytest.approx(sum(sent), rel=0.01)  # parameters have random ids
    assert plan.largest_payload == pytest.approx(max(sent), rel=0.02)
    assert plan.run.payload_bytes > len(sent) * (program.template_bytes + 1500)


@pytest.mark.filterwarnings("ignore")
def test_calibrations_have_their_share():
    plan = estimate_run(experiment_of(execution=NOISY), device(2))
    (share,) = [share for share in plan.shot_fractions if share.phase == "calibration"]
    assert share.executions == 2 * 4100  # once before the only epoch, 205 times the 20 shots of the job
    assert share.qpu_seconds == pytest.approx(8200 * (250e-6 + 10e-6 + 1.05e-6), rel=1e-3)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("readout", "circuits"), [("calibrated", 2), ("twirled", 1)])
def test_calibrations_are_no_jobs_of_their_own(readout, circuits):
    if readout == "twirled":
        pytest.importorskip("qiskit_ibm_runtime")
    plain = estimate_run(experiment_of(), device(2))
    plan = estimate_run(experiment_of(execution=NOISY | {"mitigation": {"readout": readout}}), device(2))
    assert plan.run.jobs == plain.run.jobs
    assert plan.run.circuits == plain.run.circuits + circuits
    assert plan.run.executions == plain.run.executions + circuits * 4100
    if readout == "calibrated":  # parameters have random ids
        assert plan.step.payload_bytes == pytest.approx(plain.step.payload_bytes, rel=0.02)
    else:  # twirled circuits carry the description of their random gates
        assert plan.step.payload_bytes > 2 * plain.step.payload_bytes
    assert replace(plan.step, payload_bytes=0) == replace(plain.step, payload_bytes=0)


def test_the_size_of_twirled_jobs_needs_the_client_of_ibm(monkeypatch):
    monkeypatch.setitem(sys.modules, "qep_qiskit.device.ibm_payload", None)  # as where it cannot be imported
    with pytest.raises(ConfigError, match=r"twirling or decoupling needs qiskit-ibm-runtime; install with pip"):
        estimate_run(experiment_of(execution=NOISY | {"mitigation": {"readout": "twirled"}}), device(2))


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


def test_limits():
    plan = estimate_run(experiment_of(execution={"backend": "statevector", "max_qpu_seconds": 0.5}), device(2))
    assert not plan.would_start
    with pytest.raises(ResourceError, match=r"max_qpu_seconds: the run is estimated at .* and may have 0\.5"):
        plan.require_start()
    plan = replace(plan, max_qpu_seconds=60.0)
    assert plan.would_start
    plan.require_start()
    plan = replace(plan, remaining_seconds=1.0)
    assert not plan.would_start
    with pytest.raises(ResourceError, match=r"the account has 1\.0 left"):
        plan.require_start()
    require_qpu_seconds(60.0, 60.0, 60.0)


def test_large_jobs_are_told():
    plan = estimate_run(experiment_of(), device(2))
    assert plan.fits_into_jobs
    assert not replace(plan, largest_job=10_000_001).fits_into_jobs
    assert not replace(plan, largest_payload=50_000_001).fits_into_jobs


def test_too_small_a_device():
    with pytest.raises(ResourceError, match="has 2 qubits, the network needs 3"):
        estimate_run(experiment_of(network={"graph": "chain", "num_spins": 3}), device(2))


def test_planning_leaves_the_run_alone():
    experiment = experiment_of()
    before = experiment.trainer().weights.copy()
    record_run(experiment)
    assert np.array_equal(experiment.trainer().weights, before)


@pytest.mark.filterwarnings("ignore")
def test_groups_with_other_shots_are_jobs_of_their_own():
    requests = record_run(experiment_of(measurement={"shots": 20, "allocation": "optimal"}, cost=OPERATOR))
    circuits = DeviceCircuits(device=device(2), seeds=experiment_of().seeds)
    (step,) = requests.step
    shots = {batch.group.name: batch.executions // batch.circuits for batch in step.batches}
    assert shots["Z"] != shots["X"]
    assert (step.jobs, cost_of(requests.step, circuits).jobs) == (2, 2)
