"""Flips before the reading, folded gates, calibrations and fractional gates in one request."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("qiskit_ibm_runtime")

from chi_square import LIMIT, counts_p_value
from ibm_requests import STATES, calibrated_request, ramp_request
from planned_runs import Shelf

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.pubs import DeviceCircuits
from qep_qiskit.execution.aer import device_executor, fake_device
from qep_qiskit.execution.ibm_local import LocalIbmExecutor
from qep_qiskit.execution.on_device import fractional_device
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.outcomes import BitMemory

FOLDINGS = (1, 3)


def device(name):
    found = fake_device(name, 3)
    return fractional_device(found) if name == "fake_kingston" else found


def folded(request):
    measurements = (
        replace(measurement, folding=folding) for measurement in request.measurements for folding in FOLDINGS
    )
    return replace(request, measurements=tuple(measurements))


def with_retries(shots, randomizations):
    """Some states of the request turned round, so that fractional gates differ from state to state."""
    request = calibrated_request(
        shots=(shots, shots), calibration_shots=shots, kind="twirled", randomizations=randomizations
    )
    signs = np.array([1, -1, 1, -1])[:, None]
    prepared = replace(request.prepared, parameters=request.prepared.parameters * signs)
    return folded(replace(request, prepared=prepared))


@pytest.mark.deep
@pytest.mark.parametrize("sampler", ["aer", "ibm"])
@pytest.mark.parametrize("name", ["fake_manila", "fake_kingston"])
def test_sampled_readings_have_the_distribution_under_all_flips(name, sampler):
    """One randomization a shot, against density matrices whose readings are averaged over all flips."""
    snapshot = device(name)
    exact = device_executor(snapshot, Seeds(2))
    expected = exact.collect(exact.submit(with_retries(None, 1)))
    request = with_retries(200, 200)
    sampled = device_executor(snapshot, Seeds(2), measured_circuits=True)
    if sampler == "ibm":
        plain = sampled.executor(request.prepared.program)
        simulator = (
            device_executor(snapshot, Seeds(2), options=SamplerOptions(dynamical_decoupling="XX"))
            .executor(request.prepared.program)
            ._simulator
        )
        sampled = LocalIbmExecutor(simulator, Seeds(2), SamplerOptions(), place=plain._circuits.transpiled_program)
    found = sampled.collect(sampled.submit(request))
    pairs = [*zip(expected.outcomes, found.outcomes, strict=True), (expected.calibration, found.calibration)]
    assert len(pairs) == 2 * len(FOLDINGS) + 1
    for probabilities, outcomes in pairs:
        assert isinstance(outcomes, BitMemory)
        for row, bits in zip(probabilities.weights, outcomes.bits, strict=True):
            assert counts_p_value(np.bincount(bits[:, -1], minlength=8), row) > LIMIT
    once, thrice = found.outcomes[:2]
    assert not np.array_equal(once.bits, thrice.bits)


@pytest.mark.parametrize("name", ["fake_manila", "fake_kingston"])
def test_calibrations_come_after_all_foldings(name, rng):
    request = folded(calibrated_request(shots=(50, 50), calibration_shots=120))
    circuits = DeviceCircuits(device(name), Seeds(1), Shelf())
    (job,) = circuits.jobs_of_any_size(request)
    once, thrice, zeros, ones = job.pubs
    two = "cx" if name == "fake_manila" else "rzz"
    assert thrice.circuit.count_ops()[two] == 3 * once.circuit.count_ops()[two] > 0
    assert [pub.values.shape[:-1] for pub in job.pubs] == [(STATES, 2), (STATES, 2), (3,), (3,)]
    assert zeros.circuit.count_ops().get("x", 0) == 0
    assert ones.circuit.count_ops()["x"] == 3
    bits = [rng.integers(0, 8, (*pub.values.shape[:-1], 50, 1)).astype(np.uint8) for pub in job.pubs]
    z1, z3, x1, x3, calibration = job.bits_of_measurements(bits)
    for found, (pub, group) in zip((z1, z3, x1, x3), ((0, 0), (1, 0), (0, 1), (1, 1)), strict=True):
        assert np.array_equal(found, bits[pub][:, group])
    assert np.array_equal(calibration, np.stack([part.reshape(150, 1) for part in bits[2:]]))
    plain = replace(request, calibration=None)
    assert (
        circuits.jobs_of_any_size(plain)[0].digest
        != job.digest
        != circuits.jobs_of_any_size(folded(ramp_request()))[0].digest
    )
