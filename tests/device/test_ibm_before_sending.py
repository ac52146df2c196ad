"""What is found before a job is sent and paid for."""

import numpy as np
import pytest
from ibm_requests import ramp_request

pytest.importorskip("qiskit_ibm_runtime")

from ibm_executor import QUICK, executor_on, run, same, states
from ibm_stand_in import StandInDevice
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qep_qiskit.core.errors import (
    ConfigError,
    DeviceError,
    LedgerError,
    ResourceError,
)
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.ibm import IbmDevice
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.remote import RemoteExecutor
from qep_qiskit.device.specification import JobSpecification, Pub


def test_more_shots_than_the_device_takes_are_not_sent(service, path):
    service.device.max_shots = 40
    with pytest.raises(DeviceError, match="ibm_stand_in: the device takes 40 shots of a circuit and a job has 50"):
        run(service, path)
    assert service.posts == 0


def test_what_is_wrong_before_sending_leaves_no_row(service, path):
    service.remaining = 1
    with pytest.raises(
        DeviceError, match=r"has 1 QPU seconds left and the job is estimated at 2.1; nothing was submitted"
    ):
        run(service, path)
    service.remaining = 600
    service.device.state.status_msg = "maintenance"
    with pytest.raises(DeviceError, match=r"not taking jobs \(maintenance\); nothing was submitted"):
        run(service, path)
    assert (states(path), service.posts) == ([], 0)


def test_a_circuit_that_does_not_fit_is_found_before_it_is_paid_for(service):
    foreign = QuantumCircuit(2)
    foreign.h(0)
    pub = Pub(circuit=foreign, values=np.zeros((1, 0)))
    plan = JobSpecification(
        make_pubs=lambda: (pub,),
        shapes=((1,),),
        num_qubits=2,
        shots=1,
        axes=("pairs",),
        measurements=(0,),
        rows=(np.array([0]),),
        digest="",
        bound=np.zeros(0),
    )
    with pytest.raises(DeviceError, match="a circuit does not fit the device"):
        IbmDevice(service, "ibm_stand_in").require_fit(plan)


def without_coupler(device, circuit):
    """A device whose first coupler that a circuit uses is gone."""
    pair = next(
        tuple(circuit.find_bit(qubit).index for qubit in gate.qubits) for gate in circuit.data if len(gate.qubits) == 2
    )
    target = Target(num_qubits=device.num_qubits, dt=device.target.dt)
    for name in set(device.target.operation_names) & {
        "id",
        "rz",
        "sx",
        "x",
        "cx",
        "cz",
        "ecr",
        "measure",
        "reset",
        "delay",
    }:
        kept = {
            qubits: properties
            for qubits, properties in device.target[name].items()
            if qubits is None or set(qubits) != set(pair)
        }
        target.add_instruction(device.target.operation_from_name(name), kept, name=name)
    changed = StandInDevice()
    changed._target = target
    return changed


def test_circuits_stay_what_they_were_when_a_coupler_is_gone(service, path, expected):
    """Paid jobs are collected, nothing is sent that does not fit, and a new layout is taken on request alone."""
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger)
        handle = executor.submit(ramp_request())
        sent = service.accepted[0].pubs[0][0]
    service.device = without_coupler(service.device, sent)
    with JobLedger(path) as ledger:
        executor = executor_on(service, ledger)
        assert same(executor.collect(handle), expected)
        with pytest.raises(DeviceError, match=r"have \d+ two-qubit gates.* they have \d+: .*--replace-layout"):
            executor.submit(ramp_request(step=1))
        assert len(service.accepted) == 1
        ledger.forget_circuits()
        executor_on(service, ledger).submit(ramp_request(step=1))
        assert len(service.accepted) == 2


def test_another_request_under_the_same_key_is_refused(service, path):
    run(service, path)
    for other in (ramp_request(seed=2), ramp_request(shots=(60, 60)), ramp_request(states=((0, 1), (0, 1)))):
        with pytest.raises(LedgerError, match="train 0 was sent with other circuits or values"):
            run(service, path, other)
    service.device.name = "ibm_stand_in_2"
    with JobLedger(path) as ledger:
        executor = RemoteExecutor(IbmDevice(service, "ibm_stand_in_2"), Seeds(1), ledger, retries=QUICK)
        with pytest.raises(LedgerError, match="train 0 was sent to ibm_stand_in "):
            executor.submit(ramp_request())


def test_a_device_that_is_not_there(service):
    with pytest.raises(DeviceError, match="no device 'ibm_moon'; there are: ibm_stand_in"):
        assert IbmDevice(service, "ibm_moon").backend
    service.backends = lambda: []
    with pytest.raises(
        DeviceError, match="'ibm_moon' cannot be found or read; nothing was submitted, check the network"
    ):
        assert IbmDevice(service, "ibm_moon").backend


def test_a_device_that_is_too_small(service):
    assert IbmDevice(service, "ibm_stand_in", num_qubits=5).backend.name == "ibm_stand_in"
    with pytest.raises(ResourceError, match="has 5 qubits, the network needs 6"):
        assert IbmDevice(service, "ibm_stand_in", num_qubits=6).backend


def test_exact_probabilities_are_not_for_devices(service, path):
    with pytest.raises(ConfigError, match="give a number of shots"):
        run(service, path, ramp_request(shots=(None, None)))
