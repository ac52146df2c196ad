"""Options of the sampler: decoupling, twirling and randomizations of a job."""

import pytest
from ibm_requests import calibrated_request, ramp_request

pytest.importorskip("qiskit_ibm_runtime")

from ibm_executor import QUICK, run
from qiskit.circuit import Parameter
from qiskit.circuit.library import RXGate

from qep_qiskit.core.errors import (
    ConfigError,
    LedgerError,
)
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.ibm import IbmDevice
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.remote import RemoteExecutor
from qep_qiskit.execution.sampler_options import SamplerOptions

DECOUPLED = SamplerOptions(dynamical_decoupling="XY4", gate_twirling=True, randomizations=16)


def test_options_reach_the_sampler_and_the_ledger(service, path):
    run(service, path, options=DECOUPLED)
    (job,) = service.accepted
    assert job.options["dynamical_decoupling"] == {"enable": True, "sequence_type": "XY4"}
    assert job.options["twirling"] == {
        "enable_gates": True,
        "enable_measure": False,
        "num_randomizations": 13,
        "shots_per_randomization": 4,
    }
    (entry,) = JobLedger.read(path)
    assert entry.description.options["dynamical_decoupling"] == "XY4"
    assert entry.description.options["twirling"] == {"gates": True, "readout": False, "randomizations": 16}
    with pytest.raises(LedgerError, match="other options"):
        run(service, path)
    assert service.posts == 1


def test_without_options_nothing_is_switched_on(service, path):
    run(service, path)
    assert not {"dynamical_decoupling", "twirling"} & set(service.accepted[0].options)


def test_shots_that_randomizations_do_not_divide_are_made_and_left_out(service, path):
    """Fifty shots in thirteen randomizations of four: two too many, which are charged."""
    plain = run(service, path)
    with JobLedger(path) as ledger:
        before = ledger.latest(ramp_request().key, 0).description.estimated_seconds
    path.unlink()
    data = run(service, path, calibrated_request(shots=(50, 50), calibration_shots=120, kind="twirled"))
    assert [outcome.bits.shape for outcome in data.outcomes] == [outcome.bits.shape for outcome in plain.outcomes]
    assert data.calibration.bits.shape == (1, 150, 1)
    job = service.accepted[-1]
    assert job.options["twirling"]["enable_measure"]
    assert not job.options["twirling"]["enable_gates"]
    (entry,) = JobLedger.read(path)
    executions = 52 * (8 + 3)
    assert entry.description.estimated_seconds - 2 == pytest.approx((before - 2) * executions / (50 * 8), rel=0.02)


def test_gate_twirling_and_fractional_gates(service, path):
    device = IbmDevice(service, "ibm_stand_in", sampler=service.sampler)
    device.backend.target.add_instruction(RXGate(Parameter("t")), {(q,): None for q in range(5)})
    with JobLedger(path) as ledger:
        executor = RemoteExecutor(device, Seeds(1), ledger, retries=QUICK, options=DECOUPLED)
        with pytest.raises(ConfigError, match="gate_twirling: does not go with fractional gates"):
            executor.submit(ramp_request())
    assert service.posts == 0
    assert JobLedger.read(path) == []
