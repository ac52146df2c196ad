"""Seconds and payloads are those of the formula and of the device's own numbers."""

import sys
from dataclasses import replace

import pytest
from planned_runs import (
    NOISY,
    OPERATOR,
    Shelf,
    device,
    experiment_of,
)
from watched import Watched

from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.device.named_bits import with_named_bits
from qep_qiskit.device.pubs import DeviceCircuits as SentCircuits
from qep_qiskit.device.usage import require_qpu_seconds
from qep_qiskit.execution.on_device import payload_of_job, payload_of_template
from qep_qiskit.plan.circuits import DeviceCircuits
from qep_qiskit.plan.estimate import cost_of, estimate_requests, estimate_run
from qep_qiskit.plan.requests import record_run


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

    class Sending(Watched):
        def submit(self, request):
            (job,) = circuits.jobs_of_any_size(request)
            named = [with_named_bits(pub.circuit) for pub in job.pubs]
            sent.append(payload_of_job(payload_of_template(*named), [pub.values for pub in job.pubs]))
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


@pytest.mark.filterwarnings("ignore")
def test_groups_with_other_shots_are_jobs_of_their_own():
    requests = record_run(experiment_of(measurement={"shots": 20, "allocation": "optimal"}, cost=OPERATOR))
    circuits = DeviceCircuits(device=device(2), seeds=experiment_of().seeds)
    (step,) = requests.step
    shots = {batch.group.name: batch.executions // batch.circuits for batch in step.batches}
    assert shots["Z"] != shots["X"]
    assert (step.jobs, cost_of(requests.step, circuits).jobs) == (2, 2)
