"""Requests as jobs: the right circuits, the right rows, the same qubits for ever."""

from dataclasses import replace

import numpy as np
import pytest
from ibm_requests import SPINS, STATES, calibrated_request, ramp_request, ramp_states
from planned_runs import Shelf
from qiskit.quantum_info import Statevector

from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device import specification
from qep_qiskit.device.basis_layers import basis_layer
from qep_qiskit.device.pubs import DeviceCircuits
from qep_qiskit.execution import GroupMeasurement, RequestKey
from qep_qiskit.execution.aer import AerExecutor, fake_device
from qep_qiskit.execution.interface import Request
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.outcomes.known_states import VectorStates

pytest.importorskip("qiskit_ibm_runtime")


def jobs_of(request, *, store=None, seed=1):
    circuits = DeviceCircuits(fake_device("fake_manila", SPINS), Seeds(seed), Shelf() if store is None else store)
    return specification.jobs_of(request, SamplerOptions(), circuits.pubs)


def probabilities(circuit, values):
    """Of what a circuit reads, shape (2^bits,); bit k = classical bit k."""
    bound = circuit.assign_parameters(dict(zip(circuit.parameters, values, strict=True)))
    reads = [step for step in bound.data if step.operation.name == "measure"]
    read = {bound.find_bit(s.clbits[0]).index: bound.find_bit(s.qubits[0]).index for s in reads}
    return Statevector(bound.remove_final_measurements(inplace=False)).probabilities([read[k] for k in sorted(read)])


def groups_of(*letters):
    return [CommutingGroup(name=text, basis=LocalBasis(text), masks=(1,)) for text in letters]


@pytest.mark.parametrize(
    ("letters", "states"),
    [
        (("ZZZ", "XXX"), [(0, 1, 2, 3), (0, 1, 2, 3)]),
        (("ZZZ", "XXX"), [(1, 3), (0, 1, 2)]),
        (("XYZ", "YYZ", "ZYX"), [(0, 2)] * 3),
        (("XXX",), [(2,)]),
    ],
)
def test_every_row_is_the_state_in_the_group_it_is_for(letters, states):
    _, prepared = ramp_states()
    measurements = tuple(
        GroupMeasurement(group=group, states=np.array(rows), shots=10)
        for group, rows in zip(groups_of(*letters), states, strict=True)
    )
    (job,) = jobs_of(Request(key=RequestKey("train", 0), prepared=prepared, measurements=measurements))
    (pub,) = job.pubs
    assert job.num_circuits == sum(map(len, states))  # no circuit that nothing reads
    assert job.axes == (("states", "groups") if len(set(states)) == 1 else ("pairs",))
    flat = pub.values.reshape(-1, pub.values.shape[-1])
    vectors = AerExecutor(Seeds(0)).vectors(prepared)
    for measurement, rows in zip(measurements, job.rows, strict=True):
        for state, row in zip(measurement.states, rows, strict=True):
            expected = np.abs(measurement.group.basis.rotate(vectors[state][None])[0]) ** 2
            assert probabilities(pub.circuit, flat[row]) == pytest.approx(expected, abs=1e-8)


def test_folded_readouts_are_a_pub_of_the_same_job():
    """Rows follow the readouts, whose foldings stand side by side; the states are the same."""
    _, prepared = ramp_states()
    rows = np.array([0, 2, 3])
    measurements = tuple(
        GroupMeasurement(group=group, states=rows, shots=10, folding=folding)
        for group in groups_of("ZZZ", "XXX")
        for folding in (1, 3)
    )
    request = Request(key=RequestKey("train", 0), prepared=prepared, measurements=measurements)
    (job,) = jobs_of(request)
    once, thrice = job.pubs
    assert thrice.circuit.count_ops()["cx"] == 3 * once.circuit.count_ops()["cx"] > 0
    assert once.values.shape[:-1] == thrice.values.shape[:-1] == (3, 2)
    assert (job.num_circuits, job.executions, job.axes) == (12, 120, ("states", "groups"))
    assert sorted(np.concatenate(job.rows)) == list(range(12))
    vectors = AerExecutor(Seeds(0)).vectors(prepared)
    for measurement, positions in zip(measurements, job.rows, strict=True):
        pub = once if measurement.folding == 1 else thrice
        flat = pub.values.reshape(-1, pub.values.shape[-1])
        for state, place in zip(measurement.states, positions - (0 if pub is once else once.num_circuits), strict=True):
            expected = np.abs(measurement.group.basis.rotate(vectors[state][None])[0]) ** 2
            assert probabilities(pub.circuit, flat[place]) == pytest.approx(expected, abs=1e-8)
    results = [np.arange(60, dtype=np.uint8).reshape(3, 2, 10, 1) + 60 * k for k in range(2)]
    bits = job.bits_of_measurements(results)
    assert [found[0, 0, 0] for found in bits] == [0, 60, 10, 70]
    plain = replace(request, measurements=tuple(replace(measurement, folding=1) for measurement in measurements))
    assert jobs_of(plain)[0].digest != job.digest


