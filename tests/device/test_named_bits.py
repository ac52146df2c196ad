"""Each measured bit of a job is found by its name, wherever it stands in the result."""

import numpy as np
import pytest
from ibm_requests import ramp_request
from qiskit.primitives import DataBin, SamplerPubResult
from qiskit_aer.primitives import SamplerV2

from qep_qiskit.core.errors import ResultError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.named_bits import named_bits, with_named_bits
from qep_qiskit.device.pubs import DeviceCircuits
from qep_qiskit.execution.aer import fake_device

SHOTS = 50


@pytest.fixture
def job(tmp_path):
    pytest.importorskip("qiskit_ibm_runtime")
    with JobLedger(tmp_path / "jobs.sqlite") as ledger:
        (found,) = DeviceCircuits(fake_device("fake_manila", 3), Seeds(1), ledger).jobs_of_any_size(
            ramp_request(shots=(SHOTS,) * 2)
        )
        yield found


def sampled(job, circuit_of):
    (pub,) = job.pubs
    return SamplerV2(seed=1).run([(circuit_of(pub.circuit), pub.values)], shots=SHOTS).result()


def test_named_bits_are_those_of_one_register(job):
    (together,) = sampled(job, lambda circuit: circuit)
    apart = sampled(job, with_named_bits)
    assert job.pubs[0].circuit.parameters == with_named_bits(job.pubs[0].circuit).parameters
    (bits,) = named_bits(apart, job, "here")
    assert np.array_equal(bits, together.data.meas.array)


def test_registers_in_another_order_are_the_same_bits(job):
    (found,) = sampled(job, with_named_bits)
    turned = SamplerPubResult(DataBin(**dict(reversed(list(found.data.items()))), shape=found.data.shape))
    assert all(map(np.array_equal, named_bits([turned], job, "here"), named_bits([found], job, "here")))


def test_results_too_many_are_refused(job):
    (found,) = sampled(job, with_named_bits)
    with pytest.raises(ResultError, match="here: expected 1 result, one for every circuit, got 2"):
        named_bits([found, found], job, "here")
