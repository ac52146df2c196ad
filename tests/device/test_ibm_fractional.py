"""Fractional gates on a device behind the service: offered or not, in range, and checked before anything is sent."""

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
from ibm_requests import ramp_request

pytest.importorskip("qiskit_ibm_runtime")

from ibm_executor import QUICK
from ibm_stand_in import FractionalService
from qiskit_ibm_runtime.exceptions import IBMInputValueError

from qep_qiskit.core.errors import DeviceError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device import ibm_login
from qep_qiskit.device.ibm import IbmDevice
from qep_qiskit.device.ibm_login import device_snapshot
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.pubs import DeviceCircuits
from qep_qiskit.device.remote import RemoteExecutor

HALF = np.pi / 2


@pytest.fixture
def service():
    return FractionalService()


def device_of(service):
    return IbmDevice(service, "ibm_stand_in", sampler=service.sampler, fractional_gates=True)


def test_a_job_has_rzz_in_range_and_a_small_vector(service, tmp_path):
    with JobLedger(tmp_path / "jobs.sqlite") as ledger:
        executor = RemoteExecutor(device_of(service), Seeds(1), ledger, retries=QUICK)
        executor.collect(executor.submit(ramp_request()))
    assert service.asked == [True]
    (job,) = service.accepted
    ((circuit, values),) = job.pubs
    assert sum(step.operation.name == "rzz" for step in circuit.data) == 2 * 4  # two couplings in four layers
    assert {step.operation.name for step in circuit.data if len(step.qubits) == 2} == {"rzz"}
    for row in values.reshape(-1, values.shape[-1]):
        bound = circuit.assign_parameters(row)
        assert all(0 <= step.operation.params[0] <= HALF for step in bound.data if step.operation.name == "rzz")


def test_an_angle_out_of_range_is_found_before_it_is_paid_for(service, tmp_path):
    device = device_of(service)
    with JobLedger(tmp_path / "jobs.sqlite") as ledger:
        (plan,) = DeviceCircuits(device.backend, Seeds(1), ledger).jobs_of_any_size(ramp_request())
        (pub,) = plan.pubs
    device.require_fit(plan)
    sizes = [place for place, found in enumerate(pub.circuit.parameters) if found.name.startswith("size")]
    for worst in (-0.01, 40.0):
        values = pub.values.copy()
        values[1, 0, sizes[0]] = worst
        changed = replace(plan, make_pubs=Mock(return_value=(replace(pub, values=values),)))
        with pytest.raises(DeviceError, match=r"rzz .*only for angles in the range \[0, pi/2\].*nothing was submitted"):
            device.require_fit(changed)


def test_a_device_without_them_is_one_line(service):
    service.kinds[True] = service.kinds[False]
    with pytest.raises(DeviceError, match=r"execution\.fractional_gates: ibm_stand_in offers no rzz") as caught:
        assert device_of(service).backend
    assert "\n" not in str(caught.value)

    def refuse(name, use_fractional_gates=False):
        raise IBMInputValueError("not supported")

    service.backend = refuse
    with pytest.raises(DeviceError, match=r"execution\.fractional_gates: ibm_stand_in offers no rzz"):
        assert device_of(service).backend


def test_a_description_has_all_that_the_device_offers(service, monkeypatch):
    monkeypatch.setattr(ibm_login, "open_service", lambda instance: service)
    assert "rzz" in device_snapshot("ibm_stand_in").target.operation_names
    assert service.asked == [None]