def test_qubits_that_turn_together_share_a_parameter():
    circuit, angles = basis_layer([LocalBasis("ZZZZ"), LocalBasis("XXXX")])
    assert circuit.num_parameters == 1
    assert angles.tolist() == [[0.0], [-np.pi / 2]]
    circuit, angles = basis_layer([LocalBasis("ZXYZ"), LocalBasis("XXYY")])
    assert circuit.num_parameters == 2
    assert angles.shape == (2, 2)


def test_bits_go_to_the_readouts_they_belong_to(rng):
    (job,) = jobs_of(ramp_request())
    bits = rng.integers(0, 8, (STATES, 2, 50, 1)).astype(np.uint8)
    z, x = job.bits_of_measurements([bits])
    assert np.array_equal(z, bits[:, 0])
    assert np.array_equal(x, bits[:, 1])
    with pytest.raises(ValueError, match="shapes"):
        job.bits_of_measurements([bits[:, :, :49]])


def test_unequal_shots_are_jobs_of_their_own():
    first, second = jobs_of(ramp_request(shots=(50, 20)))
    assert [(job.shots, job.measurements, job.num_circuits) for job in (first, second)] == [
        (50, (0,), 4),
        (20, (1,), 4),
    ]
    assert first.digest != second.digest


def test_a_program_stays_on_the_qubits_it_was_given():
    store = Shelf()
    (first,) = jobs_of(ramp_request(), store=store, seed=1)
    (again,) = jobs_of(ramp_request(step=7), store=store, seed=2)
    assert again.circuit_digest() == first.circuit_digest()
    assert np.array_equal(again.bound, first.bound)
    assert len(store) == 2  # the program as it is laid out, and as it is measured


def test_calibration_reads_all_zeros_and_all_ones_on_the_same_qubits():
    (job,) = jobs_of(calibrated_request(shots=(50, 50), calibration_shots=120))
    measured, *calibration = job.pubs
    assert [pub.values.shape for pub in calibration] == [(3, 1)] * 2  # 120 shots are no multiple of 50
    assert [int(np.argmax(probabilities(pub.circuit, pub.values[0]))) for pub in calibration] == [0, 7]
    qubits = [
        [circuit.find_bit(step.qubits[0]).index for step in circuit.data if step.operation.name == "measure"]
        for circuit in (calibration[0].circuit, calibration[1].circuit, measured.circuit)
    ]
    assert qubits[0] == qubits[1] == qubits[2]
    assert job.num_circuits == 2 * STATES + 2 * 3


def test_shots_of_the_calibration_come_together(rng):
    (job,) = jobs_of(calibrated_request(shots=(50, 50), calibration_shots=120))
    bits = [rng.integers(0, 8, (*pub.values.shape[:-1], 50, 1)).astype(np.uint8) for pub in job.pubs]
    z, x, calibration = job.bits_of_measurements(bits)
    assert np.array_equal(z, bits[0][:, 0])
    assert np.array_equal(x, bits[0][:, 1])
    assert calibration.shape == (2, 150, 1)
    assert np.array_equal(calibration[0], bits[1].reshape(150, 1))
    assert np.array_equal(calibration[1], bits[2].reshape(150, 1))


def test_only_the_first_job_calibrates():
    first, second = jobs_of(calibrated_request(shots=(50, 20), calibration_shots=120))
    assert [len(pub.values) for pub in first.pubs[1:]] == [3, 3]
    assert second.calibration is None
    assert len(second.pubs) == 1
    (other,) = jobs_of(calibrated_request(shots=(50, 50), calibration_shots=130))
    (plain,) = jobs_of(ramp_request())
    (same,) = jobs_of(calibrated_request(shots=(50, 50), calibration_shots=120))
    assert len({job.digest for job in (same, other, plain)}) == 3


def test_what_a_device_cannot_do():
    with pytest.raises(ConfigError, match="give a number of shots"):
        jobs_of(ramp_request(shots=(None, 10)))
    with pytest.raises(ResourceError, match="the service takes 10000000"):
        jobs_of(ramp_request(shots=(2_000_000, 2_000_000)))
    vectors = VectorStates(vectors=np.eye(8)[:4], energies=np.zeros(4), gaps=np.ones(4))
    with pytest.raises(ConfigError, match="a device runs circuits"):
        jobs_of(replace(ramp_request(), prepared=vectors))
