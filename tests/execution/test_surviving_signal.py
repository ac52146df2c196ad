"""Warnings of devices on which no signal survives, before shots are spent."""

import math

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import CZGate, Measure, SXGate
from qiskit.transpiler import InstructionProperties, Target
from warned import warns

from qep_qiskit.config import from_file
from qep_qiskit.core.errors import LostSignalWarning
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.warning_log import WarningLog, counting_warnings
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.remote import RemoteExecutor
from qep_qiskit.execution.device_snapshot import DeviceSnapshot, cut_target
from qep_qiskit.execution.surviving_signal import SurvivingSignal, surviving_signal, warn_of_lost_signal
from qep_qiskit.execution.transpilation import TranspiledProgram

SHORT = ["preparation.steps=2", "preparation.total_time=2.0", "training.epochs=1"]


def placed_on(cz: float, measurement: float = 0.0) -> TranspiledProgram:
    """Two gates on two of three qubits, under other names on the device."""
    target = Target(num_qubits=3)
    target.add_instruction(SXGate(), {(k,): InstructionProperties(error=0.1) for k in range(3)})
    target.add_instruction(
        CZGate(), {(0, 1): InstructionProperties(error=cz), (1, 2): InstructionProperties(error=1.0)}
    )
    target.add_instruction(Measure(), {(k,): InstructionProperties(error=measurement) for k in range(3)})
    circuit = QuantumCircuit(3)
    circuit.sx(0)
    circuit.cz(0, 1)
    device = DeviceSnapshot("small", target, rep_delay=1e-4, rep_delay_range=None)
    return TranspiledProgram(circuit=circuit, outputs=(0, 1), backend=device, device_qubits=(7, 8, 9))


def test_the_signal_is_what_errors_in_use_leave():
    found = surviving_signal(placed_on(0.2, 0.05))
    assert math.isclose(found.gates, 0.9 * 0.8)
    assert math.isclose(found.readout, 0.95**2)
    assert found.broken == ()


def test_gates_in_use_that_do_not_work_are_named_by_their_qubits_on_the_device():
    assert surviving_signal(placed_on(1.0)).broken == ("cz on 7, 8",)
    assert surviving_signal(placed_on(0.0, 0.5)).broken == ("measure on 7", "measure on 8")


@pytest.mark.parametrize(
    ("signal", "text", "severity"),
    [
        (
            SurvivingSignal(gates=0.3, readout=0.9, broken=("cz on 7, 8",)),
            "gates or readouts that do not work",
            "serious",
        ),
        (SurvivingSignal(gates=0.05, readout=0.9), "hardly any signal survives", "warning"),
    ],
)
def test_a_lost_signal_is_told(signal, text, severity):
    with warns(LostSignalWarning, text, detail="% of the signal survives on small") as given:
        warn_of_lost_signal(signal, "small")
    assert given[0].severity == severity


def test_a_signal_that_survives_is_not():
    with counting_warnings(WarningLog()) as log:
        warn_of_lost_signal(SurvivingSignal(gates=0.06, readout=0.9), "small")
    assert not log.counts


@pytest.mark.parametrize("shots", ["20", "'exact'"])
def test_a_run_on_a_snapshot_with_gates_that_do_not_work_says_so(shots):
    """All two-qubit gates of that snapshot have an error of 1."""
    pytest.importorskip("qiskit_ibm_runtime")
    settings = [*SHORT, "execution.backend='fake_kyoto'", f"measurement.shots={shots}"]
    trainer = from_file("configs/xor.toml", settings).trainer()
    with warns(LostSignalWarning, "do not work", detail=r"ecr on \d+, \d+ and \d+ more; about 0 % .* fake_kyoto"):
        trainer.run()
    (found,) = [one for one in trainer.state.warnings.summary() if one["kind"] == "LostSignalWarning"]
    assert (found["severity"], found["times"]) == ("serious", 1)


def test_on_a_device_behind_a_service_it_is_said_before_anything_is_sent(tmp_path):
    pytest.importorskip("qiskit_ibm_runtime")
    from ibm_requests import ramp_request
    from ibm_stand_in import FractionalDevice, StandInService

    from qep_qiskit.device.ibm import IbmDevice

    service = StandInService()
    target = cut_target(service.device.target, range(5))
    for where in target["cx"]:
        target.update_instruction_properties("cx", where, InstructionProperties(error=1.0))
    service.device = FractionalDevice(target)
    with JobLedger(tmp_path / "jobs.sqlite") as ledger:
        device = IbmDevice(service, "ibm_stand_in", sampler=service.sampler)
        with pytest.raises(LostSignalWarning, match="do not work"):  # the tests make errors of warnings
            RemoteExecutor(device, Seeds(1), ledger).submit(ramp_request())
    assert service.posts == 0
